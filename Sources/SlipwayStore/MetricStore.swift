import SlipwayCore
import SlipwaySQL

/// Metric points of runs (and of the logged models that were measured).
///
/// SQL has neither NaN nor infinity that every database agrees on: NaN is kept as 0 with a mark, infinities as the largest finite numbers, as MLflow does.
package struct MetricStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    /// Appends points; one that is there already (same key, step, time and value) is there once. The latest point of a key is the one with
    /// the greatest (step, time, value).
    package func log(_ points: [MetricPoint], of run: Run) throws {
        var keys: [String: Int64] = [:]
        var latest: [Int64: MetricPoint] = [:]
        for point in points {
            let key: Int64
            if let known = keys[point.key] {
                key = known
            } else {
                key = try number(of: point.key)
                keys[point.key] = key
            }
            try tx.run(Self.insert, values(of: point, key, run))
            if let model = point.model, try LoggedModelStore(tx: tx).model(model) != nil {
                // A point that names a model which nobody logged is the run's alone, as in MLflow.
                try tx.run(
                    Self.insertOfModel,
                    values(of: point, key, run).merging([
                        "model": .text(model), "dataset": .text(point.datasetName ?? ""), "digest": .text(point.datasetDigest ?? ""),
                    ]) { $1 })
            }
            if latest[key].map({ Self.rank($0) <= Self.rank(point) }) ?? true { latest[key] = point }
        }
        // Once per key and batch, however many points it has.
        for (key, point) in latest { try tx.run(Self.upsertLatest, values(of: point, key, run)) }
    }

    private static func rank(_ point: MetricPoint) -> (Int64, Int64, Double) { (point.step, point.timestamp, stored(point.value)) }

    private func values(of point: MetricPoint, _ key: Int64, _ run: Run) -> [String: SQLValue] {
        [
            "run": .integer(run.number), "key": .integer(key), "step": .integer(point.step), "at": .integer(point.timestamp),
            "value": .real(Self.stored(point.value)), "nan": .bool(point.value.isNaN),
        ]
    }

    private func number(of key: String) throws -> Int64 {
        if let known = try tx.first(Self.keyNumber, ["name": .text(key)]) { return known.int64("no") }
        try tx.run(Self.insertKey, ["name": .text(key)])
        return try tx.first(Self.keyNumber, ["name": .text(key)])!.int64("no")
    }

    private static func stored(_ value: Double) -> Double {
        if value.isNaN { return 0 }
        return max(-Double.greatestFiniteMagnitude, min(Double.greatestFiniteMagnitude, value))
    }

    /// All points of one key in the order of time, step and value.
    package func history(of key: String, run: Run, limit: Int, offset: Int = 0) throws -> SearchPage<MetricPoint> {
        let rows = try tx.all(
            Self.historyByTime,
            [
                "run": .integer(run.number), "name": .text(key), "limit": .integer(limit + 1), "offset": .integer(offset),
            ])
        return SearchPage(rows: rows.map { Self.point($0, key: key) }, limit: limit)
    }

    /// Points of one key in the order of steps, at most `limit` of them evenly spread, the first and the last always among them.
    package func sample(of key: String, run: Run, steps: ClosedRange<Int64>? = nil, limit: Int) throws -> [MetricPoint] {
        let values: [String: SQLValue] = [
            "run": .integer(run.number), "name": .text(key), "from": .integer(steps?.lowerBound), "to": .integer(steps?.upperBound),
        ]
        let count = try tx.first(Self.countSteps, values)!.int("points")
        guard count > 0, limit > 0 else { return [] }
        var wanted = Set<Int>()
        if count > limit, limit > 1 {
            for index in 0..<limit { wanted.insert(index * (count - 1) / (limit - 1)) }
        }
        var points: [MetricPoint] = []
        var index = 0
        try tx.forEach(Self.historyByStep, values) { row in
            if count <= limit || wanted.contains(index) || (limit == 1 && index == count - 1) { points.append(Self.point(row, key: key)) }
            index += 1
        }
        return points
    }

    /// Names of the run's metrics.
    package func keys(of run: Run) throws -> [String] {
        try tx.all(Self.keysOf, ["run": .integer(run.number)]).map { $0.text("name") }
    }

    static func point(_ row: Row, key: String) -> MetricPoint {
        MetricPoint(key: key, value: row.bool("is_nan") ? .nan : row.real("value"), timestamp: row.int64("at_ms"), step: row.int64("step"))
    }

    private static let keyNumber = Statement("metric.keyNumber", "SELECT no FROM metric_key WHERE name = :name")
    private static let insertKey = Statement(
        "metric.insertKey",
        """
        INSERT INTO metric_key (no, name) VALUES ((SELECT COALESCE(MAX(no), 0) + 1 FROM metric_key), :name) ON CONFLICT (name) DO NOTHING
        """)
    private static let insert = Statement(
        "metric.insert",
        """
        INSERT INTO metric (run_no, key_no, step, at_ms, value, is_nan) VALUES (:run, :key, :step, :at, :value, :nan)
        ON CONFLICT (run_no, key_no, step, at_ms, value, is_nan) DO NOTHING
        """)
    private static let upsertLatest = Statement(
        "metric.upsertLatest",
        """
        INSERT INTO latest_metric (run_no, key_no, step, at_ms, value, is_nan) VALUES (:run, :key, :step, :at, :value, :nan)
        ON CONFLICT (run_no, key_no) DO UPDATE
        SET step = excluded.step, at_ms = excluded.at_ms, value = excluded.value, is_nan = excluded.is_nan
        WHERE (excluded.step, excluded.at_ms, excluded.value) >= (latest_metric.step, latest_metric.at_ms, latest_metric.value)
        """)
    private static let insertOfModel = Statement(
        "metric.insertOfModel",
        """
        INSERT INTO logged_model_metric (model_id, run_no, key_no, step, at_ms, value, is_nan, dataset_name, dataset_digest)
        VALUES (:model, :run, :key, :step, :at, :value, :nan, :dataset, :digest)
        ON CONFLICT (model_id, key_no, dataset_name, dataset_digest, run_no, step, at_ms, value, is_nan) DO NOTHING
        """)
    private static let historyByTime = Statement(
        "metric.history",
        """
        SELECT m.step, m.at_ms, m.value, m.is_nan FROM metric m JOIN metric_key k ON k.no = m.key_no
        WHERE m.run_no = :run AND k.name = :name ORDER BY m.at_ms, m.step, m.value LIMIT :limit OFFSET :offset
        """)
    private static let countSteps = Statement(
        "metric.count",
        """
        SELECT COUNT(*) AS points FROM metric m JOIN metric_key k ON k.no = m.key_no
        WHERE m.run_no = :run AND k.name = :name AND (:from IS NULL OR m.step >= :from) AND (:to IS NULL OR m.step <= :to)
        """)
    private static let historyByStep = Statement(
        "metric.historyByStep",
        """
        SELECT m.step, m.at_ms, m.value, m.is_nan FROM metric m JOIN metric_key k ON k.no = m.key_no
        WHERE m.run_no = :run AND k.name = :name AND (:from IS NULL OR m.step >= :from) AND (:to IS NULL OR m.step <= :to)
        ORDER BY m.step, m.at_ms, m.value
        """)
    private static let keysOf = Statement(
        "metric.keys",
        """
        SELECT k.name FROM latest_metric m JOIN metric_key k ON k.no = m.key_no WHERE m.run_no = :run ORDER BY k.name
        """)
}

extension RunStore {
    package func latestMetrics(_ id: String) throws -> [String: Double] {
        guard let run = try run(id) else { return [:] }
        let metrics = try details(of: [run])[run.number]?.metrics ?? []
        return Dictionary(metrics.map { ($0.key, $0.value) }) { $1 }
    }
}
