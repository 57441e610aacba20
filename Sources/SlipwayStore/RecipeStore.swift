import SlipwayCore
import SlipwaySQL

/// Refresh recipes of a realm (offered by pushes, adopted by stewards) and the attempts made with them.
package struct RecipeStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    // MARK: Recipes

    /// Offers a recipe. It has no effect until a steward adopts its digest; what was adopted before stays in force until then.
    /// - Returns: the recipe's digest.
    @discardableResult
    package func propose(project: ProjectName, dataset: String, refresh: ProjectFile.Refresh, commit: String, at: Timestamp) throws -> ContentDigest {
        let recipe = try RefreshRecipe(project: project, dataset: dataset, refresh: refresh, commit: commit, proposedAt: at)
        try tx.run(
            Self.upsert,
            [
                "project": .text(project.rawValue), "dataset": .text(dataset), "digest": .text(recipe.digest.rawValue),
                "refresh": .text(try CanonicalJSON.text(refresh)), "commit": .text(commit), "at": .integer(at.milliseconds),
            ])
        return recipe.digest
    }

    /// - Returns: false when no such recipe was offered.
    package func adopt(_ digest: ContentDigest, of dataset: String, project: ProjectName, by: Principal, at: Timestamp) throws -> Bool {
        try tx.run(
            Self.setAdopted,
            [
                "project": .text(project.rawValue), "dataset": .text(dataset), "digest": .text(digest.rawValue), "at": .integer(at.milliseconds), "by": .text(by.raw),
            ]) > 0
    }

    /// The recipe in force: the one adopted last.
    package func adopted(of dataset: String, project: ProjectName) throws -> RefreshRecipe? {
        try tx.first(Self.inForce, ["project": .text(project.rawValue), "dataset": .text(dataset)]).map(recipe)
    }

    /// The recipe that the main line offered last.
    package func proposed(of dataset: String, project: ProjectName) throws -> RefreshRecipe? {
        try tx.first(Self.offeredLast, ["project": .text(project.rawValue), "dataset": .text(dataset)]).map(recipe)
    }

    /// Newest offer first.
    package func list(project: ProjectName? = nil, dataset: String? = nil, limit: Int = 100) throws -> [RefreshRecipe] {
        try tx.all(Self.page, ["project": .text(project?.rawValue), "dataset": .text(dataset), "limit": .integer(min(limit, 1000))]).map(recipe)
    }

    /// By the digest or an unambiguous beginning of it.
    package func recipe(prefix: String, of dataset: String, project: ProjectName) throws -> RefreshRecipe? {
        let found = try list(project: project, dataset: dataset, limit: 1000).filter { $0.digest.rawValue.hasPrefix(prefix) }
        if found.count > 1 { throw SlipwayError.invalid("Several recipes begin with '\(prefix)'.", remedy: "Write more of the digest.") }
        return found.first
    }

    /// Every recipe in force in the realm.
    package func allAdopted() throws -> [RefreshRecipe] { try tx.all(Self.allInForce).map(recipe) }

    private func recipe(_ row: Row) throws -> RefreshRecipe {
        var recipe = try RefreshRecipe(
            project: ProjectName(unchecked: row.text("project")), dataset: row.text("dataset"),
            refresh: try CanonicalJSON.decode(ProjectFile.Refresh.self, from: row.text("refresh")), commit: row.text("commit_id"),
            proposedAt: Timestamp(milliseconds: row.int64("proposed_at_ms")))
        recipe.adoptedAt = row.optionalInt("adopted_at_ms").map(Timestamp.init(milliseconds:))
        recipe.adoptedBy = row.optionalText("adopted_by")
        return recipe
    }

    // MARK: Attempts

    package func insert(_ attempt: RefreshAttempt) throws {
        try tx.run(
            Self.insertAttempt,
            [
                "id": .text(attempt.id), "project": .text(attempt.project.rawValue), "dataset": .text(attempt.dataset), "recipe": .text(attempt.recipe.rawValue),
                "state": .text(attempt.state.rawValue), "started": .integer(attempt.startedAt.milliseconds), "by": .text(attempt.by), "source": .text(attempt.source),
            ])
    }

    package func end(_ id: String, _ state: RefreshAttempt.State, source: String?, snapshot: String?, message: String?, at: Timestamp) throws {
        try tx.run(
            Self.endAttempt,
            [
                "id": .text(id), "state": .text(state.rawValue), "source": .text(source), "snapshot": .text(snapshot), "message": .text(message),
                "at": .integer(at.milliseconds),
            ])
    }

    /// Newest first.
    package func attempts(of dataset: String, project: ProjectName, limit: Int = 100) throws -> [RefreshAttempt] {
        try tx.all(Self.attemptsOf, ["project": .text(project.rawValue), "dataset": .text(dataset), "limit": .integer(min(limit, 1000))]).map(Self.attempt)
    }

    /// Attempts that a stopped server left behind.
    package func running() throws -> [RefreshAttempt] { try tx.all(Self.stillRunning).map(Self.attempt) }

    private static func attempt(_ row: Row) throws -> RefreshAttempt {
        guard let state = RefreshAttempt.State(rawValue: row.text("state")) else { throw SlipwayError.fault("A refresh has the state '\(row.text("state"))'.") }
        return RefreshAttempt(
            id: row.text("id"), project: ProjectName(unchecked: row.text("project")), dataset: row.text("dataset"),
            recipe: try ContentDigest(parsing: row.text("recipe_digest")), state: state, startedAt: Timestamp(milliseconds: row.int64("started_at_ms")),
            endedAt: row.optionalInt("ended_at_ms").map(Timestamp.init(milliseconds:)), by: row.text("by_principal"),
            source: row.optionalText("source_snapshot"), snapshot: row.optionalText("snapshot"), message: row.optionalText("message"))
    }
}

