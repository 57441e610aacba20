import Foundation
import Promotions
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Synchronization

/// Random events on a world, with crashes between steps and concurrent callers. The same runs serve all invariants; each
/// collects its violations and counts how often it was really put to the test.
struct PromotionSimulation: Sendable {
    struct Finding: Sendable { var seed: UInt64; var step: Int; var text: String }
    struct Report: Sendable {
        var violations: [Int: [Finding]] = [:]
        /// How often something happened that the invariant speaks of.
        var exercised: [Int: Int] = [:]
        var outcomes: [String: Int] = [:]
    }

    /// `SLIPWAY_PROMOTION_SEED` replays one seed.
    static let seeds: [UInt64] = ProcessInfo.processInfo.environment["SLIPWAY_PROMOTION_SEED"].flatMap(UInt64.init).map { [$0] } ?? [1, 2, 3, 4]
    static let steps = 120

    static let report = Task { () -> Report in
        var whole = Report()
        for seed in seeds {
            let one = try await PromotionSimulation(seed: seed).run()
            whole.violations.merge(one.violations) { $0 + $1 }
            whole.exercised.merge(one.exercised, uniquingKeysWith: +)
            whole.outcomes.merge(one.outcomes, uniquingKeysWith: +)
        }
        return whole
    }

    let seed: UInt64

    func run() async throws -> Report {
        let world = try await PromotionWorld(releaseCount: 6) { $0.from?.soak = "30s" }
        var random = SeededGenerator(seed: seed)
        var watch = PromotionWatch(world: world, seed: seed)
        for step in 0..<Self.steps {
            let count = Int.random(in: 1...3, using: &random)
            let acts = (0..<count).map { _ in SimulatedAct.random(using: &random, world) }
            let outcomes = await withTaskGroup { group in
                for act in acts { group.addTask { await act.perform(world) } }
                return await group.reduce(into: [SimulatedAct.Outcome]()) { $0.append($1) }
            }
            watch.note(outcomes, step: step)
            for environment in EnvironmentID.allCases where Int.random(in: 0..<4, using: &random) > 0 { await drive(world, environment, &random) }
            world.clock.advance(by: .seconds(Int.random(in: 1...20, using: &random)))
            if Int.random(in: 0..<40, using: &random) == 0 { world.clock.advance(by: .seconds(Int.random(in: 3600...4 * 86_400, using: &random))) }
            if step % 4 == 3 { try await watch.look(step: step) }
        }
        try await watch.wind(step: Self.steps, &random)
        return watch.report
    }

    /// One look of a driver that may break in the middle, be cancelled, or have forgotten everything.
    private func drive(_ world: PromotionWorld, _ environment: EnvironmentID, _ random: inout SeededGenerator) async {
        let breaks = Int.random(in: 0..<6, using: &random)
        world.endpoints[environment]!.state.withLock { state in
            state.breaks = breaks == 0
            state.traffic = breaks == 1 ? 0 : 100
            if breaks == 2, let wish = state.wishes.values.first, let release = wish.deployments.map(\.release).sorted(by: { $0.rawValue < $1.rawValue }).first {
                state.errors[release, default: 0] += 50
            }
        }
        world.evaluations[environment]!.state.withLock { $0.breaks = breaks == 3 }
        if Int.random(in: 0..<5, using: &random) == 0 { world.restart(environment) }
        if Int.random(in: 0..<6, using: &random) == 0 {
            let step = Task { await world.step(environment) }
            step.cancel()
            await step.value
            world.restart(environment)
        } else {
            await world.step(environment)
        }
    }
}

/// One thing that somebody tries.
enum SimulatedAct: Sendable {
    case request(EnvironmentID, Int, String, String?)
    case verb(EnvironmentID, String, String, String?)
    case slot(EnvironmentID, String, String, String?)
    case release(EnvironmentID, String, Int, String)
    case freeze(EnvironmentID, String)
    case policy(EnvironmentID, Int)
    case scan(EnvironmentID, GateOutcome)
    case fail(EnvironmentID, Int, Bool)

    struct Outcome: Sendable {
        var act: SimulatedAct
        var caller: String
        var promotion: Promotion?
        var error: (any Error)?
    }

    private static let callers = ["ada", "eve", "rex", "ida", "oli", "oli", "max", "root", "ci", "ci"]

    static func random(using random: inout SeededGenerator, _ world: PromotionWorld) -> SimulatedAct {
        let environment: EnvironmentID = [.stage, .stage, .prod, .prod, .dev].randomElement(using: &random)!
        let caller = callers.randomElement(using: &random)!
        let release = Int.random(in: 0..<world.releases.count, using: &random)
        // So few that they come again, for the same thing or for another.
        let key: String? =
            switch Int.random(in: 0..<4, using: &random) {
            case 0: "key-\(caller)-\(release)"
            case 1: "key-\(Int.random(in: 0..<3, using: &random))"
            default: nil
            }
        switch Int.random(in: 0..<40, using: &random) {
        case 0..<10: return .request(environment, release, caller, key)
        case 10..<20: return .verb(environment, "approve", caller, key)
        case 20..<27: return .verb(environment, "apply", caller, key)
        case 27: return .verb(environment, ["reject", "withdraw"].randomElement(using: &random)!, caller, key)
        case 28: return .verb(environment, "abort", caller, key)
        case 29..<31: return .verb(environment, "check", caller, key)
        case 31: return .slot(environment, "rollback", caller, key)
        case 32: return .slot(environment, ["hold", "hold", "hold", "retire"].randomElement(using: &random)!, caller, key)
        case 33: return .slot(environment, "lift", caller, key)
        case 34..<36: return .release(environment, ["quarantine", "lift", "lift", "lift"].randomElement(using: &random)!, release, caller)
        case 36: return .freeze(environment, caller)
        case 37: return .policy(environment, Int.random(in: 0..<1000, using: &random))
        case 38: return .scan(environment, [.pass, .pass, .fail, .errored, .notAvailable].randomElement(using: &random)!)
        default: return .fail(environment, release, Bool.random(using: &random))
        }
    }

