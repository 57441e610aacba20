import Foundation
import Logging
import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// The endpoints of one realm as the control plane sees them: wishes in the database, their state from the gateway.
package final class EndpointService: EndpointControl {
    let realm: Realm
    let supervisor: GatewaySupervisor
    private let clock: any WallClock

    package init(realm: Realm, supervisor: GatewaySupervisor, clock: any WallClock) {
        self.realm = realm
        self.supervisor = supervisor
        self.clock = clock
    }

    // MARK: EndpointControl, for promotions

    package func want(_ endpoint: WantedEndpoint) async throws {
        guard endpoint.deployments.allSatisfy({ (0...100).contains($0.weight) }), endpoint.deployments.reduce(0, { $0 + $1.weight }) == 100 else {
            throw SlipwayError.invalid("The weights of endpoint '\(endpoint.slot)' do not add up to 100.")
        }
        guard (1...64).contains(endpoint.workers), (0...1).contains(endpoint.capture) else {
            throw SlipwayError.invalid(
                "Endpoint '\(endpoint.slot)' wants \(endpoint.workers) workers and capture \(endpoint.capture).",
                remedy: "serving.workers is 1 to 64, monitoring.capture 0 to 1.")
        }
        let now = clock.now
        try await realm.database.write { tx in
            let store = EndpointStore(tx: tx)
            if try store.wanted(endpoint.slot) == nil, try store.count() >= EndpointStore.max {
                throw SlipwayError(.tooMuch, "This environment has \(EndpointStore.max) endpoints already.", remedy: "Retire one: slipway slot retire")
            }
            try store.want(endpoint, at: now)
        }
        supervisor.nudge()
    }

    package func status(of slot: SlotName) async throws -> (revision: Int64, deployments: [DeploymentStatus]) {
        guard let wanted = try await realm.database.read({ tx in try EndpointStore(tx: tx).wanted(slot) }) else { return (0, []) }
        let found = await supervisor.status(of: wanted)
        return (found.revision, found.deployments.map(\.status))
    }

    package func remove(_ slot: SlotName) async throws {
        try await realm.database.write { tx in _ = try EndpointStore(tx: tx).remove(slot) }
        supervisor.nudge()
    }

    // MARK: Use cases

    /// Endpoints of the caller's projects with what they do just now.
    package func list(by caller: Caller) async throws -> [EndpointView] {
        try caller.requireSomebody()
        let all = try await realm.database.read { tx in try EndpointStore(tx: tx).all() }
        var views: [EndpointView] = []
        let reachable = all.filter { caller.may(.readMetadata, project: $0.project, environment: realm.environment) }
        let known = reachable.isEmpty ? nil : await supervisor.gatewayStatus()
        for wanted in reachable { views.append(view(of: wanted, supervisor.status(of: wanted, gateway: known))) }
        return views
    }

    package func show(_ slot: SlotName, by caller: Caller) async throws -> EndpointView {
        let wanted = try await endpoint(slot, for: .readMetadata, by: caller)
        return view(of: wanted, await supervisor.status(of: wanted))
    }

    /// Whether the caller may ask this endpoint for predictions; the gateway remembers the answer for a while.
    package func authorise(_ slot: SlotName, by caller: Caller) async throws {
        _ = try await endpoint(slot, for: .predict, by: caller)
    }

    /// Writes out what was captured, so that it can be looked at now.
    package func flushCapture(of slot: SlotName, by caller: Caller) async throws {
        _ = try await endpoint(slot, for: .readMetadata, by: caller)
        try await supervisor.flush()
    }

    /// Where to forward a prediction whose caller has been checked.
    /// - Throws: `unavailable` while the gateway does not run.
    package func gateway() throws -> (address: String, secret: String) { try supervisor.address() }

    private func endpoint(_ slot: SlotName, for permission: Permission, by caller: Caller) async throws -> WantedEndpoint {
        try caller.requireSomebody()
        let wanted = try await realm.database.read { tx in try EndpointStore(tx: tx).wanted(slot) }
        // Who may not see the project learns nothing about its endpoints.
        guard let wanted, caller.isSystem || !caller.roles(in: wanted.project, realm.environment).isEmpty else {
            throw SlipwayError.notFound(
                "There is no endpoint '\(slot)' in \(realm.environment.rawValue).", remedy: "See yours: slipway endpoint list --environment \(realm.environment.rawValue)")
        }
        try caller.require(permission, project: wanted.project, environment: realm.environment)
        return wanted
    }

    private func view(of wanted: WantedEndpoint, _ status: GatewayEndpointStatus) -> EndpointView {
        EndpointView(wanted: wanted, environment: realm.environment, status: status, address: supervisor.publicAddress)
    }
}

/// An endpoint with its state.
package struct EndpointView: Sendable {
    package var wanted: WantedEndpoint
    package var environment: EnvironmentID
    package var status: GatewayEndpointStatus
    /// The gateway's own address, nil while it does not run.
    package var address: String?

    /// The worst of what its answering deployments are.
    package var state: DeploymentStatus.State {
        let states = status.deployments.filter { $0.status.weight > 0 }.map(\.status.state)
        return states.contains(.failed) ? .failed : states.contains(.loading) || states.isEmpty ? .loading : .ready
    }
}
