import ArgumentParser
import Foundation
import NIOCore
import SlipwayClient
import SlipwayCore
import SlipwayWire

struct DataCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Data snapshots: the exact data that a model saw.",
        discussion: "A snapshot is named environment/dataset@version; the version is a tag, an id, the beginning of one, or 'latest'.",
        subcommands: [
            DataList.self, DataShow.self, DataImport.self, DataMaterialise.self, DataTag.self, DataCheck.self, DataRefreshCommand.self, DataRecipes.self,
            DataAdopt.self, DataDelete.self,
        ])
}

/// Which project's data, on which server.
struct DataConnection: ParsableArguments {
    @Option(help: "The project (or SLIPWAY_PROJECT; else the 'project' of ./slipway.yaml).") var project: String?
    @OptionGroup var connection: Connection

    var isJSON: Bool { connection.json }

    var projectName: String {
        get throws {
            if let project { return project }
            if let named = ProcessInfo.processInfo.environment["SLIPWAY_PROJECT"], !named.isEmpty { return named }
            let file = URL(filePath: "slipway.yaml")
            if FileManager.default.fileExists(atPath: file.path), let match = try String(contentsOf: file, encoding: .utf8).firstMatch(of: /(?m)^project:\s*([a-z0-9-]+)/) {
                return String(match.output.1)
            }
            throw SlipwayError.invalid("No project is named.", remedy: "Add --project NAME, or work in a folder with a slipway.yaml.")
        }
    }

    func query(_ extra: String = "") throws -> String { "?project=\(try pathPart(projectName))\(extra)" }

    /// Long work at the server: reading a big table, a refresh.
    func patient() throws -> APIClient {
        let client = try connection.client()
        return APIClient(base: client.base, token: client.token, timeout: .hours(2))
    }
}

/// `prod/flights@2013-03`
struct SnapshotName: ExpressibleByArgument {
    var environment: EnvironmentID
    var dataset: String
    var version: String

    init?(argument: String) {
        guard let reference = try? SnapshotReference(parsing: argument), let environment = reference.environment else { return nil }  // ArgumentParser words it
        self.environment = environment
        dataset = reference.dataset
        version = reference.version ?? SnapshotReference.latest
    }

    var text: String { "\(environment.rawValue)/\(dataset)@\(version)" }
    var datasetPath: String { get throws { "/api/v1/\(environment.rawValue)/data/\(try pathPart(dataset))" } }
    var path: String { get throws { "\(try datasetPath)/snapshots/\(try pathPart(version))" } }
}

struct DataList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "The datasets of an environment, or the snapshots of one dataset.",
        discussion: "Example: slipway data list prod\n         slipway data list prod/flights --limit 5")
    @Argument(help: "An environment, or a dataset such as prod/flights.") var place: String
    @Option(help: "At most this many snapshots, 1 to 1000.") var limit = 100
    @OptionGroup var data: DataConnection

    func run() async throws {
        if let name = SnapshotName(argument: place) { return try await listSnapshots(name) }
        let environment = try EnvironmentID(parsing: place)
        let page = try await data.connection.client().get("/api/v1/\(environment.rawValue)/data\(data.query())", as: WirePage<WireDataset>.self)
        if data.isJSON { return try Output.json(page) }
        Output.table(
            ["dataset", "newest", "rows", "size", "checks", "created", "refresh", "notes"],
            page.items.map { item in
                [
                    item.dataset, item.newest?.id ?? "none", item.newest.map(DataText.rows) ?? "", item.newest.map { DataText.size($0.sizeBytes) } ?? "",
                    item.newest?.verdict ?? "", item.newest?.createdAt ?? "", item.recipe.map { "\($0.every) from \($0.from)" } ?? "", DataText.notes(item),
                ]
            }, empty: "No datasets in \(environment.rawValue). Bring one: slipway data import \(environment.rawValue)/NAME FOLDER")
    }

    private func listSnapshots(_ name: SnapshotName) async throws {
        let page = try await data.connection.client().get("\(name.datasetPath)/snapshots\(data.query("&limit=\(limit)"))", as: WirePage<WireSnapshot>.self)
        if data.isJSON { return try Output.json(page) }
        Output.table(
            ["id", "tags", "files", "rows", "size", "checks", "created", "expires", "from"],
            page.items.map { item in
                [
                    item.id, item.tags.joined(separator: ", "), String(item.files), DataText.rows(item), DataText.size(item.sizeBytes), item.verdict, item.createdAt,
                    item.expiresAt ?? "", item.lineage.map { "\($0.environment)@\($0.snapshot)" } ?? "",
                ]
            }, empty: "No snapshots of '\(name.dataset)' in \(name.environment.rawValue).")
    }
}

