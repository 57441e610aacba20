import HTTPTypes
import SlipwayCore

/// What a request needs under `--auth basic`, by the pattern of its address: MLflow's own table.
enum LevelRule: Sendable, Hashable {
    /// Whoever has an account.
    case anybody
    case administrator
    case experiment(AccessLevel, field: String = "experiment_id")
    case experimentNamed(AccessLevel)
    case experiments(AccessLevel, field: String)
    case run(AccessLevel)
    case runs(AccessLevel, field: String)
    case loggedModel(AccessLevel)
    case model(AccessLevel)
    /// A new version: of a model that may be edited, from what may be read.
    case version
    case artifact(AccessLevel)
    /// A new trace, of the experiment that it names.
    case trace
    /// Makes something, which the caller then manages.
    case making(LevelResource.Kind)
    case deletingModel, renamingModel
    /// Hides what may not be read, and fills the page up again.
    case searching(LevelResource.Kind, list: String, id: String, standardLimit: Int?)
    /// Leaves experiments out that may not be read.
    case searchingIn
    /// Everything of the implicit project, because it is not known what the request is about.
    case everything(AccessLevel)

    static func rule(_ method: HTTPRequest.Method, _ path: String) -> LevelRule {
        if path.hasPrefix("mlflow-artifacts/") || path.hasPrefix("artifact/") {
            return .artifact(method == .get || method == .head ? .read : method == .delete ? .manage : .edit)
        }
        if path.hasPrefix("mlflow/users/") || path.contains("/permissions/") || path.hasPrefix("mlflow/roles/") || path.hasPrefix("mlflow/workspaces")
            || path == "mlflow/server-info"
        {
            return .anybody
        }
        if path.hasPrefix("mlflow/webhooks") { return .administrator }
        return table["\(method.rawValue) \(path)"] ?? table[path] ?? .everything(method == .get ? .read : .edit)
    }

    private static let table: [String: LevelRule] = [
        "POST mlflow/traces": .trace,
        "v1/traces": .trace,
        "mlflow/traces/search": .everything(.read),
        "mlflow/traces/batchGetInfos": .everything(.read),
        "mlflow/traces/metrics": .everything(.read),
        "mlflow/traces/calculate-filter-correlation": .everything(.read),
        "mlflow/datasets/search": .everything(.read),
        "mlflow/experiments/create": .making(.experiment),
        "mlflow/experiments/get": .experiment(.read),
        "mlflow/experiments/get-by-name": .experimentNamed(.read),
        "mlflow/experiments/search": .searching(.experiment, list: "experiments", id: "experiment_id", standardLimit: nil),
        "mlflow/experiments/update": .experiment(.edit),
        "mlflow/experiments/delete": .experiment(.manage),
        "mlflow/experiments/restore": .experiment(.manage),
        "mlflow/experiments/set-experiment-tag": .experiment(.edit),
        "mlflow/experiments/delete-experiment-tag": .experiment(.edit),
        "mlflow/experiments/search-datasets": .experiments(.read, field: "experiment_ids"),
        "mlflow/runs/create": .experiment(.edit),
        "mlflow/runs/get": .run(.read),
        "mlflow/runs/update": .run(.edit),
        "mlflow/runs/delete": .run(.manage),
        "mlflow/runs/restore": .run(.manage),
        "mlflow/runs/search": .searchingIn,
        "mlflow/runs/log-metric": .run(.edit),
        "mlflow/runs/log-parameter": .run(.edit),
        "mlflow/runs/log-batch": .run(.edit),
        "mlflow/runs/log-model": .run(.edit),
        "mlflow/runs/log-inputs": .run(.edit),
        "mlflow/runs/outputs": .run(.edit),
        "mlflow/runs/set-tag": .run(.edit),
        "mlflow/runs/delete-tag": .run(.edit),
        "mlflow/metrics/get-history": .run(.read),
        "mlflow/metrics/get-history-bulk": .runs(.read, field: "run_id"),
        "mlflow/metrics/get-history-bulk-interval": .runs(.read, field: "run_ids"),
        "mlflow/artifacts/list": .run(.read),
        "mlflow/upload-artifact": .run(.edit),
        "mlflow/artifacts/presigned-upload-url": .run(.edit),
        "mlflow/artifacts/presigned-download-url": .run(.read),
        "get-artifact": .run(.read),
        "model-versions/get-artifact": .model(.read),
        "POST mlflow/logged-models": .experiment(.edit),
        "mlflow/logged-models/search": .searchingIn,
        "GET mlflow/logged-models/{model_id}": .loggedModel(.read),
        "PATCH mlflow/logged-models/{model_id}": .loggedModel(.edit),
        "DELETE mlflow/logged-models/{model_id}": .loggedModel(.manage),
        "mlflow/logged-models/{model_id}/tags": .loggedModel(.edit),
        "mlflow/logged-models/{model_id}/tags/{tag_key}": .loggedModel(.manage),
        "mlflow/logged-models/{model_id}/params": .loggedModel(.edit),
        "mlflow/logged-models/{model_id}/artifacts/directories": .loggedModel(.read),
        "mlflow/logged-models/{model_id}/artifacts/files": .loggedModel(.read),
        "mlflow/registered-models/create": .making(.registeredModel),
        "mlflow/registered-models/get": .model(.read),
        "mlflow/registered-models/search": .searching(.registeredModel, list: "registered_models", id: "name", standardLimit: 100),
        "mlflow/registered-models/update": .model(.edit),
        "mlflow/registered-models/rename": .renamingModel,
        "mlflow/registered-models/delete": .deletingModel,
        "mlflow/registered-models/set-tag": .model(.edit),
        "mlflow/registered-models/delete-tag": .model(.edit),
        "GET mlflow/registered-models/alias": .model(.read),
        "POST mlflow/registered-models/alias": .model(.edit),
        "DELETE mlflow/registered-models/alias": .model(.manage),
        "mlflow/registered-models/get-latest-versions": .model(.read),
        "mlflow/model-versions/create": .version,
        "mlflow/model-versions/get": .model(.read),
        "mlflow/model-versions/search": .searching(.registeredModel, list: "model_versions", id: "name", standardLimit: 10_000),
        "mlflow/model-versions/update": .model(.edit),
        "mlflow/model-versions/delete": .model(.manage),
        "mlflow/model-versions/transition-stage": .model(.edit),
        "mlflow/model-versions/get-download-uri": .model(.read),
        "mlflow/model-versions/set-tag": .model(.edit),
        "mlflow/model-versions/delete-tag": .model(.manage),
    ]
}
