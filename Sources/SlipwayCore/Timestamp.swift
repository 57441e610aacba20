import Foundation

/// Milliseconds since 1970 in UTC: what the databases and the wire hold.
package struct Timestamp: Sendable, Hashable, Comparable, Codable {
    package var milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }
    package init(_ date: Date) { milliseconds = Int64((date.timeIntervalSince1970 * 1000).rounded()) }

    package init(from decoder: any Decoder) throws { milliseconds = try decoder.singleValueContainer().decode(Int64.self) }
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(milliseconds)
    }

    package var date: Date { Date(timeIntervalSince1970: Double(milliseconds) / 1000) }
    /// ISO 8601 in UTC with milliseconds, such as `2013-03-03T14:05:00.000Z`.
    package var iso8601: String {
        // Whole seconds go through Foundation, thousandths do not: as a Double they would be cut to one less.
        let thousandths = ((milliseconds % 1000) + 1000) % 1000
        let seconds = Date(timeIntervalSince1970: Double((milliseconds - thousandths) / 1000)).formatted(Date.ISO8601FormatStyle())
        let digits = String(thousandths)
        return "\(seconds.dropLast()).\(String(repeating: "0", count: 3 - digits.count))\(digits)Z"
    }

    /// Reads ISO 8601 with or without fractions, or a bare day.
    /// - Throws: `invalidArgument` for anything else.
    package init(parsing text: String) throws {
        for style in [Date.ISO8601FormatStyle(includingFractionalSeconds: true), Date.ISO8601FormatStyle()] {
            if let date = try? style.parse(text) { self.init(date); return }  // either spelling will do
        }
        if let date = try? Date.ISO8601FormatStyle().year().month().day().parse(text) { self.init(date); return }  // or a day
        throw SlipwayError.invalid("'\(text.prefix(80))' is not a time.", remedy: "Write 2013-03-03T14:05:00Z or 2013-03-03.")
    }

    package static func < (left: Self, right: Self) -> Bool { left.milliseconds < right.milliseconds }
    package static func + (left: Self, right: Duration) -> Self { Self(milliseconds: left.milliseconds + right.milliseconds) }
    package static func - (left: Self, right: Duration) -> Self { Self(milliseconds: left.milliseconds - right.milliseconds) }
    package static func - (left: Self, right: Self) -> Duration { .milliseconds(left.milliseconds - right.milliseconds) }
}

extension Duration {
    package var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }

    /// Reads `500ms`, `10s`, `15m`, `24h`, `7d`.
    /// - Throws: `invalidArgument` for anything else.
    package init(parsing text: String) throws {
        let units: [(String, Int64)] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)]
        for (suffix, factor) in units where text.hasSuffix(suffix) {
            if let count = Int64(text.dropLast(suffix.count)), count >= 0, count <= 1_000_000_000_000 / factor {
                self = .milliseconds(count * factor)
                return
            }
        }
        throw SlipwayError.invalid("'\(text.prefix(80))' is not a duration.", remedy: "Write 500ms, 10s, 15m, 24h or 7d.")
    }

    /// The shortest spelling that `init(parsing:)` reads back.
    package var spelled: String {
        let value = milliseconds
        for (suffix, factor): (String, Int64) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)]
        where value != 0 && value % factor == 0 {
            return "\(value / factor)\(suffix)"
        }
        return "\(value)ms"
    }
}

/// The time of day as the server sees it; tests move their own.
package protocol WallClock: Sendable {
    var now: Timestamp { get }
}

package struct SystemWallClock: WallClock {
    package init() {}
    package var now: Timestamp { Timestamp(Date()) }
}