    private var caller: String {
        switch self {
        case .request(_, _, let caller, _), .verb(_, _, let caller, _), .slot(_, _, let caller, _), .release(_, _, _, let caller), .freeze(_, let caller): caller
        case .policy: "max"
        case .scan, .fail: "nobody"
        }
    }

    func perform(_ world: PromotionWorld) async -> Outcome {
        var outcome = Outcome(act: self, caller: caller)
        do { outcome.promotion = try await act(world, world.caller(caller)) } catch { outcome.error = error }
        return outcome
    }

    private func act(_ world: PromotionWorld, _ caller: Caller) async throws -> Promotion? {
        switch self {
        case .request(let environment, let release, _, let key):
            return try await world.services[environment]!.request(PromotionRequest(release: world.releases[release].id.rawValue, requestID: key), by: caller)
        case .verb(let environment, let verb, _, let key): return try await act(verb, key, world.services[environment]!, caller)
        case .slot(let environment, let verb, _, let key):
            let service = world.services[environment]!
            switch verb {
            case "rollback": return try await service.rollBack(PromotionWorld.slot, reason: "simulated", requestID: key, by: caller)
            case "retire": return try await service.retire(PromotionWorld.slot, reason: "simulated", requestID: key, by: caller)
            case "hold": try await service.hold(PromotionWorld.slot, reason: "simulated", by: caller)
            default: try await service.lift(PromotionWorld.slot, reason: "simulated", by: caller)
            }
        case .release(let environment, let verb, let number, _):
            let id = world.releases[number].id.rawValue
            if verb == "lift" {
                try await world.services[environment]!.liftQuarantine(id, reason: "simulated", by: caller)
            } else {
                try await world.services[environment]!.quarantine(id, reason: "simulated", by: caller)
            }
        case .freeze(let environment, _):
            _ = try await world.services[environment]!.freeze(project: PromotionWorld.project, slot: nil, reason: "simulated", lifetime: .seconds(60), by: caller)
        case .policy(let environment, let number):
            let text = "name: p\(number)\nenvironment: \(environment.rawValue)\n" + Self.policyText(environment)
            _ = try await world.services[environment]!.installPolicy(text, of: PromotionWorld.project, by: caller)
        case .scan(let environment, let said): world.scans[environment]!.outcome.withLock { $0 = said }
        case .fail(let environment, let release, let fails):
            world.endpoints[environment]!.state.withLock { state in
                if fails { state.failing.insert(world.releases[release].id) } else { state.failing.removeAll() }
            }
        }
        return nil
    }

    private static func policyText(_ environment: EnvironmentID) -> String {
        let rollout = "rollout: { kind: canary, steps: [10, 100], bake: 10s, minRequests: 50, rollbackOn: { errorRate: 0.01 } }\n"
        switch environment {
        case .dev: return rollout + "automatic: true\ngates: { scan: enforce }\n"
        case .stage:
            return rollout
                + "approvals: [ { role: reviewer, count: 1 } ]\ngates: { metrics: { mode: enforce, conditions: [\"metrics.auc >= 0.6\"] }, scan: enforce, fallback: enforce }\n"
        case .prod:
            return rollout + "from: { environment: stage, soak: 30s }\napprovals: [ { role: reviewer, count: 1 }, { role: operator, count: 1 } ]\n"
                + "gates: { upstream: enforce, metrics: { mode: enforce, conditions: [\"metrics.auc >= 0.6\"] }, scan: enforce, fallback: enforce }\n"
        }
    }

    /// On the newest promotion that the verb could fit.
    private func act(_ verb: String, _ key: String?, _ service: PromotionService, _ caller: Caller) async throws -> Promotion? {
        let fitting: Set<PromotionState> =
            switch verb {
            case "approve", "reject": [.awaitingApproval]
            case "apply": [.approved, .waiting]
            case "abort": [.applying, .verifying]
            case "check": [.blocked]
            default: [.draft, .checking, .blocked, .awaitingApproval, .approved, .waiting]
            }
        let open = try await service.promotions(project: nil, slot: nil, limit: 20, by: .system("test"))
        guard let target = open.first(where: { fitting.contains($0.state) }) else { return nil }
        switch verb {
        case "approve": return try await service.approve(target.id, plan: target.planDigest, comment: "", requestID: key, by: caller)
        case "reject": return try await service.reject(target.id, reason: "simulated", requestID: key, by: caller)
        case "apply": return try await service.apply(target.id, requestID: key, by: caller)
        case "abort": return try await service.abort(target.id, reason: "simulated", requestID: key, by: caller)
        case "check": return try await service.recheck(target.id, requestID: key, by: caller)
        default: return try await service.withdraw(target.id, requestID: key, by: caller)
        }
    }
}
