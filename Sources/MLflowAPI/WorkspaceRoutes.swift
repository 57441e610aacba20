import HTTPTypes
import Hummingbird
import SlipwayCore
import SlipwayHTTP

/// MLflow's workspaces are Slipway's environments.
enum Workspace {
    static let header = HTTPField.Name("X-MLFLOW-WORKSPACE")!
    /// What clients say who never heard of workspaces: the environment of the address, dev at the root.
    static let standard = "default"

    static func description(of environment: EnvironmentID) -> String {
        switch environment {
        case .dev: "Slipway's dev: every member works here."
        case .stage: "Slipway's stage: changes arrive by promotion and are checked on stage data."
        case .prod: "Slipway's prod: changes arrive by approved promotions only."
        }
    }

    static func unknown(_ name: String) -> SlipwayError {
        .notFound("Workspace '\(name.prefix(80))' not found.", remedy: "Workspaces are Slipway's environments: dev, stage and prod.")
    }
}

/// `mlflow/workspaces/…`: what there is, and that it is fixed.
struct WorkspaceRoutes: Sendable {
    let environments: [EnvironmentID]

    init(environments: some Sequence<EnvironmentID>) { self.environments = environments.sorted() }

    func add(to router: MLflowRouter<some Any>) {
        router.on(.get, "mlflow/workspaces", list)
        router.on(.post, "mlflow/workspaces", refuse)
        router.on(.get, "mlflow/workspaces/{workspace_name}", get)
        router.on(.patch, "mlflow/workspaces/{workspace_name}", refuse)
        router.on(.delete, "mlflow/workspaces/{workspace_name}", refuse)
    }

    private func visible(to caller: Caller) throws -> [EnvironmentID] {
        try caller.requireSomebody()
        return environments.filter { caller.isSystem || caller.isPlatformAdministrator || !caller.readableProjects(in: $0).isEmpty }
    }

    @Sendable private func list(_ fields: Fields, caller: Caller) async throws -> JSON {
        let visible = try visible(to: caller)
        return .object { json in
            json.list("workspaces", visible) { json, environment in
                json.field("name", environment.rawValue)
                json.field("description", Workspace.description(of: environment))
            }
        }
    }

    /// One that the caller may not see is told from one that does not exist by nothing.
    @Sendable private func get(_ fields: Fields, caller: Caller) async throws -> JSON {
        let name = try fields.required("workspace_name")
        let environment = name == Workspace.standard ? .dev : EnvironmentID(rawValue: name)
        guard let environment, try visible(to: caller).contains(environment) else { throw Workspace.unknown(name) }
        return .object { json in
            json.field("workspace") { json in
                json.field("name", name)
                json.field("description", Workspace.description(of: environment))
            }
        }
    }

    @Sendable private func refuse(_ fields: Fields, caller: Caller) async throws -> JSON {
        try caller.requireSomebody()
        throw SlipwayError(
            .notAllowed, "Workspaces are Slipway's environments dev, stage and prod; clients neither make nor change nor delete them.",
            remedy: "Choose which ones a server runs: slipway serve --environment NAME")
    }
}

/// Leads a request that names a workspace in its header to that environment. Goes before the router, since it changes where the request goes.
package struct WorkspaceResponder<Next: HTTPResponder>: HTTPResponder where Next.Context == SlipwayContext {
    package typealias Context = SlipwayContext
    let next: Next

    package init(_ next: Next) { self.next = next }

    package func respond(to request: Request, context: SlipwayContext) async throws -> Response {
        guard let name = request.headers[Workspace.header]?.trimmingSpaces, !name.isEmpty, Self.covers(request.uri.path) else {
            return try await next.respond(to: request, context: context)
        }
        do {
            return try await next.respond(to: Self.led(request, to: name), context: context)
        } catch let error as SlipwayError {
            return MLflowErrorMiddleware.response(error.code.mlflowCode, error.code.mlflowStatus, [error.message, error.remedy].compactMap(\.self).joined(separator: " "))
        }
    }

    private static func led(_ request: Request, to name: String) throws -> Request {
        let addressed = EnvironmentID.allCases.first { request.uri.path.hasPrefix("/\($0.rawValue)/") }
        if name == Workspace.standard { return request }
        guard let environment = EnvironmentID(rawValue: name) else { throw Workspace.unknown(name) }
        if let addressed {
            guard addressed == environment else {
                throw SlipwayError.invalid(
                    "The address is \(addressed.rawValue)'s and the workspace header says '\(name)'.",
                    remedy: "Use the address without an environment, or unset the workspace: mlflow.set_workspace(None)")
            }
            return request
        }
        var head = request.head
        head.path = "/\(environment.rawValue)" + (head.path ?? "/")
        return Request(head: head, body: request.body)
    }

    /// MLflow's own paths; the list of workspaces is everybody's.
    private static func covers(_ path: String) -> Bool {
        if path.contains("/mlflow/workspaces") { return false }
        return MLflowErrorMiddleware.covers(path) || path.hasSuffix("/v1/traces") || path.hasSuffix("/graphql")
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        var rest = self[...]
        while rest.first == " " { rest.removeFirst() }
        while rest.last == " " { rest.removeLast() }
        return String(rest)
    }
}
