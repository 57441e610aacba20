import Foundation
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Testing

@Suite("Audit chain")
struct AuditTests {
    private static let tamper = Statement("test.tamper", "UPDATE audit_event SET actor = 'user:mallory' WHERE seq = :seq")
    private static let remove = Statement("test.remove", "DELETE FROM audit_event WHERE seq = :seq")

    private func chain(_ length: Int) async throws -> TestRealm {
        let realm = try await TestRealm()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<length {
                group.addTask {
                    _ = try await realm.database.write { tx in
                        try AuditStore(tx: tx).append(
                            "test.done", subject: "thing:\(index % 3)", by: .user(UserName(unchecked: "ada")), at: Timestamp(milliseconds: 5),
                            details: ["index": .integer(Int64(index))])
                    }
                }
            }
            try await group.waitForAll()
        }
        return realm
    }

    @Test("concurrent writers make one chain without gaps, and it verifies")
    func verifies() async throws {
        let realm = try await chain(50)
        let (count, broken) = try await realm.database.read { tx in try AuditStore(tx: tx).verify() }
        #expect(count == 50 && broken == nil)
        let history = try await realm.database.read { tx in try AuditStore(tx: tx).history(subject: "thing:1") }
        #expect(history.count == 17 && history.map(\.seq) == history.map(\.seq).sorted())
    }

    @Test("a changed and a removed event are found where they are", arguments: [Self.tamper, Self.remove].map(\.name))
    func tampering(statement: String) async throws {
        let realm = try await chain(20)
        let change = statement == Self.tamper.name ? Self.tamper : Self.remove
        try await realm.database.write { tx in _ = try tx.run(change, ["seq": 7]) }
        let broken = try await realm.database.read { tx in try AuditStore(tx: tx).verify().broken }
        #expect(broken == 7)
    }

    @Test("a change that fails leaves no event")
    func sameTransaction() async throws {
        let realm = try await chain(1)
        await #expect(throws: SlipwayError.self) {
            try await realm.database.write { tx in
                try AuditStore(tx: tx).append("test.half", subject: "thing", by: .anonymous, at: Timestamp(milliseconds: 5))
                throw SlipwayError.invalid("changed its mind")
            }
        }
        #expect(try await realm.database.read { tx in try AuditStore(tx: tx).list() }.count == 1)
    }
}

@Suite("Words and times")
struct SpellingTests {
    @Test("a duration reads back what it spelled")
    func durations() throws {
        var random = SeededGenerator(seed: 42)
        for _ in 0..<500 {
            let value = Duration.milliseconds(Int64.random(in: 0..<10_000_000_000, using: &random))
            #expect(try Duration(parsing: value.spelled) == value, "seed 42")
        }
        for text in ["", "5", "h", "-1h", "1.5h", "99999999999h", "1 h"] { #expect(throws: SlipwayError.self) { try Duration(parsing: text) } }
    }

    @Test("a time reads back what it spelled, and accepts a bare day")
    func timestamps() throws {
        var random = SeededGenerator(seed: 43)
        for _ in 0..<500 {
            let value = Timestamp(milliseconds: Int64.random(in: -1_000_000_000..<4_000_000_000_000, using: &random))
            #expect(try Timestamp(parsing: value.iso8601) == value, "seed 43")
        }
        #expect(try Timestamp(parsing: "2013-03-03").iso8601 == "2013-03-03T00:00:00.000Z")
        #expect(throws: SlipwayError.self) { try Timestamp(parsing: "yesterday") }
    }

    @Test("names that could leave a folder or an address are refused", arguments: ["", "A", "a/b", "../a", "-a", "a-", "a\0", "ä", String(repeating: "a", count: 64)])
    func names(text: String) {
        #expect(ProjectName(rawValue: text) == nil)
        #expect(throws: SlipwayError.self) { try SlotName(parsing: text) }
    }
}
