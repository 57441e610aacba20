import SlipwayCore

enum TraceTone {
    static func tone(_ state: TraceState) -> Tone {
        switch state {
        case .ok: .good
        case .error: .bad
        case .inProgress: .busy
        case .unspecified: .idle
        }
    }
    static func badge(_ state: TraceState) -> HTML {
        Piece.badge(state == .unspecified ? "unknown" : Spelled.words(state.rawValue.lowercased()).replacing("_", with: " "), tone(state))
    }
}

package enum TracesView {
    package static func html(_ page: TracesPage) -> HTML {
        let frame = page.frame
        let rows = page.traces.map { record -> [HTML] in
            let trace = record.trace
            return [
                Piece.link(record.name, .trace(frame.environment, trace.id)), TraceTone.badge(trace.state), frame.time(trace.requestedAt),
                trace.duration.map { "\(Spelled.milliseconds(Double($0)))" } ?? "", record.tokens.map { "\(Spelled.count($0))" } ?? "",
                "\(preview(trace.requestPreview))", "\(preview(trace.responsePreview))", "\(assessments(record))",
            ]
        }
        let table = Piece.table("Traces", ["Trace", "State", "Asked", .number("Took"), .number("Tokens"), "Request", "Response", "Assessments"], rows)
        let pager = Piece.pager(
            "traces", from: page.from, shown: rows.count, total: nil,
            newer: page.from > 0 ? .traces(frame.environment, page.experiment.id, filter: page.filter, from: max(0, page.from - TracesPage.rowsMax)) : nil,
            older: page.hasMore ? .traces(frame.environment, page.experiment.id, filter: page.filter, from: page.from + rows.count) : nil)
        let wrong: HTML? = page.error.map { "<div id=\"filter-error\">\(Piece.notice(.bad, $0.message, remedy: $0.remedy))</div>" }
        let search: HTML = """
            <form class="finder" method="get" action="\(SitePath.traces(frame.environment, page.experiment.id))" role="search">
            <div class="line"><label class="grow">Filter<input name="filter" value="\(page.filter)" autocomplete="off" spellcheck="false" \
            placeholder="trace.status = 'ERROR' AND tags.team = 'ops'"></label><button class="primary">Search</button></div>
            \(wrong)</form>

            """
        let content: HTML = rows.isEmpty ? empty(page) : "\(pager)\(table)"
        return frame.page(
            "Traces of \(page.experiment.name)", kicker: "Experiment \(page.experiment.id)",
            badge: "<a class=\"button\" href=\"\(SitePath.experiment(frame.environment, page.experiment.id))\">Runs</a>", in: .experiments,
            "\(search)<div id=\"traces\" data-live=\"10\">\(content)</div>")
    }

    private static func empty(_ page: TracesPage) -> HTML {
        if page.error != nil { return "" }
        if !page.filter.isEmpty || page.from > 0 {
            return "<div class=\"empty\"><p>No trace fits. \(Piece.link("Show all", .traces(page.frame.environment, page.experiment.id)))</p></div>"
        }
        return """
            <div class="empty"><p>No traces yet. From an application:</p>
            \(Piece.snippet("import mlflow\nmlflow.set_tracking_uri(\"\(page.address)/\(page.frame.environment.rawValue)\")\nmlflow.set_experiment(\"\(page.experiment.name)\")\n\n@mlflow.trace\ndef answer(question): ..."))</div>
            """
    }

    private static func preview(_ text: String?) -> HTML {
        guard let text else { return "" }
        return text.count > 80 ? "<span title=\"\(String(text.prefix(1000)))\">\(String(text.prefix(80)))…</span>" : "\(text)"
    }

    private static func assessments(_ record: TraceRecord) -> HTML {
        .joined(record.assessments.filter(\.isValid).prefix(4).map { "<small>\($0.name)</small> \(TraceView.spelled($0.value))" }, by: "<br>")
    }
}

