import SlipwayCore

/// Reads protobuf's wire format, one field after the other, without copying what is nested.
struct ProtobufReader {
    struct Malformed: Error {}

    enum Wire: UInt64 { case varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 }

    private let bytes: [UInt8]
    private var index: Int
    private let end: Int

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        index = 0
        end = bytes.count
    }

    private init(_ bytes: [UInt8], _ range: Range<Int>) {
        self.bytes = bytes
        index = range.lowerBound
        end = range.upperBound
    }

    /// Calls `body` with the number and kind of each field; it must read the value or skip it.
    mutating func fields(_ body: (Int, Wire, inout ProtobufReader) throws -> Void) throws {
        while index < end {
            let tag = try varint()
            guard let wire = Wire(rawValue: tag & 7), tag >> 3 > 0, tag >> 3 < 1 << 29 else { throw Malformed() }
            try body(Int(tag >> 3), wire, &self)
        }
    }

    mutating func varint() throws -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard index < end else { throw Malformed() }
            let byte = bytes[index]
            index += 1
            value |= UInt64(byte & 0x7F) &<< shift
            if byte < 0x80 { return value }
        }
        throw Malformed()
    }

    mutating func fixed64() throws -> UInt64 {
        guard end - index >= 8 else { throw Malformed() }
        defer { index += 8 }
        return (0..<8).reduce(0) { $0 | UInt64(bytes[index + $1]) << (8 * UInt64($1)) }
    }

    /// A nested message.
    mutating func message() throws -> ProtobufReader {
        let length = try varint()
        guard length <= UInt64(end - index) else { throw Malformed() }
        defer { index += Int(length) }
        return ProtobufReader(bytes, index..<index + Int(length))
    }

    mutating func data() throws -> [UInt8] {
        let part = try message()
        return Array(bytes[part.index..<part.end])
    }

    mutating func string() throws -> String {
        let part = try message()
        guard let text = String(validating: bytes[part.index..<part.end], as: UTF8.self) else { throw Malformed() }
        return text
    }

    mutating func skip(_ wire: Wire) throws {
        switch wire {
        case .varint: _ = try varint()
        case .fixed64: _ = try fixed64()
        case .bytes: _ = try message()
        case .fixed32:
            guard end - index >= 4 else { throw Malformed() }
            index += 4
        }
    }
}
