// SlipwayHTTP: what the edges share: the request's caller, errors as responses, bodies as streams.

import Access
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import SlipwayCore

/// A request with its caller. The caller is a Core value, so no feature imports another to authorise.
package struct SlipwayContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    package var caller: Caller

    package init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        caller = .anonymous
    }

    /// A path parameter, percent-decoded.
    /// - Throws: `invalidArgument` when it is missing or holds a NUL.
    package func parameter(_ name: String) throws -> String {
        guard let raw = parameters.get(name), let value = raw.removingPercentEncoding, !value.isEmpty, !value.contains("\0") else {
            throw SlipwayError.invalid("The address lacks its '\(name)'.")
        }
        return value
    }
}

extension Request {
    /// The body's bytes.
    /// - Throws: `tooMuch` past `limit`.
    package func bytes(upTo limit: Int = 4 << 20) async throws -> ByteBuffer {
        var collected = ByteBuffer()
        for try await piece in body {
            guard collected.readableBytes + piece.readableBytes <= limit else {
                throw SlipwayError(.tooMuch, "The request's body is larger than \(limit) bytes.", remedy: "Send less at once.")
            }
            collected.writeImmutableBuffer(piece)
        }
        return collected
    }

    package func query(_ name: String) -> String? { uri.queryParameters.get(name) }

    package var session: String? {
        guard let cookies = headers[.cookie] else { return nil }
        return cookies.split(separator: ";").lazy.map { $0.trimmingCharacters(in: .whitespaces) }
            .first { $0.hasPrefix("slipway_session=") }.map { String($0.dropFirst("slipway_session=".count)) }
    }
}

extension SlipwayError.Code {
    package var httpStatus: HTTPResponse.Status {
        switch self {
        case .invalidArgument: .badRequest
        case .unauthenticated: .unauthorized
        case .notAllowed: .forbidden
        case .notFound: .notFound
        case .alreadyExists, .conflict: .conflict
        case .blocked: .unprocessableContent
        case .tooMuch: .tooManyRequests
        case .unavailable: .serviceUnavailable
        case .internalFault: .internalServerError
        }
    }
}

extension SlipwayError {
    /// Any error as one that may be shown: ours as it is, everything else as a fault whose cause goes to the log only.
    package init(shown error: any Error, logger: Logger) {
        switch error {
        case let error as SlipwayError:
            if error.code == .internalFault { logger.error("fault", metadata: ["error": "\(error)"]) }
            self = error
        case let error as HTTPError:
            let code: Code =
                switch error.status.code {
                case 404, 405: .notFound
                case 401: .unauthenticated
                case 413, 429: .tooMuch
                case 400..<500: .invalidArgument
                default: .unavailable
                }
            self.init(code, error.body ?? (code == .notFound ? "There is nothing at this address." : error.status.reasonPhrase))
        case let error as DecodingError:
            self = .invalid("The request's JSON does not fit: \(error.sentence)", remedy: "See what the command line sends for the same: slipway --help")
        default:
            logger.error("fault", metadata: ["error": "\(error)"])
            self.init(.internalFault, "Something broke inside Slipway.", remedy: "The server's log names the cause.")
        }
    }

