// Snapshots: data versions of a realm: taken in, checked, named, refreshed from the realm above, and let go.

import Foundation
import Logging
import SlipwayBlobs
import SlipwayCore
import SlipwayRuntime
import SlipwaySQL
import SlipwayStore
import Synchronization

/// The text of a dataset's checks file at the main line, nil when none is declared. Wired at composition from the Git host.
package typealias ChecksFile = @Sendable (_ dataset: String, _ project: ProjectName) async throws -> [UInt8]?

/// The data snapshots of one realm.
package final class SnapshotService: Sendable {
    package let realm: Realm
    let clock: any WallClock
    let ids: any IDGenerator
    let logger: Logger
    let duckDB: @Sendable () throws -> DuckDB
    let checksFile: ChecksFile
    /// Realms whose live releases may have been trained on snapshots of this one.
    let others: [RealmReader]
    private let readsNoted = Mutex<[String: Timestamp]>([:])

    package init(
        realm: Realm, others: [RealmReader] = [], clock: any WallClock, ids: any IDGenerator, logger: Logger,
        duckDB: @escaping @Sendable () throws -> DuckDB = { try DuckDB.find() }, checksFile: @escaping ChecksFile
    ) {
        self.realm = realm
        self.others = others
        self.clock = clock
        self.ids = ids
        self.logger = logger
        self.duckDB = duckDB
        self.checksFile = checksFile
    }

    package var environment: EnvironmentID { realm.environment }

    func newID() -> String { String(ids.hex32().suffix(12)) }

    // MARK: Looking

    package func list(
        dataset: String?, project: ProjectName, limit: Int = 100, before: String? = nil, by caller: Caller
    ) async throws -> [DataSnapshot] {
        try caller.require(.readMetadata, project: project, environment: environment)
        let found = try await realm.database.read { tx in try SnapshotStore(tx: tx).list(dataset: dataset, project: project, limit: limit, before: before) }
        return found.map { shown($0, to: caller) }
    }

    /// - Parameter version: a tag, an id, the beginning of an id, or nil for the latest.
    package func snapshot(_ version: String?, of dataset: String, project: ProjectName, by caller: Caller) async throws -> DataSnapshot {
        try caller.require(.readMetadata, project: project, environment: environment)
        return shown(try await find(version, of: dataset, project: project), to: caller)
    }

    func find(_ version: String?, of dataset: String, project: ProjectName) async throws -> DataSnapshot {
        let now = clock.now
        let version = version == SnapshotReference.latest ? nil : version
        let found = try await realm.database.read { tx in
            let store = SnapshotStore(tx: tx)
            return try version == nil ? store.newest(of: dataset, project: project, at: now) : store.find(version, of: dataset, project: project)
        }
        guard let found else {
            let name = "\(environment.rawValue)/\(dataset)@\(version ?? SnapshotReference.latest)"
            throw SlipwayError.notFound(
                "Project '\(project)' has no data snapshot '\(name)'.", remedy: "See what exists: slipway data list \(environment.rawValue)/\(dataset) --project \(project)")
        }
        return found
    }

    /// The snapshot's files with their digests.
    package func manifest(of id: String, dataset: String, project: ProjectName, by caller: Caller) async throws -> FileManifest {
        try caller.require(.readMetadata, project: project, environment: environment)
        let snapshot = try await find(id, of: dataset, project: project)
        let blobs = realm.blobs
        return try await offload { try blobs.manifest(snapshot.manifestDigest) }
    }

    /// Rows that break a check are rows: only who may read the data sees them.
    func shown(_ snapshot: DataSnapshot, to caller: Caller) -> DataSnapshot {
        guard !caller.may(.readData, project: snapshot.project, environment: environment) else { return snapshot }
        var snapshot = snapshot
        for index in snapshot.checks.results.indices { snapshot.checks.results[index].sample = [] }
        return snapshot
    }

    // MARK: Reading bytes

    /// A file of a living snapshot of a project whose data the caller may read.
    /// - Throws: `notFound` for bytes the caller may not know of, too.
    package func file(of digest: ContentDigest, by caller: Caller) async throws -> URL {
        try caller.requireSomebody()
        let environment = environment
        let projects: [ProjectName?] =
            caller.isSystem
            ? [nil]
            : caller.readableProjects(in: environment).filter { caller.may(.readData, project: $0, environment: environment) }.sorted { $0.rawValue < $1.rawValue }
        let holder = try await realm.database.read { tx -> DataSnapshot? in
            for project in projects {
                if let holder = try SnapshotStore(tx: tx).holder(of: digest, project: project) { return holder }
            }
            return nil
        }
        guard let holder, let file = realm.blobs.file(of: digest) else {
            throw SlipwayError.notFound(
                "There are no bytes with digest \(digest.short) in \(environment.rawValue) that you may read.",
                remedy: "Reading rows needs a role that may; see who has which: slipway role list PROJECT")
        }
        if environment == .prod { try await noteReading(of: holder, by: caller) }
        return file
    }

    /// Who reads rows in prod is on record: one event per reader, snapshot and hour.
    private func noteReading(of snapshot: DataSnapshot, by caller: Caller) async throws {
        let now = clock.now
        let key = "\(caller.principal.raw) \(snapshot.id)"
        let isNoted = readsNoted.withLock { noted in
            if let since = noted[key], now - since < .seconds(3600) { return true }
            if noted.count >= 10_000 { noted.removeAll() }
            return false
        }
        if isNoted { return }
        _ = try await realm.database.write { tx in
            try AuditStore(tx: tx).append(
                "snapshot.read", subject: "snapshot:\(snapshot.id)", project: snapshot.project, by: caller.principal, at: now, details: ["dataset": .string(snapshot.dataset)])
        }
        readsNoted.withLock { $0[key] = now }
    }

    // MARK: Tags

    /// Points a tag at a snapshot. A tag that points elsewhere moves only when asked to.
    package func tag(
        _ version: String?, of dataset: String, project: ProjectName, as tag: String, moving: Bool = false, by caller: Caller
    ) async throws -> DataSnapshot {
        try requireCare(caller, project)
        let tag = try SnapshotTag.checked(tag)
        let snapshot = try await find(version, of: dataset, project: project)
        let now = clock.now
        try await realm.database.write { tx in
            try Self.set(tag, on: snapshot, moving: moving, by: caller.principal, at: now, tx: tx)
        }
        return shown(try await find(snapshot.id, of: dataset, project: project), to: caller)
    }

    static func set(_ tag: String, on snapshot: DataSnapshot, moving: Bool, by principal: Principal, at now: Timestamp, tx: any Transaction) throws {
        let store = SnapshotStore(tx: tx)
        let previous = try store.move(tag: tag, of: snapshot.dataset, project: snapshot.project, to: snapshot.id, by: principal, at: now)
        if previous == snapshot.id { return }
        if let previous, !moving {
            throw SlipwayError(
                .alreadyExists, "The tag '\(snapshot.dataset)@\(tag)' points at snapshot \(previous).", remedy: "Choose another tag, or move it: slipway data tag … --move")
        }
        try AuditStore(tx: tx).append(
            "snapshot.tag", subject: "snapshot:\(snapshot.id)", project: snapshot.project, by: principal, at: now,
            details: ["dataset": .string(snapshot.dataset), "tag": .string(tag), "previous": previous.map { .string($0) } ?? .null])
    }

    /// Who takes data in, or refreshes it, may also name and check it.
    func requireCare(_ caller: Caller, _ project: ProjectName) throws {
        if caller.may(.refreshData, project: project, environment: environment) { return }
        try caller.require(.importData, project: project, environment: environment)
    }
}
