import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import SlipwayCore

/// What a browser of another site may not do here.
package struct SecurityRules: Sendable, Hashable {
    package enum Hosts: Sendable, Hashable {
        case any
        /// This machine's names, and private addresses written as numbers: no name that somebody else resolves.
        case nearby
        /// With `*` for any text.
        case listed([String])
    }

    /// Which Host headers are answered.
    package var hosts: Hosts
    /// Origins that may change something from a page of theirs, with `*` for any text. This machine's own always may.
    package var origins: [String]
    /// The value of `X-Frame-Options`; nil leaves it out.
    package var frameOptions: String?
    package var isOn: Bool

    package init(hosts: Hosts = .any, origins: [String] = [], frameOptions: String? = "SAMEORIGIN", isOn: Bool = true) {
        self.hosts = hosts
        self.origins = origins
        self.frameOptions = frameOptions
        self.isOn = isOn
    }

    /// MLflow's server settings: `MLFLOW_SERVER_ALLOWED_HOSTS`, `MLFLOW_SERVER_CORS_ALLOWED_ORIGINS` (lists with commas),
    /// `MLFLOW_SERVER_X_FRAME_OPTIONS` (`NONE` leaves it out) and `MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE` (`true`).
    ///
    /// Without a list of hosts a server that listens beyond this machine answers to any name: there every caller needs a credential, which
    /// a page that rebinds a name cannot send.
    package init(settings: [String: String], listensNearbyOnly: Bool) {
        let list = { (name: String) -> [String]? in
            let items = settings[name]?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty } ?? []
            return items.isEmpty ? nil : items
        }
        let frame = settings["MLFLOW_SERVER_X_FRAME_OPTIONS"]?.uppercased() ?? "SAMEORIGIN"
        self.init(
            hosts: list("MLFLOW_SERVER_ALLOWED_HOSTS").map(Hosts.listed) ?? (listensNearbyOnly ? .nearby : .any),
            origins: list("MLFLOW_SERVER_CORS_ALLOWED_ORIGINS") ?? [], frameOptions: frame.isEmpty || frame == "NONE" ? nil : frame,
            isOn: settings["MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE"]?.lowercased() != "true")
    }

    /// - Parameter host: as the header says it, with or without a port.
    package func answers(host: String) -> Bool {
        switch hosts {
        case .any: return true
        case .listed(let patterns): return patterns.contains { Self.matches(host, $0) }
        case .nearby:
            if host.hasPrefix("[") {
                let address = host.dropFirst().prefix { $0 != "]" }.lowercased()
                return address == "::1" || address.hasPrefix("fc") || address.hasPrefix("fd")
            }
            let name = host.prefix { $0 != ":" }
            if name.lowercased() == "localhost" { return true }
            let numbers = name.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
            guard numbers.count == 4, let first = numbers[0], let second = numbers[1], numbers[2] != nil, numbers[3] != nil else { return false }
            return first == 127 || first == 10 || name == "0.0.0.0" || (first == 192 && second == 168) || (first == 172 && (16..<32).contains(second))
        }
    }

    package func mayChange(from origin: String) -> Bool {
        if let host = URL(string: origin)?.host(), ["localhost", "127.0.0.1", "::1", "[::1]"].contains(host) { return true }
        return origins.contains { Self.matches(origin, $0) }
    }

    /// `*` stands for any text.
    static func matches(_ text: String, _ pattern: String) -> Bool {
        let parts = pattern.lowercased().split(separator: "*", omittingEmptySubsequences: false)
        var rest = text.lowercased()[...]
        guard parts.count > 1 else { return rest == parts[0] }
        guard rest.hasPrefix(parts[0]) else { return false }
        rest = rest.dropFirst(parts[0].count)
        for part in parts[1..<(parts.count - 1)] where !part.isEmpty {
            guard let found = rest.firstRange(of: part) else { return false }
            rest = rest[found.upperBound...]
        }
        return rest.hasSuffix(parts[parts.count - 1])
    }
}

/// Refuses rebound names and other sites' pages, and says how browsers may show the answers.
package struct SecurityMiddleware: RouterMiddleware {
    let rules: SecurityRules

    package init(_ rules: SecurityRules) { self.rules = rules }

    private static let open: Set<String> = ["/health", "/version", "/healthz", "/readyz"]

    package func handle(
        _ request: Request, context: SlipwayContext, next: (Request, SlipwayContext) async throws -> Response
    ) async throws -> Response {
        guard rules.isOn else { return try await next(request, context) }
        var response = if let refused = refusal(request) { refused } else { try await next(request, context) }
        response.headers[.xContentTypeOptions] = "nosniff"
        if let frame = rules.frameOptions, response.headers[Self.frameOptions] == nil { response.headers[Self.frameOptions] = frame }
        return response
    }

    private func refusal(_ request: Request) -> Response? {
        if let host = request.head.authority, !rules.answers(host: host), !Self.open.contains(request.uri.path) {
            return Self.refused("Invalid Host header - possible DNS rebinding attack detected")
        }
        guard let origin = request.headers[.origin], ![.get, .head, .options].contains(request.method) else { return nil }
        // A page of this very server says its own address.
        if let authority = request.head.authority, ["http://\(authority)", "https://\(authority)"].contains(origin) { return nil }
        return rules.mayChange(from: origin) ? nil : Self.refused("Cross-origin request blocked")
    }

    private static func refused(_ text: String) -> Response {
        Response(status: .forbidden, headers: [.contentType: "text/plain"], body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    private static let frameOptions = HTTPField.Name("X-Frame-Options")!
}
