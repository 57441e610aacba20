import ArgumentParser
import Foundation
import SlipwayClient
import SlipwayCore
import SlipwayWire

struct PolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "The versioned rules of an environment for a project.", subcommands: [PolicyShow.self, PolicyInstall.self])
}

struct PolicyShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show the policy in force.", discussion: "Example: slipway policy show prod --project flight-delays")
    @Argument(help: "dev, stage or prod.") var environment: EnvironmentID
    @Option(help: "The project.") var project: String
    @OptionGroup var connection: Connection

    func run() async throws {
        let policy = try await connection.client().get("/api/v1/\(environment.rawValue)/policy?project=\(try queryPart(project))", as: WirePolicy.self)
        if connection.json { return try Output.json(policy) }
        Output.note("Policy '\(policy.name)', version \(policy.version), by \(policy.installedBy)\(policy.installedAt.map { " at \($0)" } ?? "")")
        Output.line(policy.text)
    }
}

struct PolicyInstall: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "install", abstract: "Put a policy in force; promotions planned under another are checked anew.",
        discussion: "Example: slipway policy install Resources/policies/demo-prod.yaml --project flight-delays")
    @Argument(help: "The policy's YAML; its 'environment' says where it goes.") var file: String
    @Option(help: "The project.") var project: String
    @OptionGroup var connection: Connection

    func run() async throws {
        let text = try String(contentsOf: URL(filePath: file), encoding: .utf8)
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("environment:") }) else {
            throw SlipwayError.invalid("'\(file)' names no environment.", remedy: "Begin it with a line such as 'environment: prod'.")
        }
        let environment = try EnvironmentID(parsing: line.dropFirst("environment:".count).trimmingCharacters(in: .whitespaces))
        let policy = try await connection.client().put("/api/v1/\(environment.rawValue)/policy", WireNewPolicy(project: project, text: text), as: WirePolicy.self)
        if connection.json { return try Output.json(policy) }
        Output.note("Policy '\(policy.name)' is in force for '\(policy.project)' in \(policy.environment): version \(policy.version).")
    }
}

struct FreezeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "freeze", abstract: "Stop the line: nothing is applied until it ends. Rollbacks are not stopped.",
        subcommands: [FreezeAdd.self, FreezeList.self, FreezeLift.self])
}

struct FreezeAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Freeze a project or one slot.", discussion: "Example: slipway freeze add prod --project flight-delays --for 4h --reason \"incident 4711\"")
    @Argument(help: "stage or prod.") var environment: EnvironmentID
    @Option(help: "The project.") var project: String
    @Option(help: "Only this slot.") var slot: String?
    @Option(help: "Why.") var reason: String
    @Option(name: .customLong("for"), help: "How long, such as 4h; without it, until it is lifted.") var lifetime: String?
    @OptionGroup var connection: Connection

    func run() async throws {
        let freeze = try await connection.client().post(
            "/api/v1/\(environment.rawValue)/freezes", WireFreeze(project: project, slot: slot, reason: reason, lifetime: lifetime), as: WireFreeze.self)
        if connection.json { return try Output.json(freeze) }
        Output.line(freeze.id ?? "")
        Output.note("Frozen \(freeze.expiresAt.map { "until \($0)" } ?? "until it is lifted"): slipway freeze lift \(environment.rawValue)/\(freeze.id ?? "")")
    }
}

struct FreezeList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List freezes, newest first.", discussion: "Example: slipway freeze list prod")
    @Argument(help: "stage or prod.") var environment: EnvironmentID
    @OptionGroup var connection: Connection

    func run() async throws {
        let page = try await connection.client().get("/api/v1/\(environment.rawValue)/freezes", as: WirePage<WireFreeze>.self)
        if connection.json { return try Output.json(page) }
        Output.table(
            ["freeze", "covers", "reason", "owner", "since", "until"],
            page.items.map {
                [$0.id ?? "", $0.slot ?? $0.project, $0.reason, $0.owner ?? "", $0.createdAt ?? "", $0.liftedAt.map { "lifted \($0)" } ?? $0.expiresAt ?? "lifted"]
            }, empty: "No freezes in \(environment.rawValue).")
    }
}

struct FreezeLift: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "lift", abstract: "End a freeze now.", discussion: "Example: slipway freeze lift prod/0123456789ab")
    @Argument(help: "ENVIRONMENT/ID.") var freeze: EnvironmentPath
    @OptionGroup var connection: Connection

    func run() async throws {
        _ = try await connection.client().delete("/api/v1/\(freeze.environment.rawValue)/freezes/\(try pathPart(freeze.name))", as: WireNothing.self)
        if connection.json { return try Output.json(WireNothing()) }
        Output.note("The freeze is lifted.")
    }
}
