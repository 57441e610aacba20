import ArgumentParser
import Foundation
import SlipwayClient
import SlipwayWire

struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Your tokens for programs (MLflow clients, Git, curl).",
        subcommands: [TokenList.self, TokenCreate.self, TokenRevoke.self])
}

struct TokenList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List your tokens.", discussion: "Example: slipway token list")
    @OptionGroup var connection: Connection

    func run() async throws {
        let page = try await connection.client().get("/api/v1/tokens", as: WirePage<WireToken>.self)
        if connection.json { return try Output.json(page) }
        Output.table(
            ["id", "label", "project", "expires", ""],
            page.items.map {
                [$0.id, $0.label, $0.project ?? "", $0.expiresAt, $0.revokedAt == nil ? "" : "revoked"]
            }, empty: "You have no tokens. Make one: slipway token create LABEL")
    }
}

struct TokenCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a token; it is shown once.",
        discussion: "Example: export MLFLOW_TRACKING_TOKEN=$(slipway token create laptop --project flight-delays)")
    @Argument(help: "What it is for.") var label: String
    @Option(help: "The project that new MLflow experiments belong to.") var project: String?
    @Option(help: "How long it lives, such as 12h or 90d.") var lifetime = "90d"
    @Option(help: "Make it for a machine of this name instead of for you (admins of the project).") var service: String?
    @Option(help: "With --service: the environment it is for.") var environment: String?
    @OptionGroup var connection: Connection

    func run() async throws {
        let body = WireNewToken(label: label, project: project, lifetime: lifetime, service: service, environment: environment)
        let token = try await connection.client().post("/api/v1/tokens", body, as: WireSecret.self)
        if connection.json { return try Output.json(token) }
        Output.line(token.secret)
        Output.note("Shown this once; it ends \(token.expiresAt).")
    }
}

struct TokenRevoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "revoke", abstract: "End a token now.", discussion: "Example: slipway token revoke 0123456789ab")
    @Argument(help: "The token's id, from 'slipway token list'.") var id: String
    @OptionGroup var connection: Connection

    func run() async throws {
        _ = try await connection.client().delete("/api/v1/tokens/\(try pathPart(id))", as: WireNothing.self)
        if connection.json { return try Output.json(WireNothing()) }
        Output.note("Token \(id) is void.")
    }
}
