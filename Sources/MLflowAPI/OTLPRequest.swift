import Foundation
import SlipwayCore

/// OpenTelemetry's export request for traces, out of protobuf (opentelemetry/proto/collector/trace/v1) or its JSON.
struct OTLPRequest {
    struct Malformed: Error {}
    /// A span that cannot be kept: it lacks its ids.
    struct Unconvertible: Error {}

    private(set) var spans: [Span] = []
    /// Whether there was anything at all, if only an empty group.
    private(set) var hasResources = false

    static let spansMax = 20_000
    private static let depthMax = 64

    /// One span before its ids are understood.
    private struct RawSpan {
        var trace: [UInt8] = []
        var id: [UInt8] = []
        var parent: [UInt8] = []
        var name = ""
        var start: UInt64 = 0
        var end: UInt64 = 0
        var status = 0
        var message = ""
        var attributes: [String: JSONValue] = [:]
        var events: [SpanEvent] = []
    }

    private mutating func add(_ raw: RawSpan) throws {
        guard spans.count < Self.spansMax else { throw SlipwayError.invalid("A request has \(Self.spansMax) spans at most.", remedy: "Send them in several.") }
        guard let trace = Self.hex(raw.trace, width: 16), let id = Self.hex(raw.id, width: 8), raw.start < 1 << 63, raw.end < 1 << 63 else { throw Unconvertible() }
        guard raw.parent.isEmpty || Self.hex(raw.parent, width: 8) != nil else { throw Unconvertible() }
        var named = raw.attributes[TraceKey.requestID]?.string
        // Exporters that are not MLflow's own send its attributes as JSON texts.
        if let text = named, text.hasPrefix("\""), text.hasSuffix("\""), text.count > 2 { named = String(text.dropFirst().dropLast()) }
        spans.append(
            Span(
                trace: named.flatMap { $0.isEmpty ? nil : $0 } ?? "tr-\(trace)", openTelemetryTrace: trace, id: id, parent: Self.hex(raw.parent, width: 8), name: raw.name,
                status: raw.status == 1 ? .ok : raw.status == 2 ? .error : .unset, statusMessage: raw.message.isEmpty ? nil : raw.message,
                startedAt: Int64(raw.start), endedAt: raw.end == 0 ? nil : Int64(raw.end), attributes: raw.attributes, events: raw.events))
    }

