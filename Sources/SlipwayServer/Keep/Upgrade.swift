import Foundation
import Logging
import SlipwayCore
import SlipwaySQL
import SlipwaySQLite
import SlipwayStore

/// Brings the databases of a data folder to this binary's schema: on a copy to see what happens, or for good.
package struct Upgrade: Sendable {
    /// What happened to one database.
    package struct Change: Sendable, Hashable, Codable {
        package struct Table: Sendable, Hashable, Codable {
            package var name: String
            /// Nil when the table is new.
            package var rowsBefore: Int?
            /// Nil when it is gone.
            package var rowsAfter: Int?
        }

        /// Such as `dev/realm.sqlite`.
        package var database: String
        /// Schema steps that were missing, in order.
        package var steps: [String]
        package var seconds: Double
        package var bytesBefore: Int64
        package var bytesAfter: Int64
        /// Those whose rows changed in number, came or went.
        package var tables: [Table]
    }

    let data: URL
    let clock: any WallClock
    let realmSteps: [Migration]
    let controlSteps: [Migration]

    package init(data: URL, clock: any WallClock = SystemWallClock(), realm: [Migration] = Migrations.realm, control: [Migration] = Migrations.control) {
        self.data = data.standardizedFileURL
        self.clock = clock
        realmSteps = realm
        controlSteps = control
    }

    private var databases: [(path: String, steps: [Migration])] {
        let realms = EnvironmentID.allCases.map { ("\($0.rawValue)/realm.sqlite", realmSteps) }
        return ([("control.sqlite", controlSteps)] + realms).filter { FileManager.default.fileExists(atPath: data.appending(path: $0.0).path) }
    }

    /// Migrates a copy in a folder of its own and takes it away again; a server may run meanwhile.
    /// - Parameter scratch: where the copy lies; nil for the data folder's own disk.
    package func rehearse(scratch: URL? = nil) async throws -> [Change] {
        try Backup.checkDataFolder(data)
        let folder = (scratch ?? data).appending(path: "rehearsal-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        do {
            var changes: [Change] = []
            for (path, steps) in databases {
                let copy = folder.appending(path: path.replacing("/", with: "-"))
                let source = data.appending(path: path)
                try await offload { try SQLiteFile.copy(source, to: copy) }
                changes.append(try await migrate(copy, named: path, steps))
            }
            try FileManager.default.removeItem(at: folder)
            return changes
        } catch {
            try FileManager.default.removeItem(at: folder)
            throw error
        }
    }

    /// Copies the databases aside, then migrates them. No server may run.
    /// - Returns: what changed, and where the copies lie; no copies when there was nothing to do.
    package func perform() async throws -> (changes: [Change], copies: URL?) {
        try Backup.checkDataFolder(data)
        let lock = try DataFolder(data).lock()
        defer { lock.release() }
        let rehearsal = try await rehearse()
        guard rehearsal.contains(where: { !$0.steps.isEmpty }) else { return (rehearsal, nil) }
        let stamp = clock.now.iso8601.replacing(":", with: "").replacing(".", with: "-")
        let copies = data.appending(path: "before-upgrade/\(stamp)")
        for (path, _) in databases {
            let copy = copies.appending(path: path)
            try FileManager.default.createDirectory(at: copy.deletingLastPathComponent(), withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            let source = data.appending(path: path)
            try await offload { try SQLiteFile.copy(source, to: copy) }
        }
        var changes: [Change] = []
        for (path, steps) in databases { changes.append(try await migrate(data.appending(path: path), named: path, steps)) }
        return (changes, copies)
    }

    private func migrate(_ file: URL, named name: String, _ steps: [Migration]) async throws -> Change {
        let (rowsBefore, bytesBefore) = (try SQLiteFile.rowCounts(in: file), Self.size(file))
        let database = try SQLiteDatabase(path: file.path, logger: Logger(label: "slipway.upgrade"))
        let applied = try await Migrator.applied(database)
        let started = ContinuousClock.now
        do {
            try await Migrator(steps).migrate(database, now: clock.now)
        } catch {
            try await database.close()
            throw error
        }
        let took = ContinuousClock.now - started
        try await database.close()
        try SQLiteFile.seal(file)
        if let damage = try SQLiteFile.damage(in: file) {
            throw SlipwayError.fault("After the upgrade '\(name)' is damaged: \(damage)")
        }
        let rowsAfter = try SQLiteFile.rowCounts(in: file)
        let tables = Set(rowsBefore.keys).union(rowsAfter.keys).sorted().filter { rowsBefore[$0] != rowsAfter[$0] && $0 != "schema_migration" }
        return Change(
            database: name, steps: steps.map(\.name).filter { !applied.contains($0) }, seconds: Double(took.milliseconds) / 1000, bytesBefore: bytesBefore,
            bytesAfter: Self.size(file), tables: tables.map { .init(name: $0, rowsBefore: rowsBefore[$0], rowsAfter: rowsAfter[$0]) })
    }

    private static func size(_ file: URL) -> Int64 {
        let attributes = try? FileManager.default.attributesOfItem(atPath: file.path)  // a figure for people; missing is 0
        return (attributes?[.size] as? NSNumber)?.int64Value ?? 0
    }
}
