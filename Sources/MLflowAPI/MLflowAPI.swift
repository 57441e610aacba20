// MLflowAPI: MLflow's REST API with its wire rules: decode, call one use case, encode.

import Access
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Registry
import SlipwayCore
import SlipwayHTTP
import Tracking
import Webhooks

/// The use cases behind one environment's tracking address.
package struct MLflowRealm: Sendable {
    let tracking: TrackingService
    let registry: RegistryService
    let webhooks: WebhookService

    let settings: MLflowSettings

    package init(tracking: TrackingService, registry: RegistryService, webhooks: WebhookService, settings: MLflowSettings = .process) {
        self.tracking = tracking
        self.registry = registry
        self.webhooks = webhooks
        self.settings = settings
    }
}

/// Mounts every environment's API below `/{env}`, and dev's at the root too, each for clients (`/api`) and for browsers (`/ajax-api`).
package struct MLflowRoutes: Sendable {
    let realms: [EnvironmentID: MLflowRealm]
    /// With `--auth basic`: asks for levels in dev, and answers MLflow's user and permission endpoints.
    let gate: LevelGate?

    /// The MLflow release whose API this is; clients ask for features by it.
    package static let version = "3.17.2"

    package init(realms: [EnvironmentID: MLflowRealm], gate: LevelGate? = nil) {
        self.realms = realms
        self.gate = gate
    }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        if let dev = realms[.dev] { add(dev, to: router, gate: gate) }
        let mount = EnvironmentMount()
        for (environment, realm) in realms {
            mount.environment = environment
            add(realm, to: mount, gate: environment == .dev ? gate : nil)
        }
        mount.mount(on: router)
    }

    private func add(_ realm: MLflowRealm, to router: some RouterMethods<SlipwayContext>, gate: LevelGate?) {
        router.get("health") { _, _ in Response.plain("OK") }
        router.get("version") { _, _ in Response.plain(Self.version) }
        let downloads = ArtifactRoutes(realm: realm)
        downloads.addPages(to: MLflowRouter(router: router, prefix: "", gate: gate))
        OTLPRoutes(realm: realm).add(to: MLflowRouter(router: router, prefix: "", gate: gate))
        // One query reads several resources, so no rule per address could guard it.
        if gate == nil { GraphQLRoutes(realm: realm).add(to: MLflowRouter(router: router, prefix: "")) }
        for api in ["/api", "/ajax-api"] {
            let version2 = MLflowRouter(router: router, prefix: api + "/2.0", gate: gate)
            ExperimentRoutes(realm: realm).add(to: version2)
            RunRoutes(realm: realm).add(to: version2)
            MetricRoutes(realm: realm).add(to: version2)
            LoggedModelRoutes(realm: realm).add(to: version2)
            RegistryRoutes(realm: realm).add(to: version2)
            WebhookRoutes(webhooks: realm.webhooks).add(to: version2)
            downloads.add(to: version2)
            LegacyTraceRoutes(realm: realm).add(to: version2)
            version2.raw(.get, "mlflow/get-trace-artifact", TraceRoutes(realm: realm).artifact)
            let version3 = MLflowRouter(router: router, prefix: api + "/3.0", gate: gate)
            if gate == nil { GatewayRoutes(realm: realm).add(to: version3) }
            version3.on(.get, "mlflow/server-info") { _, _ in Self.serverInfo }
            WorkspaceRoutes(environments: realms.keys).add(to: version3)
            if let gate {
                UserRoutes(access: gate.access).add(to: version2)
                PermissionRoutes(access: gate.access).add(to: version2)
                PermissionRoutes(access: gate.access).addGrants(to: version3)
                RoleRoutes(access: gate.access).add(to: version3)
            }
            TraceRoutes(realm: realm).add(to: version3)
            AssessmentRoutes(realm: realm).add(to: version3)
            TraceMetricsRoutes(realm: realm).add(to: version3)
            EvaluationRoutes(realm: realm).add(to: version3)
            ScorerRoutes(realm: realm).add(to: version3)
            IssueRoutes(realm: realm).add(to: version3)
        }
    }

    private static var serverInfo: JSON {
        .object { info in
            info.field("store_type", "SqlStore")
            info.field("workspaces_enabled", true)
            info.field("trace_archival_enabled", false)
            info.field("multipart_uploads_enabled", false)
            info.field("multipart_downloads_enabled", false)
            info.field("presigned_upload_run_id_supported", false)
            info.field("presigned_upload_model_id_supported", false)
        }
    }
}

/// Registers handlers that speak in fields and JSON.
struct MLflowRouter<Methods: RouterMethods<SlipwayContext>> {
    let router: Methods
    let prefix: String
    var gate: LevelGate?

