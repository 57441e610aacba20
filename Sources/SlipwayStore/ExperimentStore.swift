import SlipwayCore
import SlipwaySQL

package struct ExperimentStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    /// The id of the project's experiment of that name, made when it is missing and brought back when it was deleted. When another
    /// project has the name, the experiment is called `NAME (project PROJECT)`.
    package func ensure(name: String, project: ProjectName, at: Timestamp) throws -> String {
        for candidate in [name, "\(name) (project \(project))"] {
            guard let found = try experiment(named: candidate) else { return try create(name: candidate, project: project, location: nil, tags: [:], at: at) }
            guard found.project == project else { continue }
            if found.lifecycle == .deleted { try setLifecycle(.active, of: found.id, at: at) }
            return found.id
        }
        throw SlipwayError(.conflict, "The experiment names '\(name)' and '\(name) (project \(project))' belong to other projects.", remedy: "Rename one of them.")
    }

    /// Dev's experiment 0, where a client that names none works.
    package func ensureDefault(at: Timestamp, root: String = ArtifactPlaces.blobs.root) throws {
        try tx.run(Self.insertDefault, ["project": .text(ProjectName.implicit.rawValue), "location": .text("\(root)/0"), "at": .integer(at.milliseconds)])
    }

    /// - Parameters:
    ///   - location: nil for a place by the experiment's id below `root`.
    ///   - root: `ArtifactPlaces.root` of the realm.
    /// - Returns: the new id. The name must be free: the schema refuses a second one.
    package func create(
        name: String, project: ProjectName, location: String?, root: String = ArtifactPlaces.blobs.root, tags: [String: String], at: Timestamp
    ) throws -> String {
        // 0 is dev's Default, so numbers start at 1.
        let id = max(1, try tx.first(Self.next)!.int64("next"))
        try tx.run(
            Self.insert,
            [
                "id": .integer(id), "name": .text(name), "project": .text(project.rawValue),
                "location": .text(location ?? "\(root)/\(id)"), "at": .integer(at.milliseconds),
            ])
        for (key, value) in tags { try setTag(key, value, of: String(id), at: at) }
        return String(id)
    }

    package func experiment(_ id: String) throws -> Experiment? {
        guard let number = Int64(id) else { return nil }
        return try tx.first(Self.byID, ["id": .integer(number)]).map(withTags)
    }

    package func experiment(named name: String) throws -> Experiment? {
        try tx.first(Self.byName, ["name": .text(name)]).map(withTags)
    }

    package func experiment(atLocation location: String) throws -> Experiment? {
        try tx.first(Self.byLocation, ["location": .text(location)]).map(withTags)
    }

    /// The registry in the same transaction.
    package var registry: RegistryStore { RegistryStore(tx: tx) }

    package func rename(_ id: String, to name: String, at: Timestamp) throws {
        try tx.run(Self.updateName, ["id": .integer(Int64(id)), "name": .text(name), "at": .integer(at.milliseconds)])
    }

    /// Deletes or brings back the experiment and with it all its runs.
    package func setLifecycle(_ lifecycle: Lifecycle, of id: String, at: Timestamp) throws {
        try tx.run(Self.updateLifecycle, ["id": .integer(Int64(id)), "lifecycle": .text(lifecycle.rawValue), "at": .integer(at.milliseconds)])
        try RunStore(tx: tx).setLifecycle(lifecycle, ofExperiment: id)
    }

    package func setTag(_ key: String, _ value: String, of id: String, at: Timestamp) throws {
        try tx.run(Self.upsertTag, ["id": .integer(Int64(id)), "key": .text(key), "value": .text(value)])
        try tx.run(Self.touch, ["id": .integer(Int64(id)), "at": .integer(at.milliseconds)])
    }

    /// - Returns: false when there was none.
    package func removeTag(_ key: String, of id: String) throws -> Bool {
        try tx.run(Self.deleteTag, ["id": .integer(Int64(id)), "key": .text(key)]) > 0
    }

    /// - Parameter projects: those whose experiments may be seen; nil for all.
    package func search(
        _ filter: SearchFilter, orderBy orders: [SearchOrder] = [], view: LifecycleView = .active, projects: Set<ProjectName>?, limit: Int, offset: Int = 0
    ) throws -> SearchPage<Experiment> {
        var search = SearchSQL(table: Self.table)
        search.require("x.lifecycle IN \(search.bind(list: view.values))")
        if let projects { search.require("x.project IN \(search.bind(list: projects.map { .text($0.rawValue) }))") }
        search.require(filter)
        for order in orders { search.order(by: order) }
        if !orders.contains(where: { $0.key == "creation_time" }) { search.orderFinally(by: "x.created_at_ms DESC") }
        search.orderFinally(by: "x.id DESC")
        let statement = search.statement("experiment.search", select: "SELECT x.* FROM experiment x", limit: limit + 1, offset: offset)
        return SearchPage(rows: try tx.all(statement, search.values).map(withTags), limit: limit)
    }

    private func withTags(_ row: Row) throws -> Experiment {
        let tags = try tx.all(Self.tagsOf, ["id": .integer(row.int64("id"))]).map { ($0.text("key"), $0.text("value")) }
        return Experiment(
            id: String(row.int64("id")), name: row.text("name"), project: ProjectName(unchecked: row.text("project")),
            artifactLocation: row.text("artifact_location"), lifecycle: Lifecycle(rawValue: row.text("lifecycle"))!,
            createdAt: Timestamp(milliseconds: row.int64("created_at_ms")), updatedAt: Timestamp(milliseconds: row.int64("updated_at_ms")),
            tags: Dictionary(uniqueKeysWithValues: tags))
    }

    private static let table = SearchSQL.Table(
        columns: ["name": "x.name", "experiment_id": "CAST(x.id AS TEXT)", "creation_time": "x.created_at_ms", "last_update_time": "x.updated_at_ms"],
        exists: [.tag: "SELECT 1 FROM experiment_tag e WHERE e.experiment_id = x.id AND e.key = {key} AND {test}"],
        scalar: [:])

    private static let insertDefault = Statement(
        "experiment.insertDefault",
        """
        INSERT INTO experiment (id, name, project, artifact_location, lifecycle, created_at_ms, updated_at_ms)
        VALUES (0, 'Default', :project, :location, 'active', :at, :at) ON CONFLICT (id) DO NOTHING
        """)
    private static let next = Statement("experiment.next", "SELECT COALESCE(MAX(id), 0) + 1 AS next FROM experiment")
    private static let insert = Statement(
        "experiment.insert",
        """
        INSERT INTO experiment (id, name, project, artifact_location, lifecycle, created_at_ms, updated_at_ms)
        VALUES (:id, :name, :project, :location, 'active', :at, :at)
        """)
    private static let byID = Statement("experiment.byID", "SELECT * FROM experiment WHERE id = :id")
    private static let byName = Statement("experiment.byName", "SELECT * FROM experiment WHERE name = :name")
    private static let byLocation = Statement("experiment.byLocation", "SELECT * FROM experiment WHERE artifact_location = :location ORDER BY id LIMIT 1")
    private static let updateName = Statement("experiment.rename", "UPDATE experiment SET name = :name, updated_at_ms = :at WHERE id = :id")
    private static let updateLifecycle = Statement("experiment.lifecycle", "UPDATE experiment SET lifecycle = :lifecycle, updated_at_ms = :at WHERE id = :id")
    private static let touch = Statement("experiment.touch", "UPDATE experiment SET updated_at_ms = :at WHERE id = :id")
    private static let upsertTag = Statement(
        "experiment.setTag",
        """
        INSERT INTO experiment_tag (experiment_id, key, value) VALUES (:id, :key, :value)
        ON CONFLICT (experiment_id, key) DO UPDATE SET value = excluded.value
        """)
    private static let deleteTag = Statement("experiment.deleteTag", "DELETE FROM experiment_tag WHERE experiment_id = :id AND key = :key")
    private static let tagsOf = Statement("experiment.tags", "SELECT key, value FROM experiment_tag WHERE experiment_id = :id ORDER BY key")
}
