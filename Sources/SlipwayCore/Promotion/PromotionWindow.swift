import Foundation

/// When promotions may be applied: `Mon-Thu 09:00-16:00 Europe/Berlin`. Days are single or ranges, separated by commas;
/// the end is exclusive; times are wall-clock times of the zone, so summer time is its business.
package struct PromotionWindow: Sendable, Hashable, Codable {
    package let text: String
    /// 1 = Sunday … 7 = Saturday, as Foundation counts.
    private let days: Set<Int>
    private let openMinute: Int
    private let closeMinute: Int
    private let zone: TimeZone

    private static let dayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
    private static let hint = "Write it like 'Mon-Thu 09:00-16:00 Europe/Berlin'."

    /// - Throws: `invalidArgument` that quotes the part that does not fit.
    package init(parsing text: String) throws {
        let parts = text.split(separator: " ").map(String.init)
        guard parts.count == 3 else { throw SlipwayError.invalid("'\(text.prefix(80))' is not a window.", remedy: Self.hint) }
        let times = parts[1].split(separator: "-").map(String.init)
        guard times.count == 2, let open = Self.minute(times[0]), let close = Self.minute(times[1]), open < close else {
            throw SlipwayError.invalid("'\(parts[1].prefix(80))' is not a span of one day.", remedy: Self.hint)
        }
        guard let zone = TimeZone(identifier: parts[2]) else {
            throw SlipwayError.invalid("There is no time zone '\(parts[2].prefix(80))'.", remedy: Self.hint)
        }
        self.text = text
        days = try Self.days(parts[0])
        openMinute = open
        closeMinute = close
        self.zone = zone
    }

    private static func minute(_ text: String) -> Int? {
        let parts = text.split(separator: ":")
        guard parts.count == 2, parts.allSatisfy({ $0.count == 2 }), let hour = Int(parts[0]), let minute = Int(parts[1]),
            (0...59).contains(minute), (0...24).contains(hour), hour * 60 + minute <= 24 * 60
        else { return nil }
        return hour * 60 + minute
    }

    private static func days(_ text: String) throws -> Set<Int> {
        var days: Set<Int> = []
        for part in text.lowercased().split(separator: ",") {
            let ends = part.split(separator: "-").map { dayNames.firstIndex(of: String($0)) }
            guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1] else {
                throw SlipwayError.invalid("'\(part.prefix(80))' names no day of the week.", remedy: hint)
            }
            var day = first
            while true {
                days.insert(day + 1)
                if day == last { break }
                day = (day + 1) % 7
            }
        }
        return days
    }

    private var calendar: Calendar {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = zone
        return calendar
    }

    package func isOpen(at time: Timestamp) -> Bool {
        let parts = calendar.dateComponents([.weekday, .hour, .minute], from: time.date)
        let minute = parts.hour! * 60 + parts.minute!
        return days.contains(parts.weekday!) && minute >= openMinute && minute < closeMinute
    }

    /// The first opening after `time`; at most eight days away, or nil when the clock jumps over it (summer time).
    package func nextOpening(after time: Timestamp) -> Timestamp? {
        let calendar = calendar
        let midnight = calendar.startOfDay(for: time.date)
        for offset in 0...8 {
            guard let day = calendar.date(byAdding: .day, value: offset, to: midnight),
                days.contains(calendar.component(.weekday, from: day)),
                let opening = calendar.date(bySettingHour: openMinute / 60, minute: openMinute % 60, second: 0, of: day)
            else { continue }
            let found = Timestamp(opening)
            if found > time { return found }
        }
        return nil
    }

    package init(from decoder: any Decoder) throws { try self.init(parsing: try decoder.singleValueContainer().decode(String.self)) }
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
    package static func == (left: Self, right: Self) -> Bool { left.text == right.text }
    package func hash(into hasher: inout Hasher) { hasher.combine(text) }
}
