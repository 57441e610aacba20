// From the request to the last approval.
extension Promotion {
    mutating func submit(_ facts: PromotionFacts) throws -> [PromotionEffect] {
        let reasons = driftReasons(facts)
        guard reasons.isEmpty else { throw SlipwayError(.blocked, "Promotion '\(id)' no longer fits.", reasons: reasons) }
        try refuseAutomationOnHold(facts)
        attempt += 1
        enter(.checking, facts)
        return []
    }

    /// Invariant 7.
    func refuseAutomationOnHold(_ facts: PromotionFacts) throws {
        guard isAutomatic, let hold = facts.slot.hold else { return }
        throw SlipwayError(
            .blocked, "Slot '\(slot)' is on hold, so no automatic promotion starts.",
            reasons: [.init("The hold's reason: \(hold)", remedy: "Lift it: slipway slot lift \(plan.environment.rawValue)/\(slot)")])
    }

    mutating func finishChecking(_ facts: PromotionFacts) throws -> [PromotionEffect] {
        let drifted = driftReasons(facts)
        guard drifted.isEmpty else { return block(drifted, facts) }
        switch GateVerdict.of(plan.gates, evidence: facts.evidence, now: facts.now) {
        case .unfinished(let gates):
            throw SlipwayError(.conflict, "Promotion '\(id)' is still being checked: \(gates.map(\.rawValue).joined(separator: ", ")).")
        case .blocked(let reasons):
            return block(reasons, facts)
        case .passed(let amber):
            self.amber = amber
            reasons = []
            if approverRules(facts).missing([]).isEmpty { return becomeApproved(facts) }
            enter(.awaitingApproval, facts)
            return []
        }
    }

    /// Every approval is void: whatever comes next is another plan, or this one with other evidence.
    mutating func block(_ reasons: [SlipwayError.Reason], _ facts: PromotionFacts) -> [PromotionEffect] {
        enter(.blocked, facts)
        approvals = []
        self.reasons = reasons
        return []
    }

    mutating func recheck(_ plan: Plan, _ change: ReleaseChange, _ facts: PromotionFacts) throws -> [PromotionEffect] {
        guard plan.release == release, plan.slot == slot else { throw SlipwayError.fault("A re-check of '\(id)' with a plan for something else.") }
        self.plan = plan
        self.change = change
        planDigest = try plan.digest()
        let drifted = driftReasons(facts)
        guard drifted.isEmpty else { throw SlipwayError(.blocked, "Promotion '\(id)' still does not fit.", reasons: drifted) }
        try refuseAutomationOnHold(facts)
        approvals = []
        reasons = []
        amber = []
        attempt += 1
        enter(.checking, facts)
        return []
    }

    /// What of the plan is no longer true; evidence counts once it was gathered.
    package func driftReasons(_ facts: PromotionFacts) -> [SlipwayError.Reason] {
        let again = "Check again under the new plan: slipway promotion check \(id)"
        var reasons: [SlipwayError.Reason] = []
        if facts.slot.generation != plan.generation || facts.slot.current != plan.current {
            reasons.append(.init("Slot '\(slot)' has changed since the plan was made.", remedy: again))
        }
        if facts.policyVersion != plan.policyVersion {
            reasons.append(.init("The policy is at version \(facts.policyVersion) now; the plan was made under \(plan.policyVersion).", remedy: again))
        }
        if facts.isQuarantined {
            reasons.append(
                .init(
                    "Release \(release.short) is quarantined.",
                    remedy: "Somebody other than its promoters may lift it: slipway release lift \(plan.environment.rawValue)/\(release.short)"))
        }
        if state.dependsOnPlan {
            for gate in plan.gates.filter({ $0.value.mode == .enforce }).keys.sorted(by: { $0.rawValue < $1.rawValue })
            where facts.evidence[gate]?.isStale(at: facts.now) ?? true {
                reasons.append(.init("The evidence of gate '\(gate.rawValue)' is stale.", remedy: again))
            }
        }
        return reasons
    }

    mutating func drift(_ facts: PromotionFacts) -> [PromotionEffect] {
        let reasons = driftReasons(facts)
        return reasons.isEmpty ? [] : block(reasons, facts)
    }

    func approverRules(_ facts: PromotionFacts) -> ApproverRules {
        ApproverRules(
            rules: plan.approvals, roleAge: facts.policy.roleAge.duration, requestedBy: requestedBy, authors: change.authors, now: facts.now)
    }

    mutating func approve(_ user: UserName, _ digest: ContentDigest, _ comment: String, _ facts: PromotionFacts) throws -> [PromotionEffect] {
        guard digest == planDigest else {
            throw SlipwayError(
                .conflict, "You approve plan \(digest.short), but promotion '\(id)' has plan \(planDigest.short) now.",
                remedy: "Read the new plan: slipway promotion show \(id)")
        }
        let drifted = driftReasons(facts)
        guard drifted.isEmpty else { return block(drifted, facts) }
        guard let approver = facts.approvers[user] else { throw SlipwayError.fault("The facts lack the approver '\(user)'.") }
        let rules = approverRules(facts)
        if let refusal = rules.refusal(of: approver) { throw refusal }
        if approvals.contains(where: { $0.user == user }) { return [] }
        approvals.append(Approval(user: user, plan: digest, comment: comment, at: facts.now))
        return missingApprovals(facts).isEmpty ? becomeApproved(facts) : []
    }

    /// Approval slots without a person; people whose roles or authorship no longer fit do not count.
    package func missingApprovals(_ facts: PromotionFacts) -> [ApprovalRule] {
        approverRules(facts).missing(approvals.compactMap { facts.approvers[$0.user] })
    }

    private mutating func becomeApproved(_ facts: PromotionFacts) -> [PromotionEffect] {
        enter(.approved, facts)
        return facts.policy.supersede ? [.supersedeOlder] : []
    }
}
