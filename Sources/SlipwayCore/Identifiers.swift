import Foundation

/// The three environments in the order a change travels.
package enum EnvironmentID: String, Sendable, Hashable, Codable, CaseIterable, Comparable {
    case dev, stage, prod

    /// The environment that promotions come from, nil for the first.
    package var below: EnvironmentID? {
        switch self {
        case .dev: nil
        case .stage: .dev
        case .prod: .stage
        }
    }

    package static func < (left: Self, right: Self) -> Bool {
        allCases.firstIndex(of: left)! < allCases.firstIndex(of: right)!
    }

    /// - Throws: `invalidArgument` when the text names no environment.
    package init(parsing text: String) throws {
        guard let value = Self(rawValue: text) else {
            throw SlipwayError.invalid("There is no environment '\(text.prefix(80))'.", remedy: "Use dev, stage or prod.")
        }
        self = value
    }
}

/// So that a dictionary by environment is a JSON object with one spelling, not an array in any order.
extension EnvironmentID: CodingKeyRepresentable {}

/// A name that people choose: lower-case letters, digits and inner dashes, at most 63 characters, so that it is safe
/// as a folder, a host label and a part of an address.
package protocol PeopleChosenName: RawRepresentable, Sendable, Hashable, Codable, CustomStringConvertible where RawValue == String {
    init(unchecked rawValue: String)
    static var noun: String { get }
}

extension PeopleChosenName {
    package init?(rawValue: String) {
        guard Self.isWellFormed(rawValue) else { return nil }
        self.init(unchecked: rawValue)
    }

    /// - Throws: `invalidArgument` that quotes the name and says the rule.
    package init(parsing text: String) throws {
        guard Self.isWellFormed(text) else {
            throw SlipwayError.invalid(
                "'\(text.prefix(80))' is not a \(Self.noun).",
                remedy: "Use 1 to 63 lower-case letters, digits and dashes, starting with a letter and not ending in a dash.")
        }
        self.init(unchecked: text)
    }

    package var description: String { rawValue }

    private static func isWellFormed(_ text: String) -> Bool {
        let bytes = text.utf8
        guard (1...63).contains(bytes.count), let first = bytes.first, let last = bytes.last else { return false }
        let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        let dash = UInt8(ascii: "-")
        return letters.contains(first) && last != dash
            && bytes.allSatisfy { letters.contains($0) || digits.contains($0) || $0 == dash }
    }
}

package struct ProjectName: PeopleChosenName {
    package let rawValue: String
    package init(unchecked rawValue: String) { self.rawValue = rawValue }
    package static let noun = "project name"
    /// Work that belongs to no project (a plain MLflow client); exists in dev only.
    package static let implicit = ProjectName(unchecked: "default")
}

package struct UserName: PeopleChosenName {
    package let rawValue: String
    package init(unchecked rawValue: String) { self.rawValue = rawValue }
    package static let noun = "user name"
}

package struct SlotName: PeopleChosenName {
    package let rawValue: String
    package init(unchecked rawValue: String) { self.rawValue = rawValue }
    package static let noun = "slot name"
}

/// Where new ids come from, so that tests can make them predictable.
package protocol IDGenerator: Sendable {
    /// 32 lower-case hexadecimal digits.
    func hex32() -> String
}

/// Ids from the system's random numbers.
package struct RandomIDs: IDGenerator {
    package init() {}
    package func hex32() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<2).map { _ in
            let digits = String(generator.next(), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}
