import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import SlipwayCore
import SlipwayRuntime
import Synchronization
import UnixSignals

/// The prediction path of one environment: a process of its own, which keeps the last routing when the control plane is away.
package struct GatewayConfiguration: Sendable {
    /// The realm's folder (`<data>/prod`).
    package var realm: URL
    package var environment: EnvironmentID
    package var host: String
    /// 0 lets the system choose; the choice is written to `serving/gateway.json`.
    package var port: Int
    /// Holds `worker/worker.py`.
    package var resources: URL
    /// Makes the choices between deployments repeatable.
    package var seed: UInt64?
    /// Requests that may wait for a worker, per deployment.
    package var queueMax = 128
    /// From arrival to answer.
    package var deadline = Duration.seconds(30)
    package var loadDeadline = Duration.seconds(120)
    package var bodyBytesMax = 64 << 20
    /// Address space of one worker, 0 for no bound.
    package var workerMemoryMax = 16 << 30

    package init(realm: URL, environment: EnvironmentID, host: String = "127.0.0.1", port: Int, resources: URL, seed: UInt64? = nil) {
        self.realm = realm
        self.environment = environment
        self.host = host
        self.port = port
        self.resources = resources
        self.seed = seed
    }
}

package struct Gateway: Sendable {
    let configuration: GatewayConfiguration
    let clock: any WallClock
    let logger: Logger
    /// How new tokens are checked; nil for the control plane that the routing names.
    var ask: GatewayGate.Ask?

    package init(_ configuration: GatewayConfiguration, clock: any WallClock = SystemWallClock(), logger: Logger) {
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
    }

    /// Answers until SIGTERM or SIGINT, or until `POST /stop` on the control socket.
    package func run() async throws {
        try await group(signals: [.sigterm, .sigint]).run()
    }

    /// - Throws: `conflict` when the realm has a gateway already, `unavailable` when the folder cannot be used.
    func group(signals: [UnixSignal]) throws -> ServiceGroup {
        let folder = ServingFolder(realm: configuration.realm)
        try folder.prepare()
        guard let lock = try FileLock.take(folder.lock) else {
            throw SlipwayError(.conflict, "Another gateway runs on '\(configuration.realm.path)'.", remedy: "Let it answer, or stop it: slipway gateway stop --data FOLDER")
        }
        var bounds = DeploymentPool.Bounds()
        bounds.queueMax = configuration.queueMax
        bounds.deadline = configuration.deadline
        bounds.loadDeadline = configuration.loadDeadline
        let dispatcher = try GatewayDispatcher(
            folder: folder, script: configuration.resources.appending(path: "worker/worker.py"), bounds: bounds, memoryMax: configuration.workerMemoryMax,
            seed: configuration.seed, logger: logger)
        let capture = CaptureWriter(folder: folder.captures, clock: clock, logger: logger)
        let ask = ask ?? GatewayGate.overHTTP(environment: configuration.environment, logger: logger) { dispatcher.routing.controlPlane }
        let routes = GatewayRoutes(
            environment: configuration.environment, dispatcher: dispatcher, gate: GatewayGate(secret: try folder.ensureSecret(), clock: clock, ask: ask),
            capture: capture, clock: clock, ids: RandomIDs(), bodyMax: configuration.bodyBytesMax)
        let (stops, stop) = AsyncStream<Void>.makeStream()
        let build = GatewayState.build(of: try Programs.ownBinary())
        let state = GatewayControl.State(dispatcher: dispatcher, capture: capture, stop: stop, note: GatewayState(pid: getpid(), port: 0, startedAt: clock.now, build: build))
        let sockets = try SocketFolder(folder.root)
        unlink(folder.root.appending(path: ServingFolder.controlSocket).path)
        let control = Application(
            router: GatewayControl(state: state).router(),
            configuration: .init(address: .unixDomainSocket(path: sockets.path(ServingFolder.controlSocket)), serverName: nil), logger: logger)
        let server = Application(
            router: routes.router(), configuration: .init(address: .hostname(configuration.host, port: configuration.port), serverName: nil),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? configuration.port
                note(
                    state.note.withLock {
                        $0.port = port; return $0
                    }, in: folder)
            }, logger: logger)
        // Ended from the last to the first: no new requests, then no control, then no workers, then the capture is flushed.
        let services: [any Service] = [capture, Follower(dispatcher: dispatcher), control, server, Watch(folder: folder, stops: stops, lock: lock, sockets: sockets)]
        var group = ServiceGroupConfiguration(
            services: services.map { service in
                .init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)
            }, gracefulShutdownSignals: signals, logger: logger)
        // A connection that stays open must not keep a replaced gateway alive.
        group.maximumGracefulShutdownDuration = configuration.deadline + .seconds(5)
        return ServiceGroup(configuration: group)
    }

    /// Asks the gateway of a realm to end; it answers what it has taken first.
    /// - Returns: false when none runs.
    package static func stop(realm: URL) async throws -> Bool {
        let folder = ServingFolder(realm: realm)
        guard FileManager.default.fileExists(atPath: folder.state.path) else { return false }
        let link = try GatewayLink(folder: folder)
        guard (try? await link.stop()) != nil else { return false }  // it does not run
        for _ in 0..<200 {
            guard (try? await link.state()) != nil else { break }  // it is gone
            try await Task.sleep(for: .milliseconds(50))
        }
        return true
    }

    private func note(_ state: GatewayState, in folder: ServingFolder) {
        do {
            try writeWhole(try JSONEncoder().encode(state), to: folder.state)
        } catch {
            logger.error("state not written", metadata: ["error": "\(error)"])
        }
        logger.info("gateway answers", metadata: ["environment": "\(configuration.environment.rawValue)", "port": "\(state.port)"])
    }

    private struct Follower: Service {
        let dispatcher: GatewayDispatcher
        func run() async throws { await cancelWhenGracefulShutdown { await dispatcher.follow() } }
    }

    /// Ends the gateway when it is told to, or when its folder is gone (a data folder that was deleted). Holds the lock.
    private struct Watch: Service {
        let folder: ServingFolder
        let stops: AsyncStream<Void>
        let lock: FileLock
        let sockets: SocketFolder

        func run() async throws {
            let own = Self.identity(of: folder.lock)
            await cancelWhenGracefulShutdown {
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { for await _ in stops { return } }
                    group.addTask {
                        while !Task.isCancelled, Self.identity(of: folder.lock) == own {
                            try? await Task.sleep(for: .seconds(1))  // cancelled: the loop ends
                        }
                    }
                    await group.next()
                    group.cancelAll()
                }
            }
            withExtendedLifetime((lock, sockets)) {}
        }

        /// A folder that was deleted and made again holds another file of the same name.
        private static func identity(of file: URL) -> String? {
            let facts = try? FileManager.default.attributesOfItem(atPath: file.path)  // nil: it is gone
            return facts?[.systemFileNumber].map { String(describing: $0) }
        }
    }
}
