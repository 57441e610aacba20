import Access
import Monitoring
import Pipelines
import Promotions
import Registry
import Serving
import SlipwayCore
import Snapshots
import Tracking

/// The rooms whose use cases the pages call. A realm that does not run in this process is missing from the dictionaries.
package struct WebRooms: Sendable {
    package var access: AccessService
    package var clock: any WallClock
    /// Such as `http://127.0.0.1:5080`, for the commands that pages teach.
    package var address: String
    package var code: (any CodeHistory)?
    package var executions: [EnvironmentID: ExecutionService] = [:]
    package var tracking: [EnvironmentID: TrackingService] = [:]
    package var registries: [EnvironmentID: RegistryService] = [:]
    package var snapshots: [EnvironmentID: SnapshotService] = [:]
    package var refreshes: [EnvironmentID: RefreshService] = [:]
    package var promotions: [EnvironmentID: PromotionService] = [:]
    package var endpoints: [EnvironmentID: EndpointService] = [:]
    package var monitoring: [EnvironmentID: MonitoringService] = [:]

    package init(access: AccessService, clock: any WallClock, address: String) {
        self.access = access
        self.clock = clock
        self.address = address
    }

    /// - Throws: `unavailable` when the environment does not run in this process.
    func room<Service>(_ services: [EnvironmentID: Service], _ environment: EnvironmentID) throws -> Service {
        guard let service = services[environment] else {
            throw SlipwayError(.unavailable, "\(environment.rawValue) does not run in this process.", remedy: "Ask the server that runs it.")
        }
        return service
    }

    func frame(_ environment: EnvironmentID, _ caller: Caller) -> PageFrame { PageFrame(environment, user: caller.shownName, now: clock.now) }
}

extension Caller {
    /// The projects whose lists a page merges: the one that is asked for, else all that the caller may read.
    func projects(asked name: String?, in environment: EnvironmentID) throws -> [ProjectName] {
        if let name {
            let project = try ProjectName(parsing: name)
            try require(.readMetadata, project: project, environment: environment)
            return [project]
        }
        return readableProjects(in: environment).sorted { $0.rawValue < $1.rawValue }
    }
}
