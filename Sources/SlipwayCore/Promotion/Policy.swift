/// The rules of an environment for one project, versioned. Written as YAML (`PolicyFile` in Promotions reads it).
package struct Policy: Sendable, Hashable, Codable {
    /// Where releases come from, and what they must have shown there.
    package struct Upstream: Sendable, Hashable, Codable {
        package var environment: EnvironmentID
        /// Must have been live there.
        package var verified: Bool
        package var soak: DurationText
        package var evidenceMaxAge: DurationText

        package init(environment: EnvironmentID, verified: Bool = true, soak: DurationText = "24h", evidenceMaxAge: DurationText = "30d") {
            self.environment = environment
            self.verified = verified
            self.soak = soak
            self.evidenceMaxAge = evidenceMaxAge
        }
    }

    package struct Rollback: Sendable, Hashable, Codable {
        /// A failed verification rolls back by itself.
        package var automatic = true
        /// A rollback leaves a hold on the slot.
        package var hold = true
        /// A rollback quarantines the release.
        package var quarantine = true
        /// The fallback stays loaded beside what is live, so that a rollback takes no loading time.
        package var warm = false
        package init() {}
    }

    /// Listed so that policies keep their meaning; not built yet.
    package struct BreakGlass: Sendable, Hashable, Codable {
        package var roles: [Role]
        package var max: DurationText
        package var reviewWithin: DurationText
        package init(roles: [Role], max: DurationText, reviewWithin: DurationText) {
            self.roles = roles
            self.max = max
            self.reviewWithin = reviewWithin
        }
    }

    /// Shown on the board and kept on every release that was promoted under it.
    package var name: String
    package var environment: EnvironmentID
    package var from: Upstream?
    package var approvals: [ApprovalRule] = []
    package var approvalTTL: DurationText = "7d"
    /// A younger role cannot approve.
    package var roleAge: DurationText = "0s"
    package var window: PromotionWindow?
    package var gates: [GateName: GateRule] = [:]
    package var rollout = Rollout()
    package var rollback = Rollback()
    package var breakGlass: BreakGlass?
    /// An approved promotion ends the older pending ones of its slot.
    package var supersede = true
    /// Approved promotions are applied without a person's word.
    package var automatic = false
    package var timeOuts = PromotionTimeOuts()

    package init(name: String, environment: EnvironmentID) {
        self.name = name
        self.environment = environment
    }

    /// Evidence older than this is stale.
    package var evidenceMaxAge: Duration { (from?.evidenceMaxAge ?? "30d").duration }
}

/// A policy as it was installed.
package struct InstalledPolicy: Sendable, Hashable {
    package var project: ProjectName
    /// 1…; 0 is the one that comes with Slipway.
    package var version: Int
    package var policy: Policy
    /// The YAML as it was written.
    package var text: String
    package var installedAt: Timestamp
    package var installedBy: String

    package init(project: ProjectName, version: Int, policy: Policy, text: String, installedAt: Timestamp, installedBy: String) {
        self.project = project
        self.version = version
        self.policy = policy
        self.text = text
        self.installedAt = installedAt
        self.installedBy = installedBy
    }
}

/// So many people of that role.
package struct ApprovalRule: Sendable, Hashable, Codable {
    package var role: Role
    package var count: Int
    package init(role: Role, count: Int) { self.role = role; self.count = count }
}

extension DurationText {
    package var duration: Duration { (try? value) ?? .zero }  // the text was checked when it was read
}
