import Hummingbird
import NIOCore
import SlipwayCore

/// Writes JSON as MLflow's server prints protobuf messages: snake_case, int64 as numbers, NaN as a string, what is not set left out.
struct JSON: Sendable {
    private(set) var buffer = ByteBuffer()
    private var needsComma = false

    static func object(_ body: (inout JSON) throws -> Void) rethrows -> JSON {
        var json = JSON()
        try json.object(body)
        return json
    }

    static var empty: JSON { .object { _ in } }

    var response: Response {
        Response(status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: buffer))
    }

    // MARK: Structure

    mutating func object(_ body: (inout JSON) throws -> Void) rethrows {
        open("{")
        try body(&self)
        close("}")
    }

    mutating func field(_ name: StaticString, _ body: (inout JSON) throws -> Void) rethrows {
        key(name)
        try object(body)
    }

    /// A repeated field; left out when it is empty.
    mutating func list<Items: Collection>(_ name: StaticString, _ items: Items, _ body: (inout JSON, Items.Element) throws -> Void) rethrows {
        guard !items.isEmpty else { return }
        key(name)
        open("[")
        for item in items { try object { try body(&$0, item) } }
        close("]")
    }

    /// A repeated field of `{key, value}` messages, in the order of keys.
    mutating func pairs(_ name: StaticString, _ pairs: [String: String]) {
        list(name, pairs.sorted { $0.key < $1.key }) { json, pair in
            json.field("key", pair.key)
            json.field("value", pair.value)
        }
    }

    /// A protobuf map; left out when it is empty.
    mutating func map(_ name: StaticString, _ values: [String: String]) {
        guard !values.isEmpty else { return }
        json(name, .object(values.mapValues { .string($0) }))
    }

    /// Any JSON.
    mutating func json(_ name: StaticString, _ value: JSONValue) {
        key(name)
        buffer.writeString(value.text())
        needsComma = true
    }

    mutating func strings(_ name: StaticString, _ values: [String]) {
        guard !values.isEmpty else { return }
        key(name)
        open("[")
        for value in values {
            separate()
            string(value)
        }
        close("]")
    }

    // MARK: Scalars

    mutating func field(_ name: StaticString, _ value: String?) {
        guard let value else { return }
        key(name)
        string(value)
        needsComma = true
    }

    mutating func field(_ name: StaticString, _ value: Int64?) {
        guard let value else { return }
        key(name)
        number(value)
        needsComma = true
    }

    mutating func field(_ name: StaticString, _ value: Double) {
        key(name)
        number(value)
        needsComma = true
    }

    mutating func field(_ name: StaticString, _ value: Bool) {
        key(name)
        buffer.writeStaticString(value ? "true" : "false")
        needsComma = true
    }

    /// Points of one metric, as many as a history has: written in place, each as `{"key": …, "value": …, "timestamp": …, "step": …}` with its
    /// run behind it where there are several.
    mutating func samples(_ name: StaticString, _ curves: [(run: String?, samples: [MetricSample])], key metric: String) {
        guard curves.contains(where: { !$0.samples.isEmpty }) else { return }
        var start = JSON()
        start.buffer.writeStaticString("{\"key\":")
        start.string(metric)
        start.buffer.writeStaticString(",\"value\":")
        key(name)
        open("[")
        for curve in curves {
            var end = JSON()
            if let run = curve.run {
                end.buffer.writeStaticString(",\"run_id\":")
                end.string(run)
            }
            end.buffer.writeStaticString("}")
            let (head, tail) = (Array(start.buffer.readableBytesView), Array(end.buffer.readableBytesView))
            let most = head.count + tail.count + SampleText.most
            buffer.reserveCapacity(minimumWritableBytes: curve.samples.count * (head.count + tail.count + 72))
            for sample in curve.samples {
                let comma = needsComma
                needsComma = true
                buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: most) { room in
                    var text = SampleText(room: room)
                    if comma { text.write(UInt8(ascii: ",")) }
                    text.write(head)
                    text.write(sample.value)
                    text.write(",\"timestamp\":")
                    text.write(sample.timestamp)
                    text.write(",\"step\":")
                    text.write(sample.step)
                    text.write(tail)
                    return text.count
                }
            }
        }
        close("]")
    }

    // MARK: Bytes

    private mutating func number(_ value: Int64) {
        var digits: (UInt64, UInt64, UInt64) = (0, 0, 0)
        withUnsafeMutableBytes(of: &digits) { room in
            var start = room.count
            var rest = value.magnitude
            repeat {
                start -= 1
                room[start] = UInt8(ascii: "0") + UInt8(rest % 10)
                rest /= 10
            } while rest > 0
            if value < 0 {
                start -= 1
                room[start] = UInt8(ascii: "-")
            }
            buffer.writeBytes(UnsafeRawBufferPointer(rebasing: room[start...]))
        }
    }

    private mutating func number(_ value: Double) {
        if value.isNaN {
            buffer.writeStaticString("\"NaN\"")
        } else if value.isInfinite {
            buffer.writeString(value > 0 ? "\"Infinity\"" : "\"-Infinity\"")
        } else {
            buffer.writeString(value.description)
        }
    }

    private mutating func open(_ bracket: StaticString) {
        separate()
        buffer.writeStaticString(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: StaticString) {
        buffer.writeStaticString(bracket)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { buffer.writeStaticString(",") }
        needsComma = true
    }

    private mutating func key(_ name: StaticString) {
        if needsComma { buffer.writeStaticString(",") }
        buffer.writeStaticString("\"")
        buffer.writeStaticString(name)
        buffer.writeStaticString("\":")
        needsComma = false
    }

    private mutating func string(_ value: String) {
        buffer.writeInteger(UInt8(ascii: "\""))
        let needsEscape = value.utf8.contains { $0 < 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }
        if needsEscape { escaped(value) } else { buffer.writeString(value) }
        buffer.writeInteger(UInt8(ascii: "\""))
    }

    private mutating func escaped(_ value: String) {
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\""): buffer.writeStaticString("\\\"")
            case UInt8(ascii: "\\"): buffer.writeStaticString("\\\\")
            case 10: buffer.writeStaticString("\\n")
            case 13: buffer.writeStaticString("\\r")
            case 9: buffer.writeStaticString("\\t")
            case 0..<0x20:
                let digits = String(byte, radix: 16)
                buffer.writeString("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
            default: buffer.writeInteger(byte)
            }
        }
    }
}

