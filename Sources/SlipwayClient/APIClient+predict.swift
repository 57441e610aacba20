import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import SlipwayWire

extension APIClient {
    /// Asks an endpoint in MLflow's scoring shape; the answer as it came.
    /// - Throws: `WireError` in the words of the server, the gateway or the model.
    public func predict(_ path: String, body: Data, contentType: String, requestID: String? = nil) async throws -> Data {
        var request = HTTPClientRequest(url: base + path)
        request.method = .POST
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if let requestID { request.headers.add(name: "x-request-id", value: requestID) }
        request.headers.add(name: "Content-Type", value: contentType)
        request.body = .bytes(ByteBuffer(bytes: body))
        let response = try await Self.http.execute(request, timeout: .seconds(120))
        let data = Data(try await response.body.collect(upTo: 256 << 20).readableBytesView)
        if response.status == .ok { return data }
        if let error = try? WireCoder.decode(WireError.self, from: data) { throw error }  // else in MLflow's words
        struct Refusal: Decodable { var message: String }
        let message = (try? WireCoder.decode(Refusal.self, from: data))?.message ?? String(decoding: data.prefix(500), as: UTF8.self)  // or in nobody's
        let code =
            switch response.status.code {
            case 400, 413, 415: "invalidArgument"
            case 401: "unauthenticated"
            case 403: "notAllowed"
            case 404: "notFound"
            case 429: "tooMuch"
            case 502, 503, 504: "unavailable"
            default: "internalFault"
            }
        throw WireError(code: code, message: message, remedy: nil)
    }
}
