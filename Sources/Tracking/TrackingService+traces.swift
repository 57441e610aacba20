import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// A trace as a client reports it.
package struct TraceDraft: Sendable {
    package var id: String
    package var experiment: String
    /// Milliseconds.
    package var requestedAt: Int64
    package var duration: Int64?
    package var state: TraceState
    package var clientRequestID: String?
    package var requestPreview: String?
    package var responsePreview: String?
    package var metadata: [String: String]
    package var tags: [String: String]
    package var assessments: [AssessmentDraft]

    package init(
        id: String, experiment: String, requestedAt: Int64, duration: Int64? = nil, state: TraceState, clientRequestID: String? = nil, requestPreview: String? = nil,
        responsePreview: String? = nil, metadata: [String: String] = [:], tags: [String: String] = [:], assessments: [AssessmentDraft] = []
    ) {
        self.id = id
        self.experiment = experiment
        self.requestedAt = requestedAt
        self.duration = duration
        self.state = state
        self.clientRequestID = clientRequestID
        self.requestPreview = requestPreview
        self.responsePreview = responsePreview
        self.metadata = metadata
        self.tags = tags
        self.assessments = assessments
    }
}

/// MLflow's limits for traces.
package enum TraceRules {
    package static let keyMax = 250
    package static let valueMax = 8000
    package static let previewMax = 10_000
    package static let linksMax = 100
    package static let idsMax = 1000
    /// Entries of a map.
    package static let entriesMax = 1000
    /// Traces that are deleted in one transaction.
    static let deletedAtOnce = 200

    /// The id is a part of artifact paths.
    static func checkID(_ id: String) throws {
        guard !id.isEmpty else { throw TrackingRules.missing("trace_id") }
        let isSpelledRight = id.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || "-_.:".utf8.contains(byte)
        }
        guard id.utf8.count <= 250, isSpelledRight, id.first != "." else { throw SlipwayError.invalid("Invalid trace ID: '\(id.prefix(80))'") }
    }

    static func checkTag(_ key: String) throws {
        guard !key.isEmpty else { throw TrackingRules.missing("key") }
        guard key.count <= keyMax else { throw TrackingRules.tooLong("key", keyMax) }
        try TrackingRules.checkKey(key, "key")
    }

    static func checked(_ entries: [String: String], _ what: String) throws -> [String: String] {
        guard entries.count <= entriesMax else { throw SlipwayError.invalid("A trace has \(entriesMax) \(what) at most.") }
        return Dictionary(entries.map { (TrackingRules.cut($0.key, to: keyMax), TrackingRules.cut($0.value, to: valueMax)) }) { $1 }
    }

    static func notFound(_ id: String) -> SlipwayError { .notFound("Trace with ID '\(id.prefix(80))' not found.") }
}

extension TrackingService {
    /// Keeps a trace; one that spans have announced already is completed.
    package func startTrace(_ draft: TraceDraft, by caller: Caller) async throws -> TraceRecord {
        try caller.requireSomebody()
        try TraceRules.checkID(draft.id)
        try TrackingRules.checkExperimentID(draft.experiment)
        let metadata = try TraceRules.checked(draft.metadata, "metadata").merging([TraceKey.isFinal: "true"]) { $1 }
        let tags = try TraceRules.checked(draft.tags, "tags")
        guard draft.assessments.count <= TraceRules.entriesMax else { throw SlipwayError.invalid("A trace has \(TraceRules.entriesMax) assessments at most.") }
        let now = clock.now
        let assessments = try draft.assessments.map { try $0.made(of: draft.id, now: now, ids: ids) }
        return try await realm.database.write { [environment] tx in
            let store = TraceStore(tx: tx)
            let experiment = try ExperimentStore(tx: tx).writable(draft.experiment, by: caller, in: environment)
            let known = try store.trace(draft.id)
            if let known { try caller.require(.runWork, project: known.project, environment: environment) }
            var trace = draft.trace(in: experiment)
            if let known {
                trace.number = known.number
                trace.requestPreview = trace.requestPreview ?? known.requestPreview
                trace.responsePreview = trace.responsePreview ?? known.responsePreview
                trace.openTelemetryID = known.openTelemetryID
                try store.update(trace)
            } else {
                trace = try store.create(trace)
            }
            for (key, value) in tags { try store.setTag(key, value, of: trace) }
            try store.setTag(TraceKey.artifactLocation, ArtifactRoot.trace(trace.id, experiment: experiment.artifactLocation), of: trace)
            for (key, value) in metadata { try store.setMetadata(key, value, of: trace) }
            let usage = SpanRules.amounts(metadata[TraceKey.tokenUsage].map { .string($0) }, TraceKey.usageParts)
            for (key, value) in usage { try store.setMetric(key, value, of: trace) }
            for assessment in assessments { try store.assessments.put(assessment, of: trace) }
            return try store.records(of: [trace])[0]
        }
    }

