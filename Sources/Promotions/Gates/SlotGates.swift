import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// Live in the environment below, for long enough, and not quarantined there.
package struct UpstreamGate: Gate {
    let below: RealmReader?
    package let name = GateName.upstream
    package init(below: RealmReader?) { self.below = below }

    package func run(_ input: GateInput) async throws -> GateResult {
        guard let from = input.policy.from else { return .pass("Releases come here from anywhere.") }
        guard let below, below.environment == from.environment else {
            throw SlipwayError(.unavailable, "\(from.environment.rawValue) does not run in this process.", remedy: "Start it too: slipway serve")
        }
        let id = input.release.id
        let (verifiedAt, quarantine) = try await below.database.read { tx in
            (try PromotionStore(tx: tx).verifiedAt(release: id), try ReleaseStore(tx: tx).quarantine(of: id))
        }
        if let quarantine {
            return .fail("It is quarantined in \(from.environment.rawValue): \(quarantine.reason)", remedy: "Somebody other than its promoters may lift it.")
        }
        guard let verifiedAt else {
            guard from.verified else { return .pass("It need not be verified in \(from.environment.rawValue).") }
            return .fail(
                "It was never live in \(from.environment.rawValue).", remedy: "Promote it there first: slipway promotion request \(id.short) --to \(from.environment.rawValue)")
        }
        let soaked = verifiedAt + from.soak.duration
        if input.now < soaked { return .pending("It soaks in \(from.environment.rawValue) until \(soaked.iso8601).") }
        var finding = GateFinding(
            .pass, "Live in \(from.environment.rawValue) since \(verifiedAt.iso8601), soaked for \(from.soak.text).",
            details: ["verified_at": .string(verifiedAt.iso8601), "soak": .string(from.soak.text)])
        finding.origin = from.environment
        return .done(finding)
    }
}

/// There is a way back, and its bytes are there.
package struct FallbackGate: Gate {
    let promotions: PromotionService
    package let name = GateName.fallback
    package init(promotions: PromotionService) { self.promotions = promotions }

    package func run(_ input: GateInput) async throws -> GateResult {
        guard let champion = input.champion else { return .pass("The first release of '\(input.promotion.slot)' has nothing to fall back to.") }
        guard try await promotions.isIntact(champion.id) else {
            return .fail("The bytes of the fallback \(champion.id.short) are missing or damaged.", remedy: "Restore them from a backup, then check again.")
        }
        let quarantine = try await input.realm.database.read { tx in try ReleaseStore(tx: tx).quarantine(of: champion.id) }
        if let quarantine {
            return .fail("The fallback \(champion.id.short) is quarantined: \(quarantine.reason)", remedy: "Somebody other than its promoters may lift it.")
        }
        return .pass("Release \(champion.id.short), live now, is the way back; its bytes were hashed again.", ["fallback": .string(champion.id.rawValue)])
    }
}

/// What goes live is watched.
package struct MonitorsGate: Gate {
    package let name = GateName.monitors
    package init() {}

    package func run(_ input: GateInput) async throws -> GateResult {
        guard let monitoring = input.projectFile?.monitoring, monitoring.drift != nil, monitoring.capture > 0 else {
            return .fail(
                "slipway.yaml configures no drift monitoring with captured requests.",
                remedy: "Add monitoring: { capture: 1.0, drift: { method: psi, watch: 0.1, act: 0.25, every: day } }.")
        }
        let labels = monitoring.labels == nil ? "no labels" : "labels after \(monitoring.labels!.delay.text)"
        return .pass("Captures \(Int(monitoring.capture * 100)) % of requests; drift by \(monitoring.drift!.method); \(labels).")
    }
}

/// The model card. Approving cards is not built, so a card that exists is a draft and the gate cannot pass.
package struct CardGate: Gate {
    let code: any CodeHistory
    package let name = GateName.card
    package init(code: any CodeHistory) { self.code = code }

    package func run(_ input: GateInput) async throws -> GateResult {
        let path = input.projectFile?.model?.card ?? "MODEL_CARD.md"
        guard try await code.file(path, at: input.release.content.commit, of: input.release.content.project) != nil else {
            return .fail("The commit has no '\(path)'.", remedy: "Write the model card and push it.")
        }
        return .notAvailable("'\(path)' exists as a draft; approving cards is not built yet.", remedy: "Let the policy list 'card' with 'warn' until it is.")
    }
}
