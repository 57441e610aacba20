import Foundation
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Snapshots
import Testing

@Suite("Data checks")
struct DataChecksTests {
    private static let project = SnapshotFixture.project
    private static let csv = Data("id,origin,delay,tail\n1,JFK,5,N1\n2,LGA,,N22\n2,EWR,-90.5,bad\n3,XXX,4,N3\n".utf8)

    private func verdict(_ checks: String?, _ fixture: SnapshotFixture? = nil) async throws -> CheckOutcome {
        let fixture = if let fixture { fixture } else { try await SnapshotFixture() }
        fixture.checks.set(checks, for: "flights")
        return try await fixture.take(["flights.csv": Self.csv], as: "flights", in: .prod).checks
    }

    @Test("checks that hold pass; a dataset without checks says nothing")
    func passing() async throws {
        #expect(try await verdict(nil).verdict == .none)
        let outcome = try await verdict(
            """
            rows: { min: 4, max: 4 }
            columns:
              id: { type: BIGINT, nulls: 0, min: 1, max: 3 }
              origin: { values: [JFK, LGA, EWR, XXX] }
              delay: { nulls: 0.25, min: -90.5, max: 5 }
              tail: { pattern: ".*" }
            closed: true
            unique: [[id, origin]]
            sql:
              - { name: no delay above five, rows: "SELECT * FROM data WHERE delay > 5" }
            """)
        #expect(outcome.verdict == .passed, "\(outcome)")
        #expect(outcome.results.count == 11)
        #expect(outcome.checksDigest != nil)
    }

    @Test(
        "a broken check says what was found, with a few of the rows",
        arguments: [
            ("rows: { min: 5 }", "rows of data", "4 rows, expected at least 5", 0),
            ("columns: { id: { type: VARCHAR } }", "type of id", "the type is BIGINT, expected VARCHAR", 0),
            ("columns: { gate: {} }", "column gate", "the column 'gate' is missing", 0),
            ("columns: { delay: { nulls: 0.2 } }", "nulls of delay", "25.0 % of rows lack a value, at most 20.0 % may", 1),
            ("columns: { delay: { min: -60, max: 4.5 } }", "range of delay", "2 rows lie outside from -60 to 4.5", 2),
            ("columns: { origin: { values: [JFK, LGA, EWR] } }", "values of origin", "1 rows hold another value than the 3 listed", 1),
            ("columns: { tail: { pattern: 'N[0-9]+' } }", "pattern of tail", "1 rows do not match N[0-9]+", 1),
            ("columns: { id: { unique: true } }", "unique id", "1 values appear more than once", 1),
            ("columns: { id: {} }\nclosed: true", "columns of data", "columns that are not listed: origin, delay, tail", 0),
            ("sql: [{ name: known, rows: \"SELECT id FROM data WHERE origin = 'XXX'\" }]", "known", "1 rows break it", 1),
            ("tables: { weather: { rows: { min: 1 } } }", "table weather", "there is no table 'weather' (tables: data)", 0),
        ])
    func failing(checks: String, name: String, message: String, rows: Int) async throws {
        let outcome = try await verdict(checks)
        #expect(outcome.verdict == .failed)
        let broken = outcome.results.filter { !$0.holds }
        #expect(broken.map(\.name) == [name])
        #expect(broken.first?.message == message)
        #expect(broken.first?.sample.count == rows)
    }

    @Test("a broken warning warns, and a mistake in the file or a query errs; neither passes")
    func severities() async throws {
        #expect(try await verdict("severity: warn\ncolumns: { id: { unique: true } }").verdict == .warned)
        #expect(try await verdict("columns: { id: { unique: true, severity: warn }, tail: { nulls: 0 } }").verdict == .warned)
        let query = try await verdict("sql: [{ name: odd, rows: SELECT nothing FROM data }]")
        #expect(query.verdict == .errored)
        #expect(query.message?.contains("The check 'odd' cannot run") == true)
        let file = try await verdict("columns:\n  id: { typ: BIGINT }")
        #expect(file.verdict == .errored)
        #expect(file.message?.contains("Line 2") == true)
        #expect(file.message?.contains("'typ'") == true)
    }

    @Test(
        "a mistake in a checks file names its line and the fix",
        arguments: [
            ("columns: [a]", "Line 1"), ("rows: { min: many }", "'many'"), ("columns:\n  a: { nulls: 7 }", "Line 2"), ("sql:\n  - { name: x }", "Line 2"), (": :\n -", "YAML"),
            ("severity: harsh", "'harsh'"), ("columns:\n  a:\n    unique: perhaps", "Line 3"), ("", "empty"),
        ])
    func mistakes(text: String, mention: String) {
        let error = #expect(throws: SlipwayError.self) { try DataChecks(parsing: Array(text.utf8)) }
        #expect(error?.message.contains(mention) == true, "\(error?.message ?? "")")
        #expect(text.isEmpty || error?.remedy != nil)
    }

    @Test("work never stands on a snapshot that fails an enforced check, and rows are shown to readers only")
    func failedIsNotLatest() async throws {
        let fixture = try await SnapshotFixture()
        let prod = fixture.snapshots[.prod]!
        let good = try await fixture.take(["a.csv": Data("id,origin,delay,tail\n9,JFK,5,N1\n".utf8)], as: "flights", in: .prod)
        #expect(try await verdict("columns: { id: { unique: true } }", fixture).verdict == .failed)
        #expect(try await prod.snapshot(nil, of: "flights", project: Self.project, by: fixture.steward).id == good.id)
        let failed = try #require(try await prod.list(dataset: "flights", project: Self.project, limit: 1, by: fixture.caller(.viewer, .prod)).first)
        #expect(failed.checks.verdict == .failed)
        #expect(failed.checks.results.allSatisfy { $0.sample.isEmpty })
        let seen = try #require(try await prod.overview(project: Self.project, by: fixture.caller(.viewer, .prod)).first)
        #expect(seen.newest?.id == good.id)
        #expect(seen.refused?.id == failed.id)
        #expect(seen.refused?.checks.results.allSatisfy { $0.sample.isEmpty } == true)
    }

    @Test("checks that come after the data are asked of it, and the former outcome stays on record")
    func laterChecks() async throws {
        let fixture = try await SnapshotFixture()
        let prod = fixture.snapshots[.prod]!
        let made = try await fixture.take(["flights.csv": Self.csv], as: "flights", in: .prod)
        #expect(made.checks.verdict == .none)
        let keeper = SnapshotKeeper(snapshots: prod, refreshes: fixture.refreshes[.prod]!)
        fixture.checks.set("rows: { min: 1 }", for: "flights")
        await keeper.tick()
        #expect(try await prod.snapshot(made.id, of: "flights", project: Self.project, by: fixture.steward).checks.verdict == .passed)
        fixture.checks.set("rows: { min: 100 }", for: "flights")
        await keeper.tick()
        await keeper.tick()
        #expect(try await prod.snapshot(made.id, of: "flights", project: Self.project, by: fixture.steward).checks.verdict == .failed)
        let events = try await prod.realm.database.read { tx in try AuditStore(tx: tx).history(subject: "snapshot:\(made.id)").map(\.action) }
        #expect(events == ["snapshot.import", "snapshot.check", "snapshot.check"])
    }
}
