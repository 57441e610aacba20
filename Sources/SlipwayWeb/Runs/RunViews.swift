import SlipwayCore

enum RunTone {
    static func tone(_ status: RunStatus) -> Tone {
        switch status {
        case .finished: .good
        case .failed, .killed: .bad
        case .running: .busy
        case .scheduled: .idle
        }
    }
}

package enum RunsView {
    package static func html(_ page: RunsPage) -> HTML {
        let frame = page.frame
        // The three metrics that most runs of the page have.
        var seen: [String: Int] = [:]
        for row in page.rows { for key in row.metrics.keys { seen[key, default: 0] += 1 } }
        let keys = seen.sorted { ($0.value, $1.key) > ($1.value, $0.key) }.prefix(3).map(\.key)
        let columns: [Piece.Column] = ["Run", "Status", "Experiment", "Commit", "By", "Started", .number("Took")] + keys.map { .number($0) }
        let rows = page.rows.map { row -> [HTML] in
            [
                Piece.link(row.run.name, .run(frame.environment, row.run.id)),
                Piece.badge(row.run.status.rawValue.lowercased(), RunTone.tone(row.run.status)),
                "\(row.experiment)",
                row.commit.map { Piece.id($0) } ?? "",
                Piece.principal(row.run.user),
                frame.time(row.run.startedAt),
                ExecutionView.took(row.run.startedAt, row.run.endedAt, frame) ?? "",
            ] + keys.map { row.metrics[$0].map { "\(Spelled.number($0))" } ?? "" }
        }
        let empty: HTML = """
            <div class="empty"><p>No runs yet. Every MLflow client can write here; nothing new to install:</p>
            \(Piece.command("export MLFLOW_TRACKING_URI=\(page.address)/\(frame.environment.rawValue) MLFLOW_TRACKING_TOKEN=$(slipway token create laptop)"))</div>
            """
        return frame.page("Runs", in: .experiments, "\(rows.isEmpty ? empty : Piece.table("Runs", columns, rows))\(Piece.older(page.older))")
    }
}