    /// Keeps spans and, where nobody has sent it yet, their traces: all of them or nothing.
    /// - Parameter run: the run that the traces came from.
    package func logSpans(_ spans: [Span], experiment: String, run: String?, by caller: Caller) async throws {
        try caller.requireSomebody()
        try TrackingRules.checkExperimentID(experiment)
        if let run { try TrackingRules.checkRunID(run) }
        for span in spans { try TraceRules.checkID(span.trace) }
        let batches = SpanBatch.make(spans)
        try await realm.database.write { [environment] tx in
            let owner = try ExperimentStore(tx: tx).writable(experiment, by: caller, in: environment)
            if let run {
                let found = try RunStore(tx: tx).existing(run)
                try caller.require(.readMetadata, project: found.project, environment: environment)
            }
            let store = TraceStore(tx: tx)
            for batch in batches { try store.log(batch, in: owner, run: run, by: caller, environment: environment) }
        }
    }

    package func trace(_ id: String, by caller: Caller) async throws -> TraceRecord {
        try await readTrace(id, by: caller) { store, trace in try store.records(of: [trace])[0] }
    }

    /// - Parameter isPartial: answers with the spans that are there, even if the client has announced more.
    /// - Throws: `notFound` for a trace whose spans are not here, or not all yet.
    package func traceWithSpans(_ id: String, isPartial: Bool, by caller: Caller) async throws -> (record: TraceRecord, spans: [StoredSpan]) {
        try await readTrace(id, by: caller, missing: .notFound("Trace with ID \(id.prefix(80)) is not found.")) { store, trace in
            let record = try store.records(of: [trace])[0]
            guard record.hasSpans else { throw SlipwayError.notFound("Trace data of '\(id.prefix(80))' is not stored in the tracking store: it is an artifact.") }
            let spans = try store.spans.spans(of: [trace])[trace.number] ?? []
            guard isPartial || record.isComplete(with: spans.count) else {
                throw SlipwayError.notFound("Trace with ID \(id.prefix(80)) is not fully exported yet, please try again later.")
            }
            return (record, spans)
        }
    }

    /// Complete traces with their spans, in the order of the ids; others are left out.
    package func tracesWithSpans(_ ids: [String], by caller: Caller) async throws -> [(record: TraceRecord, spans: [StoredSpan])] {
        try await readTraces(ids, by: caller) { store, traces in
            let spans = try store.spans.spans(of: traces)
            return try store.records(of: traces).compactMap { record in
                guard let found = spans[record.trace.number], record.hasSpans, record.isComplete(with: found.count) else { return nil }
                return (record, found)
            }
        }
    }

    /// In the order of the ids; those that are not there are left out.
    package func traces(_ ids: [String], by caller: Caller) async throws -> [TraceRecord] {
        try await readTraces(ids, by: caller) { store, traces in try store.records(of: traces) }
    }

