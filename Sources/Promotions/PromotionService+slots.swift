import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// Slots and their time machine, holds, freezes, quarantines.
extension PromotionService {
    package func slot(_ name: SlotName, by caller: Caller) async throws -> Slot {
        try caller.requireSomebody()
        let found = try await realm.database.read { tx in try SlotStore(tx: tx).slot(name) }
        guard let found, caller.may(.readMetadata, project: found.project, environment: environment) else { throw Self.noSlot(name, environment) }
        return found
    }

    package func slots(project: ProjectName? = nil, by caller: Caller) async throws -> [Slot] {
        try caller.requireSomebody()
        return try await realm.database.read { tx in try SlotStore(tx: tx).list(project: project) }
            .filter { caller.may(.readMetadata, project: $0.project, environment: environment) }
    }

    /// One chapter of a slot's history with what an auditor asks of it.
    package struct Served: Sendable {
        package var chapter: SlotChapter
        package var release: Release?
        package var promotion: Promotion?
        package var evidence: [Evidence]
    }

    /// The slot's chapters, oldest first, rebuilt from the audit log; only the one at `time` when it is given.
    package func history(of name: SlotName, at time: Timestamp? = nil, by caller: Caller) async throws -> [Served] {
        _ = try await slot(name, by: caller)
        return try await realm.database.read { tx in
            let history = try SlotHistory(replaying: AuditStore(tx: tx).history(subject: "slot:\(name)"))
            let chapters = time.map { [history.chapter(at: $0)].compactMap(\.self) } ?? history.chapters
            return try chapters.map { chapter in
                // After a rollback the slot serves what an older promotion brought.
                let bringer = try chapter.release.flatMap { release in
                    try PromotionStore(tx: tx).list(slot: name, release: release).first { ($0.liveAt.map { $0 <= chapter.from }) ?? false }
                }
                return Served(
                    chapter: chapter, release: try chapter.release.flatMap { try ReleaseStore(tx: tx).release($0) }, promotion: bringer,
                    evidence: try bringer.map { try EvidenceStore(tx: tx).all(of: $0.id) } ?? [])
            }
        }
    }

    // MARK: Holds

    package func hold(_ name: SlotName, reason: String, by caller: Caller) async throws {
        let slot = try await slot(name, by: caller)
        try caller.require(.rollBack, project: slot.project, environment: environment)
        let reason = try Self.checked(reason)
        let ledger = ledger(caller.principal)
        try await realm.database.write { tx in try ledger.hold(name, reason: reason, tx) }
    }

    package func lift(_ name: SlotName, reason: String, by caller: Caller) async throws {
        let slot = try await slot(name, by: caller)
        try caller.require(.liftHold, project: slot.project, environment: environment)
        let ledger = ledger(caller.principal)
        try await realm.database.write { tx in
            guard try SlotStore(tx: tx).slot(name)?.hold != nil else { throw SlipwayError(.conflict, "Slot '\(name)' is not on hold.") }
            try ledger.lift(name, reason: reason, tx)
        }
        bell.ring()
    }

    // MARK: Freezes

    package func freezes(project: ProjectName? = nil, by caller: Caller) async throws -> [Freeze] {
        try caller.requireSomebody()
        return try await realm.database.read { tx in try FreezeStore(tx: tx).list(project: project) }
            .filter { caller.may(.readMetadata, project: $0.project, environment: environment) }
    }

    /// - Parameter lifetime: nil until it is lifted.
    package func freeze(project: ProjectName, slot: SlotName?, reason: String, lifetime: Duration?, by caller: Caller) async throws -> Freeze {
        try caller.require(.freeze, project: project, environment: environment)
        let reason = try Self.checked(reason)
        if let slot { guard try await self.slot(slot, by: caller).project == project else { throw Self.noSlot(slot, environment) } }
        let ledger = ledger(caller.principal)
        let freeze = Freeze(
            id: String(ids.hex32().suffix(12)), project: project, slot: slot, reason: reason, owner: caller.principal.raw, createdAt: ledger.now,
            expiresAt: lifetime.map { ledger.now + $0 })
        try await realm.database.write { tx in try ledger.freeze(freeze, tx) }
        return freeze
    }

