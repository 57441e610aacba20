import Foundation
import Logging
import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import Synchronization

/// What an execution is asked for with.
package struct ExecutionOrder: Sendable {
    package var project: ProjectName
    package var commit: String
    package var branch: String?
    package var trigger: Execution.Trigger
    package var requestedBy: Principal
    /// The same request twice is one execution, for ever.
    package var request: String?
    /// The same reason twice while one runs is one execution.
    package var reason: String?
    package var evaluation: EvaluationRequest?
    package var file: ProjectFile

    package init(
        project: ProjectName, commit: String, branch: String?, trigger: Execution.Trigger, requestedBy: Principal, request: String? = nil,
        reason: String? = nil, evaluation: EvaluationRequest? = nil, file: ProjectFile
    ) {
        self.project = project; self.commit = commit; self.branch = branch; self.trigger = trigger; self.requestedBy = requestedBy
        self.request = request; self.reason = reason; self.evaluation = evaluation; self.file = file
    }
}

/// Executions of one realm: asked for, looked at, canceled, retried. The scheduler carries them out.
package final class ExecutionService: Sendable {
    package let realm: Realm
    let history: GitHistory
    let clock: any WallClock
    let ids: any IDGenerator
    let logger: Logger
    /// Tells the scheduler that something changed.
    let wakes: AsyncStream<Void>
    private let waker: AsyncStream<Void>.Continuation
    /// Executions that a person wants to end; the database knows as well, this only saves asking it ten times a second.
    private let ending = Mutex<Set<String>>([])

    package init(realm: Realm, history: GitHistory, clock: any WallClock, ids: any IDGenerator, logger: Logger) {
        self.realm = realm
        self.history = history
        self.clock = clock
        self.ids = ids
        self.logger = logger
        (wakes, waker) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    package var environment: EnvironmentID { realm.environment }

    func wake() { waker.yield() }
    func isEnding(_ id: String) -> Bool { ending.withLock { $0.contains(id) } }

    func folder(of id: String) -> URL { realm.directory.appending(path: "executions").appending(path: id) }

    // MARK: Asking for one

    /// Makes the execution with its MLflow run, or finds the one that the same request made before.
    package func begin(_ order: ExecutionOrder) async throws -> Execution {
        let now = clock.now
        let id = String(ids.hex32().suffix(12))
        let run = ids.hex32()
        let steps = try order.evaluation == nil ? order.file.pipeline : EvaluationSteps.of(order.file)
        guard !steps.isEmpty else { throw SlipwayError.invalid("Project '\(order.project)' has no pipeline.", remedy: "Add one to slipway.yaml.") }
        let execution = try await realm.database.write { [environment] tx in
            let store = ExecutionStore(tx: tx)
            if let request = order.request, let known = try store.execution(request: request) { return known }
            if let reason = order.reason, let known = try store.unfinished(project: order.project, reason: reason) { return known }
            let experiment = try ExperimentStore(tx: tx).ensure(name: order.project.rawValue, project: order.project, at: now)
            try RunStore(tx: tx).create(
                experiment: experiment, name: "\(order.branch ?? order.trigger.rawValue)-\(order.commit.prefix(8))-\(id.suffix(4))",
                user: order.requestedBy.userName?.rawValue ?? order.requestedBy.raw, tags: Self.tags(order, id, environment), at: now, id: run)
            let execution = Execution(
                id: id, project: order.project, commit: order.commit, branch: order.branch, trigger: order.trigger, run: run,
                configDigest: try ProjectFileStore(tx: tx).put(order.file), requestedBy: order.requestedBy.raw, request: order.request,
                reason: order.reason, evaluation: order.evaluation, createdAt: now)
            try store.insert(execution, steps: steps.enumerated().map { StepExecution(execution: id, position: $0, step: $1) })
            try AuditStore(tx: tx).append(
                "execution.queued", subject: "execution:\(id)", project: order.project, by: order.requestedBy, at: now,
                details: ["commit": .string(order.commit), "trigger": .string(order.trigger.rawValue), "run": .string(run)])
            return execution
        }
        wake()
        return execution
    }

    private static func tags(_ order: ExecutionOrder, _ id: String, _ environment: EnvironmentID) -> [String: String] {
        var tags = [
            "mlflow.source.git.commit": order.commit, "mlflow.source.type": "PROJECT", "mlflow.source.name": order.project.rawValue,
            "mlflow.user": order.requestedBy.userName?.rawValue ?? order.requestedBy.raw, "slipway.execution": id, "slipway.trigger": order.trigger.rawValue,
            "slipway.environment": environment.rawValue,
        ]
        tags["mlflow.source.git.branch"] = order.branch
        tags["slipway.reason"] = order.reason
        return tags
    }

    /// A person starts the pipeline of a branch or a commit.
    package func start(project: ProjectName, branch: String?, commit: String?, by caller: Caller) async throws -> Execution {
        try caller.require(.runWork, project: project, environment: environment)
        let main = try await history.mainBranch(of: project)
        let branch = commit == nil ? branch ?? main : branch
        let target: String
        if let commit {
            target = commit
        } else if let branch, let head = try await history.head(of: branch, in: project) {
            target = head
        } else {
            throw SlipwayError.notFound("Project '\(project)' has no branch '\(branch ?? main)'.", remedy: "Push it first: git push")
        }
        if environment != .dev {
            guard try await history.isOnMainLine(target, of: project) else {
                throw SlipwayError(
                    .conflict, "Commit \(target.prefix(12)) is not on the main line '\(main)': \(environment.rawValue) runs nothing else.",
                    remedy: "Merge it and push '\(main)', or run it in dev.")
            }
        }
        let file = try await history.projectFile(at: target, of: project)
        return try await begin(ExecutionOrder(project: project, commit: target, branch: branch, trigger: .manual, requestedBy: caller.principal, file: file))
    }

    // MARK: Looking

    /// Newest first, `limit` at most 1000; `next` is the mark to continue with.
    package func list(project: ProjectName?, limit: Int, before: String?, by caller: Caller) async throws -> (items: [Execution], next: String?) {
        try caller.requireSomebody()
        if let project { try caller.require(.readMetadata, project: project, environment: environment) }
        let readable = caller.readableProjects(in: environment)
        let page = try await realm.database.read { tx in try ExecutionStore(tx: tx).list(project: project, limit: limit, before: before) }
        return (caller.isSystem ? page : page.filter { readable.contains($0.project) }, page.count == min(limit, 1000) ? page.last?.id : nil)
    }

    package func machine(_ id: String, by caller: Caller) async throws -> ExecutionMachine {
        try caller.requireSomebody()
        let machine = try await machine(id)
        try caller.require(.readMetadata, project: machine.execution.project, environment: environment)
        return machine
    }

    func machine(_ id: String) async throws -> ExecutionMachine {
        let found = try await realm.database.read { tx in try ExecutionStore(tx: tx).machine(id) }
        guard let found else { throw Self.unknown(id, environment) }
        return found
    }

    private static func unknown(_ id: String, _ environment: EnvironmentID) -> SlipwayError {
        SlipwayError.notFound(
            "There is no execution '\(id.prefix(40))' in \(environment.rawValue).", remedy: "See what exists: slipway execution list --environment \(environment.rawValue)")
    }

    // MARK: Changing

    package func cancel(_ id: String, by caller: Caller) async throws -> ExecutionMachine {
        try caller.requireSomebody()
        let project = try await machine(id).execution.project
        try caller.require(.runWork, project: project, environment: environment)
        let machine = try await transition(id, .cancel(by: caller.principal), by: caller.principal).machine
        if machine.execution.state == .canceling { ending.withLock { _ = $0.insert(id) } }
        wake()
        return machine
    }

    package func retry(_ id: String, by caller: Caller) async throws -> ExecutionMachine {
        try caller.requireSomebody()
        let project = try await machine(id).execution.project
        try caller.require(.runWork, project: project, environment: environment)
        let machine = try await transition(id, .retry(by: caller.principal), by: caller.principal).machine
        wake()
        return machine
    }

    /// Gives the machine one event and writes what it changed, with the run's status and the audit event, in one transaction.
    /// - Parameter also: what else belongs into it; its answer is the event.
    @discardableResult
    func transition(
        _ id: String, _ event: ExecutionEvent, by principal: Principal = .system("scheduler"),
        also: @escaping @Sendable (any Transaction) throws -> Void = { _ in }
    ) async throws -> (machine: ExecutionMachine, effect: ExecutionEffect) {
        try await transition(id, by: principal) { tx in
            try also(tx)
            return event
        }
    }

    func transition(
        _ id: String, by principal: Principal = .system("scheduler"), event: @escaping @Sendable (any Transaction) throws -> ExecutionEvent
    ) async throws -> (machine: ExecutionMachine, effect: ExecutionEffect) {
        let now = clock.now
        let result = try await realm.database.write { [environment] tx -> (ExecutionMachine, ExecutionEffect) in
            let store = ExecutionStore(tx: tx)
            guard var machine = try store.machine(id) else { throw Self.unknown(id, environment) }
            let before = machine
            let effect = try machine.handle(try event(tx), at: now)
            if machine == before { return (machine, effect) }
            try store.update(machine)
            try Self.record(machine, after: before, by: principal, at: now, tx)
            return (machine, effect)
        }
        if result.0.execution.state != .canceling { ending.withLock { _ = $0.remove(id) } }
        return result
    }

    private static func record(
        _ machine: ExecutionMachine, after before: ExecutionMachine, by principal: Principal, at now: Timestamp, _ tx: any Transaction
    ) throws {
        let execution = machine.execution
        guard execution.state != before.execution.state else { return }
        let status: RunStatus? =
            switch execution.state {
            case .succeeded: .finished
            case .failed, .errored: .failed
            case .canceled: .killed
            case .queued: .running
            default: nil
            }
        if let status, let run = try RunStore(tx: tx).run(execution.run) {
            try RunStore(tx: tx).update(run, status: status, endedAt: execution.endedAt, name: nil)
        }
        var details: [String: JSONValue] = ["from": .string(before.execution.state.rawValue)]
        if let message = execution.message { details["message"] = .string(String(message.prefix(1000))) }
        if let release = execution.release { details["release"] = .string(release.rawValue) }
        try AuditStore(tx: tx).append(
            "execution.\(execution.state.rawValue)", subject: "execution:\(execution.id)", project: execution.project, by: principal, at: now, details: .object(details))
    }
}

// MARK: What other rooms ask for

extension ExecutionService: Evaluations {
    package func start(_ request: EvaluationRequest) async throws -> String {
        let file = try await history.projectFile(at: request.commit, of: request.project)
        return try await begin(
            ExecutionOrder(
                project: request.project, commit: request.commit, branch: nil, trigger: .evaluation, requestedBy: .system("promotions"),
                request: "evaluation:\(request.id)", evaluation: request, file: file)
        ).id
    }

    package func outcome(of execution: String) async throws -> EvaluationOutcome? {
        let (execution, metrics) = try await realm.database.read { [environment] tx in
            guard let found = try ExecutionStore(tx: tx).execution(execution) else { throw Self.unknown(execution, environment) }
            return (found, found.state == .succeeded ? try RunStore(tx: tx).latestMetrics(found.run) : [:])
        }
        return switch execution.state {
        case .succeeded: .measured(run: execution.run, metrics: metrics)
        case .failed: .failed(execution.message ?? "Execution '\(execution.id)' failed.")
        case .canceled: .errored(execution.message ?? "Execution '\(execution.id)' was canceled.")
        case .errored: .errored(execution.message ?? "Execution '\(execution.id)' could not run.")
        case .queued, .preparing, .running, .finishing, .canceling: nil
        }
    }
}

extension ExecutionService: Retraining {
    package func retrain(project: ProjectName, reason: String) async throws -> String {
        let current = try await realm.database.read { tx in try ProjectFileStore(tx: tx).current(of: project) }
        guard let current else {
            throw SlipwayError.notFound("\(environment.rawValue) knows no main line of project '\(project)'.", remedy: "Push it: git push origin main")
        }
        return try await begin(
            ExecutionOrder(
                project: project, commit: current.commit, branch: current.file.mainBranch, trigger: .drift, requestedBy: .system("monitoring"),
                reason: reason, file: current.file)
        ).id
    }
}

/// The part of a pipeline that measures a model without training one.
enum EvaluationSteps {
    static let name = "evaluate"

    /// The step `evaluate`. When it reads a dataset itself, it stands alone; else the steps before it that make outputs (`prepare`) run
    /// too, and those without (`train`) are left out, since the model that is to be measured is there already. What a left-out step
    /// needed is needed instead of it.
    static func of(_ file: ProjectFile) throws -> [ProjectFile.Step] {
        let steps = Dictionary(uniqueKeysWithValues: file.pipeline.map { ($0.name, $0) })
        guard let evaluate = steps[name] else {
            throw SlipwayError.invalid("The pipeline of '\(file.project)' has no step '\(name)', which gates measure with.", remedy: "Add: \(name): { run: python evaluate.py }")
        }
        if !evaluate.inputs.isEmpty {
            var alone = evaluate
            alone.needs = []
            return [alone]
        }
        var wanted: Set<String> = []
        func kept(_ needs: [String]) -> [String] {
            var all: [String] = []
            for need in needs {
                guard let step = steps[need] else { continue }
                let part = step.outputs.isEmpty ? kept(step.needs) : [need]
                if !step.outputs.isEmpty, wanted.insert(need).inserted { _ = kept(step.needs) }
                all += part.filter { !all.contains($0) }
            }
            return all
        }
        wanted.insert(evaluate.name)
        _ = kept(evaluate.needs)
        return file.pipeline.filter { wanted.contains($0.name) }.map { step in
            var step = step
            step.needs = kept(step.needs)
            return step
        }
    }
}
