import SlipwayCore
import SlipwaySQL

/// The steps of traces.
package struct SpanStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    /// Writes a span; one of the same id is replaced.
    /// - Parameters:
    ///   - type: `LLM`, `TOOL`, …
    ///   - metrics: what it cost, by name.
    package func put(_ span: StoredSpan, type: String, metrics: [String: Double], of trace: Trace) throws {
        try tx.run(
            Self.upsert,
            [
                "trace": .integer(trace.number), "id": .text(span.id), "parent": .text(span.parent), "name": .text(span.name), "type": .text(type),
                "status": .text(span.status.rawValue), "message": .text(span.statusMessage), "started": .integer(span.startedAt), "ended": .integer(span.endedAt),
                "attributes": .text(span.attributes), "events": .text(span.events),
            ])
        for (key, value) in metrics {
            try tx.run(Self.upsertMetric, ["trace": .integer(trace.number), "span": .text(span.id), "key": .text(key), "value": .real(value)])
        }
    }

    /// By trace number: roots first, then in the order of their starts.
    package func spans(of traces: [Trace]) throws -> [Int64: [StoredSpan]] {
        var spans: [Int64: [StoredSpan]] = [:]
        try Batch.forEach(traces.map(\.number), { .integer($0) }) { list, values in
            try tx.forEach(
                Statement(
                    "span.ofTraces",
                    """
                    SELECT * FROM span WHERE trace_no IN \(list)
                    ORDER BY trace_no, CASE WHEN parent_id IS NULL THEN 0 ELSE 1 END, started_at_ns, id
                    """), values
            ) { row in spans[row.int64("trace_no"), default: []].append(Self.span(row)) }
        }
        return spans
    }

    package func remove(of trace: Trace) throws {
        try tx.run(Self.deleteMetrics, ["trace": .integer(trace.number)])
        try tx.run(Self.delete, ["trace": .integer(trace.number)])
    }

    private static func span(_ row: Row) -> StoredSpan {
        StoredSpan(
            id: row.text("id"), parent: row.optionalText("parent_id"), name: row.text("name"), status: SpanStatus(rawValue: row.text("status"))!,
            statusMessage: row.optionalText("status_message"), startedAt: row.int64("started_at_ns"), endedAt: row.optionalInt("ended_at_ns"),
            attributes: row.text("attributes"), events: row.text("events"))
    }

    private static let upsert = Statement(
        "span.put",
        """
        INSERT INTO span (trace_no, id, parent_id, name, type, status, status_message, started_at_ns, ended_at_ns, attributes, events)
        VALUES (:trace, :id, :parent, :name, :type, :status, :message, :started, :ended, :attributes, :events)
        ON CONFLICT (trace_no, id) DO UPDATE SET parent_id = excluded.parent_id, name = excluded.name, type = excluded.type, status = excluded.status,
            status_message = excluded.status_message, started_at_ns = excluded.started_at_ns, ended_at_ns = excluded.ended_at_ns,
            attributes = excluded.attributes, events = excluded.events
        """)
    private static let upsertMetric = Statement(
        "span.putMetric",
        """
        INSERT INTO span_metric (trace_no, span_id, key, value) VALUES (:trace, :span, :key, :value)
        ON CONFLICT (trace_no, span_id, key) DO UPDATE SET value = excluded.value
        """)
    private static let deleteMetrics = Statement("span.deleteMetrics", "DELETE FROM span_metric WHERE trace_no = :trace")
    private static let delete = Statement("span.delete", "DELETE FROM span WHERE trace_no = :trace")
}
