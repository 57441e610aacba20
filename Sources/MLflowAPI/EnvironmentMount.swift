import HTTPTypes
import Hummingbird
import SlipwayCore
import SlipwayHTTP

/// Gathers what the environments answer at the same path, to mount it once below `/{env}`.
///
/// The router does not look at `{env}` any more once a written-out `/dev` has matched, so a route below `/dev` would hide every
/// other room's `/{env}/…` from that environment.
final class EnvironmentMount: RouterMethods {
    typealias Context = SlipwayContext

    private struct Route: Hashable { var path: String; var method: HTTPRequest.Method }

    /// Whose routes are being added.
    var environment = EnvironmentID.dev
    private var answers: [Route: [EnvironmentID: any HTTPResponder<SlipwayContext>]] = [:]

    @discardableResult
    func on<Responder: HTTPResponder>(_ path: RouterPath, method: HTTPRequest.Method, responder: Responder) -> Self where Responder.Context == SlipwayContext {
        answers[Route(path: path.description, method: method), default: [:]][environment] = responder
        return self
    }

    /// Nothing here has middleware of its own.
    func add(middleware: any MiddlewareProtocol<Request, Response, SlipwayContext>) -> Self { preconditionFailure("add it to the router") }

    func mount(on router: some RouterMethods<SlipwayContext>) {
        for (route, responders) in answers {
            router.on(RouterPath("{env}/\(route.path)"), method: route.method) { request, context in
                guard let environment = context.parameters.get("env").flatMap(EnvironmentID.init(rawValue:)), let responder = responders[environment] else {
                    throw HTTPError(.notFound)
                }
                return try await responder.respond(to: request, context: context)
            }
        }
    }
}
