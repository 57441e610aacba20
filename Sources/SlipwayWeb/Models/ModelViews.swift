import SlipwayCore

package enum ModelsView {
    package static func html(_ page: ModelsPage) -> HTML {
        let frame = page.frame
        let rows = page.models.map { model -> [HTML] in
            let aliases = model.aliases.sorted { $0.key < $1.key }.map { alias, version -> HTML in
                "<span class=\"branch\">\(alias)</span> \(Piece.link("v\(version)", .version(frame.environment, model.name, version)))"
            }
            return [
                "\(Piece.link(model.name, .model(frame.environment, model.name)))\(model.tags["mlflow.prompt.is_prompt"] == "true" ? prompt : nil)", "\(model.project.rawValue)",
                .joined(aliases, by: " "),
                "\(model.description)", frame.time(model.updatedAt),
            ]
        }
        let search: HTML = """
            <form class="finder" method="get" action="\(SitePath.models(frame.environment))" role="search">
            <div class="line"><label class="grow">Name contains<input name="named" value="\(page.named)" type="search"></label><button>Search</button></div></form>

            """
        let pager: HTML? =
            page.from > 0 || page.hasMore
            ? Piece.pager(
                "", from: page.from, shown: rows.count, total: nil,
                newer: page.from > 0 ? .models(frame.environment, named: page.named, from: max(0, page.from - ModelsPage.rowsMax)) : nil,
                older: page.hasMore ? .models(frame.environment, named: page.named, from: page.from + rows.count) : nil) : nil
        let empty: HTML =
            page.named != nil
            ? "<div class=\"empty\"><p>No registered model has that in its name. \(Piece.link("Show all", .models(frame.environment)))</p></div>"
            : frame.environment == .dev
                ? "<div class=\"empty\"><p>No registered model yet. From a training script:</p>\(Piece.snippet("mlflow.sklearn.log_model(model, name=\"model\", registered_model_name=\"NAME\")"))</div>"
                : Piece.empty("No registered model yet. Models arrive with a release:", command: "slipway promotion request RELEASE --to \(frame.environment.rawValue)")
        return frame.page(
            "Models", in: .models,
            "\(rows.isEmpty && page.named == nil ? nil : search)\(rows.isEmpty ? empty : Piece.table("Registered models", ["Model", "Project", "Aliases", "About", "Changed"], rows))\(pager)"
        )
    }
    private static let prompt: HTML = " <span class=\"branch\">prompt</span>"
}

package enum ModelView {
    package static func html(_ page: ModelPage) -> HTML {
        let frame = page.frame
        let rows = page.versions.map { version -> [HTML] in
            let aliases = version.aliases.html { " <span class=\"branch\">\($0)</span>" }
            // What Slipway tagged itself stands in the column "From".
            let tags = version.tags.filter { !$0.key.hasPrefix("slipway.") }.sorted { $0.key < $1.key }
                .map { key, value -> HTML in "<small>\(key) = \(String(value.prefix(80)))</small>" }
            return [
                "<b>\(Piece.link("v\(version.version)", .version(frame.environment, version.name, version.version)))</b>\(aliases)", frame.time(version.createdAt),
                Piece.principal(version.user),
                origin(version, frame),
                version.manifestDigest.map { Piece.id($0.rawValue) } ?? Piece.badge("outside Slipway", .watch),
                version.fileCount == 0 ? "" : "\(Spelled.size(bytes: version.sizeBytes)), \(Spelled.count(version.fileCount, "file"))", .joined(tags, by: "<br>"),
            ]
        }
        let table = Piece.table("Versions", ["Version", "Registered", "By", "From", "Bytes", "Size", "Tags"], rows)
        let list = Piece.part("Versions", note: "numbered, immutable", rows.isEmpty ? Piece.empty("No version yet.") : table)
        let about: HTML? = page.model.description.map { "<p class=\"lead\">\($0)</p>" }
        return frame.page(
            page.model.name, kicker: "Registered model of \(page.model.project.rawValue)", in: .models,
            "\(about)\(list)\(page.versions.first.flatMap(signature))\(use(page))")
    }

    /// The run that made it here, or the release that brought it.
    private static func origin(_ version: ModelVersion, _ frame: PageFrame) -> HTML {
        if let run = version.run { return "run \(Piece.id(run, .run(frame.environment, run)))" }
        if let release = version.tags["slipway.release"] {
            let from: HTML? = version.tags["slipway.origin"].map { " from \($0)" }
            return "release \(Piece.id(release, .release(frame.environment, release)))\(from)"
        }
        return "<small>\(String(version.source.prefix(80)))</small>"
    }

    static func signature(_ version: ModelVersion) -> HTML? {
        guard let signature = version.signature else {
            return Piece.part("Signature of v\(version.version)", Piece.empty("This version has no signature, so nothing can tell whether a consumer's requests still fit."))
        }
        let parts = [("Inputs", "inputs"), ("Outputs", "outputs")].html { title, key in
            let rows = (signature[key]?.array ?? []).map { field -> [HTML] in
                let required = field["required"]?.bool ?? true
                return [
                    "<code>\(field["name"]?.string ?? "–")</code>", "\(field["type"]?.string ?? field["tensor-spec"]?["dtype"]?.string ?? "")",
                    required ? "required" : "<span class=\"none\">optional</span>",
                ]
            }
            return rows.isEmpty ? "" : Piece.table("\(title) of v\(version.version)", [Piece.Column(stringLiteral: title), "Type", ""], rows)
        }
        return Piece.part("Signature of v\(version.version)", "<div class=\"charts\">\(parts)</div>")
    }

    private static func use(_ page: ModelPage) -> HTML? {
        guard let version = page.versions.first?.version else { return nil }
        return Piece.part("Load it", Piece.snippet("mlflow.pyfunc.load_model(\"models:/\(page.model.name)/\(version)\")"))
    }
}
