import SlipwayCore
import SlipwaySQL

extension TraceStore {
    /// - Parameter experiments: those to look in; none of them gives an empty page.
    package func search(
        _ filter: TraceFilter, orderBy orders: [TraceOrder] = [], experiments: [String], limit: Int, offset: Int = 0
    ) throws -> SearchPage<Trace> {
        guard !experiments.isEmpty else { return SearchPage(items: [], hasMore: false) }
        var search = TraceSQL()
        let condition = search.condition(filter, experiments: experiments)
        let statement = Statement(
            "trace.search", "\(Self.select) WHERE \(condition) ORDER BY \(search.order(orders)) LIMIT \(search.bind(.integer(limit + 1))) OFFSET \(search.bind(.integer(offset)))")
        return SearchPage(rows: try tx.all(statement, search.values).map(Self.trace), limit: limit)
    }

    /// How many traces fulfil each of two filters, and both.
    /// - Parameter base: what is counted at all.
    package func correlation(_ one: TraceFilter, _ other: TraceFilter, base: TraceFilter, experiments: [String]) throws -> TraceCorrelation {
        guard !experiments.isEmpty else { return TraceCorrelation(one: 0, other: 0, both: 0, all: 0) }
        var search = TraceSQL()
        let (first, second) = (search.condition(one), search.condition(other))
        let statement = Statement(
            "trace.correlation",
            """
            SELECT COUNT(*) AS everything, COALESCE(SUM(a), 0) AS one, COALESCE(SUM(b), 0) AS other, COALESCE(SUM(a * b), 0) AS both_of FROM (
                SELECT CASE WHEN \(first) THEN 1 ELSE 0 END AS a, CASE WHEN \(second) THEN 1 ELSE 0 END AS b
                FROM trace t WHERE \(search.condition(base, experiments: experiments))
            ) c
            """)
        let row = try tx.first(statement, search.values)!
        return TraceCorrelation(one: row.int("one"), other: row.int("other"), both: row.int("both_of"), all: row.int("everything"))
    }
}

/// Puts the conditions of a trace search together out of fixed fragments over `trace t`. Everything that a caller wrote is bound, never pasted.
struct TraceSQL {
    private(set) var values: [String: SQLValue] = [:]

    mutating func bind(_ value: SQLValue) -> String {
        let name = "p\(values.count)"
        values[name] = value
        return ":\(name)"
    }

    mutating func bind(list: [SQLValue]) -> String { "(" + list.map { bind($0) }.joined(separator: ", ") + ")" }

    mutating func condition(_ filter: TraceFilter, experiments: [String]) -> String {
        let numbers = experiments.compactMap { Int64($0) }.map { SQLValue.integer($0) }
        let place = numbers.count == 1 ? "= \(bind(numbers[0]))" : "IN \(bind(list: numbers))"
        return "t.experiment_id \(place) AND \(condition(filter))"
    }

    mutating func condition(_ filter: TraceFilter) -> String {
        switch filter {
        case .all(let parts):
            var fragments: [String] = []
            var spans: [TraceFilter.Clause] = []
            for part in parts {
                if case .clause(let clause) = part, case .span = clause.field { spans.append(clause) } else { fragments.append(condition(part)) }
            }
            if !spans.isEmpty { fragments.append(span(spans)) }
            return fragments.isEmpty ? "1 = 1" : "(" + fragments.joined(separator: " AND ") + ")"
        case .any(let parts): return "(" + parts.map { condition($0) }.joined(separator: " OR ") + ")"
        // What is neither true nor false (a comparison with NULL) does not hold, so its negation does.
        case .not(let part): return "((\(condition(part))) IS NOT TRUE)"
        case .clause(let clause): return "(\(condition(clause)))"
        }
    }

