import SlipwayCore

enum DataTone {
    static func checks(_ outcome: CheckOutcome) -> HTML {
        switch outcome.verdict {
        case .none: "<span class=\"none\">none</span>"
        case .passed: Piece.badge("passed", .good)
        case .warned: Piece.badge("warned", .watch)
        case .failed: Piece.badge("failed", .bad)
        case .errored: Piece.badge("errored", .bad)
        }
    }

    /// Whether the environment's promise of freshness is kept.
    static func freshness(_ at: Timestamp, _ promise: Duration?, now: Timestamp) -> HTML? {
        promise.map { now - at > $0 ? Piece.badge("late, promised \($0.spelled)", .bad) : Piece.badge("fresh, promised \($0.spelled)", .good) }
    }

    static func rows(_ snapshot: DataSnapshot) -> HTML {
        snapshot.tables.isEmpty ? "" : "\(Spelled.count(snapshot.tables.reduce(0) { $0 + $1.rows }))"
    }

    static func origin(_ snapshot: DataSnapshot) -> HTML {
        snapshot.lineage.map { "from \($0.environment.rawValue) \(Piece.id($0.snapshot, .dataset($0.environment, snapshot.dataset, project: snapshot.project)))" } ?? "imported"
    }
}

package enum DatasetsView {
    package static func html(_ page: DatasetsPage) -> HTML {
        let frame = page.frame
        let rows = page.rows.map { row -> [HTML] in
            let newest = row.newest
            return [
                Piece.link(newest.dataset, .dataset(frame.environment, newest.dataset, project: newest.project)),
                "\(newest.project.rawValue)", Piece.id(newest.id), frame.time(newest.createdAt),
                DataTone.freshness(newest.createdAt, row.freshness, now: frame.now) ?? "<span class=\"none\">no promise</span>",
                DataTone.checks(newest.checks), DataTone.rows(newest), "\(Spelled.size(bytes: newest.sizeBytes))",
            ]
        }
        let (sentence, command) =
            switch frame.environment {
            case .prod: ("No data yet. Prod is where data comes from:", "slipway data import prod/DATASET FOLDER")
            case .stage: ("No data yet. Stage gets a masked copy of prod's by the recipe in slipway.yaml, once a steward adopted it:", "slipway data refresh stage/DATASET")
            case .dev: ("No data yet. Dev gets a sample of stage's by the recipe in slipway.yaml, or whatever you import:", "slipway data refresh dev/DATASET")
            }
        let columns: [Piece.Column] = ["Dataset", "Project", "Newest snapshot", "Made", "Freshness", "Checks", .number("Rows"), .number("Size")]
        return frame.page("Data", in: .data, rows.isEmpty ? Piece.empty(sentence, command: command) : Piece.table("Datasets", columns, rows))
    }
}

package enum DatasetView {
    package static func html(_ page: DatasetPage) -> HTML {
        let frame = page.frame
        let rows = page.snapshots.map { snapshot -> [HTML] in
            let tags = snapshot.tags.html { " <span class=\"branch\">\($0)</span>" }
            let end: HTML =
                if snapshot.removedAt != nil {
                    Piece.badge("removed", .idle)
                } else if let expires = snapshot.expiresAt {
                    "expires \(Spelled.ago(expires, now: frame.now))"
                } else {
                    "kept"
                }
            return [
                "\(Piece.id(snapshot.id))\(tags)", frame.time(snapshot.createdAt), Piece.principal(snapshot.createdBy), DataTone.origin(snapshot),
                DataTone.checks(snapshot.checks), DataTone.rows(snapshot), "\(Spelled.size(bytes: snapshot.sizeBytes))", end,
            ]
        }
        let newest = page.snapshots.first
        let table = Piece.table("Snapshots", ["Snapshot", "Made", "By", "Origin", "Checks", .number("Rows"), .number("Size"), "Life"], rows)
        let list = Piece.part("Snapshots", note: "newest first; a snapshot never changes", rows.isEmpty ? Piece.empty("No snapshot yet.") : table)
        return frame.page(
            page.dataset, kicker: "Dataset of \(page.project.rawValue)", badge: newest.flatMap { DataTone.freshness($0.createdAt, page.freshness, now: frame.now) },
            in: .data,
            "\(newest.flatMap(checks))\(list)\(Piece.older(page.older))\(recipes(page))\(newest.map(columns))")
    }

    private static func checks(_ snapshot: DataSnapshot) -> HTML? {
        if let message = snapshot.checks.message { return Piece.notice(.bad, message) }
        let broken = snapshot.checks.results.filter { !$0.holds }
        if broken.isEmpty { return nil }
        return Piece.notice(
            broken.contains { $0.severity == .enforce } ? .bad : .watch,
            "\(Spelled.count(broken.count, "check")) of the newest snapshot \(broken.count == 1 ? "does" : "do") not hold.",
            reasons: broken.map { .init($0.message, remedy: $0.severity == .enforce ? "Work may not stand on this snapshot." : "A warning only.") })
    }

    private static func recipes(_ page: DatasetPage) -> HTML? {
        if page.frame.environment == .prod || page.recipes.isEmpty { return nil }
        let rows = page.recipes.map { recipe -> [HTML] in
            let masks = recipe.refresh.mask.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.rawValue)" }.joined(separator: ", ")
            let state: HTML =
                recipe.adoptedAt.map { "\(Piece.badge("in force", .good)) <small>\(recipe.adoptedBy.map(Piece.principal)) \(page.frame.time($0))</small>" }
                ?? "\(Piece.badge("offered", .watch)) <small>no effect until a steward adopts it</small>"
            return [
                Piece.id(recipe.digest.rawValue), state, "\(recipe.refresh.from.rawValue)", "every \(recipe.refresh.every)",
                recipe.refresh.sample < 1 ? "\(Spelled.percent(recipe.refresh.sample))" : "all rows", masks.isEmpty ? "<span class=\"none\">nothing</span>" : "\(masks)",
            ]
        }
        return Piece.part("Refresh recipes", Piece.table("Refresh recipes", ["Recipe", "State", "From", "Cadence", "Rows", "Masked"], rows))
    }

    private static func columns(_ snapshot: DataSnapshot) -> HTML {
        snapshot.tables.html { table in
            let rows = table.columns.map { column -> [HTML] in
                let empty = column.nulls.map { Spelled.percent($0) }
                let different = column.distinct.map { Spelled.count($0) }
                return ["<code>\(column.name)</code>", "\(column.type.lowercased())", "\(empty)", "\(different)", "\(column.min)", "\(column.max)"]
            }
            return Piece.part(
                table.name, note: "\(Spelled.count(table.rows)) rows in the newest snapshot",
                Piece.table(table.name, ["Column", "Type", .number("Empty"), .number("Different"), .number("Least"), .number("Most")], rows))
        }
    }
}
