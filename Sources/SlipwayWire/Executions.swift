public struct WireExecution: Codable, Sendable {
    public var id: String
    public var project: String
    public var environment: String
    public var commit: String
    public var branch: String?
    /// `push`, `schedule`, `manual`, `drift` or `evaluation`
    public var trigger: String
    /// `queued`, `preparing`, `running`, `finishing`, `canceling`; at the end `succeeded`, `failed`, `canceled` or `errored`
    public var state: String
    /// The MLflow run.
    public var runId: String
    /// dataset → snapshot
    public var snapshots: [String: String]
    public var requestedBy: String
    public var reason: String?
    public var createdAt: String
    public var startedAt: String?
    public var endedAt: String?
    /// The release that it sealed.
    public var release: String?
    public var message: String?
    /// Only when one execution is asked for.
    public var steps: [WireStepExecution]?

    public init(
        id: String, project: String, environment: String, commit: String, branch: String?, trigger: String, state: String, runId: String,
        snapshots: [String: String], requestedBy: String, reason: String?, createdAt: String, startedAt: String?, endedAt: String?, release: String?,
        message: String?, steps: [WireStepExecution]? = nil
    ) {
        self.id = id
        self.project = project
        self.environment = environment
        self.commit = commit
        self.branch = branch
        self.trigger = trigger
        self.state = state
        self.runId = runId
        self.snapshots = snapshots
        self.requestedBy = requestedBy
        self.reason = reason
        self.createdAt = createdAt
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.release = release
        self.message = message
        self.steps = steps
    }

    public var isOver: Bool { ["succeeded", "failed", "canceled", "errored"].contains(state) }
}

public struct WireStepExecution: Codable, Sendable {
    public var name: String
    public var run: String
    public var needs: [String]
    public var state: String
    public var attempt: Int
    public var startedAt: String?
    public var endedAt: String?
    public var exitCode: Int?
    public var message: String?
    /// output → digest of its manifest
    public var outputs: [String: String]

    public init(
        name: String, run: String, needs: [String], state: String, attempt: Int, startedAt: String?, endedAt: String?, exitCode: Int?, message: String?,
        outputs: [String: String]
    ) {
        self.name = name
        self.run = run
        self.needs = needs
        self.state = state
        self.attempt = attempt
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.exitCode = exitCode
        self.message = message
        self.outputs = outputs
    }
}

public struct WireNewExecution: Codable, Sendable {
    public var project: String
    /// The main line when neither is given.
    public var branch: String?
    public var commit: String?
    public init(project: String, branch: String? = nil, commit: String? = nil) {
        self.project = project
        self.branch = branch
        self.commit = commit
    }
}
