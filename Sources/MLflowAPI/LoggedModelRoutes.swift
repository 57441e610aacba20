import HTTPTypes
import Hummingbird
import SlipwayCore
import SlipwayHTTP
import Tracking

/// `mlflow/logged-models/…`
struct LoggedModelRoutes: Sendable {
    let realm: MLflowRealm
    private var tracking: TrackingService { realm.tracking }

    init(realm: MLflowRealm) { self.realm = realm }

    func add(to router: MLflowRouter<some Any>) {
        router.on(.post, "mlflow/logged-models", create)
        router.on(.post, "mlflow/logged-models/search", search)
        router.on(.get, "mlflow/logged-models/{model_id}", get)
        router.on(.patch, "mlflow/logged-models/{model_id}", finalize)
        router.on(.delete, "mlflow/logged-models/{model_id}", delete)
        router.on(.patch, "mlflow/logged-models/{model_id}/tags", setTags)
        router.on(.delete, "mlflow/logged-models/{model_id}/tags/{tag_key}", deleteTag)
        router.on(.post, "mlflow/logged-models/{model_id}/params", logParams)
        router.on(.get, "mlflow/logged-models/{model_id}/artifacts/directories", listArtifacts)
        router.raw(.get, "mlflow/logged-models/{model_id}/artifacts/files", file)
    }

    private func reply(_ record: LoggedModelRecord) -> JSON { .object { $0.field("model") { $0.loggedModel(record) } } }

    @Sendable private func create(_ fields: Fields, caller: Caller) async throws -> JSON {
        let record = try await tracking.createLoggedModel(
            experiment: fields.required("experiment_id"), name: fields.string("name") ?? "", modelType: fields.string("model_type") ?? "",
            sourceRun: fields.string("source_run_id").flatMap { $0.isEmpty ? nil : $0 }, params: fields.pairs("params"), tags: fields.pairs("tags"), by: caller)
        return reply(record)
    }

    @Sendable private func get(_ fields: Fields, caller: Caller) async throws -> JSON {
        reply(try await tracking.loggedModel(fields.required("model_id"), by: caller))
    }

    @Sendable private func finalize(_ fields: Fields, caller: Caller) async throws -> JSON {
        let text = try fields.required("status")
        guard let status = LoggedModelStatus(rawValue: text), status != .pending else { throw fields.wrong("status", .string(text)) }
        return reply(try await tracking.finalizeLoggedModel(fields.required("model_id"), status: status, by: caller))
    }

    @Sendable private func delete(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await tracking.deleteLoggedModel(fields.required("model_id"), by: caller)
        return .empty
    }

    @Sendable private func setTags(_ fields: Fields, caller: Caller) async throws -> JSON {
        reply(try await tracking.setTags(fields.pairs("tags"), ofLoggedModel: fields.required("model_id"), by: caller))
    }

    @Sendable private func deleteTag(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await tracking.deleteTag(fields.required("tag_key"), ofLoggedModel: fields.required("model_id"), by: caller)
        return .empty
    }

    @Sendable private func logParams(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await tracking.logParams(fields.pairs("params"), ofLoggedModel: fields.required("model_id"), by: caller)
        return .empty
    }

    @Sendable private func search(_ fields: Fields, caller: Caller) async throws -> JSON {
        let filter = try fields.string("filter") ?? ""
        let experiments = try fields.strings("experiment_ids")
        let orders = try fields.messages("order_by").map { order in
            let (name, isAscending) = (try order.required("field_name"), try order.bool("ascending") ?? true)
            return ModelOrder(
                order: try SearchOrder(parsing: "\(name) \(isAscending ? "ASC" : "DESC")", for: .loggedModels), dataset: try order.string("dataset_name"),
                digest: try order.string("dataset_digest"))
        }
        let query: KeyValuePairs = [
            "Experiment IDs": experiments.joined(separator: "\u{0}"), "Order by": orders.map { "\($0)" }.joined(separator: "\u{0}"), "Filter string": filter,
        ]
        let limit = try fields.limit(default: 100, max: 50_000)
        let offset = try fields.string("page_token").flatMap { $0.isEmpty ? nil : try PageToken.offset($0, parts: query) } ?? 0
        let datasets = try fields.messages("datasets").map { (name: try $0.required("dataset_name"), digest: try $0.string("dataset_digest")) }
        let page = try await tracking.searchLoggedModels(
            filter: filter, orders: orders, experiments: experiments, datasets: datasets, limit: limit, offset: offset, by: caller)
        return .object { json in
            json.list("models", page.items) { $0.loggedModel($1) }
            if page.hasMore { json.field("next_page_token", PageToken.make(offset + limit, parts: query)) }
        }
    }

    @Sendable private func listArtifacts(_ fields: Fields, caller: Caller) async throws -> JSON {
        let path = try fields.string("artifact_directory_path").flatMap { $0.isEmpty ? nil : $0 }
        let found = try await tracking.listArtifacts(ofLoggedModel: fields.required("model_id"), path: path, by: caller)
        return .object { json in
            json.field("root_uri", found.root)
            json.files(found.entries, below: path)
        }
    }

    @Sendable private func file(_ request: Request, context: SlipwayContext) async throws -> Response {
        let fields = try await Fields(request, context: context)
        let file = try await tracking.artifact(fields.required("artifact_file_path"), ofLoggedModel: fields.required("model_id"), by: context.caller)
        return try await FileReply.send(file, for: request, context: context)
    }
}
