import SlipwayCore

package enum RunTableView {
    package static func html(_ page: RunTablePage) -> HTML {
        let frame = page.frame
        let experiment = page.experiment
        let about: HTML? = experiment.tags["mlflow.note.content"].map { "<p class=\"lead\">\(String($0.prefix(500)))</p>" }
        let badge: HTML? = experiment.lifecycle == .deleted ? Piece.badge("deleted", .idle) : nil
        let columns = page.columns
        // Looked at again sooner while something goes on; new runs come at any time.
        let isGoing = page.runs.contains { $0.run.status == .running }
        let rows: HTML = page.runs.isEmpty ? empty(page) : table(page, columns)
        return frame.page(
            experiment.name, kicker: "Experiment \(experiment.id) of \(experiment.project.rawValue)", badge: badge, in: .experiments, scripts: ["filter.js"],
            "\(about)\(finder(page, columns))<div id=\"runs\" data-live=\"\(isGoing ? 4 : 20)\">\(rows)</div>")
    }

    // MARK: Filter and columns

    private static func finder(_ page: RunTablePage, _ columns: [RunColumn]) -> HTML {
        let (environment, id, query) = (page.frame.environment, page.experiment.id, page.query)
        let views = [("active", "active", LifecycleView.active), ("deleted", "deleted", .deleted), ("all", "all", .all)].html { value, title, view in
            "<option value=\"\(value)\"\(view == query.view ? selected : nil)>\(title)</option>"
        }
        let wrong: HTML? = page.error.map { "<div id=\"filter-error\">\(Piece.notice(.bad, $0.message, remedy: $0.remedy))</div>" }
        let order: HTML? =
            query.sort == .started && !query.isAscending
            ? nil : "<input type=\"hidden\" name=\"sort\" value=\"\(query.sort.text)\"><input type=\"hidden\" name=\"order\" value=\"\(query.isAscending ? "up" : "down")\">"
        return """
            <form class="finder" method="get" action="\(SitePath.experiment(environment, id))" role="search">\(order)
            <div class="line">
            <label class="grow">Filter<input name="filter" value="\(query.filter)" data-complete="\(SitePath.completions(environment, experiment: id))" autocomplete="off" \
            spellcheck="false" autocapitalize="off" placeholder="metrics.auc &gt; 0.7 AND params.model = 'tree'"\(page.error == nil ? nil : invalid)></label>
            <label>Runs<select name="view">\(views)</select></label><button class="primary">Search</button>
            <p class="aside">\(Piece.link("Traces", .traces(environment, id)))</p>
            </div>
            \(wrong)\(chooser(page, columns))
            \(help)
            </form>

            """
    }
    private static let selected: HTML = " selected"
    private static let invalid: HTML = " aria-invalid=\"true\" aria-describedby=\"filter-error\""
    private static let chosen: HTML = "<input type=\"hidden\" name=\"chosen\" value=\"1\">"

    private static func chooser(_ page: RunTablePage, _ columns: [RunColumn]) -> HTML {
        let shown = Set(columns)
        let offered: [(String, [RunColumn])] = [
            ("Metrics", (page.keys[.metric] ?? []).map { RunColumn(.metric, $0) }), ("Params", (page.keys[.param] ?? []).map { RunColumn(.param, $0) }),
            ("Tags", (page.keys[.tag] ?? []).map { RunColumn(.tag, $0) }), ("Of the run", RunColumn.choosable),
        ]
        let groups = offered.html { title, all in
            // What is shown stands first, so that it can be taken away however many there are.
            let ordered = columns.filter { $0.kind == all.first?.kind } + all.filter { !shown.contains($0) }
            if ordered.isEmpty { return "" }
            let ticks = ordered.prefix(offeredMax).html { Piece.tick("column", $0.text, isOn: shown.contains($0), "\($0.title)") }
            let more: HTML? = ordered.count > offeredMax ? "<p class=\"small\">and \(Spelled.count(ordered.count - offeredMax)) more, by name below</p>" : nil
            return "<fieldset><legend>\(title)</legend><div class=\"ticks\">\(ticks)</div>\(more)</fieldset>"
        }
        return """
            <details class="chooser" id="columns"><summary>Columns (\(columns.count))</summary>\(page.query.columns == nil ? nil : chosen)
            <div class="groups">\(groups)</div>
            <div class="line"><label class="grow">Another<input name="column" placeholder="metrics.valid/auc" autocomplete="off" spellcheck="false"></label>
            <button name="chosen" value="1">Show these</button><a href="\(usual(page))">As usual</a></div>
            </details>
            """
    }
    private static let offeredMax = 200

    private static func usual(_ page: RunTablePage) -> SitePath {
        var query = page.query
        query.columns = nil
        return .experiment(page.frame.environment, page.experiment.id, query.fields)
    }

    private static let help: HTML = """
        <details class="help"><summary>How to write a filter</summary>
        <p>As in MLflow: <code>metrics.auc &gt; 0.7</code>, <code>params.model = 'tree'</code>, <code>tags.owner LIKE 'a%'</code>, <code>attributes.status = 'RUNNING'</code>,
        <code>attributes.start_time &gt; 1764000000000</code>, <code>datasets.name IN ('flights')</code>, <code>tags.note IS NULL</code>;
        several with <code>AND</code>, <code>OR</code>, <code>NOT</code> and parentheses.
        A name with spaces stands in backquotes: <code>metrics.`valid auc` &gt; 0.7</code>.</p></details>
        """

    private static func empty(_ page: RunTablePage) -> HTML {
        if page.error != nil { return "" }
        if !page.query.filter.isEmpty || page.query.view != .active || page.query.from > 0 {
            return "<div class=\"empty\"><p>No run fits. \(Piece.link("Show all", .experiment(page.frame.environment, page.experiment.id)))</p></div>"
        }
        return """
            <div class="empty"><p>No runs yet. From a training script:</p>
            \(Piece.snippet("import mlflow\nmlflow.set_tracking_uri(\"\(page.address)/\(page.frame.environment.rawValue)\")\nmlflow.set_experiment(\"\(page.experiment.name)\")\nwith mlflow.start_run():\n    mlflow.log_metric(\"auc\", 0.7)"))</div>
            """
    }

    // MARK: The table

    private static func table(_ page: RunTablePage, _ columns: [RunColumn]) -> HTML {
        let (frame, query) = (page.frame, page.query)
        let head = ([RunColumn.name, .status, .started].map { heading($0, page) } + ["<th scope=\"col\" class=\"n\">Took</th>"] + columns.map { heading($0, page) })
        let body = page.runs.html { run, details in
            let picture = Piece.tick("run", run.id, "<span class=\"unseen\">Select \(run.name)</span>")
            let cells = columns.html { cell($0, run, details, frame) }
            return """
                <tr><td class="pick">\(picture)</td><th scope="row">\(Piece.link(run.name, .run(frame.environment, run.id)))</th>\
                <td>\(Piece.badge(run.status.rawValue.lowercased(), RunTone.tone(run.status)))</td><td>\(frame.time(run.startedAt))</td>\
                <td class="n">\(ExecutionView.took(run.startedAt, run.endedAt, frame))</td>\(cells)</tr>

                """
        }
        let total = page.found >= RunTablePage.countMax ? "more than \(Spelled.count(RunTablePage.countMax - 1))" : Spelled.count(page.found)
        let isLast = query.from + page.runs.count >= page.found && page.found < RunTablePage.countMax || page.runs.count < RunTableQuery.rowsMax
        let pager = Piece.pager(
            page.found == 1 ? "run" : "runs", from: query.from, shown: page.runs.count, total: total,
            newer: query.from > 0 ? .experiment(frame.environment, page.experiment.id, query.at(query.from - RunTableQuery.rowsMax).fields) : nil,
            older: isLast ? nil : .experiment(frame.environment, page.experiment.id, query.at(query.from + RunTableQuery.rowsMax).fields))
        return """
            <form class="picking" method="get" action="\(SitePath.compare(frame.environment))">
            <div class="bar"><button data-picked="2">Compare <span class="picked">the ticked</span></button>\(pager)</div>
            <div class="scroll wide" role="region" aria-label="Runs" tabindex="0"><table class="runs"><caption class="unseen">Runs</caption>
            <thead><tr><td class="pick"></td>\(head)</tr></thead><tbody>
            \(body)</tbody></table></div>
            \(page.runs.count > 20 ? pager : nil)</form>

            """
    }

    private static func heading(_ column: RunColumn, _ page: RunTablePage) -> HTML {
        let kind: HTML? = column.kind == .attribute ? nil : "<small>\(column.kind.rawValue)</small>"
        let number: HTML? = column.isNumber ? " class=\"n\"" : nil
        guard column.isSortable else { return "<th scope=\"col\">\(kind)\(column.title)</th>" }
        let path = SitePath.experiment(page.frame.environment, page.experiment.id, page.query.sorted(by: column).fields)
        guard column == page.query.sort else { return "<th scope=\"col\"\(number)>\(kind)<a href=\"\(path)\">\(column.title)</a></th>" }
        let (order, mark): (HTML, HTML) = page.query.isAscending ? ("ascending", "↑") : ("descending", "↓")
        return "<th scope=\"col\"\(number) aria-sort=\"\(order)\">\(kind)<a href=\"\(path)\">\(column.title) \(mark)</a></th>"
    }

    private static func cell(_ column: RunColumn, _ run: Run, _ details: RunDetails, _ frame: PageFrame) -> HTML {
        switch column.kind {
        case .metric:
            guard let point = details.metrics.first(where: { $0.key == column.key }) else { return "<td class=\"n\"></td>" }
            return "<td class=\"n\" title=\"\(String(point.value))\">\(Spelled.number(point.value))</td>"
        case .param: return text(details.params[column.key])
        case .tag: return text(details.tags[column.key])
        case .attribute:
            switch column.key {
            case "user_id": return "<td>\(Piece.principal(run.user))</td>"
            case "end_time": return "<td>\(frame.time(run.endedAt))</td>"
            case "run_id": return "<td>\(Piece.id(run.id))</td>"
            case "datasets": return "<td>\(details.datasets.map(\.name).joined(separator: ", "))</td>"
            default: return "<td></td>"
            }
        }
    }

    private static func text(_ value: String?) -> HTML {
        guard let value else { return "<td></td>" }
        return value.count > textMax ? "<td title=\"\(String(value.prefix(1000)))\">\(String(value.prefix(textMax)))…</td>" : "<td>\(value)</td>"
    }
    private static let textMax = 60
}
