import HTTPTypes
import Registry
import SlipwayCore
import Tracking

/// `mlflow/registered-models/…` and `mlflow/model-versions/…`
struct RegistryRoutes: Sendable {
    let realm: MLflowRealm
    private var registry: RegistryService { realm.registry }

    init(realm: MLflowRealm) { self.realm = realm }

    func add(to router: MLflowRouter<some Any>) {
        router.on(.post, "mlflow/registered-models/create", createModel)
        router.on(.get, "mlflow/registered-models/get", getModel)
        router.on(.get, "mlflow/registered-models/search", searchModels)
        router.on(.patch, "mlflow/registered-models/update", updateModel)
        router.on(.post, "mlflow/registered-models/rename", renameModel)
        router.on(.delete, "mlflow/registered-models/delete", deleteModel)
        router.on(.post, "mlflow/registered-models/set-tag", setModelTag)
        router.on(.delete, "mlflow/registered-models/delete-tag", deleteModelTag)
        router.on(.post, "mlflow/registered-models/alias", setAlias)
        router.on(.delete, "mlflow/registered-models/alias", deleteAlias)
        router.on(.get, "mlflow/registered-models/alias", getAlias)
        router.on(.post, "mlflow/registered-models/get-latest-versions", latestVersions)
        router.on(.get, "mlflow/registered-models/get-latest-versions", latestVersions)
        router.on(.post, "mlflow/model-versions/create", createVersion)
        router.on(.get, "mlflow/model-versions/get", getVersion)
        router.on(.get, "mlflow/model-versions/search", searchVersions)
        router.on(.patch, "mlflow/model-versions/update", updateVersion)
        router.on(.delete, "mlflow/model-versions/delete", deleteVersion)
        router.on(.post, "mlflow/model-versions/transition-stage", transition)
        router.on(.get, "mlflow/model-versions/get-download-uri", downloadURI)
        router.on(.post, "mlflow/model-versions/set-tag", setVersionTag)
        router.on(.delete, "mlflow/model-versions/delete-tag", deleteVersionTag)
    }

    // MARK: Models

    private func reply(_ page: RegistryPage) -> JSON { .object { $0.field("registered_model") { $0.registeredModel(page) } } }
    private func reply(_ version: ModelVersion) -> JSON { .object { $0.field("model_version") { $0.modelVersion(version) } } }

    @Sendable private func createModel(_ fields: Fields, caller: Caller) async throws -> JSON {
        let model = try await registry.createModel(fields.required("name"), description: fields.string("description"), tags: fields.pairs("tags"), by: caller)
        return reply(RegistryPage(model: model, latest: []))
    }

    @Sendable private func getModel(_ fields: Fields, caller: Caller) async throws -> JSON {
        reply(try await registry.model(fields.required("name"), by: caller))
    }

    @Sendable private func searchModels(_ fields: Fields, caller: Caller) async throws -> JSON {
        let (limit, offset) = (try fields.limit(default: 100, max: 1000), try fields.offset())
        let page = try await registry.searchModels(
            filter: fields.string("filter") ?? "", orderBy: fields.strings("order_by"), limit: limit, offset: offset, by: caller)
        return .object { json in
            json.list("registered_models", page.items) { $0.registeredModel($1) }
            if page.hasMore { json.field("next_page_token", PageToken.make(offset + limit)) }
        }
    }

    @Sendable private func updateModel(_ fields: Fields, caller: Caller) async throws -> JSON {
        reply(try await registry.updateModel(fields.required("name"), description: fields.string("description"), by: caller))
    }

    @Sendable private func renameModel(_ fields: Fields, caller: Caller) async throws -> JSON {
        reply(try await registry.renameModel(fields.required("name"), to: fields.required("new_name"), by: caller))
    }

    @Sendable private func deleteModel(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await registry.deleteModel(fields.required("name"), by: caller)
        return .empty
    }

    @Sendable private func setModelTag(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await registry.setTag(fields.required("key"), fields.string("value") ?? "", of: fields.required("name"), by: caller)
        return .empty
    }

    @Sendable private func deleteModelTag(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await registry.deleteTag(fields.required("key"), of: fields.required("name"), by: caller)
        return .empty
    }

