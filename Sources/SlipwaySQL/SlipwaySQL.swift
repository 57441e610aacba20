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

/// One row of an answer; columns are read by name.
package struct Row: Sendable {
    private let values: [String: SQLValue]

    package init(_ values: [String: SQLValue]) { self.values = values }

    package subscript(column: String) -> SQLValue {
        guard let value = values[column] else { preconditionFailure("no column '\(column)' among \(values.keys.sorted())") }
        return value
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

/// An open transaction. Not `Sendable` on purpose: it lives and ends inside `read` or `write`.
package protocol Transaction {
    /// Runs a statement and returns how many rows it changed.
    @discardableResult func run(_ statement: Statement, _ values: [String: SQLValue]) throws -> Int
    func all(_ statement: Statement, _ values: [String: SQLValue]) throws -> [Row]
    func first(_ statement: Statement, _ values: [String: SQLValue]) throws -> Row?
    /// Visits rows one by one, for answers that do not fit in memory.
    func forEach(_ statement: Statement, _ values: [String: SQLValue], _ body: (Row) throws -> Void) throws
    /// Several statements without parameters, for migrations.
    func script(_ sql: String) throws
}

extension Transaction {
    @discardableResult package func run(_ statement: Statement) throws -> Int { try run(statement, [:]) }
    package func all(_ statement: Statement) throws -> [Row] { try all(statement, [:]) }
    package func first(_ statement: Statement) throws -> Row? { try first(statement, [:]) }
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
