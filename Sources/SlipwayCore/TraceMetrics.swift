/// A question for numbers over traces, their spans or their assessments.
package struct TraceMetricsQuery: Sendable, Hashable {
    package enum View: String, Sendable, Hashable, CaseIterable { case traces = "TRACES", spans = "SPANS", assessments = "ASSESSMENTS" }

    package enum Aggregation: Sendable, Hashable {
        case count, sum, average, least, most
        /// 0…100
        case percentile(Double)

        /// As the answer names it.
        package var label: String {
            switch self {
            case .count: "COUNT"
            case .sum: "SUM"
            case .average: "AVG"
            case .least: "MIN"
            case .most: "MAX"
            case .percentile(let rank): "P\(rank)"
            }
        }
    }

    package struct Filter: Sendable, Hashable {
        package enum Field: Sendable, Hashable { case status, tag(String), metadata(String), spanName, spanStatus, spanType, assessmentName, assessmentKind }
        package var field: Field
        package var value: String
    }

    package var view: View
    package var metric: String
    package var aggregations: [Aggregation]
    package var dimensions: [String]
    package var filters: [Filter]
    /// Width of a bucket in milliseconds; nil for one bucket.
    package var interval: Int64?
    /// Milliseconds of the traces' beginnings, both inclusive.
    package var from: Int64?
    package var until: Int64?
    package var limit: Int

    package static let dimensionsByView: [View: [String]] = [
        .traces: ["trace_name", "trace_status"], .spans: ["span_name", "span_type", "span_status", "span_model_name", "span_model_provider"],
        .assessments: ["assessment_name", "assessment_value"],
    ]
    private static let metricsByView: [View: [String]] = [
        .traces: ["trace_count", "latency"] + TraceKey.usageParts, .spans: ["span_count", "latency"] + TraceKey.costParts,
        .assessments: ["assessment_count", "assessment_value"],
    ]

    /// - Throws: `invalidArgument` that says what would do.
    package init(
        view: View, metric: String, aggregations: [Aggregation], dimensions: [String], filters: [String], interval: Int64?, from: Int64?, until: Int64?, limit: Int
    ) throws {
        let metrics = Self.metricsByView[view]!
        guard metrics.contains(metric) else { throw SlipwayError.invalid("metric_name must be one of \(metrics), got '\(metric.prefix(80))'") }
        guard !aggregations.isEmpty, aggregations.count <= 20 else { throw SlipwayError.invalid("One to twenty aggregations are needed.") }
        let isCount = metric.hasSuffix("_count")
        if let wrong = aggregations.first(where: { isCount != ($0 == .count) }) {
            throw SlipwayError.invalid(
                "Found invalid aggregation_type(s): \(wrong.label). Supported aggregation types: \(isCount ? "COUNT" : "SUM, AVG, MIN, MAX, PERCENTILE")")
        }
        let known = Self.dimensionsByView[view]!
        if let wrong = dimensions.first(where: { !known.contains($0) }) {
            throw SlipwayError.invalid("Found invalid dimension(s): '\(wrong.prefix(80))'. Supported dimensions: \(known)")
        }
        if let interval {
            guard interval > 0, interval <= 1 << 40 else { throw SlipwayError.invalid("time_interval_seconds must be positive.") }
            guard from != nil, until != nil else { throw SlipwayError.invalid("start_time_ms and end_time_ms are required if time_interval_seconds is set.") }
        }
        guard filters.count <= 20 else { throw SlipwayError.invalid("There may be 20 filters at most.") }
        self.view = view
        self.metric = metric
        self.aggregations = aggregations
        self.dimensions = dimensions
        self.filters = try filters.map { try Self.filter($0, view) }
        self.interval = interval
        self.from = from
        self.until = until
        self.limit = limit
    }

    /// Reads `trace.tag.team = "search"`: one comparison for equality.
    private static func filter(_ text: String, _ view: View) throws -> Filter {
        let wrong = SlipwayError.invalid("Invalid filter: '\(text.prefix(200))'.", remedy: "Write for instance: trace.tag.team = \"search\"")
        guard text.utf8.count <= 4000, let match = text.wholeMatch(of: /\s*(trace|span|assessment)\.(\w+)(?:\.(`[^`]+`|"[^"]+"|[^\s=]+))?\s*=\s*(?:'([^']*)'|"([^"]*)")\s*/) else {
            throw wrong
        }
        let key = match.output.3.map { $0.first == "`" || $0.first == "\"" ? String($0.dropFirst().dropLast()) : String($0) }
        guard let value = (match.output.4 ?? match.output.5).map(String.init) else { throw wrong }
        let field: Filter.Field
        switch (String(match.output.1), String(match.output.2), key) {
        case ("trace", "status", nil): field = .status
        case ("trace", "tag", let key?): field = .tag(key)
        case ("trace", "metadata", let key?): field = .metadata(key)
        case ("span", "name", nil): field = .spanName
        case ("span", "status", nil): field = .spanStatus
        case ("span", "type", nil): field = .spanType
        case ("assessment", "name", nil): field = .assessmentName
        case ("assessment", "type", nil): field = .assessmentKind
        default: throw wrong
        }
        switch field {
        case .spanName, .spanStatus, .spanType:
            guard view == .spans else { throw SlipwayError.invalid("Filtering by span is only supported for SPANS view type, got \(view.rawValue)") }
        case .assessmentName, .assessmentKind:
            guard view == .assessments else { throw SlipwayError.invalid("Filtering by assessment is only supported for ASSESSMENTS view type, got \(view.rawValue)") }
        case .status, .tag, .metadata: break
        }
        return Filter(field: field, value: value)
    }
}

/// One line of an answer to a `TraceMetricsQuery`.
package struct TraceMetricsPoint: Sendable, Hashable {
    /// The beginning of the bucket in milliseconds.
    package var bucket: Int64?
    /// In the order in which they were asked for.
    package var dimensions: [String]
    /// In the order of the aggregations.
    package var values: [Double]

    package init(bucket: Int64?, dimensions: [String], values: [Double]) {
        self.bucket = bucket
        self.dimensions = dimensions
        self.values = values
    }
}

/// Gathers values, one after the other.
package struct TraceMetricsGroup: Sendable {
    private var count = 0
    private var sum = 0.0
    private var least = Double.infinity
    private var most = -Double.infinity
    /// Only where a percentile is asked for.
    private var values: [Double] = []

    package init() {}

    package mutating func add(_ value: Double, keepsValues: Bool) {
        count += 1
        sum += value
        least = min(least, value)
        most = max(most, value)
        if keepsValues { values.append(value) }
    }

    package func results(_ aggregations: [TraceMetricsQuery.Aggregation]) -> [Double] {
        let sorted = values.sorted()
        return aggregations.map { aggregation in
            switch aggregation {
            case .count: Double(count)
            case .sum: sum
            case .average: sum / Double(max(count, 1))
            case .least: least
            case .most: most
            case .percentile(let rank): Self.percentile(sorted, rank)
            }
        }
    }

    /// With linear interpolation between the two nearest ranks (definition 7 of Hyndman and Fan, "Sample Quantiles in Statistical Packages", 1996).
    private static func percentile(_ sorted: [Double], _ rank: Double) -> Double {
        guard let last = sorted.indices.last else { return .nan }
        let place = rank / 100 * Double(last)
        let below = Int(place)
        return sorted[below] + (place - Double(below)) * (sorted[min(below + 1, last)] - sorted[below])
    }
}
