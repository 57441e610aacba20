// From approved to live.
extension Promotion {
    /// What keeps an approved promotion from being applied now.
    package func closedReasons(_ facts: PromotionFacts) -> [SlipwayError.Reason] {
        var reasons = facts.freezes.map { freeze in
            SlipwayError.Reason(
                "\(freeze.owner) froze \(freeze.slot.map { "slot '\($0)'" } ?? "project '\(freeze.project)'"): \(freeze.reason)",
                remedy: (freeze.expiresAt.map { "It ends at \($0.iso8601); " } ?? "") + "an operator may lift it: slipway freeze lift \(plan.environment.rawValue)/\(freeze.id)")
        }
        if let window = facts.policy.window, !window.isOpen(at: facts.now) {
            let next = window.nextOpening(after: facts.now).map(\.iso8601) ?? "unknown"
            reasons.append(.init("The window '\(window.text)' is closed.", remedy: "The next opening is at \(next)."))
        }
        return reasons
    }

    mutating func wait(_ facts: PromotionFacts) throws -> [PromotionEffect] {
        let closed = closedReasons(facts)
        guard !closed.isEmpty else { throw SlipwayError(.conflict, "Nothing keeps promotion '\(id)' from being applied.") }
        let due = deadline
        enter(.waiting, facts)
        deadline = due  // waiting does not make approvals last longer
        reasons = closed
        opensAt = nextOpening(facts)
        return []
    }

    private func nextOpening(_ facts: PromotionFacts) -> Timestamp? {
        let ends = facts.freezes.map(\.expiresAt)
        if ends.contains(nil) { return nil }
        let thawed = max(facts.now, ends.compactMap(\.self).max() ?? facts.now)
        guard let window = facts.policy.window, !window.isOpen(at: thawed) else { return thawed }
        return window.nextOpening(after: thawed)
    }

    mutating func apply(_ actor: Principal, _ facts: PromotionFacts) throws -> [PromotionEffect] {
        let drifted = driftReasons(facts)
        guard drifted.isEmpty else { return block(drifted, facts) }
        if !missingApprovals(facts).isEmpty {
            return block([.init("An approver lost the role that counted.", remedy: "Check again: slipway promotion check \(id)")], facts)
        }
        let closed = closedReasons(facts)
        guard closed.isEmpty else { throw SlipwayError(.blocked, "Promotion '\(id)' cannot be applied now.", reasons: closed) }
        guard !facts.isSlotBusy else {
            throw SlipwayError(.conflict, "Another promotion of slot '\(slot)' is in flight.", remedy: "Wait for it: slipway slot show \(plan.environment.rawValue)/\(slot)")
        }
        if actor.userName == nil, let hold = facts.slot.hold {
            throw SlipwayError(.blocked, "Slot '\(slot)' is on hold.", reasons: [.init(hold, remedy: "Lift it: slipway slot lift \(plan.environment.rawValue)/\(slot)")])
        }
        try refuseAutomationOnHold(facts)
        guard facts.bytesVerified else {
            throw SlipwayError(.blocked, "The stored bytes of release \(release.short) do not match their digests.", remedy: "Restore them from a backup, then check again.")
        }
        appliedBy = actor.raw
        previous = facts.slot.current
        hasTouchedEndpoint = true
        reasons = []
        enter(.applying, facts)
        return [.changeEndpoint]
    }

    mutating func startVerifying(_ facts: PromotionFacts) -> [PromotionEffect] {
        rollout = RolloutProgress(step: 0)
        enter(.verifying, facts)
        return [.changeEndpoint]
    }

    mutating func takeStep(_ counts: RequestCounts, _ facts: PromotionFacts) throws -> [PromotionEffect] {
        guard rollout?.startedAt == nil else { return [] }
        rollout?.startedAt = facts.now
        rollout?.base = counts
        return []
    }

    mutating func nextStep(_ counts: RequestCounts, _ facts: PromotionFacts) throws -> [PromotionEffect] {
        try requireFinishedStep(counts, facts)
        guard let step = rollout?.step, step + 1 < plan.steps.count else { throw SlipwayError.fault("Promotion '\(id)' has no further step.") }
        rollout = RolloutProgress(step: step + 1)
        return [.changeEndpoint]
    }

    mutating func goLive(_ counts: RequestCounts, _ facts: PromotionFacts) throws -> [PromotionEffect] {
        try requireFinishedStep(counts, facts)
        guard rollout?.step == plan.steps.count - 1 else { throw SlipwayError.fault("Promotion '\(id)' has steps left.") }
        liveAt = facts.now
        enter(.live, facts)
        var effects: [PromotionEffect] = [.moveSlot(to: release, fallback: previous, cause: "live"), .mark("policy:\(plan.policyName)")]
        effects += amber.map { .mark("amber:\($0.rawValue)") }
        return effects
    }

    private func requireFinishedStep(_ counts: RequestCounts, _ facts: PromotionFacts) throws {
        guard let left = openInStep(counts, now: facts.now) else { return }
        throw SlipwayError(.conflict, "Promotion '\(id)' is not done with its step: \(left)")
    }

    /// What the running rollout step still needs, nil when it is done.
    package func openInStep(_ counts: RequestCounts, now: Timestamp) -> String? {
        guard let rollout, let startedAt = rollout.startedAt else { return "the gateway has not taken it over." }
        let step = plan.steps[rollout.step]
        let bakes = startedAt + step.bake.duration
        if now < bakes { return "it bakes until \(bakes.iso8601)." }
        let answered = counts.since(rollout.base).requests
        return answered < step.minRequests ? "\(answered) of \(step.minRequests) requests were answered." : nil
    }

    /// What a reading of the endpoint means for a promotion in flight; nil: wait.
    package func event(reading: EndpointReading, slot: Slot, now: Timestamp) -> PromotionEvent? {
        switch state {
        case .applying:
            guard let status = reading.deployment(release) else { return nil }
            if status.state == .failed { return .stepFailed(reason: status.reason ?? "The release could not be loaded.") }
            return status.state == .ready && reading.revision >= slot.revision ? .stepsDone : nil
        case .verifying: return verifyingEvent(reading, slot, now)
        case .rollingBack: return rollingBackEvent(reading, slot)
        default: return nil
        }
    }

    private func verifyingEvent(_ reading: EndpointReading, _ slot: Slot, _ now: Timestamp) -> PromotionEvent? {
        guard let rollout, let status = reading.deployment(release) else { return nil }
        if status.state == .failed { return .verificationFailed(reason: status.reason ?? "The release stopped answering.") }
        let counts = RequestCounts(status)
        if rollout.startedAt == nil { return reading.revision >= slot.revision && status.state == .ready ? .stepTaken(counts) : nil }
        if let crossed = plan.limits.crossed(by: counts.since(rollout.base), latencyP95: status.latencyP95) { return .verificationFailed(reason: crossed) }
        if openInStep(counts, now: now) != nil { return nil }
        return rollout.step + 1 < plan.steps.count ? .nextStep(counts) : .verified(counts)
    }

    private func rollingBackEvent(_ reading: EndpointReading, _ slot: Slot) -> PromotionEvent? {
        guard let target = rollback?.target else { return reading.deployments.isEmpty ? .restored : nil }
        guard reading.revision >= slot.revision, let status = reading.deployment(target) else { return nil }
        return switch status.state {
        case .ready: status.weight == 100 ? .restored : nil
        case .failed: .cannotRestore(reason: status.reason ?? "The fallback could not be loaded.")
        case .loading: nil
        }
    }
}
