import Foundation
import Serving
import SlipwayAPI
import SlipwayCore
import SlipwayRuntime

extension House {
    /// Endpoints of each realm, with the supervisor of its gateway on the port after the server's: +1 dev, +2 stage, +3 prod.
    mutating func addServing() throws {
        let builder = EnvironmentBuilder(root: foundations.folder.appending(path: "environments"))
        let binary = try Self.slipwayBinary()
        for (offset, environment) in EnvironmentID.allCases.enumerated() {
            guard let realm = foundations.realms[environment] else { continue }
            let supervisor = try GatewaySupervisor(
                realm: realm,
                setup: GatewaySupervisor.Setup(
                    binary: binary, resources: foundations.resources.root, host: foundations.host,
                    port: foundations.portIsChosen ? 0 : foundations.port + 1 + offset, controlPlane: foundations.address),
                logger: foundations.logger
            ) { _, text, version in
                let lock = try LockedRequirements(checking: text)
                return try await builder.environment(python: version, lock: lock).appending(path: "bin/python")
            }
            let service = EndpointService(realm: realm, supervisor: supervisor, clock: foundations.clock)
            endpoints[environment] = service
            endpointServices[environment] = service
            services.append(supervisor)
        }
        EndpointRoutes(services: endpointServices).add(to: api)
        PredictionRoutes(services: endpointServices).add(to: router)
    }

    /// This binary, or the one that was built beside the test runner.
    private static func slipwayBinary() throws -> URL {
        let own = try Programs.ownBinary()
        if own.lastPathComponent == "slipway" { return own }
        return own.deletingLastPathComponent().appending(path: "slipway")
    }
}
