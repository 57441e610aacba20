import SlipwayCore
import SlipwaySQL

/// Feedback, expectations and references to issues on traces.
package struct AssessmentStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    package func assessment(_ id: String, of trace: Trace) throws -> Assessment? {
        try tx.first(Self.byID, ["id": .text(id), "trace": .integer(trace.number)]).map { try Self.assessment($0, trace: trace.id) }
    }

    /// By trace number, in the order they were made.
    package func assessments(of traces: [Trace]) throws -> [Int64: [Assessment]] {
        let names = Dictionary(traces.map { ($0.number, $0.id) }) { first, _ in first }
        var found: [Int64: [Assessment]] = [:]
        try Batch.forEach(traces.map(\.number), { .integer($0) }) { list, values in
            try tx.forEach(
                Statement("assessment.ofTraces", "SELECT * FROM assessment WHERE trace_no IN \(list) ORDER BY trace_no, created_at_ms, id"), values
            ) { row in
                let number = row.int64("trace_no")
                found[number, default: []].append(try Self.assessment(row, trace: names[number]!))
            }
        }
        return found
    }

    /// Writes an assessment; one of the same id on the same trace is replaced.
    /// - Throws: `invalidArgument` when another trace has that id.
    package func put(_ assessment: Assessment, of trace: Trace) throws {
        let changed = try tx.run(
            Self.upsert,
            [
                "id": .text(assessment.id), "trace": .integer(trace.number), "name": .text(assessment.name), "kind": .text(assessment.kind.rawValue),
                "value": .text(assessment.value.text(.spaced)), "number": .real(assessment.number), "error": .text(assessment.error?.text()),
                "sourceType": .text(assessment.sourceType), "source": .text(assessment.sourceID), "run": .text(assessment.run), "span": .text(assessment.span),
                "rationale": .text(assessment.rationale), "overrides": .text(assessment.overrides), "valid": .bool(assessment.isValid),
                "metadata": .text(JSONValue.object(assessment.metadata.mapValues { .string($0) }).text()), "session": .bool(assessment.isOfSession),
                "created": .integer(assessment.createdAt.milliseconds), "updated": .integer(assessment.updatedAt.milliseconds),
            ])
        guard changed > 0 else { throw SlipwayError.invalid("The assessment '\(assessment.id.prefix(80))' belongs to another trace.") }
    }

    /// - Returns: false when there is no such assessment.
    package func setValid(_ isValid: Bool, _ id: String, of trace: Trace) throws -> Bool {
        try tx.run(Self.updateValid, ["id": .text(id), "trace": .integer(trace.number), "valid": .bool(isValid)]) > 0
    }

    package func remove(_ id: String, of trace: Trace) throws {
        try tx.run(Self.delete, ["id": .text(id), "trace": .integer(trace.number)])
    }

    package func remove(of trace: Trace) throws { try tx.run(Self.deleteAll, ["trace": .integer(trace.number)]) }

    private static func assessment(_ row: Row, trace: String) throws -> Assessment {
        Assessment(
            id: row.text("id"), trace: trace, name: row.text("name"), kind: Assessment.Kind(rawValue: row.text("kind"))!,
            value: try CanonicalJSON.decode(JSONValue.self, from: row.text("value")),
            error: try row.optionalText("error").map { try CanonicalJSON.decode(JSONValue.self, from: $0) }, sourceType: row.text("source_type"),
            sourceID: row.optionalText("source_id"), run: row.optionalText("run_id"), span: row.optionalText("span_id"), rationale: row.optionalText("rationale"),
            overrides: row.optionalText("overrides"), isValid: row.bool("is_valid"),
            metadata: try CanonicalJSON.decode([String: String].self, from: row.text("metadata")),
            createdAt: Timestamp(milliseconds: row.int64("created_at_ms")), updatedAt: Timestamp(milliseconds: row.int64("updated_at_ms")))
    }

    private static let byID = Statement("assessment.byID", "SELECT * FROM assessment WHERE id = :id AND trace_no = :trace")
    private static let upsert = Statement(
        "assessment.put",
        """
        INSERT INTO assessment (id, trace_no, name, kind, value, number, error, source_type, source_id, run_id, span_id, rationale, overrides, is_valid, metadata,
            is_of_session, created_at_ms, updated_at_ms)
        VALUES (:id, :trace, :name, :kind, :value, :number, :error, :sourceType, :source, :run, :span, :rationale, :overrides, :valid, :metadata,
            :session, :created, :updated)
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, kind = excluded.kind, value = excluded.value, number = excluded.number, error = excluded.error,
            source_type = excluded.source_type, source_id = excluded.source_id, run_id = excluded.run_id, span_id = excluded.span_id,
            rationale = excluded.rationale, overrides = excluded.overrides, is_valid = excluded.is_valid, metadata = excluded.metadata,
            is_of_session = excluded.is_of_session, updated_at_ms = excluded.updated_at_ms
        WHERE assessment.trace_no = excluded.trace_no
        """)
    private static let updateValid = Statement("assessment.setValid", "UPDATE assessment SET is_valid = :valid WHERE id = :id AND trace_no = :trace")
    private static let delete = Statement("assessment.delete", "DELETE FROM assessment WHERE id = :id AND trace_no = :trace")
    private static let deleteAll = Statement("assessment.deleteAll", "DELETE FROM assessment WHERE trace_no = :trace")
}
