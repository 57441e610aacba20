import Hummingbird
import Promotions
import SlipwayCore
import SlipwayHTTP
import SlipwayWire

/// Slots: what serves, what served, and the ways to stop it.
package struct SlotRoutes: Sendable {
    let rooms: PromotionRooms

    package init(rooms: PromotionRooms) { self.rooms = rooms }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get("{env}/slots", use: list)
        router.get("{env}/slots/{slot}", use: show)
        router.get("{env}/slots/{slot}/history", use: history)
        router.post("{env}/slots/{slot}/rollback", use: rollBack)
        router.post("{env}/slots/{slot}/retire", use: retire)
        router.post("{env}/slots/{slot}/hold", use: hold)
        router.delete("{env}/slots/{slot}/hold", use: lift)
    }

    private func slot(_ context: SlipwayContext) throws -> SlotName { try SlotName(parsing: context.parameter("slot")) }

    @Sendable func list(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let slots = try await rooms.service(context).slots(project: request.optionalProject(), by: context.caller)
        return try .wire(WirePage(items: slots.map { WireSlot($0, in: environment) }))
    }

    @Sendable func show(_ request: Request, context: SlipwayContext) async throws -> Response {
        try .wire(WireSlot(try await rooms.service(context).slot(slot(context), by: context.caller), in: context.environment()))
    }

    /// `?at=` asks what served at that time.
    @Sendable func history(_ request: Request, context: SlipwayContext) async throws -> Response {
        let served = try await rooms.service(context).history(of: slot(context), at: request.query("at").map(Timestamp.init(parsing:)), by: context.caller)
        return try .wire(WirePage(items: served.map { WireChapter($0) }))
    }

    /// `POST …/rollback`: 202; 409 when there is no fallback.
    @Sendable func rollBack(_ request: Request, context: SlipwayContext) async throws -> Response {
        let body = try await request.decoded(WireVerb.self)
        let promotion = try await rooms.service(context).rollBack(
            slot(context), reason: body.reason ?? "", requestID: body.requestId ?? request.idempotencyKey, by: context.caller)
        return try .wire(WirePromotion(promotion), status: .accepted)
    }

    @Sendable func retire(_ request: Request, context: SlipwayContext) async throws -> Response {
        let body = try await request.decoded(WireVerb.self)
        let promotion = try await rooms.service(context).retire(
            slot(context), reason: body.reason ?? "", requestID: body.requestId ?? request.idempotencyKey, by: context.caller)
        return try .wire(WirePromotion(promotion), status: .accepted)
    }

    @Sendable func hold(_ request: Request, context: SlipwayContext) async throws -> Response {
        let body = try await request.decoded(WireVerb.self)
        try await rooms.service(context).hold(slot(context), reason: body.reason ?? "", by: context.caller)
        return try .wire(WireNothing(), status: .created)
    }

    @Sendable func lift(_ request: Request, context: SlipwayContext) async throws -> Response {
        let body = try await request.decoded(WireVerb.self)
        try await rooms.service(context).lift(slot(context), reason: body.reason ?? "", by: context.caller)
        return try .wire(WireNothing())
    }
}
