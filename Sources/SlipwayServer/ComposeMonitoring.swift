import Monitoring
import SlipwayAPI
import SlipwayCore
import SlipwayStore

extension House {
    /// One service per realm. Called after the rooms whose ports it asks: Pipelines, Snapshots, Promotions.
    mutating func addMonitoring() {
        let readers = foundations.realms.mapValues(\.reader)
        monitoring = foundations.realms.mapValues { realm in
            MonitoringService(
                realm: realm, readers: readers, dataRefresh: dataRefresh, retraining: retraining, requestPromotion: requestPromotion,
                clock: foundations.clock, ids: foundations.ids, logger: foundations.logger)
        }
        LabelRoutes(monitoring: monitoring).add(to: api)
        LabelRoutes(monitoring: monitoring).add(to: router)
        DriftRoutes(monitoring: monitoring).add(to: api)
        services += monitoring.values.map { MonitoringDriver($0) }
    }
}
