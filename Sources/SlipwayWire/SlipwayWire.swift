// SlipwayWire: the native API's JSON shapes.

import Foundation

/// How native JSON is spelled: snake_case keys; times are ISO 8601 texts made by the server.
/// Spell Swift properties `runId`, not `runID`, so that both directions agree.
public enum WireCoder {
    public static func encode(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }

    public static func decode<T: Decodable>(_ type: T.Type, from data: Data) throws -> T {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: data)
    }
}

/// A list with the mark to continue from, nil at the end.
public struct WirePage<Item: Codable & Sendable>: Codable, Sendable {
    public var items: [Item]
    public var next: String?

    public init(items: [Item], next: String? = nil) {
        self.items = items
        self.next = next
    }
}

/// An answer that has nothing to say.
public struct WireNothing: Codable, Sendable {
    public init() {}
}

/// Errors as every native route words them.
public struct WireError: Codable, Sendable, Error {
    public struct Body: Codable, Sendable {
        public var code: String
        public var message: String
        public var remedy: String?
        public var reasons: [Reason]?
    }
    public struct Reason: Codable, Sendable {
        public var message: String
        public var remedy: String
        public init(message: String, remedy: String) { self.message = message; self.remedy = remedy }
    }
    public var error: Body

    public init(code: String, message: String, remedy: String?) {
        error = Body(code: code, message: message, remedy: remedy, reasons: nil)
    }
}