    package func searchTraces(
        filter: String, orderBy: [String], experiments: [String], limit: Int, offset: Int, by caller: Caller
    ) async throws -> SearchPage<TraceRecord> {
        try caller.requireSomebody()
        let filter = try TraceFilter(parsing: filter)
        let orders = try TraceOrder.list(parsing: orderBy)
        let environment = environment
        return try await realm.database.read { tx in
            let visible = try ExperimentStore(tx: tx).visible(experiments, to: caller, in: environment)
            let store = TraceStore(tx: tx)
            let page = try store.search(filter, orderBy: orders, experiments: visible, limit: limit, offset: offset)
            return SearchPage(items: try store.records(of: page.items), hasMore: page.hasMore)
        }
    }

    /// How often two filters hold together, among the traces that fulfil `base`.
    package func correlation(_ one: String, _ other: String, base: String, experiments: [String], by caller: Caller) async throws -> TraceCorrelation {
        try caller.requireSomebody()
        let (one, other, base) = (try TraceFilter(parsing: one), try TraceFilter(parsing: other), try TraceFilter(parsing: base))
        let environment = environment
        return try await realm.database.read { tx in
            let visible = try ExperimentStore(tx: tx).visible(experiments, to: caller, in: environment)
            return try TraceStore(tx: tx).correlation(one, other, base: base, experiments: visible)
        }
    }

    package func metrics(_ query: TraceMetricsQuery, experiments: [String], by caller: Caller) async throws -> [TraceMetricsPoint] {
        try caller.requireSomebody()
        let environment = environment
        return try await realm.database.read { tx in
            try TraceStore(tx: tx).metrics(query, experiments: ExperimentStore(tx: tx).visible(experiments, to: caller, in: environment))
        }
    }

    // MARK: Changes

    package func setTag(_ key: String, _ value: String, ofTrace id: String, by caller: Caller) async throws {
        try TraceRules.checkTag(key)
        try await changeTrace(id, by: caller) { store, trace in try store.setTag(key, TrackingRules.cut(value, to: TraceRules.valueMax), of: trace) }
    }

    package func deleteTag(_ key: String, ofTrace id: String, by caller: Caller) async throws {
        try await changeTrace(id, by: caller) { store, trace in
            guard try store.removeTag(key, of: trace) else {
                throw SlipwayError.notFound("No trace tag with key '\(key.prefix(200))' for trace with ID '\(id.prefix(80))'")
            }
        }
    }

    /// The traces may come later; of those that are there, the caller must be allowed to change each.
    package func link(traces ids: [String], toRun run: String, by caller: Caller) async throws {
        try caller.requireSomebody()
        guard ids.count <= TraceRules.linksMax else {
            throw SlipwayError.invalid("Cannot link more than \(TraceRules.linksMax) traces to a run in a single request. Provided \(ids.count) traces.")
        }
        guard !ids.isEmpty else { return }
        try TrackingRules.checkRunID(run)
        for id in ids { try TraceRules.checkID(id) }
        try await realm.database.write { [environment] tx in
            let project = try RunStore(tx: tx).run(run)?.project
            try caller.requireWork(in: project, environment: environment)
            let store = TraceStore(tx: tx)
            for trace in try store.traces(ids) { try caller.require(.runWork, project: trace.project, environment: environment) }
            for id in ids { try store.link(id, toRun: run) }
        }
    }

    /// - Parameter prompts: `name/version`
    package func link(trace id: String, toPrompts prompts: [String], by caller: Caller) async throws {
        try caller.requireSomebody()
        guard prompts.count <= TraceRules.linksMax else { throw SlipwayError.invalid("Cannot link more than \(TraceRules.linksMax) prompts to a trace at once.") }
        try TraceRules.checkID(id)
        try await realm.database.write { [environment] tx in
            let store = TraceStore(tx: tx)
            try caller.requireWork(in: try store.trace(id)?.project, environment: environment)
            for prompt in prompts { try store.link(id, toPrompt: prompt) }
        }
    }

