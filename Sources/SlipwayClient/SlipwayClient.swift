// SlipwayClient: a typed HTTP client of the native API.

import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import SlipwayWire

/// Speaks to one server with one token.
public struct APIClient: Sendable {
    public let base: String
    public let token: String?
    private let timeout: TimeAmount

    /// A server that is not there is said at once; the shared client would knock for a minute and a half. Lives as long as the process.
    static let http: HTTPClient = {
        var configuration = HTTPClient.Configuration.singletonConfiguration
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    /// - Parameter base: such as `http://127.0.0.1:5080`, without a slash at the end.
    public init(base: String, token: String?, timeout: TimeAmount = .seconds(120)) {
        self.base = base.hasSuffix("/") ? String(base.dropLast()) : base
        self.token = token
        self.timeout = timeout
    }

    public func get<T: Decodable>(_ path: String, as type: T.Type) async throws -> T {
        try await send("GET", path, body: nil, as: type)
    }

    public func post<T: Decodable>(_ path: String, _ body: some Encodable, as type: T.Type) async throws -> T {
        try await send("POST", path, body: try WireCoder.encode(body), as: type)
    }

    public func put<T: Decodable>(_ path: String, _ body: some Encodable, as type: T.Type) async throws -> T {
        try await send("PUT", path, body: try WireCoder.encode(body), as: type)
    }

    public func delete<T: Decodable>(_ path: String, _ body: (some Encodable)? = WireNothing?.none, as type: T.Type) async throws -> T {
        try await send("DELETE", path, body: try body.map { try WireCoder.encode($0) }, as: type)
    }

    /// The raw answer, for streams (logs, files). Errors are thrown as `WireError`.
    public func open(_ method: String, _ path: String, body: HTTPClientRequest.Body? = nil, contentType: String = "application/json") async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: base + path)
        request.method = .RAW(value: method)
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if let body {
            request.headers.add(name: "Content-Type", value: contentType)
            request.body = body
        }
        let response = try await Self.http.execute(request, timeout: timeout)
        guard (200..<300).contains(response.status.code) else {
            let bytes = try await response.body.collect(upTo: 1 << 20)
            let data = Data(bytes.readableBytesView)
            if let error = try? WireCoder.decode(WireError.self, from: data) { throw error }  // else it is some other server's page
            throw WireError(
                code: "unavailable", message: "\(base) answered \(response.status.code): \(String(decoding: data.prefix(200), as: UTF8.self))",
                remedy: "Is this the address of a Slipway server?")
        }
        return response
    }

    private func send<T: Decodable>(_ method: String, _ path: String, body: Data?, as type: T.Type) async throws -> T {
        let response = try await open(method, path, body: body.map { .bytes(ByteBuffer(bytes: $0)) })
        let bytes = try await response.body.collect(upTo: 64 << 20)
        return try WireCoder.decode(type, from: Data(bytes.readableBytesView))
    }
}
