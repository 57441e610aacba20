import SlipwayClient
import SlipwayCore
import SlipwayWire

/// A promotion as people read it.
enum PromotionText {
    static func show(_ found: WirePromotion) {
        Output.record([
            ("promotion", found.id), ("slot", "\(found.environment)/\(found.slot) (generation \(found.plan.generation))"), ("release", found.release),
            ("replaces", Words.short(found.plan.current)), ("way back", found.plan.fallback.map { String($0.prefix(12)) } ?? "none (first release)"),
            ("state", "\(found.state) since \(found.stateSince)"), ("until", found.deadline), ("opens", found.opensAt),
            ("policy", "\(found.plan.policy), version \(found.plan.policyVersion)"), ("plan", found.plan.digest),
            ("rollout", found.plan.steps.map { "\($0.weight) % for \($0.bake)\($0.minRequests > 0 ? " and \($0.minRequests) requests" : "")" }.joined(separator: ", ")),
            ("requested by", found.requestedBy), ("applied by", found.appliedBy), ("amber", found.amber.joined(separator: ", ")),
        ])
        for reason in found.reasons { Output.line("  - \(reason.message) \(reason.remedy)") }
        gates(found)
        approvals(found)
        changes(found.change)
    }

    private static func gates(_ found: WirePromotion) {
        var newest: [String: WireEvidence] = [:]
        for evidence in found.evidence ?? [] where evidence.attempt == found.attempt { newest[evidence.gate] = evidence }
        Output.line()
        Output.table(
            ["gate", "mode", "outcome", "what was found"],
            found.plan.gates.sorted { $0.key < $1.key }.map { gate, mode in
                [gate, mode, newest[gate]?.outcome ?? "–", newest[gate].map { $0.outcome == "pass" ? $0.summary : "\($0.summary) \($0.remedy)" } ?? ""]
            }, empty: "The policy lists no gates.")
    }

    private static func approvals(_ found: WirePromotion) {
        Output.line()
        for approval in found.approvals { Output.line("approved by \(approval.user) at \(approval.at) \(approval.comment)") }
        for seat in found.missing ?? [] { Output.line("missing: \(seat.count) \(seat.role)") }
        if !found.change.authors.isEmpty { Output.line("authors (cannot approve): \(found.change.authors.joined(separator: ", "))") }
    }

    private static func changes(_ change: WireChange) {
        Output.line()
        Output.line(change.since.map { "changes since commit \($0.prefix(12)):" } ?? "changes (nothing is live):")
        for commit in change.commits { Output.line("  \(commit.commit.prefix(12)) \(commit.subject) (\(commit.author))") }
        for (name, value) in change.metrics.sorted(by: { $0.key < $1.key }) where value.before != value.after {
            Output.line("  \(name): \(value.before.map { "\($0)" } ?? "–") → \(value.after.map { "\($0)" } ?? "–")")
        }
        for (name, value) in change.snapshots.sorted(by: { $0.key < $1.key }) where value.before != value.after {
            Output.line("  data \(name): \(Words.short(value.before)) → \(Words.short(value.after))")
        }
        if change.configChanged { Output.line("  slipway.yaml changed") }
        if change.lockChanged { Output.line("  the Python lock changed") }
    }
}

/// Asks again and again and says what is new.
struct PromotionFollower {
    var client: APIClient
    var isQuiet: Bool

    private static let restful: Set<String> = [
        "draft", "blocked", "awaitingApproval", "approved", "waiting", "live", "rejected", "expired", "withdrawn", "superseded", "failed", "rolledBack",
        "rollbackFailed", "retired",
    ]
    private static let interval = Duration.milliseconds(500)

    /// Until it rests, ends or needs a person.
    func follow(_ start: WirePromotion) async throws -> WirePromotion {
        var promotion = start
        var told = ""
        var gates: Set<String> = []
        while true {
            promotion = try await client.get("/api/v1/\(promotion.environment)/promotions/\(try pathPart(promotion.id))", as: WirePromotion.self)
            for evidence in promotion.evidence ?? [] where evidence.attempt == promotion.attempt && gates.insert(evidence.id).inserted {
                note("  gate \(evidence.gate): \(evidence.outcome). \(evidence.summary)")
            }
            let line = promotion.step.map { "\(promotion.state), \(promotion.plan.steps[$0].weight) % of the requests" } ?? promotion.state
            if line != told { note("\(promotion.environment)/\(promotion.slot): \(line)") }
            told = line
            if Self.restful.contains(promotion.state) {
                for reason in promotion.reasons where promotion.state != "live" { note("  - \(reason.message) \(reason.remedy)") }
                return promotion
            }
            try await Task.sleep(for: Self.interval)
        }
    }

    private func note(_ text: String) { if !isQuiet { Output.note(text) } }
}