    /// Nil for none and for too many.
    private static func hex(_ bytes: [UInt8], width: Int) -> String? {
        guard !bytes.isEmpty, bytes.count <= width else { return nil }
        let digits = Array("0123456789abcdef".utf8)
        let all = [UInt8](repeating: 0, count: width - bytes.count) + bytes
        return String(decoding: all.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    // MARK: Protobuf

    init(protobuf bytes: [UInt8]) throws {
        do {
            var reader = ProtobufReader(bytes)
            try reader.fields { field, wire, reader in
                guard field == 1, wire == .bytes else { return try reader.skip(wire) }
                hasResources = true
                var resource = try reader.message()
                try resource.fields { field, wire, reader in
                    guard field == 2, wire == .bytes else { return try reader.skip(wire) }
                    var scope = try reader.message()
                    try scope.fields { field, wire, reader in
                        guard field == 2, wire == .bytes else { return try reader.skip(wire) }
                        var span = try reader.message()
                        try add(try Self.span(&span))
                    }
                }
            }
        } catch is ProtobufReader.Malformed { throw Malformed() }
    }

    private static func span(_ reader: inout ProtobufReader) throws -> RawSpan {
        var span = RawSpan()
        try reader.fields { field, wire, reader in
            switch (field, wire) {
            case (1, .bytes): span.trace = try reader.data()
            case (2, .bytes): span.id = try reader.data()
            case (4, .bytes): span.parent = try reader.data()
            case (5, .bytes): span.name = try reader.string()
            case (7, .fixed64): span.start = try reader.fixed64()
            case (8, .fixed64): span.end = try reader.fixed64()
            case (9, .bytes):
                let (key, value) = try pair(&reader, depth: 0)
                span.attributes[key] = value
            case (11, .bytes):
                var event = try reader.message()
                span.events.append(try Self.event(&event))
            case (15, .bytes):
                var status = try reader.message()
                try status.fields { field, wire, reader in
                    switch (field, wire) {
                    case (2, .bytes): span.message = try reader.string()
                    case (3, .varint): span.status = Int(truncatingIfNeeded: try reader.varint())
                    default: try reader.skip(wire)
                    }
                }
            default: try reader.skip(wire)
            }
        }
        return span
    }

    private static func event(_ reader: inout ProtobufReader) throws -> SpanEvent {
        var event = SpanEvent(name: "", at: 0, attributes: [:])
        try reader.fields { field, wire, reader in
            switch (field, wire) {
            case (1, .fixed64): event.at = Int64(clamping: try reader.fixed64())
            case (2, .bytes): event.name = try reader.string()
            case (3, .bytes):
                let (key, value) = try pair(&reader, depth: 0)
                event.attributes[key] = value
            default: try reader.skip(wire)
            }
        }
        return event
    }

    private static func pair(_ reader: inout ProtobufReader, depth: Int) throws -> (String, JSONValue) {
        var (key, value) = ("", JSONValue.null)
        var message = try reader.message()
        try message.fields { field, wire, reader in
            switch (field, wire) {
            case (1, .bytes): key = try reader.string()
            case (2, .bytes): value = try Self.value(&reader, depth: depth)
            default: try reader.skip(wire)
            }
        }
        return (key, value)
    }

    private static func value(_ reader: inout ProtobufReader, depth: Int) throws -> JSONValue {
        guard depth < depthMax else { throw Malformed() }
        var value = JSONValue.null
        var message = try reader.message()
        try message.fields { field, wire, reader in
            switch (field, wire) {
            case (1, .bytes): value = .string(try reader.string())
            case (2, .varint): value = .bool(try reader.varint() != 0)
            case (3, .varint): value = .integer(Int64(bitPattern: try reader.varint()))
            case (4, .fixed64): value = .number(Double(bitPattern: try reader.fixed64()))
            case (5, .bytes):
                var (list, inner) = ([JSONValue](), try reader.message())
                try inner.fields { field, wire, reader in
                    if field == 1, wire == .bytes { list.append(try Self.value(&reader, depth: depth + 1)) } else { try reader.skip(wire) }
                }
                value = .array(list)
            case (6, .bytes):
                var (members, inner) = ([String: JSONValue](), try reader.message())
                try inner.fields { field, wire, reader in
                    guard field == 1, wire == .bytes else { return try reader.skip(wire) }
                    let (key, value) = try pair(&reader, depth: depth + 1)
                    members[key] = value
                }
                value = .object(members)
            case (7, .bytes): value = .string(Data(try reader.data()).base64EncodedString())
            default: try reader.skip(wire)
            }
        }
        return value
    }

    // MARK: JSON

    init(json bytes: [UInt8]) throws {
        guard let body = try? JSONCursor.parse(bytes), body.object != nil else { throw Malformed() }  // any damage is the same error
        for resource in try Self.list(body, "resourceSpans", "resource_spans") {
            hasResources = true
            for scope in try Self.list(resource, "scopeSpans", "scope_spans") {
                for span in try Self.list(scope, "spans", "spans") { try add(try Self.span(span)) }
            }
        }
    }

    private static func list(_ value: JSONValue, _ name: String, _ other: String) throws -> [JSONValue] {
        guard let found = value[name] ?? value[other], found != .null else { return [] }
        guard let list = found.array, list.allSatisfy({ $0.object != nil }) else { throw Malformed() }
        return list
    }

    private static func span(_ value: JSONValue) throws -> RawSpan {
        var span = RawSpan()
        span.trace = try id(value["traceId"] ?? value["trace_id"])
        span.id = try id(value["spanId"] ?? value["span_id"])
        span.parent = try id(value["parentSpanId"] ?? value["parent_span_id"])
        span.name = value["name"]?.string ?? ""
        span.start = try time(value["startTimeUnixNano"] ?? value["start_time_unix_nano"])
        span.end = try time(value["endTimeUnixNano"] ?? value["end_time_unix_nano"])
        span.message = value["status"]?["message"]?.string ?? ""
        switch value["status"]?["code"] {
        case .integer(let code): span.status = Int(clamping: code)
        case .string("STATUS_CODE_OK"): span.status = 1
        case .string("STATUS_CODE_ERROR"): span.status = 2
        default: break
        }
        span.attributes = try pairs(value, "attributes", depth: 0)
        span.events = try list(value, "events", "events").map { event in
            SpanEvent(
                name: event["name"]?.string ?? "", at: Int64(clamping: try time(event["timeUnixNano"] ?? event["time_unix_nano"])),
                attributes: try pairs(event, "attributes", depth: 0))
        }
        return span
    }

    /// OTLP's JSON has ids in hexadecimal digits, unlike protobuf's own.
    private static func id(_ value: JSONValue?) throws -> [UInt8] {
        guard let value, value != .null else { return [] }
        guard let text = value.string, text.utf8.count % 2 == 0, text.utf8.count <= 64 else { throw Malformed() }
        let digits = Array(text.utf8)
        return try stride(from: 0, to: digits.count, by: 2).map { index in
            guard let byte = UInt8(String(decoding: digits[index..<index + 2], as: UTF8.self), radix: 16), digits[index] != UInt8(ascii: "+") else { throw Malformed() }
            return byte
        }
    }

    private static func time(_ value: JSONValue?) throws -> UInt64 {
        switch value {
        case nil, .null: return 0
        case .integer(let number) where number >= 0: return UInt64(number)
        case .string(let text):
            guard let number = UInt64(text) else { throw Malformed() }
            return number
        default: throw Malformed()
        }
    }

    private static func pairs(_ value: JSONValue, _ name: String, depth: Int) throws -> [String: JSONValue] {
        guard depth < depthMax else { throw Malformed() }
        var members: [String: JSONValue] = [:]
        for pair in try list(value, name, name) {
            guard let key = pair["key"]?.string else { throw Malformed() }
            members[key] = try pair["value"].map { try any($0, depth: depth) } ?? .null
        }
        return members
    }

    private static func any(_ value: JSONValue, depth: Int) throws -> JSONValue {
        guard depth < depthMax else { throw Malformed() }
        guard let members = value.object else { throw Malformed() }
        guard let (name, inner) = members.first else { return .null }
        switch (name, inner) {
        case ("stringValue", .string), ("string_value", .string), ("boolValue", .bool), ("bool_value", .bool), ("bytesValue", .string), ("bytes_value", .string): return inner
        case ("intValue", .integer), ("int_value", .integer): return inner
        case ("intValue", .string(let text)), ("int_value", .string(let text)):
            guard let number = Int64(text) else { throw Malformed() }
            return .integer(number)
        case ("doubleValue", _), ("double_value", _):
            guard let number = Fields.double(inner) else { throw Malformed() }
            return .number(number)
        case ("arrayValue", _), ("array_value", _): return .array(try list(inner, "values", "values").map { try any($0, depth: depth + 1) })
        case ("kvlistValue", _), ("kvlist_value", _): return .object(try pairs(inner, "values", depth: depth + 1))
        default: throw Malformed()
        }
    }
}
