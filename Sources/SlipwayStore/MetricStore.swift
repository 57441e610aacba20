import SlipwayCore
import SlipwaySQL

/// Metric points of runs (and of the logged models that were measured).
///
/// SQL has neither NaN nor infinity that every database agrees on: NaN is kept as 0 with a mark, infinities as the largest finite numbers, as MLflow does.
package struct MetricStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    // MARK: Writing

    /// Appends points; one that is there already (same key, step, time and value) is there once. The latest point of a key is the one with
    /// the greatest (step, time, value).
    package func log(_ points: [MetricPoint], of run: Run) throws {
        if points.count == 1 {
            let point = points[0]
            try log([point.sample], of: Metric(run: run, key: try number(of: point.key)))
        } else {
            var samples: [String: [MetricSample]] = [:]
            for point in points { samples[point.key, default: []].append(point.sample) }
            for (key, samples) in samples { try log(samples, of: Metric(run: run, key: try number(of: key))) }
        }
        for point in points {
            guard let model = point.model, try LoggedModelStore(tx: tx).model(model) != nil else { continue }
            // A point that names a model which nobody logged is the run's alone, as in MLflow.
            try tx.run(
                Self.insertOfModel,
                [
                    "model": .text(model), "run": .integer(run.number), "key": .integer(try number(of: point.key)), "step": .integer(point.step),
                    "at": .integer(point.timestamp), "value": .real(Self.stored(point.value)), "nan": .bool(point.value.isNaN),
                    "dataset": .text(point.datasetName ?? ""), "digest": .text(point.datasetDigest ?? ""),
                ])
        }
    }

    /// One metric of one run.
    struct Metric {
        var run: Int64
        var experiment: Int64
        var key: Int64

        init(run: Run, key: Int64) {
            self.run = run.number
            experiment = Int64(run.experiment)!
            self.key = key
        }

        var bindings: Bindings { ["run": .integer(run), "key": .integer(key)] }
    }

    private func log(_ samples: [MetricSample], of metric: Metric) throws {
        let sorted = Self.sortedOnce(samples)
        var values: [SQLValue] = []
        values.reserveCapacity(sorted.count * 6)
        for sample in sorted {
            values.append(.integer(metric.run))
            values.append(.integer(metric.key))
            values.append(.integer(sample.step))
            values.append(.integer(sample.timestamp))
            values.append(.real(Self.stored(sample.value)))
            values.append(.bool(sample.value.isNaN))
        }
        let added = try tx.run(Self.insert, ["run", "key", "step", "at", "value", "nan"], forEach: values)
        // Sent again: everything is there, and counted.
        guard added > 0 else { return }
        var latest = try latest(of: metric) ?? Latest(sample: sorted[0], points: 0, isOrdered: true)
        if added < sorted.count || !Self.isOrdered(sorted, after: latest) { latest.isOrdered = false }
        let (before, newest) = (latest.points, latest.sample)
        latest.points += Int64(added)
        if Self.rank(sorted.last!) >= Self.rank(latest.sample) { latest.sample = sorted.last! }
        try tx.run(
            Self.upsertLatest,
            [
                "run": .integer(metric.run), "key": .integer(metric.key), "experiment": .integer(metric.experiment), "step": .integer(latest.sample.step),
                "at": .integer(latest.sample.timestamp), "value": .real(Self.stored(latest.sample.value)), "nan": .bool(latest.sample.value.isNaN),
                "points": .integer(latest.points), "ordered": .bool(latest.isOrdered),
            ])
        guard latest.isOrdered else { return }
        if before > 0, let late = sorted.first, Self.rank(late) < Self.rank(newest) { try widenChunk(of: metric, by: late) }
        if before / Self.chunkPoints < latest.points / Self.chunkPoints { try addChunks(of: metric) }
    }

    /// By (step, time, value), each once.
    private static func sortedOnce(_ samples: [MetricSample]) -> [MetricSample] {
        guard samples.count > 1 else { return samples }
        var isSorted = true
        for index in 1..<samples.count where !(rank(samples[index - 1]) < rank(samples[index])) {
            isSorted = false
            break
        }
        if isSorted { return samples }
        var once: [MetricSample] = []
        for sample in samples.sorted(by: { rank($0) < rank($1) }) {
            if let last = once.last, rank(last) == rank(sample), last.value.isNaN == sample.value.isNaN { continue }
            once.append(sample)
        }
        return once
    }

    /// Neither steps nor times go back: then the order of steps is the order of time too.
    private static func isOrdered(_ samples: [MetricSample], after latest: Latest) -> Bool {
        var (step, timestamp) = (latest.sample.step, latest.sample.timestamp)
        for sample in samples {
            guard sample.step >= step, sample.timestamp >= timestamp else { return false }
            (step, timestamp) = (sample.step, sample.timestamp)
        }
        return true
    }

    private static func rank(_ sample: MetricSample) -> (Int64, Int64, Double) { (sample.step, sample.timestamp, stored(sample.value)) }

    static func stored(_ value: Double) -> Double {
        if value.isNaN { return 0 }
        return max(-Double.greatestFiniteMagnitude, min(Double.greatestFiniteMagnitude, value))
    }

    /// What is known of a metric as a whole.
    struct Latest {
        var sample: MetricSample
        var points: Int64
        /// Whether every point came at or after the ones before it, in steps and in time.
        var isOrdered: Bool
    }

    func latest(of metric: Metric) throws -> Latest? {
        var latest: Latest?
        try tx.scan(Self.latestOf, metric.bindings) { row in
            latest = Latest(sample: Self.sample(row), points: row.int64(4), isOrdered: row.int64(5) != 0)
            return false
        }
        return latest
    }

    /// Columns step, at_ms, value, is_nan come first.
    static func sample(_ row: any RowVisit) -> MetricSample {
        MetricSample(step: row.int64(0), timestamp: row.int64(1), value: row.int64(3) != 0 ? .nan : row.real(2))
    }

    private func number(of key: String) throws -> Int64 {
        if let known = try knownNumber(of: key) { return known }
        try tx.run(Self.insertKey, ["name": .text(key)])
        return try knownNumber(of: key)!
    }

    func knownNumber(of key: String) throws -> Int64? {
        var number: Int64?
        try tx.scan(Self.keyNumber, ["name": .text(key)]) { row in
            number = row.int64(0)
            return false
        }
        return number
    }

    // MARK: Histories

    /// Points of one key in the order of time, step and value.
    /// - Returns: the page, and where the next one starts, nil after the last.
    package func history(of key: String, run: Run, limit: Int, from mark: MetricHistoryMark = MetricHistoryMark()) throws -> (samples: [MetricSample], next: MetricHistoryMark?) {
        guard let number = try knownNumber(of: key), let latest = try latest(of: Metric(run: run, key: number)) else { return ([], nil) }
        let metric = Metric(run: run, key: number)
        var samples: [MetricSample] = []
        samples.reserveCapacity(min(limit + 1, Int(latest.points)))
        let more: Bindings = ["limit": .integer(limit + 1)]
        if latest.isOrdered, let last = mark.last {
            try tx.scan(Self.historyAfter, metric.bindings.adding(Self.place(last)).adding(more)) { row in
                samples.append(Self.sample(row))
                return true
            }
        } else {
            let statement = latest.isOrdered ? Self.historyByStep : Self.historyByTime
            try tx.scan(statement, metric.bindings.adding(more).adding(["offset": .integer(mark.offset)])) { row in
                samples.append(Self.sample(row))
                return true
            }
        }
        guard samples.count > limit else { return (samples, nil) }
        samples.removeLast()
        return (samples, MetricHistoryMark(offset: mark.offset + limit, last: latest.isOrdered ? samples.last : nil))
    }

    static func place(_ sample: MetricSample) -> Bindings {
        ["step": .integer(sample.step), "at": .integer(sample.timestamp), "value": .real(stored(sample.value)), "nan": .bool(sample.value.isNaN)]
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
    private static let latestOf = Statement(
        "metric.latest", "SELECT step, at_ms, value, is_nan, points, is_ordered FROM latest_metric WHERE run_no = :run AND key_no = :key")
    private static let upsertLatest = Statement(
        "metric.upsertLatest",
        """
        INSERT INTO latest_metric (run_no, key_no, experiment_id, step, at_ms, value, is_nan, points, is_ordered)
        VALUES (:run, :key, :experiment, :step, :at, :value, :nan, :points, :ordered)
        ON CONFLICT (run_no, key_no) DO UPDATE SET step = excluded.step, at_ms = excluded.at_ms, value = excluded.value, is_nan = excluded.is_nan,
            points = excluded.points, is_ordered = excluded.is_ordered
        """)
    private static let insertOfModel = Statement(
        "metric.insertOfModel",
        """
        INSERT INTO logged_model_metric (model_id, run_no, key_no, step, at_ms, value, is_nan, dataset_name, dataset_digest)
        VALUES (:model, :run, :key, :step, :at, :value, :nan, :dataset, :digest)
        ON CONFLICT (model_id, key_no, dataset_name, dataset_digest, run_no, step, at_ms, value, is_nan) DO NOTHING
        """)
    private static let historyByTime = Statement(
        "metric.historyByTime",
        """
        SELECT step, at_ms, value, is_nan FROM metric WHERE run_no = :run AND key_no = :key ORDER BY at_ms, step, value LIMIT :limit OFFSET :offset
        """)
    private static let historyByStep = Statement(
        "metric.historyByStep",
        """
        SELECT step, at_ms, value, is_nan FROM metric WHERE run_no = :run AND key_no = :key
        ORDER BY step, at_ms, value, is_nan LIMIT :limit OFFSET :offset
        """)
    private static let historyAfter = Statement(
        "metric.historyAfter",
        """
        SELECT step, at_ms, value, is_nan FROM metric
        WHERE run_no = :run AND key_no = :key AND (step, at_ms, value, is_nan) > (:step, :at, :value, :nan)
        ORDER BY step, at_ms, value, is_nan LIMIT :limit
        """)
    private static let keysOf = Statement(
        "metric.keys",
        """
        SELECT k.name FROM latest_metric m JOIN metric_key k ON k.no = m.key_no WHERE m.run_no = :run ORDER BY k.name
        """)
}

extension MetricPoint {
    var sample: MetricSample { MetricSample(step: step, timestamp: timestamp, value: value) }

    package init(key: String, _ sample: MetricSample) { self.init(key: key, value: sample.value, timestamp: sample.timestamp, step: sample.step) }
}

extension RunStore {
    package func latestMetrics(_ id: String) throws -> [String: Double] {
        guard let run = try run(id) else { return [:] }
        let metrics = try details(of: [run])[run.number]?.metrics ?? []
        return Dictionary(metrics.map { ($0.key, $0.value) }) { $1 }
    }
}
