import SlipwayCore

package struct MetricPage: Sendable {
    package var frame: PageFrame
    package var run: Run
    package var key: String
    /// In the order of time.
    package var points: [MetricSample]
    package var from: Int
    package var hasMore: Bool

    package init(frame: PageFrame, run: Run, key: String, points: [MetricSample], from: Int = 0, hasMore: Bool = false) {
        self.frame = frame
        self.run = run
        self.key = key
        self.points = points
        self.from = from
        self.hasMore = hasMore
    }
}

/// Places that `curves.js` draws in: it asks for the points when the reader comes near.
enum CurveView {
    /// - Parameter table: where every point stands, for reading without a script.
    static func figure(_ key: String, source: SitePath, table: SitePath?) -> HTML {
        let link: HTML? = table.map { "<a class=\"small\" href=\"\($0)\">as a table</a>" }
        return """
            <figure class="chart curve" data-curves="\(source)" data-key="\(key)"><figcaption><span>\(key)</span>\(link)</figcaption><div class="plot"></div></figure>

            """
    }

    /// How all curves of a page are drawn. Shown by the script, since nothing else heeds it.
    static let controls: HTML = """
        <form class="curve-controls bar" hidden>
        <label>Along<select name="along"><option value="step">step</option><option value="passed">time since the start</option><option value="time">time</option></select></label>
        <label>Smoothing<input type="range" name="smooth" min="0" max="0.99" step="0.01" value="0"></label>
        <label class="tick"><input type="checkbox" name="log" value="1">Logarithmic</label>
        <label>Metrics with<input type="search" name="with" placeholder="loss"></label>
        <p class="small aside">Drag to zoom, double-click to go back.</p>
        </form>

        """

    /// Metrics in groups by what stands before their first slash, those about the machine last and folded away.
    static func groups(_ keys: [String], _ figure: (String) -> HTML) -> HTML {
        let prefixes = Dictionary(grouping: keys) { key in key.firstIndex(of: "/").map { String(key[..<$0]) } ?? "" }
        // A group of one is none.
        let named = Dictionary(grouping: keys.sorted()) { key in
            let prefix = key.firstIndex(of: "/").map { String(key[..<$0]) } ?? ""
            return prefix == "system" || (prefixes[prefix] ?? []).count > 1 ? prefix : ""
        }
        let order = named.keys.sorted { ($0 == "system" ? 1 : 0, $0) < ($1 == "system" ? 1 : 0, $1) }
        return order.html { group in
            let figures: HTML = "<div class=\"charts\" data-group=\"\(group)\">\((named[group] ?? []).html(figure))</div>\n"
            if group == "system" { return "<details><summary>system (\((named[group] ?? []).count))</summary>\(figures)</details>\n" }
            return named.count > 1 && !group.isEmpty ? "<h3>\(group)</h3>\(figures)" : figures
        }
    }

    static let scripts = ["curves.js"]
}

package enum MetricView {
    package static func html(_ page: MetricPage) -> HTML {
        let (frame, run) = (page.frame, page.run)
        let rows = page.points.map { point -> [HTML] in
            ["\(Spelled.count(point.step))", Piece.moment(Timestamp(milliseconds: point.timestamp)), "\(point.value.isNaN ? "NaN" : String(point.value))"]
        }
        let pager = Piece.pager(
            "points", from: page.from, shown: rows.count, total: nil,
            newer: page.from > 0 ? .metric(frame.environment, run: run.id, key: page.key, from: max(0, page.from - 500)) : nil,
            older: page.hasMore ? .metric(frame.environment, run: run.id, key: page.key, from: page.from + rows.count) : nil)
        let figure = CurveView.figure(page.key, source: .curves(frame.environment, runs: [run.id], metric: page.key), table: nil)
        let table: HTML =
            rows.isEmpty ? Piece.empty("No points.") : "\(pager)\(Piece.table("Points", [.number("Step"), "Time", .number("Value")], rows))\(rows.count > 20 ? pager : nil)"
        return frame.page(
            page.key, kicker: "Metric of a run", badge: Piece.link(run.name, .run(frame.environment, run.id)), in: .experiments, hasCharts: true, scripts: CurveView.scripts,
            "\(CurveView.controls)<div class=\"charts\">\(figure)</div>\(Piece.part("Points", table))")
    }
}
