import SlipwayCore
import SlipwaySQL

extension MetricStore {
    /// Points of a metric that one row of `metric_chunk` stands for.
    static let chunkPoints: Int64 = 64
    /// Up to here a curve is thinned exactly as MLflow does it, by the steps that all the runs have between them.
    private static let exactMax: Int64 = 2048

    /// Curves of one metric of several runs, thinned to about `limit` points each, in the order of steps. The first and the last point are
    /// among them, and so is every extreme between two kept points that a line between those would hide.
    /// - Parameter steps: the part that is looked at, nil for all.
    package func curves(of key: String, runs: [Run], steps: ClosedRange<Int64>? = nil, limit: Int) throws -> [[MetricSample]] {
        guard let number = try knownNumber(of: key), limit > 0 else { return runs.map { _ in [] } }
        var curves: [[MetricSample]] = []
        var exact: [Int] = []
        for (index, run) in runs.enumerated() {
            let metric = Metric(run: run, key: number)
            guard let latest = try latest(of: metric) else { curves.append([]); continue }
            if latest.points <= max(Self.exactMax, Int64(limit)) {
                exact.append(index)
                curves.append(try all(of: metric, steps))
            } else {
                curves.append(try thinned(metric, latest, steps, limit: limit, runs: runs.count))
            }
        }
        let kept = Self.sampledSteps(of: exact.map { curves[$0] }, limit: limit)
        for index in exact { curves[index] = Self.thinned(curves[index], keeping: kept) }
        return curves
    }

    private func all(of metric: Metric, _ steps: ClosedRange<Int64>?) throws -> [MetricSample] {
        var samples: [MetricSample] = []
        try tx.scan(Self.between, metric.between(steps)) { row in
            samples.append(Self.sample(row))
            return true
        }
        return samples
    }

    // MARK: Short curves

    /// Every n-th of all the curves' steps, and each curve's first and last; nil when there are few enough to keep all.
    private static func sampledSteps(of curves: [[MetricSample]], limit: Int) -> Set<Int64>? {
        let steps = Set(curves.joined().lazy.map(\.step)).sorted()
        guard steps.count > limit else { return nil }
        var kept = Set(stride(from: 0, to: steps.count, by: steps.count / limit).map { steps[$0] })
        for curve in curves {
            if let first = curve.first, let last = curve.last { kept.formUnion([first.step, last.step]) }
        }
        return kept
    }

    private static func thinned(_ curve: [MetricSample], keeping steps: Set<Int64>?) -> [MetricSample] {
        guard let steps else { return curve }
        var thinner = CurveThinner()
        for sample in curve {
            if steps.contains(sample.step) { thinner.keep(sample) } else { thinner.pass(sample) }
        }
        return thinner.samples
    }

    // MARK: Long curves

    private func thinned(_ metric: Metric, _ latest: Latest, _ steps: ClosedRange<Int64>?, limit: Int, runs: Int) throws -> [MetricSample] {
        let chunks = latest.isOrdered ? try self.chunks(of: metric, steps) : []
        // A part of a long curve, or one whose steps went back, is read through once; the more curves, the coarser.
        if chunks.count <= limit / runs { return try scanned(metric, latest, chunks, steps, limit: limit) }
        var thinner = CurveThinner()
        if steps == nil { try visit(metric, nil, limit: 1) { thinner.keep($0) } }
        if let steps { try visit(metric, steps.lowerBound...min(steps.upperBound, chunks[0].last.step)) { thinner.isEmpty ? thinner.keep($0) : thinner.pass($0) } }
        var kept = 0
        for (index, chunk) in chunks.enumerated() {
            let isWhole = steps.map { chunk.firstStep >= $0.lowerBound && chunk.last.step <= $0.upperBound } ?? true
            guard isWhole else { continue }
            for extreme in chunk.extremes { thinner.pass(extreme) }
            if (index + 1) * limit / chunks.count > kept {
                thinner.keep(chunk.last)
                kept = (index + 1) * limit / chunks.count
            } else {
                thinner.pass(chunk.last)
            }
        }
        // What lies behind the last whole chunk: at most one chunk's worth of points.
        let end = thinner.samples.last ?? latest.sample
        var last: MetricSample?
        let rest: ClosedRange<Int64>? = steps.map { min(end.step, $0.upperBound)...$0.upperBound } ?? (end.step...Int64.max)
        try visit(metric, rest) { sample in
            guard (sample.step, sample.timestamp) > (end.step, end.timestamp) else { return }
            if let last { thinner.pass(last) }
            last = sample
        }
        if let last { thinner.keep(last) }
        return thinner.samples
    }

