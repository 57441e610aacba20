import SlipwayCore

package enum CompareView {
    package static func html(_ page: ComparePage) -> HTML {
        let frame = page.frame
        guard page.runs.count > 1 else {
            let back = page.runs.first.map { SitePath.experiment(frame.environment, $0.run.experiment) } ?? .experiments(frame.environment)
            return frame.page(
                "Compare runs", in: .experiments, "<div class=\"empty\"><p>Tick two runs or more in a \(Piece.link("table of runs", back)), then compare.</p></div>")
        }
        let more: HTML? = page.hasMore ? Piece.notice(.watch, "Only the first \(ComparePage.runsMax) runs are compared.") : nil
        let toggle: HTML = """
            <p class="bar"><a class="button" href="\(path(page, isDifferingOnly: !page.isDifferingOnly))">\(page.isDifferingOnly ? "Show everything" : "Only what differs")</a>\
            <span class="small">A row marked with ≠ differs between the runs; a marked cell differs from the first run's.</span></p>

            """
        let content: HTML = """
            \(more)<div id="compared" data-names="\(names(page))">\(runs(page))</div>
            \(curves(page))\(drawings(page))\(toggle)\(table("Metrics", page.metrics, page))\(table("Params", page.params, page))\(table("Tags", page.tags, page))
            """
        return frame.page(
            "Compare \(page.runs.count) runs", kicker: "Runs", in: .experiments, hasCharts: true, scripts: CurveView.scripts + ["compare.js"], content)
    }

    private static func path(_ page: ComparePage, without run: String? = nil, isDifferingOnly: Bool) -> SitePath {
        .compare(page.frame.environment, runs: page.runs.map(\.run.id).filter { $0 != run }, isDifferingOnly ? [("only", "differing")] : [])
    }

    /// `{"id": "name"}` in the order of the page: the curves' legend and colours.
    private static func names(_ page: ComparePage) -> String {
        let pairs = page.runs.map { JSONText.pair($0.run.id, $0.run.name) }
        return "{\(pairs.joined(separator: ","))}"
    }

    private static func runs(_ page: ComparePage) -> HTML {
        let frame = page.frame
        let experiments = Set(page.runs.map(\.run.experiment))
        let rows = page.runs.map { run, _ -> [HTML] in
            [
                "<span class=\"swatch\" data-run=\"\(run.id)\"></span>\(Piece.link(run.name, .run(frame.environment, run.id)))",
                Piece.badge(run.status.rawValue.lowercased(), RunTone.tone(run.status)), frame.time(run.startedAt), ExecutionView.took(run.startedAt, run.endedAt, frame) ?? "",
                experiments.count > 1 ? Piece.link(run.experiment, .experiment(frame.environment, run.experiment)) : "",
                page.runs.count > 2 ? Piece.link("take away", path(page, without: run.id, isDifferingOnly: page.isDifferingOnly)) : "",
            ]
        }
        return
            "<div class=\"low\">\(Piece.table("Runs", ["Run", "Status", "Started", .number("Took"), Piece.Column(stringLiteral: experiments.count > 1 ? "Experiment" : ""), ""], rows))</div>"
    }

    private static func curves(_ page: ComparePage) -> HTML? {
        let keys = page.curves
        if keys.isEmpty { return nil }
        let ids = page.runs.map(\.run.id)
        return Piece.part(
            "Curves", id: "curves",
            "\(CurveView.controls)\(CurveView.groups(keys) { CurveView.figure($0, source: .curves(page.frame.environment, runs: ids, metric: $0), table: nil) })")
    }

    /// Drawn by `compare.js` from the tables below, and shown by it.
    private static func drawings(_ page: ComparePage) -> HTML {
        Piece.part(
            "Params against metrics", id: "drawings",
            """
            <p class="small drawn-only" hidden>A line per run; each axis from its least to its greatest value. Hover a line for its run, click it to open.</p>
            <figure class="chart parallel" hidden><figcaption>Parallel coordinates</figcaption><details class="chooser"><summary>Axes</summary><div class="groups"></div></details><div class="plot"></div><div class="legend"></div></figure>
            <figure class="chart scatter" hidden><figcaption>Scatter</figcaption><div class="bar"><label>Across<select name="across"></select></label><label>Up<select name="up"></select></label></div><div class="plot"></div><div class="legend"></div></figure>
            <noscript><p class="none">Drawn with JavaScript from the tables below.</p></noscript>
            """)
    }

    private static func table(_ title: String, _ all: [ComparePage.Row], _ page: ComparePage) -> HTML? {
        let rows = page.isDifferingOnly ? all.filter(\.differs) : all
        if rows.isEmpty { return all.isEmpty ? nil : Piece.part(title, "<p class=\"none\">The runs agree in all \(Spelled.count(all.count)).</p>") }
        let head = page.runs.html { run, _ in "<th scope=\"col\" data-run=\"\(run.id)\">\(run.name)</th>" }
        let body = rows.prefix(rowsMax).html { row in
            let cells = row.values.enumerated().map { index, value -> HTML in
                let number: HTML? = row.numbers[index].flatMap { $0.isFinite ? " data-v=\"\(String($0))\"" as HTML : nil }
                let isOther: HTML? = row.differs && value != row.values[0] ? " class=\"other\"" : nil
                guard let value else { return "<td\(isOther)><span class=\"none\">–</span></td>" }
                return "<td\(isOther)\(number)>\(String(value.prefix(200)))</td>"
            }
            let mark: HTML? = row.differs ? "<abbr class=\"differs\" title=\"differs\">≠</abbr> " : nil
            return "<tr><th scope=\"row\" data-key=\"\(row.key)\">\(mark)\(row.key)</th>\(cells)</tr>\n"
        }
        let more: HTML? = rows.count > rowsMax ? "<p class=\"note small\">The first \(Spelled.count(rowsMax)) of \(Spelled.count(rows.count)).</p>" : nil
        return Piece.part(
            title,
            """
            <div class="scroll high" role="region" aria-label="\(title)" tabindex="0"><table class="compare" data-kind="\(title.lowercased())"><caption class="unseen">\(title)</caption>
            <thead><tr><th scope="col">\(title)</th>\(head)</tr></thead><tbody>
            \(body)</tbody></table></div>
            \(more)
            """)
    }
    private static let rowsMax = 500
}

/// A pair of an object, as JSON spells strings.
enum JSONText {
    static func pair(_ name: String, _ value: String) -> String { "\(quoted(name)):\(quoted(value))" }

    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\u{0}"..."\u{1f}": quoted += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
