// SlipwayServer: the one place that builds everything and hands it to the service group.

import Access
import Foundation
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import SlipwayCore
import SlipwayHTTP
import SlipwayRuntime
import SlipwayStore
import UnixSignals

/// What `slipway serve` is told.
package struct ServerConfiguration: Sendable {
    /// Where everything is kept; made when missing.
    package var data: URL
    package var host: String
    /// 0 lets the system choose; `server.json` in the data folder tells.
    package var port: Int
    /// The environments this process runs.
    package var environments: [EnvironmentID]
    package var logLevel: Logger.Level
    /// Callers without a token have what an MLflow user has, in dev's implicit project. On loopback only.
    package var anonymousInDev: Bool
    /// Where dev's new experiments keep artifacts (an address or a path); nil for the artifact proxy.
    package var artifactRoot: String?
    /// The folder behind dev's artifact proxy; nil for the blobs in the data folder.
    package var artifactsDestination: String?
    /// Environment variables; those that MLflow's server reads are read here too.
    package var settings: [String: String]
    /// MLflow's accounts and permissions in dev (`--auth basic`); nil without.
    package var basic: BasicAuthentication?

    package init(
        data: URL, host: String = "127.0.0.1", port: Int = 5080, environments: [EnvironmentID] = EnvironmentID.allCases, logLevel: Logger.Level = .notice,
        anonymousInDev: Bool = false, artifactRoot: String? = nil, artifactsDestination: String? = nil, settings: [String: String] = [:],
        basic: BasicAuthentication? = nil
    ) {
        self.basic = basic
        self.artifactRoot = artifactRoot
        self.artifactsDestination = artifactsDestination
        self.settings = settings
        self.anonymousInDev = anonymousInDev
        self.data = data
        self.host = host
        self.port = port
        self.environments = environments
        self.logLevel = logLevel
    }
}

/// What `--auth basic` is told.
package struct BasicAuthentication: Sendable {
    /// Made on the first start.
    package var administrator: String
    /// Needed on the first start only.
    package var password: String?
    /// What everybody may do where nothing else is granted.
    package var standardLevel: AccessLevel

    package init(administrator: String, password: String?, standardLevel: AccessLevel) {
        self.administrator = administrator
        self.password = password
        self.standardLevel = standardLevel
    }
}

extension ServerConfiguration {
    var listensNearbyOnly: Bool { ["127.0.0.1", "::1", "localhost"].contains(host) }
}

/// What happened at the start that a person should read.
package struct StartNotice: Sendable {
    package var address: String
    /// The one-time secret of a first start, nil when there are people already.
    package var secret: String?
}

package struct Server: Sendable {
    let configuration: ServerConfiguration

    package init(_ configuration: ServerConfiguration) { self.configuration = configuration }

    /// Opens the data folder, builds the house and serves until a signal asks it to stop.
    /// - Parameter started: called once the port answers.
    /// - Throws: `unavailable` when the folder is in use or cannot be opened, or the port is taken.
    package func run(started: @escaping @Sendable (StartNotice) -> Void) async throws {
        let logger = Logger(label: "slipway", level: configuration.logLevel)
        if configuration.anonymousInDev, !configuration.listensNearbyOnly {
            throw SlipwayError.invalid(
                "Callers without a token are let in on loopback only, not on '\(configuration.host)'.",
                remedy: "Leave out --anonymous and make tokens (slipway token create), or use --host 127.0.0.1.")
        }
        let folder = try DataFolder(configuration.data)
        let lock = try folder.lock()
        let port = try configuration.port == 0 ? ListeningPort.free(on: configuration.host) : ListeningPort.check(configuration.port, on: configuration.host)
        let house = try await Self.assemble(folder, configuration: configuration, port: port, logger: logger)
        let foundations = house.foundations
        let secret = try await foundations.access.firstStartSecret()
        try folder.keep(secret: secret)

        let address = foundations.address
        let application = Application(
            responder: house.responder,
            configuration: ApplicationConfiguration(address: .hostname(configuration.host, port: port), serverName: nil),
            services: house.services,
            onServerRunning: { _ in
                do { try folder.announce(address: address, port: port) } catch { logger.error("server.json", metadata: ["error": "\(error)"]) }
                started(StartNotice(address: address, secret: secret))
            },
            logger: logger)
        do {
            try await application.runService(gracefulShutdownSignals: [.sigterm, .sigint])
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw ListeningPort.inUse(port)
        }
        try await foundations.close()
        lock.release()
    }

    /// Builds every room on a data folder without listening; tests drive the router directly.
    package static func assemble(_ configuration: ServerConfiguration, logger: Logger) async throws -> House {
        try await assemble(DataFolder(configuration.data), configuration: configuration, port: configuration.port, logger: logger)
    }

    private static func assemble(_ folder: DataFolder, configuration: ServerConfiguration, port: Int, logger: Logger) async throws -> House {
        let foundations = try await Foundations.open(folder, configuration: configuration, port: port, logger: logger)
        if let basic = configuration.basic {
            guard configuration.environments.contains(.dev) else {
                throw SlipwayError.invalid("--auth basic gives permissions in dev, which this server does not run.", remedy: "Leave out --auth, or add --environment dev.")
            }
            try await foundations.access.seedAdministrator(basic.administrator, password: basic.password)
        }
        var house = House(
            foundations,
            security: SecurityRules(settings: configuration.settings, listensNearbyOnly: configuration.listensNearbyOnly),
            anonymous: configuration.anonymousInDev ? .laptop : .anonymous)
        try await house.build()
        return house
    }
}

extension Logger {
    init(label: String, level: Logger.Level) {
        self.init(label: label)
        logLevel = level
    }
}