    /// Deletes traces of one experiment with their spans, assessments and artifacts: those named, or the oldest up to a time.
    ///
    /// Many are deleted in several transactions, so that others may write between them.
    /// - Parameters:
    ///   - until: milliseconds, inclusive.
    ///   - most: how many at most, when they go by time.
    /// - Returns: how many.
    package func deleteTraces(experiment: String, ids: [String], until: Int64?, most: Int64?, by caller: Caller) async throws -> Int {
        try caller.requireSomebody()
        try TrackingRules.checkExperimentID(experiment)
        guard until != nil || !ids.isEmpty else { throw SlipwayError.invalid("Either `max_timestamp_millis` or `trace_ids` must be specified.") }
        guard until == nil || until == 0 || ids.isEmpty else { throw SlipwayError.invalid("Only one of `max_timestamp_millis` and `trace_ids` can be specified.") }
        guard ids.isEmpty || most == nil else { throw SlipwayError.invalid("`max_traces` can't be specified if `trace_ids` is specified.") }
        if let most, most <= 0 { throw SlipwayError.invalid("`max_traces` must be a positive integer, received \(most).") }
        var deleted = 0
        var rest = ids[...]
        let now = clock.now
        while true {
            let chunk = Array(rest.prefix(TraceRules.deletedAtOnce))
            rest = rest.dropFirst(chunk.count)
            let limit = min(TraceRules.deletedAtOnce, most.map { Int(clamping: $0) - deleted } ?? TraceRules.deletedAtOnce)
            let count = try await realm.database.write { [environment] tx in
                let owner = try ExperimentStore(tx: tx).existing(experiment)
                try caller.require(.runWork, project: owner.project, environment: environment)
                let store = TraceStore(tx: tx)
                let traces =
                    ids.isEmpty
                    ? try store.oldest(ofExperiment: experiment, until: until ?? 0, limit: limit) : try store.traces(chunk).filter { $0.experiment == experiment }
                guard !traces.isEmpty else { return 0 }
                try store.remove(traces)
                let artifacts = ArtifactStore(tx: tx)
                for trace in traces { _ = try artifacts.remove("traces/\(trace.id)", under: owner.artifactLocation) }
                try AuditStore(tx: tx).append(
                    "trace.delete", subject: "experiment:\(experiment)", project: owner.project, by: caller.principal, at: now,
                    details: ["count": .integer(Int64(traces.count))])
                return traces.count
            }
            deleted += count
            let isDone = ids.isEmpty ? count < limit || Int64(deleted) >= most ?? .max : rest.isEmpty
            if isDone { return deleted }
        }
    }

    // MARK: MLflow 2

    /// Begins a trace under a new id.
    package func beginTrace(experiment: String, at: Int64, metadata: [String: String], tags: [String: String], by caller: Caller) async throws -> TraceRecord {
        try caller.requireSomebody()
        try TrackingRules.checkExperimentID(experiment)
        let (metadata, tags) = (try TraceRules.checked(metadata, "metadata"), try TraceRules.checked(tags, "tags"))
        let draft = TraceDraft(id: "tr-\(ids.hex32())", experiment: experiment, requestedAt: at, state: .inProgress)
        return try await realm.database.write { [environment] tx in
            let owner = try ExperimentStore(tx: tx).writable(experiment, by: caller, in: environment)
            let store = TraceStore(tx: tx)
            let trace = try store.create(draft.trace(in: owner))
            for (key, value) in tags { try store.setTag(key, value, of: trace) }
            try store.setTag(TraceKey.artifactLocation, ArtifactRoot.trace(trace.id, experiment: owner.artifactLocation), of: trace)
            for (key, value) in metadata { try store.setMetadata(key, value, of: trace) }
            return try store.records(of: [trace])[0]
        }
    }

