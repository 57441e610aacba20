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

    static func percent(_ share: Double) -> String { String(format: share < 0.1 && share > 0 ? "%.1f %%" : "%.0f %%", share * 100) }

    static func milliseconds(_ value: Double) -> String { value < 1 ? String(format: "%.2f ms", value) : value < 100 ? String(format: "%.1f ms", value) : "\(count(Int64(value))) ms" }

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
        let (amount, unit): (Int64, String) = switch seconds {
        case ..<60: (seconds, "second")
        case ..<3600: (seconds / 60, "minute")
        case ..<172_800: (seconds / 3600, "hour")
        default: (seconds / 86_400, "day")
        }
        return "\(amount) \(unit)\(amount == 1 ? "" : "s")"
    }

    /// `3 Mar 2013, 14:05:00`
    static func time(_ at: Timestamp) -> String {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let parts = calendar.dateComponents([.year, .month, .day, .hour, .minute, .second], from: at.date)
        let day = "\(parts.day!) \(months[parts.month! - 1]) \(parts.year!)"
        return day + String(format: ", %02d:%02d:%02d", parts.hour!, parts.minute!, parts.second!)
    }

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
