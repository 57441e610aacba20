import Foundation
import Logging
import SlipwayCore
import Synchronization

/// Follows the routing: starts the pools of new deployments, swaps what requests see, drains the rest.
///
/// One task (`follow`) changes things; requests only read the swapped value.
final class GatewayDispatcher: Sendable {
    private let folder: ServingFolder
    private let sockets: SocketFolder
    private let script: URL
    private let bounds: DeploymentPool.Bounds
    private let memoryMax: Int
    private let logger: Logger
    private let live = Mutex(LiveRouting())
    private let state = Mutex(State())
    private let (kicks, kick) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    private let choices: Mutex<any RandomNumberGenerator & Sendable>

    private struct State {
        var table: RoutingTable?
        var running: [DeploymentPool.Key: Running] = [:]
        var meters: [MeterKey: DeploymentMeter] = [:]
    }

    private struct Running {
        var pool: DeploymentPool
        var task: Task<Void, Never>
    }

    private struct MeterKey: Hashable {
        var slot: SlotName
        var release: ContentDigest
    }

    init(
        folder: ServingFolder, script: URL, bounds: DeploymentPool.Bounds, memoryMax: Int, seed: UInt64?, logger: Logger
    ) throws {
        self.folder = folder
        sockets = try SocketFolder(folder.workers)
        self.script = script
        self.bounds = bounds
        self.memoryMax = memoryMax
        self.logger = logger
        choices = Mutex(seed.map { SeededChoices(seed: $0) as any RandomNumberGenerator & Sendable } ?? SystemRandomNumberGenerator())
    }

    var routing: LiveRouting { live.withLock { $0 } }
    func draw() -> UInt64 { choices.withLock { $0.next() } }
    func nudge() { kick.yield() }