    /// Every n-th point of one pass, without holding the others.
    private func scanned(_ metric: Metric, _ latest: Latest, _ chunks: [Chunk], _ steps: ClosedRange<Int64>?, limit: Int) throws -> [MetricSample] {
        var points = chunks.isEmpty ? latest.points : min(latest.points, Int64(chunks.count + 1) * Self.chunkPoints)
        if chunks.isEmpty, steps != nil {
            // Nothing says how many of them lie in the part that is looked at.
            points = 0
            try visit(metric, steps) { _ in points += 1 }
        }
        let interval = max(1, points / Int64(limit))
        var thinner = CurveThinner()
        var position: Int64 = 0
        var last: MetricSample?
        try visit(metric, steps) { sample in
            if position % interval == 0 {
                thinner.keep(sample)
                last = nil
            } else {
                thinner.pass(sample)
                last = sample
            }
            position += 1
        }
        if let last { thinner.keep(last) }
        return thinner.samples
    }

    private func visit(_ metric: Metric, _ steps: ClosedRange<Int64>?, limit: Int = .max, _ body: (MetricSample) -> Void) throws {
        var left = limit
        try tx.scan(Self.between, metric.between(steps)) { row in
            body(Self.sample(row))
            left -= 1
            return left > 0
        }
    }

    // MARK: Chunks

    /// 64 points that follow each other: where they end and how far they swing.
    struct Chunk {
        var firstStep: Int64
        /// The lowest and the highest, in the order of steps; one, or none, when all are NaN.
        var extremes: [MetricSample]
        var last: MetricSample

        init(_ samples: [MetricSample]) {
            let numbers = samples.filter { !$0.value.isNaN }
            let extremes = [numbers.min { $0.value < $1.value }, numbers.max { $0.value < $1.value }].compactMap(\.self)
            self.init(firstStep: samples.first!.step, extremes: extremes, last: samples.last!)
        }

        init(firstStep: Int64, extremes: [MetricSample], last: MetricSample) {
            self.firstStep = firstStep
            self.extremes = extremes.sorted { ($0.step, $0.timestamp) < ($1.step, $1.timestamp) }
            self.last = last
        }
    }

    /// Writes the rows of chunks that have become full. Only for metrics in order.
    func addChunks(of metric: Metric) throws {
        var number: Int64 = 0
        try tx.scan(Self.lastChunk, metric.bindings) { row in
            number = row.int64(0) + 1
            return false
        }
        var samples: [MetricSample] = []
        try tx.scan(
            number == 0 ? Self.fromStart : Self.afterChunk, metric.bindings.adding(["chunk": .integer(number - 1), "limit": .integer(Int64.max)])
        ) { row in
            samples.append(Self.sample(row))
            if samples.count == Int(Self.chunkPoints) {
                try insert(Chunk(samples), number, of: metric)
                samples.removeAll(keepingCapacity: true)
                number += 1
            }
            return true
        }
    }

    private func insert(_ chunk: Chunk, _ number: Int64, of metric: Metric) throws {
        let (low, high) = (chunk.extremes.min { $0.value < $1.value } ?? chunk.last, chunk.extremes.max { $0.value < $1.value } ?? chunk.last)
        try tx.run(
            Self.insertChunk,
            [
                "run": .integer(metric.run), "key": .integer(metric.key), "chunk": .integer(number), "first": .integer(chunk.firstStep),
                "lowStep": .integer(low.step), "lowAt": .integer(low.timestamp), "low": .real(Self.stored(low.value)),
                "highStep": .integer(high.step), "highAt": .integer(high.timestamp), "high": .real(Self.stored(high.value)),
                "step": .integer(chunk.last.step), "at": .integer(chunk.last.timestamp), "value": .real(Self.stored(chunk.last.value)),
                "nan": .bool(chunk.last.value.isNaN),
            ])
    }

    /// A point of the very step and time of the newest one, but below it: it may belong into a chunk that is full already.
    func widenChunk(of metric: Metric, by sample: MetricSample) throws {
        guard !sample.value.isNaN else { return }
        try tx.run(
            Self.lowerChunk,
            metric.bindings.adding(["step": .integer(sample.step), "at": .integer(sample.timestamp), "value": .real(Self.stored(sample.value))]))
    }

