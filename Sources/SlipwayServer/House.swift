import Access
import Foundation
import Hummingbird
import MLflowAPI
import Monitoring
import Pipelines
import Promotions
import Registry
import ServiceLifecycle
import Serving
import SlipwayAPI
import SlipwayCore
import SlipwayHTTP
import SlipwaySQL
import SlipwayStore
import SlipwayWeb
import Snapshots
import Tracking

/// The rooms as they are built, floor by floor: routes, long-lived services, and the ports that later rooms ask for.
///
/// Each room has a file `Compose<Room>.swift` with one function that adds to this value; `build` calls them in order.
package struct House {
    package let foundations: Foundations
    package let router: Router<SlipwayContext>
    /// `/api/v1`
    package let api: RouterGroup<SlipwayContext>
    package var services: [any Service] = []

    package var tracking: [EnvironmentID: TrackingService] = [:]
    package var registries: [EnvironmentID: RegistryService] = [:]
    package var executions: [EnvironmentID: ExecutionService] = [:]
    package var codeHistory: (any CodeHistory)?
    package var evaluations: [EnvironmentID: any Evaluations] = [:]
    package var endpoints: [EnvironmentID: any EndpointControl] = [:]
    package var endpointServices: [EnvironmentID: EndpointService] = [:]
    package var retraining: [EnvironmentID: any Retraining] = [:]
    package var promotions: [EnvironmentID: PromotionService] = [:]
    package var dataRefresh: [EnvironmentID: any DataRefresh] = [:]
    package var snapshots: [EnvironmentID: SnapshotService] = [:]
    package var refreshes: [EnvironmentID: RefreshService] = [:]
    package var monitoring: [EnvironmentID: MonitoringService] = [:]

    init(_ foundations: Foundations, security: SecurityRules = SecurityRules(), anonymous: Caller = .anonymous) {
        self.foundations = foundations
        router = Router(context: SlipwayContext.self)
        router.addMiddleware {
            SecurityMiddleware(security)
            ErrorMiddleware()
            ErrorPageMiddleware()
            MLflowErrorMiddleware()
            AuthenticationMiddleware(access: foundations.access, anonymous: anonymous)
            ErrorPageMiddleware()
        }
        api = router.group("api/v1")
    }

    mutating func build() async throws {
        addHealth()
        let folder = foundations.folder
        AccessRoutes(access: foundations.access) { try DataFolder(folder).keep(secret: nil) }.add(to: api)
        try await addTracking()
        try addServing()
        try addPipelines()
        addSnapshots()
        try addPromotions()
        addMonitoring()
        try addWeb()
    }

    /// What answers requests, once everything is built.
    package var responder: WorkspaceResponder<RouterResponder<SlipwayContext>> { WorkspaceResponder(router.buildResponder()) }

    private func addHealth() {
        let foundations = foundations
        router.get("healthz") { _, _ in Response.plain("OK") }
        router.get("readyz") { _, _ in
            // Ready means that every database answers.
            _ = try await foundations.access.isBootstrapped()
            for realm in foundations.realms.values { try await realm.database.read { _ in } }
            return Response.plain("OK")
        }
    }
}

extension Response {
    static func plain(_ text: String) -> Response {
        Response(status: .ok, headers: [.contentType: "text/plain; charset=utf-8"], body: .init(byteBuffer: .init(string: text)))
    }
}
