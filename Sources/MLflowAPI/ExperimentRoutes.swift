import HTTPTypes
import SlipwayCore
import Tracking

/// `mlflow/experiments/…`
struct ExperimentRoutes: Sendable {
    let realm: MLflowRealm
    private var tracking: TrackingService { realm.tracking }

    init(realm: MLflowRealm) { self.realm = realm }

    func add(to router: MLflowRouter<some Any>) {
        router.on(.post, "mlflow/experiments/create", create)
        router.on(.get, "mlflow/experiments/get", get)
        router.on(.get, "mlflow/experiments/get-by-name", getByName)
        router.on(.post, "mlflow/experiments/search", search)
        router.on(.get, "mlflow/experiments/search", search)
        router.on(.post, "mlflow/experiments/update", update)
        router.on(.post, "mlflow/experiments/delete", delete)
        router.on(.post, "mlflow/experiments/restore", restore)
        router.on(.post, "mlflow/experiments/set-experiment-tag", setTag)
        router.on(.post, "mlflow/experiments/delete-experiment-tag", deleteTag)
        router.on(.post, "mlflow/experiments/search-datasets", searchDatasets)
    }

    @Sendable private func create(_ fields: Fields, caller: Caller) async throws -> JSON {
        let id = try await tracking.createExperiment(
            name: fields.required("name"), artifactLocation: fields.string("artifact_location"), tags: fields.pairs("tags"), by: caller)
        return .object { $0.field("experiment_id", id) }
    }

    @Sendable func get(_ fields: Fields, caller: Caller) async throws -> JSON {
        let experiment = try await tracking.experiment(fields.required("experiment_id"), by: caller)
        return .object { $0.field("experiment") { $0.experiment(experiment) } }
    }

    @Sendable private func getByName(_ fields: Fields, caller: Caller) async throws -> JSON {
        let experiment = try await tracking.experiment(named: fields.required("experiment_name"), by: caller)
        return .object { $0.field("experiment") { $0.experiment(experiment) } }
    }

    @Sendable private func search(_ fields: Fields, caller: Caller) async throws -> JSON {
        let (limit, offset) = (try fields.limit(default: nil, max: 50_000), try fields.offset())
        let page = try await tracking.searchExperiments(
            filter: fields.string("filter") ?? "", orderBy: fields.strings("order_by"), view: fields.lifecycleView("view_type"), limit: limit, offset: offset,
            by: caller)
        return .object { json in
            json.list("experiments", page.items) { $0.experiment($1) }
            if page.hasMore { json.field("next_page_token", PageToken.make(offset + limit)) }
        }
    }

    @Sendable private func update(_ fields: Fields, caller: Caller) async throws -> JSON {
        let id = try fields.required("experiment_id")
        if let name = try fields.string("new_name") { try await tracking.renameExperiment(id, to: name, by: caller) }
        return .empty
    }

    @Sendable private func delete(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await tracking.deleteExperiment(fields.required("experiment_id"), by: caller)
        return .empty
    }

    @Sendable private func restore(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await tracking.restoreExperiment(fields.required("experiment_id"), by: caller)
        return .empty
    }

    @Sendable private func setTag(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await tracking.setExperimentTag(fields.required("key"), fields.string("value") ?? "", of: fields.required("experiment_id"), by: caller)
        return .empty
    }

    @Sendable private func deleteTag(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await tracking.deleteExperimentTag(fields.required("key"), of: fields.required("experiment_id"), by: caller)
        return .empty
    }

    @Sendable func searchDatasets(_ fields: Fields, caller: Caller) async throws -> JSON {
        let experiments = try fields.strings("experiment_ids")
        guard !experiments.isEmpty else { throw SlipwayError.invalid("SearchDatasets request must specify at least one experiment_id.") }
        guard experiments.count <= 20 else {
            throw SlipwayError.invalid("SearchDatasets request cannot specify more than 20 experiment_ids. Received \(experiments.count) experiment_ids.")
        }
        let found = try await tracking.datasets(of: experiments, by: caller)
        return .object { json in
            json.list("dataset_summaries", found) { json, summary in
                json.field("experiment_id", summary.experiment)
                json.field("name", summary.name)
                json.field("digest", summary.digest)
                json.field("context", summary.context)
            }
        }
    }
}

extension Fields {
    func lifecycleView(_ name: String) throws -> LifecycleView {
        let text = try view(name)
        guard let view = LifecycleView(rawValue: text) else { throw wrong(name, .string(text)) }
        return view
    }
}
