import ArgumentParser
import Foundation
import SlipwayClient
import SlipwayCore
import SlipwayWire

struct ModelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model", abstract: "Registered models, their versions and aliases.",
        subcommands: [ModelList.self, ModelShow.self, ModelVersions.self, ModelAlias.self])
}

struct ModelList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List registered models.", discussion: "Example: slipway model list --environment stage")
    @Option(help: "dev, stage or prod; all when absent.") var environment: EnvironmentID?
    @Option(help: "Only this project's.") var project: String?
    @OptionGroup var connection: Connection

    func run() async throws {
        let client = try connection.client()
        var found: [WireModel] = []
        for environment in environment.map({ [$0] }) ?? EnvironmentID.allCases {
            let query = try project.map { "&project=\(try queryPart($0))" } ?? ""
            found += try await client.get("/api/v1/\(environment.rawValue)/models?limit=1000\(query)", as: WirePage<WireModel>.self).items
        }
        if connection.json { return try Output.json(WirePage(items: found)) }
        Output.table(
            ["model", "project", "newest", "aliases", "updated"],
            found.map { model in
                [
                    "\(model.environment)/\(model.name)", model.project, model.newestVersion.map(String.init) ?? "",
                    model.aliases.map { "\($0.alias)=\($0.version)" }.joined(separator: " "), model.updatedAt,
                ]
            }, empty: "No registered models yet: an execution registers one when its metrics hold, or mlflow.register_model does.")
    }
}

struct ModelShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show a registered model.", discussion: "Example: slipway model show prod/flight-delay")
    @Argument(help: "Environment and name, such as prod/flight-delay.") var model: EnvironmentPath
    @OptionGroup var connection: Connection

    func run() async throws {
        let found = try await connection.client().get("/api/v1/\(model.environment.rawValue)/models/\(try pathPart(model.name))", as: WireModel.self)
        if connection.json { return try Output.json(found) }
        Output.record([
            ("model", "\(found.environment)/\(found.name)"), ("project", found.project), ("description", found.description),
            ("newest version", found.newestVersion.map(String.init)), ("aliases", found.aliases.map { "\($0.alias)=\($0.version)" }.joined(separator: " ")),
            ("created", found.createdAt), ("updated", found.updatedAt),
        ])
    }
}

struct ModelVersions: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "versions", abstract: "List a model's versions, newest first.", discussion: "Example: slipway model versions stage/flight-delay")
    @Argument(help: "Environment and name, such as stage/flight-delay; dev when only a name is given.") var model: String
    @Option(help: "1 to 1000.") var limit = 100
    @OptionGroup var connection: Connection

    func run() async throws {
        let path = EnvironmentPath(argument: model) ?? EnvironmentPath(argument: "dev/\(model)")
        guard let path else { throw SlipwayError.invalid("'\(model.prefix(80))' names no model.", remedy: "Write stage/flight-delay.") }
        let page = try await connection.client().get(
            "/api/v1/\(path.environment.rawValue)/models/\(try pathPart(path.name))/versions?limit=\(limit)", as: WirePage<WireModelVersion>.self)
        if connection.json { return try Output.json(page) }
        Output.table(
            ["version", "aliases", "manifest", "files", "bytes", "run", "by", "created"],
            page.items.map { version in
                [
                    String(version.version), version.aliases.joined(separator: " "), version.manifest.map { String($0.prefix(12)) } ?? "outside",
                    String(version.files), String(version.sizeBytes), version.run.map { String($0.prefix(12)) } ?? "", version.user, version.createdAt,
                ]
            }, empty: "No versions yet.")
    }
}

struct ModelAlias: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alias", abstract: "Point an alias at a version, or take it away.",
        discussion: """
            Example: slipway model alias dev/flight-delay candidate 3
                     slipway model alias dev/flight-delay candidate --delete
            """)
    @Argument(help: "Environment and name, such as dev/flight-delay.") var model: EnvironmentPath
    @Argument(help: "The alias.") var alias: String
    @Argument(help: "The version's number.") var version: Int?
    @Flag(help: "Take the alias away.") var delete = false
    @OptionGroup var connection: Connection

    func validate() throws {
        guard delete == (version == nil) else { throw ValidationError("Give a version, or --delete.") }
    }

    func run() async throws {
        let path = "/api/v1/\(model.environment.rawValue)/models/\(try pathPart(model.name))/aliases/\(try pathPart(alias))"
        if let version {
            _ = try await connection.client().put(path, WireAlias(version: version), as: WireNothing.self)
        } else {
            _ = try await connection.client().delete(path, as: WireNothing.self)
        }
    }
}
