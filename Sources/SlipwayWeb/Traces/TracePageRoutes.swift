import Hummingbird
import SlipwayCore
import SlipwayHTTP
import Tracking

/// `/{env}/experiments/{id}/traces` and `/{env}/traces`
package struct TracePageRoutes: Sendable {
    let rooms: WebRooms

    package init(rooms: WebRooms) { self.rooms = rooms }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get(.init(SitePattern.traces.rawValue), use: list)
        router.get(.init(SitePattern.trace.rawValue), use: show)
    }

    /// `GET /{env}/experiments/{id}/traces?filter=&from=`: 400 with the page when the filter cannot be read.
    @Sendable func list(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let service = try rooms.room(rooms.tracking, environment)
        let fields = QueryFields(request)
        let experiment = try await service.experiment(context.parameter("id"), by: context.caller)
        var page = TracesPage(
            frame: rooms.frame(environment, context.caller), experiment: experiment, filter: fields["filter"] ?? "", traces: [], from: fields.count("from"),
            address: rooms.address)
        do {
            let found = try await service.searchTraces(
                filter: page.filter, orderBy: [], experiments: [experiment.id], limit: TracesPage.rowsMax, offset: page.from, by: context.caller)
            page.traces = found.items
            page.hasMore = found.hasMore
        } catch let error as SlipwayError where error.code == .invalidArgument {
            page.error = error
        }
        return .page(TracesView.html(page), status: page.error == nil ? .ok : .badRequest)
    }

    /// `GET /{env}/traces/{id}`
    @Sendable func show(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let service = try rooms.room(rooms.tracking, environment)
        let record = try await service.trace(context.parameter("id"), by: context.caller)
        let spans = record.hasSpans ? try await service.traceWithSpans(record.trace.id, isPartial: true, by: context.caller).spans : nil
        return .page(
            TraceView.html(
                TracePage(
                    frame: rooms.frame(environment, context.caller), record: record,
                    experiment: try await service.experiment(record.trace.experiment, by: context.caller).name, spans: spans)))
    }
}
