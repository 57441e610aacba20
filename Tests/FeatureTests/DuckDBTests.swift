import Foundation
import SlipwayCore
import SlipwayRuntime
import SlipwayTestSupport
import Testing

@Suite("DuckDB")
struct DuckDBTests {
    /// Fails with the remedy when DuckDB is not installed.
    private let duckDB: DuckDB

    init() throws { duckDB = try DuckDB.find(limits: .init(memory: "512MiB", threads: 1, time: .seconds(60))) }

    @Test("rows keep their types: numbers, texts with escapes, nothing, NaN, lists")
    func types() async throws {
        let row = try #require(
            try await duckDB.rows(
                """
                SELECT 1 AS i, 9223372036854775807 AS big, 1.5::DOUBLE AS d, 'nan'::DOUBLE AS nan, '-inf'::DOUBLE AS inf, 'a"b\\c' || chr(10) || '😀é' AS t,
                    NULL AS n, true AS b, [1, NULL] AS l, {'x': 'y'} AS s, 1.25::DECIMAL(4, 2) AS dec, 170141183460469231731687303715884105727::HUGEINT AS huge
                """
            ).first)
        #expect(row.int("i") == 1)
        #expect(row.int("big") == .max)
        #expect(row.double("d") == 1.5)
        #expect(row.double("nan")?.isNaN == true)
        #expect(row.double("inf") == -.infinity)
        #expect(row.text("t") == "a\"b\\c\n😀é")
        #expect(row["n"] == .null)
        #expect(row.bool("b") == true)
        #expect(row["l"] == [1, nil])
        #expect(row["s"] == ["x": "y"])
        #expect(row.double("dec") == 1.25)
        #expect(row.text("huge") == "170141183460469231731687303715884105727")
    }

    @Test("several statements give several answers, statements without rows none")
    func severalAnswers() async throws {
        let answers = try await duckDB.answers("CREATE TABLE t AS SELECT 1 AS x; SELECT * FROM t; SELECT x FROM t WHERE false; SELECT 2 AS y")
        #expect(answers.map(\.count) == [1, 0, 1])
        #expect(answers.last?.first?.int("y") == 2)
        #expect(try await duckDB.rows("CREATE TABLE t (x INTEGER)").isEmpty)
    }

    @Test("an error quotes the first line of what DuckDB said, and never a variable's value")
    func errors() async throws {
        let error = await #expect(throws: SlipwayError.self) {
            try await duckDB.rows("SELECT error('boom ' || getvariable('secret'))", variables: ["secret": "0123456789abcdef"])
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("boom …") == true)
        #expect(error?.message.contains("0123456789abcdef") == false)
        let missing = await #expect(throws: SlipwayError.self) { try await duckDB.rows("SELECT * FROM nowhere") }
        #expect(missing?.message == "DuckDB: Catalog Error: Table with name nowhere does not exist!")
    }

    @Test("files outside the named folders cannot be read or written, and settings cannot be changed back")
    func sandbox() async throws {
        let folder = try TemporaryFolder()
        let inside = folder.url.appending(path: "in")
        try FileManager.default.createDirectory(at: inside, withIntermediateDirectories: true)
        try Data("x\n1\n".utf8).write(to: inside.appending(path: "a.csv"))
        try Data("x\n2\n".utf8).write(to: folder.url.appending(path: "secret.csv"))
        #expect(try await duckDB.rows("SELECT x FROM read_csv('\(inside.path)/a.csv')", in: [inside]).first?.int("x") == 1)
        for sql in [
            "SELECT * FROM read_csv('\(folder.url.path)/secret.csv')", "SELECT * FROM read_csv('\(inside.path)/../secret.csv')",
            "SELECT * FROM read_text('/etc/hostname')", "COPY (SELECT 1) TO '\(folder.url.path)/out.csv'", "SET enable_external_access = true",
            "SELECT getenv('PATH')", "INSTALL httpfs", "LOAD httpfs", "ATTACH '\(folder.url.path)/x.db'",
        ] {
            await #expect(throws: SlipwayError.self, "\(sql)") { try await duckDB.rows(sql, in: [inside]) }
        }
    }

    @Test(
        "a query of somebody else cannot end its statement and reach the program's own commands",
        arguments: [
            "SELECT 1) ;\n.shell touch FILE\n", "SELECT 1\n.shell touch FILE\n", "SELECT 1 -- )\n.shell touch FILE", "SELECT '\n.shell touch FILE\n'",
        ])
    func shellEscape(query: String) async throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appending(path: "made")
        do {
            _ = try await duckDB.rows("SELECT * FROM \(try DuckDB.subquery(query.replacing("FILE", with: file.path)))", in: [folder.url])
        } catch let error as SlipwayError {
            #expect(error.code == .invalidArgument)
        }
        #expect(!FileManager.default.fileExists(atPath: file.path))
    }

    @Test("a question that takes too long ends with its process")
    func timeOut() async throws {
        var hasty = duckDB
        hasty.limits.time = .milliseconds(300)
        let asker = hasty
        let error = await #expect(throws: SlipwayError.self) {
            try await asker.rows("SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3")
        }
        #expect(error?.code == .tooMuch)
    }

    @Test("an answer past the limit is refused, not cut")
    func tooLong() async throws {
        var small = duckDB
        small.limits.outputBytes = 10_000
        let asker = small
        let error = await #expect(throws: SlipwayError.self) { try await asker.rows("SELECT range AS n FROM range(10000)") }
        #expect(error?.code == .tooMuch)
    }

    @Test("a missing program says how to get it")
    func missing() async throws {
        let error = await #expect(throws: SlipwayError.self) { try await DuckDB(program: URL(filePath: "/nonexistent/duckdb")).rows("SELECT 1") }
        #expect(error?.code == .unavailable)
        #expect(error?.remedy?.contains("pip install duckdb-cli") == true)
    }
}
