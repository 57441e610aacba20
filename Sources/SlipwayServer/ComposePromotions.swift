import Promotions
import SlipwayAPI
import SlipwayCore
import SlipwayRuntime
import SlipwayStore

extension House {
    /// Promotions per realm, their drivers and routes. Called after Pipelines (Git, evaluations) and Serving (endpoints), before Monitoring and the pages.
    mutating func addPromotions() throws {
        guard let code = codeHistory else { return }
        let readers = foundations.realms.mapValues(\.reader)
        for (environment, realm) in foundations.realms {
            let below = environment.below.flatMap { readers[$0] }
            let service = PromotionService(
                realm: realm, below: below, control: foundations.control, code: code, clock: foundations.clock, ids: foundations.ids,
                shipped: try PolicyFile.shipped(foundations.resources.file("policies/\(environment.rawValue).yaml")), logger: foundations.logger)
            promotions[environment] = service
            guard let evaluations = evaluations[environment], let endpoints = endpoints[environment] else { continue }
            let measurement = Measurement(evaluations: evaluations)
            let gates: [any Gate] = [
                UpstreamGate(below: below), MetricsGate(measurement: measurement), BaselineGate(measurement: measurement), SlicesGate(measurement: measurement),
                ContractGate(), TraceableGate(code: code, realms: readers), ScanGate(code: code, resources: foundations.resources), CardGate(code: code),
                FallbackGate(promotions: service), MonitorsGate(), UnbuiltGate(.parity), UnbuiltGate(.replay), UnbuiltGate(.drill),
            ]
            services.append(PromotionDriver(promotions: service, gates: gates, endpoints: endpoints))
        }
        let rooms = PromotionRooms(promotions)
        ReleaseRoutes(rooms: rooms).add(to: api)
        PromotionRoutes(rooms: rooms).add(to: api)
        SlotRoutes(rooms: rooms).add(to: api)
        PolicyRoutes(rooms: rooms).add(to: api)
        AuditRoutes(rooms: rooms).add(to: api)
    }
}
