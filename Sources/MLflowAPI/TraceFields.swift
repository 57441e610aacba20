import Foundation
import SlipwayCore
import Tracking

extension Fields {
    /// `{trace_info}` of the third API.
    func traceDraft() throws -> TraceDraft {
        guard let info = try message("trace_info") else { throw TrackingRules.missing("trace.trace_info") }
        let location = try info.message("trace_location")?.message("mlflow_experiment")
        guard let experiment = try location?.string("experiment_id"), !experiment.isEmpty else {
            throw TrackingRules.missing("trace.trace_info.trace_location.mlflow_experiment.experiment_id")
        }
        return TraceDraft(
            id: try info.required("trace_id"), experiment: experiment, requestedAt: try info.time("request_time") ?? 0,
            duration: try info.string("execution_duration").map { text in
                guard let duration = ProtoTime.duration(parsing: text) else { throw info.wrong("execution_duration", .string(text)) }
                return duration
            },
            state: try info.state("state"), clientRequestID: try info.string("client_request_id"), requestPreview: try info.string("request_preview"),
            responsePreview: try info.string("response_preview"), metadata: try info.map("trace_metadata"), tags: try info.map("tags"),
            assessments: try info.messages("assessments").map { try $0.assessmentDraft() })
    }

    /// Milliseconds.
    private func time(_ name: String) throws -> Int64? {
        try string(name).map { text in
            guard let time = ProtoTime.timestamp(parsing: text) else { throw wrong(name, .string(text)) }
            return time
        }
    }

    /// By name or number; in MLflow 2's spelling too.
    func state(_ name: String) throws -> TraceState {
        switch json(name) {
        case nil, .null: return .unspecified
        case .integer(let number) where (0...3).contains(number): return TraceState.allCases[Int(number)]
        case .string("TRACE_STATUS_UNSPECIFIED"): return .unspecified
        case .string(let text):
            guard let state = TraceState(rawValue: text) else { throw wrong(name, .string(text)) }
            return state
        case let other?: throw wrong(name, other)
        }
    }

    func assessmentDraft() throws -> AssessmentDraft {
        let (kind, value, error) = try assessmentValue()
        let source = try message("source")
        return AssessmentDraft(
            id: try string("assessment_id").flatMap { $0.isEmpty ? nil : $0 }, name: try string("assessment_name") ?? "", kind: kind, value: value, error: error,
            sourceType: try source?.sourceType() ?? "SOURCE_TYPE_UNSPECIFIED", sourceID: try source?.string("source_id"),
            span: try string("span_id").flatMap { $0.isEmpty ? nil : $0 }, rationale: try string("rationale").flatMap { $0.isEmpty ? nil : $0 },
            overrides: try string("overrides").flatMap { $0.isEmpty ? nil : $0 }, metadata: try map("metadata"), createdAt: try time("create_time"),
            updatedAt: try time("last_update_time"))
    }

    func assessmentValue() throws -> (kind: Assessment.Kind, value: JSONValue, error: JSONValue?) {
        if let feedback = try message("feedback") { return (.feedback, feedback.json("value") ?? .null, try feedback.message("error").map { try $0.errorValue() }) }
        if let expectation = try message("expectation") {
            guard let serialized = try expectation.message("serialized_value") else { return (.expectation, expectation.json("value") ?? .null, nil) }
            let format = try serialized.string("serialization_format") ?? ""
            guard format == "JSON_FORMAT" else { throw SlipwayError.invalid("Unknown serialization format: \(format.prefix(80)). Only JSON_FORMAT is supported.") }
            let text = try serialized.string("value") ?? ""
            guard let value = try? JSONCursor.parse(Array(text.utf8)) else { throw serialized.wrong("value", .string(text)) }  // any damage is the same error
            return (.expectation, value, nil)
        }
        if let issue = try message("issue") { return (.issue, ["issue_name": .string(try issue.string("issue_name") ?? "")], nil) }
        throw SlipwayError.invalid("Unknown assessment type: one of feedback, expectation and issue is needed.")
    }

    private func errorValue() throws -> JSONValue {
        var members: [String: JSONValue] = [:]
        for name in ["error_code", "error_message", "stack_trace"] { if let text = try string(name) { members[name] = .string(text) } }
        return .object(members)
    }

    private static let sourceTypes = ["SOURCE_TYPE_UNSPECIFIED", "HUMAN", "LLM_JUDGE", "CODE"]

    private func sourceType() throws -> String {
        switch json("source_type") {
        case nil, .null: return Self.sourceTypes[0]
        case .integer(let number) where (0...3).contains(number): return Self.sourceTypes[Int(number)]
        case .string("AI_JUDGE"): return "LLM_JUDGE"
        case .string(let text) where Self.sourceTypes.contains(text): return text
        case let other?: throw wrong("source_type", other)
        }
    }

    /// Fields that a mask names, in snake_case: `assessmentName,rationale` as protobuf's JSON has it, or `{paths: […]}`.
    func mask(_ name: String) throws -> [String] {
        switch json(name) {
        case .string(let text): return text.split(separator: ",").map { Self.snakeCase($0.trimmingCharacters(in: .whitespaces)) }
        case .object(let members): return try Fields(members).strings("paths").map(Self.snakeCase)
        case nil, .null: throw TrackingRules.missing(name)
        case let other?: throw wrong(name, other)
        }
    }

    private static func snakeCase(_ name: String) -> String {
        name.reduce(into: "") { snake, letter in snake += letter.isUppercase ? "_\(letter.lowercased())" : String(letter) }
    }

    /// Repeated strings that must be there.
    func requiredStrings(_ name: String) throws -> [String] {
        guard let value = json(name), value != .null else { throw TrackingRules.missing(name) }
        return try strings(name)
    }
}
