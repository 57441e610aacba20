import Foundation
import HTTPTypes
import Hummingbird
import SlipwayCore
import SlipwayHTTP
import Tracking

/// `mlflow/gateway/…`: secrets, model definitions, endpoints and bindings are kept; no provider is ever called.
struct GatewayRoutes: Sendable {
    let gateway: GatewaySettings

    init(realm: MLflowRealm) { gateway = GatewaySettings(realm.tracking) }

    typealias Body = GatewaySettings.Body

    func add(to router: MLflowRouter<some Any>) {
        addSecrets(to: router)
        addModels(to: router)
        addEndpoints(to: router)
        addBindings(to: router)
        addLists(to: router)
    }

    private func addSecrets(to router: MLflowRouter<some Any>) {
        let gateway = gateway
        router.value(.post, "mlflow/gateway/secrets/create") { fields, caller in
            let body = try fields.kept(["provider", "created_by"], maps: ["auth_config"])
            return ["secret": .object(try await gateway.createSecret(name: fields.required("secret_name"), value: fields.texts("secret_value"), body: body, by: caller))]
        }
        router.value(.post, "mlflow/gateway/secrets/update") { fields, caller in
            let changes = try fields.kept(["last_updated_by"], maps: ["auth_config"], renamed: ["updated_by": "last_updated_by"])
            return ["secret": .object(try await gateway.updateSecret(fields.required("secret_id"), value: fields.texts("secret_value"), changes: changes, by: caller))]
        }
        router.value(.get, "mlflow/gateway/secrets/get") { fields, caller in
            ["secret": .object(try await gateway.secret(id: fields.text("secret_id"), name: fields.text("secret_name"), by: caller))]
        }
        router.value(.get, "mlflow/gateway/secrets/list") { fields, caller in
            .list("secrets", try await gateway.secrets(provider: fields.text("provider"), by: caller))
        }
        router.value(.delete, "mlflow/gateway/secrets/delete") { fields, caller in
            try await gateway.deleteSecret(fields.required("secret_id"), by: caller)
            return [:]
        }
    }

    private func addModels(to router: MLflowRouter<some Any>) {
        let gateway = gateway
        router.value(.post, "mlflow/gateway/model-definitions/create") { fields, caller in
            let body = try fields.kept(["secret_id", "provider", "model_name", "created_by"])
            for name in ["provider", "model_name"] { _ = try fields.required(name) }
            return ["model_definition": .object(try await gateway.createModel(name: fields.required("name"), secret: fields.text("secret_id"), body: body, by: caller))]
        }
        router.value(.get, "mlflow/gateway/model-definitions/get") { fields, caller in
            ["model_definition": .object(try await gateway.model(fields.required("model_definition_id"), by: caller))]
        }
        router.value(.get, "mlflow/gateway/model-definitions/list") { fields, caller in
            .list("model_definitions", try await gateway.models(provider: fields.text("provider"), secret: fields.text("secret_id"), by: caller))
        }
        router.value(.post, "mlflow/gateway/model-definitions/update") { fields, caller in
            let changes = try fields.kept(["secret_id", "provider", "model_name"], renamed: ["updated_by": "last_updated_by"])
            return [
                "model_definition": .object(
                    try await gateway.updateModel(fields.required("model_definition_id"), name: fields.text("name"), changes: changes, by: caller))
            ]
        }
        router.value(.delete, "mlflow/gateway/model-definitions/delete") { fields, caller in
            try await gateway.deleteModel(fields.required("model_definition_id"), by: caller)
            return [:]
        }
    }

