import Foundation
import Hummingbird
import Monitoring
import SlipwayCore
import SlipwayHTTP
import SlipwayWire

/// Drift reports and the health of slots.
package struct DriftRoutes: Sendable {
    let monitoring: [EnvironmentID: MonitoringService]

    package init(monitoring: [EnvironmentID: MonitoringService]) { self.monitoring = monitoring }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get("{env}/drift", use: health)
        router.get("{env}/drift/{slot}", use: list)
        router.post("{env}/drift/{slot}", use: report)
        router.get("{env}/drift/{slot}/retrainings", use: retrainings)
        router.get("{env}/drift-reports/{id}", use: show)
    }

    /// `GET /api/v1/{env}/drift?project=`: how every slot is that the caller may read.
    @Sendable func health(_ request: Request, context: SlipwayContext) async throws -> Response {
        let service = try monitoring.of(context)
        let summaries = try await service.health(project: request.query("project").map(ProjectName.init(parsing:)), by: context.caller)
        return try .wire(WirePage(items: summaries.map(WireHealth.init)))
    }

    /// `GET /api/v1/{env}/drift/{slot}?limit=&before=`: reports, newest first.
    @Sendable func list(_ request: Request, context: SlipwayContext) async throws -> Response {
        let service = try monitoring.of(context)
        let page = try await service.reports(
            SlotName(parsing: context.parameter("slot")), limit: request.limit(), before: request.mark(), by: context.caller)
        return try .wire(WirePage(items: page.reports.map { WireDriftReport($0) }, next: page.next.map(String.init)))
    }

    /// `POST /api/v1/{env}/drift/{slot}` `{"from", "to", "retrain"}`: 201; 404 when no captured request lies in the window.
    @Sendable func report(_ request: Request, context: SlipwayContext) async throws -> Response {
        let service = try monitoring.of(context)
        let body = try await request.decoded(WireDriftRequest.self)
        let made = try await service.report(
            SlotName(parsing: context.parameter("slot")), from: Timestamp(parsing: body.from), to: Timestamp(parsing: body.to), acting: body.retrain ?? true,
            by: context.caller)
        return try .wire(WireDriftReport(made.report, retraining: made.retraining, heldBack: made.heldBack), status: .created)
    }

    /// `GET /api/v1/{env}/drift-reports/{id}`, where a prefix of the id will do.
    @Sendable func show(_ request: Request, context: SlipwayContext) async throws -> Response {
        let service = try monitoring.of(context)
        let found = try await service.report(id: context.parameter("id"), by: context.caller)
        return try .wire(WireDriftReport(found.report, retraining: found.retraining))
    }

    /// `GET /api/v1/{env}/drift/{slot}/retrainings?limit=`: newest first.
    @Sendable func retrainings(_ request: Request, context: SlipwayContext) async throws -> Response {
        let service = try monitoring.of(context)
        let list = try await service.retrainings(SlotName(parsing: context.parameter("slot")), limit: request.limit(), by: context.caller)
        return try .wire(WirePage(items: list.map(WireRetraining.init)))
    }
}