package enum RunView {
    package static func html(_ page: RunPage) -> HTML {
        let frame = page.frame
        let run = page.run
        let tags = page.details.tags
        let snapshots = tags.filter { $0.key.hasPrefix("slipway.snapshot.") }.sorted { $0.key < $1.key }.map { key, value -> HTML in
            let dataset = String(key.dropFirst("slipway.snapshot.".count))
            return "\(Piece.link(dataset, .dataset(frame.environment, dataset, project: run.project))) \(Piece.id(value))"
        }
        let facts = Piece.facts([
            ("Experiment", "\(page.experiment)"),
            ("By", Piece.principal(run.user)),
            ("Started", Piece.moment(run.startedAt)),
            ("Took", ExecutionView.took(run.startedAt, run.endedAt, frame)),
            ("Commit", tags["mlflow.source.git.commit"].map { Piece.id($0) }),
            ("Execution", tags["slipway.execution"].map { Piece.id($0, .execution(frame.environment, $0)) }),
            ("Data", snapshots.isEmpty ? nil : .joined(snapshots, by: "<br>")),
            ("Run id", Piece.id(run.id)),
        ])
        let left = "\(metrics(page))\(curves(page))\(pictures(page))" as HTML
        let right = "\(params(page))\(models(page))\(artifacts(page))\(inputs(page))\(tagList(page))" as HTML
        return frame.page(
            run.name, kicker: "Run", badge: Piece.badge(run.status.rawValue.lowercased(), RunTone.tone(run.status)), in: .experiments, hasCharts: !page.curves.isEmpty,
            "\(facts)<div class=\"columns\"><div>\(left)</div><div>\(right)</div></div>")
    }

    private static func metrics(_ page: RunPage) -> HTML {
        if page.details.metrics.isEmpty { return Piece.part("Metrics", "<p class=\"none\">None logged.</p>") }
        let rows = page.details.metrics.sorted { $0.key < $1.key }.map { point -> [HTML] in
            ["\(point.key)", "\(Spelled.number(point.value))", "\(Spelled.count(point.step))"]
        }
        return Piece.part("Metrics", note: "latest values", Piece.table("Metrics", ["Metric", .number("Value"), .number("Step")], rows))
    }

    private static func curves(_ page: RunPage) -> HTML? {
        if page.curves.isEmpty { return nil }
        let charts = page.curves.sorted { $0.key < $1.key }.html { key, points in
            Piece.chart(
                Chart(
                    key, axis: .number("Step"), series: [key],
                    points: points.map {
                        Chart.Point(x: Double($0.step), label: Spelled.count($0.step), values: [$0.value])
                    }))
        }
        return Piece.part("Curves", "<div class=\"charts\">\(charts)</div>")
    }

    static let pictureEndings: Set<String> = ["png", "jpg", "jpeg", "gif", "webp", "svg"]
    static func isPicture(_ path: String) -> Bool {
        guard let dot = path.lastIndex(of: ".") else { return false }
        return pictureEndings.contains(path[path.index(after: dot)...].lowercased())
    }

    private static func pictures(_ page: RunPage) -> HTML? {
        let shown = page.artifacts.filter { isPicture($0.path) }.prefix(12)
        if shown.isEmpty { return nil }
        let figures = shown.html { artifact in
            let path = SitePath.runArtifact(page.frame.environment, page.run.id, path: artifact.path)
            return """
                <figure><a href="\(path)"><img class="picture" src="\(path)" alt="\(artifact.path)" loading="lazy"></a><figcaption class="small">\(artifact.path)</figcaption></figure>
                """
        }
        return Piece.part("Pictures", "<div class=\"charts\">\(figures)</div>")
    }

    private static func params(_ page: RunPage) -> HTML {
        if page.details.params.isEmpty { return Piece.part("Params", "<p class=\"none\">None logged.</p>") }
        let rows = page.details.params.sorted { $0.key < $1.key }.map { ["\($0.key)", "<code>\($0.value)</code>"] as [HTML] }
        return Piece.part("Params", Piece.table("Params", ["Param", "Value"], rows, isPairs: true))
    }

    private static func models(_ page: RunPage) -> HTML? {
        if page.models.isEmpty { return nil }
        let rows = page.models.map { model -> [HTML] in
            let signature: HTML? = model.signature.flatMap { signature -> HTML? in
                let inputs = signature["inputs"]?.array?.count ?? 0
                return "\(Spelled.count(inputs, "input"))"
            }
            return ["\(model.name)", Piece.id(model.id), signature ?? "<span class=\"none\">no signature</span>"]
        }
        return Piece.part("Models", Piece.table("Models", ["Model", "Id", "Signature"], rows))
    }

    private static func artifacts(_ page: RunPage) -> HTML {
        if page.artifacts.isEmpty { return Piece.part("Artifacts", "<p class=\"none\">None logged.</p>") }
        let rows = page.artifacts.map { artifact -> [HTML] in
            [Piece.link(artifact.path, .runArtifact(page.frame.environment, page.run.id, path: artifact.path)), "\(Spelled.size(bytes: artifact.sizeBytes))"]
        }
        let more: HTML? = page.hasMoreArtifacts ? "the first \(rows.count)" : nil
        return Piece.part("Artifacts", note: more, Piece.table("Artifacts", ["Path", .number("Size")], rows))
    }

    private static func inputs(_ page: RunPage) -> HTML? {
        if page.details.datasets.isEmpty { return nil }
        let rows = page.details.datasets.map { ["\($0.name)", Piece.id($0.digest), "\($0.tags["mlflow.data.context"] ?? "")"] as [HTML] }
        return Piece.part("Inputs", Piece.table("Inputs", ["Dataset", "Digest", "Used for"], rows))
    }

    private static func tagList(_ page: RunPage) -> HTML? {
        // MLflow's own bookkeeping (history of logged models and the like) is long JSON that nobody reads.
        let tags = page.details.tags.filter { !$0.key.hasPrefix("mlflow.log-model.") }
        if tags.isEmpty { return nil }
        let rows = tags.sorted { $0.key < $1.key }.map { ["\($0.key)", "\(String($0.value.prefix(200)))"] as [HTML] }
        return Piece.part("Tags", Piece.table("Tags", ["Tag", "Value"], rows, isPairs: true))
    }
}