    private func addEndpoints(to router: MLflowRouter<some Any>) {
        let gateway = gateway
        router.value(.post, "mlflow/gateway/endpoints/create") { fields, caller in
            let endpoint = try await gateway.createEndpoint(
                name: fields.required("name"), models: try fields.messages("model_configs").map { try $0.model() }, body: try fields.endpoint(), by: caller)
            return ["endpoint": .object(endpoint)]
        }
        router.value(.post, "mlflow/gateway/endpoints/update") { fields, caller in
            let endpoint = try await gateway.updateEndpoint(
                fields.required("endpoint_id"), name: fields.text("name"), models: try fields.messages("model_configs").map { try $0.model() },
                changes: try fields.endpoint(), by: caller)
            return ["endpoint": .object(endpoint)]
        }
        router.value(.get, "mlflow/gateway/endpoints/get") { fields, caller in
            ["endpoint": .object(try await gateway.endpoint(id: fields.text("endpoint_id"), name: fields.text("name"), by: caller))]
        }
        router.value(.get, "mlflow/gateway/endpoints/list") { fields, caller in
            .list("endpoints", try await gateway.endpoints(provider: fields.text("provider"), secret: fields.text("secret_id"), by: caller))
        }
        router.value(.delete, "mlflow/gateway/endpoints/delete") { fields, caller in
            try await gateway.deleteEndpoint(fields.required("endpoint_id"), by: caller)
            return [:]
        }
        router.value(.post, "mlflow/gateway/endpoints/models/attach") { fields, caller in
            guard let model = try fields.message("model_config") else { throw TrackingRules.missing("model_config") }
            return ["mapping": .object(try await gateway.attach(model.model(), to: fields.required("endpoint_id"), by: caller))]
        }
        router.value(.post, "mlflow/gateway/endpoints/models/detach") { fields, caller in
            try await gateway.detach(fields.required("model_definition_id"), from: fields.required("endpoint_id"), by: caller)
            return [:]
        }
        router.value(.post, "mlflow/gateway/endpoints/set-tag") { fields, caller in
            try await gateway.setTag(fields.required("key"), fields.string("value") ?? "", of: fields.required("endpoint_id"), by: caller)
            return [:]
        }
        router.value(.delete, "mlflow/gateway/endpoints/delete-tag") { fields, caller in
            try await gateway.setTag(fields.required("key"), nil, of: fields.required("endpoint_id"), by: caller)
            return [:]
        }
    }

    private func addBindings(to router: MLflowRouter<some Any>) {
        let gateway = gateway
        router.value(.post, "mlflow/gateway/endpoints/bindings/create") { fields, caller in
            let body = try fields.kept(["created_by", "display_name"])
            let binding = try await gateway.bind(
                fields.required("endpoint_id"), type: fields.required("resource_type"), resource: fields.required("resource_id"), body: body, by: caller)
            return ["binding": .object(binding)]
        }
        router.value(.delete, "mlflow/gateway/endpoints/bindings/delete") { fields, caller in
            try await gateway.unbind(
                fields.required("endpoint_id"), type: fields.required("resource_type"), resource: fields.required("resource_id"), by: caller)
            return [:]
        }
        router.value(.get, "mlflow/gateway/endpoints/bindings/list") { fields, caller in
            .list(
                "bindings",
                try await gateway.bindings(endpoint: fields.text("endpoint_id"), type: fields.text("resource_type"), resource: fields.text("resource_id"), by: caller))
        }
    }

    /// What MLflow's pages fill their forms with.
    private func addLists(to router: MLflowRouter<some Any>) {
        router.value(.get, "mlflow/gateway/supported-providers") { _, _ in ["providers": .array(Self.providers.map { .string($0) })] }
        router.value(.get, "mlflow/gateway/supported-models") { _, _ in ["models": []] }
        router.value(.get, "mlflow/gateway/provider-config") { fields, _ in Self.config(of: try fields.required("provider")) }
        router.value(.get, "mlflow/gateway/secrets/config") { _, _ in
            let isOwn = ProcessInfo.processInfo.environment["MLFLOW_CRYPTO_KEK_PASSPHRASE"]?.isEmpty == false
            return ["secrets_available": true, "using_default_passphrase": .bool(!isOwn)]
        }
    }

    private static let providers = [
        "anthropic", "azure", "bedrock", "cohere", "databricks", "deepseek", "fireworks_ai", "gemini", "groq", "mistral", "ollama", "openai", "openrouter",
        "perplexity", "replicate", "sagemaker", "together_ai", "vertex_ai", "watsonx", "xai",
    ]

