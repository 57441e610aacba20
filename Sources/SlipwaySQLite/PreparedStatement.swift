import Foundation
import GRDB
import GRDBSQLite
import SlipwaySQL

/// A statement that its connection keeps prepared, bound and stepped through SQLite's own interface: a library's row and argument objects would
/// cost more than the statements do.
struct PreparedStatement: RowVisit {
    private let statement: GRDB.Statement
    private let handle: OpaquePointer
    private let db: GRDB.Database

    init(_ statement: SlipwaySQL.Statement, in db: GRDB.Database) throws {
        self.db = db
        let kept = try db.cachedStatement(sql: statement.sql)
        // Within a visit of the same statement, another one, so that the visit keeps its row.
        self.statement = sqlite3_stmt_busy(kept.sqliteStatement) == 0 ? kept : try db.makeStatement(sql: statement.sql)
        handle = self.statement.sqliteStatement
    }

    // MARK: Parameters

    /// Values that the statement does not name are left out: several statements may share one list.
    func bind(_ values: Bindings) {
        var bound = 0
        for (index, pair) in values.pairs.enumerated() {
            // Mostly they are given in the order in which the statement names them.
            let place = isNamed(pair.name, Int32(index + 1)) ? Int32(index + 1) : sqlite3_bind_parameter_index(handle, ":" + pair.name)
            guard place > 0 else { continue }
            bind(pair.value, at: place)
            bound += 1
        }
        // A parameter without a value is our own mistake; SQLite would take it for NULL.
        precondition(bound >= sqlite3_bind_parameter_count(handle), "\(values.pairs.map(\.name)) are not all that is needed for: \(statement.sql)")
    }

    func place(of name: String) -> Int32 {
        let place = sqlite3_bind_parameter_index(handle, ":" + name)
        precondition(place > 0, "no parameter ':\(name)' in: \(statement.sql)")
        return place
    }

    private func isNamed(_ name: String, _ place: Int32) -> Bool {
        guard let known = sqlite3_bind_parameter_name(handle, place) else { return false }
        return strcmp(known + 1, name) == 0
    }

    func bind(_ value: SQLValue, at place: Int32) {
        let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        switch value {
        case .null: sqlite3_bind_null(handle, place)
        case .integer(let value): sqlite3_bind_int64(handle, place, value)
        case .real(let value): sqlite3_bind_double(handle, place, value)
        case .text(var value):
            value.withUTF8 { bytes in
                bytes.withMemoryRebound(to: CChar.self) { bytes in
                    // Without an address SQLite would take an empty text for NULL.
                    guard let start = bytes.baseAddress, !bytes.isEmpty else { sqlite3_bind_text(handle, place, "", 0, transient); return }
                    sqlite3_bind_text64(handle, place, start, UInt64(bytes.count), transient, UInt8(SQLITE_UTF8))
                }
            }
        case .blob(let value):
            _ = value.withUnsafeBytes { bytes in
                bytes.count == 0 ? sqlite3_bind_zeroblob(handle, place, 0) : sqlite3_bind_blob64(handle, place, bytes.baseAddress, UInt64(bytes.count), transient)
            }
        }
    }

    // MARK: Rows

    /// - Returns: false past the last row.
    func step() throws -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code: throw DatabaseError(resultCode: ResultCode(rawValue: code), message: String(cString: sqlite3_errmsg(db.sqliteConnection)), sql: statement.sql)
        }
    }

    /// Ready to run again with other values.
    func rewind() { sqlite3_reset(handle) }

    /// Ready for its next user; lets go of the values.
    func reset() {
        sqlite3_reset(handle)
        sqlite3_clear_bindings(handle)
    }

    var columns: Columns {
        Columns((0..<sqlite3_column_count(handle)).map { String(cString: sqlite3_column_name(handle, $0)) })
    }

    var values: [SQLValue] {
        let count = Int(sqlite3_column_count(handle))
        return Array(unsafeUninitializedCapacity: count) { buffer, initialized in
            for column in 0..<count { (buffer.baseAddress! + column).initialize(to: value(Int32(column))) }
            initialized = count
        }
    }

    private func value(_ column: Int32) -> SQLValue {
        switch sqlite3_column_type(handle, column) {
        case SQLITE_INTEGER: .integer(sqlite3_column_int64(handle, column))
        case SQLITE_FLOAT: .real(sqlite3_column_double(handle, column))
        case SQLITE_TEXT: .text(text(Int(column)))
        case SQLITE_BLOB: .blob(Array(UnsafeRawBufferPointer(start: sqlite3_column_blob(handle, column), count: Int(sqlite3_column_bytes(handle, column)))))
        default: .null
        }
    }

    func int64(_ column: Int) -> Int64 { sqlite3_column_int64(handle, Int32(column)) }
    func real(_ column: Int) -> Double { sqlite3_column_double(handle, Int32(column)) }

    func text(_ column: Int) -> String {
        guard let bytes = sqlite3_column_text(handle, Int32(column)) else { return "" }
        return String(decoding: UnsafeBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(handle, Int32(column)))), as: UTF8.self)
    }
}
