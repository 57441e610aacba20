// SlipwayAPI: the native HTTP API: decode, call one use case, encode.

import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import SlipwayCore
import SlipwayHTTP
import SlipwayWire

extension Request {
    /// - Throws: `invalidArgument` naming the field that does not fit.
    func decoded<T: Decodable>(_ type: T.Type, upTo limit: Int = 4 << 20) async throws -> T {
        let bytes = try await bytes(upTo: limit)
        return try WireCoder.decode(type, from: Data(bytes.readableBytesView))
    }
}

extension Response {
    static func wire(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        Response(
            status: status, headers: [.contentType: "application/json; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(bytes: try WireCoder.encode(value))))
    }
}

extension SlipwayContext {
    /// The `{env}` of the address.
    func environment() throws -> EnvironmentID { try EnvironmentID(parsing: parameter("env")) }
}
