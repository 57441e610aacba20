import Hummingbird
import Serving
import SlipwayCore
import SlipwayHTTP
import SlipwayWire

/// Endpoints: what answers where, and how it does.
package struct EndpointRoutes: Sendable {
    let services: [EnvironmentID: EndpointService]

    package init(services: [EnvironmentID: EndpointService]) { self.services = services }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get("{env}/endpoints", use: list)
        router.get("{env}/endpoints/{slot}", use: show)
        router.post("{env}/endpoints/{slot}/authorise", use: authorise)
        router.post("{env}/endpoints/{slot}/flush", use: flush)
    }

    /// `GET /api/v1/{env}/endpoints`: those of the caller's projects.
    @Sendable func list(_ request: Request, context: SlipwayContext) async throws -> Response {
        let views = try await service(context).list(by: context.caller)
        return try .wire(WirePage(items: views.map { $0.wire(traffic: false) }))
    }

    /// `GET /api/v1/{env}/endpoints/{slot}`: with its traffic by the minute.
    @Sendable func show(_ request: Request, context: SlipwayContext) async throws -> Response {
        try .wire(try await service(context).show(slot(context), by: context.caller).wire(traffic: true))
    }

    /// `POST /api/v1/{env}/endpoints/{slot}/authorise`: asked by the gateway with the caller's own credentials; 403 without the role.
    @Sendable func authorise(_ request: Request, context: SlipwayContext) async throws -> Response {
        try await service(context).authorise(slot(context), by: context.caller)
        return try .wire(WireNothing())
    }

    /// `POST /api/v1/{env}/endpoints/{slot}/flush`: writes out what was captured.
    @Sendable func flush(_ request: Request, context: SlipwayContext) async throws -> Response {
        try await service(context).flushCapture(of: slot(context), by: context.caller)
        return try .wire(WireNothing())
    }

    private func service(_ context: SlipwayContext) throws -> EndpointService { try services.of(context) }
    private func slot(_ context: SlipwayContext) throws -> SlotName { try SlotName(parsing: context.parameter("slot")) }
}

extension [EnvironmentID: EndpointService] {
    /// - Throws: `notFound` when this server does not run the environment of the address.
    func of(_ context: SlipwayContext) throws -> EndpointService {
        let environment = try context.environment()
        guard let service = self[environment] else {
            throw SlipwayError.notFound("This server does not run \(environment.rawValue).", remedy: "Ask the server that does.")
        }
        return service
    }
}

extension EndpointView {
    func wire(traffic: Bool) -> WireEndpoint {
        WireEndpoint(
            slot: wanted.slot.rawValue, project: wanted.project.rawValue, environment: environment.rawValue, state: state.rawValue,
            generation: wanted.generation, revision: wanted.revision, revisionTaken: status.revision, workers: wanted.workers, capture: wanted.capture,
            rowsCaptured: status.captured, rowsDropped: status.dropped, address: address,
            deployments: zip(wanted.deployments, status.deployments).map { wanted, found in
                WireEndpoint.Deployment(
                    release: wanted.release.rawValue, model: wanted.modelName, version: wanted.modelVersion, weight: wanted.weight,
                    state: found.status.state.rawValue, reason: found.status.reason, requests: found.status.requests, rows: found.rows,
                    errors: found.status.errors, nan: found.status.notANumber, latencyMsP50: found.status.latencyP50, latencyMsP95: found.status.latencyP95,
                    traffic: !traffic
                        ? []
                        : found.traffic.map {
                            .init(at: $0.at.iso8601, requests: $0.requests, rows: $0.rows, errors: $0.errors, latencyMsP50: $0.latencyP50, latencyMsP95: $0.latencyP95)
                        })
            })
    }
}
