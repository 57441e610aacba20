import AsyncHTTPClient
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1
import Serving
import SlipwayCore
import SlipwayHTTP

/// The gateway's addresses on the control plane's port, for convenience: the caller is checked here, then the request is
/// streamed to the gateway and its answer back.
package struct PredictionRoutes: Sendable {
    let services: [EnvironmentID: EndpointService]

    package init(services: [EnvironmentID: EndpointService]) { self.services = services }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.post("{env}/endpoints/{name}/invocations", use: predict)
        router.get("{env}/v2/health/live", use: look)
        router.get("{env}/v2/health/ready", use: look)
        router.get("{env}/v2/models/{name}", use: predict)
        router.get("{env}/v2/models/{name}/ready", use: predict)
        router.post("{env}/v2/models/{name}/infer", use: predict)
    }

    /// An address that names an endpoint: whoever may ask it for predictions.
    @Sendable func predict(_ request: Request, context: SlipwayContext) async throws -> Response {
        let service = try services.of(context)
        try await service.authorise(SlotName(parsing: context.parameter("name")), by: context.caller)
        return try await forward(request, to: service)
    }

    /// The gateway's health: anybody known.
    @Sendable func look(_ request: Request, context: SlipwayContext) async throws -> Response {
        let service = try services.of(context)
        try context.caller.requireSomebody()
        return try await forward(request, to: service)
    }

    private func forward(_ request: Request, to service: EndpointService) async throws -> Response {
        let gateway = try service.gateway()
        var outgoing = HTTPClientRequest(url: gateway.address + request.uri.path)
        outgoing.method = .RAW(value: request.method.rawValue)
        for name in [HTTPField.Name.contentType, .accept, .requestID] {
            if let value = request.headers[name] { outgoing.headers.add(name: name.rawName, value: value) }
        }
        outgoing.headers.add(name: HTTPField.Name.gatewaySecret.rawName, value: gateway.secret)
        if request.method == .post {
            let length = request.headers[.contentLength].flatMap(Int64.init)
            outgoing.body = .stream(request.body, length: length.map { .known($0) } ?? .unknown)
        }
        let response: HTTPClientResponse
        do {
            response = try await HTTPClient.shared.execute(outgoing, timeout: .seconds(60))
        } catch {
            throw SlipwayError(.unavailable, "The gateway does not answer just now.", remedy: "It is started again by itself; try again in a second.")
        }
        var headers = HTTPFields()
        for (name, value) in response.headers where !Self.hops.contains(name.lowercased()) {
            if let name = HTTPField.Name(name) { headers.append(HTTPField(name: name, value: value)) }
        }
        return Response(status: .init(code: Int(response.status.code)), headers: headers, body: .init(asyncSequence: response.body))
    }

    /// Headers that concern one connection only, and those that this server writes itself.
    private static let hops: Set<String> = ["connection", "keep-alive", "transfer-encoding", "date", "server"]
}

extension HTTPField.Name {
    fileprivate static let requestID = Self("x-request-id")!
}
