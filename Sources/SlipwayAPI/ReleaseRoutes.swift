import Hummingbird
import Promotions
import SlipwayCore
import SlipwayHTTP
import SlipwayWire

/// Releases and their quarantine.
package struct ReleaseRoutes: Sendable {
    let rooms: PromotionRooms

    package init(rooms: PromotionRooms) { self.rooms = rooms }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get("{env}/releases", use: list)
        router.get("{env}/releases/{id}", use: show)
        router.post("{env}/releases/{id}/quarantine", use: quarantine)
        router.delete("{env}/releases/{id}/quarantine", use: lift)
    }

    @Sendable func list(_ request: Request, context: SlipwayContext) async throws -> Response {
        let limit = try request.limit()
        let environment = try context.environment()
        let releases = try await rooms.service(context).releases(
            project: request.optionalProject(), limit: limit, before: request.query("before").map(ContentDigest.init(parsing:)), by: context.caller)
        return try .wire(WirePage(items: releases.map { WireRelease($0, in: environment) }, next: releases.count == limit ? releases.last?.id.rawValue : nil))
    }

    @Sendable func show(_ request: Request, context: SlipwayContext) async throws -> Response {
        let record = try await rooms.service(context).release(context.parameter("id"), by: context.caller)
        return try .wire(WireRelease(record, in: context.environment()))
    }

    @Sendable func quarantine(_ request: Request, context: SlipwayContext) async throws -> Response {
        let body = try await request.decoded(WireVerb.self)
        try await rooms.service(context).quarantine(context.parameter("id"), reason: body.reason ?? "", by: context.caller)
        return try .wire(WireNothing(), status: .created)
    }

    @Sendable func lift(_ request: Request, context: SlipwayContext) async throws -> Response {
        let body = try await request.decoded(WireVerb.self)
        try await rooms.service(context).liftQuarantine(context.parameter("id"), reason: body.reason ?? "", by: context.caller)
        return try .wire(WireNothing())
    }
}
