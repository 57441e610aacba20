import ArgumentParser
import Foundation
import SlipwayClient
import SlipwayWire

struct ProjectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "project", abstract: "Projects: one Git repository, one model, three environments.",
        subcommands: [ProjectList.self, ProjectCreate.self, ProjectValidate.self])
}

struct ProjectList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the projects you can see.", discussion: "Example: slipway project list")
    @OptionGroup var connection: Connection

    func run() async throws {
        let page = try await connection.client().get("/api/v1/projects", as: WirePage<WireProject>.self)
        if connection.json { return try Output.json(page) }
        Output.table(["name", "owner", "created"], page.items.map { [$0.name, $0.owner ?? "", $0.createdAt ?? ""] }, empty: "No projects that you can see.")
    }
}

struct ProjectCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create a project (platform administrators).",
        discussion: "Example: slipway project create churn --admin ada")
    @Argument(help: "The project's name.") var name: String
    @Option(help: "Who administers it.") var admin: String
    @OptionGroup var connection: Connection

    func run() async throws {
        _ = try await connection.client().post("/api/v1/projects", WireProject(name: name, owner: admin), as: WireNothing.self)
        if connection.json { return try Output.json(WireNothing()) }
        Output.note("Created '\(name)'. Push its code: git push \(try connection.address)/git/\(name).git main")
    }
}

struct RoleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "role", abstract: "Who may do what in a project's environments.",
        subcommands: [RoleList.self, RoleGrantCommand.self, RoleRevoke.self])
}

struct RoleList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Who holds which role.", discussion: "Example: slipway role list flight-delays")
    @Argument(help: "The project.") var project: String
    @OptionGroup var connection: Connection

    func run() async throws {
        let page = try await connection.client().get("/api/v1/projects/\(try pathPart(project))/roles", as: WirePage<WireRole>.self)
        if connection.json { return try Output.json(page) }
        Output.table(["environment", "role", "who", "since"], page.items.map { [$0.environment, $0.role, $0.user, $0.grantedAt ?? ""] }, empty: "Nobody holds a role.")
    }
}

struct RoleChange: ParsableArguments {
    @Argument(help: "The user name.") var user: String
    @Argument(help: "viewer, contributor, engineer, reviewer, operator, steward, auditor or admin.") var role: String
    @Option(help: "The project.") var project: String
    @Option(help: "dev, stage or prod.") var environment: String
    @OptionGroup var connection: Connection

    var body: WireRole { WireRole(user: user, project: project, environment: environment, role: role) }
    var path: String { get throws { "/api/v1/projects/\(try pathPart(project))/roles" } }
}

struct RoleGrantCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "grant", abstract: "Give a person a role (admins of the project).",
        discussion: "Example: slipway role grant grace reviewer --project flight-delays --environment prod")
    @OptionGroup var change: RoleChange

    func run() async throws {
        _ = try await change.connection.client().post(change.path, change.body, as: WireNothing.self)
        if change.connection.json { return try Output.json(WireNothing()) }
        Output.note("\(change.user) is \(change.role) of '\(change.project)' in \(change.environment).")
    }
}

struct RoleRevoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Take a role away (admins of the project).",
        discussion: "Example: slipway role revoke grace reviewer --project flight-delays --environment prod")
    @OptionGroup var change: RoleChange

    func run() async throws {
        _ = try await change.connection.client().delete(change.path, change.body, as: WireNothing.self)
        if change.connection.json { return try Output.json(WireNothing()) }
        Output.note("\(change.user) is no longer \(change.role) of '\(change.project)' in \(change.environment).")
    }
}
