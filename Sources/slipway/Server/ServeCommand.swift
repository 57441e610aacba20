import ArgumentParser
import Foundation
import Logging
import SlipwayCore
import SlipwayServer

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the server.",
        discussion: """
            Everything is kept in one folder; the first start prints a one-time secret that creates the first people.
            Example: slipway serve --data ./slipway-data --port 5080
            """)

    @Option(help: "The folder that holds everything; made when missing.")
    var data = "slipway-data"

    @Option(help: "The address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port; 0 lets the system choose (the data folder's server.json tells).")
    var port = 5080

    @Option(name: .customLong("environment"), help: "Run only this environment; repeat for several.")
    var environments: [EnvironmentID] = []

    @Option(help: "dev: callers without a token may track in dev's implicit project (loopback only).")
    var anonymous: EnvironmentID?

    @Option(help: "basic: MLflow's users and permissions in dev, for its clients of every release.")
    var auth: AuthKind?

    @Option(help: "With --auth basic: the administrator, made on the first start (or MLFLOW_AUTH_ADMIN_USERNAME).")
    var adminUser: String?

    @Option(help: "With --auth basic: their password on the first start; better in MLFLOW_AUTH_ADMIN_PASSWORD, which other users of this machine cannot see.")
    var adminPassword: String?

    @Option(help: "With --auth basic: what everybody may do where nothing else is granted: READ, USE, EDIT, MANAGE or NO_PERMISSIONS.")
    var defaultPermission = "READ"

    @Option(help: "dev: where new experiments keep artifacts: mlflow-artifacts:/ (the artifact proxy, the default), a path, or another address.")
    var artifactRoot: String?

    @Option(help: "dev: a folder behind the artifact proxy that holds artifacts under their own names; without it they lie in the data folder by digest.")
    var artifactsDestination: String?

    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: Logger.Level = .notice

    func run() async throws {
        guard (0...65535).contains(port) else { throw ValidationError("--port takes 0 to 65535.") }
        guard anonymous == nil || anonymous == .dev else { throw ValidationError("--anonymous takes dev: stage and prod always want to know who calls.") }
        let settings = ProcessInfo.processInfo.environment
        let basic = try basicAuthentication(settings)
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        let configuration = ServerConfiguration(
            data: URL(filePath: data), host: host, port: port, environments: environments.isEmpty ? EnvironmentID.allCases : environments, logLevel: logLevel,
            anonymousInDev: anonymous == .dev, artifactRoot: artifactRoot, artifactsDestination: artifactsDestination, settings: settings,
            basic: basic)
        try await Server(configuration).run { [data] notice in
            Output.note("Slipway \(Version.text) answers at \(notice.address)  (data in \(data))")
            guard let secret = notice.secret else { return }
            Output.note(
                """

                First start. This secret creates the first people, once; it also lies in \(data)/first-start-secret:

                    \(secret)

                Next: slipway bootstrap --file people.json   (slipway bootstrap --help shows the file)
                """)
        }
    }
}

enum AuthKind: String, ExpressibleByArgument { case basic }

extension ServeCommand {
    private func basicAuthentication(_ settings: [String: String]) throws -> BasicAuthentication? {
        guard auth == .basic else {
            guard adminUser == nil, adminPassword == nil else { throw ValidationError("--admin-user and --admin-password go with --auth basic.") }
            return nil
        }
        guard anonymous == nil else { throw ValidationError("--auth basic wants to know who calls: leave out --anonymous.") }
        guard let level = AccessLevel(rawValue: defaultPermission), level != .deny else {
            throw ValidationError("--default-permission takes READ, USE, EDIT, MANAGE or NO_PERMISSIONS.")
        }
        return BasicAuthentication(
            administrator: adminUser ?? settings["MLFLOW_AUTH_ADMIN_USERNAME"] ?? "admin", password: adminPassword ?? settings["MLFLOW_AUTH_ADMIN_PASSWORD"],
            standardLevel: level)
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
