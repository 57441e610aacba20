import SlipwayCore
import SlipwayTestSupport
import Testing

@Suite("The search language")
struct SearchFilterTests {
    private func clauses(_ text: String, _ subject: SearchSubject = .runs) throws -> [SearchFilter.Clause] {
        try SearchFilter(parsing: text, for: subject).clauses
    }

    @Test("a filter of every shape reads as its clauses")
    func shapes() throws {
        #expect(try clauses("").isEmpty)
        #expect(try clauses("   ").isEmpty)
        #expect(try clauses("metrics.auc >= 0.5") == [.init(entity: .metric, key: "auc", comparator: .greaterOrEqual, value: .number(0.5))])
        #expect(
            try clauses("metric.`val auc`<-1e-3 and params.model like 'tree%'") == [
                .init(entity: .metric, key: "val auc", comparator: .less, value: .number(-0.001)),
                .init(entity: .param, key: "model", comparator: .like, value: .text("tree%")),
            ])
        #expect(try clauses("tags.\"a.b\" = \"x 'y'\"") == [.init(entity: .tag, key: "a.b", comparator: .equal, value: .text("x 'y'"))])
        #expect(try clauses("attributes.run_id NOT IN ('a', 'b')") == [.init(entity: .attribute, key: "run_id", comparator: .isNotIn, value: .texts(["a", "b"]))])
        #expect(try clauses("`run name` = 'x'") == [.init(entity: .attribute, key: "run_name", comparator: .equal, value: .text("x"))])
        #expect(try clauses("tag.team IS NOT NULL AND params.p is null").map(\.comparator) == [.isNotNull, .isNull])
        #expect(try clauses("dataset.context = 'train'").first?.entity == .dataset)
        #expect(try clauses("created > 5 AND status = 'x'").map(\.key) == ["start_time", "status"])
    }

    @Test(
        "what is no filter is refused with the clause",
        arguments: [
            "metrics.auc > 0.5 OR", "OR metrics.auc < 0.1", "NOT", "NOT NOT", "()", "(metrics.auc > 1", "metrics.auc > 1)", "metrics.auc > 1 metrics.auc < 2",
            "run_id IN ('a',,'b')", "run_id IN (,)", "metrics.auc IN ('a')", "metrics.auc IN (1, 'a')", "params.p IN ('a')", "params.p IN (1, 'a')",
            "params.p LIKE 1", "experiment_id = '0'", "lifecycle_stage = 'active'", "metrics.auc IS NULL", "metrics.auc", "metrics.auc >", "metrics.auc = '0.5'",
            "metrics.auc LIKE 'x'", "params.p > '1'",
            "tags.t = 1", "tags.t = 'open", "metrics.auc > 1 AND", "AND", "metrics. = 1", "nothing.at = 'all'", "unknown = 'x'",
            "run_id IN ()", "run_id IN ('a'", "run_id IN (1)", "status IN ('x')", "metrics.auc > 1; DROP TABLE run", "tags.t IS 'x'", "tags.t NOT 'x'",
            "dataset.size = 'x'", "Status = 'x'", "metrics.auc = NaN", "params.`p = 'x'",
        ])
    func refused(_ text: String) {
        #expect(throws: SlipwayError.self) { try clauses(text) }
    }

    @Test("OR, NOT, parentheses, lists of numbers and numbers for params read as they are meant")
    func superset() throws {
        let read = { (text: String) in try SearchFilter(parsing: text, for: .runs).expression }
        let auc = { (comparator: SearchComparator, number: Double) in
            SearchFilter.Expression.clause(.init(entity: .metric, key: "auc", comparator: comparator, value: .number(number)))
        }
        #expect(try read("metrics.auc > 1 OR metrics.auc < 2 AND metrics.auc = 3") == .any([auc(.greater, 1), .all([auc(.less, 2), auc(.equal, 3)])]))
        #expect(try read("(metrics.auc > 1 or metrics.auc < 2) and metrics.auc = 3") == .all([.any([auc(.greater, 1), auc(.less, 2)]), auc(.equal, 3)]))
        #expect(try read("NOT metrics.auc > 1 AND metrics.auc = 3") == .all([.not(auc(.greater, 1)), auc(.equal, 3)]))
        #expect(try read("not (not ((metrics.auc > 1)))") == .not(.not(auc(.greater, 1))))
        #expect(try clauses("metrics.auc IN (1, 2.5) AND start_time NOT IN (5)").map(\.value) == [.numbers([1, 2.5]), .numbers([5])])
        #expect(try clauses("params.lr >= 1e-3 AND params.n NOT IN (1,2)").map(\.value) == [.number(0.001), .numbers([1, 2])])
        #expect(try clauses("run_id IN ('a',)").map(\.value) == [.texts(["a"])])
    }

    @Test("depth and length have a bound")
    func bounds() {
        let deep = String(repeating: "(", count: 5000) + "metrics.a > 1" + String(repeating: ")", count: 5000)
        let negated = String(repeating: "NOT ", count: 5000) + "metrics.a > 1"
        let long = Array(repeating: "metrics.a > 1", count: 101).joined(separator: " OR ")
        for text in [deep, negated, long, String(repeating: "a", count: 100_000)] { #expect(throws: SlipwayError.self) { try clauses(text) } }
    }

    @Test("each searched thing has its own keys")
    func subjects() throws {
        #expect(try clauses("name ILIKE 'Fl%' AND creation_time > 5", .experiments).count == 2)
        #expect(try clauses("name IN ('a') AND version_number >= 2 AND tags.`x` != 'y'", .modelVersions).count == 3)
        #expect(try clauses("metrics.auc > 0.5 AND creation_time > 1", .loggedModels).map(\.key) == ["auc", "creation_timestamp"])
        #expect(throws: SlipwayError.self) { try clauses("metrics.auc > 1", .experiments) }
        #expect(throws: SlipwayError.self) { try clauses("version_number > 1", .registeredModels) }
        #expect(throws: SlipwayError.self) { try clauses("dataset.name = 'x'", .loggedModels) }
    }

    @Test("an order reads, with its direction")
    func orders() throws {
        #expect(try SearchOrder(parsing: "metrics.`val auc` DESC", for: .runs) == SearchOrder(entity: .metric, key: "val auc", isAscending: false))
        #expect(try SearchOrder(parsing: "start_time", for: .runs).isAscending)
        #expect(try SearchOrder(parsing: "timestamp asc", for: .registeredModels).key == "last_updated_timestamp")
        for text in ["", "metrics.auc DOWN", "metrics.auc DESC DESC", "dataset.name", "nothing", "auc > 1"] {
            #expect(throws: SlipwayError.self) { try SearchOrder(parsing: text, for: .runs) }
        }
        #expect(throws: SlipwayError.self) { try SearchOrder.list(parsing: ["metrics.a DESC", "metric.a ASC"], for: .runs) }
        #expect(throws: SlipwayError.self) { try SearchOrder(parsing: "tags.x", for: .experiments) }
    }

    @Test("what is written out reads back the same", arguments: [UInt64.random(in: 0...UInt64.max), 7, 20_251])
    func roundTrip(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            let clauses = (0..<Int.random(in: 1...5, using: &random)).map { _ in Self.clause(&random) }
            let text = clauses.map { Self.spelled($0, &random) }.joined(separator: Bool.random(using: &random) ? " AND " : "\n and\t")
            let read = try SearchFilter(parsing: text, for: .runs).clauses
            #expect(read == clauses, "seed \(seed): \(text)")
        }
    }

    @Test("nothing that is typed traps the parser", arguments: [UInt64.random(in: 0...UInt64.max), 3])
    func noise(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let pieces = [
            "metrics", ".", "`", "'", "\"", "a", " ", "=", "!=", ">", "IN", "NOT", "(", ")", ",", "1", "-", "e5", "AND", "OR", "NOT ", "IS", "NULL", "é", "\u{0}", "😀", ";",
        ]
        var refused = 0
        for _ in 0..<2000 {
            let text = (0..<Int.random(in: 0...12, using: &random)).map { _ in pieces.randomElement(using: &random)! }.joined()
            do { _ = try SearchFilter(parsing: text, for: .runs) } catch { refused += 1 }
            do { _ = try SearchOrder(parsing: text, for: .loggedModels) } catch { refused += 1 }
        }
        #expect(refused > 2000, "seed \(seed)")
    }

    private static func clause(_ random: inout SeededGenerator) -> SearchFilter.Clause {
        let keys = ["auc", "val auc", "a.b/c", "Ümlaut", "x-y", "it's", "quote\"d", "1st"]
        let key = keys.randomElement(using: &random)!
        let text = ["", "x", "it's", "50%_", "\"", "AND", "日本", "a''b"].randomElement(using: &random)!
        switch Int.random(in: 0..<5, using: &random) {
        case 0:
            let comparator = [SearchComparator.equal, .notEqual, .greater, .greaterOrEqual, .less, .lessOrEqual].randomElement(using: &random)!
            return .init(entity: .metric, key: key, comparator: comparator, value: .number(Double(Int.random(in: -1000...1000, using: &random)) / 8))
        case 1: return .init(entity: .param, key: key, comparator: [.equal, .notEqual, .like, .iLike].randomElement(using: &random)!, value: .text(text))
        case 2: return .init(entity: .tag, key: key, comparator: [.isNull, .isNotNull].randomElement(using: &random)!, value: .none)
        case 3: return .init(entity: .attribute, key: "run_id", comparator: [.isIn, .isNotIn].randomElement(using: &random)!, value: .texts([text, "b"]))
        default: return .init(entity: .dataset, key: "name", comparator: .equal, value: .text(text))
        }
    }

    private static func spelled(_ clause: SearchFilter.Clause, _ random: inout SeededGenerator) -> String {
        let quoted = { (text: String) in "'" + text.replacing("'", with: "''") + "'" }
        let plural = Bool.random(using: &random) && clause.entity != .attribute ? "s" : ""
        let isBare = clause.key.allSatisfy { $0.isLetter || $0 == "_" }
        let key = isBare && Bool.random(using: &random) ? clause.key : "`" + clause.key.replacing("`", with: "``") + "`"
        let identifier = "\(clause.entity.rawValue)\(plural).\(key)"
        let value =
            switch clause.value {
            case .none: ""
            case .numbers(let numbers): "(" + numbers.map { "\($0)" }.joined(separator: ", ") + ")"
            case .text(let text): quoted(text)
            case .number(let number): "\(number)"
            case .texts(let texts): "(" + texts.map(quoted).joined(separator: " ,") + ")"
            }
        return "\(identifier) \(clause.comparator.rawValue) \(value)"
    }
}