    typealias Handler = @Sendable (Fields, Caller) async throws -> JSON

    func on(_ method: HTTPRequest.Method, _ path: String, _ handler: @escaping Handler) {
        raw(method, path) { request, context in
            try await handler(Fields(request, context: context), context.caller).response
        }
    }

    /// For handlers that read the request themselves.
    func raw(_ method: HTTPRequest.Method, _ path: String, _ handler: @escaping @Sendable (Request, SlipwayContext) async throws -> Response) {
        guard let gate else {
            router.on(RouterPath("\(prefix)/\(path)"), method: method, use: handler)
            return
        }
        let rule = LevelRule.rule(method, path)
        router.on(RouterPath("\(prefix)/\(path)"), method: method) { request, context in
            try await gate.handle(request, context, rule, handler)
        }
    }
}

extension Response {
    static func plain(_ text: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(status: status, headers: [.contentType: "text/plain; charset=utf-8"], body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}

/// Words errors as MLflow clients read them. Goes outside of authentication, so that its refusals are reworded too.
package struct MLflowErrorMiddleware: RouterMiddleware {
    package init() {}

    package func handle(
        _ request: Request, context: SlipwayContext, next: (Request, SlipwayContext) async throws -> Response
    ) async throws -> Response {
        guard Self.covers(request.uri.path) else { return try await next(request, context) }
        do {
            let response = try await next(request, context)
            guard response.status == .unauthorized else { return response }
            var refusal = Response.plain(
                "You are not authenticated. Set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, "
                    + "to what 'slipway token create' or your account gives you.", status: .unauthorized)
            refusal.headers[.wwwAuthenticate] = "Basic realm=\"mlflow\""
            return refusal
        } catch let error as HTTPError where error.status == .notFound || error.status == .methodNotAllowed {
            return Self.response("ENDPOINT_NOT_FOUND", .notFound, "There is no MLflow endpoint '\(request.method.rawValue) \(request.uri.path.prefix(200))' here.")
        } catch {
            let shown = SlipwayError(shown: error, logger: context.logger)
            if shown == AccessService.denied { return Response.plain(shown.message, status: .forbidden) }
            // MLflow says no more than this about a path, and its clients look at it.
            if shown.code == .invalidArgument, shown.message.hasPrefix("Invalid path") { return Self.response("INVALID_PARAMETER_VALUE", .badRequest, "Invalid path") }
            let message = ([shown.message] + [shown.remedy].compactMap(\.self) + shown.reasons.map { "\($0.message) \($0.remedy)" }).joined(separator: " ")
            return Self.response(shown.code.mlflowCode, shown.code.mlflowStatus, message)
        }
    }

    static func response(_ code: String, _ status: HTTPResponse.Status, _ message: String) -> Response {
        var response = JSON.object { error in
            error.field("error_code", code)
            error.field("message", message)
        }.response
        response.status = status
        if status == .tooManyRequests || status == .serviceUnavailable { response.headers[.retryAfter] = "1" }
        return response
    }

    /// `/api/2.0/…`, `/ajax-api/…` and so on, with or without an environment before them.
    static func covers(_ path: String) -> Bool {
        var path = path[...]
        while path.hasPrefix("//") { path = path.dropFirst() }
        for environment in EnvironmentID.allCases where path.hasPrefix("/\(environment.rawValue)/") {
            path = path.dropFirst(environment.rawValue.count + 1)
        }
        return ["/api/2.0/", "/api/3.0/", "/ajax-api/", "/graphql", "/get-artifact", "/model-versions/get-artifact", "/v1/traces"].contains { path.hasPrefix($0) }
    }
}

extension SlipwayError.Code {
    var mlflowCode: String {
        switch self {
        case .invalidArgument: "INVALID_PARAMETER_VALUE"
        case .unauthenticated: "UNAUTHENTICATED"
        case .notAllowed: "PERMISSION_DENIED"
        case .notFound: "RESOURCE_DOES_NOT_EXIST"
        case .alreadyExists: "RESOURCE_ALREADY_EXISTS"
        case .conflict: "RESOURCE_CONFLICT"
        case .blocked: "BAD_REQUEST"
        case .tooMuch: "REQUEST_LIMIT_EXCEEDED"
        case .unavailable: "TEMPORARILY_UNAVAILABLE"
        case .internalFault: "INTERNAL_ERROR"
        }
    }

    var mlflowStatus: HTTPResponse.Status {
        switch self {
        case .alreadyExists, .blocked: .badRequest
        default: httpStatus
        }
    }
}
