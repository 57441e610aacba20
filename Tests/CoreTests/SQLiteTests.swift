import Foundation
import SlipwayCore
import SlipwaySQL
import SlipwaySQLite
import SlipwayTestSupport
import Testing

@Suite("SQLite driver")
struct SQLiteTests {
    private static let insert = Statement("test.insert", "INSERT INTO thing (id, value) VALUES (:id, :value)")
    private static let count = Statement("test.count", "SELECT COUNT(*) AS count FROM thing")
    private static let value = Statement("test.value", "SELECT value FROM thing WHERE id = :id")

    private func database() async throws -> (database: SQLiteDatabase, folder: TemporaryFolder) {
        let folder = try TemporaryFolder()
        let database = try SQLiteDatabase(path: folder.url.appending(path: "test.sqlite").path, logger: quietLogger)
        try await database.write { tx in try tx.script("CREATE TABLE thing (id BIGINT PRIMARY KEY, value TEXT)") }
        return (database, folder)
    }

    @Test("writers that meet share a commit, and one that fails takes nobody with it")
    func groupCommit() async throws {
        let (database, folder) = try await database()
        let failures = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<400 {
                group.addTask {
                    do {
                        // Every tenth contradicts row 0's key after having written a row of its own.
                        try await database.write { tx in
                            try tx.run(Self.insert, ["id": .integer(index + 1), "value": "x"])
                            if index % 10 == 0 { try tx.run(Self.insert, ["id": .integer(index + 1), "value": "again"]) }
                        }
                        return false
                    } catch let error as SlipwayError {
                        return error.code == .conflict
                    } catch {
                        return false
                    }
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(failures == 40)
        #expect(try await database.read { tx in try tx.first(Self.count)!.int("count") } == 360)
        withExtendedLifetime(folder) {}
    }

    @Test("what was acknowledged is there for whoever opens the file next")
    func durable() async throws {
        let (database, folder) = try await database()
        try await database.write { tx in _ = try tx.run(Self.insert, ["id": 1, "value": "kept"]) }
        // A second connection to the same file stands for the next process: nothing of the first one's memory helps it.
        let second = try SQLiteDatabase(path: folder.url.appending(path: "test.sqlite").path, logger: quietLogger)
        #expect(try await second.read { tx in try tx.first(Self.value, ["id": 1])?.text("value") } == "kept")
        try await database.close()
    }

    @Test("a read sees one moment, whatever is written meanwhile")
    func snapshotReads() async throws {
        let (database, folder) = try await database()
        let (before, after) = try await database.read { tx -> (Int, Int) in
            let before = try tx.first(Self.count)!.int("count")
            let written = DispatchSemaphore(value: 0)
            Task.detached {
                try await database.write { tx in _ = try tx.run(Self.insert, ["id": 1, "value": "x"]) }
                written.signal()
            }
            written.wait()
            return (before, try tx.first(Self.count)!.int("count"))
        }
        #expect(before == 0 && after == 0)
        #expect(try await database.read { tx in try tx.first(Self.count)!.int("count") } == 1)
        withExtendedLifetime(folder) {}
    }

    @Test(
        "values come back as they went in",
        arguments: [
            SQLValue.null, .integer(Int64.max), .integer(Int64.min), .real(0.1), .text("naïve \u{1F6A2}"), .text(""), .blob([0, 255]),
        ])
    func values(value: SQLValue) async throws {
        let (database, folder) = try await database()
        let back = try await database.write { tx in
            try tx.run(Statement("test.any", "CREATE TABLE any_value (v)"))
            try tx.run(Statement("test.put", "INSERT INTO any_value (v) VALUES (:v)"), ["v": value])
            return try tx.first(Statement("test.get", "SELECT v FROM any_value"))!["v"]
        }
        #expect(back == value)
        withExtendedLifetime(folder) {}
    }

    @Test("a file that is no database, and a folder that is not there, say what to do")
    func unusable() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appending(path: "noise.sqlite")
        try Data(repeating: 7, count: 4096).write(to: file)
        for path in [file.path, folder.url.appending(path: "missing/test.sqlite").path] {
            let error = #expect(throws: SlipwayError.self) { try SQLiteDatabase(path: path, logger: quietLogger) }
            #expect(error?.code == .unavailable && error?.remedy != nil)
        }
    }
}

@Suite("Migrator")
struct MigratorTests {
    private static let first = Migration("T0001_First", "CREATE TABLE one (id BIGINT PRIMARY KEY);")
    private static let second = Migration("T0002_Second", "CREATE TABLE two (id BIGINT PRIMARY KEY);")
    private static let now = Timestamp(milliseconds: 0)

    @Test("steps run once, in order, and a later start adds only what is new")
    func steps() async throws {
        let folder = try TemporaryFolder()
        let database = try SQLiteDatabase(path: folder.url.appending(path: "m.sqlite").path, logger: quietLogger)
        try await Migrator([Self.first]).migrate(database, now: Self.now)
        try await Migrator([Self.first, Self.second]).migrate(database, now: Self.now)
        try await Migrator([Self.first, Self.second]).migrate(database, now: Self.now)
        #expect(try await database.read { tx in try tx.all(Statement("t", "SELECT id FROM two")) }.isEmpty)
    }

    @Test("an older binary on a newer folder, and a step whose text changed, stop the start with a remedy")
    func refusals() async throws {
        let folder = try TemporaryFolder()
        let database = try SQLiteDatabase(path: folder.url.appending(path: "m.sqlite").path, logger: quietLogger)
        try await Migrator([Self.first, Self.second]).migrate(database, now: Self.now)
        let older = await #expect(throws: SlipwayError.self) { try await Migrator([Self.first]).migrate(database, now: Self.now) }
        #expect(older?.code == .unavailable && older?.message.contains("T0002_Second") == true)
        let edited = Migration("T0001_First", "CREATE TABLE one (id BIGINT PRIMARY KEY, extra TEXT);")
        let changed = await #expect(throws: SlipwayError.self) { try await Migrator([edited, Self.second]).migrate(database, now: Self.now) }
        #expect(changed?.message.contains("T0001_First") == true && changed?.remedy != nil)
    }

    @Test("a step that fails half-way leaves nothing of itself")
    func atomic() async throws {
        let folder = try TemporaryFolder()
        let database = try SQLiteDatabase(path: folder.url.appending(path: "m.sqlite").path, logger: quietLogger)
        let broken = Migration("T0001_Broken", "CREATE TABLE one (id BIGINT PRIMARY KEY); CREATE TABLE one (id BIGINT PRIMARY KEY);")
        await #expect(throws: (any Error).self) { try await Migrator([broken]).migrate(database, now: Self.now) }
        try await Migrator([Self.first]).migrate(database, now: Self.now)
    }
}