@Suite("The MLmodel file")
struct MLmodelFileTests {
    @Test("a signature is read although it is folded over lines")
    func folded() {
        let text = """
            artifact_path: mlflow-artifacts:/1/models/m-1/artifacts
            flavors:
              python_function:
                loader_module: mlflow.sklearn
            mlflow_version: 3.17.2
            signature:
              inputs: '[{"type": "double", "name": "distance", "required": true}, {"type":
                "string", "name": "it''s", "required": true}]'
              outputs: '[{"type": "long", "required": true}]'
              params: null
            utc_time_created: '2026-01-01'
            """
        let signature = MLmodelFile.signature(in: text)
        #expect(signature?["inputs"]?.array?.count == 2)
        #expect(signature?["inputs"]?.array?[1]["name"]?.string == "it's")
        #expect(signature?["inputs"]?.array?[1]["type"]?.string == "string")
        #expect(signature?["outputs"]?.array?.count == 1)
        #expect(signature?["params"] == nil)
    }

    @Test("a model without a signature has none", arguments: ["", "flavors: {}\n", "signature:\n", "signature:\n  inputs: 'not json'\n", "signature:\n  inputs: '[1"])
    func none(_ text: String) {
        #expect(MLmodelFile.signature(in: text) == nil)
    }
}
