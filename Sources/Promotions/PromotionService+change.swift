import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwayStore

extension PromotionService {
    func ledger(_ actor: Principal, _ outside: OutsideFacts = OutsideFacts()) -> PromotionLedger {
        PromotionLedger(environment: environment, shipped: shipped, actor: actor, outside: outside, now: clock.now, ids: ids)
    }

    /// The one way in which a promotion changes.
    ///
    /// - Parameters:
    ///   - verify: bytes to hash again before the transaction.
    ///   - permission: what a person's caller needs in the promotion's project; nil when that was asked already.
    @discardableResult
    func change(
        _ id: String, _ event: PromotionEvent, by caller: Caller, needs permission: Permission?, mark: RequestMark? = nil, verify: Verification? = nil
    ) async throws -> Promotion {
        let known = try await promotion(id, by: caller)
        if let permission { try caller.require(permission, project: known.project, environment: environment) }
        var extra: UserName?
        if case .approve(let user, _, _) = event { extra = user }
        let outside = try await outsideFacts(for: known, extra: extra, verify: verify)
        let ledger = ledger(caller.principal, outside)
        let changed = try await realm.database.write { tx in
            if let done = try Self.done(mark, by: caller.principal, tx) { return done }
            let changed = try ledger.perform(event, on: id, tx)
            try Self.record(mark, changed, by: caller.principal, at: ledger.now, tx)
            return changed
        }
        bell.ring()
        return changed
    }

    enum Verification { case release, fallback }

    /// People's e-mails, the quarantine in the realm below, and bytes hashed again.
    func outsideFacts(for promotion: Promotion, extra: UserName?, verify: Verification?) async throws -> OutsideFacts {
        var outside = OutsideFacts()
        let people = Set(promotion.approvals.map(\.user) + [extra].compactMap(\.self))
        if !people.isEmpty {
            outside.emails = try await control.read { tx in
                var emails: [UserName: Set<String>] = [:]
                // A disabled person's word does not count.
                for user in people { if let person = try IdentityStore(tx: tx).person(user), !person.isDisabled { emails[user] = Set(person.emails) } }
                return emails
            }
        }
        let release = promotion.release
        if let below { outside.isQuarantinedBelow = try await below.database.read { tx in try ReleaseStore(tx: tx).quarantine(of: release) != nil } }
        switch verify {
        case .release: outside.bytesVerified = try await isIntact(release)
        case .fallback:
            let slot = promotion.slot
            let fallback = try await realm.database.read { tx in try SlotStore(tx: tx).slot(slot)?.fallback }
            if let fallback { outside.bytesVerified = try await isIntact(fallback) }
        case nil: break
        }
        return outside
    }

    /// Hashes the release's stored model and lock again.
    func isIntact(_ release: ContentDigest) async throws -> Bool {
        guard let record = try await realm.database.read({ tx in try ReleaseStore(tx: tx).release(release) }) else { return false }
        let blobs = realm.blobs
        return try await offload {
            guard blobs.file(of: record.content.modelDigest) != nil, try blobs.verify(record.content.lockDigest) else { return false }
            return try blobs.firstDamage(in: blobs.manifest(record.content.modelDigest)) == nil
        }
    }

    // MARK: Request ids

    /// The outcome of the same request, when it was done before.
    /// - Throws: `conflict` when the id was used for something else.
    static func done(_ mark: RequestMark?, by actor: Principal, _ tx: any Transaction) throws -> Promotion? {
        let store = PromotionStore(tx: tx)
        guard let mark, let done = try store.request(mark.id) else { return nil }
        guard done.action == mark.action, done.subject == mark.subject, done.actor == actor.raw else {
            throw SlipwayError(.conflict, "The request id '\(mark.id)' was used for something else.", remedy: "Choose a new one per request.")
        }
        return try store.promotion(done.promotion)
    }

    static func record(_ mark: RequestMark?, _ promotion: Promotion, by actor: Principal, at now: Timestamp, _ tx: any Transaction) throws {
        guard let mark else { return }
        try PromotionStore(tx: tx).record(
            mark.id, .init(action: mark.action, subject: mark.subject, actor: actor.raw, promotion: promotion.id), at: now)
    }
}
