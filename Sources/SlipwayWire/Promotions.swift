public struct WireRelease: Codable, Sendable {
    public var id: String
    public var environment: String
    public var project: String
    public var kind: String
    public var commit: String
    public var model: String
    public var modelVersion: Int
    public var modelDigest: String
    public var trainingRun: String
    public var trainingEnvironment: String
    /// dataset → manifest digest of the training snapshot
    public var snapshots: [String: String]
    public var metrics: [String: Double]
    public var createdAt: String
    public var createdBy: String
    public var execution: String
    /// What it carries for ever, such as `policy:demo`; in details only.
    public var marks: [String]?
    /// Why it is quarantined; in details only.
    public var quarantine: String?
    /// Ids of the promotions that moved it; in details only.
    public var promotions: [String]?

    public init(
        id: String, environment: String, project: String, kind: String, commit: String, model: String, modelVersion: Int, modelDigest: String,
        trainingRun: String, trainingEnvironment: String, snapshots: [String: String], metrics: [String: Double], createdAt: String, createdBy: String,
        execution: String
    ) {
        self.id = id
        self.environment = environment
        self.project = project
        self.kind = kind
        self.commit = commit
        self.model = model
        self.modelVersion = modelVersion
        self.modelDigest = modelDigest
        self.trainingRun = trainingRun
        self.trainingEnvironment = trainingEnvironment
        self.snapshots = snapshots
        self.metrics = metrics
        self.createdAt = createdAt
        self.createdBy = createdBy
        self.execution = execution
    }
}

public struct WirePromotionRequest: Codable, Sendable {
    /// The release's id or an unambiguous beginning of it.
    public var release: String
    public var slot: String?
    /// False leaves it a draft.
    public var submit: Bool?
    public var requestId: String?
    public init(release: String, slot: String?, submit: Bool? = nil, requestId: String? = nil) {
        self.release = release
        self.slot = slot
        self.submit = submit
        self.requestId = requestId
    }
}

/// The body of every verb on a promotion or a slot; each verb reads what it needs.
public struct WireVerb: Codable, Sendable {
    /// Digest of the plan that was read (`approve`).
    public var plan: String?
    public var comment: String?
    public var reason: String?
    public var requestId: String?
    public init(plan: String? = nil, comment: String? = nil, reason: String? = nil, requestId: String? = nil) {
        self.plan = plan
        self.comment = comment
        self.reason = reason
        self.requestId = requestId
    }
}

public struct WirePromotion: Codable, Sendable {
    public struct Approval: Codable, Sendable {
        public var user: String
        public var at: String
        public var comment: String
        public init(user: String, at: String, comment: String) { self.user = user; self.at = at; self.comment = comment }
    }
    public struct Seat: Codable, Sendable {
        public var role: String
        public var count: Int
        public init(role: String, count: Int) { self.role = role; self.count = count }
    }
    public struct Step: Codable, Sendable {
        public var weight: Int
        public var bake: String
        public var minRequests: Int
        public init(weight: Int, bake: String, minRequests: Int) { self.weight = weight; self.bake = bake; self.minRequests = minRequests }
    }
    public struct Plan: Codable, Sendable {
        public var digest: String
        public var current: String?
        public var fallback: String?
        public var generation: Int
        public var policy: String
        public var policyVersion: Int
        /// gate → mode
        public var gates: [String: String]
        public var approvals: [Seat]
        public var steps: [Step]
        public init(
            digest: String, current: String?, fallback: String?, generation: Int, policy: String, policyVersion: Int, gates: [String: String], approvals: [Seat], steps: [Step]
        ) {
            self.digest = digest
            self.current = current
            self.fallback = fallback
            self.generation = generation
            self.policy = policy
            self.policyVersion = policyVersion
            self.gates = gates
            self.approvals = approvals
            self.steps = steps
        }
    }

