// SlipwaySQLite: the embedded driver (SQLite through GRDB, WAL, group commit); the only room that knows GRDB.

import Foundation
import GRDB
import Logging
import SlipwayCore
import SlipwaySQL
import Synchronization

/// One SQLite file with many readers and one writer. Writes that arrive while a commit is under way share the next
/// one: each runs in its own savepoint, and every caller is answered after the common fsync.
package final class SQLiteDatabase: SlipwaySQL.Database {
    private let pool: DatabasePool
    private let logger: Logger
    private let queue = DispatchQueue(label: "slipway.sqlite.writer")
    private let pending = Mutex<Pending>(Pending())

    private struct Pending {
        var writes: [Write] = []
        var isDraining = false
    }

    /// Writes that may wait at once; past it callers are told to come back.
    private static let pendingMax = 10_000
    /// Writes that share one commit at most, so that the first of them does not wait for ever.
    private static let batchMax = 512

    private struct Write: Sendable {
        /// Runs in the savepoint.
        let body: @Sendable (any SlipwaySQL.Transaction) throws -> Void
        /// Called once, after the commit, with nil, or with why not.
        let finish: @Sendable ((any Error)?) -> Void
    }

    /// - Throws: `unavailable` when the file cannot be opened or is no database.
    package init(path: String, logger: Logger) throws {
        var configuration = Configuration()
        configuration.maximumReaderCount = 5
        configuration.busyMode = .timeout(10)
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA foreign_keys = ON")
            // LIKE as every other database means it; ILIKE is written with LOWER.
            try db.execute(sql: "PRAGMA case_sensitive_like = ON")
            // In KiB, per connection and only as far as it is used; SQLite's own 2 MB make a busy writer read its pages again and again.
            try db.execute(sql: "PRAGMA cache_size = -16384")
            PatternFunction.add(to: db)
        }
        self.logger = logger
        do {
            pool = try DatabasePool(path: path, configuration: configuration)
            // GRDB's pool chooses NORMAL, which may lose the last commits at a power cut. Shared commits make FULL cheap.
            try pool.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA synchronous = FULL") }
        } catch {
            throw SlipwayError(
                .unavailable, "The database '\(path)' cannot be opened: \(error).",
                remedy: "See that the folder is writable and the disk has room; 'slipway serve --data NEW_FOLDER' starts with an empty one.")
        }
    }

    package func close() async throws {
        try pool.close()
    }

    package func read<T: Sendable>(_ body: @escaping @Sendable (any SlipwaySQL.Transaction) throws -> T) async throws -> T {
        do {
            return try await pool.read { db in try body(SQLiteTransaction(db: db)) }
        } catch {
            throw translate(error)
        }
    }

    package func write<T: Sendable>(_ body: @escaping @Sendable (any SlipwaySQL.Transaction) throws -> T) async throws -> T {
        let result = ResultBox<T>()
        do {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                enqueue(
                    Write(
                        body: { tx in result.set(try body(tx)) },
                        finish: { error in
                            if let error { continuation.resume(throwing: error) } else { continuation.resume() }
                        }))
            }
        } catch {
            throw translate(error)
        }
        return result.take()
    }

    private func enqueue(_ write: Write) {
        enum Next { case startDraining, wait, refuse }
        let next: Next = pending.withLock { pending in
            guard pending.writes.count < Self.pendingMax else { return .refuse }
            pending.writes.append(write)
            if pending.isDraining { return .wait }
            pending.isDraining = true
            return .startDraining
        }
        switch next {
        case .startDraining: queue.async { self.drain() }
        case .wait: break
        case .refuse:
            write.finish(SlipwayError(.tooMuch, "\(Self.pendingMax) writes are waiting already.", remedy: "Send again in a second."))
        }
    }

    private func drain() {
        while true {
            let batch: [Write] = pending.withLock { pending in
                let batch = Array(pending.writes.prefix(Self.batchMax))
                pending.writes.removeFirst(batch.count)
                if batch.isEmpty { pending.isDraining = false }
                return batch
            }
            if batch.isEmpty { return }
            commit(batch)
        }
    }

    private func commit(_ batch: [Write]) {
        var outcomes: [(any Error)?] = Array(repeating: nil, count: batch.count)
        do {
            try pool.writeWithoutTransaction { db in
                do {
                    try attempt(batch, &outcomes, db)
                } catch is HalfDone {
                    outcomes = Array(repeating: nil, count: batch.count)
                    try attemptApart(batch, &outcomes, db)
                }
            }
        } catch {
            outcomes = Array(repeating: error, count: batch.count)
        }
        for (write, outcome) in zip(batch, outcomes) { write.finish(outcome) }
    }

    /// A write failed after it had changed something.
    private struct HalfDone: Error {}

    /// All writes in one transaction, without anything between them: the common case, in which none of them leaves half of its work.
    private func attempt(_ batch: [Write], _ outcomes: inout [(any Error)?], _ db: GRDB.Database) throws {
        try db.inTransaction(.immediate) {
            for (index, write) in batch.enumerated() {
                let before = db.totalChangesCount
                let transaction = SQLiteTransaction(db: db)
                do {
                    try write.body(transaction)
                } catch {
                    // A full disk ends the whole transaction: then nobody is told "done".
                    guard db.isInsideTransaction else { throw error }
                    guard db.totalChangesCount == before, !transaction.hasRunScript else { throw HalfDone() }
                    outcomes[index] = error
                }
            }
            return .commit
        }
    }

    /// Each write in a savepoint of its own, so that one that fails takes back its work and nobody else's.
    private func attemptApart(_ batch: [Write], _ outcomes: inout [(any Error)?], _ db: GRDB.Database) throws {
        try db.inTransaction(.immediate) {
            for (index, write) in batch.enumerated() {
                do {
                    try db.inSavepoint {
                        try write.body(SQLiteTransaction(db: db))
                        return .commit
                    }
                } catch {
                    guard db.isInsideTransaction else { throw error }
                    outcomes[index] = error
                }
            }
            return .commit
        }
    }

    private func translate(_ error: any Error) -> any Error {
        guard let error = error as? DatabaseError else { return error }
        switch error.resultCode {
        case .SQLITE_CONSTRAINT:
            return SlipwayError(.conflict, "The change contradicts what is stored (\(error.message ?? "constraint")).", remedy: "Read again and repeat.")
        case .SQLITE_FULL, .SQLITE_IOERR:
            logger.error("database", metadata: ["error": "\(error)"])
            return SlipwayError(.unavailable, "The disk is full or cannot be written.", remedy: "Free space in the data folder, then repeat; nothing was changed.")
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return SlipwayError(.unavailable, "The database is busy.", remedy: "Send again in a second.")
        default:
            logger.error("database", metadata: ["error": "\(error)"])
            return SlipwayError.fault("The database reported an error.")
        }
    }
}

