import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import SlipwayCore
import SlipwayHTTP
import Tracking

/// A request message: fields by snake_case name, out of the query of a GET or the JSON body of anything else, and out of the address.
///
/// MLflow's rules: unknown fields are ignored, camelCase names are read too, a broken body counts as an empty one, numbers may come as strings.
struct Fields: Sendable {
    private var values: [String: JSONValue]
    /// Where this message lies in its request, for errors: `metrics[3].`
    private let path: String
    /// Values of a query are all texts.
    private let isQuery: Bool

    static let bodyMax = 20 << 20

    init(_ values: [String: JSONValue], path: String = "", isQuery: Bool = false) {
        self.values = values
        self.path = path
        self.isQuery = isQuery
    }

    init(_ request: Request, context: SlipwayContext) async throws {
        if request.method == .get, let query = request.uri.query, !query.isEmpty {
            self.init(Self.query(query), isQuery: true)
        } else {
            if request.method == .post { try Self.checkContentType(request) }
            self.init(try Self.body(await request.bodyBytes(upTo: Self.bodyMax)))
        }
        for (name, value) in context.parameters {
            guard let decoded = String(value).removingPercentEncoding else { throw SlipwayError.invalid("The address cannot be read.") }
            values[String(name)] = .string(decoded)
        }
    }

    static func checkContentType(_ request: Request) throws {
        guard let type = request.headers[.contentType] else { return }
        guard type.lowercased().split(separator: ";").first?.trimmingCharacters(in: .whitespaces) == "application/json" else {
            throw SlipwayError.invalid("Bad Request. Content-Type should be application/json.")
        }
    }

    /// The body's members; a JSON text inside a JSON string is read too (old clients).
    private static func body(_ bytes: [UInt8]) throws -> [String: JSONValue] {
        guard !bytes.isEmpty else { return [:] }
        var value = try? JSONCursor.parse(bytes)  // a broken body counts as an empty one
        if case .string(let inner) = value { value = try? JSONCursor.parse(Array(inner.utf8)) }
        guard case .object(let members) = value else { return [:] }
        try checkSpellings(members)
        return members
    }

