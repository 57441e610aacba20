import Hummingbird
import Promotions
import SlipwayCore
import SlipwayHTTP
import SlipwayWire

/// Promotions and the verbs on them.
package struct PromotionRoutes: Sendable {
    let rooms: PromotionRooms

    package init(rooms: PromotionRooms) { self.rooms = rooms }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get("{env}/promotions", use: list)
        router.post("{env}/promotions", use: request)
        router.get("{env}/promotions/{id}", use: show)
        router.post("{env}/promotions/{id}/{verb}", use: act)
    }

    @Sendable func list(_ request: Request, context: SlipwayContext) async throws -> Response {
        let limit = try request.limit()
        let promotions = try await rooms.service(context).promotions(
            project: request.optionalProject(), slot: request.query("slot").map(SlotName.init(parsing:)), limit: limit, before: request.query("before"), by: context.caller)
        return try .wire(WirePage(items: promotions.map { WirePromotion($0) }, next: promotions.count == limit ? promotions.last?.id : nil))
    }

    /// `POST /api/v1/{env}/promotions`: 202 with the promotion; 404 unknown release; 422 not eligible, with each reason.
    @Sendable func request(_ request: Request, context: SlipwayContext) async throws -> Response {
        let body = try await request.decoded(WirePromotionRequest.self)
        let promotion = try await rooms.service(context).request(
            PromotionRequest(
                release: body.release, slot: body.slot.map(SlotName.init(parsing:)), submits: body.submit ?? true,
                requestID: body.requestId ?? request.idempotencyKey),
            by: context.caller)
        return try .wire(WirePromotion(promotion), status: .accepted)
    }

    /// With evidence and what is still missing.
    @Sendable func show(_ request: Request, context: SlipwayContext) async throws -> Response {
        let service = try rooms.service(context)
        let id = try context.parameter("id")
        var promotion = WirePromotion(try await service.promotion(id, by: context.caller))
        promotion.evidence = try await service.evidence(of: id, by: context.caller).map(WireEvidence.init)
        promotion.missing = try await service.missingApprovals(of: id, by: context.caller).map(WirePromotion.Seat.init)
        return try .wire(promotion)
    }

    /// `POST …/{id}/{submit|check|approve|reject|withdraw|apply|abort}`: 409 when the state does not know the verb; 403 with the reason why a word cannot count.
    @Sendable func act(_ request: Request, context: SlipwayContext) async throws -> Response {
        let service = try rooms.service(context)
        let id = try context.parameter("id")
        let body = try await request.decoded(WireVerb.self)
        let caller = context.caller
        let key = body.requestId ?? request.idempotencyKey
        let changed: Promotion
        switch try context.parameter("verb") {
        case "submit": changed = try await service.submit(id, requestID: key, by: caller)
        case "check": changed = try await service.recheck(id, requestID: key, by: caller)
        case "approve":
            guard let plan = body.plan else {
                throw SlipwayError.invalid("'plan' is missing: the digest of the plan that you approve.", remedy: "Read it: slipway promotion show \(id)")
            }
            changed = try await service.approve(id, plan: ContentDigest(parsing: plan), comment: body.comment ?? "", requestID: key, by: caller)
        case "reject": changed = try await service.reject(id, reason: body.reason ?? "", requestID: key, by: caller)
        case "withdraw": changed = try await service.withdraw(id, requestID: key, by: caller)
        case "apply": changed = try await service.apply(id, requestID: key, by: caller)
        case "abort": changed = try await service.abort(id, reason: body.reason ?? "", requestID: key, by: caller)
        case let other: throw SlipwayError.notFound("A promotion knows no '\(other.prefix(40))'.", remedy: "It knows submit, check, approve, reject, withdraw, apply and abort.")
        }
        return try .wire(WirePromotion(changed))
    }
}

extension Request {
    /// The header that carries a caller's own request id.
    var idempotencyKey: String? { headers[.init("Idempotency-Key")!] }
}