    package func liftFreeze(_ id: String, by caller: Caller) async throws {
        try caller.requireSomebody()
        guard let freeze = try await realm.database.read({ tx in try FreezeStore(tx: tx).freeze(id) }) else {
            throw SlipwayError.notFound("There is no freeze '\(id.prefix(80))' in \(environment.rawValue).", remedy: "See them: slipway freeze list \(environment.rawValue)")
        }
        try caller.require(.freeze, project: freeze.project, environment: environment)
        let now = clock.now
        try await realm.database.write { tx in
            guard try FreezeStore(tx: tx).freeze(id)?.isActive(at: now) == true else { throw SlipwayError(.conflict, "Freeze '\(id)' has ended already.") }
            try FreezeStore(tx: tx).lift(id, by: caller.principal.raw, at: now)
            try AuditStore(tx: tx).append("freeze.lift", subject: "freeze:\(id)", project: freeze.project, by: caller.principal, at: now)
        }
        bell.ring()
    }

    // MARK: Quarantine

    package func quarantine(_ prefix: String, reason: String, by caller: Caller) async throws {
        let record = try await release(prefix, by: caller)
        let content = record.release.content
        try caller.require(.rollBack, project: content.project, environment: environment)
        let reason = try Self.checked(reason)
        let ledger = ledger(caller.principal)
        let promoters = record.promotions.reduce(into: Set<String>()) { $0.formUnion($1.promoters) }
        let id = record.release.id
        try await realm.database.write { tx in try ledger.quarantine(id, of: content.project, reason: reason, promoters: promoters, tx) }
        bell.ring()
    }

    /// - Throws: `notAllowed` for a promoter of the release (invariant 5).
    package func liftQuarantine(_ prefix: String, reason: String, by caller: Caller) async throws {
        let record = try await release(prefix, by: caller)
        let project = record.release.content.project
        try caller.require(.liftHold, project: project, environment: environment)
        let id = record.release.id
        let reason = try Self.checked(reason)
        let now = clock.now
        try await realm.database.write { tx in
            guard let open = try ReleaseStore(tx: tx).quarantine(of: id) else {
                throw SlipwayError(.conflict, "Release \(id.short) is not quarantined in \(environment.rawValue).")
            }
            guard caller.principal.userName != nil, !open.promoters.contains(caller.principal.raw) else {
                throw SlipwayError(
                    .notAllowed, "\(caller.principal.raw) promoted release \(id.short) and cannot lift its quarantine.", remedy: "Ask somebody else who may lift holds.")
            }
            try ReleaseStore(tx: tx).liftQuarantine(of: id, by: caller.principal.raw, at: now)
            try AuditStore(tx: tx).append(
                "release.lift", subject: "release:\(id)", project: project, by: caller.principal, at: now, details: ["reason": .string(reason)])
        }
        bell.ring()
    }

    // MARK: Audit

    package func audit(project: ProjectName, subject: String? = nil, before: Int64? = nil, limit: Int = 100, by caller: Caller) async throws -> [AuditEvent] {
        try caller.require(.readAudit, project: project, environment: environment)
        return try await realm.database.read { tx in try AuditStore(tx: tx).list(subject: subject, project: project, before: before, limit: limit) }
    }

    /// Hashes the realm's whole chain again. Whoever may read the record of one project here may ask whether the chain is whole.
    package func verifyAudit(by caller: Caller) async throws -> (count: Int64, broken: Int64?) {
        try caller.requireSomebody()
        let projects = caller.readableProjects(in: environment)
        guard caller.isSystem || projects.contains(where: { caller.may(.readAudit, project: $0, environment: environment) }) else {
            throw SlipwayError(
                .notAllowed, "\(caller.principal.raw) may read no audit log in \(environment.rawValue).",
                remedy: "It needs the role reviewer, operator, auditor or admin of a project there.")
        }
        return try await realm.database.read { tx in try AuditStore(tx: tx).verify() }
    }
}
