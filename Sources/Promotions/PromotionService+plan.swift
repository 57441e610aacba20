import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwayStore

extension PromotionService {
    struct Planned: Sendable {
        var plan: Plan
        var change: ReleaseChange
    }

    /// The plan as it would be now, with what it changes. The slot may be new.
    func plan(release id: ContentDigest, slot name: SlotName) async throws -> Planned {
        let shipped = shipped
        let now = clock.now
        let (release, plan, live) = try await realm.database.read { tx -> (Release, Plan, Release?) in
            guard let release = try ReleaseStore(tx: tx).release(id) else { throw Self.noRelease(id.short, environment) }
            let slot = try SlotStore(tx: tx).slot(name) ?? Slot(name: name, project: release.content.project, createdAt: now)
            let policy = try PolicyStore(tx: tx).newest(of: slot.project) ?? shipped
            return (
                release, Plan(release: id, slot: slot, policy: policy.policy, policyVersion: policy.version),
                try slot.current.flatMap { try ReleaseStore(tx: tx).release($0) }
            )
        }
        return Planned(plan: plan, change: try await change(from: live, to: release))
    }

    /// Most commits that a change lists; its authors are complete all the same.
    private static let commitsMax = 50

    private func change(from live: Release?, to release: Release) async throws -> ReleaseChange {
        let project = release.content.project
        let since = live?.content.commit
        var change = ReleaseChange()
        change.since = since
        change.commits = try await code.commits(of: project, commit: release.content.commit, since: since, limit: Self.commitsMax)
        change.authors = try await code.authors(of: project, commit: release.content.commit, since: since)
        for name in Set(release.metrics.keys).union(live?.metrics.keys ?? [:].keys) {
            change.metrics[name] = .init(before: live?.metrics[name], after: release.metrics[name])
        }
        let before = live?.content.snapshots ?? [:]
        for dataset in Set(release.content.snapshots.keys).union(before.keys) {
            change.snapshots[dataset] = .init(before: before[dataset], after: release.content.snapshots[dataset])
        }
        change.configChanged = live.map { $0.content.configDigests != release.content.configDigests } ?? false
        change.lockChanged = live.map { $0.content.lockDigest != release.content.lockDigest } ?? false
        return change
    }
}
