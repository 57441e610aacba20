import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// What a slot's endpoint should be, read from rows alone, so that it is the same after a crash.
enum EndpointWish {
    /// One release's share of the requests.
    struct Share: Sendable, Hashable {
        var release: ContentDigest
        var weight: Int
    }

    /// - Parameter inFlight: the promotion that is changing the slot, if any.
    /// - Returns: shares that add up to 100, or none when nothing should run.
    static func shares(_ slot: Slot, inFlight: Promotion?, keepsFallbackWarm: Bool) -> [Share] {
        guard let promotion = inFlight else {
            guard let current = slot.current else { return [] }
            let warm = keepsFallbackWarm ? slot.fallback.map { [Share(release: $0, weight: 0)] } ?? [] : []
            return [Share(release: current, weight: 100)] + warm.filter { $0.release != current }
        }
        switch promotion.state {
        case .applying: return split(new: promotion.release, weight: promotion.previous == nil ? 100 : 0, old: promotion.previous)
        case .verifying: return split(new: promotion.release, weight: promotion.plan.steps[promotion.rollout?.step ?? 0].weight, old: promotion.previous)
        case .rollingBack: return promotion.rollback?.target.map { [Share(release: $0, weight: 100)] } ?? []
        default: return []
        }
    }

    private static func split(new: ContentDigest, weight: Int, old: ContentDigest?) -> [Share] {
        guard let old, old != new else { return [Share(release: new, weight: 100)] }
        return [Share(release: new, weight: weight), Share(release: old, weight: 100 - weight)]
    }

    /// - Returns: nil when nothing should run in the slot.
    static func wanted(_ slot: Slot, policy: Policy, _ tx: any Transaction) throws -> WantedEndpoint? {
        let shares = shares(slot, inFlight: try PromotionStore(tx: tx).inFlight(slot: slot.name), keepsFallbackWarm: policy.rollback.warm)
        guard let lead = shares.max(by: { $0.weight < $1.weight }) else { return nil }
        let file = try projectFile(of: lead.release, tx)
        return WantedEndpoint(
            slot: slot.name, project: slot.project, generation: slot.generation, revision: slot.revision,
            deployments: try shares.map { try deployment($0, tx) }, workers: file?.serving?.workers ?? 1, capture: file?.monitoring?.capture ?? 0)
    }

    private static func deployment(_ share: Share, _ tx: any Transaction) throws -> EndpointDeployment {
        guard let release = try ReleaseStore(tx: tx).release(share.release) else { throw SlipwayError.fault("A slot names release \(share.release), which is not here.") }
        return EndpointDeployment(
            release: release.id, modelName: release.content.modelName, modelVersion: release.modelVersion, modelDigest: release.content.modelDigest,
            lockDigest: release.content.lockDigest, pythonVersion: try projectFile(of: release.id, tx)?.python.version ?? "3.11", weight: share.weight)
    }

    private static func projectFile(of id: ContentDigest, _ tx: any Transaction) throws -> ProjectFile? {
        try ReleaseStore(tx: tx).release(id)?.content.configDigests.values.first.flatMap { try ProjectFileStore(tx: tx).file(digest: $0) }
    }
}
