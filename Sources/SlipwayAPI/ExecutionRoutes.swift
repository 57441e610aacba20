import Foundation
import Hummingbird
import NIOCore
import Pipelines
import SlipwayCore
import SlipwayHTTP
import SlipwayWire

/// Executions of an environment and their logs.
package struct ExecutionRoutes: Sendable {
    let services: [EnvironmentID: ExecutionService]

    package init(services: [EnvironmentID: ExecutionService]) { self.services = services }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get("{env}/executions", use: list)
        router.post("{env}/executions", use: start)
        router.get("{env}/executions/{id}", use: show)
        router.post("{env}/executions/{id}/cancel", use: cancel)
        router.post("{env}/executions/{id}/retry", use: retry)
        router.get("{env}/executions/{id}/log", use: log)
    }

    private func service(_ context: SlipwayContext) throws -> ExecutionService {
        let environment = try context.environment()
        guard let service = services[environment] else {
            throw SlipwayError(.unavailable, "This server does not run \(environment.rawValue).", remedy: "Ask the one that does: --server ADDRESS")
        }
        return service
    }

    /// `GET /api/v1/{env}/executions?project=&limit=&before=`: newest first.
    @Sendable func list(_ request: Request, context: SlipwayContext) async throws -> Response {
        let service = try service(context)
        let limit = try request.query("limit").map { text in
            guard let limit = Int(text), (1...1000).contains(limit) else { throw SlipwayError.invalid("'limit' is not a number from 1 to 1000.") }
            return limit
        }
        let page = try await service.list(
            project: request.query("project").map(ProjectName.init(parsing:)), limit: limit ?? 100, before: request.query("before"), by: context.caller)
        return try .wire(WirePage(items: page.items.map { WireExecution($0, in: service.environment) }, next: page.next))
    }

    /// `POST /api/v1/{env}/executions`: 202 with the execution; 409 for a commit off the main line outside dev.
    @Sendable func start(_ request: Request, context: SlipwayContext) async throws -> Response {
        let service = try service(context)
        let body = try await request.decoded(WireNewExecution.self)
        let execution = try await service.start(project: ProjectName(parsing: body.project), branch: body.branch, commit: body.commit, by: context.caller)
        return try .wire(WireExecution(execution, in: service.environment), status: .accepted)
    }

    @Sendable func show(_ request: Request, context: SlipwayContext) async throws -> Response {
        let service = try service(context)
        return try .wire(WireExecution(try await service.machine(context.parameter("id"), by: context.caller), in: service.environment))
    }

    /// `POST …/cancel`: 202; its steps are being ended. 409 when it is over.
    @Sendable func cancel(_ request: Request, context: SlipwayContext) async throws -> Response {
        let service = try service(context)
        return try .wire(WireExecution(try await service.cancel(context.parameter("id"), by: context.caller), in: service.environment), status: .accepted)
    }

    /// `POST …/retry`: 202; what succeeded is kept. 409 while it runs or when it succeeded.
    @Sendable func retry(_ request: Request, context: SlipwayContext) async throws -> Response {
        let service = try service(context)
        return try .wire(WireExecution(try await service.retry(context.parameter("id"), by: context.caller), in: service.environment), status: .accepted)
    }

    /// `GET …/log?step=&follow=true`: text, as it is written; with `follow` until the execution is over.
    @Sendable func log(_ request: Request, context: SlipwayContext) async throws -> Response {
        let service = try service(context)
        let id = try context.parameter("id")
        let caller = context.caller
        let step = request.query("step"), follow = request.query("follow") == "true"
        _ = try await service.machine(id, by: caller)
        return Response(
            status: .ok, headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody { writer in
                try await service.readLog(of: id, step: step, follow: follow, by: caller) { try await writer.write(ByteBuffer(bytes: $0)) }
                try await writer.finish(nil)
            })
    }
}

extension WireExecution {
    init(_ execution: Execution, in environment: EnvironmentID, steps: [StepExecution]? = nil) {
        self.init(
            id: execution.id, project: execution.project.rawValue, environment: environment.rawValue, commit: execution.commit, branch: execution.branch,
            trigger: execution.trigger.rawValue, state: execution.state.rawValue, runId: execution.run, snapshots: execution.snapshots,
            requestedBy: execution.requestedBy, reason: execution.reason, createdAt: execution.createdAt.iso8601, startedAt: execution.startedAt?.iso8601,
            endedAt: execution.endedAt?.iso8601, release: execution.release?.rawValue, message: execution.message,
            steps: steps?.map {
                WireStepExecution(
                    name: $0.name, run: $0.step.run, needs: $0.step.needs, state: $0.state.rawValue, attempt: $0.attempt, startedAt: $0.startedAt?.iso8601,
                    endedAt: $0.endedAt?.iso8601, exitCode: $0.exitCode, message: $0.message, outputs: $0.outputs.mapValues(\.rawValue))
            })
    }

    init(_ machine: ExecutionMachine, in environment: EnvironmentID) { self.init(machine.execution, in: environment, steps: machine.steps) }
}
