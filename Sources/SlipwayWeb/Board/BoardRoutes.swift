import Access
import Hummingbird
import SlipwayCore
import SlipwayHTTP

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
        var parts: [BoardPage.ProjectPart] = []
        for project in try await rooms.access.projects(by: caller) {
            let holders = try await rooms.access.holders(of: project.name, by: caller)
            var places: [BoardPage.Place] = []
            for environment in EnvironmentID.allCases {
                places.append(try await place(project.name, environment, holders, caller))
            }
            parts.append(BoardPage.ProjectPart(name: project.name, owner: project.owner, places: places))
        }
        return .page(BoardView.html(BoardPage(user: caller.shownName, now: rooms.clock.now, address: rooms.address, projects: parts)))
    }

    private func place(
        _ project: ProjectName, _ environment: EnvironmentID, _ holders: [AccessService.RoleHolder], _ caller: Caller
    ) async throws -> BoardPage.Place {
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
        return place
    }
}