extension RecipeStore {
    private static let upsert = Statement(
        "recipe.propose",
        """
        INSERT INTO data_recipe (project, dataset, digest, refresh, commit_id, proposed_seq, proposed_at_ms)
        VALUES (:project, :dataset, :digest, :refresh, :commit, (SELECT COALESCE(MAX(proposed_seq), 0) + 1 FROM data_recipe), :at)
        ON CONFLICT (project, dataset, digest) DO UPDATE
        SET commit_id = excluded.commit_id, proposed_seq = excluded.proposed_seq, proposed_at_ms = excluded.proposed_at_ms
        """)
    private static let setAdopted = Statement(
        "recipe.adopt",
        """
        UPDATE data_recipe SET adopted_seq = (SELECT COALESCE(MAX(adopted_seq), 0) + 1 FROM data_recipe), adopted_at_ms = :at, adopted_by = :by
        WHERE project = :project AND dataset = :dataset AND digest = :digest
        """)
    private static let inForce = Statement(
        "recipe.inForce",
        """
        SELECT * FROM data_recipe WHERE project = :project AND dataset = :dataset AND adopted_seq IS NOT NULL
        ORDER BY adopted_seq DESC LIMIT 1
        """)
    private static let offeredLast = Statement(
        "recipe.offeredLast",
        """
        SELECT * FROM data_recipe WHERE project = :project AND dataset = :dataset ORDER BY proposed_seq DESC LIMIT 1
        """)
    private static let page = Statement(
        "recipe.page",
        """
        SELECT * FROM data_recipe WHERE (:project IS NULL OR project = :project) AND (:dataset IS NULL OR dataset = :dataset)
        ORDER BY proposed_seq DESC LIMIT :limit
        """)
    private static let allInForce = Statement(
        "recipe.allInForce",
        """
        SELECT r.* FROM data_recipe r
        WHERE r.adopted_seq IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM data_recipe n WHERE n.project = r.project AND n.dataset = r.dataset AND n.adopted_seq > r.adopted_seq)
        ORDER BY r.project, r.dataset LIMIT 10000
        """)
    private static let insertAttempt = Statement(
        "refresh.insert",
        """
        INSERT INTO data_refresh (id, seq, project, dataset, recipe_digest, state, started_at_ms, by_principal, source_snapshot)
        VALUES (:id, (SELECT COALESCE(MAX(seq), 0) + 1 FROM data_refresh), :project, :dataset, :recipe, :state, :started, :by, :source)
        """)
    private static let endAttempt = Statement(
        "refresh.end",
        """
        UPDATE data_refresh SET state = :state, ended_at_ms = :at, source_snapshot = COALESCE(:source, source_snapshot), snapshot = :snapshot, message = :message
        WHERE id = :id
        """)
    private static let attemptsOf = Statement(
        "refresh.ofDataset",
        """
        SELECT * FROM data_refresh WHERE project = :project AND dataset = :dataset ORDER BY seq DESC LIMIT :limit
        """)
    private static let stillRunning = Statement("refresh.running", "SELECT * FROM data_refresh WHERE state = 'running' ORDER BY seq LIMIT 1000")
}
