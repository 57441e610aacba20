import Foundation
import Hummingbird
import SlipwayCore
import SlipwayHTTP

/// Addresses as MLflow's client prints them, led to our pages: `http://host/dev/#/experiments/1/runs/…`.
///
/// What stands behind `#` never reaches a server: the page at `/{env}` is the list of experiments, whose script sends it to `/{env}/go`.
package struct LinkRoutes: Sendable {
    let experiments: ExperimentPageRoutes

    package init(rooms: WebRooms) { experiments = ExperimentPageRoutes(rooms: rooms) }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get(.init(SitePattern.home.rawValue), use: home)
        router.get(.init(SitePattern.go.rawValue), use: go)
        router.get(.init(SitePattern.experimentBelow.rawValue), use: below)
        for pattern in [SitePattern.plainExperiments, .plainExperimentsBelow, .plainModels, .plainModelsBelow] { router.get(.init(pattern.rawValue), use: plain) }
    }

    /// `GET /{env}`
    @Sendable func home(_ request: Request, context: SlipwayContext) async throws -> Response {
        guard EnvironmentID(rawValue: try context.parameter("env")) != nil else { throw SlipwayError.notFound("There is nothing at this address.") }
        return try await experiments.list(request, context: context)
    }

    /// `GET /{env}/go?to=experiments/1/runs/…`
    @Sendable func go(_ request: Request, context: SlipwayContext) async throws -> Response {
        .see(Self.place(of: QueryFields(request)["to"] ?? "", in: try context.environment()))
    }

    /// `GET /{env}/experiments/{id}/…`
    @Sendable func below(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        return .see(Self.place(of: request.uri.path.split(separator: "/").dropFirst().map { $0.removingPercentEncoding ?? "" }, in: environment))
    }

    /// `GET /experiments…` and `/models…`: of dev, as every address without an environment.
    @Sendable func plain(_ request: Request, context: SlipwayContext) async throws -> Response {
        .see(Self.place(of: request.uri.path.split(separator: "/").map { $0.removingPercentEncoding ?? "" }, in: .dev))
    }

    /// - Parameter link: what MLflow writes behind `#/`, with or without a query.
    package static func place(of link: String, in environment: EnvironmentID) -> SitePath {
        let path = link.prefix { $0 != "?" }
        // One trace opened in the list of its experiment.
        if path.hasSuffix("/traces"), let trace = link.firstMatch(of: /[?&]selectedEvaluationId=([A-Za-z0-9-]+)/) { return .trace(environment, String(trace.1)) }
        return place(of: path.split(separator: "/").map { $0.removingPercentEncoding ?? "" }, in: environment)
    }

    /// The page that shows it, or the nearest: a tab that has no page of its own leads to what it belongs to.
    static func place(of parts: [String], in environment: EnvironmentID) -> SitePath {
        switch (parts.first ?? "", parts.count) {
        case ("experiments", 4...) where parts[2] == "runs": return run(parts[3], Array(parts.dropFirst(4)), environment)
        case ("experiments", 4...) where parts[2] == "models": return .artifacts(environment, .loggedModel(parts[3]))
        case ("experiments", 3...) where parts[2] == "traces": return .traces(environment, parts[1])
        case ("experiments", 2...): return .experiment(environment, parts[1])
        case ("runs", 2...): return run(parts[1], Array(parts.dropFirst(2)), environment)
        case ("models", 4...):
            guard parts[2] == "versions", let version = Int(parts[3]) else { return .model(environment, parts[1]) }
            return .version(environment, parts[1], version)
        case ("models", 2...), ("prompts", 2...): return .model(environment, parts[1])
        case ("models", _), ("prompts", _): return .models(environment)
        default: return .experiments(environment)
        }
    }

    private static func run(_ id: String, _ rest: [String], _ environment: EnvironmentID) -> SitePath {
        guard let artifacts = rest.firstIndex(where: { $0 == "artifacts" || $0 == "artifactPath" }) else { return .run(environment, id) }
        let path = rest[(artifacts + 1)...].joined(separator: "/")
        return .artifacts(environment, .run(id), path: path.isEmpty ? nil : path)
    }
}
