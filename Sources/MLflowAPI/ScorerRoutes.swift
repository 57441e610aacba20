import HTTPTypes
import Hummingbird
import SlipwayCore
import SlipwayHTTP
import Tracking

/// `mlflow/scorers/…`
struct ScorerRoutes: Sendable {
    let realm: MLflowRealm
    private var tracking: TrackingService { realm.tracking }

    init(realm: MLflowRealm) { self.realm = realm }

    func add(to router: MLflowRouter<some Any>) {
        router.on(.post, "mlflow/scorers/register", register)
        router.on(.get, "mlflow/scorers/list", list)
        router.on(.get, "mlflow/scorers/versions", versions)
        router.on(.get, "mlflow/scorers/get", get)
        router.on(.delete, "mlflow/scorers/delete", delete)
        router.raw(.put, "mlflow/scorers/online-config", configure)
    }

    @Sendable private func register(_ fields: Fields, caller: Caller) async throws -> JSON {
        let made = try await tracking.registerScorer(
            fields.string("name") ?? "", experiment: fields.required("experiment_id"), serialized: fields.required("serialized_scorer"), by: caller)
        return .object { json in
            json.field("version", Int64(made.version))
            json.field("scorer_id", made.id)
            json.field("experiment_id", made.experiment)
            json.field("name", made.name)
            json.field("serialized_scorer", made.serialized)
            json.field("creation_time", made.createdAt.milliseconds)
        }
    }

    @Sendable private func list(_ fields: Fields, caller: Caller) async throws -> JSON {
        let ids = try fields.strings("experiment_ids")
        var found: [ScorerVersion] = []
        for id in ids.isEmpty ? [try fields.required("experiment_id")] : Array(ids.prefix(100)) { found += try await tracking.scorers(in: id, by: caller) }
        return .object { json in json.list("scorers", found) { $0.scorer($1) } }
    }

    @Sendable private func versions(_ fields: Fields, caller: Caller) async throws -> JSON {
        let found = try await tracking.scorerVersions(fields.required("name"), in: fields.required("experiment_id"), by: caller)
        return .object { json in json.list("scorers", found) { $0.scorer($1) } }
    }

    @Sendable private func get(_ fields: Fields, caller: Caller) async throws -> JSON {
        let found = try await tracking.scorer(
            fields.required("name"), version: fields.int("version").map { Int(clamping: $0) }, in: fields.required("experiment_id"), by: caller)
        return .object { $0.field("scorer") { $0.scorer(found) } }
    }

    /// Nothing scores traces as they come here, and that is said.
    @Sendable private func configure(_ request: Request, context: SlipwayContext) async throws -> Response {
        let fields = try await Fields(request, context: context)
        _ = try await tracking.scorer(fields.required("name"), version: nil, in: fields.required("experiment_id"), by: context.caller)
        return MLflowErrorMiddleware.response("NOT_IMPLEMENTED", .notImplemented, "Slipway runs no scorers on arriving traces: score them from your own job.")
    }

    @Sendable private func delete(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await tracking.deleteScorer(
            fields.required("name"), version: fields.int("version").map { Int(clamping: $0) }, in: fields.required("experiment_id"), by: caller)
        return .empty
    }
}

extension JSON {
    fileprivate mutating func scorer(_ scorer: ScorerVersion) {
        // A number here, unlike everywhere else.
        field("experiment_id", Int64(scorer.experiment))
        field("scorer_name", scorer.name)
        field("scorer_version", Int64(scorer.version))
        field("serialized_scorer", scorer.serialized)
        field("creation_time", scorer.createdAt.milliseconds)
        field("scorer_id", scorer.id)
    }
}
