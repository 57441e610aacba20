import SlipwayCore
import SlipwayTestSupport
import Testing

@Suite("Filters of traces")
struct TraceFilterTests {
    @Test("MLflow's identifiers are read, and its aliases mean the same")
    func identifiers() throws {
        let same = [("timestamp > 5", "attributes.timestamp_ms > 5"), ("trace.status = 'OK'", "status = 'OK'"), ("tags.a = 'b'", "tag.`a` = \"b\"")]
        for (one, other) in same { #expect(try TraceFilter(parsing: one) == TraceFilter(parsing: other), "\(one) / \(other)") }
        #expect(try TraceFilter(parsing: "name = 'x'") == .clause(.init(.tag("mlflow.traceName"), .equal, .text("x"))))
        #expect(try TraceFilter(parsing: "span.attributes.llm.model LIKE '%4%'") == .clause(.init(.span(.attribute("llm.model")), .like, .text("%4%"))))
        #expect(try TraceFilter(parsing: "feedback.good >= 0.5") == .clause(.init(.assessment(.feedback, "good"), .greaterOrEqual, .number(0.5))))
        #expect(try TraceFilter(parsing: "  ") == .all([]))
    }

    @Test("clauses may be joined by AND and OR, negated and put in parentheses")
    func superset() throws {
        let (a, b) = (TraceFilter.clause(.init(.status, .equal, .text("OK"))), TraceFilter.clause(.init(.issue, .equal, .text("7"))))
        #expect(try TraceFilter(parsing: "status = 'OK' or NOT (issue.id = '7' and status = 'OK')") == .any([a, .not(.all([b, a]))]))
    }

    @Test(
        "what makes no sense is refused, with its text",
        arguments: [
            "status", "status =", "status = OK", "status = 'OK' AND", "timestamp LIKE '5'", "timestamp > 'five'", "prompt LIKE 'a'", "prompt = 'a'", "prompt = 'a/1/b'",
            "nothing = 'x'", "metrics.a = 'x'", "span.colour = 'x'", "span.attributes. = 'x'", "span.attributes.$a = 'x'", "span.content = 'x'", "issue.name = 'x'",
            "tags.a RLIKE '('", "tags.a RLIKE '(?=a)'", "request_id IN ()", "request_id IN (1)", "(status = 'OK'", "status = 'OK')", "status = 'OK", "; DROP TABLE trace",
            "status = 'a' UNION SELECT 1", String(repeating: "(", count: 100) + "status = 'OK'" + String(repeating: ")", count: 100),
            String(repeating: "NOT ", count: 100) + "status = 'OK'",
        ])
    func refusals(filter: String) {
        let error = #expect(throws: SlipwayError.self) { try TraceFilter(parsing: filter) }
        #expect(error?.code == .invalidArgument)
    }

    @Test("no text crashes the parser")
    func hostileTexts() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        let pieces = [
            "status", "tag.", "`a b`", "'x'", "\"", "'", "`", "=", "!=", "<", "(", ")", "AND", "or", "NOT", "IN", "LIKE", "RLIKE", "IS", "NULL", "5", "-", "e9", ";", "\u{0}", "é",
            "%", ",", "span.attributes.",
        ]
        for _ in 0..<3000 {
            let text = (0..<Int.random(in: 0..<12, using: &generator)).map { _ in pieces.randomElement(using: &generator)! }.joined(
                separator: Bool.random(using: &generator) ? " " : "")
            do { _ = try TraceFilter(parsing: text) } catch let error as SlipwayError {
                #expect(error.code == .invalidArgument, "seed \(seed): \(text)")
            } catch { Issue.record("seed \(seed): \(text): \(error)") }
        }
    }

    @Test("orders are read; the same field twice is refused")
    func orders() throws {
        #expect(
            try TraceOrder.list(parsing: ["timestamp_ms DESC", "tags.`a b`", "name asc"]) == [
                TraceOrder(.timestamp, isAscending: false), TraceOrder(.tag("a b"), isAscending: true), TraceOrder(.tag("mlflow.traceName"), isAscending: true),
            ])
        for wrong in [["timestamp", "timestamp_ms DESC"], ["span.name"], ["timestamp; DROP"], ["feedback.x"], [""]] {
            #expect(throws: SlipwayError.self) { try TraceOrder.list(parsing: wrong) }
        }
    }
}

@Suite("Regular expressions for searches")
struct RegularPatternTests {
    @Test(
        "what is found is what everybody finds",
        arguments: [
            ("^gpt", "gpt-4", true), ("^gpt", "a gpt", false), ("4$", "gpt-4", true), ("v[0-9]+\\.[0-9]", "is v12.3", true), ("(a|bc)+d", "xxbcad", true), ("a.c", "a\nc", false),
            ("colou?r", "color", true), ("a{2,3}b", "ab", false), ("a{2,3}b", "aaab", true), ("[^a-c]", "abc", false), ("\\bcat\\b", "a cat!", true),
            ("\\bcat\\b", "concat", false),
            ("(?i)ÄRGER", "ärger", true), ("", "anything", true), ("x*", "", true), ("[]a]", "]", true), ("\\d\\D\\w\\W\\s\\S", "1aa- b", true), ("a|", "z", true),
            ("{", "{", true),
        ])
    func found(pattern: String, text: String, isFound: Bool) throws {
        #expect(try RegularPattern(pattern).isFound(in: text) == isFound)
    }

    @Test("what takes others for ever is quick here")
    func catastrophes() throws {
        let text = String(repeating: "a", count: 20_000) + "!"
        for pattern in ["(a+)+$", "(a|a)+$", "(a*)*b", "(.*a){20}$"] { #expect(try !RegularPattern(pattern).isFound(in: text)) }
    }

    @Test("what cannot be searched for is refused", arguments: ["(", ")", "[", "a{9,2}", "*", "\\1", "(?=a)", "(?P<n>a)", "[z-a]", "\\", "((a{500}){500}){500}"])
    func refusals(pattern: String) {
        #expect(throws: SlipwayError.self) { try RegularPattern(pattern) }
    }
}

@Suite("Numbers over traces")
struct TraceMetricsTests {
    @Test("a percentile lies between its neighbours")
    func percentiles() {
        var group = TraceMetricsGroup()
        for value in [4.0, 1, 3, 2] { group.add(value, keepsValues: true) }
        #expect(group.results([.percentile(50), .percentile(0), .percentile(100), .average, .sum, .count, .least, .most]) == [2.5, 1, 4, 2.5, 10, 4, 1, 4])
    }

    @Test("correlation is −1 never, 1 always together, and not a number for nothing")
    func correlations() {
        #expect(TraceCorrelation(one: 5, other: 5, both: 0, all: 10).npmi == -1)
        #expect(abs(TraceCorrelation(one: 5, other: 5, both: 5, all: 10).npmi - 1) < 1e-9)
        #expect(abs(TraceCorrelation(one: 5, other: 4, both: 2, all: 10).npmi) < 1e-9)
        #expect(TraceCorrelation(one: 0, other: 4, both: 0, all: 10).npmi.isNaN)
    }
}
