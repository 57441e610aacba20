import Foundation

/// A schedule in five fields: minute, hour, day of month, month, day of week (0 or 7 is Sunday), in UTC.
/// Each is `*`, a number, a range `1-5`, a list `1,3` or a pace `*/15`. When both days are given, either is enough, as cron does.
package struct CronSchedule: Sendable, Hashable {
    package let text: String
    private let minutes, hours, days, months, weekdays: Set<Int>
    private let isAnyDay: Bool, isAnyWeekday: Bool

    /// - Throws: `invalidArgument` naming the field.
    package init(parsing text: String) throws {
        let fields = text.split(separator: " ").map(String.init)
        guard fields.count == 5 else {
            throw SlipwayError.invalid("The schedule '\(text.prefix(80))' does not have five fields.", remedy: "Write minute hour day month weekday, such as \"0 4 * * 1\".")
        }
        self.text = text
        minutes = try Self.field(fields[0], 0...59, "minute")
        hours = try Self.field(fields[1], 0...23, "hour")
        days = try Self.field(fields[2], 1...31, "day of month")
        months = try Self.field(fields[3], 1...12, "month")
        weekdays = Set(try Self.field(fields[4], 0...7, "day of week").map { $0 % 7 })
        isAnyDay = fields[2] == "*"
        isAnyWeekday = fields[4] == "*"
    }

    private static func field(_ text: String, _ range: ClosedRange<Int>, _ name: String) throws -> Set<Int> {
        var values: Set<Int> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let pieces = part.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            let pace = pieces.count == 2 ? Int(pieces[1]) : 1
            let ends = pieces[0] == "*" ? [range.lowerBound, range.upperBound] : pieces[0].split(separator: "-", omittingEmptySubsequences: false).map { Int($0) ?? -1 }
            guard let pace, pace > 0, let first = ends.first, let last = ends.last, ends.count <= 2, range.contains(first), range.contains(last), first <= last else {
                throw SlipwayError.invalid(
                    "'\(text.prefix(40))' is no \(name) of a schedule.", remedy: "Write *, a number from \(range.lowerBound) to \(range.upperBound), a range, a list or */N.")
            }
            values.formUnion(stride(from: first, through: last, by: pace))
        }
        return values
    }

    package func matches(_ time: Timestamp) -> Bool {
        let parts = Self.calendar.dateComponents([.minute, .hour, .day, .month, .weekday], from: time.date)
        guard let minute = parts.minute, let hour = parts.hour, let day = parts.day, let month = parts.month, let weekday = parts.weekday else { return false }
        guard minutes.contains(minute), hours.contains(hour), months.contains(month) else { return false }
        let isDay = days.contains(day), isWeekday = weekdays.contains(weekday - 1)
        if !isAnyDay, !isAnyWeekday { return isDay || isWeekday }
        return isDay && isWeekday
    }

    /// Whether a scheduled minute lies in (`after`, `until`]; looks back at most one day, so that a long sleep fires once.
    package func fires(after: Timestamp, until: Timestamp) -> Bool {
        let minute: Int64 = 60_000
        var time = until.milliseconds / minute * minute
        let floor = max(after.milliseconds, until.milliseconds - 86_400_000)
        while time > floor {
            if matches(Timestamp(milliseconds: time)) { return true }
            time -= minute
        }
        return false
    }

    private static let calendar: Calendar = {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        return calendar
    }()
}
