import SlipwayCore
import SlipwaySQL

/// Puts a search's statement together out of fixed fragments. Everything that a caller wrote is bound, never pasted.
struct SearchSQL {
    /// What a searched table offers: column expressions by attribute key, and a fragment per entity.
    struct Table: Sendable {
        /// attribute key → SQL expression over the searched row
        var columns: [String: String]
        /// entity → how its rows are found: an `EXISTS` body with `{key}` for the bound key, `{test}` for the comparison
        /// of `e.value`.
        var exists: [SearchEntity: String]
        /// entity → a scalar subquery for sorting with `{key}`; for metrics another that yields `is_nan`.
        var scalar: [SearchEntity: String]
        var scalarIsNaN: String?
        /// attribute keys whose column always has a value, so that sorting by it can follow an index
        var filled: Set<String> = []
        /// dataset key → expression inside `exists[.dataset]`
        var datasetExpressions: [String: String] = [:]
    }

    private(set) var table: Table
    private(set) var values: [String: SQLValue] = [:]
    private var count = 0
    private var conditions: [String] = []
    private var orders: [String] = []

    init(table: Table) { self.table = table }

    /// The same search over another table; what is bound stays bound.
    func with(_ table: Table) -> SearchSQL {
        var copy = self
        copy.table = table
        return copy
    }

    mutating func bind(_ value: SQLValue) -> String {
        let name = "p\(count)"
        count += 1
        values[name] = value
        return ":\(name)"
    }

    mutating func bind(list: [SQLValue]) -> String {
        "(" + list.map { bind($0) }.joined(separator: ", ") + ")"
    }

    /// Adds a condition of our own; `fragment` is a literal of the calling store.
    mutating func require(_ fragment: String) { conditions.append(fragment) }

    mutating func require(_ filter: SearchFilter) {
        for part in filter.conjuncts { require(part) }
    }

    mutating func require(_ part: SearchFilter.Expression) { conditions.append(condition(part)) }

    private mutating func condition(_ expression: SearchFilter.Expression) -> String {
        switch expression {
        case .clause(let clause): return condition(clause)
        case .all(let parts) where parts.isEmpty: return "1 = 1"
        case .any(let parts) where parts.isEmpty: return "1 = 0"
        case .all(let parts): return "(" + parts.map { condition($0) }.joined(separator: " AND ") + ")"
        case .any(let parts): return "(" + parts.map { condition($0) }.joined(separator: " OR ") + ")"
        // What is neither true nor false (a comparison with NULL) does not hold, so its negation does.
        case .not(let part): return "((\(condition(part))) IS NOT TRUE)"
        }
    }

    private mutating func condition(_ clause: SearchFilter.Clause) -> String {
        switch clause.entity {
        case .attribute:
            guard let column = table.columns[clause.key] else { preconditionFailure("the grammar knows '\(clause.key)', the table does not") }
            return test(column, clause)
        case .metric, .param, .tag, .dataset:
            guard let body = table.exists[clause.entity] else { preconditionFailure("the grammar knows \(clause.entity), the table does not") }
            if clause.entity == .dataset {
                guard let expression = table.datasetExpressions[clause.key] else { preconditionFailure("unknown dataset key") }
                return "EXISTS (" + body.replacing("{test}", with: test(expression, clause)) + ")"
            }
            let key = bind(.text(clause.key))
            let isAbsence = clause.comparator == .isNull
            let test = clause.comparator == .isNull || clause.comparator == .isNotNull ? "1 = 1" : test("e.value", clause)
            return (isAbsence ? "NOT EXISTS (" : "EXISTS (") + body.replacing("{key}", with: key).replacing("{test}", with: test) + ")"
        }
    }

    private mutating func test(_ expression: String, _ clause: SearchFilter.Clause) -> String {
        if clause.entity == .param, let number = numericTest(expression, clause) { return number }
        switch (clause.comparator, clause.value) {
        case (.isIn, .texts(let list)): return "\(expression) IN \(bind(list: list.map { .text($0) }))"
        case (.isNotIn, .texts(let list)): return "\(expression) NOT IN \(bind(list: list.map { .text($0) }))"
        case (.isNull, _): return "\(expression) IS NULL"
        case (.isNotNull, _): return "\(expression) IS NOT NULL"
        case (.like, .text(let pattern)): return "\(expression) LIKE \(bind(.text(pattern)))"
        // Both sides through the database's own LOWER, so that they agree about letters.
        case (.iLike, .text(let pattern)): return "LOWER(\(expression)) LIKE LOWER(\(bind(.text(pattern))))"
        case (let comparator, .text(let text)): return "\(expression) \(Self.operators[comparator]!) \(bind(.text(text)))"
        case (let comparator, .number(let number)): return "\(expression) \(Self.operators[comparator]!) \(bind(.real(number)))"
        case (.isIn, .numbers(let list)): return "\(expression) IN \(bind(list: list.map { .real($0) }))"
        case (.isNotIn, .numbers(let list)): return "\(expression) NOT IN \(bind(list: list.map { .real($0) }))"
        case (_, .none), (_, .texts), (_, .numbers): preconditionFailure("the grammar gives \(clause.comparator) another value")
        }
    }

