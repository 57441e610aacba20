import HTTPTypes
import Hummingbird
import SlipwayCore
import SlipwayHTTP
import Tracking

/// Params, tags and metrics of runs: the hot paths.
struct MetricRoutes: Sendable {
    let realm: MLflowRealm
    private var tracking: TrackingService { realm.tracking }

    init(realm: MLflowRealm) { self.realm = realm }

    /// As MLflow's.
    private static let batchBytesMax = 1_000_000
    private static let historyMax: Int64 = 25_000

    func add(to router: MLflowRouter<some Any>) {
        router.raw(.post, "mlflow/runs/log-metric", logMetric)
        router.raw(.post, "mlflow/runs/log-batch", logBatch)
        router.on(.post, "mlflow/runs/log-parameter", logParam)
        router.on(.post, "mlflow/runs/set-tag", setTag)
        router.on(.post, "mlflow/runs/delete-tag", deleteTag)
        router.on(.get, "mlflow/metrics/get-history", history)
        router.on(.get, "mlflow/metrics/get-history-bulk", bulkHistory)
        router.on(.get, "mlflow/metrics/get-history-bulk-interval", bulkInterval)
    }

    @Sendable private func logMetric(_ request: Request, context: SlipwayContext) async throws -> Response {
        try Fields.checkContentType(request)
        let body = MetricBody.metric(try await request.bodyBytes(upTo: Self.batchBytesMax))
        let (run, point) = try body.checkedMetric()
        try await tracking.logMetric(point, of: run, by: context.caller)
        return JSON.empty.response
    }

    @Sendable private func logBatch(_ request: Request, context: SlipwayContext) async throws -> Response {
        try Fields.checkContentType(request)
        let body = MetricBody.batch(try await request.bodyBytes(upTo: Self.batchBytesMax))
        let batch = try body.checkedBatch()
        try await tracking.logBatch(of: batch.run, metrics: batch.metrics, params: batch.params, tags: batch.tags, by: context.caller)
        return JSON.empty.response
    }

    @Sendable private func logParam(_ fields: Fields, caller: Caller) async throws -> JSON {
        let run = try fields.runID()
        try await tracking.logParam(fields.required("key"), fields.string("value") ?? "", of: run, by: caller)
        return .empty
    }

    @Sendable private func setTag(_ fields: Fields, caller: Caller) async throws -> JSON {
        let run = try fields.runID()
        try await tracking.setTag(fields.required("key"), fields.string("value") ?? "", of: run, by: caller)
        return .empty
    }

    @Sendable private func deleteTag(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await tracking.deleteTag(fields.required("key"), of: fields.runID(), by: caller)
        return .empty
    }

    @Sendable private func history(_ fields: Fields, caller: Caller) async throws -> JSON {
        // Without a limit everything is wanted, up to what fits in memory; a token tells when that is not all.
        let limit = try fields.int("max_results") == nil ? 1_000_000 : try fields.limit(default: nil, max: Self.historyMax)
        let key = try fields.required("metric_key")
        let page = try await tracking.history(of: key, run: fields.runID(), limit: limit, from: fields.historyMark(), by: caller)
        return .object { json in
            json.samples("metrics", [(run: nil, samples: page.samples)], key: key)
            if let next = page.next { json.field("next_page_token", PageToken.make(next)) }
        }
    }

    @Sendable private func bulkHistory(_ fields: Fields, caller: Caller) async throws -> JSON {
        let runs = try fields.strings("run_id")
        guard !runs.isEmpty else { throw SlipwayError.invalid("GetMetricHistoryBulk request must specify at least one run_id.") }
        guard runs.count <= 100 else { throw SlipwayError.invalid("GetMetricHistoryBulk request cannot specify more than 100 run_ids. Received \(runs.count) run_ids.") }
        guard let key = try fields.string("metric_key"), !key.isEmpty else { throw SlipwayError.invalid("GetMetricHistoryBulk request must specify a metric_key.") }
        let limit = try fields.limit(default: Self.historyMax, max: Self.historyMax)
        let histories = try await tracking.histories(of: key, runs: runs.sorted(), limit: limit, by: caller)
        return .object { $0.samples("metrics", histories.map { (run: $0.run, samples: $0.samples) }, key: key) }
    }

