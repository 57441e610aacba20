import Crypto
import Foundation

/// A SHA-256, written as 64 lower-case hexadecimal digits.
package struct ContentDigest: RawRepresentable, Sendable, Hashable, Codable, CustomStringConvertible {
    package let rawValue: String

    package init?(rawValue: String) {
        guard rawValue.utf8.count == 64, rawValue.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else { return nil }
        self.rawValue = rawValue
    }

    package init(_ hash: SHA256Digest) { rawValue = hash.hexadecimal }
    package init(of bytes: some DataProtocol) { self.init(SHA256.hash(data: bytes)) }
    package init(of text: String) { self.init(of: Array(text.utf8)) }

    /// - Throws: `invalidArgument` when the text is not a SHA-256.
    package init(parsing text: String) throws {
        guard let value = Self(rawValue: text) else {
            throw SlipwayError.invalid("'\(text.prefix(80))' is not a SHA-256 digest.", remedy: "A digest has 64 digits of 0-9 and a-f.")
        }
        self = value
    }

    package var description: String { rawValue }
    /// Twelve digits, for people.
    package var short: String { String(rawValue.prefix(12)) }
}

extension Sequence<UInt8> {
    package var hexadecimal: String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in self {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// One spelling per value, so that equal values have equal digests: sorted keys, no spaces, slashes unescaped.
package enum CanonicalJSON {
    package static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    package static func digest(_ value: some Encodable) throws -> ContentDigest { ContentDigest(of: try text(value)) }

    package static func decode<T: Decodable>(_ type: T.Type, from text: String) throws -> T {
        try JSONDecoder().decode(type, from: Data(text.utf8))
    }
}
