import SlipwayCore
import SlipwaySQL

/// Traces with their tags, metadata, totals and links; spans and assessments have stores of their own.
package struct TraceStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    /// Their steps in the same transaction.
    package var spans: SpanStore { SpanStore(tx: tx) }
    package var assessments: AssessmentStore { AssessmentStore(tx: tx) }

    // MARK: One trace

    package func trace(_ id: String) throws -> Trace? {
        try tx.first(Self.byID, ["id": .text(id)]).map(Self.trace)
    }

    /// Those that exist, in the order of the ids.
    package func traces(_ ids: [String]) throws -> [Trace] {
        var found: [String: Trace] = [:]
        try Batch.forEach(ids, { .text($0) }) { list, values in
            try tx.forEach(Statement("trace.byIDs", "\(Self.select) WHERE t.id IN \(list)"), values) { row in found[row.text("id")] = Self.trace(row) }
        }
        return ids.compactMap { found.removeValue(forKey: $0) }
    }

    /// - Returns: the trace with its new number. Its id must be free.
    package func create(_ trace: Trace) throws -> Trace {
        let row = try tx.first(Self.insert, Self.values(trace))!
        var trace = trace
        trace.number = row.int64("no")
        return trace
    }

    /// Writes every field but the id.
    package func update(_ trace: Trace) throws {
        var values = Self.values(trace)
        values["id"] = nil
        values["no"] = .integer(trace.number)
        try tx.run(Self.updateAll, values)
    }

    package func setTag(_ key: String, _ value: String, of trace: Trace) throws {
        try tx.run(Self.upsertTag, ["trace": .integer(trace.number), "key": .text(key), "value": .text(value)])
    }

    /// - Returns: false when there was none.
    package func removeTag(_ key: String, of trace: Trace) throws -> Bool {
        try tx.run(Self.deleteTag, ["trace": .integer(trace.number), "key": .text(key)]) > 0
    }

    package func setMetadata(_ key: String, _ value: String, of trace: Trace) throws {
        try tx.run(Self.upsertMetadata, ["trace": .integer(trace.number), "key": .text(key), "value": .text(value)])
    }

    package func metadata(of trace: Trace) throws -> [String: String] {
        let rows = try tx.all(Self.metadataOf, ["trace": .integer(trace.number)])
        return Dictionary(uniqueKeysWithValues: rows.map { ($0.text("key"), $0.text("value")) })
    }

    /// A total to compute with, such as `input_tokens`.
    package func setMetric(_ key: String, _ value: Double, of trace: Trace) throws {
        try tx.run(Self.upsertMetric, ["trace": .integer(trace.number), "key": .text(key), "value": .real(value)])
    }

    /// The trace may come later: clients link what they are still sending.
    package func link(_ trace: String, toRun run: String) throws { try tx.run(Self.insertRun, ["run": .text(run), "trace": .text(trace)]) }

    /// - Parameter prompt: `name/version`.
    package func link(_ trace: String, toPrompt prompt: String) throws { try tx.run(Self.insertPrompt, ["prompt": .text(prompt), "trace": .text(trace)]) }

    // MARK: Many

    /// Tags, metadata and assessments of many traces at once.
    package func records(of traces: [Trace]) throws -> [TraceRecord] {
        var records = Dictionary(traces.map { ($0.number, TraceRecord(trace: $0)) }) { first, _ in first }
        try Batch.forEach(traces.map(\.number), { .integer($0) }) { list, values in
            try tx.forEach(Statement("trace.tags", "SELECT trace_no, key, value FROM trace_tag WHERE trace_no IN \(list)"), values) { row in
                records[row.int64("trace_no")]!.tags[row.text("key")] = row.text("value")
            }
            try tx.forEach(Statement("trace.metadata", "SELECT trace_no, key, value FROM trace_metadata WHERE trace_no IN \(list)"), values) { row in
                records[row.int64("trace_no")]!.metadata[row.text("key")] = row.text("value")
            }
        }
        for (number, assessments) in try assessments.assessments(of: traces) { records[number]!.assessments = assessments }
        return traces.map { records[$0.number]! }
    }

    /// The oldest first.
    /// - Parameter until: milliseconds, inclusive.
    package func oldest(ofExperiment experiment: String, until: Int64, limit: Int) throws -> [Trace] {
        try tx.all(Self.oldest, ["experiment": .integer(Int64(experiment)), "until": .integer(until), "limit": .integer(limit)]).map(Self.trace)
    }

    /// Removes the traces and all that belongs to them.
    package func remove(_ traces: [Trace]) throws {
        for trace in traces {
            let key: [String: SQLValue] = ["trace": .integer(trace.number)]
            try spans.remove(of: trace)
            try assessments.remove(of: trace)
            for statement in Self.linkDeletions { try tx.run(statement, ["trace": .text(trace.id)]) }
            for statement in Self.deletions { try tx.run(statement, key) }
        }
    }

    // MARK: Statements

    static func trace(_ row: Row) -> Trace {
        Trace(
            id: row.text("id"), experiment: String(row.int64("experiment_id")), project: ProjectName(unchecked: row.text("project")),
            requestedAt: Timestamp(milliseconds: row.int64("requested_at_ms")), duration: row.optionalInt("duration_ms"), state: TraceState(rawValue: row.text("state"))!,
            clientRequestID: row.optionalText("client_request_id"), requestPreview: row.optionalText("request_preview"),
            responsePreview: row.optionalText("response_preview"), openTelemetryID: row.optionalText("otel_id"), number: row.int64("no"))
    }

    private static func values(_ trace: Trace) -> [String: SQLValue] {
        [
            "id": .text(trace.id), "experiment": .integer(Int64(trace.experiment)), "at": .integer(trace.requestedAt.milliseconds), "duration": .integer(trace.duration),
            "state": .text(trace.state.rawValue), "client": .text(trace.clientRequestID), "request": .text(trace.requestPreview),
            "response": .text(trace.responsePreview), "otel": .text(trace.openTelemetryID),
        ]
    }

    static let select = "SELECT t.*, x.project FROM trace t JOIN experiment x ON x.id = t.experiment_id"
    private static let byID = Statement("trace.byID", "\(select) WHERE t.id = :id")
    private static let insert = Statement(
        "trace.insert",
        """
        INSERT INTO trace (id, experiment_id, requested_at_ms, duration_ms, state, client_request_id, request_preview, response_preview, otel_id)
        VALUES (:id, :experiment, :at, :duration, :state, :client, :request, :response, :otel) RETURNING no
        """)
    private static let updateAll = Statement(
        "trace.update",
        """
        UPDATE trace SET experiment_id = :experiment, requested_at_ms = :at, duration_ms = :duration, state = :state, client_request_id = :client,
            request_preview = :request, response_preview = :response, otel_id = :otel
        WHERE no = :no
        """)
    private static let upsertTag = Statement(
        "trace.setTag",
        """
        INSERT INTO trace_tag (trace_no, key, value) VALUES (:trace, :key, :value) ON CONFLICT (trace_no, key) DO UPDATE SET value = excluded.value
        """)
    private static let deleteTag = Statement("trace.deleteTag", "DELETE FROM trace_tag WHERE trace_no = :trace AND key = :key")
    private static let upsertMetadata = Statement(
        "trace.setMetadata",
        """
        INSERT INTO trace_metadata (trace_no, key, value) VALUES (:trace, :key, :value) ON CONFLICT (trace_no, key) DO UPDATE SET value = excluded.value
        """)
    private static let metadataOf = Statement("trace.metadataOf", "SELECT key, value FROM trace_metadata WHERE trace_no = :trace")
    private static let upsertMetric = Statement(
        "trace.setMetric",
        """
        INSERT INTO trace_metric (trace_no, key, value) VALUES (:trace, :key, :value) ON CONFLICT (trace_no, key) DO UPDATE SET value = excluded.value
        """)
    private static let insertRun = Statement("trace.linkRun", "INSERT INTO trace_run (run_id, trace_id) VALUES (:run, :trace) ON CONFLICT (run_id, trace_id) DO NOTHING")
    private static let insertPrompt = Statement(
        "trace.linkPrompt", "INSERT INTO trace_prompt (prompt, trace_id) VALUES (:prompt, :trace) ON CONFLICT (prompt, trace_id) DO NOTHING")
    private static let oldest = Statement(
        "trace.oldest", "\(select) WHERE t.experiment_id = :experiment AND t.requested_at_ms <= :until ORDER BY t.requested_at_ms, t.id LIMIT :limit")
    private static let linkDeletions = [
        Statement("trace.deleteRuns", "DELETE FROM trace_run WHERE trace_id = :trace"),
        Statement("trace.deletePrompts", "DELETE FROM trace_prompt WHERE trace_id = :trace"),
    ]
    private static let deletions = [
        Statement("trace.deleteTags", "DELETE FROM trace_tag WHERE trace_no = :trace"),
        Statement("trace.deleteMetadata", "DELETE FROM trace_metadata WHERE trace_no = :trace"),
        Statement("trace.deleteMetrics", "DELETE FROM trace_metric WHERE trace_no = :trace"),
        Statement("trace.delete", "DELETE FROM trace WHERE no = :trace"),
    ]
}
