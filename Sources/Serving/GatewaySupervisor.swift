import Foundation
import Logging
import ServiceLifecycle
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import Synchronization

/// Turns wishes into the gateway's routing file, and sees that the gateway runs. One per realm.
///
/// The gateway outlives this process on purpose; it is found again by its control socket.
package final class GatewaySupervisor: Service {
    package struct Setup: Sendable {
        /// The `slipway` binary.
        package var binary: URL
        package var resources: URL
        package var host: String
        /// 0 lets the system choose.
        package var port: Int
        /// What the gateway asks about new tokens, such as `http://127.0.0.1:5080`.
        package var controlPlane: String
        /// Ends the gateway with this process: for tests, and for a server that nobody upgrades.
        package var endsWithServer: Bool

        package init(binary: URL, resources: URL, host: String, port: Int, controlPlane: String, endsWithServer: Bool = false) {
            self.binary = binary
            self.resources = resources
            self.host = host
            self.port = port
            self.controlPlane = controlPlane
            self.endsWithServer = endsWithServer
        }
    }

    private let realm: Realm
    private let folder: ServingFolder
    let setup: Setup
    private let link: GatewayLink
    private let preparation: ModelPreparation
    private let logger: Logger
    private let (kicks, kick) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    private let state = Mutex(State())

    private struct State {
        var written: RoutingTable?
        var gateway: GatewayState?
        var child: ChildProcess?
        var startedAt: ContinuousClock.Instant?
        var startFailures = 0
        var silentSince: ContinuousClock.Instant?
        /// Why the gateway does not run.
        var trouble: String?
    }

    static let startPatience = Duration.seconds(15)

    package init(
        realm: Realm, setup: Setup, logger: Logger, python: @escaping @Sendable (_ lock: ContentDigest, _ text: String, _ version: String) async throws -> URL
    ) throws {
        self.realm = realm
        self.setup = setup
        self.logger = logger
        folder = ServingFolder(realm: realm.directory)
        try folder.prepare()
        _ = try folder.ensureSecret()
        link = try GatewayLink(folder: folder)
        preparation = ModelPreparation(realm: realm, folder: folder, python: python, logger: logger)
    }

    func nudge() { kick.yield() }

    /// Runs until shut down. The gateway goes on answering, unless it shall end with the server.
    package func run() async throws {
        try await sweep()
        kick.yield()
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    while !Task.isCancelled {
                        try? await Task.sleep(for: .seconds(1))  // cancelled: the loop ends
                        self.kick.yield()
                    }
                }
                for await _ in self.kicks {
                    if Task.isCancelled { break }
                    await self.reconcile()
                }
                group.cancelAll()
            }
        }
        guard let gateway = state.withLock({ $0.gateway }) else { return }
        if setup.endsWithServer { return await endGateway() }
        logger.notice(
            "the gateway goes on answering; 'slipway gateway stop' ends it",
            metadata: [
                "environment": "\(realm.environment.rawValue)", "port": "\(gateway.port)",
            ])
    }

    private func sweep() async throws {
        let wanted = try await realm.database.read { tx in try EndpointStore(tx: tx).all() }
        try await offload { try self.preparation.sweep(keeping: wanted) }
    }

    private func reconcile() async {
        do {
            let wanted = try await realm.database.read { tx in try EndpointStore(tx: tx).all() }
            let changed = try await writeRouting(wanted)
            // An environment without endpoints has no gateway; one that runs goes on.
            if wanted.isEmpty, state.withLock({ $0.gateway == nil && $0.written?.endpoints.isEmpty ?? true }), folder.gatewayState() == nil { return }
            guard await isAnswering(need: !wanted.isEmpty) else { return }
            if changed { try await link.reload() }
        } catch {
            logger.error("endpoints not brought about", metadata: ["environment": "\(realm.environment.rawValue)", "error": "\(error)"])
        }
    }

    // MARK: Routing

    private func writeRouting(_ wanted: [WantedEndpoint]) async throws -> Bool {
        let table = RoutingTable(environment: realm.environment, controlPlane: setup.controlPlane, endpoints: wanted.map(routed))
        guard state.withLock({ $0.written != table }) else { return false }
        let file = folder.routing
        try await offload { try table.write(to: file) }
        state.withLock { $0.written = table }
        return true
    }

    private func routed(_ wanted: WantedEndpoint) -> RoutedEndpoint {
        let deployments = wanted.deployments.map { deployment in
            var routed = RoutedDeployment(
                release: deployment.release, modelName: deployment.modelName, modelVersion: deployment.modelVersion, weight: deployment.weight)
            switch preparation.outcome(of: deployment, onChange: { [kick] in kick.yield() }) {
            case .preparing: break
            case .ready(let place): routed.place = place
            case .failed(let reason): routed.reason = reason
            }
            return routed
        }
        return RoutedEndpoint(
            slot: wanted.slot, project: wanted.project, generation: wanted.generation, revision: wanted.revision, workers: wanted.workers,
            capture: wanted.capture, deployments: deployments)
    }

    // MARK: The process

    /// Whether the gateway answers now; starts it when it is needed and does not run.
    private func isAnswering(need: Bool) async -> Bool {
        if let found = try? await link.state() {  // no answer is the other case
            let isNew = state.withLock { state in
                defer { state.gateway = found }
                state.startFailures = 0
                state.silentSince = nil
                state.trouble = nil
                return state.gateway?.pid != found.pid
            }
            if isNew, let build = GatewayState.build(of: setup.binary), found.build != build {
                logger.notice(
                    "the gateway runs another build than this server; 'slipway gateway stop' replaces it, with a pause of some seconds",
                    metadata: [
                        "environment": "\(realm.environment.rawValue)", "pid": "\(found.pid)",
                    ])
            }
            return true
        }
        let step = state.withLock { state -> Step in
            state.gateway = nil
            if let child = state.child, !child.hasEnded, let startedAt = state.startedAt, .now - startedAt < Self.startPatience { return .wait }
            if let startedAt = state.startedAt, .now - startedAt < min(.seconds(30), .milliseconds(100) * (1 << min(state.startFailures, 9))) { return .wait }
            if state.silentSince == nil { state.silentSince = .now }
            return need ? .start : .wait
        }
        if step == .start { await start() }
        return false
    }

    private enum Step { case wait, start }

    private func start() async {
        await replaceSilent()
        do {
            let port = setup.port == 0 ? (folder.gatewayState()?.port ?? 0) : setup.port
            let child = try await ChildProcess.start(
                ChildProcess.Launch(
                    program: setup.binary.path,
                    arguments: [
                        "gateway", "--realm", realm.directory.path, "--environment", realm.environment.rawValue, "--host", setup.host,
                        "--port", String(isFree(port) ? port : setup.port),
                    ],
                    environment: ProcessInfo.processInfo.environment.merging(["SLIPWAY_RESOURCES": setup.resources.path]) { $1 },
                    log: folder.gatewayLog, detached: true))
            logger.notice("gateway started", metadata: ["environment": "\(realm.environment.rawValue)", "pid": "\(child.pid)"])
            state.withLock { state in
                state.child = child
                state.startedAt = .now
                state.startFailures += 1
                state.trouble = "The gateway is starting."
            }
            try await waitUntilAnswering(child)
        } catch {
            state.withLock { state in
                state.startedAt = .now
                state.startFailures += 1
                state.trouble = (error as? SlipwayError)?.description ?? "\(error)"
            }
            logger.error("gateway not started", metadata: ["environment": "\(realm.environment.rawValue)", "error": "\(error)"])
        }
    }

    private func waitUntilAnswering(_ child: ChildProcess) async throws {
        let patience = ContinuousClock.now + Self.startPatience
        while .now < patience, !Task.isCancelled {
            if (try? await link.state()) != nil { kick.yield(); return }  // not yet
            if child.hasEnded {
                let log = folder.gatewayLog
                let line = try await offload { lastLines(of: log, count: 2) }
                throw SlipwayError(.unavailable, "The gateway ended at its start. \(line ?? "")", remedy: "Its log: \(log.path)")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Kills a gateway that holds the realm's lock and does not answer.
    private func replaceSilent() async {
        guard let old = folder.gatewayState(), kill(old.pid, 0) == 0, isGateway(old.pid) else { return }
        let silent = state.withLock { $0.silentSince.map { .now - $0 } ?? .zero }
        if silent < .seconds(5) {
            try? await Task.sleep(for: .seconds(1))  // it may only be busy
            if (try? await link.state()) != nil { return }  // it was
        }
        logger.warning("gateway is silent; it is replaced", metadata: ["pid": "\(old.pid)"])
        kill(old.pid, SIGKILL)
    }

    /// A process id may have gone to somebody else.
    private func isGateway(_ pid: Int32) -> Bool {
        guard let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") else { return false }
        let arguments = String(decoding: line, as: UTF8.self).split(separator: "\0").map(String.init)
        return arguments.contains("gateway") && arguments.contains(realm.directory.path)
    }

    private func isFree(_ port: Int) -> Bool {
        guard port != 0, setup.port == 0 else { return true }
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0 }
        }
    }

    private func endGateway() async {
        do {
            _ = try await Gateway.stop(realm: realm.directory)
        } catch {
            logger.warning("gateway not ended", metadata: ["error": "\(error)"])
        }
    }

    // MARK: What is known

    func gatewayStatus() async -> [GatewayEndpointStatus]? {
        try? await link.status()  // nil: it does not run
    }

    func status(of wanted: WantedEndpoint) async -> GatewayEndpointStatus { status(of: wanted, gateway: await gatewayStatus()) }

    /// The gateway's word, else what the control plane knows itself.
    func status(of wanted: WantedEndpoint, gateway: [GatewayEndpointStatus]?) -> GatewayEndpointStatus {
        let known = gateway?.first { $0.slot == wanted.slot }
        let (trouble, isHopeless) = gateway == nil ? state.withLock { ($0.trouble, $0.startFailures >= 6) } : (nil, false)
        let deployments = wanted.deployments.map { deployment -> GatewayEndpointStatus.Deployment in
            if var found = known?.deployments.first(where: { $0.status.release == deployment.release }) {
                found.status.weight = deployment.weight
                return found
            }
            var status = DeploymentStatus(release: deployment.release, state: isHopeless ? .failed : .loading, weight: deployment.weight, reason: trouble)
            if case .failed(let reason) = preparation.outcome(of: deployment, onChange: { [kick] in kick.yield() }) {
                status.state = .failed
                status.reason = reason
            }
            return GatewayEndpointStatus.Deployment(status: status, rows: 0, traffic: [])
        }
        return GatewayEndpointStatus(
            slot: wanted.slot, revision: known?.revision ?? 0, deployments: deployments, captured: known?.captured ?? 0, dropped: known?.dropped ?? 0)
    }

    func flush() async throws { try await link.flush() }

    var publicAddress: String? {
        (state.withLock { $0.gateway } ?? folder.gatewayState()).map { "http://\(reachableHost):\($0.port)" }
    }

    func address() throws -> (address: String, secret: String) {
        guard let gateway = state.withLock({ $0.gateway }) ?? folder.gatewayState() else {
            throw SlipwayError(
                .unavailable, "The gateway of \(realm.environment.rawValue) does not run.", remedy: "It starts with the first endpoint; see 'slipway endpoint list'.")
        }
        return ("http://\(reachableHost):\(gateway.port)", try folder.ensureSecret())
    }

    private var reachableHost: String {
        ["0.0.0.0", "::"].contains(setup.host) ? "127.0.0.1" : setup.host.contains(":") ? "[\(setup.host)]" : setup.host
    }
}
