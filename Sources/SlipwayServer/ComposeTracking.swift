import MLflowAPI
import Registry
import SlipwayAPI
import SlipwayCore
import Tracking

extension House {
    /// Tracking and registry of each realm, as MLflow's API and as native read routes.
    mutating func addTracking() async throws {
        var apis: [EnvironmentID: MLflowRealm] = [:]
        for (environment, realm) in foundations.realms {
            let service = TrackingService(realm: realm, clock: foundations.clock, ids: foundations.ids, logger: foundations.logger)
            try await service.prepare()
            let registry = RegistryService(realm: realm, clock: foundations.clock, logger: foundations.logger)
            tracking[environment] = service
            registries[environment] = registry
            apis[environment] = MLflowRealm(tracking: service, registry: registry)
        }
        MLflowRoutes(realms: apis).add(to: router)
        RunRoutes(services: tracking).add(to: api)
        ModelRoutes(services: registries).add(to: api)
    }
}
