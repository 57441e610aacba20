import HTTPTypes
import SlipwayCore
import Tracking

/// `mlflow/traces/{trace}/assessments/…`
struct AssessmentRoutes: Sendable {
    let realm: MLflowRealm
    private var tracking: TrackingService { realm.tracking }

    init(realm: MLflowRealm) { self.realm = realm }

    func add(to router: MLflowRouter<some Any>) {
        let path = "mlflow/traces/{trace_id}/assessments"
        router.on(.post, path, create)
        router.on(.get, "\(path)/{assessment_id}", get)
        router.on(.patch, "\(path)/{assessment_id}", update)
        router.on(.delete, "\(path)/{assessment_id}", delete)
    }

    private func reply(_ assessment: Assessment) -> JSON { .object { $0.field("assessment") { $0.assessment(assessment) } } }

    @Sendable private func create(_ fields: Fields, caller: Caller) async throws -> JSON {
        guard let assessment = try fields.message("assessment") else { throw TrackingRules.missing("assessment") }
        return reply(try await tracking.createAssessment(assessment.assessmentDraft(), ofTrace: fields.required("trace_id"), by: caller))
    }

    @Sendable private func get(_ fields: Fields, caller: Caller) async throws -> JSON {
        reply(try await tracking.assessment(fields.required("assessment_id"), ofTrace: fields.required("trace_id"), by: caller))
    }

    @Sendable private func update(_ fields: Fields, caller: Caller) async throws -> JSON {
        guard let assessment = try fields.message("assessment") else { throw TrackingRules.missing("assessment") }
        var change = AssessmentChange()
        for path in try fields.mask("update_mask") {
            switch path {
            case "assessment_name": change.name = try assessment.string("assessment_name")
            case "expectation", "feedback": change.value = try assessment.assessmentValue()
            case "rationale": change.rationale = try assessment.string("rationale")
            case "metadata": change.metadata = try assessment.map("metadata")
            case "valid": change.isValid = try assessment.bool("valid")
            default: break
            }
        }
        return reply(try await tracking.updateAssessment(fields.required("assessment_id"), ofTrace: fields.required("trace_id"), change, by: caller))
    }

    @Sendable private func delete(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await tracking.deleteAssessment(fields.required("assessment_id"), ofTrace: fields.required("trace_id"), by: caller)
        return .empty
    }
}
