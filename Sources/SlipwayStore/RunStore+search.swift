import SlipwayCore
import SlipwaySQL

extension RunStore {
    /// - Parameter experiments: those to look in; none of them gives an empty page.
    package func search(
        _ filter: SearchFilter, orderBy orders: [SearchOrder] = [], experiments: [String], view: LifecycleView = .active, limit: Int, offset: Int = 0
    ) throws -> SearchPage<Run> {
        let numbers = experiments.compactMap { Int64($0) }
        guard !numbers.isEmpty else { return SearchPage(items: [], hasMore: false) }
        if numbers.count == 1, let first = orders.first, first.entity == .metric,
            let found = try walk(filter, along: first, then: orders.dropFirst(), experiment: numbers[0], view: view, limit: limit, offset: offset)
        {
            return found
        }
        var search = SearchSQL(table: Self.table)
        search.require("r.experiment_id IN \(search.bind(list: numbers.map { .integer($0) }))")
        search.require("r.lifecycle IN \(search.bind(list: view.values))")
        search.require(filter)
        search.order(by: orders[...])
        let statement = search.statement(
            "run.search", select: "SELECT r.*, x.project FROM run r JOIN experiment x ON x.id = r.experiment_id", limit: limit + 1, offset: offset)
        return SearchPage(rows: try tx.all(statement, search.values).map(Self.run), limit: limit)
    }

    /// Runs in the order of a metric, by the index of its values: it ends when the page is full, however many runs there are.
    /// - Returns: nil when the page reaches into runs that lack the metric or have NaN, which the index does not sort.
    private func walk(
        _ filter: SearchFilter, along order: SearchOrder, then orders: ArraySlice<SearchOrder>, experiment: Int64, view: LifecycleView, limit: Int, offset: Int
    ) throws -> SearchPage<Run>? {
        guard let key = try MetricStore(tx: tx).knownNumber(of: order.key) else { return nil }
        var search = SearchSQL(table: Self.table)
        search.require("r.no = o.run_no AND x.id = r.experiment_id AND o.is_nan = 0")
        search.require("o.experiment_id = \(search.bind(.integer(experiment))) AND o.key_no = \(search.bind(.integer(key)))")
        search.require("r.lifecycle IN \(search.bind(list: view.values))")
        var needsMetric = false
        for part in filter.conjuncts {
            if case .clause(let clause) = part, clause.entity == .metric, clause.key == order.key, case .number(let number) = clause.value,
                let comparison = SearchSQL.operators[clause.comparator]
            {
                search.require("o.value \(comparison) \(search.bind(.real(number)))")
                needsMetric = true
            } else {
                search.require(part)
            }
        }
        search.orderFinally(by: order.isAscending ? "o.value" : "o.value DESC")
        search.order(by: orders)
        let statement = search.statement(
            "run.searchByMetric", select: "SELECT r.*, x.project FROM latest_metric o CROSS JOIN run r CROSS JOIN experiment x", limit: limit + 1, offset: offset)
        let rows = try tx.all(statement, search.values)
        return needsMetric || rows.count > limit ? SearchPage(rows: rows.map(Self.run), limit: limit) : nil
    }

    /// Latest metrics, params, tags, inputs and outputs of many runs, by run number.
    package func details(of runs: [Run]) throws -> [Int64: RunDetails] {
        var gathered = Gathered(runs)
        try Batch.forEach(runs.map(\.number), { .integer($0) }) { list, values in
            let values = Bindings(values)
            try visit("run.detailMetrics", Self.metricsOf, list, values, &gathered) { row, details in
                details.metrics.append(MetricPoint(key: row.text(5), MetricSample(step: row.int64(1), timestamp: row.int64(2), value: row.int64(4) != 0 ? .nan : row.real(3))))
            }
            try visit("run.detailParams", "SELECT run_no, key, value FROM run_param WHERE run_no IN {list} ORDER BY run_no", list, values, &gathered) { row, details in
                details.params[row.text(1)] = row.text(2)
            }
            try visit("run.detailTags", "SELECT run_no, key, value FROM run_tag WHERE run_no IN {list} ORDER BY run_no", list, values, &gathered) { row, details in
                details.tags[row.text(1)] = row.text(2)
            }
            try visit(
                "run.detailModels", "SELECT run_no, direction, model_id, step FROM run_model WHERE run_no IN {list} ORDER BY run_no, step, model_id", list, values,
                &gathered
            ) { row, details in
                let link = ModelLink(model: row.text(2), step: row.int64(3))
                if row.text(1) == ModelLink.Direction.input.rawValue { details.inputs.append(link) } else { details.outputs.append(link) }
            }
            try addDatasets(list, values, to: &gathered)
        }
        return gathered.details
    }

