import SlipwayCore
import SlipwayStore

/// An assessment as a client sends it.
package struct AssessmentDraft: Sendable {
    package var id: String?
    package var name: String
    package var kind: Assessment.Kind
    package var value: JSONValue
    package var error: JSONValue?
    package var sourceType: String
    package var sourceID: String?
    package var span: String?
    package var rationale: String?
    package var overrides: String?
    package var metadata: [String: String]
    /// Milliseconds; nil is now.
    package var createdAt: Int64?
    package var updatedAt: Int64?

    package init(
        id: String?, name: String, kind: Assessment.Kind, value: JSONValue, error: JSONValue?, sourceType: String, sourceID: String?, span: String?, rationale: String?,
        overrides: String?, metadata: [String: String], createdAt: Int64?, updatedAt: Int64?
    ) {
        self.id = id
        self.name = name
        self.kind = kind
        self.value = value
        self.error = error
        self.sourceType = sourceType
        self.sourceID = sourceID
        self.span = span
        self.rationale = rationale
        self.overrides = overrides
        self.metadata = metadata
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    private static let nameMax = 250
    private static let textMax = 1 << 20

    func made(of trace: String, now: Timestamp, ids: any IDGenerator) throws -> Assessment {
        guard !name.isEmpty else { throw TrackingRules.missing("assessment.assessment_name") }
        guard name.count <= Self.nameMax else { throw TrackingRules.tooLong("assessment.assessment_name", Self.nameMax) }
        guard (rationale?.utf8.count ?? 0) <= Self.textMax else { throw TrackingRules.tooLong("assessment.rationale", Self.textMax) }
        return Assessment(
            id: id ?? "a-\(ids.hex32())", trace: trace, name: name, kind: kind, value: value, error: error, sourceType: sourceType, sourceID: sourceID,
            run: metadata["mlflow.assessment.sourceRunId"], span: span, rationale: rationale, overrides: overrides,
            metadata: try TraceRules.checked(metadata, "assessment metadata"),
            createdAt: createdAt.map(Timestamp.init(milliseconds:)) ?? now, updatedAt: updatedAt.map(Timestamp.init(milliseconds:)) ?? now)
    }
}

/// What of an assessment is to change; nil stays as it is.
package struct AssessmentChange: Sendable {
    package var name: String?
    package var value: (kind: Assessment.Kind, value: JSONValue, error: JSONValue?)?
    package var rationale: String?
    /// Added to what is there.
    package var metadata: [String: String]?
    package var isValid: Bool?

    package init(
        name: String? = nil, value: (kind: Assessment.Kind, value: JSONValue, error: JSONValue?)? = nil, rationale: String? = nil, metadata: [String: String]? = nil,
        isValid: Bool? = nil
    ) {
        self.name = name
        self.value = value
        self.rationale = rationale
        self.metadata = metadata
        self.isValid = isValid
    }
}

extension TrackingService {
    /// The assessment that it overrides, if any, is not valid any more.
    package func createAssessment(_ draft: AssessmentDraft, ofTrace id: String, by caller: Caller) async throws -> Assessment {
        try caller.requireSomebody()
        let assessment = try draft.made(of: id, now: clock.now, ids: ids)
        return try await changeTrace(id, by: caller) { store, trace in
            if let overridden = assessment.overrides, try !store.assessments.setValid(false, overridden, of: trace) { throw Self.noAssessment(overridden, id) }
            try store.assessments.put(assessment, of: trace)
            return assessment
        }
    }

    package func assessment(_ id: String, ofTrace trace: String, by caller: Caller) async throws -> Assessment {
        try await readTrace(trace, by: caller) { store, found in
            guard let assessment = try store.assessments.assessment(id, of: found) else { throw Self.noAssessment(id, trace) }
            return assessment
        }
    }

    /// Source and span stay what they were.
    package func updateAssessment(_ id: String, ofTrace trace: String, _ change: AssessmentChange, by caller: Caller) async throws -> Assessment {
        let now = clock.now
        return try await changeTrace(trace, by: caller) { store, found in
            guard var assessment = try store.assessments.assessment(id, of: found) else { throw Self.noAssessment(id, trace) }
            if let new = change.value {
                guard new.kind == assessment.kind else {
                    throw SlipwayError.invalid("Cannot update \(new.kind.rawValue) value on \(assessment.kind == .feedback ? "a Feedback" : "an Expectation") assessment.")
                }
                assessment.value = new.value
                assessment.error = new.error
            }
            assessment.name = change.name ?? assessment.name
            assessment.rationale = change.rationale ?? assessment.rationale
            assessment.isValid = change.isValid ?? assessment.isValid
            assessment.metadata.merge(try TraceRules.checked(change.metadata ?? [:], "assessment metadata")) { $1 }
            assessment.updatedAt = now
            try store.assessments.put(assessment, of: found)
            return assessment
        }
    }

    /// None of that name is fine. What it had overridden is valid again.
    package func deleteAssessment(_ id: String, ofTrace trace: String, by caller: Caller) async throws {
        try await changeTrace(trace, by: caller) { store, found in
            guard let assessment = try store.assessments.assessment(id, of: found) else { return }
            if let overridden = assessment.overrides { _ = try store.assessments.setValid(true, overridden, of: found) }
            try store.assessments.remove(id, of: found)
        }
    }

    private static func noAssessment(_ id: String, _ trace: String) -> SlipwayError {
        .notFound("Assessment with ID '\(id.prefix(80))' not found for trace '\(trace.prefix(80))'")
    }
}