    @Sendable func bulkInterval(_ fields: Fields, caller: Caller) async throws -> JSON {
        let runs = try fields.strings("run_ids")
        guard !runs.isEmpty else { throw TrackingRules.missing("run_ids") }
        guard runs.count <= 100 else { throw SlipwayError.invalid("GetMetricHistoryBulkInterval request must specify at most 100 run_ids. Received \(runs.count) run_ids.") }
        let limit = Int(try fields.int("max_results") ?? 320)
        guard (1...2500).contains(limit) else { throw SlipwayError.invalid("max_results must be between 1 and 2500.") }
        let (start, end) = (try fields.int("start_step"), try fields.int("end_step"))
        var steps: ClosedRange<Int64>?
        switch (start, end) {
        case (nil, nil): break
        case (let start?, let end?):
            guard start <= end else { throw SlipwayError.invalid("end_step must be greater than start_step. Found start_step=\(start) and end_step=\(end).") }
            steps = start...end
        default: throw SlipwayError.invalid("If either start step or end step are specified, both must be specified.")
        }
        let key = try fields.required("metric_key")
        let curves = try await tracking.curves(of: key, runs: runs, steps: steps, limit: limit, by: caller)
        return .object { $0.samples("metrics", curves.map { (run: $0.run, samples: $0.samples) }, key: key) }
    }
}

/// The bodies of log-metric and log-batch, read in one pass.
struct MetricBody {
    var run: String?
    var runUUID: String?
    private var own = Point()
    private var metrics: [Point] = []
    private var params: [Pair] = []
    private var tags: [Pair] = []
    /// The first value that does not fit its field.
    private var wrong: SlipwayError?

    private struct Point {
        var key: String?
        var value: Double?
        var timestamp: Int64?
        var step: Int64?
        var model: String?
        var datasetName: String?
        var datasetDigest: String?
    }

    private struct Pair {
        var key: String?
        var value: String?
    }

    /// A broken body counts as an empty one.
    static func metric(_ bytes: [UInt8]) -> MetricBody { read(bytes, isBatch: false) }
    static func batch(_ bytes: [UInt8]) -> MetricBody { read(bytes, isBatch: true) }

    private static func read(_ bytes: [UInt8], isBatch: Bool) -> MetricBody {
        var body = MetricBody()
        var cursor = JSONCursor(bytes)
        do {
            if try cursor.peek() == .string {
                // A JSON text inside a JSON string, from old clients.
                cursor = JSONCursor(Array(try cursor.string().utf8))
            }
            try cursor.object { name, cursor in try body.read(name, &cursor, isBatch: isBatch) }
            try cursor.end()
            return body
        } catch {
            return MetricBody()
        }
    }

    private mutating func read(_ name: String, _ cursor: inout JSONCursor, isBatch: Bool) throws {
        switch name {
        case "run_id", "runId": run = try text(&cursor, "run_id")
        case "run_uuid", "runUuid": runUUID = try text(&cursor, "run_uuid")
        case "metrics" where isBatch:
            guard try isList(&cursor, "metrics") else { return }
            try cursor.array { cursor in
                var point = Point()
                try cursor.object { name, cursor in try read(name, &cursor, into: &point, Place(list: "metrics", index: metrics.count)) }
                metrics.append(point)
            }
        case "params" where isBatch: params = try pairs(&cursor, "params")
        case "tags" where isBatch: tags = try pairs(&cursor, "tags")
        default:
            guard !isBatch else { _ = try cursor.value(); return }
            var point = own
            try read(name, &cursor, into: &point, nil)
            own = point
        }
    }

    /// Where a message lies in its request; spelled out only for an error.
    private struct Place {
        var list: StaticString
        var index: Int
        func path(_ field: StaticString) -> String { "\(list)[\(index)].\(field)" }
    }

    private mutating func read(_ name: String, _ cursor: inout JSONCursor, into point: inout Point, _ place: Place?) throws {
        switch name {
        case "key": point.key = try text(&cursor, "key", place)
        case "value": point.value = try number(&cursor, "value", place)
        case "timestamp": point.timestamp = try integer(&cursor, "timestamp", place)
        case "step": point.step = try integer(&cursor, "step", place)
        case "model_id", "modelId": point.model = try text(&cursor, "model_id", place)
        case "dataset_name", "datasetName": point.datasetName = try text(&cursor, "dataset_name", place)
        case "dataset_digest", "datasetDigest": point.datasetDigest = try text(&cursor, "dataset_digest", place)
        default: _ = try cursor.value()
        }
    }

