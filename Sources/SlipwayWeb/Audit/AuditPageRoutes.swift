import Hummingbird
import Promotions
import SlipwayCore
import SlipwayHTTP

/// `/{env}/audit`
package struct AuditPageRoutes: Sendable {
    let rooms: WebRooms

    private static let rowsMax = 100

    package init(rooms: WebRooms) { self.rooms = rooms }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get(.init(SitePattern.audit.rawValue), use: list)
    }

    /// `GET /{env}/audit?project=&subject=&before=`: of one project; without a name, of the first whose log the caller may read.
    @Sendable func list(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let caller = context.caller
        let readable = caller.readableProjects(in: environment).filter { caller.may(.readAudit, project: $0, environment: environment) }.sorted { $0.rawValue < $1.rawValue }
        guard let project = try request.query("project").map(ProjectName.init(parsing:)) ?? readable.first else {
            throw SlipwayError(
                .notAllowed, "You may read no audit log in \(environment.rawValue).",
                remedy: "It needs the role auditor, reviewer, operator or admin of a project: ask one of its admins.")
        }
        let before = request.query("before").flatMap(Int64.init)
        let subject = request.query("subject")
        let events = try await rooms.room(rooms.promotions, environment).audit(project: project, subject: subject, before: before, limit: Self.rowsMax, by: caller)
        return .page(
            AuditView.html(
                AuditPage(
                    frame: rooms.frame(environment, caller), events: events, project: project, others: readable.filter { $0 != project }, subject: subject,
                    older: events.count == Self.rowsMax ? events.last.map { .audit(environment, subject: subject, project: project, before: $0.seq) } : nil)))
    }
}