    /// The details of many runs while their rows come by, run after run.
    private struct Gathered {
        var details: [Int64: RunDetails]
        private var run: Int64?
        private var current = RunDetails()

        init(_ runs: [Run]) { details = Dictionary(runs.map { ($0.number, RunDetails()) }) { first, _ in first } }

        mutating func add(to run: Int64, _ change: (inout RunDetails) -> Void) {
            if self.run != run {
                settle()
                current = details.updateValue(RunDetails(), forKey: run)!
                self.run = run
            }
            change(&current)
        }

        mutating func settle() {
            guard let run else { return }
            details[run] = current
            self.run = nil
        }
    }

    /// - Parameter sql: selects rows in the order of their first column, the run's number; `{list}` stands for the runs.
    private func visit(
        _ name: String, _ sql: String, _ list: String, _ values: Bindings, _ gathered: inout Gathered, _ body: (any RowVisit, inout RunDetails) -> Void
    ) throws {
        try tx.scan(Statement(name, sql.replacing("{list}", with: list)), values) { row in
            gathered.add(to: row.int64(0)) { body(row, &$0) }
            return true
        }
        gathered.settle()
    }

    private static let metricsOf = """
        SELECT m.run_no, m.step, m.at_ms, m.value, m.is_nan, k.name FROM latest_metric m JOIN metric_key k ON k.no = m.key_no
        WHERE m.run_no IN {list} ORDER BY m.run_no, k.name
        """

    private func addDatasets(_ list: String, _ values: Bindings, to gathered: inout Gathered) throws {
        var place: [Int64: [Int64: Int]] = [:]
        try tx.forEach(
            Statement(
                "run.detailDatasets",
                """
                SELECT i.run_no, d.* FROM run_dataset i JOIN dataset d ON d.no = i.dataset_no WHERE i.run_no IN \(list) ORDER BY i.run_no, d.no
                """), values
        ) { row in
            let run = row.int64("run_no")
            place[run, default: [:]][row.int64("no")] = gathered.details[run]!.datasets.count
            gathered.details[run]!.datasets.append(
                DatasetInput(
                    name: row.text("name"), digest: row.text("digest"), sourceType: row.text("source_type"), source: row.text("source"),
                    schema: row.optionalText("schema_text"), profile: row.optionalText("profile")))
        }
        guard !place.isEmpty else { return }
        try tx.forEach(Statement("run.detailDatasetTags", "SELECT run_no, dataset_no, key, value FROM run_dataset_tag WHERE run_no IN \(list)"), values) { row in
            guard let index = place[row.int64("run_no")]?[row.int64("dataset_no")] else { return }
            gathered.details[row.int64("run_no")]!.datasets[index].tags[row.text("key")] = row.text("value")
        }
    }

    /// Name, digest and context of the datasets that the experiments' runs read.
    package func datasets(of experiments: [String], limit: Int) throws -> [(experiment: String, name: String, digest: String, context: String?)] {
        var found: [(experiment: String, name: String, digest: String, context: String?)] = []
        for experiment in experiments {
            found += try tx.all(Self.datasetSummaries, ["experiment": .integer(Int64(experiment)), "limit": .integer(limit)]).map {
                (experiment, $0.text("name"), $0.text("digest"), $0.optionalText("context"))
            }
        }
        return Array(found.prefix(limit))
    }

