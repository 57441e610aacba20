import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import SlipwayCore

/// The control plane's way to the gateway of its realm: the Unix socket in the serving folder.
struct GatewayLink: Sendable {
    private let sockets: SocketFolder

    /// Says at once that nobody listens; the shared client would try again until its time is up. Lives as long as the process.
    static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: configuration)
    }()

    init(folder: ServingFolder) throws { sockets = try SocketFolder(folder.root) }

    func state() async throws -> GatewayState { try await decoded(GatewayState.self, try await ask("GET", "/state")) }
    func status() async throws -> [GatewayEndpointStatus] { try await decoded([GatewayEndpointStatus].self, try await ask("GET", "/status")) }
    func reload() async throws { _ = try await ask("POST", "/reload") }
    func flush() async throws { _ = try await ask("POST", "/flush", timeout: .seconds(30)) }
    func stop() async throws { _ = try await ask("POST", "/stop") }

    private func decoded<T: Decodable>(_ type: T.Type, _ body: ByteBuffer) async throws -> T {
        try JSONDecoder().decode(type, from: Data(body.readableBytesView))
    }

    /// - Throws: `unavailable` when the gateway does not answer.
    private func ask(_ method: String, _ path: String, timeout: TimeAmount = .seconds(3)) async throws -> ByteBuffer {
        let host = sockets.path(ServingFolder.controlSocket).addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        var request = HTTPClientRequest(url: "http+unix://\(host)\(path)")
        request.method = .RAW(value: method)
        // The gateway may be replaced at any time, and this socket's path stays: a connection kept open would be the old one's.
        request.headers.add(name: "Connection", value: "close")
        do {
            let response = try await Self.client.execute(request, timeout: timeout)
            let body = try await response.body.collect(upTo: 16 << 20)
            guard (200..<300).contains(response.status.code) else { throw Self.away("It answered \(response.status.code).") }
            return body
        } catch let error as SlipwayError {
            throw error
        } catch {
            throw Self.away("\(error)")
        }
    }

    private static func away(_ detail: String) -> SlipwayError {
        SlipwayError(.unavailable, "The gateway does not answer. \(detail)", remedy: "It is started again by itself; its log is serving/logs/gateway.log.")
    }
}
