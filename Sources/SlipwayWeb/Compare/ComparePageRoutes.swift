import Hummingbird
import SlipwayCore
import SlipwayHTTP
import Tracking

/// `/{env}/compare`
package struct ComparePageRoutes: Sendable {
    let rooms: WebRooms

    package init(rooms: WebRooms) { self.rooms = rooms }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get(.init(SitePattern.compare.rawValue), use: show)
    }

    /// `GET /{env}/compare?run=&run=…&only=differing`
    @Sendable func show(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let service = try rooms.room(rooms.tracking, environment)
        let fields = QueryFields(request)
        var seen: Set<String> = []
        let ids = fields.all("run").filter { seen.insert($0).inserted }
        var runs: [(run: Run, details: RunDetails)] = []
        for id in ids.prefix(ComparePage.runsMax) {
            let record = try await service.run(id, by: context.caller)
            runs.append((record.run, record.details))
        }
        return .page(
            CompareView.html(
                ComparePage(
                    frame: rooms.frame(environment, context.caller), runs: runs, isDifferingOnly: fields["only"] == "differing", hasMore: ids.count > ComparePage.runsMax)))
    }
}
