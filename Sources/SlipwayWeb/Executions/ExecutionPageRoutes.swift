import Hummingbird
import Pipelines
import SlipwayCore
import SlipwayHTTP

/// `/{env}/executions`
package struct ExecutionPageRoutes: Sendable {
    let rooms: WebRooms

    private static let tailBytes = 24_000

    package init(rooms: WebRooms) { self.rooms = rooms }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get(.init(SitePattern.executions.rawValue), use: list)
        router.get(.init(SitePattern.execution.rawValue), use: show)
    }

    /// `GET /{env}/executions?project=&before=`
    @Sendable func list(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let project = try request.query("project").map(ProjectName.init(parsing:))
        let page = try await rooms.room(rooms.executions, environment).list(project: project, limit: 50, before: request.query("before"), by: context.caller)
        return .page(
            ExecutionsView.html(
                ExecutionsPage(
                    frame: rooms.frame(environment, context.caller), executions: page.items,
                    older: page.next.map { .executions(environment, project: project, before: $0) }, address: rooms.address)))
    }

    /// `GET /{env}/executions/{id}`
    @Sendable func show(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let service = try rooms.room(rooms.executions, environment)
        let machine = try await service.machine(context.parameter("id"), by: context.caller)
        return .page(
            ExecutionView.html(
                ExecutionPage(
                    frame: rooms.frame(environment, context.caller), execution: machine.execution, steps: machine.steps,
                    tail: try await tail(machine, service, context.caller))))
    }

    private func tail(_ machine: ExecutionMachine, _ service: ExecutionService, _ caller: Caller) async throws -> ExecutionPage.Tail? {
        let steps = machine.steps
        let step = steps.first { $0.state == .failed || $0.state == .errored } ?? steps.first { $0.state == .running } ?? steps.last { $0.attempt > 0 }
        guard let step else { return nil }
        var bytes: [UInt8] = []
        try await service.readLog(of: machine.execution.id, step: step.name, follow: false, by: caller) { piece in
            bytes += piece
            if bytes.count > 2 * Self.tailBytes { bytes = Array(bytes.suffix(Self.tailBytes)) }
        }
        var text = String(decoding: bytes.suffix(Self.tailBytes), as: UTF8.self)
        if bytes.count > Self.tailBytes, let line = text.firstIndex(of: "\n") { text = String(text[text.index(after: line)...]) }
        return ExecutionPage.Tail(step: step.name, text: text)
    }
}
