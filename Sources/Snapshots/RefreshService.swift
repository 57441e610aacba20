import Foundation
import Logging
import SlipwayBlobs
import SlipwayCore
import SlipwayRuntime
import SlipwaySQL
import SlipwayStore
import Synchronization

/// A realm that data may come down from: read-only, with the key that masks what leaves it.
package struct RefreshSource: Sendable {
    let reader: RealmReader
    let masking: MaskingKey

    package init(realm: Realm) {
        reader = realm.reader
        masking = MaskingKey(realm: realm)
    }
}

/// Fills a realm's datasets from the realm above by adopted recipes. One per realm.
package final class RefreshService: DataRefresh, Sendable {
    let snapshots: SnapshotService
    let sources: [EnvironmentID: RefreshSource]
    let limits: DuckDB.Limits
    private let underway = Mutex<[String: Task<String?, any Error>]>([:])

    var realm: Realm { snapshots.realm }
    var environment: EnvironmentID { snapshots.environment }
    var clock: any WallClock { snapshots.clock }

    /// - Parameter sources: realms above this one; a lower one is refused even when it is given.
    package init(snapshots: SnapshotService, sources: [EnvironmentID: RefreshSource], limits: DuckDB.Limits = .init(memory: "2GiB", time: .seconds(3600))) {
        self.snapshots = snapshots
        self.sources = sources
        self.limits = limits
    }

    // MARK: Recipes

    package func recipes(project: ProjectName, dataset: String? = nil, by caller: Caller) async throws -> [RefreshRecipe] {
        try caller.require(.readMetadata, project: project, environment: environment)
        return try await realm.database.read { tx in try RecipeStore(tx: tx).list(project: project, dataset: dataset) }
    }

    /// Puts an offered recipe in force.
    /// - Parameter digest: of the recipe, or its beginning (at least eight digits).
    package func adopt(_ digest: String, of dataset: String, project: ProjectName, by caller: Caller) async throws -> RefreshRecipe {
        try caller.require(.adoptRecipe, project: project, environment: environment)
        guard digest.utf8.count >= 8 else { throw SlipwayError.invalid("'\(digest.prefix(80))' is too short for a recipe's digest.", remedy: "Write at least eight digits.") }
        let environment = environment
        let now = clock.now
        return try await realm.database.write { tx in
            let store = RecipeStore(tx: tx)
            guard let recipe = try store.recipe(prefix: digest, of: dataset, project: project) else {
                throw SlipwayError.notFound(
                    "Nobody has offered the recipe '\(digest.prefix(80))' for '\(dataset)' in \(environment.rawValue).",
                    remedy: "See what was offered: slipway data recipes \(environment.rawValue) --project \(project)")
            }
            if let refusal = recipe.refusal(in: environment) { throw refusal }
            _ = try RefreshCadence(parsing: recipe.refresh.every)
            if try store.adopted(of: dataset, project: project)?.digest == recipe.digest { return recipe }
            _ = try store.adopt(recipe.digest, of: dataset, project: project, by: caller.principal, at: now)
            try AuditStore(tx: tx).append(
                "recipe.adopt", subject: "recipe:\(recipe.digest.short)", project: project, by: caller.principal, at: now,
                details: ["dataset": .string(dataset), "digest": .string(recipe.digest.rawValue), "commit": .string(recipe.commit)])
            return try store.recipe(prefix: recipe.digest.rawValue, of: dataset, project: project) ?? recipe
        }
    }

    // MARK: Refreshing

    package func refresh(dataset: String, project: ProjectName, by caller: Caller) async throws -> String? {
        try caller.require(.refreshData, project: project, environment: environment)
        let key = "\(project)/\(dataset)"
        // Two who ask at once get the one answer; the work belongs to this service and ends with it.
        let task = underway.withLock { underway in
            if let task = underway[key] { return task }
            let task = Task {
                defer { self.underway.withLock { _ = $0.removeValue(forKey: key) } }
                return try await self.attempt(dataset: dataset, project: project, by: caller.principal)
            }
            underway[key] = task
            return task
        }
        return try await task.value
    }

    /// Newest first.
    package func attempts(dataset: String, project: ProjectName, by caller: Caller) async throws -> [RefreshAttempt] {
        try caller.require(.readMetadata, project: project, environment: environment)
        return try await realm.database.read { tx in try RecipeStore(tx: tx).attempts(of: dataset, project: project) }
    }

    package func cancelAll() { underway.withLock { underway in underway.values.forEach { $0.cancel() } } }

    private func attempt(dataset: String, project: ProjectName, by principal: Principal) async throws -> String? {
        let recipe = try await recipeInForce(dataset: dataset, project: project)
        let attempt = RefreshAttempt(
            id: snapshots.newID(), project: project, dataset: dataset, recipe: recipe.digest, state: .running, startedAt: clock.now, by: principal.raw)
        try await realm.database.write { tx in try RecipeStore(tx: tx).insert(attempt) }
        do {
            return try await make(by: recipe, attempt, principal)
        } catch {
            let message = (error as? SlipwayError).map { ([$0.message, $0.remedy].compactMap(\.self) + $0.reasons.map { "\($0.message) \($0.remedy)" }).joined(separator: " ") }
            if message == nil { snapshots.logger.error("data refresh", metadata: ["dataset": "\(dataset)", "project": "\(project)", "error": "\(error)"]) }
            let now = clock.now
            try await realm.database.write { tx in
                try RecipeStore(tx: tx).end(attempt.id, .failed, source: nil, snapshot: nil, message: message ?? "It broke; the server's log names the cause.", at: now)
            }
            throw error
        }
    }

    private func recipeInForce(dataset: String, project: ProjectName) async throws -> RefreshRecipe {
        let (adopted, offered) = try await realm.database.read { tx in
            let store = RecipeStore(tx: tx)
            return (try store.adopted(of: dataset, project: project), try store.proposed(of: dataset, project: project))
        }
        if let adopted {
            if let refusal = adopted.refusal(in: environment) { throw refusal }
            return adopted
        }
        guard let offered else {
            throw SlipwayError.notFound(
                "No recipe says how to refresh '\(dataset)' of project '\(project)' in \(environment.rawValue).",
                remedy: "Declare 'data.\(dataset).refresh.\(environment.rawValue)' in slipway.yaml and push it to the main line.")
        }
        if let refusal = offered.refusal(in: environment) { throw refusal }
        throw SlipwayError(
            .blocked, "The recipe for '\(dataset)' in \(environment.rawValue) is not adopted.",
            reasons: [
                .init(
                    "Recipe \(offered.digest.short) of commit \(offered.commit.prefix(12)) waits for a steward.",
                    remedy: "slipway data adopt \(environment.rawValue)/\(dataset) \(offered.digest.short) --project \(project)")
            ])
    }

    private func make(by recipe: RefreshRecipe, _ attempt: RefreshAttempt, _ principal: Principal) async throws -> String? {
        let from = recipe.refresh.from
        guard let source = sources[from], from > environment else {
            throw SlipwayError(.unavailable, "\(from.rawValue) does not run in this process.", remedy: "Refresh from a server that runs both: slipway serve")
        }
        let now = clock.now
        let dataset = recipe.dataset
        let project = recipe.project
        guard let origin = try await source.reader.database.read({ tx in try SnapshotStore(tx: tx).newest(of: dataset, project: project, at: now) }) else {
            throw SlipwayError.notFound(
                "\(from.rawValue) has no usable snapshot of '\(dataset)' to refresh from.", remedy: "See why: slipway data list \(from.rawValue)/\(dataset) --project \(project)")
        }
        let lineage = DataSnapshot.Lineage(environment: from, snapshot: origin.id, recipe: recipe.digest)
        if try await isCurrent(lineage, recipe, now) {
            try await realm.database.write { tx in try RecipeStore(tx: tx).end(attempt.id, .unchanged, source: origin.id, snapshot: nil, message: nil, at: now) }
            return nil
        }
        var duckDB = try snapshots.duckDB()
        duckDB.limits = limits
        let transform = RefreshTransform(
            refresh: recipe.refresh, source: source.reader.blobs, target: realm, key: try source.masking.key(for: project), duckDB: duckDB)
        let blobs = source.reader.blobs
        let made = try await transform.run(try await offload { try blobs.manifest(origin.manifestDigest) })
        guard !made.manifest.files.isEmpty else {
            throw SlipwayError(.blocked, "Nothing would be left of '\(dataset)': none of its files is a table that can be masked.", remedy: "Bring it as Parquet or CSV.")
        }
        let snapshot = try await snapshots.prepare(
            made.manifest, dataset: dataset, project: project, by: principal, label: origin.label, lifetime: nil, lineage: lineage)
        let tags = origin.tags
        let note = made.leftOut.isEmpty ? nil : "\(made.leftOut.count) files that cannot be masked were left out, such as '\(made.leftOut[0])'."
        let endedAt = clock.now
        try await realm.database.write { tx in
            try SnapshotService.insert(snapshot, manifest: made.manifest, tx: tx)
            // The version's names come along; here the tag of a refreshed dataset always means its newest copy.
            for tag in tags { try SnapshotService.set(tag, on: snapshot, moving: true, by: principal, at: endedAt, tx: tx) }
            try RecipeStore(tx: tx).end(attempt.id, .succeeded, source: origin.id, snapshot: snapshot.id, message: note, at: endedAt)
            try AuditStore(tx: tx).append(
                "snapshot.refresh", subject: "snapshot:\(snapshot.id)", project: project, by: principal, at: endedAt, details: SnapshotService.details(of: snapshot))
        }
        return snapshot.id
    }

    /// Whether the realm holds just this already, for long enough.
    private func isCurrent(_ lineage: DataSnapshot.Lineage, _ recipe: RefreshRecipe, _ now: Timestamp) async throws -> Bool {
        let interval = try RefreshCadence(parsing: recipe.refresh.every).interval
        return try await realm.database.read { tx in
            guard let newest = try SnapshotStore(tx: tx).newestRefreshed(of: recipe.dataset, project: recipe.project), newest.lineage == lineage else { return false }
            return newest.expiresAt.map { $0 > now + interval } ?? true
        }
    }
}
