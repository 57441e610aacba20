import ArgumentParser
import SlipwayClient
import SlipwayCore
import SlipwayWire

struct ReleaseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release", abstract: "Releases: what promotions move.",
        subcommands: [ReleaseList.self, ReleaseShow.self, ReleaseQuarantine.self, ReleaseLift.self])
}

struct ReleaseList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List an environment's releases, newest first.", discussion: "Example: slipway release list stage")
    @Argument(help: "dev, stage or prod.") var environment: EnvironmentID
    @Option(help: "Of this project only.") var project: String?
    @OptionGroup var paging: Paging
    @OptionGroup var connection: Connection

    func run() async throws {
        let page = try await connection.client().get("/api/v1/\(environment.rawValue)/releases\(try paging.query(["project": project]))", as: WirePage<WireRelease>.self)
        if connection.json { return try Output.json(page) }
        Output.table(
            ["release", "project", "model", "commit", "trained in", "created"],
            page.items.map {
                [String($0.id.prefix(12)), $0.project, "\($0.model) v\($0.modelVersion)", String($0.commit.prefix(12)), $0.trainingEnvironment, $0.createdAt]
            }, empty: "No releases in \(environment.rawValue) that you can see. A push to the main line makes one.")
        paging.hint(page.next)
    }
}

struct ReleaseShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "What a release is made of and where it has been.", discussion: "Example: slipway release show stage/3f9a0c1d22ab")
    @Argument(help: "ENVIRONMENT/RELEASE; without an environment all are searched.") var release: Addressed
    @OptionGroup var connection: Connection

    func run() async throws {
        let found = try await release.find(connection.client(), "releases", as: WireRelease.self)
        if connection.json { return try Output.json(found) }
        Output.record([
            ("release", found.id), ("environment", found.environment), ("project", found.project), ("kind", found.kind), ("commit", found.commit),
            ("model", "\(found.model) version \(found.modelVersion)"), ("run", "\(found.trainingRun) (\(found.trainingEnvironment))"),
            ("data", Words.pairs(found.snapshots.mapValues { String($0.prefix(12)) })), ("metrics", Words.pairs(found.metrics.mapValues { "\($0)" })),
            ("created", "\(found.createdAt) by \(found.createdBy)"), ("marks", found.marks?.joined(separator: ", ")), ("quarantine", found.quarantine),
            ("promotions", found.promotions?.joined(separator: ", ")),
        ])
    }
}

struct ReleaseQuarantine: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quarantine", abstract: "Let nothing offer a release again until somebody else lifts it.",
        discussion: "Example: slipway release quarantine prod/3f9a0c1d22ab --reason \"leaks the label\"")
    @Argument(help: "ENVIRONMENT/RELEASE.") var release: EnvironmentPath
    @Option(help: "Why.") var reason: String
    @OptionGroup var connection: Connection

    func run() async throws {
        let path = "/api/v1/\(release.environment.rawValue)/releases/\(try pathPart(release.name))/quarantine"
        _ = try await connection.client().post(path, WireVerb(reason: reason), as: WireNothing.self)
        if connection.json { return try Output.json(WireNothing()) }
        Output.note("Quarantined.")
    }
}

struct ReleaseLift: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lift", abstract: "Lift a quarantine (not by who promoted the release).",
        discussion: "Example: slipway release lift prod/3f9a0c1d22ab --reason \"the alarm was false\"")
    @Argument(help: "ENVIRONMENT/RELEASE.") var release: EnvironmentPath
    @Option(help: "Why.") var reason: String
    @OptionGroup var connection: Connection

    func run() async throws {
        let path = "/api/v1/\(release.environment.rawValue)/releases/\(try pathPart(release.name))/quarantine"
        _ = try await connection.client().delete(path, WireVerb(reason: reason), as: WireNothing.self)
        if connection.json { return try Output.json(WireNothing()) }
        Output.note("The quarantine is lifted.")
    }
}
