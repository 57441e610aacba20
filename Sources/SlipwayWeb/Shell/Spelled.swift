import Foundation
import SlipwayCore

/// Numbers, times and sizes as people read them. Pure, in English and UTC, so that a page is the same everywhere.
enum Spelled {
    /// `0.7013`, `12.4`, `1,234`; four significant digits, never an exponent between a thousandth and a billion.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "∞" : "−∞" }
        if value == value.rounded(), abs(value) < 1e9 { return count(Int64(value)) }
        let size = abs(value)
        if size < 0.001 || size >= 1e9 { return String(format: "%.3g", value) }
        let decimals = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4
        let text = String(format: "%.\(decimals)f", value)
        return value < 0 ? "−" + text.dropFirst() : text
    }

    /// `+0.0121`, `−0.0034`, `±0`
    static func change(_ value: Double) -> String {
        if value == 0 { return "±0" }
        return value > 0 ? "+\(number(value))" : number(value)
    }

    static func count(_ value: Int64) -> String {
        let digits = String(value.magnitude)
        var groups: [Substring] = []
        var rest = digits[...]
        while rest.count > 3 {
            groups.insert(rest.suffix(3), at: 0)
            rest = rest.dropLast(3)
        }
        groups.insert(rest, at: 0)
        return (value < 0 ? "−" : "") + groups.joined(separator: ",")
    }
    static func count(_ value: Int) -> String { count(Int64(value)) }

    /// `3 files`, `1 file`
    static func count(_ value: Int, _ noun: String) -> String { "\(count(value)) \(noun)\(value == 1 ? "" : "s")" }

    static func size(bytes: Int64) -> String {
        var value = Double(bytes)
        for unit in ["bytes", "KB", "MB", "GB"] {
            if value < 1000 {
                if unit == "bytes" { return bytes == 1 ? "1 byte" : "\(bytes) bytes" }
                return String(format: value < 10 ? "%.1f" : "%.0f", value) + " \(unit)"
            }
            value /= 1000
        }
        return String(format: "%.1f TB", value)
    }

    static func percent(_ share: Double) -> String {
        if share > 0, share < 0.001 { return "< 0.1 %" }
        return String(format: share < 0.1 && share > 0 ? "%.1f %%" : "%.0f %%", share * 100)
    }

    static func milliseconds(_ value: Double) -> String {
        value < 1 ? String(format: "%.2f ms", value) : value < 100 ? String(format: "%.1f ms", value) : "\(count(Int64(value))) ms"
    }

    /// The two largest units: `2 d 4 h`, `35 s`.
    static func duration(_ value: Duration) -> String {
        let seconds = max(0, value.milliseconds / 1000)
        switch seconds {
        case 0: return "\(max(0, value.milliseconds)) ms"
        case ..<60: return "\(seconds) s"
        case ..<3600: return seconds % 60 == 0 ? "\(seconds / 60) min" : "\(seconds / 60) min \(seconds % 60) s"
        case ..<86_400: return seconds % 3600 < 60 ? "\(seconds / 3600) h" : "\(seconds / 3600) h \(seconds % 3600 / 60) min"
        default: return seconds % 86_400 < 3600 ? "\(seconds / 86_400) d" : "\(seconds / 86_400) d \(seconds % 86_400 / 3600) h"
        }
    }

    /// One unit: `5 minutes`, for running text.
    static func roughly(_ value: Duration) -> String {
        let seconds = max(0, value.milliseconds / 1000)
        let (amount, unit): (Int64, String) =
            switch seconds {
            case ..<60: (seconds, "second")
            case ..<3600: (seconds / 60, "minute")
            case ..<172_800: (seconds / 3600, "hour")
            default: (seconds / 86_400, "day")
            }
        return "\(amount) \(unit)\(amount == 1 ? "" : "s")"
    }

    /// `3 Mar 2013, 14:05:00`
    static func time(_ at: Timestamp) -> String {
        let second = at.milliseconds.dividedDown(86_400_000).rest / 1000
        return day(at) + String(format: ", %02d:%02d:%02d", Int(second / 3600), Int(second / 60 % 60), Int(second % 60))
    }

    /// `14:05`
    static func clock(_ at: Timestamp) -> String {
        let minute = at.milliseconds.dividedDown(86_400_000).rest / 60_000
        return String(format: "%02d:%02d", Int(minute / 60), Int(minute % 60))
    }

    /// `3 Mar 2013`
    static func day(_ at: Timestamp) -> String {
        let parts = dayParts(at)
        return "\(parts.day) \(month(parts.month)) \(parts.year)"
    }

    static func month(_ number: Int) -> String { months[number - 1] }

    /// The civil date in UTC, by Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms" (`civil_from_days`);
    /// Foundation's calendars cost a hundred times more, and a page holds a thousand times.
    static func dayParts(_ at: Timestamp) -> (year: Int, month: Int, day: Int) {
        let shifted = at.milliseconds.dividedDown(86_400_000).quotient + 719_468
        let (era, dayOfEra) = shifted.dividedDown(146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0), Int(month), Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1))
    }

    /// A stability index: two decimals are all it means.
    static func index(_ value: Double) -> String { String(format: "%.2f", value) }

    static func ago(_ at: Timestamp, now: Timestamp) -> String {
        let passed = now - at
        if passed.milliseconds < 0 { return "in \(roughly(at - now))" }
        return passed < .seconds(2) ? "just now" : "\(roughly(passed)) ago"
    }

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// Twelve digits of a digest or id are enough to find it again.
    static func short(_ digest: String) -> String { String(digest.prefix(12)) }

    /// `awaitingApproval` → `awaiting approval`
    static func words(_ name: String) -> String {
        name.reduce(into: "") { text, letter in
            if letter.isUppercase { text += " " + letter.lowercased() } else { text.append(letter) }
        }
    }
}

extension Int64 {
    /// Division that rounds down, so that times before 1970 fall on the right day.
    fileprivate func dividedDown(_ divisor: Int64) -> (quotient: Int64, rest: Int64) {
        let rest = self % divisor
        return rest < 0 ? (self / divisor - 1, rest + divisor) : (self / divisor, rest)
    }
}
