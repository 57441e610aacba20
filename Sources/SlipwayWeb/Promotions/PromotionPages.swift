import SlipwayCore

package struct PromotionsPage: Sendable {
    package var frame: PageFrame
    package var promotions: [Promotion]
    package var older: SitePath?

    package init(frame: PageFrame, promotions: [Promotion], older: SitePath? = nil) {
        self.frame = frame
        self.promotions = promotions
        self.older = older
    }
}

package struct PromotionPage: Sendable {
    package var frame: PageFrame
    package var promotion: Promotion
    package var release: Release?
    /// What is live, for the comparison.
    package var current: Release?
    /// All of it, newest first.
    package var evidence: [Evidence]
    /// What is missing before it is approved.
    package var missing: [ApprovalRule]
    /// Oldest first.
    package var timeline: [AuditEvent]
    /// What this caller may decide, by permission and state: `approve`, `reject`, `apply`, `withdraw`, `abort`.
    package var decisions: Set<Decision>
    /// A refused decision, shown on the page it was made on.
    package var error: SlipwayError?

    package enum Decision: String, Sendable, Hashable, CaseIterable { case approve, reject, apply, withdraw, abort, recheck }

    package init(
        frame: PageFrame, promotion: Promotion, release: Release?, current: Release?, evidence: [Evidence], missing: [ApprovalRule], timeline: [AuditEvent],
        decisions: Set<Decision>, error: SlipwayError? = nil
    ) {
        self.frame = frame
        self.promotion = promotion
        self.release = release
        self.current = current
        self.evidence = evidence
        self.missing = missing
        self.timeline = timeline
        self.decisions = decisions
        self.error = error
    }
}
