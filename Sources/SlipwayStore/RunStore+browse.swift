import SlipwayCore
import SlipwaySQL

/// What people ask on the way to a search: how many, which names there are, which values.
extension RunStore {
    /// How many runs `search` would find, counted up to `most`.
    package func count(_ filter: SearchFilter, experiments: [String], view: LifecycleView = .active, atMost most: Int) throws -> Int {
        let numbers = experiments.compactMap { Int64($0) }
        guard !numbers.isEmpty else { return 0 }
        var search = SearchSQL(table: Self.table)
        search.require("r.experiment_id IN \(search.bind(list: numbers.map { .integer($0) }))")
        search.require("r.lifecycle IN \(search.bind(list: view.values))")
        search.require(filter)
        return try tx.first(search.count("run.count", from: "run r", atMost: most), search.values)!.int("found")
    }

    /// Active runs per experiment.
    package func activity(of experiments: [String]) throws -> [String: ExperimentActivity] {
        var found: [String: ExperimentActivity] = [:]
        try Batch.forEach(experiments.compactMap { Int64($0) }, { .integer($0) }) { list, values in
            try tx.forEach(
                Statement(
                    "run.activity",
                    """
                    SELECT experiment_id, COUNT(*) AS runs, MAX(started_at_ms) AS latest, SUM(CASE WHEN status = 'RUNNING' THEN 1 ELSE 0 END) AS running
                    FROM run WHERE experiment_id IN \(list) AND lifecycle = 'active' GROUP BY experiment_id
                    """), values
            ) { row in
                found[String(row.int64("experiment_id"))] = ExperimentActivity(
                    runs: row.int("runs"), running: row.int("running"), latest: row.optionalInt("latest").map(Timestamp.init(milliseconds:)))
            }
        }
        return found
    }

    /// Names under which an experiment's newest runs logged something: `metric`, `param` and `tag`, each sorted and bounded.
    /// - Parameter newest: how many runs are looked at, so that a long history costs no more than a short one.
    package func keys(ofExperiment id: String, newest: Int = 1000, limit: Int = 1000) throws -> [SearchEntity: [String]] {
        let values: [String: SQLValue] = ["experiment": .integer(Int64(id)), "newest": .integer(newest), "limit": .integer(limit)]
        var keys: [SearchEntity: [String]] = [:]
        for (entity, statement) in [(SearchEntity.metric, Self.metricKeys), (.param, Self.paramKeys), (.tag, Self.tagKeys)] {
            keys[entity] = try tx.all(statement, values).map { $0.text("name") }
        }
        return keys
    }

    /// Values of a param or tag in an experiment's newest runs that begin with `prefix`, the most frequent first.
    package func values(of key: String, _ entity: SearchEntity, experiment id: String, prefix: String, newest: Int = 1000, limit: Int = 20) throws -> [String] {
        let statement: Statement
        switch entity {
        case .param: statement = Self.paramValues
        case .tag: statement = Self.tagValues
        case .attribute, .metric, .dataset: return []
        }
        return try tx.all(
            statement,
            [
                "experiment": .integer(Int64(id)), "newest": .integer(newest), "limit": .integer(limit), "key": .text(key), "prefix": .text(prefix),
                "length": .integer(prefix.unicodeScalars.count),
            ]
        ).map { $0.text("value") }
    }

    private static let newestRuns = """
        SELECT no FROM run WHERE experiment_id = :experiment AND lifecycle = 'active' ORDER BY started_at_ms DESC, id LIMIT :newest
        """
    private static let metricKeys = Statement(
        "run.metricKeys",
        """
        SELECT DISTINCT k.name AS name FROM latest_metric m JOIN metric_key k ON k.no = m.key_no WHERE m.run_no IN (\(newestRuns)) ORDER BY name LIMIT :limit
        """)
    private static let paramKeys = Statement(
        "run.paramKeys", "SELECT DISTINCT key AS name FROM run_param WHERE run_no IN (\(newestRuns)) ORDER BY name LIMIT :limit")
    private static let tagKeys = Statement(
        "run.tagKeys", "SELECT DISTINCT key AS name FROM run_tag WHERE run_no IN (\(newestRuns)) ORDER BY name LIMIT :limit")
    private static let paramValues = Statement(
        "run.paramValues",
        """
        SELECT value, COUNT(*) AS uses FROM run_param WHERE run_no IN (\(newestRuns)) AND key = :key AND SUBSTR(value, 1, :length) = :prefix
        GROUP BY value ORDER BY uses DESC, value LIMIT :limit
        """)
    private static let tagValues = Statement(
        "run.tagValues",
        """
        SELECT value, COUNT(*) AS uses FROM run_tag WHERE run_no IN (\(newestRuns)) AND key = :key AND SUBSTR(value, 1, :length) = :prefix
        GROUP BY value ORDER BY uses DESC, value LIMIT :limit
        """)
}
