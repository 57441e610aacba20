import Foundation
import SlipwayCore

/// Reads JSON over bytes, one value after the other, without building what the caller does not want. A number with a point stays one, as 9.0, since MLflow tells the two apart. The hot
/// paths (metrics) earn it: a batch of a thousand is read in one pass without a dictionary.
struct JSONCursor {
    private let bytes: [UInt8]
    private var index = 0
    private var depth = 0

    struct Malformed: Error {}
    private static let depthMax = 128

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// A whole text; nothing may follow.
    static func parse(_ bytes: [UInt8]) throws -> JSONValue {
        var cursor = JSONCursor(bytes)
        let value = try cursor.value()
        try cursor.end()
        return value
    }

    mutating func end() throws {
        skipSpace()
        guard index == bytes.count else { throw Malformed() }
    }

    // MARK: Structure

    enum Kind { case object, array, string, number, literal }

    mutating func peek() throws -> Kind {
        skipSpace()
        guard index < bytes.count else { throw Malformed() }
        switch bytes[index] {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "-"), 48...57: return .number
        default: return .literal
        }
    }

    /// Calls `body` with each key; it must read or skip the value.
    mutating func object(_ body: (String, inout JSONCursor) throws -> Void) throws {
        try expect(UInt8(ascii: "{"))
        try enter()
        skipSpace()
        if take(UInt8(ascii: "}")) { depth -= 1; return }
        while true {
            let key = try string()
            try expect(UInt8(ascii: ":"))
            try body(key, &self)
            skipSpace()
            if take(UInt8(ascii: "}")) { depth -= 1; return }
            try expect(UInt8(ascii: ","))
        }
    }

    /// Calls `body` before each element; it must read or skip it.
    mutating func array(_ body: (inout JSONCursor) throws -> Void) throws {
        try expect(UInt8(ascii: "["))
        try enter()
        skipSpace()
        if take(UInt8(ascii: "]")) { depth -= 1; return }
        while true {
            try body(&self)
            skipSpace()
            if take(UInt8(ascii: "]")) { depth -= 1; return }
            try expect(UInt8(ascii: ","))
        }
    }

    mutating func value() throws -> JSONValue {
        switch try peek() {
        case .object:
            var members: [String: JSONValue] = [:]
            try object { key, cursor in members[key] = try cursor.value() }
            return .object(members)
        case .array:
            var elements: [JSONValue] = []
            try array { elements.append(try $0.value()) }
            return .array(elements)
        case .string: return .string(try string())
        case .number: return try number()
        case .literal:
            if takeWord("true") { return .bool(true) }
            if takeWord("false") { return .bool(false) }
            if takeWord("null") { return .null }
            throw Malformed()
        }
    }

    private mutating func enter() throws {
        depth += 1
        guard depth <= Self.depthMax else { throw Malformed() }
    }

    // MARK: Scalars

    mutating func number() throws -> JSONValue {
        skipSpace()
        let start = index
        var isInteger = true
        _ = take(UInt8(ascii: "-"))
        let digits = index
        try digitRun()
        guard index - digits == 1 || bytes[digits] != 48 else { throw Malformed() }
        if take(UInt8(ascii: ".")) { isInteger = false; try digitRun() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            isInteger = false
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digitRun()
        }
        if isInteger, index - digits <= 18 {
            var value: Int64 = 0
            for byte in bytes[digits..<index] { value = value * 10 + Int64(byte - 48) }
            return .integer(digits > start ? -value : value)
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if isInteger, let value = Int64(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else { throw Malformed() }
        return .number(value)
    }

    private mutating func digitRun() throws {
        let start = index
        while index < bytes.count, (48...57).contains(bytes[index]) { index += 1 }
        guard index > start else { throw Malformed() }
    }

    mutating func string() throws -> String {
        try expect(UInt8(ascii: "\""))
        let start = index
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                guard let text = String(validating: bytes[start..<index], as: UTF8.self) else { throw Malformed() }
                index += 1
                return text
            case UInt8(ascii: "\\"): return try escapedString(from: start)
            case 0..<0x20: throw Malformed()
            default: index += 1
            }
        }
        throw Malformed()
    }

    /// The slow way, for strings with escapes; `index` is at the first of them.
    private mutating func escapedString(from start: Int) throws -> String {
        var text = Array(bytes[start..<index])
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else { throw Malformed() }
                return string
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20: throw Malformed()
            default: text.append(byte)
            }
        }
        throw Malformed()
    }

    private mutating func escape(into text: inout [UInt8]) throws {
        guard index < bytes.count else { throw Malformed() }
        let byte = bytes[index]
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(8)
        case UInt8(ascii: "f"): text.append(12)
        case UInt8(ascii: "n"): text.append(10)
        case UInt8(ascii: "r"): text.append(13)
        case UInt8(ascii: "t"): text.append(9)
        case UInt8(ascii: "u"):
            var code = UInt32(try hex4())
            if (0xD800..<0xDC00).contains(code) {
                guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else { throw Malformed() }
                let low = UInt32(try hex4())
                guard (0xDC00..<0xE000).contains(low) else { throw Malformed() }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw Malformed() }
            text += Array(String(Character(scalar)).utf8)
        default: throw Malformed()
        }
    }

    private mutating func hex4() throws -> UInt16 {
        guard index + 4 <= bytes.count, let value = UInt16(String(decoding: bytes[index..<index + 4], as: UTF8.self), radix: 16),
            bytes[index] != UInt8(ascii: "+"), bytes[index] != UInt8(ascii: "-")
        else { throw Malformed() }
        index += 4
        return value
    }

    // MARK: Bytes

    private mutating func skipSpace() {
        while index < bytes.count, bytes[index] == 32 || bytes[index] == 10 || bytes[index] == 13 || bytes[index] == 9 { index += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    private mutating func takeWord(_ word: StaticString) -> Bool {
        let length = word.utf8CodeUnitCount
        guard index + length <= bytes.count else { return false }
        for offset in 0..<length where bytes[index + offset] != word.utf8Start[offset] { return false }
        index += length
        return true
    }

    private mutating func expect(_ byte: UInt8) throws {
        skipSpace()
        guard take(byte) else { throw Malformed() }
    }
}