    static func query(_ text: String) -> [String: JSONValue] {
        var values: [String: [JSONValue]] = [:]
        for part in text.split(separator: "&") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = decode(pair[0])
            values[name, default: []].append(.string(pair.count == 2 ? decode(pair[1]) : ""))
        }
        return values.mapValues { $0.count == 1 ? $0[0] : .array($0) }
    }

    private static func decode(_ text: Substring) -> String {
        let spaced = text.replacing("+", with: " ")
        return String(spaced).removingPercentEncoding ?? String(spaced)
    }

    private static func checkSpellings(_ members: [String: JSONValue]) throws {
        for name in members.keys where name.contains("_") {
            if members[camelCase(name)] != nil { throw SlipwayError.invalid("The field '\(name.prefix(80))' is given twice, in two spellings.") }
        }
    }

    private static func camelCase(_ name: String) -> String {
        let parts = name.split(separator: "_")
        guard let first = parts.first else { return name }
        return String(first) + parts.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }

    /// Everything that was sent, as it was spelled.
    var members: [String: JSONValue] { values }

    private subscript(name: String) -> JSONValue? {
        let value = values[name] ?? (name.contains("_") ? values[Self.camelCase(name)] : nil)
        if case .null = value { return nil }
        return value
    }

    // MARK: Scalars

    func string(_ name: String) throws -> String? {
        switch self[name] {
        case nil: return nil
        case .string(let value): return value
        case .array(let all) where isQuery: return all.last?.string
        case let other?: throw wrong(name, other)
        }
    }

    /// - Throws: `invalidArgument` when it is missing or empty.
    func required(_ name: String) throws -> String {
        guard let value = try string(name), !value.isEmpty else { throw TrackingRules.missing(path + name) }
        return value
    }

    /// The run's id, which old clients send as `run_uuid`.
    func runID() throws -> String {
        if let id = try string("run_id"), !id.isEmpty { return id }
        if let id = try string("run_uuid"), !id.isEmpty { return id }
        throw TrackingRules.missing("run_id")
    }

    func int(_ name: String) throws -> Int64? {
        switch self[name] {
        case nil: return nil
        case .integer(let value): return value
        case .number(let value) where value.rounded() == value && abs(value) < 9e18: return Int64(value)
        case .string(let text):
            guard let value = Int64(text) else { throw wrong(name, .string(text)) }
            return value
        case let other?: throw wrong(name, other)
        }
    }

    func double(_ name: String) throws -> Double? { try self[name].map { try Self.double($0) ?? { throw wrong(name, $0) }($0) } }

    static func double(_ value: JSONValue) -> Double? {
        switch value {
        case .integer(let value): Double(value)
        case .number(let value): value
        case .string("NaN"): .nan
        case .string("Infinity"): .infinity
        case .string("-Infinity"): -.infinity
        case .string(let text): Double(text).flatMap { $0.isFinite ? $0 : nil }
        default: nil
        }
    }

    func bool(_ name: String) throws -> Bool? {
        switch self[name] {
        case nil: return nil
        case .bool(let value): return value
        case .string(let text) where text.lowercased() == "true": return true
        case .string(let text) where text.lowercased() == "false": return false
        case let other?: throw wrong(name, other)
        }
    }

    // MARK: Repeated

    func strings(_ name: String) throws -> [String] {
        switch self[name] {
        case nil: return []
        case .string(let value) where isQuery: return [value]
        case .array(let values):
            return try values.map { value in
                guard let text = value.string else { throw wrong(name, value) }
                return text
            }
        case let other?: throw wrong(name, other)
        }
    }

    func messages(_ name: String) throws -> [Fields] {
        switch self[name] {
        case nil: return []
        case .array(let values):
            return try values.enumerated().map { index, value in
                guard let members = value.object else { throw wrong(name, value) }
                return Fields(members, path: "\(path)\(name)[\(index)].")
            }
        case let other?: throw wrong(name, other)
        }
    }

    func message(_ name: String) throws -> Fields? {
        guard let value = self[name] else { return nil }
        guard let members = value.object else { throw wrong(name, value) }
        return Fields(members, path: "\(path)\(name).")
    }

    /// `{key, value}` messages in their order.
    func pairList(_ name: String) throws -> [(key: String, value: String)] {
        try messages(name).map { (try $0.required("key"), try $0.string("value") ?? "") }
    }

    func pairs(_ name: String) throws -> [String: String] { Dictionary(try pairList(name).map { ($0.key, $0.value) }) { $1 } }

    /// Any JSON; an explicit `null` is one, what is missing is nil.
    func json(_ name: String) -> JSONValue? { values[name] ?? (name.contains("_") ? values[Self.camelCase(name)] : nil) }

    /// A protobuf map of strings.
    func map(_ name: String) throws -> [String: String] {
        switch self[name] {
        case nil: return [:]
        case .object(let members):
            return try members.mapValues { value in
                guard let text = value.string else { throw wrong(name, value) }
                return text
            }
        case let other?: throw wrong(name, other)
        }
    }

    // MARK: Pages

    /// - Throws: `invalidArgument` outside of 1…`max`.
    func limit(default standard: Int64?, max: Int64) throws -> Int {
        guard let limit = try int("max_results") ?? standard else { throw TrackingRules.missing("max_results") }
        guard limit >= 1 else {
            throw SlipwayError.invalid("Invalid value \(limit) for parameter 'max_results' supplied. It must be a positive integer, and \(limit) is not.")
        }
        guard limit <= max else { throw SlipwayError.invalid("Invalid value \(limit) for parameter 'max_results' supplied. It must be at most \(max), but got value \(limit)") }
        return Int(limit)
    }

    func offset() throws -> Int {
        guard let token = try string("page_token"), !token.isEmpty else { return 0 }
        return try PageToken.offset(token)
    }

    func view(_ name: String) throws -> String {
        switch self[name] {
        case nil: return "ACTIVE_ONLY"
        case .integer(1), .string("1"): return "ACTIVE_ONLY"
        case .integer(2), .string("2"): return "DELETED_ONLY"
        case .integer(3), .string("3"): return "ALL"
        case .string(let text): return text.uppercased()
        case let other?: throw wrong(name, other)
        }
    }

    func wrong(_ name: String, _ value: JSONValue) -> SlipwayError {
        var text = (try? CanonicalJSON.text(value)) ?? "?"  // only for the message
        if case .number(let number) = value, number.isFinite, !text.contains(".") { text = "\(number)" }
        return .invalid("Invalid value \(text.prefix(200)) for parameter '\(path)\(name)' supplied. See the API docs for more information about request parameters.")
    }
}

