import Access
import Foundation
import MLflowAPI
import Registry
import SlipwayAPI
import SlipwayCore
import Tracking
import Webhooks

extension House {
    /// Tracking and registry of each realm, as MLflow's API and as native read routes.
    mutating func addTracking() async throws {
        var apis: [EnvironmentID: MLflowRealm] = [:]
        for (environment, realm) in foundations.realms {
            let service = TrackingService(realm: realm, clock: foundations.clock, ids: foundations.ids, logger: foundations.logger)
            try await service.prepare()
            let webhooks = WebhookService(
                realm: realm, settings: WebhookSettings(settings: foundations.settings),
                seal: try WebhookSeal(settings: foundations.settings, file: foundations.folder.appending(path: "webhook-key")), clock: foundations.clock, ids: foundations.ids,
                logger: foundations.logger)
            services.append(WebhookDelivery(webhooks))
            let registry = RegistryService(realm: realm, clock: foundations.clock, logger: foundations.logger, notices: webhooks)
            tracking[environment] = service
            registries[environment] = registry
            apis[environment] = MLflowRealm(tracking: service, registry: registry, webhooks: webhooks)
        }
        let gate = foundations.access.standardLevel == nil ? nil : tracking[.dev].map { LevelGate(access: foundations.access, tracking: $0) }
        MLflowRoutes(realms: apis, gate: gate).add(to: router)
        RunRoutes(services: tracking).add(to: api)
        ModelRoutes(services: registries).add(to: api)
    }
}
