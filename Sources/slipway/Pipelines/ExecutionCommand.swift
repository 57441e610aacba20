import ArgumentParser
import AsyncHTTPClient
import Foundation
import NIOCore
import SlipwayClient
import SlipwayCore
import SlipwayWire

struct ExecutionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "execution", abstract: "Executions: passes of a pipeline over a commit.",
        subcommands: [ExecutionList.self, ExecutionShow.self, ExecutionLogs.self, ExecutionStart.self, ExecutionCancel.self, ExecutionRetry.self])
}

struct ExecutionList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List executions, newest first.", discussion: "Example: slipway execution list --environment dev --project flight-delays")
    @Option(help: "dev, stage or prod.") var environment = EnvironmentID.dev
    @Option(help: "Only this project.") var project: String?
    @Option(help: "At most this many.") var limit = 20
    @OptionGroup var connection: Connection

    func run() async throws {
        let filter = try project.map { "&project=\(try pathPart($0))" } ?? ""
        let page = try await connection.client().get("/api/v1/\(environment.rawValue)/executions?limit=\(limit)\(filter)", as: WirePage<WireExecution>.self)
        if connection.json { return try Output.json(page) }
        Output.table(
            ["id", "project", "state", "trigger", "branch", "commit", "by", "created"],
            page.items.map { [$0.id, $0.project, $0.state, $0.trigger, $0.branch ?? "", String($0.commit.prefix(12)), $0.requestedBy, $0.createdAt] },
            empty: "No executions in \(environment.rawValue). A push makes one: git push")
    }
}

/// An execution is named by environment and id, or by its id in dev.
struct ExecutionChoice: ParsableArguments {
    @Argument(help: "The execution's id.") var id: String
    @Option(help: "dev, stage or prod.") var environment = EnvironmentID.dev
    @OptionGroup var connection: Connection

    var path: String { get throws { "/api/v1/\(environment.rawValue)/executions/\(try pathPart(id))" } }

    func show(_ execution: WireExecution) throws {
        if connection.json { return try Output.json(execution) }
        Output.record([
            ("execution", execution.id), ("project", execution.project), ("environment", execution.environment), ("state", execution.state),
            ("trigger", execution.trigger), ("reason", execution.reason), ("branch", execution.branch), ("commit", execution.commit),
            ("run", execution.runId), ("snapshots", execution.snapshots.sorted { $0.key < $1.key }.map { "\($0.key)@\($0.value)" }.joined(separator: ", ")),
            ("requested by", execution.requestedBy), ("created", execution.createdAt), ("started", execution.startedAt), ("ended", execution.endedAt),
            ("release", execution.release), ("message", execution.message),
        ])
        guard let steps = execution.steps else { return }
        Output.line()
        Output.table(
            ["step", "state", "attempt", "exit", "started", "ended"],
            steps.map { [$0.name, $0.state, "\($0.attempt)", $0.exitCode.map { "\($0)" } ?? "", $0.startedAt ?? "", $0.endedAt ?? ""] }, empty: "No steps.")
    }
}

struct ExecutionShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show an execution and its steps.", discussion: "Example: slipway execution show 3f2a9c81d0e4 --environment stage")
    @OptionGroup var choice: ExecutionChoice

    func run() async throws {
        try choice.show(try await choice.connection.client().get(try choice.path, as: WireExecution.self))
    }
}

struct ExecutionLogs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "Print an execution's logs; with -f as they are written, until it is over.",
        discussion: "Example: slipway execution logs 3f2a9c81d0e4 -f\nFollowing exits with 1 when the execution does not succeed.")
    @OptionGroup var choice: ExecutionChoice
    @Option(help: "Only this step.") var step: String?
    @Flag(name: [.customShort("f"), .long], help: "Follow until the execution is over.") var follow = false

    func run() async throws {
        let client = APIClient(base: try choice.connection.client().base, token: try choice.connection.client().token, timeout: .hours(48))
        let filter = try step.map { "&step=\(try pathPart($0))" } ?? ""
        let response = try await client.open("GET", "\(try choice.path)/log?follow=\(follow)\(filter)")
        for try await piece in response.body { Output.raw(Data(piece.readableBytesView)) }
        guard follow else { return }
        let execution = try await client.get(try choice.path, as: WireExecution.self)
        if execution.state != "succeeded" { throw ExitCode(1) }
    }
}

struct ExecutionStart: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Run the pipeline of a branch or a commit.",
        discussion: "Example: slipway execution start --project flight-delays --environment stage")
    @Option(help: "The project.") var project: String
    @Option(help: "dev, stage or prod.") var environment = EnvironmentID.dev
    @Option(help: "The branch; the main line when left out.") var branch: String?
    @Option(help: "A commit, all 40 digits.") var commit: String?
    @OptionGroup var connection: Connection

    func run() async throws {
        let body = WireNewExecution(project: project, branch: branch, commit: commit)
        let execution = try await connection.client().post("/api/v1/\(environment.rawValue)/executions", body, as: WireExecution.self)
        if connection.json { return try Output.json(execution) }
        Output.line(execution.id)
        Output.note("Follow it: slipway execution logs \(execution.id) --environment \(environment.rawValue) -f")
    }
}

struct ExecutionCancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "End an execution: its running steps are asked to end, then killed.", discussion: "Example: slipway execution cancel 3f2a9c81d0e4")
    @OptionGroup var choice: ExecutionChoice

    func run() async throws {
        let execution = try await choice.connection.client().post("\(try choice.path)/cancel", WireNothing(), as: WireExecution.self)
        if choice.connection.json { return try Output.json(execution) }
        Output.note("Execution \(execution.id) is \(execution.state).")
    }
}

struct ExecutionRetry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry", abstract: "Run again what did not succeed; finished steps are kept.", discussion: "Example: slipway execution retry 3f2a9c81d0e4")
    @OptionGroup var choice: ExecutionChoice

    func run() async throws {
        let execution = try await choice.connection.client().post("\(try choice.path)/retry", WireNothing(), as: WireExecution.self)
        if choice.connection.json { return try Output.json(execution) }
        Output.note("Execution \(execution.id) is \(execution.state). Follow it: slipway execution logs \(execution.id) --environment \(choice.environment.rawValue) -f")
    }
}
