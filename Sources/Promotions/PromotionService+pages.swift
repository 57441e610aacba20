import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// What pages show beside the objects themselves.
extension PromotionService {
    /// The name of the policy in force, which the board shows.
    package func policyName(of project: ProjectName, by caller: Caller) async throws -> String { try await policy(of: project, by: caller).policy.name }

    /// What happened to a promotion, oldest first: whoever may see it may see its course, without the right to the whole audit log.
    package func timeline(of id: String, by caller: Caller) async throws -> [AuditEvent] {
        let promotion = try await promotion(id, by: caller)
        return try await realm.database.read { tx in try AuditStore(tx: tx).history(subject: "promotion:\(promotion.id)") }
    }
}
