import Hummingbird
import Promotions
import SlipwayCore
import SlipwayHTTP

/// `/{env}/promotions`
package struct PromotionPageRoutes: Sendable {
    let rooms: WebRooms

    private static let rowsMax = 50

    package init(rooms: WebRooms) { self.rooms = rooms }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get(.init(SitePattern.promotions.rawValue), use: list)
        router.get(.init(SitePattern.promotion.rawValue), use: show)
        router.post(.init(SitePattern.decision.rawValue), use: decide)
    }

    /// `GET /{env}/promotions?project=&before=`
    @Sendable func list(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let project = try request.query("project").map(ProjectName.init(parsing:))
        let promotions = try await rooms.room(rooms.promotions, environment)
            .promotions(project: project, slot: nil, limit: Self.rowsMax, before: request.query("before"), by: context.caller)
        return .page(
            PromotionsView.html(
                PromotionsPage(
                    frame: rooms.frame(environment, context.caller), promotions: promotions,
                    older: promotions.count == Self.rowsMax ? promotions.last.map { .promotions(environment, project: project, before: $0.id) } : nil)))
    }

    /// `GET /{env}/promotions/{id}`
    @Sendable func show(_ request: Request, context: SlipwayContext) async throws -> Response {
        .page(PromotionView.html(try await page(context, error: nil)))
    }

    private func page(_ context: SlipwayContext, error: SlipwayError?) async throws -> PromotionPage {
        let environment = try context.environment()
        let service = try rooms.room(rooms.promotions, environment)
        let caller = context.caller
        let promotion = try await service.promotion(context.parameter("id"), by: caller)
        let current = promotion.plan.current
        return PromotionPage(
            frame: rooms.frame(environment, caller), promotion: promotion, release: try await service.release(promotion.release.rawValue, by: caller).release,
            current: try await current.asyncMap { try await service.release($0.rawValue, by: caller).release },
            evidence: try await service.evidence(of: promotion.id, by: caller),
            missing: promotion.state.isPending ? try await service.missingApprovals(of: promotion.id, by: caller) : [],
            timeline: try await service.timeline(of: promotion.id, by: caller), decisions: Self.decisions(on: promotion, caller, environment), error: error)
    }

    /// Which buttons to show. What really may be done is decided by the use case.
    static func decisions(on promotion: Promotion, _ caller: Caller, _ environment: EnvironmentID) -> Set<PromotionPage.Decision> {
        func may(_ permission: Permission) -> Bool { caller.may(permission, project: promotion.project, environment: environment) }
        var decisions: Set<PromotionPage.Decision> = []
        if promotion.state == .awaitingApproval, may(.approvePromotion), caller.principal.raw != promotion.requestedBy { decisions = [.approve, .reject] }
        if promotion.state == .blocked, may(.requestPromotion) { decisions.insert(.recheck) }
        if promotion.state == .approved || promotion.state == .waiting, may(.applyPromotion) { decisions.insert(.apply) }
        if promotion.state.isPending, caller.principal.raw == promotion.requestedBy || may(.applyPromotion) { decisions.insert(.withdraw) }
        if promotion.state == .applying || promotion.state == .verifying, may(.applyPromotion) { decisions.insert(.abort) }
        return decisions
    }

    /// `POST /{env}/promotions/{id}/{verb}`: 303 back to the page; a refusal is shown on it with its own status.
    @Sendable func decide(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let id = try context.parameter("id")
        let form = try await request.form()
        let verb = try context.parameter("verb")
        guard let decision = PromotionPage.Decision(rawValue: verb) else { throw SlipwayError.notFound("A promotion has no decision '\(verb.prefix(40))'.") }
        do {
            try await perform(decision, on: id, form, context)
            return .see(.promotion(environment, id))
        } catch let error as SlipwayError where error.code != .internalFault && error.code != .notFound {
            return .page(PromotionView.html(try await page(context, error: error)), status: error.code.httpStatus)
        }
    }

    private func perform(_ decision: PromotionPage.Decision, on id: String, _ form: [String: String], _ context: SlipwayContext) async throws {
        let service = try rooms.room(rooms.promotions, context.environment())
        let caller = context.caller
        let comment = form["comment"] ?? ""
        switch decision {
        case .approve: _ = try await service.approve(id, plan: ContentDigest(parsing: form["plan"] ?? ""), comment: comment, by: caller)
        case .reject: _ = try await service.reject(id, reason: comment, by: caller)
        case .apply: _ = try await service.apply(id, by: caller)
        case .withdraw: _ = try await service.withdraw(id, by: caller)
        case .abort: _ = try await service.abort(id, reason: comment.isEmpty ? "Aborted on the promotion's page." : comment, by: caller)
        case .recheck: _ = try await service.recheck(id, by: caller)
        }
    }
}

extension Optional where Wrapped: Sendable {
    /// `map` with a body that waits.
    func asyncMap<Other>(_ body: (Wrapped) async throws -> Other) async throws -> Other? {
        guard let value = self else { return nil }
        return try await body(value)
    }
}
