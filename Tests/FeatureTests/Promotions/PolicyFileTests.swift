import Foundation
import Promotions
import SlipwayCore
import SlipwayStore
import Testing

@Suite("Policy files")
struct PolicyFileTests {
    /// As `docs/promotion.md` shows it.
    static let screen = """
        environment: prod
        from: { environment: stage, verified: true, soak: 24h, evidenceMaxAge: 30d }
        approvals: [ { role: reviewer, count: 1 }, { role: operator, count: 1 } ]
        approvalTTL: 7d
        roleAge: 24h
        window: "Mon-Thu 09:00-16:00 Europe/Berlin"
        gates: { metrics: enforce, baseline: enforce, replay: enforce, parity: { mode: enforce, min: 0.85 }, card: enforce, drill: { mode: enforce, maxAge: 7d } }
        rollout: { kind: canary, steps: [5, 25, 100], bake: 10m, minRequests: 200, rollbackOn: { errorRate: 0.01, latencyP95: 50ms, nanRate: 0 } }
        rollback: { automatic: true, hold: true, quarantine: true }
        breakGlass: { roles: [operator], max: 4h, reviewWithin: 24h }
        """

    @Test("the policy that fits on a screen is read as it is meant")
    func screen() throws {
        let policy = try PolicyFile.parse(Self.screen)
        #expect(policy.name == "prod")
        #expect(policy.from == .init(environment: .stage, verified: true, soak: "24h", evidenceMaxAge: "30d"))
        #expect(policy.approvals == [ApprovalRule(role: .reviewer, count: 1), ApprovalRule(role: .operator, count: 1)])
        #expect(policy.gates[.parity] == GateRule(mode: .enforce, min: 0.85))
        #expect(policy.gates[.drill]?.maxAge == "7d")
        #expect(policy.gates[.scan] == nil)
        #expect(policy.rollout.planned(isFirst: false).map(\.weight) == [5, 25, 100])
        #expect(policy.rollout.rollbackOn.nanRate == 0)
        #expect(policy.window?.text == "Mon-Thu 09:00-16:00 Europe/Berlin")
        #expect(try CanonicalJSON.decode(Policy.self, from: CanonicalJSON.text(policy)) == policy)
    }

    @Test("the policies that come with Slipway are read, and the demo carries its name", arguments: ["dev", "stage", "prod", "demo-stage", "demo-prod"])
    func shipped(name: String) throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let policy = try PolicyFile.shipped(root.appending(path: "Resources/policies/\(name).yaml")).policy
        #expect(policy.name == (name.hasPrefix("demo") ? "demo" : name))
        #expect(policy.environment.rawValue == name.split(separator: "-").last.map(String.init))
        let isStrict = [GateName.metrics, .scan, .traceable, .contract, .baseline].allSatisfy { policy.gates[$0]?.mode == .enforce }
        #expect(isStrict == (policy.environment != .dev))
    }

    @Test(
        "what does not fit is refused with its line and key",
        arguments: [
            ("environment: moon", "environment"), ("environment: prod\nroleAge: soon", "Line 2: 'roleAge'"),
            ("environment: prod\ngates:\n  metrics: silent", "Line 3: 'gates.metrics'"),
            ("environment: prod\ngates: { metrix: enforce }", "there is no key 'gates.metrix'"), ("environment: prod\nrollout: { steps: [5, 3, 100] }", "'rollout.steps' rises"),
            ("environment: prod\nrollout: { steps: [5, 25] }", "ends at 100"), ("environment: prod\napprovals: [ { role: service, count: 1 } ]", "'approvals[0].role'"),
            ("environment: prod\napprovals: [ { role: reviewer } ]", "lacks the key 'count'"), ("name: x", "lacks the key 'environment'"),
            ("environment: prod\nwindow: always", "'window'"),
            ("environment: prod\ngates: { metrics: { mode: enforce, conditions: [\"auc > 0.5\"] } }", "gates.metrics.conditions[0]"), ("environment: [", "no YAML"),
        ])
    func refused(text: String, says: String) {
        #expect { try PolicyFile.parse(text) } throws: { error in
            (error as? SlipwayError)?.code == .invalidArgument && (error as? SlipwayError)?.message.contains(says) == true
        }
    }
}
