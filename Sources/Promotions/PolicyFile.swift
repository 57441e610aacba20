import Foundation
import SlipwayCore
import SlipwayStore
import Yams

/// A policy as people write it.
package enum PolicyFile {
    /// - Throws: `invalidArgument` that names the line, the key and what it may be.
    package static func parse(_ text: String) throws -> Policy {
        guard text.utf8.count <= 64 << 10 else { throw SlipwayError.invalid("A policy has 64 KiB at most.") }
        var map = try YAMLMap(document: text)
        let environment = try map.required("environment") { try EnvironmentID(parsing: $0.text()) }
        var policy = Policy(name: environment.rawValue, environment: environment)
        try map.optional("name") { policy.name = try name($0) }
        try map.optional("from") { policy.from = try upstream($0) }
        try map.optional("approvals") { policy.approvals = try $0.list().map(approval) }
        try map.optional("approvalTTL") { policy.approvalTTL = try $0.duration() }
        try map.optional("roleAge") { policy.roleAge = try $0.duration() }
        try map.optional("window") { value in policy.window = try value.located { try PromotionWindow(parsing: value.text()) } }
        try map.optional("gates") { policy.gates = try gates($0) }
        try map.optional("rollout") { policy.rollout = try rollout($0) }
        try map.optional("rollback") { policy.rollback = try rollback($0) }
        try map.optional("breakGlass") { policy.breakGlass = try breakGlass($0) }
        try map.optional("supersede") { policy.supersede = try $0.flag() }
        try map.optional("automatic") { policy.automatic = try $0.flag() }
        try map.optional("timeOuts") { policy.timeOuts = try timeOuts($0) }
        try map.finish()
        return policy
    }

    /// Reads a policy that comes with Slipway.
    package static func shipped(_ file: URL) throws -> InstalledPolicy {
        let text = try String(contentsOf: file, encoding: .utf8)
        return InstalledPolicy(project: .implicit, version: 0, policy: try parse(text), text: text, installedAt: Timestamp(milliseconds: 0), installedBy: "slipway")
    }

    private static func name(_ value: YAMLValue) throws -> String {
        let text = try value.text()
        guard (1...63).contains(text.utf8.count) else { throw value.fault("has 1 to 63 characters") }
        return text
    }

    private static func upstream(_ value: YAMLValue) throws -> Policy.Upstream {
        var map = try value.map()
        var from = Policy.Upstream(environment: try map.required("environment") { try EnvironmentID(parsing: $0.text()) })
        try map.optional("verified") { from.verified = try $0.flag() }
        try map.optional("soak") { from.soak = try $0.duration() }
        try map.optional("evidenceMaxAge") { from.evidenceMaxAge = try $0.duration() }
        try map.finish()
        return from
    }

    private static func approval(_ value: YAMLValue) throws -> ApprovalRule {
        var map = try value.map()
        let rule = ApprovalRule(role: try map.required("role") { try role($0) }, count: try map.required("count") { try $0.count(in: 1...20) })
        try map.finish()
        return rule
    }

    private static func role(_ value: YAMLValue) throws -> Role {
        guard let role = Role(rawValue: try value.text()), role != .service else {
            throw value.fault("is one of \(Role.allCases.filter { $0 != .service }.map(\.rawValue).joined(separator: ", "))")
        }
        return role
    }

    private static func gates(_ value: YAMLValue) throws -> [GateName: GateRule] {
        var map = try value.map()
        var gates: [GateName: GateRule] = [:]
        for name in GateName.allCases { try map.optional(name.rawValue) { gates[name] = try gate($0) } }
        try map.finish()
        return gates
    }

    /// `metrics: enforce`, or `metrics: { mode: enforce, conditions: […] }`.
    private static func gate(_ value: YAMLValue) throws -> GateRule {
        if value.isText { return GateRule(mode: try mode(value)) }
        var map = try value.map()
        var rule = GateRule(mode: try map.required("mode") { try mode($0) })
        try map.optional("conditions") { list in
            rule.conditions = try list.list().map { item in try item.located { try Condition(parsing: item.text()).text } }
        }
        try map.optional("min") { rule.min = try $0.number(in: 0...1) }
        try map.optional("maxAge") { rule.maxAge = try $0.duration() }
        try map.finish()
        return rule
    }

    private static func mode(_ value: YAMLValue) throws -> GateMode {
        guard let mode = GateMode(rawValue: try value.text()) else { throw value.fault("is 'enforce' or 'warn'; there is no silent mode") }
        return mode
    }

    private static func rollout(_ value: YAMLValue) throws -> Rollout {
        var map = try value.map()
        var rollout = Rollout()
        try map.optional("kind") { kind in
            guard let read = Rollout.Kind(rawValue: try kind.text()) else { throw kind.fault("is 'canary' or 'direct'") }
            rollout.kind = read
        }
        try map.optional("steps") { list in
            rollout.steps = try list.list().map { try $0.count(in: 1...100) }
            guard rollout.steps == rollout.steps.sorted(), Set(rollout.steps).count == rollout.steps.count, rollout.steps.last == 100 else {
                throw list.fault("rises and ends at 100, such as [5, 25, 100]")
            }
        }
        try map.optional("bake") { rollout.bake = try $0.duration() }
        try map.optional("minRequests") { rollout.minRequests = try $0.count(in: 0...1_000_000) }
        try map.optional("rollbackOn") { rollout.rollbackOn = try limits($0) }
        try map.finish()
        return rollout
    }

    private static func limits(_ value: YAMLValue) throws -> Rollout.Limits {
        var map = try value.map()
        var limits = Rollout.Limits()
        try map.optional("errorRate") { limits.errorRate = try $0.number(in: 0...1) }
        try map.optional("latencyP95") { limits.latencyP95 = try $0.duration() }
        try map.optional("nanRate") { limits.nanRate = try $0.number(in: 0...1) }
        try map.finish()
        return limits
    }

    private static func rollback(_ value: YAMLValue) throws -> Policy.Rollback {
        var map = try value.map()
        var rollback = Policy.Rollback()
        try map.optional("automatic") { rollback.automatic = try $0.flag() }
        guard rollback.automatic else { throw value.fault("is automatic: a release that fails its verification never stays") }
        try map.optional("hold") { rollback.hold = try $0.flag() }
        try map.optional("quarantine") { rollback.quarantine = try $0.flag() }
        try map.optional("warm") { rollback.warm = try $0.flag() }
        try map.finish()
        return rollback
    }

    private static func breakGlass(_ value: YAMLValue) throws -> Policy.BreakGlass {
        var map = try value.map()
        let glass = Policy.BreakGlass(
            roles: try map.required("roles") { try $0.list().map(role) }, max: try map.required("max") { try $0.duration() },
            reviewWithin: try map.required("reviewWithin") { try $0.duration() })
        try map.finish()
        return glass
    }

    private static func timeOuts(_ value: YAMLValue) throws -> PromotionTimeOuts {
        var map = try value.map()
        var limits = PromotionTimeOuts()
        try map.optional("draft") { limits.draft = try $0.duration() }
        try map.optional("checking") { limits.checking = try $0.duration() }
        try map.optional("blocked") { limits.blocked = try $0.duration() }
        try map.optional("applying") { limits.applying = try $0.duration() }
        try map.optional("verifying") { limits.verifying = try $0.duration() }
        try map.optional("rollingBack") { limits.rollingBack = try $0.duration() }
        try map.finish()
        return limits
    }
}
