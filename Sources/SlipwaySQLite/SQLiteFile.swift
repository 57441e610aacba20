import Foundation
import GRDB
import SlipwayCore

/// Whole database files: copied while others write, looked over, counted.
package enum SQLiteFile {
    /// Copies a database as it is at one moment, whoever else has it open and writes. The copy has no log beside it.
    /// - Throws: `unavailable` when the source is no database or the target cannot be written; then there is no target.
    package static func copy(_ source: URL, to target: URL) throws {
        do {
            let from = try open(source)
            let to = try DatabaseQueue(path: target.path)
            try from.backup(to: to)
            try seal(to)
            try to.close()
            try from.close()
        } catch {
            unlink(target.path)
            throw failure("copied", source, error)
        }
    }

    /// Folds the log into the file, which then is all there is of the database.
    package static func seal(_ file: URL) throws {
        do {
            let queue = try open(file)
            try seal(queue)
            try queue.close()
        } catch {
            throw failure("closed", file, error)
        }
    }

    private static func seal(_ queue: DatabaseQueue) throws {
        try queue.writeWithoutTransaction { db in _ = try String.fetchOne(db, sql: "PRAGMA journal_mode = DELETE") }
    }

    /// The first damage that SQLite finds in the file's structure, nil when it is sound.
    package static func damage(in file: URL) throws -> String? {
        do {
            let queue = try open(file, readonly: true)
            defer { try? queue.close() }  // nothing was written, so nothing can be lost
            // Not quick_check: SQLite 3.40's calls a sound table damaged when its key lists the columns in another order than the table does.
            let verdict = try queue.read { db in try String.fetchOne(db, sql: "PRAGMA integrity_check(1)") }
            return verdict == "ok" ? nil : verdict ?? "no answer"
        } catch let error as DatabaseError where [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains(error.resultCode) {
            return error.message ?? "it is no database"
        } catch {
            throw failure("read", file, error)
        }
    }

    /// Rows per table, by name.
    package static func rowCounts(in file: URL) throws -> [String: Int] {
        do {
            let queue = try open(file)
            let counts = try queue.read { db in
                let tables = try String.fetchAll(db, sql: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")
                return try Dictionary(
                    uniqueKeysWithValues: tables.map { table in
                        (table, try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM \"\(table.replacing("\"", with: "\"\""))\"") ?? 0)
                    })
            }
            try queue.close()
            return counts
        } catch {
            throw failure("read", file, error)
        }
    }

    private static func open(_ file: URL, readonly: Bool = false) throws -> DatabaseQueue {
        guard FileManager.default.fileExists(atPath: file.path) else { throw SlipwayError.notFound("There is no database '\(file.path)'.") }
        var configuration = Configuration()
        configuration.busyMode = .timeout(30)
        configuration.readonly = readonly
        return try DatabaseQueue(path: file.path, configuration: configuration)
    }

    private static func failure(_ verb: String, _ file: URL, _ error: any Error) -> any Error {
        guard let error = error as? DatabaseError else { return error }
        let isFull = [.SQLITE_FULL, .SQLITE_IOERR].contains(error.resultCode.primaryResultCode)
        return SlipwayError(
            .unavailable, "The database '\(file.path)' cannot be \(verb): \(error.message ?? "\(error.resultCode)").",
            remedy: isFull ? "Free space on the disk, then repeat." : "See that it is a database that this user may read.")
    }
}
