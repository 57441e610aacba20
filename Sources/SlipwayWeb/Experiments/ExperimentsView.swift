import SlipwayCore

package enum ExperimentsView {
    package static func html(_ page: ExperimentsPage) -> HTML {
        let frame = page.frame
        let rows = page.rows.map { row -> [HTML] in
            let experiment = row.experiment
            let note: HTML? = experiment.tags["mlflow.note.content"].map { "<br><small>\(String($0.prefix(120)))</small>" }
            return [
                "\(Piece.link(experiment.name, .experiment(frame.environment, experiment.id)))\(note)", "\(experiment.id)", "\(experiment.project.rawValue)",
                "\(Spelled.count(row.activity.runs))", row.activity.running > 0 ? Piece.badge(Spelled.count(row.activity.running), .busy) : "",
                frame.time(row.activity.latest) ?? "", frame.time(experiment.createdAt),
            ]
        }
        let table = Piece.table("Experiments", ["Experiment", "Id", "Project", .number("Runs"), "Running", "Latest run", "Created"], rows)
        let pager = Piece.pager(
            "", from: page.from, shown: rows.count, total: nil,
            newer: page.from > 0 ? .experiments(frame.environment, named: page.named, from: max(0, page.from - ExperimentsPage.rowsMax)) : nil,
            older: page.hasMore ? .experiments(frame.environment, named: page.named, from: page.from + rows.count) : nil)
        let search: HTML = """
            <form class="finder" method="get" action="\(SitePath.experiments(frame.environment))" role="search">
            <div class="line"><label class="grow">Name contains<input name="named" value="\(page.named)" type="search"></label><button>Search</button>
            <p class="aside">\(Piece.link("All runs, newest first", .runs(frame.environment)))</p></div>
            </form>

            """
        let content: HTML =
            rows.isEmpty ? empty(page) : "<div id=\"experiments\" data-live=\"15\">\(table)</div>\(page.hasMore || page.from > 0 ? pager : nil)"
        return frame.page("Experiments", in: .experiments, "\(search)\(content)")
    }

    private static func empty(_ page: ExperimentsPage) -> HTML {
        if let named = page.named {
            return "<div class=\"empty\"><p>No experiment has '\(named)' in its name. \(Piece.link("Show all", .experiments(page.frame.environment)))</p></div>"
        }
        return """
            <div class="empty"><p>No experiments yet. Every MLflow client makes them; nothing new to install:</p>
            \(Piece.command("export MLFLOW_TRACKING_URI=\(page.address)/\(page.frame.environment.rawValue) MLFLOW_TRACKING_TOKEN=$(slipway token create laptop)"))</div>
            """
    }
}

extension ExperimentsPage {
    static let rowsMax = 50
}