    /// Runs until shut down: looks at the file when nudged, when a worker changed, and every second anyway.
    func follow() async {
        try? FileManager.default.contentsOfDirectory(at: folder.workers, includingPropertiesForKeys: nil).forEach { unlink($0.path) }  // of a killed gateway
        kick.yield()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                while !Task.isCancelled {
                    try? await Task.sleep(for: .seconds(1))  // cancelled: the loop ends
                    self.kick.yield()
                }
            }
            for await _ in kicks {
                if Task.isCancelled { break }
                await readTable()
                apply()
            }
            group.cancelAll()
        }
        await end()
    }

    /// Takes the file over if it changed. A file that cannot be read changes nothing.
    private func readTable() async {
        do {
            let file = folder.routing
            let table = try await offload { try RoutingTable.read(file) }
            if let table { state.withLock { $0.table = table } }
        } catch {
            logger.error("routing not read; the last one stays", metadata: ["error": "\(error)"])
        }
    }

    private func apply() {
        guard let table = state.withLock({ $0.table }) else { return }
        let present = routing
        var next = LiveRouting(controlPlane: table.controlPlane)
        var needed: Set<DeploymentPool.Key> = []
        for endpoint in table.endpoints {
            let wanted = endpoint.deployments.compactMap { deployment in
                pool(for: deployment, of: endpoint).map { LiveEndpoint.Choice(pool: $0, weight: deployment.weight) }
            }
            needed.formUnion(wanted.map(\.pool.key))
            let current = present.endpoints[endpoint.slot]
            // A deployment that is still being prepared counts as one that is not ready.
            let readiness = endpoint.deployments.map { deployment in
                (weight: deployment.weight, isReady: wanted.contains { $0.pool.key.release == deployment.release && $0.pool.isReady })
            }
            let due = TakeOver.isDue(wanted: readiness, present: (current?.choices ?? []).map { ($0.weight, $0.pool.isReady) })
            if due || current == nil {
                let isWhole = readiness.allSatisfy { $0.weight == 0 || $0.isReady }
                next.endpoints[endpoint.slot] = LiveEndpoint(
                    slot: endpoint.slot, project: endpoint.project, generation: endpoint.generation,
                    revision: isWhole ? endpoint.revision : min(current?.revision ?? 0, endpoint.revision), capture: endpoint.capture, choices: wanted)
            } else if let current {
                next.endpoints[endpoint.slot] = current
                needed.formUnion(current.choices.map(\.pool.key))
            }
        }
        let swapped = next
        live.withLock { $0 = swapped }
        retire(except: needed, table: table)
    }

    private func pool(for deployment: RoutedDeployment, of endpoint: RoutedEndpoint) -> DeploymentPool? {
        guard let place = deployment.place else { return nil }
        let key = DeploymentPool.Key(slot: endpoint.slot, release: deployment.release, place: place, workers: endpoint.workers)
        return state.withLock { state in
            if let running = state.running[key] { return running.pool }
            let meterKey = MeterKey(slot: endpoint.slot, release: deployment.release)
            let meter = state.meters[meterKey] ?? DeploymentMeter()
            state.meters[meterKey] = meter
            let setup = ModelWorker.Setup(
                script: script, folder: folder, sockets: sockets, python: place.python, model: place.model, modelName: deployment.modelName,
                modelVersion: deployment.modelVersion, log: folder.logs.appending(path: "\(endpoint.slot)-\(deployment.release.short).log"),
                memoryMax: memoryMax, loadDeadline: bounds.loadDeadline)
            let pool = DeploymentPool(key: key, deployment: deployment, meter: meter, bounds: bounds, setup: setup, logger: logger) { [kick] in kick.yield() }
            state.running[key] = Running(pool: pool, task: Task { await pool.run() })
            return pool
        }
    }

    /// Ends pools that nothing needs, once their last request is answered.
    private func retire(except needed: Set<DeploymentPool.Key>, table: RoutingTable) {
        state.withLock { state in
            for (key, running) in state.running where !needed.contains(key) && running.pool.inFlight == 0 {
                running.task.cancel()
                state.running[key] = nil
            }
            let wanted = Set(table.endpoints.flatMap { endpoint in endpoint.deployments.map { MeterKey(slot: endpoint.slot, release: $0.release) } })
                .union(state.running.keys.map { MeterKey(slot: $0.slot, release: $0.release) })
            state.meters = state.meters.filter { wanted.contains($0.key) }
        }
    }

    private func end() async {
        let tasks = state.withLock { state in
            defer { state.running = [:] }
            return state.running.values.map(\.task)
        }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    // MARK: Status

    func status(counts: (SlotName) -> CaptureWriter.Counts) -> [GatewayEndpointStatus] {
        guard let table = state.withLock({ $0.table }) else { return [] }
        let live = routing
        return table.endpoints.map { endpoint in
            let deployments = endpoint.deployments.map { deployment -> GatewayEndpointStatus.Deployment in
                let (pool, meter) = state.withLock { state in
                    (
                        state.running.first { $0.key.slot == endpoint.slot && $0.key.release == deployment.release && $0.key.place == deployment.place }?.value.pool,
                        state.meters[MeterKey(slot: endpoint.slot, release: deployment.release)]
                    )
                }
                return Self.status(of: deployment, pool: pool, meter: meter)
            }
            let counts = counts(endpoint.slot)
            return GatewayEndpointStatus(
                slot: endpoint.slot, revision: live.endpoints[endpoint.slot]?.revision ?? 0, deployments: deployments,
                captured: counts.captured, dropped: counts.dropped)
        }
    }

    private static func status(of deployment: RoutedDeployment, pool: DeploymentPool?, meter: DeploymentMeter?) -> GatewayEndpointStatus.Deployment {
        let condition: (state: DeploymentStatus.State, reason: String?) =
            pool?.condition ?? (deployment.reason == nil ? .loading : .failed, deployment.reason)
        let totals = meter?.totals ?? DeploymentMeter.Totals()
        return GatewayEndpointStatus.Deployment(
            status: DeploymentStatus(
                release: deployment.release, state: condition.state, weight: deployment.weight, reason: condition.reason, requests: totals.requests,
                errors: totals.errors, notANumber: totals.notANumber, latencyP50: totals.latency.quantile(0.5), latencyP95: totals.latency.quantile(0.95)),
            rows: totals.rows, traffic: meter?.traffic ?? [])
    }
}

/// What the gateway says of an endpoint over its control socket.
package struct GatewayEndpointStatus: Sendable, Hashable, Codable {
    package struct Deployment: Sendable, Hashable, Codable {
        package var status: DeploymentStatus
        package var rows: Int64
        package var traffic: [TrafficMinute]
    }

    package var slot: SlotName
    /// The newest revision that has been taken over, 0 for none.
    package var revision: Int64
    package var deployments: [Deployment]
    /// Rows captured, and rows dropped because the buffer was full, since the gateway started.
    package var captured: Int64
    package var dropped: Int64
}
