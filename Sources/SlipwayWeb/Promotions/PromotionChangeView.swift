import SlipwayCore

/// What a promotion changes against what is live: the part that people decide by.
enum PromotionChangeView {
    static func html(_ page: PromotionPage) -> HTML {
        let promotion = page.promotion
        let change = promotion.change
        let facts = Piece.facts([
            (
                "Release",
                "\(promotion.plan.current.map { releaseLink($0, page, page.current) } ?? "<span class=\"none\">nothing live</span>")\(arrow)\(releaseLink(promotion.release, page, page.release))"
            ),
            ("Requested by", "\(Piece.principal(promotion.requestedBy)) \(page.frame.time(promotion.createdAt))"),
            ("Policy", "\(promotion.plan.policyName), version \(promotion.plan.policyVersion)"),
            (
                "Way back",
                promotion.plan.fallback.map { "to \(releaseLink($0, page, page.current)), in seconds" } ?? "<span class=\"none\">none: it is the first release of this slot</span>"
            ),
            ("Plan", Piece.id(promotion.planDigest.rawValue)),
            ("Authors", authors(change)),
        ])
        let unchanged = [change.configChanged ? nil : "configuration", change.lockChanged ? nil : "Python lock"].compactMap(\.self)
        let changed = [change.configChanged ? "configuration" : nil, change.lockChanged ? "Python lock" : nil].compactMap(\.self)
        let files: HTML? =
            promotion.plan.current == nil
            ? nil
            : """
            <p>\(changed.isEmpty ? nil : "Changed: \(changed.joined(separator: " and ")). " as HTML)\(unchanged.isEmpty ? nil : "<span class=\"same\">Unchanged: \(unchanged.joined(separator: " and ")).</span>" as HTML)</p>
            """
        return Piece.part("What changes", "\(facts)\(files)\(metrics(change))\(data(change))\(commits(change))")
    }

    private static let arrow: HTML = "<span class=\"arrow\">→</span>"

    private static func releaseLink(_ id: ContentDigest, _ page: PromotionPage, _ known: Release?) -> HTML {
        let path = SitePath.release(page.frame.environment, id.rawValue)
        if let known, known.id == id { return "\(Piece.link("v\(known.modelVersion)", path)) \(Piece.id(id.rawValue))" }
        return Piece.id(id.rawValue, path)
    }

    private static func authors(_ change: ReleaseChange) -> HTML? {
        let names = change.authors.pushers.sorted().map(Piece.principal) + change.authors.emails.sorted().map { "<small>\($0)</small>" as HTML }
        return names.isEmpty ? nil : .joined(names, by: ", ")
    }

    private static func metrics(_ change: ReleaseChange) -> HTML? {
        // Slices are the slices gate's matter; here they would drown the few numbers that matter.
        let shown = change.metrics.filter { !$0.key.hasPrefix("slice.") && !$0.key.hasPrefix("champion.") }.sorted { $0.key < $1.key }
        if shown.isEmpty { return nil }
        if shown.allSatisfy({ $0.value.before == nil }) {
            let rows = shown.map { name, metric -> [HTML] in ["\(name)", metric.after.map { "\(Spelled.number($0))" } ?? "–"] }
            return Piece.part("Metrics", note: "as sealed; the gates below measured anew", Piece.table("Metrics", ["Metric", .number("Value")], rows))
        }
        let rows = shown.map { name, metric -> [HTML] in
            let difference: HTML = if let before = metric.before, let after = metric.after { "\(Spelled.change(after - before))" } else { "" }
            return ["\(name)", metric.before.map { "\(Spelled.number($0))" } ?? "–", metric.after.map { "\(Spelled.number($0))" } ?? "–", difference]
        }
        return Piece.part(
            "Metrics", note: "as sealed; the gates below measured both on the same data",
            Piece.table("Metrics", ["Metric", .number("Live"), .number("New"), .number("Change")], rows))
    }

    private static func data(_ change: ReleaseChange) -> HTML? {
        if change.snapshots.isEmpty { return nil }
        let rows = change.snapshots.sorted { $0.key < $1.key }.map { dataset, data -> [HTML] in
            let same = data.before == data.after
            return [
                "\(dataset)", data.before.map { Piece.id($0.rawValue) } ?? "–", data.after.map { Piece.id($0.rawValue) } ?? "–",
                same ? "<span class=\"same\">the same data</span>" : "new data",
            ]
        }
        return Piece.part("Training data", Piece.table("Training data", ["Dataset", "Live", "New", ""], rows))
    }

    private static func commits(_ change: ReleaseChange) -> HTML {
        let since: HTML? = change.since.map { "since \(Piece.id($0))" }
        let rows = change.commits.map { commit -> [HTML] in
            [Piece.id(commit.commit), "\(commit.subject)", "\(commit.author)", Piece.moment(commit.at)]
        }
        return Piece.part(
            "Commits", note: since,
            rows.isEmpty
                ? "<p class=\"none\">No new commit: the code is what is live already.</p>" : Piece.table("Commits", ["Commit", "Subject", "Author", "Written"], rows))
    }
}
