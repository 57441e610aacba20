import ArgumentParser
import Foundation
import SlipwayClient
import SlipwayCore

/// Which server, as whom, and in which shape to answer. Every command that speaks to a server has these.
struct Connection: ParsableArguments {
    @Option(help: "The server's address (or SLIPWAY_SERVER; else the one of the last 'slipway login'; else http://127.0.0.1:5080).")
    var server: String?

    @Option(help: "A token instead of the sign-in (or SLIPWAY_TOKEN).")
    var token: String?

    @Flag(help: "Answer in JSON, for programs.")
    var json = false

    var address: String {
        get throws {
            if let server { return server }
            if let named = ProcessInfo.processInfo.environment["SLIPWAY_SERVER"], !named.isEmpty { return named }
            return try Credentials.load().last ?? "http://127.0.0.1:5080"
        }
    }

    func client() throws -> APIClient {
        let address = try address
        let fromEnvironment = ProcessInfo.processInfo.environment["SLIPWAY_TOKEN"].flatMap { $0.isEmpty ? nil : $0 }
        return APIClient(base: address, token: try token ?? fromEnvironment ?? Credentials.load().tokens[Credentials.key(address)])
    }
}

/// What `slipway login` keeps: one token per server, in a file that only its owner may read.
struct Credentials: Codable {
    var last: String?
    var tokens: [String: String] = [:]

    static func key(_ address: String) -> String { address.hasSuffix("/") ? String(address.dropLast()) : address }

    static var file: URL {
        let environment = ProcessInfo.processInfo.environment
        if let named = environment["SLIPWAY_CREDENTIALS"] { return URL(filePath: named) }
        let base = environment["XDG_CONFIG_HOME"].map { URL(filePath: $0) } ?? FileManager.default.homeDirectoryForCurrentUser.appending(path: ".config")
        return base.appending(path: "slipway/credentials.json")
    }

    static func load() throws -> Credentials {
        guard FileManager.default.fileExists(atPath: file.path) else { return Credentials() }
        do {
            return try JSONDecoder().decode(Credentials.self, from: Data(contentsOf: file))
        } catch {
            throw SlipwayError(.invalidArgument, "The file '\(file.path)' cannot be read: \(error.localizedDescription)", remedy: "Remove it and sign in again: slipway login")
        }
    }

    func save() throws {
        try FileManager.default.createDirectory(at: Self.file.deletingLastPathComponent(), withIntermediateDirectories: true)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        try encoder.encode(self).write(to: Self.file, options: .atomic)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: Self.file.path)
    }
}

/// `prod/flight-delay`: an environment and something in it.
struct EnvironmentPath: ExpressibleByArgument {
    var environment: EnvironmentID
    var name: String

    init?(argument: String) {
        let parts = argument.split(separator: "/", maxSplits: 1)
        guard parts.count == 2, let environment = EnvironmentID(rawValue: String(parts[0])) else { return nil }
        self.environment = environment
        name = String(parts[1])
    }
}

extension EnvironmentID: ExpressibleByArgument {}

/// A name as one part of an address.
func pathPart(_ text: String) throws -> String {
    var allowed = CharacterSet.urlPathAllowed
    allowed.remove(charactersIn: "/?#;")
    guard !text.isEmpty, let part = text.addingPercentEncoding(withAllowedCharacters: allowed) else {
        throw SlipwayError.invalid("'\(text.prefix(80))' cannot be part of an address.")
    }
    return part
}

/// A value as one part of an address's query.
func queryPart(_ text: String) throws -> String {
    var allowed = CharacterSet.urlQueryAllowed
    allowed.remove(charactersIn: "&+=?#;/")
    guard let part = text.addingPercentEncoding(withAllowedCharacters: allowed) else { throw SlipwayError.invalid("'\(text.prefix(80))' cannot be part of an address.") }
    return part
}
