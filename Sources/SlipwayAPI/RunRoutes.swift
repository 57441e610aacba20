import Hummingbird
import SlipwayCore
import SlipwayHTTP
import SlipwayWire
import Tracking

/// Tracked runs, for reading; they are written through MLflow's API.
package struct RunRoutes: Sendable {
    let services: [EnvironmentID: TrackingService]

    package init(services: [EnvironmentID: TrackingService]) { self.services = services }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get("{env}/runs", use: list)
        router.get("{env}/runs/{id}", use: show)
        router.get("{env}/runs/{id}/metrics/{key}", use: history)
    }

    /// `GET /api/v1/{env}/runs?project=&experiment=&filter=&limit=&next=`: newest first; the filter is MLflow's.
    @Sendable func list(_ request: Request, context: SlipwayContext) async throws -> Response {
        let page = try await context.service(of: services).runs(
            project: request.query("project").map(ProjectName.init(parsing:)), experiment: request.query("experiment"), filter: request.query("filter") ?? "",
            before: request.query("next").map(Self.mark), limit: request.pageLimit(), by: context.caller)
        let environment = try context.environment()
        let next = page.hasMore ? page.items.last.map { "\($0.run.startedAt.milliseconds).\($0.run.number)" } : nil
        return try .wire(WirePage(items: page.items.map { $0.wire(environment) }, next: next))
    }

    /// `GET /api/v1/{env}/runs/{id}`
    @Sendable func show(_ request: Request, context: SlipwayContext) async throws -> Response {
        let record = try await context.service(of: services).run(context.parameter("id"), by: context.caller)
        return try .wire(record.wire(context.environment()))
    }

    /// `GET /api/v1/{env}/runs/{id}/metrics/{key}?limit=`: points evenly sampled over the steps.
    @Sendable func history(_ request: Request, context: SlipwayContext) async throws -> Response {
        let points = try await context.service(of: services).samples(
            of: context.parameter("key"), runs: [context.parameter("id")], steps: nil, limit: request.pageLimit(), by: context.caller)
        return try .wire(WirePage(items: points.map { $0.point.wire }))
    }

    private static func mark(_ text: String) throws -> (startedAt: Int64, number: Int64) {
        let parts = text.split(separator: ".")
        guard parts.count == 2, let startedAt = Int64(parts[0]), let number = Int64(parts[1]) else { throw SlipwayError.invalid("'next' is not a mark of a page.") }
        return (startedAt, number)
    }
}

extension Request {
    /// `limit` of a list: 1 to 1000, 100 when absent.
    func pageLimit() throws -> Int {
        guard let text = query("limit") else { return 100 }
        guard let limit = Int(text), (1...1000).contains(limit) else { throw SlipwayError.invalid("'limit' is '\(text.prefix(20))', not 1 to 1000.") }
        return limit
    }
}

extension SlipwayContext {
    /// - Throws: `notFound` when this server does not run the environment of the address.
    func service<Service>(of services: [EnvironmentID: Service]) throws -> Service {
        let environment = try environment()
        guard let service = services[environment] else {
            throw SlipwayError.notFound("This server does not run \(environment.rawValue).", remedy: "Ask the server that does.")
        }
        return service
    }
}

extension MetricPoint {
    var wire: WireRun.Metric {
        WireRun.Metric(key: key, value: value.isNaN ? nil : value, step: step, at: Timestamp(milliseconds: timestamp).iso8601)
    }
}

extension [String: String] {
    var wirePairs: [WireRun.Pair] { sorted { $0.key < $1.key }.map { WireRun.Pair(key: $0.key, value: $0.value) } }
}

extension RunRecord {
    func wire(_ environment: EnvironmentID) -> WireRun {
        WireRun(
            id: run.id, name: run.name, environment: environment.rawValue, project: run.project.rawValue, experiment: run.experiment, user: run.user,
            status: run.status.rawValue, startedAt: run.startedAt.iso8601, endedAt: run.endedAt?.iso8601, artifactUri: run.artifactRoot,
            metrics: details.metrics.map(\.wire), params: details.params.wirePairs, tags: details.tags.wirePairs,
            datasets: details.datasets.map { WireRun.Dataset(name: $0.name, digest: $0.digest, context: $0.tags["mlflow.data.context"]) },
            models: details.outputs.map(\.model))
    }
}