    /// - Parameter at: when it ended, in milliseconds.
    package func endTrace(
        _ id: String, at: Int64, state: TraceState, metadata: [String: String], tags: [String: String], by caller: Caller
    ) async throws -> TraceRecord {
        let (metadata, tags) = (try TraceRules.checked(metadata, "metadata"), try TraceRules.checked(tags, "tags"))
        return try await changeTrace(id, by: caller) { store, trace in
            var trace = trace
            trace.duration = at &- trace.requestedAt.milliseconds
            trace.state = state
            try store.update(trace)
            for (key, value) in metadata { try store.setMetadata(key, value, of: trace) }
            for (key, value) in tags { try store.setTag(key, value, of: trace) }
            return try store.records(of: [trace])[0]
        }
    }

    // MARK: Doors

    @discardableResult
    func changeTrace<T: Sendable>(_ id: String, by caller: Caller, _ body: @escaping @Sendable (TraceStore, Trace) throws -> T) async throws -> T {
        try caller.requireSomebody()
        return try await realm.database.write { [environment] tx in
            let store = TraceStore(tx: tx)
            guard let trace = try store.trace(id) else { throw TraceRules.notFound(id) }
            try caller.require(.runWork, project: trace.project, environment: environment)
            return try body(store, trace)
        }
    }

    /// - Parameter missing: what is said when there is no such trace.
    func readTrace<T: Sendable>(_ id: String, by caller: Caller, missing: SlipwayError? = nil, _ body: @escaping @Sendable (TraceStore, Trace) throws -> T) async throws -> T {
        try caller.requireSomebody()
        return try await realm.database.read { [environment] tx in
            let store = TraceStore(tx: tx)
            guard let trace = try store.trace(id) else { throw missing ?? TraceRules.notFound(id) }
            try caller.require(.readMetadata, project: trace.project, environment: environment)
            return try body(store, trace)
        }
    }

    /// Those of the traces that exist and that the caller may read.
    private func readTraces<T: Sendable>(_ ids: [String], by caller: Caller, _ body: @escaping @Sendable (TraceStore, [Trace]) throws -> T) async throws -> T {
        try caller.requireSomebody()
        guard ids.count <= TraceRules.idsMax else { throw SlipwayError.invalid("At most \(TraceRules.idsMax) traces are read at once.", remedy: "Split the request.") }
        return try await realm.database.read { [environment] tx in
            let store = TraceStore(tx: tx)
            return try body(store, try store.traces(ids).filter { caller.may(.readMetadata, project: $0.project, environment: environment) })
        }
    }
}

extension Caller {
    /// Work in that project, or, when what is named is not there yet, in any.
    func requireWork(in project: ProjectName?, environment: EnvironmentID) throws {
        let known = project ?? readableProjects(in: environment).first { may(.runWork, project: $0, environment: environment) }
        try require(.runWork, project: known ?? .implicit, environment: environment)
    }
}

extension TraceDraft {
    func trace(in experiment: Experiment) -> Trace {
        Trace(
            id: id, experiment: experiment.id, project: experiment.project, requestedAt: Timestamp(milliseconds: requestedAt), duration: duration, state: state,
            clientRequestID: clientRequestID, requestPreview: requestPreview.map { TrackingRules.cut($0, to: TraceRules.previewMax) },
            responsePreview: responsePreview.map { TrackingRules.cut($0, to: TraceRules.previewMax) })
    }
}

extension TraceRecord {
    /// Whether as many spans are here as the client said it would send.
    func isComplete(with count: Int) -> Bool {
        guard let text = metadata[TraceKey.sizeStatistics], let statistics = try? CanonicalJSON.decode(JSONValue.self, from: text)  // then nothing was announced
        else { return true }
        return Int64(count) >= statistics["num_spans"]?.int ?? 0
    }
}

extension ExperimentStore {
    /// An active experiment in which the caller may work.
    func writable(_ id: String, by caller: Caller, in environment: EnvironmentID) throws -> Experiment {
        let experiment = try existing(id)
        try caller.require(.runWork, project: experiment.project, environment: environment)
        guard experiment.lifecycle == .active else { throw TrackingService.notActive("experiment", id) }
        return experiment
    }
}
