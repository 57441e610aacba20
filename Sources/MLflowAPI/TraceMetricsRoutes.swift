import HTTPTypes
import SlipwayCore
import Tracking

/// `mlflow/traces/metrics`
struct TraceMetricsRoutes: Sendable {
    let realm: MLflowRealm

    init(realm: MLflowRealm) { self.realm = realm }

    func add(to router: MLflowRouter<some Any>) { router.on(.post, "mlflow/traces/metrics", query) }

    @Sendable private func query(_ fields: Fields, caller: Caller) async throws -> JSON {
        let query = try TraceMetricsQuery(
            view: fields.view(), metric: fields.required("metric_name"), aggregations: fields.messages("aggregations").map { try $0.aggregation() },
            dimensions: fields.strings("dimensions"), filters: fields.strings("filters"), interval: fields.int("time_interval_seconds").map { min($0, 1 << 31) * 1000 },
            from: fields.int("start_time_ms"), until: fields.int("end_time_ms"), limit: fields.limit(default: 1000, max: 10_000))
        let points = try await realm.tracking.metrics(query, experiments: fields.requiredStrings("experiment_ids"), by: caller)
        return .object { json in
            json.list("data_points", points) { json, point in
                json.field("metric_name", query.metric)
                var dimensions = Dictionary(zip(query.dimensions, point.dimensions)) { first, _ in first }
                if let bucket = point.bucket { dimensions["time_bucket"] = ProtoTime.timestamp(bucket).replacing("Z", with: "+00:00") }
                json.map("dimensions", dimensions)
                let values = zip(query.aggregations, point.values).map { ($0.label, JSONValue.number($1)) }
                json.json("values", .object(Dictionary(values) { first, _ in first }))
            }
        }
    }
}

extension Fields {
    fileprivate func view() throws -> TraceMetricsQuery.View {
        switch json("view_type") {
        case .integer(let number) where (1...3).contains(number): return TraceMetricsQuery.View.allCases[Int(number) - 1]
        case .string(let text):
            guard let view = TraceMetricsQuery.View(rawValue: text) else { throw wrong("view_type", .string(text)) }
            return view
        case nil, .null: throw TrackingRules.missing("view_type")
        case let other?: throw wrong("view_type", other)
        }
    }

    fileprivate func aggregation() throws -> TraceMetricsQuery.Aggregation {
        switch json("aggregation_type") {
        case .string("COUNT"), .integer(1): return .count
        case .string("SUM"), .integer(2): return .sum
        case .string("AVG"), .integer(3): return .average
        case .string("MIN"), .integer(5): return .least
        case .string("MAX"), .integer(6): return .most
        case .string("PERCENTILE"), .integer(4):
            guard let rank = try double("percentile_value"), (0...100).contains(rank) else {
                throw SlipwayError.invalid("Percentile value must be between 0 and 100.")
            }
            return .percentile(rank)
        case let other: throw wrong("aggregation_type", other ?? .null)
        }
    }
}
