import SlipwayCore
import SlipwaySQL

/// Executions and their step executions.
package struct ExecutionStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    package func execution(_ id: String) throws -> Execution? { try tx.first(Self.byID, ["id": .text(id)]).map(Self.execution) }
    package func execution(request: String) throws -> Execution? { try tx.first(Self.byRequest, ["request": .text(request)]).map(Self.execution) }

    /// One that is not over yet and was asked for with the same reason.
    package func unfinished(project: ProjectName, reason: String) throws -> Execution? {
        try tx.first(Self.byReason, ["project": .text(project.rawValue), "reason": .text(reason)]).map(Self.execution)
    }

    /// Newest first; `before` is the id to continue below. Nil for all projects.
    package func list(project: ProjectName?, limit: Int, before: String? = nil) throws -> [Execution] {
        try tx.all(Self.page, ["project": .text(project?.rawValue), "before": .text(before), "limit": .integer(min(limit, 1000))]).map(Self.execution)
    }

    /// Not over yet, oldest first.
    package func unfinished(limit: Int = 1000) throws -> [Execution] { try tx.all(Self.open, ["limit": .integer(limit)]).map(Self.execution) }

    package func steps(of id: String) throws -> [StepExecution] { try tx.all(Self.stepsOf, ["execution": .text(id)]).map(Self.step) }

    package func machine(_ id: String) throws -> ExecutionMachine? {
        try execution(id).map { ExecutionMachine(execution: $0, steps: try steps(of: id)) }
    }

    package func insert(_ execution: Execution, steps: [StepExecution]) throws {
        try tx.run(Self.insert, try Self.values(of: execution))
        for step in steps { try tx.run(Self.insertStep, try Self.values(of: step)) }
    }

    /// Writes what a machine's event has changed.
    package func update(_ machine: ExecutionMachine) throws {
        var values = try Self.values(of: machine.execution)
        for fixed in ["project", "commit", "branch", "trigger", "run", "config", "by", "request", "reason", "evaluation", "created"] { values[fixed] = nil }
        try tx.run(Self.update, values)
        for step in machine.steps {
            var values = try Self.values(of: step)
            values["definition"] = nil
            values["position"] = nil
            try tx.run(Self.updateStep, values)
        }
    }

    package func lastFire(of project: ProjectName) throws -> Timestamp? {
        try tx.first(Self.fire, ["project": .text(project.rawValue)]).map { Timestamp(milliseconds: $0.int64("fired_at_ms")) }
    }

    package func setLastFire(of project: ProjectName, to at: Timestamp) throws {
        try tx.run(Self.upsertFire, ["project": .text(project.rawValue), "at": .integer(at.milliseconds)])
    }

    private static func values(of execution: Execution) throws -> [String: SQLValue] {
        [
            "id": .text(execution.id), "project": .text(execution.project.rawValue), "commit": .text(execution.commit), "branch": .text(execution.branch),
            "trigger": .text(execution.trigger.rawValue), "state": .text(execution.state.rawValue), "run": .text(execution.run),
            "snapshots": .text(try CanonicalJSON.text(execution.snapshots)), "config": .text(execution.configDigest.rawValue),
            "lock": .text(execution.lockDigest?.rawValue), "by": .text(execution.requestedBy), "request": .text(execution.request),
            "reason": .text(execution.reason), "evaluation": .text(try execution.evaluation.map { try CanonicalJSON.text($0) }),
            "created": .integer(execution.createdAt.milliseconds), "started": .integer(execution.startedAt?.milliseconds),
            "ended": .integer(execution.endedAt?.milliseconds), "release": .text(execution.release?.rawValue), "message": .text(execution.message),
        ]
    }

    private static func values(of step: StepExecution) throws -> [String: SQLValue] {
        [
            "execution": .text(step.execution), "position": .integer(step.position), "name": .text(step.name),
            "definition": .text(try CanonicalJSON.text(step.step)), "state": .text(step.state.rawValue), "attempt": .integer(step.attempt),
            "forgiven": .integer(step.attemptsForgiven), "started": .integer(step.startedAt?.milliseconds), "ended": .integer(step.endedAt?.milliseconds),
            "code": .integer(step.exitCode.map(Int64.init)), "message": .text(step.message), "outputs": .text(try CanonicalJSON.text(step.outputs)),
        ]
    }

    private static func execution(_ row: Row) throws -> Execution {
        guard let trigger = Execution.Trigger(rawValue: row.text("trigger_kind")), let state = Execution.State(rawValue: row.text("state")) else {
            throw SlipwayError.fault("Execution '\(row.text("id"))' has an unknown trigger or state.")
        }
        return Execution(
            id: row.text("id"), project: ProjectName(unchecked: row.text("project")), commit: row.text("commit_hash"), branch: row.optionalText("branch"),
            trigger: trigger, state: state, run: row.text("run_id"), snapshots: try CanonicalJSON.decode([String: String].self, from: row.text("snapshots")),
            configDigest: try ContentDigest(parsing: row.text("config_digest")), lockDigest: row.optionalText("lock_digest").flatMap(ContentDigest.init(rawValue:)),
            requestedBy: row.text("requested_by"), request: row.optionalText("request"), reason: row.optionalText("reason"),
            evaluation: try row.optionalText("evaluation").map { try CanonicalJSON.decode(EvaluationRequest.self, from: $0) },
            createdAt: Timestamp(milliseconds: row.int64("created_at_ms")), startedAt: row.optionalInt("started_at_ms").map(Timestamp.init(milliseconds:)),
            endedAt: row.optionalInt("ended_at_ms").map(Timestamp.init(milliseconds:)), release: row.optionalText("release_digest").flatMap(ContentDigest.init(rawValue:)),
            message: row.optionalText("message"))
    }

    private static func step(_ row: Row) throws -> StepExecution {
        guard let state = StepExecution.State(rawValue: row.text("state")) else {
            throw SlipwayError.fault("Step '\(row.text("name"))' of execution '\(row.text("execution"))' has an unknown state.")
        }
        return StepExecution(
            execution: row.text("execution"), position: row.int("position"), step: try CanonicalJSON.decode(ProjectFile.Step.self, from: row.text("definition")),
            state: state, attempt: row.int("attempt"), attemptsForgiven: row.int("attempts_forgiven"),
            startedAt: row.optionalInt("started_at_ms").map(Timestamp.init(milliseconds:)), endedAt: row.optionalInt("ended_at_ms").map(Timestamp.init(milliseconds:)),
            exitCode: row.optionalInt("exit_code").map { Int($0) }, message: row.optionalText("message"),
            outputs: try CanonicalJSON.decode([String: ContentDigest].self, from: row.text("outputs")))
    }

    private static let byID = Statement("execution.byID", "SELECT * FROM execution WHERE id = :id")
    private static let byRequest = Statement("execution.byRequest", "SELECT * FROM execution WHERE request = :request")
    private static let byReason = Statement(
        "execution.byReason",
        """
        SELECT * FROM execution
        WHERE project = :project AND reason = :reason AND ended_at_ms IS NULL ORDER BY created_at_ms LIMIT 1
        """)
    private static let page = Statement(
        "execution.page",
        """
        SELECT * FROM execution
        WHERE (:project IS NULL OR project = :project)
          AND (:before IS NULL OR (created_at_ms, id) < (SELECT b.created_at_ms, b.id FROM execution b WHERE b.id = :before))
        ORDER BY created_at_ms DESC, id DESC LIMIT :limit
        """)
    private static let open = Statement(
        "execution.open",
        """
        SELECT * FROM execution WHERE state IN ('queued', 'preparing', 'running', 'finishing', 'canceling')
        ORDER BY created_at_ms, id LIMIT :limit
        """)
    private static let stepsOf = Statement("execution.steps", "SELECT * FROM step_execution WHERE execution = :execution ORDER BY position")
    private static let insert = Statement(
        "execution.insert",
        """
        INSERT INTO execution (id, project, commit_hash, branch, trigger_kind, state, run_id, snapshots, config_digest, lock_digest, requested_by,
            request, reason, evaluation, created_at_ms, started_at_ms, ended_at_ms, release_digest, message)
        VALUES (:id, :project, :commit, :branch, :trigger, :state, :run, :snapshots, :config, :lock, :by,
            :request, :reason, :evaluation, :created, :started, :ended, :release, :message)
        """)
    private static let insertStep = Statement(
        "execution.insertStep",
        """
        INSERT INTO step_execution (execution, position, name, definition, state, attempt, attempts_forgiven, started_at_ms, ended_at_ms, exit_code, message, outputs)
        VALUES (:execution, :position, :name, :definition, :state, :attempt, :forgiven, :started, :ended, :code, :message, :outputs)
        """)
    private static let update = Statement(
        "execution.update",
        """
        UPDATE execution SET state = :state, snapshots = :snapshots, lock_digest = :lock, started_at_ms = :started, ended_at_ms = :ended,
            release_digest = :release, message = :message
        WHERE id = :id
        """)
    private static let updateStep = Statement(
        "execution.updateStep",
        """
        UPDATE step_execution SET state = :state, attempt = :attempt, attempts_forgiven = :forgiven, started_at_ms = :started, ended_at_ms = :ended,
            exit_code = :code, message = :message, outputs = :outputs
        WHERE execution = :execution AND name = :name
        """)
    private static let fire = Statement("schedule.lastFire", "SELECT fired_at_ms FROM schedule_fire WHERE project = :project")
    private static let upsertFire = Statement(
        "schedule.setLastFire",
        """
        INSERT INTO schedule_fire (project, fired_at_ms) VALUES (:project, :at)
        ON CONFLICT (project) DO UPDATE SET fired_at_ms = excluded.fired_at_ms
        """)
}
