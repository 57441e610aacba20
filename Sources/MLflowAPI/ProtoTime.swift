import SlipwayCore

/// Protobuf's well-known times as JSON: `2013-03-03T14:05:00.001Z` and `1.500s`. Both are milliseconds here.
enum ProtoTime {
    static func timestamp(_ milliseconds: Int64) -> String {
        let (days, rest) = (floor(milliseconds, 86_400_000), modulo(milliseconds, 86_400_000))
        let (year, month, day) = date(days)
        let seconds = rest / 1000
        let head = "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\(padded(seconds / 3600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))"
        return head + fraction(rest % 1000) + "Z"
    }

    static func duration(_ milliseconds: Int64) -> String {
        "\(milliseconds < 0 ? "-" : "")\(milliseconds.magnitude / 1000)\(fraction(Int64(milliseconds.magnitude % 1000)))s"
    }

    /// - Returns: nil for what is no RFC 3339 time.
    static func timestamp(parsing text: String) -> Int64? {
        guard let match = text.wholeMatch(of: /(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))/) else { return nil }
        let parts = match.output
        guard let year = Int64(parts.1), let month = Int64(parts.2), let day = Int64(parts.3), let hour = Int64(parts.4), let minute = Int64(parts.5),
            let second = Int64(parts.6), (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61
        else { return nil }
        var seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
        if let sign = parts.8, let hours = parts.9.flatMap({ Int64($0) }), let minutes = parts.10.flatMap({ Int64($0) }) {
            seconds -= (sign == "-" ? -1 : 1) * (hours * 3600 + minutes * 60)
        }
        return seconds * 1000 + thousandths(parts.7)
    }

    static func duration(parsing text: String) -> Int64? {
        guard let match = text.wholeMatch(of: /(-?)(\d{1,12})(?:\.(\d{1,9}))?s/), let seconds = Int64(match.output.2) else { return nil }
        let value = seconds * 1000 + thousandths(match.output.3)
        return match.output.1.isEmpty ? value : -value
    }

    private static func thousandths(_ digits: Substring?) -> Int64 {
        guard let digits else { return 0 }
        return Int64((digits + "000").prefix(3)) ?? 0
    }

    private static func fraction(_ thousandths: Int64) -> String { thousandths == 0 ? "" : ".\(padded(thousandths, 3))" }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    private static func floor(_ value: Int64, _ by: Int64) -> Int64 { (value - modulo(value, by)) / by }
    private static func modulo(_ value: Int64, _ by: Int64) -> Int64 { (value % by + by) % by }

    /// Days since 1970 as a date of the Gregorian calendar; years begin in March inside, so that the leap day is the last.
    private static func date(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = floor(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        return (yearOfEra + era * 400 + (month >= 10 ? 1 : 0), month < 10 ? month + 3 : month - 9, dayOfYear - (153 * month + 2) / 5 + 1)
    }

    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = floor(shifted, 400)
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
