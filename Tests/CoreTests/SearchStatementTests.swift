import SlipwayCore
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Testing

@Suite("A search's statement")
struct SearchStatementTests {
    /// Four runs: `a` and `b` with metric, param and tag, `c` with words where numbers are expected, `d` with nothing.
    private func realm() async throws -> TestRealm {
        let realm = try await TestRealm()
        let at = Timestamp(milliseconds: 1)
        try await realm.database.write { tx in
            try ExperimentStore(tx: tx).ensureDefault(at: at)
            let store = RunStore(tx: tx)
            for (id, auc, depth, team) in [("a", 0.5, "3", "red"), ("b", 0.9, "10", "blue")] {
                let run = try store.create(experiment: "0", name: id, user: "", tags: ["team": team], at: at, id: id)
                try store.log([MetricPoint(key: "auc", value: auc, timestamp: 1, step: 0)], of: run)
                _ = try store.logParam("depth", depth, of: run)
            }
            let words = try store.create(experiment: "0", name: "c", user: "", tags: [:], at: at, id: "c")
            _ = try store.logParam("depth", "deep", of: words)
            _ = try store.create(experiment: "0", name: "d", user: "", tags: [:], at: at, id: "d")
        }
        return realm
    }

    private func search(_ filter: String, in realm: TestRealm) async throws -> String {
        try await realm.database.read { tx in
            try RunStore(tx: tx).search(SearchFilter(parsing: filter, for: .runs), experiments: ["0"], limit: 100).items.map(\.id).sorted().joined()
        }
    }

    @Test(
        "logic and numbers mean what they say",
        arguments: [
            ("metrics.auc > 0.8 OR params.depth = 'deep'", "bc"), ("NOT metrics.auc > 0.8", "acd"), ("NOT (metrics.auc > 0.8 OR tags.team = 'red')", "cd"),
            ("(tags.team = 'red' OR tags.team = 'blue') AND metrics.auc < 0.8", "a"), ("tags.team = 'red' OR tags.team = 'blue' AND metrics.auc < 0.8", "a"),
            ("params.depth > 5", "b"), ("params.depth < 5", "a"), ("params.depth != 3", "b"), ("params.depth = 3.0", "a"), ("params.depth IN (3, 10)", "ab"),
            ("params.depth NOT IN (3)", "b"), ("params.depth > '0' OR run_id = 'd'", "!"), ("params.depth = '3'", "a"), ("metrics.auc IN (0.5, 0.7)", "a"),
            ("metrics.auc NOT IN (0.5)", "b"), ("end_time > 0", ""), ("NOT end_time > 0", "abcd"), ("", "abcd"), ("NOT tags.team IS NULL", "ab"),
            ("NOT NOT run_id = 'a'", "a"),
        ])
    func logic(_ filter: String, _ expected: String) async throws {
        let realm = try await realm()
        if expected == "!" {
            await #expect(throws: SlipwayError.self) { try await search(filter, in: realm) }
        } else {
            #expect(try await search(filter, in: realm) == expected, "\(filter)")
        }
    }

    @Test("whatever is typed is refused or runs as a search, and changes nothing", arguments: [UInt64.random(in: 0...UInt64.max), 11])
    func hostile(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let realm = try await realm()
        let texts = [
            "'; DROP TABLE run; --", "' OR '1'='1", "x' UNION SELECT secret FROM identity --", ":p0", "?1", "{key}", "{test}", "\0", "\\'", "%", "_", "日本", "\"", "`",
            "));DELETE FROM run WHERE((1=1",
        ]
        let words = ["metrics", "params", "tags", "auc", "AND", "OR", "NOT", "IN", "(", ")", "=", ">", "1", "1e309", "-0", "'red'", ",", "run_id", "SELECT", ";", "--", "/*"]
        let operators = ["=", "!=", "LIKE", "ILIKE"]
        var ran = 0
        for round in 0..<400 {
            var filter: String
            if round % 2 == 0 {
                let text = texts.randomElement(using: &random)! + texts.randomElement(using: &random)!
                let key = texts.randomElement(using: &random)!.replacing("`", with: "``")
                let entity = ["params", "tags", "datasets"].randomElement(using: &random)!
                filter = "\(entity).`\(entity == "datasets" ? "name" : key)` \(operators.randomElement(using: &random)!) '\(text.replacing("'", with: "''"))'"
                if Bool.random(using: &random) { filter = "NOT (\(filter)) OR \(filter) AND (\(filter))" }
            } else {
                filter = (0..<Int.random(in: 1...10, using: &random)).map { _ in (words + texts).randomElement(using: &random)! }.joined(separator: " ")
            }
            do {
                _ = try await search(filter, in: realm)
                ran += 1
            } catch let error as SlipwayError {
                #expect(error.code == .invalidArgument, "seed \(seed): \(filter): \(error)")
            }
        }
        #expect(ran >= 200, "seed \(seed)")
        #expect(try await search("", in: realm) == "abcd")
    }
}