    private mutating func condition(_ clause: TraceFilter.Clause) -> String {
        switch clause.field {
        case .requestID: return test("t.id", clause)
        case .clientRequestID: return test("t.client_request_id", clause)
        case .experiment: return test("CAST(t.experiment_id AS TEXT)", clause)
        case .status: return test("t.state", clause)
        case .timestamp: return test("t.requested_at_ms", clause)
        case .executionTime: return test("t.duration_ms", clause)
        case .endTime: return test(Self.endTime, clause)
        case .tag(let key): return pair("trace_tag", key, clause)
        case .metadata(let key): return pair("trace_metadata", key, clause)
        case .run: return run(clause)
        case .prompt: return "t.id IN (SELECT e.trace_id FROM trace_prompt e WHERE \(test("e.prompt", clause)))"
        case .span: return span([clause])
        case .assessment(let kind, let name): return assessment(kind, name, clause)
        case .issue:
            return "EXISTS (SELECT 1 FROM assessment a WHERE a.trace_no = t.no AND a.kind = 'issue' AND \(test("a.name", clause)))"
        }
    }

    private static let endTime = "t.requested_at_ms + COALESCE(t.duration_ms, 0)"

    private mutating func pair(_ table: String, _ key: String, _ clause: TraceFilter.Clause) -> String {
        let isAbsence = clause.comparator == .isNull
        let body = "SELECT 1 FROM \(table) e WHERE e.trace_no = t.no AND e.key = \(bind(.text(key)))"
        if isAbsence || clause.comparator == .isNotNull { return "\(isAbsence ? "NOT " : "")EXISTS (\(body))" }
        return "EXISTS (\(body) AND \(test("e.value", clause)))"
    }

    /// A trace belongs to the run that made it and to those that it was linked to.
    private mutating func run(_ clause: TraceFilter.Clause) -> String {
        guard clause.comparator == .equal || clause.comparator == .isIn else { return pair("trace_metadata", TraceKey.sourceRun, clause) }
        // In parentheses by `condition`, like every clause.
        return """
            t.id IN (SELECT e.trace_id FROM trace_run e WHERE \(test("e.run_id", clause)))
                OR t.no IN (SELECT e.trace_no FROM trace_metadata e WHERE e.key = 'mlflow.sourceRun' AND \(test("e.value", clause)))
            """
    }

    /// All of the clauses on one span.
    private mutating func span(_ clauses: [TraceFilter.Clause]) -> String {
        let tests = clauses.map { clause -> String in
            guard case .span(let field) = clause.field else { preconditionFailure("only spans come here") }
            switch field {
            case .name: return test("s.name", clause)
            case .type: return test("s.type", clause)
            case .status: return test("s.status", clause)
            case .content: return "(\(["s.name", "s.attributes", "s.events"].map { test($0, clause) }.joined(separator: " OR ")))"
            case .attribute(let key): return test("CAST((s.attributes ->> \(bind(.text(key)))) AS TEXT)", clause)
            }
        }
        return "EXISTS (SELECT 1 FROM span s WHERE s.trace_no = t.no AND \(tests.joined(separator: " AND ")))"
    }

    /// Made of the trace itself, or of a whole session that it is part of.
    private mutating func assessment(_ kind: Assessment.Kind, _ name: String, _ clause: TraceFilter.Clause) -> String {
        var body = "a.kind = '\(kind.rawValue)' AND a.name = \(bind(.text(name))) AND a.is_valid = 1"
        if clause.comparator != .isNull, clause.comparator != .isNotNull { body += " AND \(valueTest(clause))" }
        let found = """
            (EXISTS (SELECT 1 FROM assessment a WHERE a.trace_no = t.no AND \(body)) OR EXISTS (
                SELECT 1 FROM trace_metadata m
                JOIN trace_metadata o ON o.key = 'mlflow.trace.session' AND o.value = m.value
                JOIN assessment a ON a.trace_no = o.trace_no AND a.is_of_session = 1
                WHERE m.trace_no = t.no AND m.key = 'mlflow.trace.session' AND \(body)))
            """
        return clause.comparator == .isNull ? "NOT \(found)" : found
    }

