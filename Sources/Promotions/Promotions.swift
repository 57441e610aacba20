// Promotions: the one path by which anything changes what an environment runs.

import Foundation
import Logging
import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// Requests, approvals, application, rollback, holds, freezes and policies of one realm. Built once per realm.
///
/// Every change of a promotion, whoever asks, goes through `change`, and there through `PromotionLedger.perform`: the one choke point.
package struct PromotionService: Sendable {
    package let realm: Realm
    /// The environment that releases come from, when it runs in this process.
    let below: RealmReader?
    /// People's e-mails.
    let control: any DatabaseReader
    let code: any CodeHistory
    let clock: any WallClock
    let ids: any IDGenerator
    /// In force for projects that never installed a policy.
    let shipped: InstalledPolicy
    /// Rung after each change, so that the driver looks at once.
    let bell: Bell
    let logger: Logger

    package var environment: EnvironmentID { realm.environment }

    package init(
        realm: Realm, below: RealmReader?, control: any DatabaseReader, code: any CodeHistory, clock: any WallClock, ids: any IDGenerator,
        shipped: InstalledPolicy, logger: Logger
    ) {
        self.realm = realm
        self.below = below
        self.control = control
        self.code = code
        self.clock = clock
        self.ids = ids
        self.shipped = shipped
        self.logger = logger
        bell = Bell()
    }

    // MARK: Reading

    package func promotion(_ id: String, by caller: Caller) async throws -> Promotion {
        try caller.requireSomebody()
        let found = try await realm.database.read { tx in try PromotionStore(tx: tx).promotion(id) }
        guard let found, caller.may(.readMetadata, project: found.project, environment: environment) else { throw Self.noPromotion(id, environment) }
        return found
    }

    package func promotions(
        project: ProjectName?, slot: SlotName?, limit: Int = 100, before: String? = nil, by caller: Caller
    ) async throws -> [Promotion] {
        try caller.requireSomebody()
        return try await realm.database.read { tx in
            try PromotionStore(tx: tx).list(project: project, slot: slot, limit: limit, before: before)
        }.filter { caller.may(.readMetadata, project: $0.project, environment: environment) }
    }

    package func evidence(of id: String, by caller: Caller) async throws -> [Evidence] {
        _ = try await promotion(id, by: caller)
        return try await realm.database.read { tx in try EvidenceStore(tx: tx).all(of: id) }
    }

    /// What is still missing before the promotion is approved, as things stand.
    package func missingApprovals(of id: String, by caller: Caller) async throws -> [ApprovalRule] {
        let promotion = try await promotion(id, by: caller)
        let outside = try await outsideFacts(for: promotion, extra: nil, verify: nil)
        let ledger = ledger(.system("promotions"), outside)
        return try await realm.database.read { tx in promotion.missingApprovals(try ledger.facts(for: promotion, tx)) }
    }

    package func releases(project: ProjectName?, limit: Int = 100, before: ContentDigest? = nil, by caller: Caller) async throws -> [Release] {
        try caller.requireSomebody()
        return try await realm.database.read { tx in
            try ReleaseStore(tx: tx).list(project: project, limit: limit, before: before)
        }.filter { caller.may(.readMetadata, project: $0.content.project, environment: environment) }
    }

    package struct ReleaseRecord: Sendable {
        package var release: Release
        /// What it carries for ever, such as `policy:demo`.
        package var marks: [String]
        package var quarantine: Quarantine?
        package var promotions: [Promotion]
    }

    package func release(_ prefix: String, by caller: Caller) async throws -> ReleaseRecord {
        try caller.requireSomebody()
        let found = try await realm.database.read { tx -> ReleaseRecord? in
            let store = ReleaseStore(tx: tx)
            guard let release = try store.release(prefix: prefix) else { return nil }
            return ReleaseRecord(
                release: release, marks: try store.marks(of: release.id), quarantine: try store.quarantine(of: release.id),
                promotions: try PromotionStore(tx: tx).list(release: release.id))
        }
        guard let found, caller.may(.readMetadata, project: found.release.content.project, environment: environment) else {
            throw Self.noRelease(prefix, environment)
        }
        return found
    }

    static func noPromotion(_ id: String, _ environment: EnvironmentID) -> SlipwayError {
        .notFound("There is no promotion '\(id.prefix(80))' in \(environment.rawValue).", remedy: "See them: slipway promotion list \(environment.rawValue)")
    }

    static func noRelease(_ id: String, _ environment: EnvironmentID) -> SlipwayError {
        .notFound("There is no release '\(id.prefix(80))' in \(environment.rawValue).", remedy: "See them: slipway release list \(environment.rawValue)")
    }

    static func noSlot(_ slot: SlotName, _ environment: EnvironmentID) -> SlipwayError {
        .notFound("There is no slot '\(slot)' in \(environment.rawValue).", remedy: "See them: slipway slot list \(environment.rawValue)")
    }
}

/// A caller's own id for a request: the same id twice has the effect of once (invariant 12).
package struct RequestMark: Sendable, Hashable {
    package var id: String
    package var action: String
    package var subject: String

    /// - Throws: `invalidArgument` unless the id has 1 to 128 printable ASCII characters.
    package init?(_ id: String?, action: String, subject: String) throws {
        guard let id else { return nil }
        guard (1...128).contains(id.utf8.count), id.utf8.allSatisfy({ (33...126).contains($0) }) else {
            throw SlipwayError.invalid("The request id has 1 to 128 printable characters without spaces.")
        }
        self.id = id
        self.action = action
        self.subject = subject
    }
}