    package func response(headers extra: HTTPFields = [:]) -> Response {
        var error: [String: JSONValue] = ["code": .string(code.rawValue), "message": .string(message)]
        if let remedy { error["remedy"] = .string(remedy) }
        if !reasons.isEmpty {
            error["reasons"] = .array(reasons.map { ["message": .string($0.message), "remedy": .string($0.remedy)] })
        }
        var headers: HTTPFields = [.contentType: "application/json; charset=utf-8"]
        headers.append(contentsOf: extra)
        if code == .unauthenticated { headers[.wwwAuthenticate] = "Basic realm=\"slipway\"" }
        if code == .tooMuch || code == .unavailable { headers[.retryAfter] = "1" }
        let text = (try? CanonicalJSON.text(JSONValue.object(["error": .object(error)]))) ?? "{}"  // strings always encode
        return Response(status: code.httpStatus, headers: headers, body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}

extension DecodingError {
    var sentence: String {
        switch self {
        case .keyNotFound(let key, _): "'\(key.stringValue)' is missing."
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            "\(context.codingPath.map(\.stringValue).joined(separator: ".")): \(context.debugDescription)"
        @unknown default: "it cannot be read."
        }
    }
}

/// Turns thrown errors into JSON responses.
package struct ErrorMiddleware: RouterMiddleware {
    package init() {}

    package func handle(
        _ request: Request, context: SlipwayContext, next: (Request, SlipwayContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch {
            return SlipwayError(shown: error, logger: context.logger).response()
        }
    }
}

/// Finds the caller, and refuses nobody-in-particular everywhere but on a short written list.
package struct AuthenticationMiddleware: RouterMiddleware {
    let access: AccessService
    /// Who a caller without credentials is: nobody, or with `--anonymous dev` somebody with dev's implicit project.
    let anonymous: Caller

    package init(access: AccessService, anonymous: Caller = .anonymous) {
        self.access = access
        self.anonymous = anonymous
    }

    /// The only addresses that answer a caller without credentials.
    package static let open: Set<String> = [
        "/healthz", "/readyz", "/health", "/version", "/sign-in", "/api/v1/sign-in", "/api/v1/bootstrap",
        "/dev/health", "/stage/health", "/prod/health", "/dev/version", "/stage/version", "/prod/version",
        "/api/3.0/mlflow/server-info", "/ajax-api/3.0/mlflow/server-info", "/dev/api/3.0/mlflow/server-info", "/stage/api/3.0/mlflow/server-info",
        "/prod/api/3.0/mlflow/server-info",
    ]

    package func handle(
        _ request: Request, context: SlipwayContext, next: (Request, SlipwayContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        let path = request.uri.path
        let isOpen = Self.open.contains(path) || path.hasPrefix("/assets/")
        do {
            context.caller = try await caller(of: request)
            if !isOpen { try context.caller.requireSomebody() }
        } catch let error as SlipwayError where error.code == .unauthenticated {
            if isOpen { return try await next(request, context) }
            if request.headers[.accept]?.contains("text/html") == true {
                // A form that came too late is not sent again after signing in: only addresses are remembered.
                let back = request.method == .get ? request.uri.string.addingPercentEncoding(withAllowedCharacters: .alphanumerics) : nil
                return Response(status: .seeOther, headers: [.location: back.map { "/sign-in?next=\($0)" } ?? "/sign-in"])
            }
            return error.response()
        }
        if request.session != nil, request.headers[.authorization] == nil { try refuseForeignOrigin(request) }
        return try await next(request, context)
    }

    private func caller(of request: Request) async throws -> Caller {
        if let header = request.headers[.authorization] {
            let parts = header.split(separator: " ", maxSplits: 1)
            if parts.count == 2, parts[0].lowercased() == "bearer" { return try await access.caller(token: String(parts[1])) }
            if parts.count == 2, parts[0].lowercased() == "basic", let data = Data(base64Encoded: String(parts[1])) {
                let pair = String(decoding: data, as: UTF8.self).split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                if pair.count == 2 { return try await access.caller(user: String(pair[0]), password: String(pair[1])) }
            }
            throw SlipwayError(.unauthenticated, "You are not authenticated. The Authorization header is neither Bearer nor Basic.")
        }
        if let session = request.session { return try await access.caller(token: session) }
        return anonymous
    }

    /// A cookie alone never changes anything for another site's page.
    private func refuseForeignOrigin(_ request: Request) throws {
        guard ![.get, .head, .options].contains(request.method), let origin = request.headers[.origin] else { return }
        var from = URL(string: origin)?.host() ?? ""
        if let port = URL(string: origin)?.port { from += ":\(port)" }
        guard from == request.head.authority ?? "" else {
            throw SlipwayError(.notAllowed, "The request comes from another site ('\(origin.prefix(80))').")
        }
    }
}
