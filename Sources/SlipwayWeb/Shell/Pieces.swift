import SlipwayCore

/// How something is: always a word and a shape besides the colour.
package enum Tone: String, Sendable, Hashable {
    case good, watch, bad, busy, idle
}

/// The parts that pages are put together from.
enum Piece {
    static func badge(_ text: String, _ tone: Tone) -> HTML { "<span class=\"badge \(tone.rawValue)\">\(text)</span>" }

    static func link(_ text: String, _ path: SitePath) -> HTML { "<a href=\"\(path)\">\(text)</a>" }
    static func link(_ html: HTML, _ path: SitePath) -> HTML { "<a href=\"\(path)\">\(html)</a>" }

    /// A digest or id: twelve digits, the whole on hovering and copying.
    static func id(_ text: String) -> HTML { "<code class=\"id\" title=\"\(text)\">\(Spelled.short(text))</code>" }
    static func id(_ text: String, _ path: SitePath) -> HTML { link(id(text), path) }

    static func time(_ at: Timestamp, now: Timestamp) -> HTML {
        "<time datetime=\"\(at.iso8601)\" title=\"\(Spelled.time(at)) UTC\">\(Spelled.ago(at, now: now))</time>"
    }
    static func moment(_ at: Timestamp) -> HTML { "<time datetime=\"\(at.iso8601)\">\(Spelled.time(at))<span class=\"zone\"> UTC</span></time>" }

    /// `user:ada` → ada; everything that is not a person keeps its kind.
    static func principal(_ raw: String) -> HTML {
        if raw.hasPrefix("user:") { return "<span class=\"who\">\(String(raw.dropFirst(5)))</span>" }
        let parts = raw.split(separator: ":", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return "\(raw)" }
        if parts[0] == "system" { return "<span class=\"who machine\">Slipway <small>\(parts[1])</small></span>" }
        return "<span class=\"who machine\">\(parts[1].count == 32 ? Spelled.short(parts[1]) : parts[1]) <small>\(parts[0])</small></span>"
    }

    /// A part of a page with its own heading.
    static func part(_ title: String, note: HTML? = nil, id: String? = nil, _ content: HTML) -> HTML {
        let note: HTML? = note.map { "<p class=\"note\">\($0)</p>" }
        let id: HTML? = id.map { " id=\"\($0)\"" }
        return "<section class=\"part\"\(id)><header><h2>\(title)</h2>\(note)</header>\(content)</section>\n"
    }

    /// Names and values, in as many columns as fit.
    static func facts(_ pairs: [(String, HTML?)]) -> HTML {
        let items = pairs.html { name, value in
            value.map { "<div><dt>\(name)</dt><dd>\($0)</dd></div>" } ?? ""
        }
        return "<dl class=\"facts\">\(items)</dl>"
    }

    struct Column: ExpressibleByStringLiteral {
        var title: String
        var isNumber = false
        init(stringLiteral value: String) { title = value }
        static func number(_ title: String) -> Column {
            var column = Column(stringLiteral: title)
            column.isNumber = true
            return column
        }
    }

    /// - Parameter rows: a cell per column; the first is the row's heading.
    static func table(_ caption: String, _ columns: [Column], _ rows: [[HTML]], isPairs: Bool = false) -> HTML {
        let kind: HTML? = isPairs ? " class=\"pairs\"" : nil
        let head = columns.html { "<th scope=\"col\"\($0.isNumber ? number : nil)>\($0.title)</th>" }
        let body = rows.html { row in
            let cells = zip(columns, row).enumerated().map { index, pair -> HTML in
                let mark = pair.0.isNumber ? number : nil
                return index == 0 ? "<th scope=\"row\"\(mark)>\(pair.1)</th>" : "<td\(mark)>\(pair.1)</td>"
            }
            return "<tr>\(cells)</tr>\n"
        }
        return """
            <div class="scroll" role="region" aria-label="\(caption)" tabindex="0"><table\(kind)><caption class="unseen">\(caption)</caption>
            <thead><tr>\(head)</tr></thead><tbody>
            \(body)</tbody></table></div>

            """
    }
    private static let number: HTML = " class=\"n\""

    /// Nothing yet, and what makes something.
    static func empty(_ sentence: String, command line: String? = nil) -> HTML {
        "<div class=\"empty\"><p>\(sentence)</p>\(line.map(command))</div>\n"
    }

    static func command(_ line: String) -> HTML { "<pre class=\"command\"><code>\(line)</code></pre>" }

    /// Code that is not for the shell.
    static func snippet(_ text: String) -> HTML { "<pre class=\"snippet\"><code>\(text)</code></pre>" }

    static func notice(_ tone: Tone, _ message: String, remedy: String? = nil, reasons: [SlipwayError.Reason] = []) -> HTML {
        let remedy: HTML? = remedy.map { "<p class=\"remedy\">\($0)</p>" }
        let list: HTML? = reasons.isEmpty ? nil : "<ul>\(reasons.html { "<li>\($0.message) <span class=\"remedy\">\($0.remedy)</span></li>" })</ul>"
        let role: HTML = tone == .bad ? "alert" : "status"
        return "<div class=\"notice \(tone.rawValue)\" role=\"\(role)\"><p>\(message)</p>\(remedy)\(list)</div>\n"
    }

    /// The way to older rows, nil on the last page.
    static func older(_ path: SitePath?) -> HTML? {
        path.map { "<nav class=\"pager\" aria-label=\"More\"><a href=\"\($0)\">Older →</a></nav>" }
    }

    /// Where in a long list one is, and the ways from there.
    /// - Parameter total: as text: `10,000`, or `more than 10,000`.
    static func pager(_ noun: String, from: Int, shown: Int, total: String?, newer: SitePath?, older: SitePath?) -> HTML {
        let of: HTML? = total.map { " of \($0)" }
        let range: HTML = shown == 0 ? "" : "<span class=\"range\">\(Spelled.count(from + 1))–\(Spelled.count(from + shown))\(of) \(noun)</span>"
        let back: HTML? = newer.map { "<a rel=\"prev\" href=\"\($0)\">← Back</a>" }
        let on: HTML? = older.map { "<a rel=\"next\" href=\"\($0)\">Further →</a>" }
        return "<nav class=\"pager\" aria-label=\"Pages\">\(range)\(back)\(on)</nav>"
    }

    /// A box to tick. In a label of its own, so that the words can be clicked.
    static func tick(_ name: String, _ value: String, isOn: Bool = false, _ words: HTML) -> HTML {
        "<label class=\"tick\"><input type=\"checkbox\" name=\"\(name)\" value=\"\(value)\"\(isOn ? on : nil)>\(words)</label>"
    }
    private static let on: HTML = " checked"

    /// A short bar for a share of 0…1 beside its number.
    static func meter(_ share: Double, _ label: String) -> HTML {
        "<span class=\"meter\"><meter min=\"0\" max=\"1\" value=\"\(String(min(max(share, 0), 1)))\" aria-label=\"\(label)\"></meter>\(Spelled.percent(share))</span>"
    }
}
