// SlipwaySQL: the database port that every store speaks to and every driver implements.

/// A value bound to a parameter or read from a column.
package enum SQLValue: Sendable, Hashable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])
}

extension SQLValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByNilLiteral {
    package init(stringLiteral value: String) { self = .text(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(nilLiteral: ()) { self = .null }

    package static func text(_ value: String?) -> SQLValue { value.map { .text($0) } ?? .null }
    package static func integer(_ value: Int64?) -> SQLValue { value.map { .integer($0) } ?? .null }
    package static func integer(_ value: Int) -> SQLValue { .integer(Int64(value)) }
    package static func real(_ value: Double?) -> SQLValue { value.map { .real($0) } ?? .null }
    package static func bool(_ value: Bool) -> SQLValue { .integer(value ? 1 : 0) }
}

/// A named SQL text in the dialect that all drivers share, with `:name` parameters.
package struct Statement: Sendable {
    package let name: String
    package let sql: String

    package init(_ name: String, _ sql: String) {
        self.name = name
        self.sql = sql
    }
}

/// Values for a statement's parameters, by name. A short list in the order written: statements have few parameters, so looking through them
/// costs less than hashing their names would.
package struct Bindings: Sendable, ExpressibleByDictionaryLiteral {
    package private(set) var pairs: [(name: String, value: SQLValue)]

    package init() { pairs = [] }
    package init(dictionaryLiteral elements: (String, SQLValue)...) { pairs = elements.map { (name: $0.0, value: $0.1) } }
    package init(_ values: [String: SQLValue]) { pairs = values.map { (name: $0.key, value: $0.value) } }

    package func adding(_ more: Bindings) -> Bindings {
        var sum = self
        sum.pairs += more.pairs
        return sum
    }
}

/// The names of an answer's columns, shared by its rows.
package final class Columns: Sendable {
    package let names: [String]
    package init(_ names: [String]) { self.names = names }
}

/// One row of an answer; columns are read by name.
package struct Row: Sendable {
    private let columns: Columns
    private let values: [SQLValue]

    /// - Parameter values: one for each column, in their order.
    package init(_ columns: Columns, _ values: [SQLValue]) {
        self.columns = columns
        self.values = values
    }

    package subscript(column: String) -> SQLValue {
        guard let place = columns.names.firstIndex(of: column) else { preconditionFailure("no column '\(column)' among \(columns.names)") }
        return values[place]
    }

    package func optionalText(_ column: String) -> String? { if case .text(let value) = self[column] { value } else { nil } }
    package func optionalInt(_ column: String) -> Int64? { if case .integer(let value) = self[column] { value } else { nil } }
    package func optionalReal(_ column: String) -> Double? {
        switch self[column] {
        case .real(let value): value
        case .integer(let value): Double(value)
        default: nil
        }
    }

    // A missing value in a NOT NULL column is our own mistake, so these trap.
    package func text(_ column: String) -> String { optionalText(column)! }
    package func int64(_ column: String) -> Int64 { optionalInt(column)! }
    package func int(_ column: String) -> Int { Int(int64(column)) }
    package func real(_ column: String) -> Double { optionalReal(column)! }
    package func bool(_ column: String) -> Bool { int64(column) != 0 }
}

/// The row that a visit stands at, for answers of many thousands: columns by their place in the `SELECT`, nothing is copied that is not asked
/// for. It lives inside the visit only.
package protocol RowVisit {
    func int64(_ column: Int) -> Int64
    func real(_ column: Int) -> Double
    func text(_ column: Int) -> String
}

/// An open transaction. Not `Sendable` on purpose: it lives and ends inside `read` or `write`.
package protocol Transaction {
    /// Runs a statement and returns how many rows it changed.
    @discardableResult func run(_ statement: Statement, _ values: Bindings) throws -> Int
    /// Runs a statement once for each row of `values`.
    /// - Parameters:
    ///   - parameters: the statement's, in the order in which `values` gives them.
    ///   - values: row after row, `parameters.count` values each.
    /// - Returns: how many rows were changed in all.
    @discardableResult func run(_ statement: Statement, _ parameters: [String], forEach values: [SQLValue]) throws -> Int
    func all(_ statement: Statement, _ values: Bindings) throws -> [Row]
    func first(_ statement: Statement, _ values: Bindings) throws -> Row?
    /// Visits rows one by one, for answers that do not fit in memory.
    func forEach(_ statement: Statement, _ values: Bindings, _ body: (Row) throws -> Void) throws
    /// Visits rows one by one without making them; `body` answers whether to go on.
    func scan(_ statement: Statement, _ values: Bindings, _ body: (any RowVisit) throws -> Bool) throws
    /// Several statements without parameters, for migrations.
    func script(_ sql: String) throws
}

extension Transaction {
    @discardableResult package func run(_ statement: Statement) throws -> Int { try run(statement, Bindings()) }
    package func all(_ statement: Statement) throws -> [Row] { try all(statement, Bindings()) }
    package func first(_ statement: Statement) throws -> Row? { try first(statement, Bindings()) }

    // For values that are put together by name.
    @_disfavoredOverload @discardableResult
    package func run(_ statement: Statement, _ values: [String: SQLValue]) throws -> Int { try run(statement, Bindings(values)) }
    @_disfavoredOverload
    package func all(_ statement: Statement, _ values: [String: SQLValue]) throws -> [Row] { try all(statement, Bindings(values)) }
    @_disfavoredOverload
    package func first(_ statement: Statement, _ values: [String: SQLValue]) throws -> Row? { try first(statement, Bindings(values)) }
    @_disfavoredOverload
    package func forEach(_ statement: Statement, _ values: [String: SQLValue], _ body: (Row) throws -> Void) throws {
        try forEach(statement, Bindings(values), body)
    }
}

/// The half of a database that other realms may be given.
package protocol DatabaseReader: Sendable {
    /// Runs `body` on one consistent snapshot.
    func read<T: Sendable>(_ body: @escaping @Sendable (any Transaction) throws -> T) async throws -> T
}

package protocol Database: DatabaseReader {
    /// Runs `body` in a transaction and returns once its commit is durable. `body` is synchronous and may run
    /// more than once, so it has no effect outside the database.
    func write<T: Sendable>(_ body: @escaping @Sendable (any Transaction) throws -> T) async throws -> T
    func close() async throws
}