/// The mark that a page continues from: base64 of `{"offset": n}`, as MLflow's own.
enum PageToken {
    static func make(_ offset: Int) -> String { Data("{\"offset\":\(offset)}".utf8).base64EncodedString() }

    static func offset(_ token: String) throws -> Int { try offset(in: parsed(token)) }

    /// A mark that is good for one query only: `parts` are its words by what they are called in the refusal.
    static func make(_ offset: Int, parts: KeyValuePairs<String, String>) -> String {
        let digests = parts.map { ",\"\($0.key)\":\"\(ContentDigest(of: $0.value).short)\"" }.joined()
        return Data("{\"offset\":\(offset)\(digests)}".utf8).base64EncodedString()
    }

    static func offset(_ token: String, parts: KeyValuePairs<String, String>) throws -> Int {
        let value = try parsed(token)
        for part in parts where value[part.key]?.string != ContentDigest(of: part.value).short {
            throw SlipwayError.invalid(
                "\(part.key) in the page token \(part.key.hasSuffix("s") ? "do" : "does") not match the requested ones.", remedy: "Start again without the token.")
        }
        return try offset(in: value)
    }

    private static func parsed(_ token: String) throws -> JSONValue {
        guard let data = Data(base64Encoded: token), let value = try? JSONCursor.parse(Array(data)) else { throw damaged }  // any damage is the same error
        return value
    }

    private static func offset(in value: JSONValue) throws -> Int {
        guard let offset = value["offset"]?.int, offset >= 0, offset < 1 << 40 else { throw damaged }
        return Int(offset)
    }

    private static var damaged: SlipwayError { .invalid("Invalid page token, could not base64-decode.") }
}

extension PageToken {
    /// The same with the last point of the page, so that the next one starts behind it instead of counting up to it.
    static func make(_ mark: MetricHistoryMark) -> String {
        guard let last = mark.last else { return make(mark.offset) }
        let value = last.value.isNaN ? "\"NaN\"" : "\(last.value)"
        return Data("{\"offset\":\(mark.offset),\"last\":[\(last.step),\(last.timestamp),\(value)]}".utf8).base64EncodedString()
    }
}

extension Fields {
    func historyMark() throws -> MetricHistoryMark {
        let offset = try offset()
        guard offset > 0, let token = try string("page_token"), let data = Data(base64Encoded: token),
            let last = try JSONCursor.parse(Array(data))["last"]?.array, last.count == 3, let step = last[0].int, let timestamp = last[1].int,
            let value = Fields.double(last[2])
        else { return MetricHistoryMark(offset: offset) }
        return MetricHistoryMark(offset: offset, last: MetricSample(step: step, timestamp: timestamp, value: value))
    }
}

extension Request {
    /// The body, at most `limit` bytes. MLflow clients repeat a 429, so a body that is too large is simply wrong here.
    func bodyBytes(upTo limit: Int) async throws -> [UInt8] {
        var collected: [UInt8] = []
        var size = 0
        for try await piece in body {
            size += piece.readableBytes
            if size <= limit {
                piece.withUnsafeReadableBytes { collected.append(contentsOf: $0) }
            } else if size > limit + Self.unreadMax {
                break
            }
        }
        guard size <= limit else { throw SlipwayError.invalid("The request must be at most \(limit) bytes.", remedy: "Split it.") }
        return collected
    }

    /// What is read and dropped of a body that is too large, so that a client that first sends all of it gets to read the refusal.
    private static var unreadMax: Int { 64 << 20 }
}
