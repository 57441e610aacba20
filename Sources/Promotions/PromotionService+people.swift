import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// What people (and programs on their behalf) may do with a promotion.
extension PromotionService {
    package func submit(_ id: String, requestID: String? = nil, by caller: Caller) async throws -> Promotion {
        try await change(id, .submit, by: caller, needs: .requestPromotion, mark: RequestMark(requestID, action: "submit", subject: id))
    }

    /// A new check, under a new plan when the old one no longer fits.
    package func recheck(_ id: String, requestID: String? = nil, by caller: Caller) async throws -> Promotion {
        let known = try await promotion(id, by: caller)
        try caller.require(.requestPromotion, project: known.project, environment: environment)
        let planned = try await plan(release: known.release, slot: known.slot)
        return try await change(
            id, .recheck(planned.plan, planned.change), by: caller, needs: .requestPromotion, mark: RequestMark(requestID, action: "recheck", subject: id))
    }

    /// - Parameter digest: of the plan that was read.
    /// - Throws: `notAllowed` when the caller's word cannot count, saying why (authorship, request, role, its age).
    package func approve(_ id: String, plan digest: ContentDigest, comment: String, requestID: String? = nil, by caller: Caller) async throws -> Promotion {
        let known = try await promotion(id, by: caller)
        guard let user = caller.principal.userName else {
            throw SlipwayError(.notAllowed, "\(caller.principal.raw) is no person; only people approve.", remedy: "Sign in as yourself: slipway login")
        }
        if let refusal = try await authorRefusal(user, known) { throw refusal }
        return try await change(
            id, .approve(user, plan: digest, comment: comment), by: caller, needs: .approvePromotion, mark: RequestMark(requestID, action: "approve", subject: id))
    }

    /// Authorship is said first, also to those who lack the role, because no role would help them.
    private func authorRefusal(_ user: UserName, _ promotion: Promotion) async throws -> SlipwayError? {
        let emails = try await control.read { tx in try IdentityStore(tx: tx).person(user).map { Set($0.emails) } ?? [] }
        let rules = ApproverRules(rules: promotion.plan.approvals, roleAge: .zero, requestedBy: "", authors: promotion.change.authors, now: clock.now)
        return rules.authorRefusal(of: Approver(user: user, emails: emails, grants: []))
    }

    package func reject(_ id: String, reason: String, requestID: String? = nil, by caller: Caller) async throws -> Promotion {
        try await change(
            id, .reject(reason: try Self.checked(reason)), by: caller, needs: .approvePromotion, mark: RequestMark(requestID, action: "reject", subject: id))
    }

    /// By its requester, or whoever may apply in the environment.
    package func withdraw(_ id: String, requestID: String? = nil, by caller: Caller) async throws -> Promotion {
        let known = try await promotion(id, by: caller)
        let needed: Permission? = caller.principal.raw == known.requestedBy ? nil : .applyPromotion
        return try await change(id, .withdraw, by: caller, needs: needed, mark: RequestMark(requestID, action: "withdraw", subject: id))
    }

    /// - Throws: `blocked` while a freeze or the window forbids it, naming the next opening.
    package func apply(_ id: String, requestID: String? = nil, by caller: Caller) async throws -> Promotion {
        try await change(
            id, .apply, by: caller, needs: .applyPromotion, mark: RequestMark(requestID, action: "apply", subject: id), verify: .release)
    }

    package func abort(_ id: String, reason: String, requestID: String? = nil, by caller: Caller) async throws -> Promotion {
        try await change(
            id, .abort(reason: try Self.checked(reason)), by: caller, needs: .applyPromotion, mark: RequestMark(requestID, action: "abort", subject: id))
    }

    /// Back to the slot's fallback: no approval, no freeze in the way.
    package func rollBack(_ slot: SlotName, reason: String, requestID: String? = nil, by caller: Caller) async throws -> Promotion {
        let mark = try RequestMark(requestID, action: "rollBack", subject: slot.rawValue)
        let live = try await livePromotion(of: slot, needs: .rollBack, mark: mark, by: caller)
        return try await change(
            live, .rollBack(reason: try Self.checked(reason)), by: caller, needs: .rollBack, mark: mark, verify: .fallback)
    }

    /// Drains and closes the slot's endpoint; its history stays.
    package func retire(_ slot: SlotName, reason: String, requestID: String? = nil, by caller: Caller) async throws -> Promotion {
        let mark = try RequestMark(requestID, action: "retire", subject: slot.rawValue)
        let live = try await livePromotion(of: slot, needs: .retireSlot, mark: mark, by: caller)
        return try await change(live, .retire(reason: try Self.checked(reason)), by: caller, needs: .retireSlot, mark: mark)
    }

    private func livePromotion(of name: SlotName, needs permission: Permission, mark: RequestMark?, by caller: Caller) async throws -> String {
        let slot = try await slot(name, by: caller)
        try caller.require(permission, project: slot.project, environment: environment)
        let found = try await realm.database.read { tx -> String? in
            if let done = try Self.done(mark, by: caller.principal, tx) { return done.id }
            return try PromotionStore(tx: tx).live(slot: name)?.id
        }
        guard let found else {
            throw SlipwayError(
                .conflict, "No promotion is live in slot '\(name)'\(slot.current == nil ? "" : " since its last rollback").",
                remedy: "Promote a release: slipway promotion request RELEASE --to \(environment.rawValue)")
        }
        return found
    }

    static func checked(_ reason: String) throws -> String {
        let text = reason.split(whereSeparator: \.isNewline).joined(separator: " ")
        guard (1...1000).contains(text.utf8.count) else { throw SlipwayError.invalid("A reason has 1 to 1000 characters.", remedy: "Say why: --reason \"…\"") }
        return text
    }
}
