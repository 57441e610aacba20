import Hummingbird
import Promotions
import SlipwayCore
import SlipwayHTTP

/// `/{env}/releases`
package struct ReleasePageRoutes: Sendable {
    let rooms: WebRooms

    private static let rowsMax = 50

    package init(rooms: WebRooms) { self.rooms = rooms }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get(.init(SitePattern.releases.rawValue), use: list)
        router.get(.init(SitePattern.release.rawValue), use: show)
    }

    /// `GET /{env}/releases?project=&before=`
    @Sendable func list(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let project = try request.query("project").map(ProjectName.init(parsing:))
        let before = try request.query("before").map(ContentDigest.init(parsing:))
        let releases = try await rooms.room(rooms.promotions, environment).releases(project: project, limit: Self.rowsMax, before: before, by: context.caller)
        return .page(
            ReleasesView.html(
                ReleasesPage(
                    frame: rooms.frame(environment, context.caller), releases: releases,
                    older: releases.count == Self.rowsMax ? releases.last.map { .releases(environment, project: project, before: $0.id.rawValue) } : nil)))
    }

    /// `GET /{env}/releases/{id}`
    @Sendable func show(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let record = try await rooms.room(rooms.promotions, environment).release(context.parameter("id"), by: context.caller)
        return .page(
            ReleaseView.html(
                ReleasePage(
                    frame: rooms.frame(environment, context.caller), release: record.release, marks: record.marks, quarantine: record.quarantine, promotions: record.promotions)))
    }
}
