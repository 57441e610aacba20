import SlipwayCore

package enum VersionView {
    package static func html(_ page: VersionPage) -> HTML {
        let frame = page.frame
        let version = page.version
        let aliases = version.aliases.html { "<span class=\"branch\">\($0)</span> " }
        let facts = Piece.facts([
            ("Model", Piece.link(version.name, .model(frame.environment, version.name))),
            ("Aliases", version.aliases.isEmpty ? nil : aliases),
            ("Registered", Piece.moment(version.createdAt)),
            ("By", Piece.principal(version.user)),
            ("Bytes", version.manifestDigest.map { Piece.id($0.rawValue) } ?? Piece.badge("outside Slipway", .watch)),
            ("Size", version.fileCount == 0 ? nil : "\(Spelled.size(bytes: version.sizeBytes)), \(Spelled.count(version.fileCount, "file"))"),
            ("Logged model", version.loggedModel.map { Piece.id($0, ArtifactHome.loggedModel($0).browse(frame.environment)) }),
            ("Source", version.loggedModel == nil ? "<code>\(String(version.source.prefix(200)))</code>" : nil),
        ])
        let about: HTML? = version.description.map { "<p class=\"lead\">\($0)</p>" }
        let left = "\(lineage(page))\(prompt(version))\(ModelView.signature(version))\(measured(page))" as HTML
        let right = "\(files(page))\(tags(version))\(use(version))" as HTML
        return frame.page(
            "\(version.name) v\(version.version)", kicker: "Version of a registered model", in: .models,
            "\(about)\(facts)<div class=\"columns\"><div>\(left)</div><div>\(right)</div></div>\(comparison(page))")
    }

    // MARK: Lineage

    private static func lineage(_ page: VersionPage) -> HTML {
        let frame = page.frame
        let tags = page.origin?.details.tags ?? [:]
        var steps: [(String, HTML)] = []
        if let origin = page.origin {
            let snapshots = tags.filter { $0.key.hasPrefix("slipway.snapshot.") }.sorted { $0.key < $1.key }.map { key, value -> HTML in
                let dataset = String(key.dropFirst("slipway.snapshot.".count))
                return "\(Piece.link(dataset, .dataset(origin.environment, dataset, project: origin.run.project))) \(Piece.id(value))"
            }
            let inputs = origin.details.datasets.map { "\($0.name) <code class=\"id\">\($0.digest)</code>" as HTML }
            steps.append(("Data", snapshots.isEmpty && inputs.isEmpty ? missing("No data was named.") : .joined(snapshots.isEmpty ? inputs : snapshots, by: "<br>")))
            let dirty: HTML? = tags["mlflow.source.git.dirty"] == "True" ? " \(Piece.badge("uncommitted changes", .watch))" : nil
            steps.append(("Commit", tags["mlflow.source.git.commit"].map { "\(Piece.id($0))\(dirty)" } ?? missing("Not made from a commit.")))
            steps.append(("Execution", tags["slipway.execution"].map { Piece.id($0, .execution(origin.environment, $0)) } ?? missing("Trained by hand.")))
            steps.append(
                (
                    "Run",
                    "\(Piece.link(origin.run.name, .run(origin.environment, origin.run.id))) <small>in \(origin.environment.rawValue), \(frame.time(origin.run.startedAt))</small>"
                ))
        } else {
            steps.append(("Run", page.version.run.map { "\(Piece.id($0)) <span class=\"none\">not here any more, or not yours to see</span>" } ?? missing("No run is known.")))
        }
        steps.append(("Version", "<b>\(page.version.name) v\(page.version.version)</b> <small>in \(frame.environment.rawValue)</small>"))
        if page.carriers.isEmpty { steps.append(("Release", missing("Sealed into no release, so it cannot be promoted."))) }
        for carrier in page.carriers { steps += chapter(carrier, frame) }
        let items = steps.html { name, what in "<li><h3>\(name)</h3><div>\(what)</div></li>\n" }
        return Piece.part("Lineage", note: "from data to what answers", "<ol class=\"lineage card\">\(items)</ol>")
    }

    private static func chapter(_ carrier: VersionPage.Carrier, _ frame: PageFrame) -> [(String, HTML)] {
        let environment = carrier.environment
        let release = Piece.id(carrier.release.id.rawValue, .release(environment, carrier.release.id.rawValue))
        let promotions = carrier.promotions.prefix(5).map { promotion -> HTML in
            let badge = Piece.badge(Spelled.words(promotion.state.rawValue), PromotionTone.tone(promotion.state.rawValue))
            return "\(Piece.id(promotion.id, .promotion(environment, promotion.id))) \(badge) <small>\(frame.time(promotion.createdAt))</small>"
        }
        let slots = carrier.slots.map { slot -> HTML in
            let role = slot.current == carrier.release.id ? Piece.badge("live", .good) : Piece.badge("fallback", .idle)
            return "\(Piece.link(slot.name.rawValue, .history(environment, slot.name.rawValue))) \(role)"
        }
        var steps: [(String, HTML)] = [("Release", "\(release) <small>in \(environment.rawValue), sealed \(frame.time(carrier.release.createdAt))</small>")]
        if !promotions.isEmpty { steps.append(("Promotions", "<small>in \(environment.rawValue)</small> \(HTML.joined(promotions, by: "<br>"))")) }
        if !slots.isEmpty { steps.append(("Slots", "<small>in \(environment.rawValue)</small> \(HTML.joined(slots, by: ", "))")) }
        return steps
    }

    private static func missing(_ sentence: String) -> HTML { "<span class=\"none\">\(sentence)</span>" }

    // MARK: What it is

    /// A prompt is a registered model whose versions are texts.
    private static func prompt(_ version: ModelVersion) -> HTML? {
        version.tags["mlflow.prompt.text"].map { Piece.part("Prompt", "<pre class=\"log\">\($0)</pre>") }
    }

    private static func measured(_ page: VersionPage) -> HTML? {
        guard let metrics = page.origin?.details.metrics, !metrics.isEmpty else { return nil }
        let rows = metrics.sorted { $0.key < $1.key }.prefix(50).map { ["\($0.key)", "\(Spelled.number($0.value))"] as [HTML] }
        return Piece.part("Measured by its run", Piece.table("Metrics", ["Metric", .number("Value")], rows))
    }

    private static func files(_ page: VersionPage) -> HTML? {
        guard let files = page.files?.files, !files.isEmpty else { return nil }
        let home = ArtifactHome.version(model: page.version.name, page.version.version)
        let rows = files.prefix(filesMax).map { file -> [HTML] in
            [Piece.link(file.path, home.browse(page.frame.environment, file.path)), "\(Spelled.size(bytes: file.size))", Piece.id(file.digest.rawValue)]
        }
        let first: HTML? = files.count > filesMax ? "the first \(filesMax) of \(Spelled.count(files.count)) · " : nil
        let browse = Piece.link("Browse", home.browse(page.frame.environment))
        return Piece.part("Files", note: "\(first)frozen · \(browse)", Piece.table("Files", ["Path", .number("Size"), "SHA-256"], rows))
    }
    private static let filesMax = 30

    private static func tags(_ version: ModelVersion) -> HTML? {
        let tags = version.tags.filter { $0.key != "mlflow.prompt.text" }
        if tags.isEmpty { return nil }
        return Piece.part(
            "Tags", Piece.table("Tags", ["Tag", "Value"], tags.sorted { $0.key < $1.key }.map { ["\($0.key)", "\(String($0.value.prefix(200)))"] as [HTML] }, isPairs: true))
    }

    private static func use(_ version: ModelVersion) -> HTML {
        if version.tags["mlflow.prompt.text"] != nil { return Piece.part("Load it", Piece.snippet("mlflow.genai.load_prompt(\"prompts:/\(version.name)/\(version.version)\")")) }
        return Piece.part("Load it", Piece.snippet("mlflow.pyfunc.load_model(\"models:/\(version.name)/\(version.version)\")"))
    }

    // MARK: Beside another version

    private static func comparison(_ page: VersionPage) -> HTML? {
        if page.others.isEmpty { return nil }
        let version = page.version
        let options = page.others.html { number in "<option value=\"\(number)\"\(number == page.other?.version.version ? selected : nil)>v\(number)</option>" }
        let form: HTML = """
            <form class="bar" method="get" action="\(SitePath.version(page.frame.environment, version.name, version.version))">
            <label>Compare with<select name="with">\(options)</select></label><button>Compare</button></form>

            """
        guard let other = page.other else { return Piece.part("Beside another version", id: "beside", form) }
        let rows = page.differences.prefix(differencesMax).map { difference -> [HTML] in
            [
                "<small>\(difference.part)</small> \(difference.name)", difference.before.map { "\(String($0.prefix(200)))" } ?? "<span class=\"none\">–</span>",
                difference.after.map { "\(String($0.prefix(200)))" } ?? "<span class=\"none\">–</span>",
            ]
        }
        let title = Piece.Column(stringLiteral: "v\(other.version.version)")
        let result: HTML = rows.isEmpty ? Piece.empty("Nothing differs.") : Piece.table("Differences", ["What", title, Piece.Column(stringLiteral: "v\(version.version)")], rows)
        return Piece.part("Beside v\(other.version.version)", id: "beside", "\(form)\(result)")
    }
    private static let selected: HTML = " selected"
    private static let differencesMax = 300
}
