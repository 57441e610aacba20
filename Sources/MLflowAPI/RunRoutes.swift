import HTTPTypes
import SlipwayCore
import Tracking

/// `mlflow/runs/…` besides metrics, params and tags.
struct RunRoutes: Sendable {
    let realm: MLflowRealm
    private var tracking: TrackingService { realm.tracking }

    init(realm: MLflowRealm) { self.realm = realm }

    func add(to router: MLflowRouter<some Any>) {
        router.on(.post, "mlflow/runs/create", create)
        router.on(.post, "mlflow/runs/update", update)
        router.on(.get, "mlflow/runs/get", get)
        router.on(.post, "mlflow/runs/search", search)
        router.on(.post, "mlflow/runs/delete", delete)
        router.on(.post, "mlflow/runs/restore", restore)
        router.on(.post, "mlflow/runs/log-inputs", logInputs)
        router.on(.post, "mlflow/runs/outputs", logOutputs)
        router.on(.post, "mlflow/runs/log-model", logModel)
        router.on(.get, "mlflow/artifacts/list", listArtifacts)
    }

    @Sendable private func create(_ fields: Fields, caller: Caller) async throws -> JSON {
        let record = try await tracking.createRun(
            experiment: fields.required("experiment_id"), user: fields.string("user_id") ?? "", name: fields.string("run_name"),
            startedAt: fields.int("start_time") ?? 0, tags: fields.pairList("tags"), by: caller)
        return .object { $0.field("run") { $0.run(record) } }
    }

    @Sendable private func update(_ fields: Fields, caller: Caller) async throws -> JSON {
        let run = try await tracking.updateRun(
            fields.runID(), status: try fields.status(), endedAt: fields.int("end_time"), name: fields.string("run_name").flatMap { $0.isEmpty ? nil : $0 },
            by: caller)
        return .object { $0.field("run_info") { $0.runInfo(run) } }
    }

    @Sendable func get(_ fields: Fields, caller: Caller) async throws -> JSON {
        let record = try await tracking.run(fields.runID(), by: caller)
        return .object { $0.field("run") { $0.run(record) } }
    }

    @Sendable func search(_ fields: Fields, caller: Caller) async throws -> JSON {
        let (limit, offset) = (try fields.limit(default: 1000, max: 50_000), try fields.offset())
        let page = try await tracking.searchRuns(
            filter: fields.string("filter") ?? "", orderBy: fields.strings("order_by"), experiments: fields.strings("experiment_ids"),
            view: fields.lifecycleView("run_view_type"), limit: limit, offset: offset, by: caller)
        return .object { json in
            json.list("runs", page.items) { $0.run($1) }
            if page.hasMore { json.field("next_page_token", PageToken.make(offset + limit)) }
        }
    }

    @Sendable private func delete(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await tracking.deleteRun(fields.runID(), by: caller)
        return .empty
    }

    @Sendable private func restore(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await tracking.restoreRun(fields.runID(), by: caller)
        return .empty
    }

    @Sendable private func logInputs(_ fields: Fields, caller: Caller) async throws -> JSON {
        let datasets = try fields.messages("datasets").map { input in
            let dataset = try input.message("dataset") ?? Fields([:])
            return DatasetInput(
                name: try dataset.string("name") ?? "", digest: try dataset.string("digest") ?? "", sourceType: try dataset.string("source_type") ?? "",
                source: try dataset.string("source") ?? "", schema: try dataset.string("schema"), profile: try dataset.string("profile"),
                tags: try input.pairs("tags"))
        }
        try await tracking.logInputs(datasets, models: fields.links("models"), of: fields.runID(), by: caller)
        return .empty
    }

    @Sendable private func logOutputs(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await tracking.logOutputs(fields.links("models"), of: fields.runID(), by: caller)
        return .empty
    }

    @Sendable private func logModel(_ fields: Fields, caller: Caller) async throws -> JSON {
        let text = try fields.required("model_json")
        guard let json = try? JSONCursor.parse(Array(text.utf8)), json.object != nil else {  // any damage is the same error
            throw SlipwayError.invalid("Malformed model info. \n \(text.prefix(200)) is not a valid JSON object.")
        }
        for key in ["artifact_path", "flavors", "utc_time_created", "run_id"] where json[key] == nil {
            throw SlipwayError.invalid("Model json is missing mandatory fields: ['\(key)']")
        }
        try await tracking.appendModelHistory(json, of: fields.runID(), by: caller)
        return .empty
    }

    @Sendable func listArtifacts(_ fields: Fields, caller: Caller) async throws -> JSON {
        let path = try fields.string("path").flatMap { $0.isEmpty ? nil : $0 }
        let found = try await tracking.listArtifacts(ofRun: fields.runID(), path: path, by: caller)
        return .object { json in
            json.field("root_uri", found.root)
            json.files(found.entries, below: path)
        }
    }
}

extension Fields {
    /// A run's status by name or number; unset stays unset.
    fileprivate func status() throws -> RunStatus? {
        if let number = try? int("status") {  // a name is no number
            guard (1...5).contains(number) else { throw wrong("status", .integer(number)) }
            return RunStatus.allCases[Int(number) - 1]
        }
        return try string("status").map { text in
            guard let status = RunStatus(rawValue: text) else { throw wrong("status", .string(text)) }
            return status
        }
    }

    fileprivate func links(_ name: String) throws -> [ModelLink] {
        try messages(name).map { ModelLink(model: try $0.required("model_id"), step: try $0.int("step") ?? 0) }
    }
}
