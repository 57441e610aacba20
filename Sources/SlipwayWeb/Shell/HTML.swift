/// Markup. What is written in a literal is markup, what is interpolated is escaped by its type: text never becomes a tag,
/// and only another `HTML` goes in as it is.
///
/// ```swift
/// let cell: HTML = "<td title=\"\(hover)\">\(name)</td>"
/// ```
///
/// Attribute values are always quoted, so one escape serves both places. A link's target is a `SitePath`, never text.
package struct HTML: Sendable, Hashable, ExpressibleByStringInterpolation {
    package let markup: String

    package init(stringLiteral value: String) { markup = value }
    package init(stringInterpolation: StringInterpolation) { markup = stringInterpolation.markup }
    private init(markup: String) { self.markup = markup }

    package static let nothing: HTML = ""
    package static func text(_ text: String) -> HTML { "\(text)" }
    package static func joined(_ parts: [HTML], by separator: HTML = "") -> HTML {
        HTML(markup: parts.map(\.markup).joined(separator: separator.markup))
    }

    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var markup = ""

        package init(literalCapacity: Int, interpolationCount: Int) { markup.reserveCapacity(literalCapacity + 16 * interpolationCount) }
        package mutating func appendLiteral(_ literal: String) { markup += literal }
        package mutating func appendInterpolation(_ text: String) { HTML.escape(text, into: &markup) }
        package mutating func appendInterpolation(_ text: String?) { if let text { HTML.escape(text, into: &markup) } }
        package mutating func appendInterpolation(_ number: some FixedWidthInteger) { markup += String(number) }
        package mutating func appendInterpolation(_ html: HTML) { markup += html.markup }
        package mutating func appendInterpolation(_ html: HTML?) { if let html { markup += html.markup } }
        package mutating func appendInterpolation(_ parts: [HTML]) { for part in parts { markup += part.markup } }
        package mutating func appendInterpolation(_ path: SitePath) { HTML.escape(path.text, into: &markup) }
    }

    private static func escape(_ text: String, into markup: inout String) {
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": markup += "&amp;"
            case "<": markup += "&lt;"
            case ">": markup += "&gt;"
            case "\"": markup += "&quot;"
            case "'": markup += "&#39;"
            // Neither the controls nor the marks that turn writing direction may rearrange what a person reads before approving it.
            case "\u{0}"..."\u{8}", "\u{b}", "\u{c}", "\u{e}"..."\u{1f}", "\u{7f}"..."\u{9f}", "\u{202a}"..."\u{202e}", "\u{2066}"..."\u{2069}":
                markup += "\u{fffd}"
            default: markup.unicodeScalars.append(scalar)
            }
        }
    }
}

extension Collection {
    /// `rows.html { "<tr>…</tr>" }`
    func html(_ part: (Element) -> HTML) -> HTML { .joined(map(part)) }
}