/// Carries a write's value from the writer's thread to the caller; set before `finish`, taken after it.
private final class ResultBox<T: Sendable>: Sendable {
    private let value = Mutex<T?>(nil)
    func set(_ new: T) { value.withLock { $0 = new } }
    func take() -> T { value.withLock { $0! } }
}

private final class SQLiteTransaction: SlipwaySQL.Transaction {
    private let db: GRDB.Database
    /// A schema's changes are not counted as changes.
    private(set) var hasRunScript = false

    init(db: GRDB.Database) { self.db = db }

    func run(_ statement: SlipwaySQL.Statement, _ values: Bindings) throws -> Int {
        let prepared = try PreparedStatement(statement, in: db)
        defer { prepared.reset() }
        let before = db.totalChangesCount
        prepared.bind(values)
        while try prepared.step() {}
        return db.totalChangesCount - before
    }

    func run(_ statement: SlipwaySQL.Statement, _ parameters: [String], forEach values: [SQLValue]) throws -> Int {
        let prepared = try PreparedStatement(statement, in: db)
        defer { prepared.reset() }
        let places = parameters.map(prepared.place)
        let before = db.totalChangesCount
        var next = 0
        while next < values.count {
            for place in places {
                prepared.bind(values[next], at: place)
                next += 1
            }
            while try prepared.step() {}
            prepared.rewind()
        }
        return db.totalChangesCount - before
    }

    func all(_ statement: SlipwaySQL.Statement, _ values: Bindings) throws -> [SlipwaySQL.Row] {
        var rows: [SlipwaySQL.Row] = []
        try forEach(statement, values) { rows.append($0) }
        return rows
    }

    func first(_ statement: SlipwaySQL.Statement, _ values: Bindings) throws -> SlipwaySQL.Row? {
        let prepared = try PreparedStatement(statement, in: db)
        defer { prepared.reset() }
        prepared.bind(values)
        return try prepared.step() ? SlipwaySQL.Row(prepared.columns, prepared.values) : nil
    }

    func forEach(_ statement: SlipwaySQL.Statement, _ values: Bindings, _ body: (SlipwaySQL.Row) throws -> Void) throws {
        let prepared = try PreparedStatement(statement, in: db)
        defer { prepared.reset() }
        prepared.bind(values)
        let columns = prepared.columns
        while try prepared.step() { try body(SlipwaySQL.Row(columns, prepared.values)) }
    }

    func scan(_ statement: SlipwaySQL.Statement, _ values: Bindings, _ body: (any RowVisit) throws -> Bool) throws {
        let prepared = try PreparedStatement(statement, in: db)
        defer { prepared.reset() }
        prepared.bind(values)
        while try prepared.step() { guard try body(prepared) else { return } }
    }

    func script(_ sql: String) throws {
        hasRunScript = true
        // A table that says so is kept in the order of its primary key, without a second tree for row numbers.
        try db.execute(sql: sql.replacingOccurrences(of: ") /* clustered */", with: ") WITHOUT ROWID"))
    }
}
