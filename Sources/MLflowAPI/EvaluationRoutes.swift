import HTTPTypes
import SlipwayCore
import Tracking

/// `mlflow/datasets/…`: evaluation datasets. Tags and records travel as JSON texts inside JSON.
struct EvaluationRoutes: Sendable {
    let realm: MLflowRealm
    private var tracking: TrackingService { realm.tracking }

    init(realm: MLflowRealm) { self.realm = realm }

    func add(to router: MLflowRouter<some Any>) {
        router.on(.post, "mlflow/datasets/create", create)
        router.on(.post, "mlflow/datasets/search", search)
        router.on(.get, "mlflow/datasets/search", search)
        let path = "mlflow/datasets/{dataset_id}"
        router.on(.get, path, get)
        router.on(.delete, path, delete)
        router.on(.patch, "\(path)/tags", setTags)
        router.on(.delete, "\(path)/tags/{key}", deleteTag)
        router.on(.post, "\(path)/records", upsertRecords)
        router.on(.get, "\(path)/records", records)
        router.on(.delete, "\(path)/records", deleteRecords)
        router.on(.get, "\(path)/experiment-ids", experiments)
        router.on(.post, "\(path)/add-experiments", addExperiments)
        router.on(.post, "\(path)/remove-experiments", removeExperiments)
    }

    @Sendable private func create(_ fields: Fields, caller: Caller) async throws -> JSON {
        let made = try await tracking.createDataset(
            name: fields.required("name"), tags: fields.jsonTags("tags"), experiments: fields.strings("experiment_ids"), by: caller)
        return .object { $0.field("dataset") { $0.evaluationDataset(made.dataset, experiments: made.experiments) } }
    }

    @Sendable private func get(_ fields: Fields, caller: Caller) async throws -> JSON {
        let found = try await tracking.dataset(fields.required("dataset_id"), by: caller)
        return .object { $0.field("dataset") { $0.evaluationDataset(found.dataset) } }
    }

    @Sendable private func delete(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await tracking.deleteDataset(fields.required("dataset_id"), by: caller)
        return .empty
    }

    @Sendable private func search(_ fields: Fields, caller: Caller) async throws -> JSON {
        let (limit, offset) = (try fields.limit(default: 1000, max: 50_000), try fields.offset())
        let page = try await tracking.searchDatasets(
            filter: fields.string("filter_string") ?? "", orderBy: fields.strings("order_by"), experiments: fields.strings("experiment_ids"), limit: limit, offset: offset,
            by: caller)
        return .object { json in
            json.list("datasets", page.items) { $0.evaluationDataset($1) }
            if page.hasMore { json.field("next_page_token", PageToken.make(offset + limit)) }
        }
    }

    @Sendable private func setTags(_ fields: Fields, caller: Caller) async throws -> JSON {
        let id = try fields.required("dataset_id")
        _ = try fields.required("tags")
        try await tracking.setTags(fields.jsonTags("tags"), ofDataset: id, by: caller)
        let found = try await tracking.dataset(id, by: caller)
        return .object { $0.field("dataset") { $0.evaluationDataset(found.dataset) } }
    }

    @Sendable private func deleteTag(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await tracking.deleteTag(fields.required("key"), ofDataset: fields.required("dataset_id"), by: caller)
        return .empty
    }

    @Sendable private func upsertRecords(_ fields: Fields, caller: Caller) async throws -> JSON {
        let text = try fields.required("records")
        guard let list = (try? JSONCursor.parse(Array(text.utf8)))?.array else { throw fields.wrong("records", .string(text)) }  // any damage is the same error
        let counts = try await tracking.upsertRecords(list, ofDataset: fields.required("dataset_id"), by: caller)
        return .object { json in
            json.field("inserted_count", Int64(counts.inserted))
            json.field("updated_count", Int64(counts.updated))
        }
    }

    @Sendable private func records(_ fields: Fields, caller: Caller) async throws -> JSON {
        let (limit, offset) = (try fields.limit(default: 1000, max: 10_000), try fields.offset())
        let id = try fields.required("dataset_id")
        let page = try await tracking.records(ofDataset: id, limit: limit, offset: offset, by: caller)
        return .object { json in
            json.field("records", JSONValue.array(page.items.map { $0.json(dataset: id) }).text(.spaced))
            if page.hasMore { json.field("next_page_token", PageToken.make(offset + limit)) }
        }
    }

    @Sendable private func deleteRecords(_ fields: Fields, caller: Caller) async throws -> JSON {
        let count = try await tracking.deleteRecords(fields.strings("dataset_record_ids"), ofDataset: fields.required("dataset_id"), by: caller)
        return .object { $0.field("deleted_count", Int64(count)) }
    }

    @Sendable private func experiments(_ fields: Fields, caller: Caller) async throws -> JSON {
        let found = try await tracking.dataset(fields.required("dataset_id"), by: caller)
        return .object { $0.strings("experiment_ids", found.experiments) }
    }

    @Sendable private func addExperiments(_ fields: Fields, caller: Caller) async throws -> JSON { try await setExperiments(fields, adding: true, caller) }
    @Sendable private func removeExperiments(_ fields: Fields, caller: Caller) async throws -> JSON { try await setExperiments(fields, adding: false, caller) }

    private func setExperiments(_ fields: Fields, adding: Bool, _ caller: Caller) async throws -> JSON {
        let found = try await tracking.setExperiments(fields.strings("experiment_ids"), ofDataset: fields.required("dataset_id"), adding: adding, by: caller)
        return .object { $0.field("dataset") { $0.evaluationDataset(found.dataset, experiments: found.experiments) } }
    }
}

extension Fields {
    /// A JSON object in a string.
    fileprivate func jsonTags(_ name: String) throws -> [String: String] {
        guard let text = try string(name), !text.isEmpty else { return [:] }
        guard let members = (try? JSONCursor.parse(Array(text.utf8)))?.object else { throw wrong(name, .string(text)) }  // any damage is the same error
        return members.mapValues { $0.string ?? $0.text(.spaced) }
    }
}

extension JSON {
    fileprivate mutating func evaluationDataset(_ dataset: EvaluationDataset, experiments: [String] = []) {
        field("dataset_id", dataset.id)
        field("name", dataset.name)
        field("tags", JSONValue.object(dataset.tags.mapValues { .string($0) }).text(.spaced))
        field("schema", dataset.schema)
        field("profile", dataset.profile)
        field("digest", dataset.digest)
        field("created_time", dataset.createdAt.milliseconds)
        field("last_update_time", dataset.updatedAt.milliseconds)
        field("created_by", dataset.createdBy)
        field("last_updated_by", dataset.updatedBy)
        strings("experiment_ids", experiments)
    }
}

extension EvaluationRecord {
    fileprivate func json(dataset: String) -> JSONValue {
        var members: [String: JSONValue] = [
            "dataset_record_id": .string(id), "dataset_id": .string(dataset), "inputs": inputs, "created_time": .integer(createdAt.milliseconds),
            "last_update_time": .integer(updatedAt.milliseconds),
        ]
        members["outputs"] = outputs
        members["expectations"] = expectations
        members["tags"] = tags ?? [:]
        members["source"] = source
        members["source_id"] = sourceID.map { .string($0) }
        members["source_type"] = sourceType.map { .string($0) }
        members["created_by"] = createdBy.map { .string($0) }
        members["last_updated_by"] = updatedBy.map { .string($0) }
        return .object(members)
    }
}
