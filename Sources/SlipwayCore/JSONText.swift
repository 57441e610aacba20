extension JSONValue {
    /// How the text is laid out: with nothing between its parts, or with a space after `,` and `:` as Python writes it.
    package enum Layout: Sendable { case compact, spaced }

    /// The value as JSON, members in the order of their names. What JSON has no number for (NaN, infinities) becomes a string, as MLflow has it.
    package func text(_ layout: Layout = .compact) -> String {
        var bytes: [UInt8] = []
        write(layout, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    private func write(_ layout: Layout, to bytes: inout [UInt8]) {
        switch self {
        case .null: bytes += "null".utf8
        case .bool(let value): bytes += (value ? "true" : "false").utf8
        case .integer(let value): bytes += String(value).utf8
        case .number(let value): bytes += (value.isFinite ? value.description : value.isNaN ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"").utf8
        case .string(let value): Self.write(value, to: &bytes)
        case .array(let values):
            bytes.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { bytes += (layout == .spaced ? ", " : ",").utf8 }
                value.write(layout, to: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { bytes += (layout == .spaced ? ", " : ",").utf8 }
                Self.write(member.key, to: &bytes)
                bytes += (layout == .spaced ? ": " : ":").utf8
                member.value.write(layout, to: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    private static func write(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): bytes += "\\\"".utf8
            case UInt8(ascii: "\\"): bytes += "\\\\".utf8
            case 10: bytes += "\\n".utf8
            case 13: bytes += "\\r".utf8
            case 9: bytes += "\\t".utf8
            case 0..<0x20:
                let digits = String(byte, radix: 16)
                bytes += ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
