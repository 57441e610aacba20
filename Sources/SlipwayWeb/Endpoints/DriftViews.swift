import SlipwayCore

/// How well the answers were, per window, once labels arrived.
enum QualityView {
    private static let shown = [("auc", "AUC"), ("log_loss", "Log loss"), ("rmse", "RMSE"), ("mae", "MAE")]

    static func html(_ page: EndpointPage) -> HTML? {
        let reports = page.reports.filter { $0.quality != nil }
        if reports.isEmpty {
            return page.reports.isEmpty
                ? nil
                : Piece.part(
                    "Quality",
                    Piece.empty(
                        "No labels have arrived yet, so nobody knows how right the answers were. Send them by the key that requests carry:",
                        command: "slipway labels import labels.csv --slot \(page.frame.environment.rawValue)/\(page.slot.name.rawValue)"))
        }
        // Errors of a probability say nothing beside AUC and log loss; they are for models that predict a number.
        let isClassifier = reports.contains { $0.quality?.metrics["auc"] != nil }
        let charts = shown.filter { !isClassifier || ["auc", "log_loss"].contains($0.0) }.compactMap { key, title -> HTML? in
            guard reports.contains(where: { $0.quality?.metrics[key] != nil }) else { return nil }
            let points = reports.map { Chart.Point(x: Double($0.from.milliseconds), label: Window.name($0), values: [$0.quality?.metrics[key]]) }
            let baseline = reports.last?.quality?.baseline[key].map { (name: "training baseline", value: $0) }
            return Piece.chart(Chart(title, axis: .names("Window"), series: [title], points: points, reference: baseline))
        }
        let coverage = reports.last?.quality.map { "labels for \(Spelled.percent($0.coverage)) of the newest window's \(Spelled.count($0.rows)) answers" as HTML }
        return Piece.part("Quality", note: coverage, "<div class=\"charts\">\(charts)</div>")
    }
}

/// The names of windows: a whole month by its name, anything else by its days.
enum Window {
    static func name(_ report: DriftReport) -> String { name(report.from, report.to) }

    static func name(_ from: Timestamp, _ to: Timestamp) -> String {
        let start = Spelled.dayParts(from)
        let end = Spelled.dayParts(to)
        let isMonth = start.day == 1 && end.day == 1 && (end.year * 12 + end.month) - (start.year * 12 + start.month) == 1
        return isMonth ? "\(Spelled.month(start.month)) \(start.year)" : to - from <= .seconds(86_400) ? Spelled.day(from) : "\(Spelled.day(from)) – \(Spelled.day(to))"
    }
}

/// Features × windows, each cell an index; the newest window to the right, the weightiest feature on top.
enum DriftView {
    private static let windowsMax = 12
    private static let featuresMax = 40

    static func html(_ page: EndpointPage) -> HTML {
        let environment = page.frame.environment.rawValue
        guard let newest = page.reports.last else {
            return Piece.part(
                "Drift",
                Piece.empty(
                    "No drift report yet. One is made on the cadence of slipway.yaml, or now:",
                    command: "slipway drift report \(environment)/\(page.slot.name.rawValue) --from DAY --to DAY"))
        }
        let reports = page.reports.suffix(windowsMax)
        var worst: [String: Double] = [:]
        for report in reports { for feature in report.features { worst[feature.name] = max(worst[feature.name] ?? 0, feature.score) } }
        let names = worst.sorted { ($0.value, $1.key) > ($1.value, $0.key) }.prefix(featuresMax).map(\.key)
        let head = reports.html { "<th scope=\"col\" class=\"n\">\(Window.name($0))</th>" }
        let verdicts = reports.html { "<td>\(DriftTone.badge($0.verdict))</td>" }
        let rowCounts = reports.html { "<td>\(Spelled.count($0.rows))</td>" }
        let rows = names.html { name in
            let cells = reports.html { report in cell(report.features.first { $0.name == name }) }
            return "<tr><th scope=\"row\"><code>\(name)</code></th>\(cells)</tr>\n"
        }
        let prediction: HTML =
            reports.contains { $0.prediction != nil }
            ? "<tr><th scope=\"row\">prediction</th>\(reports.html { cell($0.prediction) })</tr>" : ""
        let reasons: HTML? = newest.reasons.isEmpty ? nil : "<ul class=\"small\">\(newest.reasons.prefix(5).html { "<li>\($0)</li>" })</ul>"
        let note: HTML = "population stability index against the training data; watch from \(String(newest.watch)), act from \(String(newest.act))"
        return Piece.part(
            "Drift", note: note,
            """
            <p>Newest window, \(Window.name(newest)): \(DriftTone.badge(newest.verdict))</p>\(reasons)
            <div class="scroll heat" role="region" aria-label="Drift per feature and window" tabindex="0"><table><caption class="unseen">Drift per feature and window</caption>
            <thead><tr><th scope="col">Feature</th>\(head)</tr></thead><tbody>
            \(rows)\(prediction)<tr><th scope="row">Rows</th>\(rowCounts)</tr><tr><th scope="row">Verdict</th>\(verdicts)</tr></tbody></table></div>
            """)
    }

    private static func cell(_ feature: FeatureDrift?) -> HTML {
        guard let feature else { return "<td></td>" }
        let missing: HTML =
            feature.missingShare > 0 || feature.missingShareBaseline > 0
            ? " title=\"missing \(Spelled.percent(feature.missingShare)), in training \(Spelled.percent(feature.missingShareBaseline))\"" : ""
        guard feature.band != .unknown else { return "<td\(missing)><span class=\"none\">–</span></td>" }
        let mark: HTML = feature.band == .act ? " class=\"bad\"" : feature.band == .watch ? " class=\"watch\"" : ""
        return "<td\(mark)\(missing)>\(Spelled.index(feature.score))</td>"
    }
}
