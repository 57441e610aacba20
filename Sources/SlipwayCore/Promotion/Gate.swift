/// A rule that produces evidence. A gate is listed in a policy whether or not its part of the system is built:
/// what is not built reports `notAvailable`, which never passes.
package enum GateName: String, Sendable, Hashable, Codable, CaseIterable, CodingKeyRepresentable {
    /// Verified and soaked in the environment below, not quarantined there.
    case upstream
    case metrics, baseline, slices, contract, traceable, scan, card, fallback, monitors
    case parity, replay, drill
}

package enum GateMode: String, Sendable, Hashable, Codable, CaseIterable {
    /// Must pass.
    case enforce
    /// May fail: the release is marked amber for ever.
    case warn
}

package enum GateOutcome: String, Sendable, Hashable, Codable, CaseIterable {
    case pass, fail
    /// Could not run; tried again, never a pass, never a reason to roll back.
    case errored
    /// Its part of the system is not built or not configured; never a pass.
    case notAvailable
}

/// What a policy says of one gate.
package struct GateRule: Sendable, Hashable, Codable {
    package var mode: GateMode
    /// Floors of the environment, such as `metrics.auc >= 0.6`; a project's file may only tighten them.
    package var conditions: [String]
    /// Least score, for gates that have one.
    package var min: Double?
    package var maxAge: DurationText?

    package init(mode: GateMode, conditions: [String] = [], min: Double? = nil, maxAge: DurationText? = nil) {
        self.mode = mode
        self.conditions = conditions
        self.min = min
        self.maxAge = maxAge
    }
}

/// A gate's result about a release under a plan. Kept for ever; a re-check adds, never overwrites.
package struct Evidence: Sendable, Hashable, Codable {
    package var id: String
    package var promotion: String
    package var release: ContentDigest
    package var plan: ContentDigest
    /// Which check of the promotion it belongs to, 1…
    package var attempt: Int
    package var gate: GateName
    package var mode: GateMode
    package var outcome: GateOutcome
    /// One sentence for people.
    package var summary: String
    /// What to do when it did not pass.
    package var remedy: String
    /// What was looked at and measured.
    package var details: JSONValue
    /// dataset → snapshot id in this realm
    package var snapshots: [String: String]
    /// Who measured: `slipway` or an execution.
    package var producer: String
    /// The realm that the facts come from.
    package var origin: EnvironmentID
    package var madeAt: Timestamp
    package var expiresAt: Timestamp?

    package init(
        id: String, promotion: String, release: ContentDigest, plan: ContentDigest, attempt: Int, gate: GateName, mode: GateMode, outcome: GateOutcome,
        summary: String, remedy: String = "", details: JSONValue = [:], snapshots: [String: String] = [:], producer: String = "slipway",
        origin: EnvironmentID, madeAt: Timestamp, expiresAt: Timestamp? = nil
    ) {
        self.id = id
        self.promotion = promotion
        self.release = release
        self.plan = plan
        self.attempt = attempt
        self.gate = gate
        self.mode = mode
        self.outcome = outcome
        self.summary = summary
        self.remedy = remedy
        self.details = details
        self.snapshots = snapshots
        self.producer = producer
        self.origin = origin
        self.madeAt = madeAt
        self.expiresAt = expiresAt
    }

    package func isStale(at now: Timestamp) -> Bool { expiresAt.map { $0 <= now } ?? false }
}

/// What the evidence of one check amounts to.
package enum GateVerdict: Sendable, Hashable {
    /// Some gates have no final outcome yet.
    case unfinished([GateName])
    /// Each reason says what to do next.
    case blocked([SlipwayError.Reason])
    /// Every enforced gate passed; `amber` names the gates in `warn` mode that did not.
    case passed(amber: [GateName])

    /// - Parameter evidence: the newest of each gate for the plan and the attempt.
    package static func of(_ gates: [GateName: GateRule], evidence: [GateName: Evidence], now: Timestamp) -> Self {
        let open = gates.filter { name, rule in evidence[name].map { $0.outcome == .errored && rule.mode == .enforce } ?? true }.keys
        if !open.isEmpty { return .unfinished(open.sorted { $0.rawValue < $1.rawValue }) }
        var reasons: [SlipwayError.Reason] = []
        var amber: [GateName] = []
        for name in GateName.allCases {
            guard let rule = gates[name], let found = evidence[name] else { continue }
            if found.outcome == .pass, !found.isStale(at: now) { continue }
            guard rule.mode == .enforce else { amber.append(name); continue }
            reasons.append(
                found.outcome == .pass
                    ? .init("The evidence of gate '\(name.rawValue)' is stale.", remedy: "Check again: slipway promotion check \(found.promotion)")
                    : .init("Gate '\(name.rawValue)': \(found.summary)", remedy: found.remedy))
        }
        return reasons.isEmpty ? .passed(amber: amber) : .blocked(reasons)
    }
}
