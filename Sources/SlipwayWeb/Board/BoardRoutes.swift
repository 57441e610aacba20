import Access
import Hummingbird
import Monitoring
import Pipelines
import Promotions
import Registry
import Serving
import SlipwayCore
import SlipwayHTTP
import Snapshots

/// The home page.
package struct BoardRoutes: Sendable {
    let rooms: WebRooms

    package init(rooms: WebRooms) { self.rooms = rooms }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get(.init(SitePattern.board.rawValue), use: board)
    }

    /// `GET /`
    @Sendable func board(_ request: Request, context: SlipwayContext) async throws -> Response {
        let caller = context.caller
        var endpoints: [EnvironmentID: [Serving.EndpointView]] = [:]
        for (environment, service) in rooms.endpoints { endpoints[environment] = try await service.list(by: caller) }
        var parts: [BoardPage.ProjectPart] = []
        for project in try await rooms.access.projects(by: caller) {
            let holders = try await rooms.access.holders(of: project.name, by: caller)
            var places: [BoardPage.Place] = []
            for environment in EnvironmentID.allCases {
                let gathering = BoardGathering(
                    rooms: rooms, project: project.name, environment: environment, caller: caller, holders: holders, endpoints: endpoints[environment] ?? [])
                places.append(try await gathering.place())
            }
            parts.append(BoardPage.ProjectPart(name: project.name, owner: project.owner, places: places))
        }
        return .page(BoardView.html(BoardPage(user: caller.shownName, now: rooms.clock.now, address: rooms.address, projects: parts)))
    }
}

/// Asks each room for what the board shows of one project in one environment.
struct BoardGathering {
    let rooms: WebRooms
    let project: ProjectName
    let environment: EnvironmentID
    let caller: Caller
    let holders: [AccessService.RoleHolder]
    /// Of the whole environment, asked once per page.
    let endpoints: [Serving.EndpointView]

    func place() async throws -> BoardPage.Place {
        var place = BoardPage.Place(environment)
        guard caller.may(.readMetadata, project: project, environment: environment) else {
            place.isVisible = false
            return place
        }
        let here = holders.filter { $0.grant.environment == environment }
        place.roles = Role.allCases.compactMap { role in
            let people = Set(here.filter { $0.grant.role == role }.map(\.user)).count
            return people == 0 ? nil : (role.rawValue, people)
        }
        try await addWork(to: &place)
        try await addModels(to: &place)
        try await addPromotions(to: &place)
        if let overview = try await rooms.snapshots[environment]?.overview(project: project, by: caller) {
            place.data = overview.compactMap { dataset in
                dataset.newest.map {
                    BoardPage.Dataset(
                        name: dataset.dataset, snapshot: $0.id, at: $0.createdAt, sizeBytes: $0.sizeBytes, freshness: dataset.freshness, expiresAt: $0.expiresAt,
                        checks: $0.checks.verdict == .none ? nil : $0.checks.verdict.rawValue)
                }
            }
        }
        try await addHealth(to: &place)
        return place
    }

    private func addWork(to place: inout BoardPage.Place) async throws {
        guard let service = rooms.executions[environment] else { return }
        let executions = try await service.list(project: project, limit: 20, before: nil, by: caller).items
        if let newest = executions.first, newest.state != .succeeded {
            place.work = BoardPage.Work(execution: newest.id, state: newest.state.rawValue, tone: ExecutionTone.tone(newest.state))
        }
        guard environment != .prod, let pushed = executions.first(where: { $0.trigger == .push }) ?? executions.first else { return }
        place.code = BoardPage.Code(
            commit: pushed.commit, branch: pushed.branch, subject: try await subject(of: pushed.commit), pusher: pushed.requestedBy, at: pushed.createdAt)
    }

    /// Nil for a commit that the repository lacks, for instance because its branch was deleted: the board has more to say than that.
    private func subject(of commit: String) async throws -> String? {
        do {
            return try await rooms.code?.commits(of: project, commit: commit, since: nil, limit: 1).first?.subject
        } catch let error as SlipwayError where error.code == .notFound || error.code == .invalidArgument {
            return nil
        }
    }

    private func addModels(to place: inout BoardPage.Place) async throws {
        guard let service = rooms.registries[environment] else { return }
        let models = try await service.searchModels(filter: "", orderBy: [], limit: 200, offset: 0, by: caller).items.filter { $0.model.project == project }
        guard let newest = models.flatMap(\.latest).max(by: { $0.createdAt < $1.createdAt }) else { return }
        place.registered = BoardPage.Registered(model: newest.name, version: newest.version, at: newest.createdAt)
    }

    private func addPromotions(to place: inout BoardPage.Place) async throws {
        guard let service = rooms.promotions[environment] else { return }
        place.policy = try await service.policyName(of: project, by: caller)
        let promotions = try await service.promotions(project: project, slot: nil, limit: 50, by: caller)
        place.open = promotions.filter { $0.state.isPending || $0.state.isInFlight }.map { ($0.id, $0.state.rawValue) }
        for slot in try await service.slots(project: project, by: caller) {
            guard let current = slot.current else { continue }
            let release = try await service.release(current.rawValue, by: caller).release
            let promotion = try await slot.promotion.asyncMap { try await service.promotion($0, by: caller) }
            place.live.append(
                BoardPage.Live(
                    slot: slot.name.rawValue, model: release.content.modelName, version: release.modelVersion, release: current.rawValue,
                    since: promotion?.liveAt ?? slot.updatedAt, promotion: slot.promotion, policy: promotion?.plan.policyName, hasFallback: slot.fallback != nil, hold: slot.hold))
            if environment == .prod, place.code == nil {
                place.code = BoardPage.Code(
                    commit: release.content.commit, branch: nil, subject: try await subject(of: release.content.commit), pusher: nil, at: release.createdAt)
            }
        }
    }

    private func addHealth(to place: inout BoardPage.Place) async throws {
        let views = endpoints.filter { $0.wanted.project == project }
        guard !views.isEmpty else { return }
        let deployments = views.flatMap(\.status.deployments).map(\.status)
        let report = try await rooms.monitoring[environment]?.health(project: project, by: caller).compactMap(\.report).max { $0.to < $1.to }
        let requests = deployments.reduce(0) { $0 + $1.requests }
        place.health = BoardPage.Health(
            requests: requests, errors: deployments.reduce(0) { $0 + $1.errors },
            latencyP95: deployments.filter { $0.requests > 0 }.map(\.latencyP95).max() ?? 0, isAnswering: views.allSatisfy { $0.state == .ready },
            drift: report.map { report in
                (report.features.count { $0.band == .watch }, report.features.count { $0.band == .act })
            })
    }
}
