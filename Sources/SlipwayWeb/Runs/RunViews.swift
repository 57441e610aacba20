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
        // Looked at again while it goes on.
        let live: HTML? = run.status == .running ? " data-live=\"3\"" : nil
        let snapshots = tags.filter { $0.key.hasPrefix("slipway.snapshot.") }.sorted { $0.key < $1.key }.map { key, value -> HTML in
            let dataset = String(key.dropFirst("slipway.snapshot.".count))
            return "\(Piece.link(dataset, .dataset(frame.environment, dataset, project: run.project))) \(Piece.id(value))"
        }
        let versions = page.versions.map { version -> HTML in Piece.link("\(version.name) v\(version.version)", .version(frame.environment, version.name, version.version)) }
        let facts = Piece.facts([
            ("Experiment", Piece.link(page.experiment, .experiment(frame.environment, run.experiment))),
            ("By", run.user.isEmpty ? nil : Piece.principal(run.user)),
            ("Started", Piece.moment(run.startedAt)),
            ("Took", ExecutionView.took(run.startedAt, run.endedAt, frame)),
            ("Commit", tags["mlflow.source.git.commit"].map { Piece.id($0) }),
            ("Execution", tags["slipway.execution"].map { Piece.id($0, .execution(frame.environment, $0)) }),
            ("Data", snapshots.isEmpty ? nil : .joined(snapshots, by: "<br>")),
            ("Registered as", versions.isEmpty ? nil : .joined(versions, by: "<br>")),
            ("Part of", tags["mlflow.parentRunId"].map { Piece.id($0, .run(frame.environment, $0)) }),
            ("Run id", "<code class=\"id\">\(run.id)</code>"),
        ])
        let note: HTML? = tags["mlflow.note.content"].map { "<p class=\"lead\">\(String($0.prefix(1000)))</p>" }
        let badge: HTML = "<span id=\"status\"\(live)>\(Piece.badge(run.status.rawValue.lowercased(), RunTone.tone(run.status)))</span>"
        let top: HTML = """
            <div id="now"\(live)>\(facts)<div class="columns even"><div>\(metrics(page))</div><div>\(params(page))</div></div></div>
            """
        let bottom: HTML = """
            <div class="columns even"><div><div id="files"\(live)>\(artifacts(page))</div>\(models(page))</div><div>\(inputs(page))\(tagList(page))</div></div>
            """
        return frame.page(
            run.name, kicker: "Run", badge: badge, in: .experiments, hasCharts: !page.curves.isEmpty, scripts: page.curves.isEmpty ? [] : CurveView.scripts,
            "\(note)\(top)\(curves(page))\(pictures(page))\(bottom)")
    }

    private static func metrics(_ page: RunPage) -> HTML {
        if page.details.metrics.isEmpty { return Piece.part("Metrics", "<p class=\"none\">None logged.</p>") }
        let rows = page.details.metrics.sorted { $0.key < $1.key }.map { point -> [HTML] in
            [
                Piece.link(point.key, .metric(page.frame.environment, run: page.run.id, key: point.key)),
                "<span title=\"\(String(point.value))\">\(Spelled.number(point.value))</span>", "\(Spelled.count(point.step))",
            ]
        }
        return Piece.part("Metrics", note: "latest values", "<div class=\"low\">\(Piece.table("Metrics", ["Metric", .number("Value"), .number("Step")], rows))</div>")
    }

    private static func curves(_ page: RunPage) -> HTML? {
        if page.curves.isEmpty { return nil }
        let (environment, run) = (page.frame.environment, page.run.id)
        let groups = CurveView.groups(page.curves) {
            CurveView.figure($0, source: .curves(environment, runs: [run], metric: $0), table: .metric(environment, run: run, key: $0))
        }
        return Piece.part("Curves", id: "curves", "\(CurveView.controls)\(groups)")
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
            let path = ArtifactHome.run(page.run.id).raw(page.frame.environment, artifact.path)
            return """
                <figure><a href="\(path)"><img class="picture" src="\(path)" alt="\(artifact.path)" loading="lazy"></a><figcaption class="small">\(artifact.path)</figcaption></figure>
                """
        }
        return Piece.part("Pictures", "<div class=\"charts\">\(figures)</div>")
    }

    private static func params(_ page: RunPage) -> HTML {
        if page.details.params.isEmpty { return Piece.part("Params", "<p class=\"none\">None logged.</p>") }
        let rows = page.details.params.sorted { $0.key < $1.key }.map { ["\($0.key)", "<code>\($0.value)</code>"] as [HTML] }
        return Piece.part("Params", "<div class=\"low\">\(Piece.table("Params", ["Param", "Value"], rows, isPairs: true))</div>")
    }

    private static func models(_ page: RunPage) -> HTML? {
        if page.models.isEmpty { return nil }
        let rows = page.models.map { model -> [HTML] in
            let signature: HTML? = model.signature.flatMap { signature -> HTML? in
                let inputs = signature["inputs"]?.array?.count ?? 0
                return "\(Spelled.count(inputs, "input"))"
            }
            return [
                Piece.link(model.name, ArtifactHome.loggedModel(model.id).browse(page.frame.environment)), Piece.id(model.id),
                signature ?? "<span class=\"none\">no signature</span>",
            ]
        }
        return Piece.part("Models", Piece.table("Models", ["Model", "Id", "Signature"], rows))
    }

    private static func artifacts(_ page: RunPage) -> HTML {
        if page.artifacts.isEmpty { return Piece.part("Artifacts", "<p class=\"none\">None logged.</p>") }
        let rows = page.artifacts.map { artifact -> [HTML] in
            [Piece.link(artifact.path, ArtifactHome.run(page.run.id).browse(page.frame.environment, artifact.path)), "\(Spelled.size(bytes: artifact.sizeBytes))"]
        }
        let first: HTML? = page.hasMoreArtifacts ? "the first \(rows.count) · " : nil
        let browse = Piece.link("Browse", ArtifactHome.run(page.run.id).browse(page.frame.environment))
        return Piece.part("Artifacts", note: "\(first)\(browse)", Piece.table("Artifacts", ["Path", .number("Size")], rows))
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
