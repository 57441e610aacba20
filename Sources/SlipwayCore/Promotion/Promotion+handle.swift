extension Promotion {
    /// The table of `docs/promotion.md`.
    ///
    /// - Parameter actor: who caused the event; may they do so at all was asked before.
    /// - Returns: what must change in the same transaction.
    /// - Throws: `conflict` when the state does not know the event; `blocked`, `notAllowed` when a guard says no. Nothing has changed then.
    package mutating func handle(_ event: PromotionEvent, by actor: Principal, facts: PromotionFacts) throws -> [PromotionEffect] {
        switch (state, event) {
        case (.draft, .submit): try submit(facts)
        case (.checking, .checked): try finishChecking(facts)
        case (.blocked, .recheck(let plan, let change)): try recheck(plan, change, facts)
        case (.awaitingApproval, .approve(let user, let digest, let comment)): try approve(user, digest, comment, facts)
        case (.awaitingApproval, .reject(let reason)): end(.rejected, reason, remedy: "Mend what was criticised and request a new release.", facts)
        case (.awaitingApproval, .drift), (.approved, .drift), (.waiting, .drift): drift(facts)
        case (.approved, .wait): try wait(facts)
        case (.approved, .apply), (.waiting, .apply): try apply(actor, facts)
        case (.applying, .stepFailed(let reason)):
            hasTouchedEndpoint ? startRollback(reason, isAutomatic: true, facts) : end(.failed, reason, remedy: "Mend the cause, then request again.", facts)
        case (.applying, .stepsDone): startVerifying(facts)
        case (.verifying, .stepTaken(let counts)): try takeStep(counts, facts)
        case (.verifying, .nextStep(let counts)): try nextStep(counts, facts)
        case (.verifying, .verificationFailed(let reason)): startRollback(reason, isAutomatic: true, facts)
        case (.verifying, .verified(let counts)): try goLive(counts, facts)
        case (.live, .displaced(let by)): end(.retired, "Promotion '\(by)' is live now.", remedy: "", facts)
        case (.live, .retire(let reason)): retire(reason, facts)
        case (.live, .rollBack(let reason)): try rollBackFromLive(reason, facts)
        case (.applying, .abort(let reason)), (.verifying, .abort(let reason)): startRollback(reason, isAutomatic: false, facts)
        case (.rollingBack, .restored): restored(facts)
        case (.rollingBack, .cannotRestore(let reason)): cannotRestore(reason, facts)
        case (_, .withdraw) where state.isPending: end(.withdrawn, "Withdrawn by \(actor.raw).", remedy: "Request again when it is wanted.", facts)
        case (_, .supersede(let newer)) where state.isPending: end(.superseded, "Promotion '\(newer)' was approved.", remedy: "", facts)
        case (_, .timeOut): try timeOut(facts)
        default: throw refusal(of: event)
        }
    }

    private func refusal(of event: PromotionEvent) -> SlipwayError {
        SlipwayError(
            .conflict, "Promotion '\(id)' is \(state.rawValue); '\(event.name)' does not fit that.",
            remedy: "See where it stands: slipway promotion show \(id)")
    }

    /// Enters a state and starts its clock.
    mutating func enter(_ next: PromotionState, _ facts: PromotionFacts) {
        state = next
        stateSince = facts.now
        deadline = timeOut(of: next, facts).map { facts.now + $0 }
        opensAt = nil
    }

    private func timeOut(of state: PromotionState, _ facts: PromotionFacts) -> Duration? {
        let limits = facts.policy.timeOuts
        return switch state {
        case .draft: limits.draft.duration
        case .checking: limits.checking.duration
        case .blocked: limits.blocked.duration
        case .awaitingApproval, .approved, .waiting: facts.policy.approvalTTL.duration
        case .applying: limits.applying.duration
        case .verifying: plan.bake + limits.verifying.duration
        case .rollingBack: limits.rollingBack.duration
        default: nil
        }
    }

    private mutating func timeOut(_ facts: PromotionFacts) throws -> [PromotionEffect] {
        guard let due = deadline, due <= facts.now else { throw refusal(of: .timeOut) }
        let reason = "The time for '\(state.rawValue)' is over."
        switch state {
        case .draft: return end(.withdrawn, reason, remedy: "Request again.", facts)
        case .checking: return block([.init(reason, remedy: "See which gate has no result: slipway promotion show \(id)")], facts)
        case .blocked, .awaitingApproval, .approved, .waiting: return end(.expired, reason, remedy: "Request again.", facts)
        case .applying, .verifying: return startRollback(reason, isAutomatic: true, facts)
        case .rollingBack: return cannotRestore(reason, facts)
        default: throw refusal(of: .timeOut)
        }
    }

    /// Ends without having changed anything (or with nothing left to do).
    mutating func end(_ final: PromotionState, _ reason: String, remedy: String, _ facts: PromotionFacts) -> [PromotionEffect] {
        enter(final, facts)
        reasons = [.init(reason, remedy: remedy)]
        return []
    }
}
