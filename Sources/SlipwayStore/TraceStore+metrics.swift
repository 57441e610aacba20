import SlipwayCore
import SlipwaySQL

extension TraceStore {
    /// Values that a percentile may look at.
    private static let valuesMax = 2_000_000

    /// - Returns: by bucket and dimensions, in their order; at most the query's limit.
    /// - Throws: `invalidArgument` when a percentile would have to look at too much.
    package func metrics(_ query: TraceMetricsQuery, experiments: [String]) throws -> [TraceMetricsPoint] {
        guard !experiments.isEmpty else { return [] }
        var search = TraceSQL()
        let statement = Statement("trace.metrics", Self.sql(query, experiments, &search))
        let keepsValues = query.aggregations.contains { if case .percentile = $0 { true } else { false } }
        var groups: [GroupKey: TraceMetricsGroup] = [:]
        var count = 0
        let names = query.dimensions.indices.map { "d\($0)" }
        try tx.forEach(statement, search.values) { row in
            guard let value = row.optionalReal("value") else { return }
            var dimensions: [String] = []
            for name in names {
                guard let dimension = row.optionalText(name) else { return }
                dimensions.append(dimension)
            }
            count += 1
            guard !keepsValues || count <= Self.valuesMax else {
                throw SlipwayError.invalid("A percentile looks at \(Self.valuesMax) values at most.", remedy: "Ask for a shorter time.")
            }
            let at = row.int64("at_ms")
            let bucket = query.interval.map { at - (at % $0 + $0) % $0 }
            groups[GroupKey(bucket: bucket, dimensions: dimensions), default: TraceMetricsGroup()].add(value, keepsValues: keepsValues)
        }
        return groups.sorted { $0.key < $1.key }.prefix(query.limit).map { key, group in
            TraceMetricsPoint(bucket: key.bucket, dimensions: key.dimensions, values: group.results(query.aggregations))
        }
    }

    private struct GroupKey: Hashable, Comparable {
        var bucket: Int64?
        var dimensions: [String]

        static func < (left: Self, right: Self) -> Bool {
            if left.bucket != right.bucket { return left.bucket ?? 0 < right.bucket ?? 0 }
            return left.dimensions.lexicographicallyPrecedes(right.dimensions)
        }
    }

    private static func sql(_ query: TraceMetricsQuery, _ experiments: [String], _ search: inout TraceSQL) -> String {
        let (from, at, value) = source(query, &search)
        let dimensions = query.dimensions.enumerated().map { ", \(column($1)) AS d\($0)" }.joined()
        var conditions = [search.condition(.all([]), experiments: experiments)]
        if let from = query.from { conditions.append("t.requested_at_ms >= \(search.bind(.integer(from)))") }
        if let until = query.until { conditions.append("t.requested_at_ms <= \(search.bind(.integer(until)))") }
        for filter in query.filters { conditions.append(condition(filter, &search)) }
        return "SELECT \(at) AS at_ms, \(value) AS value\(dimensions) FROM \(from) WHERE \(conditions.joined(separator: " AND "))"
    }

    private static func source(_ query: TraceMetricsQuery, _ search: inout TraceSQL) -> (from: String, at: String, value: String) {
        switch (query.view, query.metric) {
        case (.traces, "trace_count"): return ("trace t", "t.requested_at_ms", "1")
        case (.traces, "latency"): return ("trace t", "t.requested_at_ms", "t.duration_ms")
        case (.traces, _):
            return ("trace t JOIN trace_metric m ON m.trace_no = t.no AND m.key = \(search.bind(.text(query.metric)))", "t.requested_at_ms", "m.value")
        case (.spans, "span_count"): return ("trace t JOIN span s ON s.trace_no = t.no", "s.started_at_ns / 1000000", "1")
        case (.spans, "latency"):
            return ("trace t JOIN span s ON s.trace_no = t.no", "s.started_at_ns / 1000000", "(s.ended_at_ns - s.started_at_ns) / 1000000")
        case (.spans, _):
            let join = "JOIN span_metric m ON m.trace_no = s.trace_no AND m.span_id = s.id AND m.key = \(search.bind(.text(query.metric)))"
            return ("trace t JOIN span s ON s.trace_no = t.no \(join)", "s.started_at_ns / 1000000", "m.value")
        case (.assessments, "assessment_count"): return ("trace t JOIN assessment a ON a.trace_no = t.no", "a.created_at_ms", "1")
        case (.assessments, _):
            // MLflow's own judges say yes and no.
            return (
                "trace t JOIN assessment a ON a.trace_no = t.no", "a.created_at_ms",
                "CASE a.value WHEN '\"yes\"' THEN 1.0 WHEN '\"no\"' THEN 0.0 ELSE a.number END"
            )
        }
    }

    private static func column(_ dimension: String) -> String {
        switch dimension {
        case "trace_name": "(SELECT e.value FROM trace_tag e WHERE e.trace_no = t.no AND e.key = 'mlflow.traceName')"
        case "trace_status": "t.state"
        case "span_name": "s.name"
        case "span_type": "s.type"
        case "span_status": "s.status"
        case "span_model_name": "CAST((s.attributes ->> 'mlflow.llm.model') AS TEXT)"
        case "span_model_provider": "CAST((s.attributes ->> 'mlflow.llm.provider') AS TEXT)"
        case "assessment_name": "a.name"
        case "assessment_value": "a.value"
        default: preconditionFailure("the query knows '\(dimension)', the store does not")
        }
    }

    private static func condition(_ filter: TraceMetricsQuery.Filter, _ search: inout TraceSQL) -> String {
        let value = search.bind(.text(filter.value))
        switch filter.field {
        case .status: return "t.state = \(value)"
        case .tag(let key): return "EXISTS (SELECT 1 FROM trace_tag e WHERE e.trace_no = t.no AND e.key = \(search.bind(.text(key))) AND e.value = \(value))"
        case .metadata(let key): return "EXISTS (SELECT 1 FROM trace_metadata e WHERE e.trace_no = t.no AND e.key = \(search.bind(.text(key))) AND e.value = \(value))"
        case .spanName: return "s.name = \(value)"
        case .spanStatus: return "s.status = \(value)"
        case .spanType: return "s.type = \(value)"
        case .assessmentName: return "a.name = \(value)"
        case .assessmentKind: return "a.kind = \(value)"
        }
    }
}