package enum TraceView {
    package static func html(_ page: TracePage) -> HTML {
        let frame = page.frame
        let (record, trace) = (page.record, page.record.trace)
        let facts = Piece.facts([
            ("Experiment", Piece.link(page.experiment, .traces(frame.environment, trace.experiment))),
            ("Asked", Piece.moment(trace.requestedAt)),
            ("Took", trace.duration.map { "\(Spelled.milliseconds(Double($0)))" }),
            ("Tokens", record.tokens.map { "\(Spelled.count($0))" }),
            ("Session", record.metadata[TraceKey.session].map { "\($0)" }),
            ("User", record.metadata[TraceKey.user].map { "\($0)" }),
            ("Run", record.metadata[TraceKey.sourceRun].map { Piece.id($0, .run(frame.environment, $0)) }),
            ("Trace id", "<code class=\"id\">\(trace.id)</code>"),
        ])
        let tags = record.tags.filter { !$0.key.hasPrefix("mlflow.") }.sorted { $0.key < $1.key }.map { ["\($0.key)", "\(String($0.value.prefix(200)))"] as [HTML] }
        let right: HTML? = tags.isEmpty ? nil : Piece.part("Tags", Piece.table("Tags", ["Tag", "Value"], tags, isPairs: true))
        return frame.page(
            record.name, kicker: "Trace", badge: TraceTone.badge(trace.state), in: .experiments,
            "\(facts)<div class=\"columns\"><div>\(spans(page))</div><div>\(assessments(page))\(right)</div></div>")
    }

    private static func spans(_ page: TracePage) -> HTML {
        guard let all = page.spans else { return Piece.part("Steps", Piece.empty("Its spans lie among the client's artifacts, or have not all arrived.")) }
        let shown = all.sorted { $0.startedAt < $1.startedAt }.prefix(TracePage.spansMax)
        let known = Set(shown.map(\.id))
        let children = Dictionary(grouping: shown) { span in span.parent.flatMap { known.contains($0) ? $0 : nil } ?? "" }
        let start = shown.first?.startedAt ?? 0
        // Each span is shown once, whatever parents the client named: where two name each other, the earlier one stands for itself.
        var open = Set(shown.map(\.id))
        func list(_ parent: String, depth: Int) -> HTML {
            let items = (children[parent] ?? []).html { span in
                guard open.remove(span.id) != nil else { return "" }
                return "<li>\(step(span, start))\(depth < 60 ? list(span.id, depth: depth + 1) : "")</li>\n"
            }
            return items == "" ? "" : "<ul>\(items)</ul>"
        }
        let note: HTML? = all.count > shown.count ? "the first \(Spelled.count(shown.count)) of \(Spelled.count(all.count))" : nil
        var tree = list("", depth: 0)
        for span in shown where open.remove(span.id) != nil { tree = "\(tree)<ul><li>\(step(span, start))\(list(span.id, depth: 1))</li></ul>" }
        return Piece.part("Steps", note: note, tree == "" ? Piece.empty("No spans.") : "<div class=\"spans card\">\(tree)</div>")
    }

    private static func step(_ span: StoredSpan, _ start: Int64) -> HTML {
        // A client's own text: what does not read has no inputs to show.
        let attributes = (try? CanonicalJSON.decode(JSONValue.self, from: span.attributes)) ?? .object([:])
        let took = span.endedAt.map { Spelled.milliseconds(Double($0 - span.startedAt) / 1e6) } ?? "going on"
        let kind: HTML? = attributes[TraceKey.spanType]?.string.map { " <span class=\"branch\">\($0)</span>" }
        let failed: HTML? = span.status == .error ? " \(Piece.badge("error", .bad)) <small>\(String((span.statusMessage ?? "").prefix(300)))</small>" : nil
        let parts = [("Inputs", attributes[TraceKey.inputs]), ("Outputs", attributes[TraceKey.outputs])].html { name, value in
            value.map { "<p class=\"small\">\(name)</p><pre class=\"log\">\(String(ArtifactText.indented(text($0)).prefix(textMax)))</pre>" } ?? ""
        }
        let head: HTML = "<b>\(span.name)</b>\(kind) <small>\(took), from \(Spelled.milliseconds(Double(span.startedAt - start) / 1e6))</small>\(failed)"
        return parts == "" ? head : "<details id=\"span-\(span.id)\"><summary>\(head)</summary>\(parts)</details>"
    }
    private static let textMax = 20_000

    private static func assessments(_ page: TracePage) -> HTML {
        let rows = page.record.assessments.map { assessment -> [HTML] in
            let replaced: HTML? = assessment.isValid ? nil : " <span class=\"none\">replaced</span>"
            return [
                "\(assessment.name)\(replaced)", spelled(assessment.value), "\(assessment.sourceType.lowercased()) <small>\(assessment.sourceID)</small>",
                "\(assessment.rationale)",
            ]
        }
        return Piece.part("Assessments", rows.isEmpty ? "<p class=\"none\">Nobody judged it.</p>" : Piece.table("Assessments", ["Name", "Value", "By", "Why"], rows))
    }

    static func spelled(_ value: JSONValue) -> HTML {
        if let number = value.double { return "\(Spelled.number(number))" }
        return "\(String(text(value).prefix(200)))"
    }

    /// Text as it is, anything else as JSON.
    private static func text(_ value: JSONValue) -> String {
        if let text = value.string { return text }
        return (try? CanonicalJSON.text(value)) ?? ""  // was JSON a moment ago
    }
}
