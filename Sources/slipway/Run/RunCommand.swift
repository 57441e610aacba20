import ArgumentParser
import Foundation
import SlipwayClient
import SlipwayCore
import SlipwayWire

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Tracked runs: parameters, metrics and models.", subcommands: [RunList.self, RunShow.self, RunLocal.self],
        defaultSubcommand: RunLocal.self)
}

struct RunList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List tracked runs, newest first.",
        discussion: "Example: slipway run list --environment dev --filter \"metrics.auc > 0.65\"")
    @Option(help: "dev, stage or prod.") var environment: EnvironmentID = .dev
    @Option(help: "Only this project's.") var project: String?
    @Option(help: "Only this experiment's, by id or name.") var experiment: String?
    @Option(help: "MLflow's search language.") var filter: String?
    @Option(help: "1 to 1000.") var limit = 20
    @OptionGroup var connection: Connection

    func run() async throws {
        var query = "limit=\(limit)"
        for (name, value) in [("project", project), ("experiment", experiment), ("filter", filter)] {
            if let value { query += "&\(name)=\(try queryPart(value))" }
        }
        let page = try await connection.client().get("/api/v1/\(environment.rawValue)/runs?\(query)", as: WirePage<WireRun>.self)
        if connection.json { return try Output.json(page) }
        Output.table(
            ["run", "name", "project", "status", "started", "metrics"],
            page.items.map { run in
                [run.id, run.name, run.project, run.status.lowercased(), run.startedAt, run.metrics.prefix(4).map(Self.words).joined(separator: "  ")]
            }, empty: "No runs yet: point a script at the server (MLFLOW_TRACKING_URI=\(try connection.address)/\(environment.rawValue)) or 'git push'.")
    }

    static func words(_ metric: WireRun.Metric) -> String {
        "\(metric.key)=" + (metric.value.map { String(format: "%.4g", $0) } ?? "NaN")
    }
}

struct RunShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show a run with its parameters, metrics and tags.", discussion: "Example: slipway run show dev/4f0c…")
    @Argument(help: "Environment and run id, such as dev/4f0c….") var run: EnvironmentPath
    @OptionGroup var connection: Connection

    func run() async throws {
        let found = try await connection.client().get("/api/v1/\(run.environment.rawValue)/runs/\(try pathPart(run.name))", as: WireRun.self)
        if connection.json { return try Output.json(found) }
        Output.record([
            ("run", found.id), ("name", found.name), ("project", found.project), ("experiment", found.experiment), ("user", found.user),
            ("status", found.status.lowercased()), ("started", found.startedAt), ("ended", found.endedAt), ("artifacts", found.artifactUri),
            ("models", found.models.joined(separator: ", ")),
        ])
        Output.line()
        Output.table(["metric", "value", "step"], found.metrics.map { [$0.key, $0.value.map { "\($0)" } ?? "NaN", String($0.step)] }, empty: "No metrics.")
        Output.line()
        Output.table(["parameter", "value"], found.params.map { [$0.key, $0.value] }, empty: "No parameters.")
        Output.line()
        Output.table(["tag", "value"], found.tags.map { [$0.key, String($0.value.prefix(100))] }, empty: "No tags.")
        guard !found.datasets.isEmpty else { return }
        Output.line()
        Output.table(["dataset", "digest", "context"], found.datasets.map { [$0.name, $0.digest, $0.context ?? ""] }, empty: "")
    }
}
