import Hummingbird
import Promotions
import SlipwayCore
import SlipwayHTTP
import SlipwayWire

/// Policies and freezes.
package struct PolicyRoutes: Sendable {
    let rooms: PromotionRooms

    package init(rooms: PromotionRooms) { self.rooms = rooms }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get("{env}/policy", use: show)
        router.put("{env}/policy", use: install)
        router.get("{env}/policy/versions", use: versions)
        router.get("{env}/freezes", use: freezes)
        router.post("{env}/freezes", use: freeze)
        router.delete("{env}/freezes/{id}", use: lift)
    }

    @Sendable func show(_ request: Request, context: SlipwayContext) async throws -> Response {
        let project = try request.project()
        return try .wire(WirePolicy(try await rooms.service(context).policy(of: project, by: context.caller), project: project))
    }

    @Sendable func versions(_ request: Request, context: SlipwayContext) async throws -> Response {
        let project = try request.project()
        return try .wire(WirePage(items: try await rooms.service(context).policyVersions(of: project, by: context.caller).map { WirePolicy($0, project: project) }))
    }

    /// `PUT /api/v1/{env}/policy`: 400 with the line and the key that do not fit.
    @Sendable func install(_ request: Request, context: SlipwayContext) async throws -> Response {
        let body = try await request.decoded(WireNewPolicy.self)
        let project = try ProjectName(parsing: body.project)
        return try .wire(WirePolicy(try await rooms.service(context).installPolicy(body.text, of: project, by: context.caller), project: project))
    }

    @Sendable func freezes(_ request: Request, context: SlipwayContext) async throws -> Response {
        try .wire(WirePage(items: try await rooms.service(context).freezes(project: request.optionalProject(), by: context.caller).map { WireFreeze($0) }))
    }

    @Sendable func freeze(_ request: Request, context: SlipwayContext) async throws -> Response {
        let body = try await request.decoded(WireFreeze.self)
        let freeze = try await rooms.service(context).freeze(
            project: ProjectName(parsing: body.project), slot: body.slot.map(SlotName.init(parsing:)), reason: body.reason,
            lifetime: body.lifetime.map { try Duration(parsing: $0) }, by: context.caller)
        return try .wire(WireFreeze(freeze), status: .created)
    }

    @Sendable func lift(_ request: Request, context: SlipwayContext) async throws -> Response {
        try await rooms.service(context).liftFreeze(context.parameter("id"), by: context.caller)
        return try .wire(WireNothing())
    }
}