    /// A param that is written like a number, compared as one; nil when the clause compares text.
    ///
    /// SQLite compares the number with the text as a number too when the whole text reads as one, and as unequal else. (PostgreSQL needs a
    /// text of its own here.)
    private mutating func numericTest(_ expression: String, _ clause: SearchFilter.Clause) -> String? {
        let number = "CAST(\(expression) AS REAL)"
        let test: String
        switch (clause.comparator, clause.value) {
        case (.isIn, .numbers(let list)): test = "\(number) IN \(bind(list: list.map { .real($0) }))"
        case (.isNotIn, .numbers(let list)): test = "\(number) NOT IN \(bind(list: list.map { .real($0) }))"
        case (let comparator, .number(let value)): test = "\(number) \(Self.operators[comparator]!) \(bind(.real(value)))"
        default: return nil
        }
        return "\(number) = \(expression) AND \(test)"
    }

    static let operators: [SearchComparator: String] = [
        .equal: "=", .notEqual: "<>", .greater: ">", .greaterOrEqual: ">=", .less: "<", .lessOrEqual: "<=",
    ]

    /// Rows that lack the key come last in both directions; NaN comes after numbers and before those.
    mutating func order(by order: SearchOrder) {
        let direction = order.isAscending ? "ASC" : "DESC"
        if order.entity == .attribute {
            guard let column = table.columns[order.key] else { preconditionFailure("the grammar sorts by '\(order.key)', the table does not") }
            let last = table.filled.contains(order.key) ? "" : "CASE WHEN \(column) IS NULL THEN 1 ELSE 0 END, "
            orders.append("\(last)\(column) \(direction)")
            return
        }
        guard let scalar = table.scalar[order.entity] else { preconditionFailure("the grammar sorts by \(order.entity), the table does not") }
        let key = bind(.text(order.key))
        let value = "(\(scalar.replacing("{key}", with: key)))"
        if order.entity == .metric, let isNaN = table.scalarIsNaN {
            orders.append("COALESCE((\(isNaN.replacing("{key}", with: key))), 2), \(value) \(direction)")
        } else {
            orders.append("CASE WHEN \(value) IS NULL THEN 1 ELSE 0 END, \(value) \(direction)")
        }
    }

    /// Sorts by an expression of our own; `fragment` is a literal of the calling store.
    mutating func orderFinally(by fragment: String) { orders.append(fragment) }

    /// Counts the rows that the conditions leave, up to `most`: a heading needs no more.
    mutating func count(_ name: String, from: String, atMost most: Int) -> Statement {
        let condition = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
        return Statement(name, "SELECT COUNT(*) AS found FROM (SELECT 1 AS one FROM \(from)\(condition) LIMIT \(bind(.integer(most)))) counted")
    }

    /// - Parameter select: `SELECT … FROM …`, without a condition.
    mutating func statement(_ name: String, select: String, limit: Int, offset: Int) -> Statement {
        let end = " LIMIT \(bind(.integer(limit))) OFFSET \(bind(.integer(offset)))"
        let condition = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
        return Statement(name, select + condition + " ORDER BY " + orders.joined(separator: ", ") + end)
    }
}

/// Rows of many owners at once. The list of owners has one of three lengths (the last one repeated), so that there are three texts to prepare.
struct Batch {
    static func forEach<Key>(_ keys: [Key], _ value: (Key) -> SQLValue, _ body: (_ list: String, _ values: [String: SQLValue]) throws -> Void) rethrows {
        var rest = keys[...]
        while let last = rest.prefix(200).last {
            let chunk = rest.prefix(200)
            rest = rest.dropFirst(200)
            let width = chunk.count == 1 ? 1 : chunk.count <= 20 ? 20 : 200
            var values: [String: SQLValue] = [:]
            for index in 0..<width {
                values["b\(index)"] = value(index < chunk.count ? chunk[chunk.startIndex + index] : last)
            }
            try body("(" + (0..<width).map { ":b\($0)" }.joined(separator: ", ") + ")", values)
        }
    }
}

extension LifecycleView {
    var values: [SQLValue] {
        switch self {
        case .active: ["active"]
        case .deleted: ["deleted"]
        case .all: ["active", "deleted"]
        }
    }
}
