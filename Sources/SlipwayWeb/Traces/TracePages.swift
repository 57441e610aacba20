import SlipwayCore

/// What applications asked and answered, one experiment's.
package struct TracesPage: Sendable {
    package var frame: PageFrame
    package var experiment: Experiment
    package var filter: String
    package var traces: [TraceRecord]
    package var from: Int
    package var hasMore: Bool
    /// What is wrong with the filter.
    package var error: SlipwayError?
    package var address: String

    static let rowsMax = 100

    package init(
        frame: PageFrame, experiment: Experiment, filter: String = "", traces: [TraceRecord], from: Int = 0, hasMore: Bool = false, error: SlipwayError? = nil, address: String
    ) {
        self.frame = frame
        self.experiment = experiment
        self.filter = filter
        self.traces = traces
        self.from = from
        self.hasMore = hasMore
        self.error = error
        self.address = address
    }
}

package struct TracePage: Sendable {
    package var frame: PageFrame
    package var record: TraceRecord
    package var experiment: String
    /// In any order; nil when they lie among the client's artifacts.
    package var spans: [StoredSpan]?

    static let spansMax = 500

    package init(frame: PageFrame, record: TraceRecord, experiment: String, spans: [StoredSpan]?) {
        self.frame = frame
        self.record = record
        self.experiment = experiment
        self.spans = spans
    }
}

extension TraceRecord {
    /// Tokens in all, when the client counted them.
    var tokens: Int64? {
        // A client's own text: what does not read is not shown.
        guard let text = metadata[TraceKey.tokenUsage], let usage = try? CanonicalJSON.decode(JSONValue.self, from: text) else { return nil }
        return usage["total_tokens"]?.int
    }
    var name: String { tags[TraceKey.name] ?? trace.id }
}