    /// Active runs, newest first, page by page.
    /// - Parameters:
    ///   - projects: those whose runs may be seen; nil for all.
    ///   - experiment: an id or a name; nil for all.
    package func list(
        _ filter: SearchFilter = SearchFilter(), projects: Set<ProjectName>?, experiment: String? = nil, before: (startedAt: Int64, number: Int64)? = nil,
        limit: Int
    ) throws -> SearchPage<Run> {
        var search = SearchSQL(table: Self.table)
        search.require("r.lifecycle = 'active'")
        if let projects { search.require("x.project IN \(search.bind(list: projects.map { .text($0.rawValue) }))") }
        if let experiment { search.require("(x.name = \(search.bind(.text(experiment))) OR CAST(x.id AS TEXT) = \(search.bind(.text(experiment))))") }
        if let before {
            search.require("(r.started_at_ms, r.no) < (\(search.bind(.integer(before.startedAt))), \(search.bind(.integer(before.number))))")
        }
        search.require(filter)
        search.orderFinally(by: "r.started_at_ms DESC, r.no DESC")
        let statement = search.statement(
            "run.list", select: "SELECT r.*, x.project FROM run r JOIN experiment x ON x.id = r.experiment_id", limit: limit + 1, offset: 0)
        return SearchPage(rows: try tx.all(statement, search.values).map(Self.run), limit: limit)
    }

    static let table = SearchSQL.Table(
        columns: [
            "run_id": "r.id", "run_name": "r.name", "experiment_id": "CAST(r.experiment_id AS TEXT)", "user_id": "r.user_name", "status": "r.status",
            "artifact_uri": "r.artifact_root", "lifecycle_stage": "r.lifecycle", "start_time": "r.started_at_ms", "end_time": "r.ended_at_ms",
        ],
        exists: [
            .metric: """
            SELECT 1 FROM latest_metric e JOIN metric_key k ON k.no = e.key_no WHERE e.run_no = r.no AND k.name = {key} AND e.is_nan = 0 AND {test}
            """,
            .param: "SELECT 1 FROM run_param e WHERE e.run_no = r.no AND e.key = {key} AND {test}",
            .tag: "SELECT 1 FROM run_tag e WHERE e.run_no = r.no AND e.key = {key} AND {test}",
            .dataset: """
            SELECT 1 FROM run_dataset i JOIN dataset d ON d.no = i.dataset_no
            LEFT JOIN run_dataset_tag c ON c.run_no = i.run_no AND c.dataset_no = i.dataset_no AND c.key = 'mlflow.data.context'
            WHERE i.run_no = r.no AND {test}
            """,
        ],
        scalar: [
            .metric: "SELECT e.value FROM latest_metric e JOIN metric_key k ON k.no = e.key_no WHERE e.run_no = r.no AND k.name = {key}",
            .param: "SELECT e.value FROM run_param e WHERE e.run_no = r.no AND e.key = {key}",
            .tag: "SELECT e.value FROM run_tag e WHERE e.run_no = r.no AND e.key = {key}",
        ],
        scalarIsNaN: "SELECT e.is_nan FROM latest_metric e JOIN metric_key k ON k.no = e.key_no WHERE e.run_no = r.no AND k.name = {key}",
        filled: ["run_id", "run_name", "experiment_id", "user_id", "status", "artifact_uri", "lifecycle_stage", "start_time"],
        datasetExpressions: ["name": "d.name", "digest": "d.digest", "context": "c.value"])

    private static let datasetSummaries = Statement(
        "dataset.summaries",
        """
        SELECT DISTINCT d.name, d.digest, c.value AS context
        FROM dataset d JOIN run_dataset i ON i.dataset_no = d.no
        LEFT JOIN run_dataset_tag c ON c.run_no = i.run_no AND c.dataset_no = i.dataset_no AND c.key = 'mlflow.data.context'
        WHERE d.experiment_id = :experiment ORDER BY d.name, d.digest LIMIT :limit
        """)
}

extension SearchSQL {
    /// What was asked for, then the newest first, then by id, so that pages neither repeat nor skip a run.
    fileprivate mutating func order(by orders: ArraySlice<SearchOrder>) {
        for order in orders { self.order(by: order) }
        if !orders.contains(where: { $0.entity == .attribute && $0.key == "start_time" }) { orderFinally(by: "r.started_at_ms DESC") }
        orderFinally(by: "r.id")
    }
}
