import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// What is not in the realm's own database, asked before the transaction.
struct OutsideFacts: Sendable {
    /// Of everybody who approved, and who is about to.
    var emails: [UserName: Set<String>] = [:]
    var isQuarantinedBelow = false
    var bytesVerified = false
}

/// The choke point: every change of a promotion, with its effects and audit events, in one transaction.
struct PromotionLedger: Sendable {
    var environment: EnvironmentID
    var shipped: InstalledPolicy
    var actor: Principal
    var outside: OutsideFacts
    var now: Timestamp
    var ids: any IDGenerator

    /// - Returns: the promotion as it is afterwards; unchanged when the event says nothing new.
    func perform(_ event: PromotionEvent, on id: String, _ tx: any Transaction) throws -> Promotion {
        guard let before = try PromotionStore(tx: tx).promotion(id) else { throw PromotionService.noPromotion(id, environment) }
        var promotion = before
        let facts = try facts(for: before, tx)
        let effects = try promotion.handle(event, by: actor, facts: facts)
        if promotion == before, effects.isEmpty { return before }
        if promotion.state == .live, let former = try PromotionStore(tx: tx).live(slot: promotion.slot) {
            // First, since the schema allows one live promotion per slot.
            _ = try perform(.displaced(by: id), on: former.id, tx)
        }
        try PromotionStore(tx: tx).update(promotion)
        promotion.version += 1
        try audit(event, from: before.state, promotion, tx)
        for effect in effects { try perform(effect, of: promotion, tx) }
        return promotion
    }

    /// Everything that is true just now about the promotion.
    func facts(for promotion: Promotion, _ tx: any Transaction) throws -> PromotionFacts {
        guard let slot = try SlotStore(tx: tx).slot(promotion.slot) else { throw PromotionService.noSlot(promotion.slot, environment) }
        let policy = try PolicyStore(tx: tx).newest(of: promotion.project) ?? shipped
        let releases = ReleaseStore(tx: tx)
        var facts = PromotionFacts(now: now, slot: slot, policy: policy.policy, policyVersion: policy.version)
        facts.isSlotBusy = try PromotionStore(tx: tx).inFlight(slot: slot.name).map { $0.id != promotion.id } ?? false
        facts.isQuarantined = try outside.isQuarantinedBelow || releases.quarantine(of: promotion.release) != nil
        facts.isFallbackQuarantined = try slot.fallback.map { try releases.quarantine(of: $0) != nil } ?? false
        facts.freezes = try FreezeStore(tx: tx).active(on: slot, at: now)
        facts.evidence = try EvidenceStore(tx: tx).newest(of: promotion)
        facts.bytesVerified = outside.bytesVerified
        facts.olderFallback = try olderFallback(promotion, tx)
        for (user, emails) in outside.emails {
            facts.approvers[user] = Approver(
                user: user, emails: emails,
                grants: try GrantStore(tx: tx).grants(of: user, in: environment).filter { $0.project == promotion.project })
        }
        return facts
    }

    private func olderFallback(_ promotion: Promotion, _ tx: any Transaction) throws -> ContentDigest? {
        guard promotion.state == .rollingBack else { return nil }
        return try PromotionStore(tx: tx).formerReleases(slot: promotion.slot).first {
            try $0 != promotion.release && $0 != promotion.rollback?.target && ReleaseStore(tx: tx).quarantine(of: $0) == nil
        }
    }

    private func audit(_ event: PromotionEvent, from: PromotionState, _ promotion: Promotion, _ tx: any Transaction) throws {
        var details: [String: JSONValue] = [
            "from": .string(from.rawValue), "to": .string(promotion.state.rawValue), "slot": .string(promotion.slot.rawValue),
            "release": .string(promotion.release.rawValue), "plan": .string(promotion.planDigest.rawValue),
        ]
        if !promotion.reasons.isEmpty { details["reasons"] = .array(promotion.reasons.map { .string($0.message) }) }
        if case .approve(_, _, let comment) = event { details["comment"] = .string(comment) }
        if let step = promotion.rollout?.step, promotion.state == .verifying { details["weight"] = .integer(Int64(promotion.plan.steps[step].weight)) }
        try AuditStore(tx: tx).append(
            "promotion.\(event.name)", subject: "promotion:\(promotion.id)", project: promotion.project, by: actor, at: now, details: .object(details))
    }

    // MARK: Effects

