/// What exactly would happen. What is approved and what is applied carry the same digest of this value.
package struct Plan: Sendable, Hashable, Codable {
    package var project: ProjectName
    package var environment: EnvironmentID
    package var slot: SlotName
    package var release: ContentDigest
    /// What is live in the slot, nil for the first release.
    package var current: ContentDigest?
    package var generation: Int
    package var policyName: String
    package var policyVersion: Int
    package var gates: [GateName: GateRule]
    package var approvals: [ApprovalRule]
    /// Where a rollback would lead once this plan is live.
    package var fallback: ContentDigest?
    package var steps: [RolloutStep]
    package var limits: Rollout.Limits

    package init(release: ContentDigest, slot: Slot, policy: Policy, policyVersion: Int) {
        project = slot.project
        environment = policy.environment
        self.slot = slot.name
        self.release = release
        current = slot.current
        generation = slot.generation
        policyName = policy.name
        self.policyVersion = policyVersion
        gates = policy.gates
        approvals = policy.approvals
        fallback = slot.current
        steps = policy.rollout.planned(isFirst: slot.current == nil)
        limits = policy.rollout.rollbackOn
    }

    package func digest() throws -> ContentDigest { try CanonicalJSON.digest(self) }

    /// All bake times of the steps together.
    package var bake: Duration { steps.reduce(.zero) { $0 + $1.bake.duration } }
}

/// What a plan changes against what is live, for the people who decide. Made with the plan.
package struct ReleaseChange: Sendable, Hashable, Codable {
    package struct Metric: Sendable, Hashable, Codable {
        package var before: Double?
        package var after: Double?
        package init(before: Double?, after: Double?) { self.before = before; self.after = after }
    }
    package struct DataChange: Sendable, Hashable, Codable {
        package var before: ContentDigest?
        package var after: ContentDigest?
        package init(before: ContentDigest?, after: ContentDigest?) { self.before = before; self.after = after }
    }

    /// The live release's commit.
    package var since: String?
    /// Newest first, bounded.
    package var commits: [CommitSummary] = []
    package var authors = ChangeAuthors(emails: [], pushers: [])
    package var metrics: [String: Metric] = [:]
    /// dataset → training data
    package var snapshots: [String: DataChange] = [:]
    package var configChanged = false
    package var lockChanged = false

    package init() {}
}
