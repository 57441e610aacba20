import ArgumentParser
import Foundation
import Logging
import NIOCore
import Serving
import SlipwayCore
import SlipwayRuntime

/// The prediction path's own process. `slipway serve` starts it; by hand it is for machines that only answer.
struct GatewayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway", abstract: "Answer predictions of one environment (started by 'slipway serve').",
        discussion: """
            A gateway outlives the server that started it and keeps answering what it last knew; a new server finds it again.
            Example: slipway gateway stop --data ./slipway-data
            """,
        shouldDisplay: false, subcommands: [GatewayRun.self, GatewayStop.self], defaultSubcommand: GatewayRun.self)
}

struct GatewayRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a gateway in the foreground.",
        discussion: "Example: slipway gateway --data ./slipway-data --environment prod --port 5083")

    @Option(help: "The server's data folder.") var data = "slipway-data"
    @Option(help: "The realm's folder, when it is not the environment's in the data folder.") var realm: String?
    @Option(help: "dev, stage or prod.") var environment: EnvironmentID
    @Option(help: "The address to listen on.") var host = "127.0.0.1"
    @Option(help: "The port; 0 lets the system choose (serving/gateway.json tells).") var port: Int
    @Option(help: "Repeatable choices between deployments.") var seed: UInt64?
    @Option(help: "Requests that may wait for a worker, per deployment.") var queue = 128
    @Option(help: "How long a request may take, such as 30s.") var deadline = "30s"
    @Option(help: "Bytes of address space of one worker, 0 for no bound.") var workerMemory = 16 << 30
    @Option(help: "trace, debug, info, notice, warning, error or critical.") var logLevel: Logger.Level = .notice

    func run() async throws {
        guard (0...65535).contains(port) else { throw ValidationError("--port takes 0 to 65535.") }
        guard (1...100_000).contains(queue) else { throw ValidationError("--queue takes 1 to 100000.") }
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "slipway.gateway.\(environment.rawValue)")
        logger.logLevel = logLevel
        let folder = realm.map { URL(filePath: $0) } ?? URL(filePath: data).appending(path: environment.rawValue)
        guard FileManager.default.fileExists(atPath: folder.path) else {
            throw SlipwayError.notFound("There is no folder '\(folder.path)'.", remedy: "Name the server's data folder with --data.")
        }
        var configuration = GatewayConfiguration(
            realm: folder.standardizedFileURL, environment: environment, host: host, port: port, resources: try ResourceFolder.find().root, seed: seed)
        configuration.queueMax = queue
        configuration.deadline = try Duration(parsing: deadline)
        configuration.workerMemoryMax = workerMemory
        do {
            try await Gateway(configuration, logger: logger).run()
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw SlipwayError(
                .unavailable, "Port \(port) is in use, so \(environment.rawValue) cannot answer predictions.",
                remedy: "Gateways listen on the three ports above the server's. Free it (ss -ltnp 'sport = :\(port)'), or choose another: slipway serve --port PORT")
        }
    }
}

struct GatewayStop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "End the gateways of a data folder; a running server starts them again.",
        discussion: "Example: slipway gateway stop --data ./slipway-data")

    @Option(help: "The server's data folder.") var data = "slipway-data"
    @Option(name: .customLong("environment"), help: "Only this environment; repeat for several.") var environments: [EnvironmentID] = []

    func run() async throws {
        for environment in environments.isEmpty ? EnvironmentID.allCases : environments {
            let stopped = try await Gateway.stop(realm: URL(filePath: data).appending(path: environment.rawValue))
            Output.note(stopped ? "The gateway of \(environment.rawValue) has ended." : "No gateway of \(environment.rawValue) runs.")
        }
    }
}