    // MARK: Aliases

    @Sendable private func setAlias(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await registry.move(alias: fields.required("alias"), of: fields.required("name"), to: fields.version(), by: caller)
        return .empty
    }

    @Sendable private func deleteAlias(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await registry.delete(alias: fields.required("alias"), of: fields.required("name"), by: caller)
        return .empty
    }

    @Sendable private func getAlias(_ fields: Fields, caller: Caller) async throws -> JSON {
        reply(try await registry.version(alias: fields.required("alias"), of: fields.required("name"), by: caller))
    }

    @Sendable private func latestVersions(_ fields: Fields, caller: Caller) async throws -> JSON {
        let versions = try await registry.latestVersions(of: fields.required("name"), stages: fields.strings("stages"), by: caller)
        return .object { $0.list("model_versions", versions) { $0.modelVersion($1) } }
    }

    // MARK: Versions

    @Sendable private func createVersion(_ fields: Fields, caller: Caller) async throws -> JSON {
        let source = try fields.required("source")
        guard realm.settings.allows(source: source) else {
            throw SlipwayError.invalid(
                "Invalid model version source: '\(source.prefix(200))'. This server takes sources that match '\(realm.settings.sourcePattern ?? "")' only.")
        }
        let nonEmpty = { (name: String) in try fields.string(name).flatMap { $0.isEmpty ? nil : $0 } }
        let version = try await registry.createVersion(
            NewModelVersion(
                name: fields.required("name"), source: source, run: nonEmpty("run_id"), loggedModel: nonEmpty("model_id"),
                runLink: nonEmpty("run_link"), description: nonEmpty("description"), tags: fields.pairs("tags")),
            by: caller)
        return reply(version)
    }

    @Sendable private func getVersion(_ fields: Fields, caller: Caller) async throws -> JSON {
        reply(try await registry.version(fields.version(), of: fields.required("name"), by: caller))
    }

    @Sendable func searchVersions(_ fields: Fields, caller: Caller) async throws -> JSON {
        let (limit, offset) = (try fields.limit(default: 10_000, max: 200_000), try fields.offset())
        let page = try await registry.searchVersions(
            filter: fields.string("filter") ?? "", orderBy: fields.strings("order_by"), limit: limit, offset: offset, by: caller)
        return .object { json in
            json.list("model_versions", page.items) { $0.modelVersion($1) }
            if page.hasMore { json.field("next_page_token", PageToken.make(offset + limit)) }
        }
    }

    @Sendable private func updateVersion(_ fields: Fields, caller: Caller) async throws -> JSON {
        reply(try await registry.updateVersion(fields.version(), of: fields.required("name"), description: fields.string("description"), by: caller))
    }

    @Sendable private func deleteVersion(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await registry.deleteVersion(fields.version(), of: fields.required("name"), by: caller)
        return .empty
    }

    @Sendable private func transition(_ fields: Fields, caller: Caller) async throws -> JSON {
        reply(
            try await registry.transition(
                fields.version(), of: fields.required("name"), toStage: fields.required("stage"), archiveExisting: fields.bool("archive_existing_versions") ?? false,
                by: caller))
    }

    @Sendable private func downloadURI(_ fields: Fields, caller: Caller) async throws -> JSON {
        let root = try await registry.downloadRoot(fields.version(), of: fields.required("name"), by: caller)
        return .object { $0.field("artifact_uri", root) }
    }

    @Sendable private func setVersionTag(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await registry.setTag(
            fields.required("key"), fields.string("value") ?? "", of: fields.required("name"), version: fields.version(), by: caller)
        return .empty
    }

    @Sendable private func deleteVersionTag(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await registry.deleteTag(fields.required("key"), of: fields.required("name"), version: fields.version(), by: caller)
        return .empty
    }
}

extension Fields {
    /// A version's number, which travels as text.
    func version() throws -> Int {
        if let number = try? int("version"), number >= 1, number < 1 << 31 { return Int(number) }  // else it is said below what is wrong
        let text = try required("version")
        throw SlipwayError.invalid("Parameter 'version' must be an integer, got '\(text.prefix(80))'.")
    }
}