struct DataShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "A snapshot: schema, checks, where it came from.", discussion: "Example: slipway data show prod/flights@2013-03")
    @Argument(help: "The snapshot, such as prod/flights@latest.") var snapshot: SnapshotName
    @OptionGroup var data: DataConnection

    func run() async throws {
        let found = try await data.connection.client().get("\(snapshot.path)\(data.query())", as: WireSnapshot.self)
        if data.isJSON { return try Output.json(found) }
        DataText.show(found)
    }
}

struct DataTag: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tag", abstract: "Name a snapshot (stewards).", discussion: "Example: slipway data tag prod/flights@3f2a9c81d0e4 2013-03")
    @Argument(help: "The snapshot.") var snapshot: SnapshotName
    @Argument(help: "The tag.") var tag: String
    @Flag(help: "Take the tag away from another snapshot.") var move = false
    @OptionGroup var data: DataConnection

    func run() async throws {
        let tagged = try await data.connection.client().put(
            "\(snapshot.path)/tags/\(pathPart(tag))\(data.query(move ? "&move=true" : ""))", WireNothing(), as: WireSnapshot.self)
        if data.isJSON { return try Output.json(tagged) }
        Output.note("\(snapshot.environment.rawValue)/\(snapshot.dataset)@\(tag) is snapshot \(tagged.id).")
    }
}

struct DataCheck: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Ask the main line's data checks of a snapshot again (stewards).", discussion: "Example: slipway data check prod/flights@latest")
    @Argument(help: "The snapshot.") var snapshot: SnapshotName
    @OptionGroup var data: DataConnection

    func run() async throws {
        let checked = try await data.patient().post("\(snapshot.path)/check\(data.query())", WireNothing(), as: WireSnapshot.self)
        if data.isJSON { return try Output.json(checked) }
        DataText.showChecks(checked)
    }
}

struct DataDelete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Remove a dev snapshot, or an expired one (stewards). Shows first what it would touch.",
        discussion: "Example: slipway data delete dev/flights@3f2a9c81d0e4 --yes")
    @Argument(help: "The snapshot.") var snapshot: SnapshotName
    @Flag(help: "Really remove it.") var yes = false
    @OptionGroup var data: DataConnection

    func run() async throws {
        let client = try data.connection.client()
        let found = try await client.get("\(snapshot.path)\(data.query())", as: WireSnapshot.self)
        if !yes {
            let uses = try await client.get("\(snapshot.path)/uses\(data.query())", as: WirePage<WireUse>.self)
            if data.isJSON { return try Output.json(uses) }
            Output.note("\(snapshot.text) is snapshot \(found.id): \(found.files) files, \(DataText.size(found.sizeBytes)).")
            for use in uses.items { Output.note("  \(use.holds ? "needed by" : "named by") \(use.subject)") }
            if uses.items.isEmpty { Output.note("  Nothing stands on it.") }
            return Output.note("Nothing was removed. To remove it: slipway data delete \(snapshot.environment.rawValue)/\(snapshot.dataset)@\(found.id) --yes")
        }
        let removed = try await client.delete("\(snapshot.path)\(data.query())", as: WireSnapshot.self)
        if data.isJSON { return try Output.json(removed) }
        Output.note("Removed \(removed.id); bytes that nothing else names go after a day.")
    }
}
