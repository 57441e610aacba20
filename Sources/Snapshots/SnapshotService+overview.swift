import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// How a dataset stands in this realm.
package struct DatasetOverview: Sendable, Hashable {
    package var dataset: String
    package var project: ProjectName
    /// What work would stand on now.
    package var newest: DataSnapshot?
    /// Newer, but an enforced check does not hold.
    package var refused: DataSnapshot?
    /// In force.
    package var recipe: RefreshRecipe?
    /// Offered by the main line and not adopted, when that is another one.
    package var offered: RefreshRecipe?
    package var lastAttempt: RefreshAttempt?
    package var nextRefresh: Timestamp?
    /// A refresh was due and has not happened.
    package var isMissed: Bool
    /// How old the newest snapshot may be.
    package var freshness: Duration?
    package var isStale: Bool
}

extension SnapshotService {
    /// A due refresh counts as missed when it has not succeeded this long after.
    package static let missedAfter = Duration.seconds(3600)

    /// Every dataset that the project declares, or has a snapshot or a recipe of.
    package func overview(project: ProjectName, by caller: Caller) async throws -> [DatasetOverview] {
        try caller.require(.readMetadata, project: project, environment: environment)
        let now = clock.now
        let environment = environment
        let overview = try await realm.database.read { tx in
            let store = SnapshotStore(tx: tx)
            let recipes = RecipeStore(tx: tx)
            let declared = try ProjectFileStore(tx: tx).current(of: project)?.file.data ?? [:]
            let names = Set(declared.keys).union(try store.datasets(of: project)).union(try recipes.list(project: project, limit: 1000).map(\.dataset))
            return try names.sorted().map { dataset in
                let newest = try store.newest(of: dataset, project: project, at: now)
                let latest = try store.list(dataset: dataset, project: project, limit: 1).first
                let recipe = try recipes.adopted(of: dataset, project: project)
                let offered = try recipes.proposed(of: dataset, project: project)
                let attempts = try recipes.attempts(of: dataset, project: project, limit: 100)
                let due = try recipe.flatMap { try RefreshSchedule.due($0, attempts) }
                let freshness = try declared[dataset]?.freshness[environment]?.value
                return DatasetOverview(
                    dataset: dataset, project: project, newest: newest, refused: latest.flatMap { $0.checks.isUsable ? nil : $0 }, recipe: recipe,
                    offered: offered?.digest == recipe?.digest ? nil : offered, lastAttempt: attempts.first, nextRefresh: due,
                    isMissed: due.map { $0 + Self.missedAfter < now } ?? false, freshness: freshness,
                    isStale: freshness.map { limit in newest.map { $0.createdAt + limit < now } ?? true } ?? false)
            }
        }
        return overview.map { item in
            var item = item
            item.newest = item.newest.map { shown($0, to: caller) }
            item.refused = item.refused.map { shown($0, to: caller) }
            return item
        }
    }
}

/// When a refresh is due, from what happened.
enum RefreshSchedule {
    static let retryAfter = Duration.seconds(3600)

    /// The recipe's first refresh is due when it is adopted, the next one an interval after the last that came through.
    static func due(_ recipe: RefreshRecipe, _ attempts: [RefreshAttempt]) throws -> Timestamp? {
        guard let adoptedAt = recipe.adoptedAt else { return nil }
        let interval = try RefreshCadence(parsing: recipe.refresh.every).interval
        let last = attempts.first { $0.recipe == recipe.digest && ($0.state == .succeeded || $0.state == .unchanged) }
        return last.map { $0.startedAt + interval } ?? adoptedAt
    }

    /// Whether to try now: due, not under way, and not just failed.
    static func isDue(_ recipe: RefreshRecipe, _ attempts: [RefreshAttempt], at now: Timestamp) throws -> Bool {
        guard let due = try due(recipe, attempts), due <= now, let last = attempts.first else { return try due(recipe, attempts).map { $0 <= now } ?? false }
        switch last.state {
        case .running: return false
        case .failed: return last.recipe != recipe.digest || (last.endedAt ?? last.startedAt) + retryAfter <= now
        case .succeeded, .unchanged: return true
        }
    }
}