/// Writes one point of a history into room that is known to be enough: a history has a hundred thousand of them.
private struct SampleText {
    /// What everything but the head and the tail takes at most: two long words, two numbers of 20 digits, one of 25.
    static let most = 128

    let room: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(room: UnsafeMutableRawBufferPointer) { self.room = room }

    mutating func write(_ byte: UInt8) {
        room[count] = byte
        count += 1
    }

    mutating func write(_ bytes: [UInt8]) { bytes.withUnsafeBytes { write($0) } }

    mutating func write(_ word: StaticString) { write(UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)) }

    private mutating func write(_ bytes: UnsafeRawBufferPointer) {
        UnsafeMutableRawBufferPointer(rebasing: room[count...]).copyMemory(from: bytes)
        count += bytes.count
    }

    mutating func write(_ value: Int64) {
        if value < 0 { write(UInt8(ascii: "-")) }
        var rest = value.magnitude
        var end = count
        repeat {
            end += 1
            rest /= 10
        } while rest > 0
        rest = value.magnitude
        for place in stride(from: end - 1, through: count, by: -1) {
            room[place] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
        count = end
    }

    mutating func write(_ value: Double) {
        if value.isNaN { return write("\"NaN\"") }
        if value.isInfinite { return write(value > 0 ? "\"Infinity\"" : "\"-Infinity\"") }
        var text = value.description
        text.withUTF8 { write(UnsafeRawBufferPointer($0)) }
    }
}
