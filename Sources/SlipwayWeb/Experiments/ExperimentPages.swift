import SlipwayCore

package struct ExperimentsPage: Sendable {
    package struct Row: Sendable {
        package var experiment: Experiment
        package var activity: ExperimentActivity
        package init(experiment: Experiment, activity: ExperimentActivity) {
            self.experiment = experiment
            self.activity = activity
        }
    }

    package var frame: PageFrame
    package var rows: [Row]
    /// What was asked for: a part of a name.
    package var named: String?
    package var from: Int
    package var hasMore: Bool
    package var address: String

    package init(frame: PageFrame, rows: [Row], named: String? = nil, from: Int = 0, hasMore: Bool = false, address: String) {
        self.frame = frame
        self.rows = rows
        self.named = named
        self.from = from
        self.hasMore = hasMore
        self.address = address
    }
}

package struct RunTablePage: Sendable {
    package var frame: PageFrame
    package var experiment: Experiment
    package var query: RunTableQuery
    package var runs: [(run: Run, details: RunDetails)]
    /// How many the filter leaves, counted up to `countMax`.
    package var found: Int
    /// Names that the newest runs have, to choose columns from.
    package var keys: [SearchEntity: [String]]
    /// What is wrong with the filter; the table is empty then.
    package var error: SlipwayError?
    package var address: String

    static let countMax = 10_001

    package init(
        frame: PageFrame, experiment: Experiment, query: RunTableQuery, runs: [(run: Run, details: RunDetails)], found: Int, keys: [SearchEntity: [String]],
        error: SlipwayError? = nil, address: String
    ) {
        self.frame = frame
        self.experiment = experiment
        self.query = query
        self.runs = runs
        self.found = found
        self.keys = keys
        self.error = error
        self.address = address
    }

    /// Those of the address, or the metrics that most shown runs have and the params in which they differ.
    var columns: [RunColumn] {
        if let columns = query.columns { return columns }
        var metrics: [String: Int] = [:]
        var params: [String: Set<String>] = [:]
        for (_, details) in runs {
            for point in details.metrics where !point.key.hasPrefix("system/") { metrics[point.key, default: 0] += 1 }
            for (key, value) in details.params { params[key, default: []].insert(value) }
        }
        let frequent = metrics.sorted { ($0.value, $1.key) > ($1.value, $0.key) }.prefix(Self.columnsByItself).map(\.key).sorted()
        let differing = params.sorted { (min($0.value.count, 2), $1.key) > (min($1.value.count, 2), $0.key) }.prefix(Self.columnsByItself).map(\.key).sorted()
        return [RunColumn(.attribute, "user_id")] + frequent.map { RunColumn(.metric, $0) } + differing.map { RunColumn(.param, $0) }
    }
    private static let columnsByItself = 4
}
