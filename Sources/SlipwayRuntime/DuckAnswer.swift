import Foundation
import SlipwayCore

/// A row of DuckDB's answer. Wide integers and decimals arrive as texts; the accessors read both spellings.
package struct DuckRow: Sendable, Hashable {
    package let values: [String: JSONValue]

    package init(_ values: [String: JSONValue]) { self.values = values }

    package subscript(column: String) -> JSONValue { values[column] ?? .null }
    package func text(_ column: String) -> String? {
        switch self[column] {
        case .string(let value): value
        case .integer(let value): String(value)
        case .number(let value): String(value)
        case .bool(let value): String(value)
        default: nil
        }
    }
    package func int(_ column: String) -> Int64? {
        switch self[column] {
        case .integer(let value): value
        case .number(let value): Int64(exactly: value)
        case .string(let value): Int64(value)
        default: nil
        }
    }
    /// NaN and infinities arrive as what they are.
    package func double(_ column: String) -> Double? {
        switch self[column] {
        case .integer(let value): Double(value)
        case .number(let value): value
        case .string(let value): Double(value)
        default: nil
        }
    }
    package func bool(_ column: String) -> Bool? { self[column].bool }
}

/// Reads what `duckdb -json` prints: JSON arrays of rows one after the other, with bare `NaN` and `Infinity`, which Foundation refuses.
struct DuckAnswer {
    private let bytes: [UInt8]
    private var at = 0
    private static let depthMax = 512

    /// - Throws: `internalFault` when it is not what DuckDB prints.
    static func parse(_ bytes: [UInt8]) throws -> [[DuckRow]] {
        var parser = DuckAnswer(bytes: bytes)
        var answers: [[DuckRow]] = []
        while true {
            parser.skipSpace()
            guard parser.at < parser.bytes.count else { return answers }
            guard let rows = try parser.value(depth: 0).array else { throw parser.fault() }
            answers.append(rows.map { DuckRow($0.object ?? [:]) })
        }
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func fault() -> SlipwayError { .fault("DuckDB's answer cannot be read at byte \(at).") }

    private mutating func skipSpace() {
        while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x0A || bytes[at] == 0x0D || bytes[at] == 0x09 { at += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard at < bytes.count, bytes[at] == byte else { return false }
        at += 1
        return true
    }

    private mutating func value(depth: Int) throws -> JSONValue {
        skipSpace()
        guard at < bytes.count, depth < Self.depthMax else { throw fault() }
        switch bytes[at] {
        case UInt8(ascii: "{"): return .object(try object(depth: depth))
        case UInt8(ascii: "["): return .array(try array(depth: depth))
        case UInt8(ascii: "\""): return .string(try string())
        default: return try word()
        }
    }

    private mutating func object(depth: Int) throws -> [String: JSONValue] {
        at += 1
        var members: [String: JSONValue] = [:]
        if take(UInt8(ascii: "}")) { return members }
        repeat {
            skipSpace()
            let key = try string()
            guard take(UInt8(ascii: ":")) else { throw fault() }
            members[key] = try value(depth: depth + 1)
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw fault() }
        return members
    }

    private mutating func array(depth: Int) throws -> [JSONValue] {
        at += 1
        var elements: [JSONValue] = []
        if take(UInt8(ascii: "]")) { return elements }
        repeat { elements.append(try value(depth: depth + 1)) } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw fault() }
        return elements
    }

    /// A plain run is copied at once; anything with an escape goes to Foundation, whose answer is the rule.
    private mutating func string() throws -> String {
        guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { throw fault() }
        let start = at
        var isPlain = true
        at += 1
        while at < bytes.count, bytes[at] != UInt8(ascii: "\"") {
            if bytes[at] == UInt8(ascii: "\\") { isPlain = false; at += 1 }
            at += 1
        }
        guard at < bytes.count else { throw fault() }
        at += 1
        if isPlain { return String(decoding: bytes[start + 1..<at - 1], as: UTF8.self) }
        return try JSONDecoder().decode(String.self, from: Data(bytes[start..<at]))
    }

    private mutating func word() throws -> JSONValue {
        let start = at
        while at < bytes.count, ![0x20, 0x0A, 0x0D, 0x09, 0x2C, 0x5D, 0x7D].contains(bytes[at]) { at += 1 }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        switch text {
        case "null": return .null
        case "true": return .bool(true)
        case "false": return .bool(false)
        case "NaN", "nan", "-nan", "-NaN": return .number(.nan)
        case "Infinity", "inf": return .number(.infinity)
        case "-Infinity", "-inf": return .number(-.infinity)
        default:
            if let integer = Int64(text), text != "-0" { return .integer(integer) }
            guard let number = Double(text) else { throw fault() }
            return .number(number)
        }
    }
}