    /// Values are kept as JSON: a text in quotes, everything else as it is.
    private mutating func valueTest(_ clause: TraceFilter.Clause) -> String {
        switch (clause.comparator, clause.value) {
        case (.equal, .text(let text)), (.notEqual, .text(let text)):
            let list = bind(list: [.text(text), .text(JSONValue.string(text).text())])
            return "a.value \(clause.comparator == .equal ? "IN" : "NOT IN") \(list)"
        case (_, .number): return test("a.number", clause)
        default: return test("a.value", clause)
        }
    }

    private mutating func test(_ expression: String, _ clause: TraceFilter.Clause) -> String {
        switch (clause.comparator, clause.value) {
        case (.isIn, .texts(let list)): return "\(expression) IN \(bind(list: list.map { .text($0) }))"
        case (.isNotIn, .texts(let list)): return "\(expression) NOT IN \(bind(list: list.map { .text($0) }))"
        case (.like, .text(let pattern)): return "\(expression) LIKE \(bind(.text(pattern)))"
        // Both sides through the database's own LOWER, so that they agree about letters.
        case (.iLike, .text(let pattern)): return "LOWER(\(expression)) LIKE LOWER(\(bind(.text(pattern))))"
        case (.rLike, .text(let pattern)): return "\(expression) REGEXP \(bind(.text(pattern)))"
        case (let comparator, .text(let text)): return "\(expression) \(Self.operators[comparator]!) \(bind(.text(text)))"
        case (let comparator, .number(let number)): return "\(expression) \(Self.operators[comparator]!) \(bind(.real(number)))"
        case (_, .none), (_, .texts), (_, .numbers): preconditionFailure("the grammar gives \(clause.comparator) another value")
        }
    }

    private static let operators: [SearchComparator: String] = [
        .equal: "=", .notEqual: "<>", .greater: ">", .greaterOrEqual: ">=", .less: "<", .lessOrEqual: "<=",
    ]

    /// Rows that lack the key come last in both directions; then the newest first.
    mutating func order(_ orders: [TraceOrder]) -> String {
        var fragments = orders.map { order -> String in
            let direction = order.isAscending ? "ASC" : "DESC"
            let column = column(order.field)
            return "CASE WHEN \(column) IS NULL THEN 1 ELSE 0 END, \(column) \(direction)"
        }
        // Written so that the index of the experiment's traces can be read in its order.
        if orders.first?.field == .timestamp { fragments[0] = "t.requested_at_ms \(orders[0].isAscending ? "ASC" : "DESC")" }
        if !orders.contains(where: { $0.field == .timestamp }) { fragments.append("t.requested_at_ms DESC") }
        if !orders.contains(where: { $0.field == .requestID }) { fragments.append("t.id") }
        return fragments.joined(separator: ", ")
    }

    private mutating func column(_ field: TraceField) -> String {
        switch field {
        case .requestID: return "t.id"
        case .clientRequestID: return "t.client_request_id"
        case .experiment: return "t.experiment_id"
        case .status: return "t.state"
        case .timestamp: return "t.requested_at_ms"
        case .executionTime: return "t.duration_ms"
        case .endTime: return Self.endTime
        case .tag(let key): return "(SELECT e.value FROM trace_tag e WHERE e.trace_no = t.no AND e.key = \(bind(.text(key))))"
        case .metadata(let key): return "(SELECT e.value FROM trace_metadata e WHERE e.trace_no = t.no AND e.key = \(bind(.text(key))))"
        case .run: return "(SELECT e.value FROM trace_metadata e WHERE e.trace_no = t.no AND e.key = 'mlflow.sourceRun')"
        case .prompt, .span, .assessment, .issue: preconditionFailure("the grammar does not sort by \(field)")
        }
    }
}