    private static func config(of provider: String) -> JSONValue {
        let region = field("aws_region_name", "The region", isRequired: false)
        guard provider == "bedrock" || provider == "sagemaker" else {
            return [
                "auth_modes": [mode("api_key", "API key", [field("api_key", "The key", isRequired: true)], [field("api_base", "The address", isRequired: false)])],
                "default_mode": "api_key",
            ]
        }
        return [
            "auth_modes": [
                mode("api_key", "API key", [field("api_key", "The key", isRequired: true)], [field("aws_region_name", "The region", isRequired: true)]),
                mode(
                    "access_keys", "Access keys",
                    [field("aws_access_key_id", "The key's id", isRequired: true), field("aws_secret_access_key", "The secret key", isRequired: true)], [region]),
                mode("iam_role", "A role", [], [field("aws_role_name", "The role", isRequired: true), region]),
            ], "default_mode": "api_key",
        ]
    }

    private static func mode(_ name: String, _ title: String, _ secrets: [JSONValue], _ settings: [JSONValue]) -> JSONValue {
        ["mode": .string(name), "display_name": .string(title), "description": .string(title), "secret_fields": .array(secrets), "config_fields": .array(settings)]
    }

    private static func field(_ name: String, _ description: String, isRequired: Bool) -> JSONValue {
        ["name": .string(name), "type": "string", "description": .string(description), "required": .bool(isRequired)]
    }
}

extension MLflowRouter {
    /// For handlers that answer in JSON of their own making.
    func value(_ method: HTTPRequest.Method, _ path: String, _ handler: @escaping @Sendable (Fields, Caller) async throws -> JSONValue) {
        raw(method, path) { request, context in
            let value = try await handler(Fields(request, context: context), context.caller)
            var response = Response.plain(try CanonicalJSON.text(value))
            response.headers[.contentType] = "application/json"
            return response
        }
    }
}

extension JSONValue {
    /// A repeated field; left out when it is empty.
    fileprivate static func list(_ name: String, _ items: [[String: JSONValue]]) -> JSONValue {
        items.isEmpty ? [:] : .object([name: .array(items.map { .object($0) })])
    }
}

extension Fields {
    /// Nil when it is empty, too.
    fileprivate func text(_ name: String) throws -> String? { try string(name).flatMap { $0.isEmpty ? nil : $0 } }

    /// A map of texts.
    fileprivate func texts(_ name: String) throws -> [String: String] {
        try message(name)?.members.mapValues { value in
            guard let text = value.string else { throw wrong(name, value) }
            return text
        } ?? [:]
    }

    /// What is kept as it was sent, by its name.
    fileprivate func kept(_ names: [String], maps: [String] = [], renamed: [String: String] = [:]) throws -> [String: JSONValue] {
        var kept: [String: JSONValue] = [:]
        for name in names { kept[name] = try text(name).map { .string($0) } }
        for (name, other) in renamed { kept[other] = try text(name).map { .string($0) } }
        for name in maps where try message(name) != nil { kept[name] = .object(try texts(name).mapValues { .string($0) }) }
        return kept
    }

    fileprivate func model() throws -> [String: JSONValue] {
        var kept: [String: JSONValue] = ["model_definition_id": .string(try required("model_definition_id"))]
        kept["linkage_type"] = .string(try text("linkage_type") ?? "PRIMARY")
        kept["weight"] = .number(try double("weight") ?? 1)
        kept["fallback_order"] = try int("fallback_order").map { .integer($0) }
        return kept
    }

    fileprivate func endpoint() throws -> [String: JSONValue] {
        var kept = try kept(["created_by", "routing_strategy", "experiment_id"], renamed: ["updated_by": "last_updated_by"])
        kept["usage_tracking"] = try bool("usage_tracking").map { .bool($0) }
        if let fallback = try message("fallback_config") {
            var settings: [String: JSONValue] = [:]
            settings["strategy"] = try fallback.text("strategy").map { .string($0) }
            settings["max_attempts"] = try fallback.int("max_attempts").map { .integer($0) }
            kept["fallback_config"] = .object(settings)
        }
        return kept
    }
}
