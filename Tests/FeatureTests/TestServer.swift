import Access
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import MLflowAPI
import Serving
import SlipwayCore
import SlipwayHTTP
import SlipwayServer
import SlipwayTestSupport

/// The whole house on a temporary folder, driven through its router.
struct TestServer: Sendable {
    let folder: TemporaryFolder
    let foundations: Foundations
    let responder: WorkspaceResponder<RouterResponder<SlipwayContext>>
    let endpointServices: [EnvironmentID: EndpointService]
    /// Every route with its path pattern.
    let routes: [(method: HTTPRequest.Method, path: String)]

    /// - Parameter port: 0 lets gateways choose theirs; nothing listens on it.
    init(port: Int = 1) async throws {
        folder = try TemporaryFolder()
        let house = try await Server.assemble(ServerConfiguration(data: folder.url, port: port), logger: quietLogger)
        foundations = house.foundations
        endpointServices = house.endpointServices
        responder = house.responder
        routes = house.router.routes.map { ($0.method, $0.path.description) }
    }

    /// People of the project `flights`, all with the password `Self.password`.
    static let password = "four words are long"

    func bootstrap(_ people: [(name: String, roles: [EnvironmentID: [Role]])]) async throws {
        let secret = try await foundations.access.firstStartSecret() ?? ""
        try await foundations.access.bootstrap(
            BootstrapRequest(
                project: "flights",
                people: people.enumerated().map { index, person in
                    .init(
                        name: person.name, fullName: person.name, password: Self.password, emails: ["\(person.name)@example.org"],
                        isPlatformAdministrator: index == 0, roles: person.roles)
                }), secret: secret)
    }

    /// A token of a bootstrapped person.
    func token(_ user: String) async throws -> String {
        try await foundations.access.signIn(user: user, password: Self.password).secret
    }

    func send(
        _ method: HTTPRequest.Method, _ path: String, token: String? = nil, body: String? = nil, headers extra: HTTPFields = [:]
    ) async throws -> (status: HTTPResponse.Status, text: String, headers: HTTPFields) {
        var headers = extra
        if let token { headers[.authorization] = "Bearer \(token)" }
        if body != nil, headers[.contentType] == nil { headers[.contentType] = "application/json" }
        let sent = headers
        return try await Application(responder: responder, logger: quietLogger).test(.router) { client in
            let response = try await client.execute(uri: path, method: method, headers: sent, body: body.map { ByteBuffer(string: $0) })
            return (response.status, String(buffer: response.body), response.headers)
        }
    }
}