    private mutating func pairs(_ cursor: inout JSONCursor, _ noun: StaticString) throws -> [Pair] {
        var pairs: [Pair] = []
        guard try isList(&cursor, noun) else { return [] }
        try cursor.array { cursor in
            var pair = Pair()
            let place = Place(list: noun, index: pairs.count)
            try cursor.object { name, cursor in
                switch name {
                case "key": pair.key = try text(&cursor, "key", place)
                case "value": pair.value = try text(&cursor, "value", place)
                default: _ = try cursor.value()
                }
            }
            pairs.append(pair)
        }
        return pairs
    }

    private mutating func isList(_ cursor: inout JSONCursor, _ field: StaticString) throws -> Bool {
        if try cursor.peek() == .array { return true }
        let value = try cursor.value()
        if value != .null { note(field, nil, value) }
        return false
    }

    private mutating func text(_ cursor: inout JSONCursor, _ field: StaticString, _ place: Place? = nil) throws -> String? {
        if try cursor.peek() == .string { return try cursor.string() }
        let value = try cursor.value()
        if value != .null { note(field, place, value) }
        return nil
    }

    private mutating func number(_ cursor: inout JSONCursor, _ field: StaticString, _ place: Place?) throws -> Double? {
        let value = try cursor.value()
        if value == .null { return nil }
        guard let number = Fields.double(value) else { note(field, place, value); return nil }
        return number
    }

    private mutating func integer(_ cursor: inout JSONCursor, _ field: StaticString, _ place: Place?) throws -> Int64? {
        let value = try cursor.value()
        switch value {
        case .null: return nil
        case .integer(let number): return number
        case .number(let number) where number.rounded() == number && abs(number) < 9e18: return Int64(number)
        case .string(let text):
            if let number = Int64(text) { return number }
        default: break
        }
        note(field, place, value)
        return nil
    }

    private mutating func note(_ field: StaticString, _ place: Place?, _ value: JSONValue) {
        if wrong == nil { wrong = Fields([:]).wrong(place?.path(field) ?? "\(field)", value) }
    }

    // MARK: Checked

    private func checkedRun() throws -> String {
        if let wrong { throw wrong }
        guard let id = [run, runUUID].compactMap(\.self).first(where: { !$0.isEmpty }) else { throw TrackingRules.missing("run_id") }
        return id
    }

    func checkedMetric() throws -> (run: String, point: MetricPoint) { (try checkedRun(), try Self.checked(own, nil)) }

    func checkedBatch() throws -> (run: String, metrics: [MetricPoint], params: [(key: String, value: String)], tags: [(key: String, value: String)]) {
        let run = try checkedRun()
        return (
            run,
            try metrics.enumerated().map { try Self.checked($1, Place(list: "metrics", index: $0)) },
            try params.enumerated().map { (try Self.checked($1.key, "key", Place(list: "params", index: $0)), $1.value ?? "") },
            try tags.enumerated().map { (try Self.checked($1.key, "key", Place(list: "tags", index: $0)), $1.value ?? "") }
        )
    }

    private static func checked(_ text: String?, _ field: StaticString, _ place: Place?) throws -> String {
        guard let text, !text.isEmpty else { throw missing(field, place) }
        return text
    }

    private static func checked(_ point: Point, _ place: Place?) throws -> MetricPoint {
        let key = try checked(point.key, "key", place)
        guard let value = point.value else { throw missing("value", place) }
        guard let timestamp = point.timestamp else { throw missing("timestamp", place) }
        return MetricPoint(
            key: key, value: value, timestamp: timestamp, step: point.step ?? 0, model: point.model, datasetName: point.datasetName,
            datasetDigest: point.datasetDigest)
    }

    private static func missing(_ field: StaticString, _ place: Place?) -> SlipwayError { TrackingRules.missing(place?.path(field) ?? "\(field)") }
}
