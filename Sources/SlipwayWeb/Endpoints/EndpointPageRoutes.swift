import Hummingbird
import Monitoring
import Promotions
import Serving
import SlipwayCore
import SlipwayHTTP

/// `/{env}/endpoints` and `/{env}/slots/{slot}/…`
package struct EndpointPageRoutes: Sendable {
    let rooms: WebRooms

    private static let reportsMax = 60

    package init(rooms: WebRooms) { self.rooms = rooms }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get(.init(SitePattern.endpoints.rawValue), use: list)
        router.get(.init(SitePattern.endpoint.rawValue), use: show)
        router.get(.init(SitePattern.rollback.rawValue), use: askRollback)
        router.post(.init(SitePattern.rollback.rawValue), use: rollBack)
        router.get(.init(SitePattern.history.rawValue), use: history)
    }

    /// `GET /{env}/endpoints`
    @Sendable func list(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let promotions = try rooms.room(rooms.promotions, environment)
        let views = try await rooms.endpoints[environment]?.list(by: context.caller) ?? []
        let health = try await rooms.monitoring[environment]?.health(by: context.caller) ?? []
        var rows: [EndpointsPage.Row] = []
        for slot in try await promotions.slots(by: context.caller) {
            rows.append(
                EndpointsPage.Row(
                    slot: slot, live: try await slot.current.asyncMap { try await promotions.release($0.rawValue, by: context.caller).release },
                    deployments: views.first { $0.wanted.slot == slot.name }?.status.deployments.map(\.status) ?? [],
                    verdict: health.first { $0.slot == slot.name }?.report?.verdict))
        }
        return .page(EndpointsView.html(EndpointsPage(frame: rooms.frame(environment, context.caller), rows: rows)))
    }

    /// `GET /{env}/endpoints/{slot}`
    @Sendable func show(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let caller = context.caller
        let service = try rooms.room(rooms.promotions, environment)
        let slot = try await service.slot(SlotName(parsing: context.parameter("name")), by: caller)
        var page = EndpointPage(
            frame: rooms.frame(environment, caller), slot: slot, live: try await slot.current.asyncMap { try await service.release($0.rawValue, by: caller).release },
            fallback: try await slot.fallback.asyncMap { try await service.release($0.rawValue, by: caller).release }, deployments: [],
            mayRollBack: caller.may(.rollBack, project: slot.project, environment: environment), address: rooms.address)
        try await addTraffic(to: &page, service, caller)
        if let monitoring = rooms.monitoring[environment] {
            page.reports = Self.newestOfEachWindow(try await monitoring.reports(slot.name, limit: Self.reportsMax, before: nil, by: caller).reports)
            page.retrainings = try await monitoring.retrainings(slot.name, limit: 20, by: caller)
        }
        return .page(EndpointView.html(page))
    }

    private func addTraffic(to page: inout EndpointPage, _ promotions: PromotionService, _ caller: Caller) async throws {
        let status: GatewayEndpointStatus
        do {
            guard let found = try await rooms.endpoints[page.frame.environment]?.show(page.slot.name, by: caller) else { return }
            status = found.status
        } catch let error as SlipwayError where error.code == .notFound {
            return  // a slot that was never applied has no endpoint yet
        } catch let error as SlipwayError where error.code == .unavailable {
            page.silence = [error.message, error.remedy].compactMap(\.self).joined(separator: " ")
            return
        }
        page.deployments = status.deployments.map(\.status).sorted { ($0.weight, $0.release.rawValue) > ($1.weight, $1.release.rawValue) }
        page.captured = (status.captured, status.dropped)
        for deployment in page.deployments {
            page.versions[deployment.release.rawValue] = try await promotions.release(deployment.release.rawValue, by: caller).release.modelVersion
        }
        var minutes: [Timestamp: EndpointPage.Minute] = [:]
        for minute in status.deployments.flatMap(\.traffic) {
            var sum = minutes[minute.at] ?? EndpointPage.Minute(at: minute.at, requests: 0, errors: 0, latencyP95: 0)
            sum.requests += minute.requests
            sum.errors += minute.errors
            sum.latencyP95 = max(sum.latencyP95, minute.latencyP95)
            minutes[minute.at] = sum
        }
        page.minutes = minutes.values.sorted { $0.at < $1.at }
    }

    /// A window that was judged again shows its newest report; in event time, oldest first.
    static func newestOfEachWindow(_ reports: [DriftReport]) -> [DriftReport] {
        var newest: [Timestamp: DriftReport] = [:]
        for report in reports { if let known = newest[report.from], known.madeAt >= report.madeAt { continue } else { newest[report.from] = report } }
        return newest.values.sorted { $0.from < $1.from }
    }

    /// `GET /{env}/slots/{slot}/rollback`
    @Sendable func askRollback(_ request: Request, context: SlipwayContext) async throws -> Response {
        .page(RollbackView.html(try await rollbackPage(context, error: nil)))
    }

    private func rollbackPage(_ context: SlipwayContext, error: SlipwayError?) async throws -> RollbackPage {
        let environment = try context.environment()
        let service = try rooms.room(rooms.promotions, environment)
        let slot = try await service.slot(SlotName(parsing: context.parameter("slot")), by: context.caller)
        try context.caller.require(.rollBack, project: slot.project, environment: environment)
        return RollbackPage(
            frame: rooms.frame(environment, context.caller), slot: slot,
            live: try await slot.current.asyncMap { try await service.release($0.rawValue, by: context.caller).release },
            fallback: try await slot.fallback.asyncMap { try await service.release($0.rawValue, by: context.caller).release }, error: error)
    }

    /// `POST /{env}/slots/{slot}/rollback`: 303 to the promotion that goes back; a refusal is shown on the form with its own status.
    @Sendable func rollBack(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let form = try await request.form()
        let service = try rooms.room(rooms.promotions, environment)
        let name = try SlotName(parsing: context.parameter("slot"))
        do {
            let slot = try await service.slot(name, by: context.caller)
            guard form["generation"] == String(slot.generation) else {
                throw SlipwayError(.conflict, "Slot '\(name)' has changed since you opened this page.", remedy: "Look at what is live now, then decide again.")
            }
            let promotion = try await service.rollBack(name, reason: form["reason"] ?? "", by: context.caller)
            return .see(.promotion(environment, promotion.id))
        } catch let error as SlipwayError where [.conflict, .blocked, .invalidArgument, .unavailable].contains(error.code) {
            return .page(RollbackView.html(try await rollbackPage(context, error: error)), status: error.code.httpStatus)
        }
    }

    /// `GET /{env}/slots/{slot}/history?at=`
    @Sendable func history(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let service = try rooms.room(rooms.promotions, environment)
        let slot = try SlotName(parsing: context.parameter("slot"))
        let chapters = try await service.history(of: slot, by: context.caller)
        var page = HistoryPage(frame: rooms.frame(environment, context.caller), slot: slot.rawValue, chapters: chapters.map(\.chapter))
        if let at = request.query("at"), !at.isEmpty {
            page.at = String(at.prefix(80))
            do {
                let time = try Timestamp(parsing: at)
                let served = chapters.last { $0.chapter.from <= time }
                page.answer = served?.chapter
                page.answerRelease = served?.release
                page.answerPromotion = served?.promotion
            } catch let error as SlipwayError {
                page.error = error
            }
        }
        return .page(HistoryView.html(page), status: page.error == nil ? .ok : .badRequest)
    }
}