    private func perform(_ effect: PromotionEffect, of promotion: Promotion, _ tx: any Transaction) throws {
        switch effect {
        case .moveSlot(let release, let fallback, let cause): try moveSlot(to: release, fallback: fallback, cause: cause, promotion, tx)
        case .changeEndpoint: try changeSlot(promotion.slot, tx) { $0.revision += 1 }
        case .holdSlot(let reason): try hold(promotion.slot, reason: reason, tx)
        case .freezeSlot(let reason):
            try freeze(
                Freeze(
                    id: String(ids.hex32().prefix(12)), project: promotion.project, slot: promotion.slot, reason: reason, owner: actor.raw,
                    createdAt: now, expiresAt: nil), tx)
        case .quarantine(let reason):
            try quarantine(promotion.release, of: promotion.project, reason: reason, promoters: promotion.promoters, tx)
        case .supersedeOlder:
            for other in try PromotionStore(tx: tx).pending(slot: promotion.slot)
            where other.id != promotion.id && (other.createdAt, other.id) < (promotion.createdAt, promotion.id) {
                _ = try perform(.supersede(by: promotion.id), on: other.id, tx)
            }
        case .mark(let mark):
            try ReleaseStore(tx: tx).mark(promotion.release, mark, at: now)
            try AuditStore(tx: tx).append(
                "release.mark", subject: "release:\(promotion.release)", project: promotion.project, by: actor, at: now, details: ["mark": .string(mark)])
        }
    }

    private func moveSlot(to release: ContentDigest?, fallback: ContentDigest?, cause: String, _ promotion: Promotion, _ tx: any Transaction) throws {
        let slot = try changeSlot(promotion.slot, tx) { slot in
            slot.current = release
            slot.promotion = cause == "live" ? promotion.id : nil
            slot.fallback = fallback
            slot.generation += 1
            slot.revision += 1
        }
        try moveAlias(to: release, from: promotion, tx)
        func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
        try AuditStore(tx: tx).append(
            "slot.move", subject: "slot:\(slot.name)", project: slot.project, by: actor, at: now,
            details: [
                "generation": .integer(Int64(slot.generation)), "release": text(release?.rawValue), "fallback": text(fallback?.rawValue),
                "promotion": .string(promotion.id), "cause": .string(cause),
            ])
    }

    /// The registry's alias `live` follows the slot.
    private func moveAlias(to release: ContentDigest?, from promotion: Promotion, _ tx: any Transaction) throws {
        let releases = ReleaseStore(tx: tx)
        let registry = RegistryStore(tx: tx)
        if let release, let record = try releases.release(release) {
            try registry.move(alias: Self.liveAlias, of: record.content.modelName, to: record.modelVersion)
        } else if let record = try releases.release(promotion.release), let model = try registry.model(record.content.modelName) {
            _ = try registry.remove(alias: Self.liveAlias, of: model)
        }
    }

    static let liveAlias = "live"

    @discardableResult
    private func changeSlot(_ name: SlotName, _ tx: any Transaction, _ change: (inout Slot) -> Void) throws -> Slot {
        guard var slot = try SlotStore(tx: tx).slot(name) else { throw PromotionService.noSlot(name, environment) }
        change(&slot)
        slot.updatedAt = now
        try SlotStore(tx: tx).update(slot)
        return slot
    }

    // MARK: Holds, freezes, quarantine

    func hold(_ name: SlotName, reason: String, _ tx: any Transaction) throws {
        let slot = try changeSlot(name, tx) { slot in
            slot.hold = reason
            slot.heldBy = actor.raw
            slot.heldAt = now
        }
        try AuditStore(tx: tx).append(
            "slot.hold", subject: "slot:\(name)", project: slot.project, by: actor, at: now, details: ["reason": .string(reason)])
    }

    func lift(_ name: SlotName, reason: String, _ tx: any Transaction) throws {
        let slot = try changeSlot(name, tx) { slot in
            slot.hold = nil
            slot.heldBy = nil
            slot.heldAt = nil
        }
        try AuditStore(tx: tx).append(
            "slot.lift", subject: "slot:\(name)", project: slot.project, by: actor, at: now, details: ["reason": .string(reason)])
    }

    func freeze(_ freeze: Freeze, _ tx: any Transaction) throws {
        try FreezeStore(tx: tx).insert(freeze)
        try AuditStore(tx: tx).append(
            "freeze.add", subject: "freeze:\(freeze.id)", project: freeze.project, by: actor, at: now,
            details: [
                "slot": freeze.slot.map { .string($0.rawValue) } ?? .null, "reason": .string(freeze.reason),
                "expires": freeze.expiresAt.map { .string($0.iso8601) } ?? .null,
            ])
    }

    func quarantine(_ release: ContentDigest, of project: ProjectName, reason: String, promoters: Set<String>, _ tx: any Transaction) throws {
        let new = Quarantine(release: release, project: project, reason: reason, by: actor.raw, at: now, promoters: promoters)
        guard try ReleaseStore(tx: tx).insert(new) else { return }
        try AuditStore(tx: tx).append(
            "release.quarantine", subject: "release:\(release)", project: project, by: actor, at: now, details: ["reason": .string(reason)])
    }
}

extension Promotion {
    /// Who may not lift a quarantine of its release.
    var promoters: Set<String> { Set([requestedBy, appliedBy].compactMap(\.self)) }
}