    private func chunks(of metric: Metric, _ steps: ClosedRange<Int64>?) throws -> [Chunk] {
        var chunks: [Chunk] = []
        try tx.scan(Self.chunksOf, metric.between(steps)) { row in
            let low = MetricSample(step: row.int64(5), timestamp: row.int64(6), value: row.real(7))
            let high = MetricSample(step: row.int64(8), timestamp: row.int64(9), value: row.real(10))
            chunks.append(Chunk(firstStep: row.int64(4), extremes: [low, high], last: Self.sample(row)))
            return true
        }
        return chunks
    }

    private static let between = Statement(
        "metric.between",
        """
        SELECT step, at_ms, value, is_nan FROM metric WHERE run_no = :run AND key_no = :key AND step >= :from AND step <= :to
        ORDER BY step, at_ms, value, is_nan
        """)
    private static let fromStart = Statement(
        "metric.fromStart",
        "SELECT step, at_ms, value, is_nan FROM metric WHERE run_no = :run AND key_no = :key ORDER BY step, at_ms, value, is_nan LIMIT :limit")
    private static let afterChunk = Statement(
        "metric.afterChunk",
        """
        SELECT m.step, m.at_ms, m.value, m.is_nan FROM metric_chunk c JOIN metric m ON m.run_no = c.run_no AND m.key_no = c.key_no
            AND (m.step, m.at_ms, m.value, m.is_nan) > (c.last_step, c.last_at_ms, c.last, c.last_is_nan)
        WHERE c.run_no = :run AND c.key_no = :key AND c.chunk = :chunk ORDER BY m.step, m.at_ms, m.value, m.is_nan LIMIT :limit
        """)
    private static let insertChunk = Statement(
        "metric.insertChunk",
        """
        INSERT INTO metric_chunk (run_no, key_no, chunk, first_step, low_step, low_at_ms, low, high_step, high_at_ms, high, last_step, last_at_ms,
            last, last_is_nan)
        VALUES (:run, :key, :chunk, :first, :lowStep, :lowAt, :low, :highStep, :highAt, :high, :step, :at, :value, :nan)
        """)
    private static let lastChunk = Statement(
        "metric.lastChunk", "SELECT chunk FROM metric_chunk WHERE run_no = :run AND key_no = :key ORDER BY chunk DESC LIMIT 1")
    private static let lowerChunk = Statement(
        "metric.lowerChunk",
        """
        UPDATE metric_chunk SET low_step = :step, low_at_ms = :at, low = :value
        WHERE run_no = :run AND key_no = :key AND last_step = :step AND last_at_ms = :at AND low > :value
        """)
    private static let chunksOf = Statement(
        "metric.chunks",
        """
        SELECT last_step, last_at_ms, last, last_is_nan, first_step, low_step, low_at_ms, low, high_step, high_at_ms, high FROM metric_chunk
        WHERE run_no = :run AND key_no = :key AND last_step >= :from AND first_step <= :to ORDER BY chunk
        """)
}

extension MetricStore.Metric {
    fileprivate func between(_ steps: ClosedRange<Int64>?) -> Bindings {
        bindings.adding(["from": .integer(steps?.lowerBound ?? .min), "to": .integer(steps?.upperBound ?? .max)])
    }
}

/// Makes a curve of fewer points out of one that is shown to it in order.
struct CurveThinner {
    private(set) var samples: [MetricSample] = []
    private var low: MetricSample?
    private var high: MetricSample?

    var isEmpty: Bool { samples.isEmpty }

    /// A point that is left out, unless it turns out to be a spike.
    mutating func pass(_ sample: MetricSample) {
        guard !sample.value.isNaN else { return }
        if low.map({ sample.value < $0.value }) ?? true { low = sample }
        if high.map({ sample.value > $0.value }) ?? true { high = sample }
    }

    /// A point that stays. What was passed since the one before stays too where it reaches beyond both.
    mutating func keep(_ sample: MetricSample) {
        let ends = [samples.last?.value, sample.value].compactMap(\.self).filter { !$0.isNaN }
        let (floor, ceiling) = (ends.min(), ends.max())
        var spikes: [MetricSample] = []
        if let low, floor.map({ low.value < $0 }) ?? true { spikes.append(low) }
        if let high, ceiling.map({ high.value > $0 }) ?? true, high != low { spikes.append(high) }
        samples += spikes.sorted { ($0.step, $0.timestamp) < ($1.step, $1.timestamp) }
        samples.append(sample)
        (low, high) = (nil, nil)
    }
}
