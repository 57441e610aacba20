import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// A gate that can be run. Throwing means `errored`: it could not run.
package protocol Gate: Sendable {
    var name: GateName { get }
    func run(_ input: GateInput) async throws -> GateResult
}

package enum GateResult: Sendable {
    /// Asked again at the driver's next look; the sentence says what it waits for.
    case pending(String)
    case done(GateFinding)

    static func pass(_ summary: String, _ details: JSONValue = [:]) -> Self { .done(GateFinding(.pass, summary, details: details)) }
    static func fail(_ summary: String, remedy: String, _ details: JSONValue = [:]) -> Self {
        .done(GateFinding(.fail, summary, remedy: remedy, details: details))
    }
    static func notAvailable(_ summary: String, remedy: String) -> Self { .done(GateFinding(.notAvailable, summary, remedy: remedy)) }
}

package struct GateFinding: Sendable {
    package var outcome: GateOutcome
    package var summary: String
    package var remedy: String
    package var details: JSONValue
    /// dataset → snapshot id in this realm
    package var snapshots: [String: String] = [:]
    package var producer = "slipway"
    /// Where the facts come from, nil for this realm.
    package var origin: EnvironmentID?

    package init(_ outcome: GateOutcome, _ summary: String, remedy: String = "", details: JSONValue = [:]) {
        self.outcome = outcome
        self.summary = summary
        self.remedy = remedy
        self.details = details
    }
}

/// What a gate looks at.
package struct GateInput: Sendable {
    package var promotion: Promotion
    package var release: Release
    /// What is live in the slot.
    package var champion: Release?
    package var rule: GateRule
    package var policy: Policy
    package var projectFile: ProjectFile?
    package var realm: Realm
    /// How often this gate errored in this check.
    package var errors: Int
    package var now: Timestamp

    package init(
        promotion: Promotion, release: Release, champion: Release?, rule: GateRule, policy: Policy, projectFile: ProjectFile?, realm: Realm, errors: Int, now: Timestamp
    ) {
        self.promotion = promotion
        self.release = release
        self.champion = champion
        self.rule = rule
        self.policy = policy
        self.projectFile = projectFile
        self.realm = realm
        self.errors = errors
        self.now = now
    }

    var environment: EnvironmentID { realm.environment }
}

/// A gate whose part of the system is not built: says so, and never passes.
package struct UnbuiltGate: Gate {
    package let name: GateName
    package init(_ name: GateName) { self.name = name }

    package func run(_ input: GateInput) async throws -> GateResult {
        .notAvailable("'\(name.rawValue)' is not built yet.", remedy: "Let the policy list it with 'warn' until it is.")
    }
}
