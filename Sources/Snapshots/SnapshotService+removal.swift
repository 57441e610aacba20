import Foundation
import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// What stands on a snapshot.
package struct SnapshotUse: Sendable, Hashable {
    package var subject: String
    /// Whether the snapshot has to stay, against: is only named.
    package var holds: Bool
}

extension SnapshotService {
    /// What a removal would touch: releases, slots of any environment, executions.
    package func uses(of version: String?, dataset: String, project: ProjectName, by caller: Caller) async throws -> [SnapshotUse] {
        try caller.require(.readMetadata, project: project, environment: environment)
        return try await uses(of: try await find(version, of: dataset, project: project))
    }

    func uses(of snapshot: DataSnapshot) async throws -> [SnapshotUse] {
        let environment = environment
        var uses = try await realm.database.read { tx in try Self.uses(of: snapshot, here: environment, tx: tx) }
        for other in others {
            uses += try await other.database.read { tx in
                try Self.slots(of: snapshot, trainedIn: environment, at: other.environment, tx: tx)
            }
        }
        return uses
    }

    private static func uses(of snapshot: DataSnapshot, here environment: EnvironmentID, tx: any Transaction) throws -> [SnapshotUse] {
        var uses: [SnapshotUse] = []
        for execution in try ExecutionStore(tx: tx).list(project: snapshot.project, limit: 1000) where execution.snapshots.values.contains(snapshot.id) {
            uses.append(SnapshotUse(subject: "execution \(execution.id) (\(execution.state.rawValue))", holds: !execution.state.isFinal))
        }
        var before: ContentDigest?
        while true {
            let page = try ReleaseStore(tx: tx).list(project: snapshot.project, limit: 1000, before: before)
            for release in page where names(release, snapshot, trainedIn: environment) {
                uses.append(SnapshotUse(subject: "release \(release.id.short)", holds: false))
            }
            guard page.count == 1000, let last = page.last else { break }
            before = last.id
        }
        return uses + (try slots(of: snapshot, trainedIn: environment, at: environment, tx: tx))
    }

    /// Slots whose current or fallback release was trained on the snapshot.
    private static func slots(of snapshot: DataSnapshot, trainedIn: EnvironmentID, at place: EnvironmentID, tx: any Transaction) throws -> [SnapshotUse] {
        let releases = ReleaseStore(tx: tx)
        return try SlotStore(tx: tx).list(project: snapshot.project).flatMap { slot in
            try [("current", slot.current), ("fallback", slot.fallback)].compactMap { kind, id in
                guard let id, let release = try releases.release(id), names(release, snapshot, trainedIn: trainedIn) else { return nil }
                return SnapshotUse(subject: "slot \(place.rawValue)/\(slot.name) (\(kind) release \(id.short))", holds: true)
            }
        }
    }

    private static func names(_ release: Release, _ snapshot: DataSnapshot, trainedIn environment: EnvironmentID) -> Bool {
        release.content.trainingEnvironment == environment && release.content.snapshots[snapshot.dataset] == snapshot.manifestDigest
    }

    /// Removes a dev snapshot, or one whose time is over. Its record stays; its bytes go later, when nothing else names them.
    /// - Throws: `blocked` with every use that forbids it.
    package func remove(_ version: String, of dataset: String, project: ProjectName, by caller: Caller) async throws -> DataSnapshot {
        try caller.require(.deleteData, project: project, environment: environment)
        let snapshot = try await find(version, of: dataset, project: project)
        let now = clock.now
        guard environment == .dev || snapshot.expiresAt.map({ $0 <= now }) == true else {
            throw SlipwayError(
                .notAllowed, "Snapshots of \(environment.rawValue) are not removed by hand before they expire.",
                remedy: "Let 'data.\(dataset).expire.\(environment.rawValue)' in slipway.yaml say how long they live.")
        }
        let uses = try await uses(of: snapshot).filter { $0.holds || $0.subject.hasPrefix("release ") }
        guard uses.isEmpty else {
            throw SlipwayError(
                .blocked, "Snapshot '\(dataset)@\(snapshot.id)' is in use.",
                reasons: uses.map { .init("It is used by \($0.subject).", remedy: "Wait until that is over, or let the snapshot expire.") })
        }
        try await take(snapshot, action: "snapshot.delete", by: caller.principal, at: now)
        return snapshot
    }

    private func take(_ snapshot: DataSnapshot, action: String, by principal: Principal, at now: Timestamp) async throws {
        try await realm.database.write { tx in
            guard try SnapshotStore(tx: tx).remove(snapshot.id, at: now) else { return }
            try AuditStore(tx: tx).append(
                action, subject: "snapshot:\(snapshot.id)", project: snapshot.project, by: principal, at: now, details: Self.details(of: snapshot))
        }
    }

    // MARK: Sweeping

    /// What one sweep did.
    package struct Sweep: Sendable, Hashable {
        package var removed: [String] = []
        /// Expired, but a slot or a running execution stands on them.
        package var held: [String] = []
        package var bytesFreed: Int64 = 0
    }

    /// Bytes of a removed snapshot stay this long, and longer while anything names them.
    package static let graceForBytes = Duration.seconds(86_400)
    /// Uploads that no import has named are forgotten after this.
    static let graceForUploads = Duration.seconds(2 * 86_400)
    private static let sweepMax = 1000

    /// Removes what has expired, and bytes that only removed snapshots named.
    package func sweep() async throws -> Sweep {
        let now = clock.now
        var sweep = Sweep()
        for snapshot in try await realm.database.read({ tx in try SnapshotStore(tx: tx).expired(at: now, limit: Self.sweepMax) }) {
            if try await uses(of: snapshot).contains(where: \.holds) { sweep.held.append(snapshot.id); continue }
            try await take(snapshot, action: "snapshot.expire", by: .system("snapshot-keeper"), at: now)
            sweep.removed.append(snapshot.id)
        }
        try await realm.database.write { tx in try SnapshotStore(tx: tx).forgetUploads(before: now - Self.graceForUploads) }
        sweep.bytesFreed = try await sweepBytes(now - Self.graceForBytes)
        let blobs = realm.blobs
        try await offload { try blobs.sweepIncoming(unusedSince: now - Self.graceForBytes) }
        return sweep
    }

    private func sweepBytes(_ mark: Timestamp) async throws -> Int64 {
        let blobs = realm.blobs
        let orphans = Set(try await realm.database.read { tx in try SnapshotStore(tx: tx).orphans(removedBefore: mark, limit: Self.sweepMax) })
        guard !orphans.isEmpty else { return 0 }
        let named = try await realm.database.read { tx in try BlobReferences(tx: tx).named(among: orphans, blobs: blobs) }
        let free = orphans.subtracting(named)
        let freed = try await offload { try free.reduce(into: Int64(0)) { $0 += try blobs.remove($1, unusedSince: mark) ?? 0 } }
        try await realm.database.write { tx in
            for digest in orphans { try SnapshotStore(tx: tx).forget(orphan: digest) }
        }
        return freed
    }
}
