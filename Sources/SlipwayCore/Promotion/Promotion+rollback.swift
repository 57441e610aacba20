// The way back. It needs no approval and ignores freezes, and nothing here starts another rollback (invariant 6).
extension Promotion {
    /// Back to what was live before; `current` has not changed yet.
    mutating func startRollback(_ reason: String, isAutomatic: Bool, _ facts: PromotionFacts) -> [PromotionEffect] {
        rollback = RollbackCourse(target: previous, fromLive: false, isAutomatic: isAutomatic, reason: reason)
        reasons = [.init(reason, remedy: "Mend the cause and request a new release.")]
        enter(.rollingBack, facts)
        return [.changeEndpoint]
    }

    mutating func rollBackFromLive(_ reason: String, _ facts: PromotionFacts) throws -> [PromotionEffect] {
        guard let target = facts.slot.fallback else {
            throw SlipwayError(
                .conflict, "Slot '\(slot)' has no fallback to return to.",
                remedy: "Promote an older release, or close the endpoint: slipway slot retire \(plan.environment.rawValue)/\(slot)")
        }
        guard !facts.isFallbackQuarantined else {
            throw SlipwayError(
                .blocked, "The fallback \(target.short) is quarantined.",
                remedy: "Somebody other than its promoters may lift it: slipway release lift \(plan.environment.rawValue)/\(target.short)")
        }
        guard facts.bytesVerified else {
            throw SlipwayError(
                .blocked, "The stored bytes of the fallback \(target.short) do not match their digests.", remedy: "Restore them from a backup, then roll back again.")
        }
        guard !facts.isSlotBusy else {
            throw SlipwayError(.conflict, "A promotion of slot '\(slot)' is in flight.", remedy: "Abort it first: slipway promotion abort ID --reason …")
        }
        rollback = RollbackCourse(target: target, fromLive: true, isAutomatic: false, reason: reason)
        reasons = [.init(reason, remedy: "Mend the cause and request a new release.")]
        enter(.rollingBack, facts)
        return [.changeEndpoint]
    }

    mutating func restored(_ facts: PromotionFacts) -> [PromotionEffect] {
        let reason = "Rolled back: \(rollback?.reason ?? "")"
        enter(.rolledBack, facts)
        var effects: [PromotionEffect] = []
        if rollback?.fromLive == true { effects.append(.moveSlot(to: rollback?.target, fallback: facts.olderFallback, cause: "rollback")) }
        if facts.policy.rollback.hold { effects.append(.holdSlot(reason: reason)) }
        if facts.policy.rollback.quarantine { effects.append(.quarantine(reason: reason)) }
        return effects
    }

    mutating func cannotRestore(_ reason: String, _ facts: PromotionFacts) -> [PromotionEffect] {
        enter(.rollbackFailed, facts)
        reasons = [.init(reason, remedy: "The slot is frozen. See the endpoint: slipway endpoint show \(plan.environment.rawValue)/\(slot)")]
        return [.freezeSlot(reason: "A rollback failed: \(reason)"), .quarantine(reason: "A rollback failed: \(reason)")]
    }

    mutating func retire(_ reason: String, _ facts: PromotionFacts) -> [PromotionEffect] {
        enter(.retired, facts)
        reasons = [.init(reason, remedy: "Open it again by promoting a release.")]
        return [.moveSlot(to: nil, fallback: nil, cause: "retire")]
    }
}
