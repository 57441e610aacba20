import Crypto
import Foundation
import SlipwayCore

/// One step of a schema, forward only, never edited after a release.
package struct Migration: Sendable {
    package let name: String
    package let sql: String

    package init(_ name: String, _ sql: String) {
        self.name = name
        self.sql = sql
    }

    var checksum: String { ContentDigest(of: sql).rawValue }
}

/// Brings a database to the newest schema when it is opened, so that nobody runs a migration by hand.
package struct Migrator: Sendable {
    package let migrations: [Migration]

    package init(_ migrations: [Migration]) { self.migrations = migrations }

    /// Names of the steps that a database has behind it; empty for a file without a schema.
    package static func applied(_ database: any Database) async throws -> Set<String> {
        try await database.write { tx in
            try tx.script(createTable)
            return Set(try tx.all(list).map { $0.text("name") })
        }
    }

    /// Refuses a database that only a newer binary understands.
    /// - Throws: `unavailable`, naming the step that is not known here.
    package func refuseNewer(_ applied: some Collection<String>) throws {
        let known = Set(migrations.map(\.name))
        guard let newer = applied.filter({ !known.contains($0) }).min() else { return }
        throw SlipwayError(
            .unavailable, "The data folder was written by a newer Slipway: it has the schema step '\(newer)'.",
            remedy: "Start the newer binary, or restore a backup made before the upgrade.")
    }

    /// - Throws: `unavailable` when the database is newer than this binary, or a migration's text has changed.
    package func migrate(_ database: any Database, now: Timestamp) async throws {
        let migrations = migrations
        try await database.write { tx in
            try tx.script(Self.createTable)
            let applied = Dictionary(uniqueKeysWithValues: try tx.all(Self.list).map { ($0.text("name"), $0.text("checksum")) })
            try refuseNewer(applied.keys)
            for migration in migrations {
                if let checksum = applied[migration.name] {
                    guard checksum == migration.checksum else {
                        throw SlipwayError(
                            .unavailable, "Schema step '\(migration.name)' is not the one this data folder was made with.",
                            remedy: "Use the binary that made the folder, or start with an empty one: 'slipway serve --data NEW_FOLDER'.")
                    }
                    continue
                }
                try tx.script(migration.sql)
                try tx.run(Self.record, ["name": .text(migration.name), "checksum": .text(migration.checksum), "now": .integer(now.milliseconds)])
            }
        }
    }

    private static let createTable = "CREATE TABLE IF NOT EXISTS schema_migration (name TEXT PRIMARY KEY, checksum TEXT NOT NULL, applied_at_ms BIGINT NOT NULL);"
    private static let list = Statement("migration.list", "SELECT name, checksum FROM schema_migration")
    private static let record = Statement(
        "migration.record", "INSERT INTO schema_migration (name, checksum, applied_at_ms) VALUES (:name, :checksum, :now)")
}
