import SlipwayCore
import SlipwaySQL

/// Evaluation datasets with their tags, experiments and records.
package struct EvaluationStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    /// The experiments in the same transaction.
    package var experimentStore: ExperimentStore { ExperimentStore(tx: tx) }

    package func dataset(_ id: String) throws -> EvaluationDataset? { try tx.first(Self.byID, ["id": .text(id)]).map(withTags) }

    package func create(_ dataset: EvaluationDataset, experiments: [String]) throws {
        try tx.run(
            Self.insert,
            [
                "id": .text(dataset.id), "project": .text(dataset.project.rawValue), "name": .text(dataset.name), "digest": .text(dataset.digest),
                "by": .text(dataset.createdBy), "at": .integer(dataset.createdAt.milliseconds),
            ])
        for (key, value) in dataset.tags { try setTag(key, value, of: dataset.id) }
        for experiment in experiments { try add(dataset.id, to: experiment) }
    }

    /// Writes schema, profile, digest, and who changed it when.
    package func update(_ dataset: EvaluationDataset) throws {
        try tx.run(
            Self.updateAll,
            [
                "id": .text(dataset.id), "schema": .text(dataset.schema), "profile": .text(dataset.profile), "digest": .text(dataset.digest),
                "by": .text(dataset.updatedBy), "at": .integer(dataset.updatedAt.milliseconds),
            ])
    }

    package func remove(_ id: String) throws { for statement in Self.deletions { try tx.run(statement, ["id": .text(id)]) } }

    package func setTag(_ key: String, _ value: String, of id: String) throws {
        try tx.run(Self.upsertTag, ["id": .text(id), "key": .text(key), "value": .text(value)])
    }

    package func removeTag(_ key: String, of id: String) throws { try tx.run(Self.deleteTag, ["id": .text(id), "key": .text(key)]) }

    // MARK: Experiments

    package func experiments(of id: String) throws -> [String] {
        try tx.all(Self.experimentsOf, ["id": .text(id)]).map { String($0.int64("experiment_id")) }
    }

    package func add(_ id: String, to experiment: String) throws {
        try tx.run(Self.insertExperiment, ["id": .text(id), "experiment": .integer(Int64(experiment))])
    }

    package func remove(_ id: String, from experiment: String) throws {
        try tx.run(Self.deleteExperiment, ["id": .text(id), "experiment": .integer(Int64(experiment))])
    }

    /// - Parameters:
    ///   - experiments: those to look in; none of them means everywhere.
    ///   - projects: those whose datasets may be seen; nil for all.
    package func search(
        _ filter: SearchFilter, orderBy orders: [SearchOrder], experiments: [String], projects: Set<ProjectName>?, limit: Int, offset: Int
    ) throws -> SearchPage<EvaluationDataset> {
        var search = SearchSQL(table: Self.table)
        if !experiments.isEmpty {
            let list = search.bind(list: experiments.compactMap { Int64($0) }.map { .integer($0) })
            search.require("d.id IN (SELECT e.dataset_id FROM evaluation_dataset_experiment e WHERE e.experiment_id IN \(list))")
        }
        if let projects { search.require("d.project IN \(search.bind(list: projects.map { .text($0.rawValue) }))") }
        search.require(filter)
        for order in orders { search.order(by: order) }
        if !orders.contains(where: { $0.key == "created_time" }) { search.orderFinally(by: "d.created_at_ms DESC") }
        search.orderFinally(by: "d.id")
        let statement = search.statement("evaluation.search", select: "SELECT d.* FROM evaluation_dataset d", limit: limit + 1, offset: offset)
        return SearchPage(rows: try tx.all(statement, search.values).map(withTags), limit: limit)
    }

    // MARK: Records

    package func record(input digest: String, of id: String) throws -> EvaluationRecord? {
        try tx.first(Self.byInput, ["id": .text(id), "digest": .text(digest)]).map(Self.record)
    }

    package func put(_ record: EvaluationRecord, of id: String) throws {
        try tx.run(
            Self.upsertRecord,
            [
                "dataset": .text(id), "id": .text(record.id), "digest": .text(record.inputDigest), "inputs": .text(record.inputs.text()),
                "outputs": .text(record.outputs?.text()), "expectations": .text(record.expectations?.text()), "tags": .text(record.tags?.text()),
                "source": .text(record.source?.text()), "sourceID": .text(record.sourceID), "sourceType": .text(record.sourceType), "createdBy": .text(record.createdBy),
                "updatedBy": .text(record.updatedBy), "created": .integer(record.createdAt.milliseconds), "updated": .integer(record.updatedAt.milliseconds),
            ])
    }

    /// In the order they were made.
    package func records(of id: String, limit: Int, offset: Int) throws -> SearchPage<EvaluationRecord> {
        let rows = try tx.all(Self.page, ["id": .text(id), "limit": .integer(limit + 1), "offset": .integer(offset)])
        return SearchPage(rows: try rows.map(Self.record), limit: limit)
    }

    package func countRecords(of id: String) throws -> Int { try tx.first(Self.count, ["id": .text(id)])!.int("count") }

    /// - Returns: false when there was none.
    package func removeRecord(_ record: String, of id: String) throws -> Bool {
        try tx.run(Self.deleteRecord, ["dataset": .text(id), "id": .text(record)]) > 0
    }

    // MARK: Rows

    private func withTags(_ row: Row) throws -> EvaluationDataset {
        let tags = try tx.all(Self.tagsOf, ["id": .text(row.text("id"))]).map { ($0.text("key"), $0.text("value")) }
        return EvaluationDataset(
            id: row.text("id"), project: ProjectName(unchecked: row.text("project")), name: row.text("name"), tags: Dictionary(uniqueKeysWithValues: tags),
            schema: row.optionalText("schema_text"), profile: row.optionalText("profile"), digest: row.text("digest"), createdBy: row.optionalText("created_by"),
            updatedBy: row.optionalText("updated_by"), createdAt: Timestamp(milliseconds: row.int64("created_at_ms")),
            updatedAt: Timestamp(milliseconds: row.int64("updated_at_ms")))
    }

    private static func record(_ row: Row) throws -> EvaluationRecord {
        func json(_ column: String) throws -> JSONValue? { try row.optionalText(column).map { try CanonicalJSON.decode(JSONValue.self, from: $0) } }
        return EvaluationRecord(
            id: row.text("id"), inputs: try json("inputs") ?? .null, outputs: try json("outputs"), expectations: try json("expectations"), tags: try json("tags"),
            source: try json("source"), createdBy: row.optionalText("created_by"), updatedBy: row.optionalText("updated_by"),
            createdAt: Timestamp(milliseconds: row.int64("created_at_ms")), updatedAt: Timestamp(milliseconds: row.int64("updated_at_ms")))
    }

    private static let table = SearchSQL.Table(
        columns: [
            "name": "d.name", "dataset_id": "d.id", "digest": "d.digest", "created_by": "d.created_by", "last_updated_by": "d.updated_by",
            "created_time": "d.created_at_ms", "last_update_time": "d.updated_at_ms",
        ],
        exists: [.tag: "SELECT 1 FROM evaluation_dataset_tag e WHERE e.dataset_id = d.id AND e.key = {key} AND {test}"], scalar: [:])

    private static let byID = Statement("evaluation.byID", "SELECT * FROM evaluation_dataset WHERE id = :id")
    private static let insert = Statement(
        "evaluation.insert",
        """
        INSERT INTO evaluation_dataset (id, project, name, digest, created_by, updated_by, created_at_ms, updated_at_ms)
        VALUES (:id, :project, :name, :digest, :by, :by, :at, :at)
        """)
    private static let updateAll = Statement(
        "evaluation.update",
        """
        UPDATE evaluation_dataset SET schema_text = :schema, profile = :profile, digest = :digest, updated_by = :by, updated_at_ms = :at WHERE id = :id
        """)
    private static let deletions = [
        Statement("evaluation.deleteRecords", "DELETE FROM evaluation_record WHERE dataset_id = :id"),
        Statement("evaluation.deleteExperiments", "DELETE FROM evaluation_dataset_experiment WHERE dataset_id = :id"),
        Statement("evaluation.deleteTags", "DELETE FROM evaluation_dataset_tag WHERE dataset_id = :id"),
        Statement("evaluation.delete", "DELETE FROM evaluation_dataset WHERE id = :id"),
    ]
    private static let tagsOf = Statement("evaluation.tags", "SELECT key, value FROM evaluation_dataset_tag WHERE dataset_id = :id ORDER BY key")
    private static let upsertTag = Statement(
        "evaluation.setTag",
        """
        INSERT INTO evaluation_dataset_tag (dataset_id, key, value) VALUES (:id, :key, :value)
        ON CONFLICT (dataset_id, key) DO UPDATE SET value = excluded.value
        """)
    private static let deleteTag = Statement("evaluation.deleteTag", "DELETE FROM evaluation_dataset_tag WHERE dataset_id = :id AND key = :key")
    private static let experimentsOf = Statement(
        "evaluation.experiments", "SELECT experiment_id FROM evaluation_dataset_experiment WHERE dataset_id = :id ORDER BY experiment_id")
    private static let insertExperiment = Statement(
        "evaluation.addExperiment",
        """
        INSERT INTO evaluation_dataset_experiment (experiment_id, dataset_id) VALUES (:experiment, :id) ON CONFLICT (experiment_id, dataset_id) DO NOTHING
        """)
    private static let deleteExperiment = Statement(
        "evaluation.removeExperiment", "DELETE FROM evaluation_dataset_experiment WHERE dataset_id = :id AND experiment_id = :experiment")
    private static let byInput = Statement("evaluation.byInput", "SELECT * FROM evaluation_record WHERE dataset_id = :id AND input_digest = :digest")
    private static let page = Statement(
        "evaluation.records", "SELECT * FROM evaluation_record WHERE dataset_id = :id ORDER BY created_at_ms, id LIMIT :limit OFFSET :offset")
    private static let count = Statement("evaluation.count", "SELECT COUNT(*) AS count FROM evaluation_record WHERE dataset_id = :id")
    private static let deleteRecord = Statement("evaluation.deleteRecord", "DELETE FROM evaluation_record WHERE dataset_id = :dataset AND id = :id")
    private static let upsertRecord = Statement(
        "evaluation.putRecord",
        """
        INSERT INTO evaluation_record (dataset_id, id, input_digest, inputs, outputs, expectations, tags, source, source_id, source_type, created_by, updated_by,
            created_at_ms, updated_at_ms)
        VALUES (:dataset, :id, :digest, :inputs, :outputs, :expectations, :tags, :source, :sourceID, :sourceType, :createdBy, :updatedBy, :created, :updated)
        ON CONFLICT (dataset_id, id) DO UPDATE SET outputs = excluded.outputs, expectations = excluded.expectations, tags = excluded.tags,
            updated_by = excluded.updated_by, updated_at_ms = excluded.updated_at_ms
        """)
}
