import Hummingbird
import Promotions
import SlipwayCore
import SlipwayHTTP
import SlipwayWire

/// An environment's audit chain.
package struct AuditRoutes: Sendable {
    let rooms: PromotionRooms

    package init(rooms: PromotionRooms) { self.rooms = rooms }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get("{env}/audit", use: list)
        router.post("{env}/audit/verify", use: verify)
    }

    /// Newest first; `?subject=` such as `slot:flight-delay`.
    @Sendable func list(_ request: Request, context: SlipwayContext) async throws -> Response {
        let limit = try request.limit()
        let events = try await rooms.service(context).audit(
            project: request.project(), subject: request.query("subject"), before: request.query("before").flatMap(Int64.init), limit: limit, by: context.caller)
        return try .wire(WirePage(items: events.map(WireAuditEvent.init), next: events.count == limit ? events.last.map { String($0.seq) } : nil))
    }

    @Sendable func verify(_ request: Request, context: SlipwayContext) async throws -> Response {
        let verdict = try await rooms.service(context).verifyAudit(by: context.caller)
        return try .wire(WireAuditVerdict(verified: verdict.count, broken: verdict.broken))
    }
}