    public var id: String
    public var environment: String
    public var project: String
    public var slot: String
    public var release: String
    public var state: String
    public var stateSince: String
    public var deadline: String?
    public var opensAt: String?
    public var plan: Plan
    public var requestedBy: String
    public var createdAt: String
    public var attempt: Int
    public var approvals: [Approval]
    /// Why it is blocked, waiting or ended.
    public var reasons: [WireError.Reason]
    /// Gates in `warn` mode that did not pass.
    public var amber: [String]
    public var appliedBy: String?
    /// Index of the running rollout step, while verifying.
    public var step: Int?
    public var liveAt: String?
    public var change: WireChange
    /// In details only.
    public var evidence: [WireEvidence]?
    /// Approval seats without a person; in details only.
    public var missing: [Seat]?

    public init(
        id: String, environment: String, project: String, slot: String, release: String, state: String, stateSince: String, deadline: String?, opensAt: String?,
        plan: Plan, requestedBy: String, createdAt: String, attempt: Int, approvals: [Approval], reasons: [WireError.Reason], amber: [String], appliedBy: String?,
        step: Int?, liveAt: String?, change: WireChange
    ) {
        self.id = id
        self.environment = environment
        self.project = project
        self.slot = slot
        self.release = release
        self.state = state
        self.stateSince = stateSince
        self.deadline = deadline
        self.opensAt = opensAt
        self.plan = plan
        self.requestedBy = requestedBy
        self.createdAt = createdAt
        self.attempt = attempt
        self.approvals = approvals
        self.reasons = reasons
        self.amber = amber
        self.appliedBy = appliedBy
        self.step = step
        self.liveAt = liveAt
        self.change = change
    }
}

/// What a promotion changes against what is live.
public struct WireChange: Codable, Sendable {
    public struct Commit: Codable, Sendable {
        public var commit: String
        public var author: String
        public var at: String
        public var subject: String
        public init(commit: String, author: String, at: String, subject: String) { self.commit = commit; self.author = author; self.at = at; self.subject = subject }
    }
    public struct Number: Codable, Sendable {
        public var before: Double?
        public var after: Double?
        public init(before: Double?, after: Double?) { self.before = before; self.after = after }
    }
    public struct Text: Codable, Sendable {
        public var before: String?
        public var after: String?
        public init(before: String?, after: String?) { self.before = before; self.after = after }
    }
    public var since: String?
    public var commits: [Commit]
    /// E-mails in Git and authenticated pushers: their approvals do not count.
    public var authors: [String]
    public var metrics: [String: Number]
    public var snapshots: [String: Text]
    public var configChanged: Bool
    public var lockChanged: Bool
    public init(
        since: String?, commits: [Commit], authors: [String], metrics: [String: Number], snapshots: [String: Text], configChanged: Bool, lockChanged: Bool
    ) {
        self.since = since
        self.commits = commits
        self.authors = authors
        self.metrics = metrics
        self.snapshots = snapshots
        self.configChanged = configChanged
        self.lockChanged = lockChanged
    }
}

public struct WireEvidence: Codable, Sendable {
    public var id: String
    public var gate: String
    public var mode: String
    public var outcome: String
    public var summary: String
    public var remedy: String
    public var attempt: Int
    public var plan: String
    public var producer: String
    public var origin: String
    /// dataset → snapshot id
    public var snapshots: [String: String]
    public var madeAt: String
    public var expiresAt: String?
    /// What was measured, as JSON text.
    public var details: String
    public init(
        id: String, gate: String, mode: String, outcome: String, summary: String, remedy: String, attempt: Int, plan: String, producer: String, origin: String,
        snapshots: [String: String], madeAt: String, expiresAt: String?, details: String
    ) {
        self.id = id
        self.gate = gate
        self.mode = mode
        self.outcome = outcome
        self.summary = summary
        self.remedy = remedy
        self.attempt = attempt
        self.plan = plan
        self.producer = producer
        self.origin = origin
        self.snapshots = snapshots
        self.madeAt = madeAt
        self.expiresAt = expiresAt
        self.details = details
    }
}
