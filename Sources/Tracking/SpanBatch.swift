import SlipwayCore
import SlipwayStore

/// The spans of one trace out of one request, with what they say about it; made before the transaction.
struct SpanBatch: Sendable {
    struct Item: Sendable {
        var span: StoredSpan
        var type: String
        var costs: [String: Double]
    }

    let trace: String
    let openTelemetryID: String
    private(set) var items: [Item] = []
    /// Milliseconds.
    private(set) var startedAt = Int64.max
    private(set) var endedAt: Int64?
    /// Of the root span, when it is among them.
    private(set) var state: TraceState?
    private(set) var usage: [String: Double] = [:]
    private(set) var cost: [String: Double] = [:]
    private(set) var session: String?
    private(set) var user: String?
    private(set) var requestPreview: String?
    private(set) var responsePreview: String?

    /// In the order in which the traces first appear.
    static func make(_ spans: [Span]) -> [SpanBatch] {
        var batches: [SpanBatch] = []
        var places: [String: Int] = [:]
        for span in spans {
            if places[span.trace] == nil {
                places[span.trace] = batches.count
                batches.append(SpanBatch(trace: span.trace, openTelemetryID: span.openTelemetryTrace))
            }
            batches[places[span.trace]!].add(SpanRules.translated(span))
        }
        return batches
    }

    private init(trace: String, openTelemetryID: String) {
        self.trace = trace
        self.openTelemetryID = openTelemetryID
    }

    private mutating func add(_ span: Span) {
        startedAt = min(startedAt, span.startedAt / 1_000_000)
        if let end = span.endedAt { endedAt = max(endedAt ?? 0, end / 1_000_000) }
        let attributes = span.attributes
        usage.merge(SpanRules.amounts(attributes[TraceKey.spanUsage], TraceKey.usageParts)) { $0 + $1 }
        let costs = SpanRules.amounts(attributes[TraceKey.spanCost], TraceKey.costParts)
        cost.merge(costs) { $0 + $1 }
        session = session ?? attributes["session.id"]?.string
        user = user ?? attributes["user.id"]?.string
        if span.parent == nil {
            state = span.status == .error ? .error : .ok
            requestPreview = attributes[TraceKey.inputs].map { SpanRules.preview($0, role: "user") }
            responsePreview = attributes[TraceKey.outputs].map { SpanRules.preview($0, role: "assistant") }
        }
        let events = span.events.map { event -> JSONValue in ["name": .string(event.name), "at": .integer(event.at), "attributes": .object(event.attributes)] }
        let stored = StoredSpan(
            id: span.id, parent: span.parent, name: span.name, status: span.status, statusMessage: span.statusMessage, startedAt: span.startedAt, endedAt: span.endedAt,
            attributes: JSONValue.object(attributes).text(), events: JSONValue.array(events).text())
        items.append(Item(span: stored, type: SpanRules.type(of: span), costs: costs))
    }
}

extension TraceStore {
    /// Writes the spans, and brings their trace, made when it is missing, up to what they say.
    func log(_ batch: SpanBatch, in experiment: Experiment, run: String?, by caller: Caller, environment: EnvironmentID) throws {
        var trace: Trace
        var metadata: [String: String] = [:]
        let duration = batch.endedAt.map { max(0, $0 - batch.startedAt) }
        if let known = try self.trace(batch.trace) {
            try caller.require(.runWork, project: known.project, environment: environment)
            trace = known
            metadata = try self.metadata(of: known)
            if metadata[TraceKey.isFinal] == nil {
                let end = max(batch.endedAt ?? .min, known.duration.map { known.requestedAt.milliseconds + $0 } ?? .min)
                trace.requestedAt = min(known.requestedAt, Timestamp(milliseconds: batch.startedAt))
                if end != .min { trace.duration = max(0, end - trace.requestedAt.milliseconds) }
            }
            if [.inProgress, .unspecified].contains(known.state), let state = batch.state { trace.state = state }
            trace.requestPreview = known.requestPreview ?? batch.requestPreview
            trace.responsePreview = known.responsePreview ?? batch.responsePreview
            trace.openTelemetryID = batch.openTelemetryID
            if trace != known { try update(trace) }
        } else {
            trace = try create(
                Trace(
                    id: batch.trace, experiment: experiment.id, project: experiment.project, requestedAt: Timestamp(milliseconds: batch.startedAt), duration: duration,
                    state: batch.state ?? .inProgress, requestPreview: batch.requestPreview, responsePreview: batch.responsePreview,
                    openTelemetryID: batch.openTelemetryID))
            try setTag(TraceKey.artifactLocation, ArtifactRoot.trace(trace.id, experiment: experiment.artifactLocation), of: trace)
        }
        let spans = spans
        for item in batch.items { try spans.put(item.span, type: item.type, metrics: item.costs, of: trace) }
        try setTag(TraceKey.spansLocation, TraceKey.trackingStore, of: trace)
        try addTotals(batch, to: trace, metadata)
        for (key, value) in [(TraceKey.session, batch.session), (TraceKey.user, batch.user), (TraceKey.sourceRun, run)] where metadata[key] == nil {
            if let value { try setMetadata(key, TrackingRules.cut(value, to: TraceRules.valueMax), of: trace) }
        }
    }

    /// Adds tokens and costs to the trace's, unless its client has sent totals of its own.
    private func addTotals(_ batch: SpanBatch, to trace: Trace, _ metadata: [String: String]) throws {
        let isFinal = metadata[TraceKey.isFinal] != nil
        if !batch.usage.isEmpty, !isFinal || metadata[TraceKey.tokenUsage] == nil {
            let before = SpanRules.amounts(metadata[TraceKey.tokenUsage].map { .string($0) }, TraceKey.usageParts)
            let sum = before.merging(batch.usage) { $0 + $1 }
            try setMetadata(TraceKey.tokenUsage, SpanRules.object(sum, whole: true).text(.spaced), of: trace)
            for (key, value) in sum { try setMetric(key, value, of: trace) }
        }
        if !batch.cost.isEmpty, !isFinal || metadata[TraceKey.cost] == nil {
            let before = SpanRules.amounts(metadata[TraceKey.cost].map { .string($0) }, TraceKey.costParts)
            try setMetadata(TraceKey.cost, SpanRules.object(before.merging(batch.cost) { $0 + $1 }, whole: false).text(.spaced), of: trace)
        }
    }
}
