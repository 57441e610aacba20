import Monitoring
import Promotions
import SlipwayAPI
import SlipwayCore
import SlipwayStore

extension House {
    /// One service per realm. Called after the rooms whose doors it asks: Pipelines, Snapshots, Promotions.
    mutating func addMonitoring() {
        let readers = foundations.realms.mapValues(\.reader)
        let promotions = promotions
        let request: RequestPromotion = { environment, release, _, requestID in
            guard let service = promotions[environment] else {
                throw SlipwayError(
                    .unavailable, "\(environment.rawValue) takes no promotions in this server.",
                    remedy: "Request it by hand: slipway promotion request \(release.short) --to \(environment.rawValue)")
            }
            return try await service.request(PromotionRequest(release: release.rawValue, requestID: requestID), by: .system("monitoring")).id
        }
        monitoring = foundations.realms.mapValues { realm in
            MonitoringService(
                realm: realm, readers: readers, dataRefresh: dataRefresh, retraining: retraining, requestPromotion: request,
                clock: foundations.clock, ids: foundations.ids, logger: foundations.logger)
        }
        LabelRoutes(monitoring: monitoring).add(to: api)
        LabelRoutes(monitoring: monitoring).add(to: router)
        DriftRoutes(monitoring: monitoring).add(to: api)
        services += monitoring.values.map { MonitoringDriver($0) }
    }
}
