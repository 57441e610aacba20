// Doors between rooms of the feature floor, which may not import each other. Each is implemented by one room, asked by
// another, and handed over at composition (docs/decisions/0002-ports-between-features.md). Facts are not asked through
// ports: every room reads them from SlipwayStore.

/// Who stands behind a change, and what Git says of a commit. Implemented by Pipelines (which hosts the repositories), asked by Promotions.
package protocol CodeHistory: Sendable {
    /// Git authors and committers (by e-mail) and authenticated pushers of all commits reachable from `commit` and not from `since`.
    /// - Throws: `notFound` when the repository lacks the commit.
    func authors(of project: ProjectName, commit: String, since: String?) async throws -> ChangeAuthors
    /// One line per commit, newest first, at most `limit`.
    func commits(of project: ProjectName, commit: String, since: String?, limit: Int) async throws -> [CommitSummary]
    func isOnMainLine(_ commit: String, of project: ProjectName) async throws -> Bool
    func tree(of commit: String, project: ProjectName) async throws -> String
    /// Nil when the commit has no such file.
    func file(_ path: String, at commit: String, of project: ProjectName) async throws -> [UInt8]?
    /// Writes the commit's tree to `folder` (made when missing), for scans.
    func checkOut(_ commit: String, of project: ProjectName, to folder: String) async throws
}

package struct ChangeAuthors: Sendable, Hashable, Codable {
    package var emails: Set<String>
    /// `Principal.raw`
    package var pushers: Set<String>
    package init(emails: Set<String>, pushers: Set<String>) { self.emails = emails; self.pushers = pushers }
}

package struct CommitSummary: Sendable, Hashable, Codable {
    package var commit: String
    package var author: String
    package var email: String
    package var at: Timestamp
    package var subject: String
    package init(commit: String, author: String, email: String, at: Timestamp, subject: String) {
        self.commit = commit; self.author = author; self.email = email; self.at = at; self.subject = subject
    }
}

/// Runs a project's `evaluate` step in a realm on that realm's snapshots. One per realm. Implemented by Pipelines, asked by Promotions.
package protocol Evaluations: Sendable {
    /// Starts, or finds again: the same `request.id` twice is one execution.
    /// - Returns: the execution's id.
    func start(_ request: EvaluationRequest) async throws -> String
    /// Nil while it runs.
    func outcome(of execution: String) async throws -> EvaluationOutcome?
}

package struct EvaluationRequest: Sendable, Hashable, Codable {
    /// Chosen by the asker, for instance the promotion's id and the attempt.
    package var id: String
    package var project: ProjectName
    package var commit: String
    /// Model version in this realm's registry.
    package var modelName: String
    package var candidateVersion: Int
    /// What is live in the slot, nil for the first release.
    package var championVersion: Int?
    /// dataset → snapshot id in this realm
    package var snapshots: [String: String]
    package init(
        id: String, project: ProjectName, commit: String, modelName: String, candidateVersion: Int, championVersion: Int?, snapshots: [String: String]
    ) {
        self.id = id; self.project = project; self.commit = commit; self.modelName = modelName
        self.candidateVersion = candidateVersion; self.championVersion = championVersion; self.snapshots = snapshots
    }
}

package enum EvaluationOutcome: Sendable, Hashable, Codable {
    /// Latest metrics of the evaluation's run, by name: `auc`, `champion.auc`, `slice.origin.JFK.auc`, …
    case measured(run: String, metrics: [String: Double])
    /// The step ran and did not succeed.
    case failed(String)
    /// It could not run (machinery).
    case errored(String)
}

/// One release behind an endpoint.
package struct EndpointDeployment: Sendable, Hashable, Codable {
    package var release: ContentDigest
    package var modelName: String
    package var modelVersion: Int
    /// Of the model's `FileManifest`, in the realm's blobs.
    package var modelDigest: ContentDigest
    /// Of the locked requirements' text, in the realm's blobs.
    package var lockDigest: ContentDigest
    package var pythonVersion: String
    /// Share of requests in per cent; those of one endpoint add up to 100 (0 = warm, answers nothing).
    package var weight: Int
    package init(
        release: ContentDigest, modelName: String, modelVersion: Int, modelDigest: ContentDigest, lockDigest: ContentDigest, pythonVersion: String, weight: Int
    ) {
        self.release = release; self.modelName = modelName; self.modelVersion = modelVersion; self.modelDigest = modelDigest
        self.lockDigest = lockDigest; self.pythonVersion = pythonVersion; self.weight = weight
    }
}

/// What an endpoint is wanted to be. Equal values are the same wish; a newer `revision` wins over an older one.
package struct WantedEndpoint: Sendable, Hashable, Codable {
    package var slot: SlotName
    package var project: ProjectName
    package var generation: Int
    package var revision: Int64
    package var deployments: [EndpointDeployment]
    /// Python workers per deployment.
    package var workers: Int
    /// Share of requests that is captured, 0…1.
    package var capture: Double
    package init(slot: SlotName, project: ProjectName, generation: Int, revision: Int64, deployments: [EndpointDeployment], workers: Int, capture: Double) {
        self.slot = slot; self.project = project; self.generation = generation; self.revision = revision
        self.deployments = deployments; self.workers = workers; self.capture = capture
    }
}

/// What one deployment does just now; counts are since it was first wanted.
package struct DeploymentStatus: Sendable, Hashable, Codable {
    package enum State: String, Sendable, Hashable, Codable { case loading, ready, failed }
    package var release: ContentDigest
    package var state: State
    package var weight: Int
    /// Why it failed, with what to do.
    package var reason: String?
    package var requests: Int64
    package var errors: Int64
    /// Predictions that were NaN.
    package var notANumber: Int64
    package var latencyP50: Double
    /// Milliseconds.
    package var latencyP95: Double
    package init(
        release: ContentDigest, state: State, weight: Int, reason: String? = nil, requests: Int64 = 0, errors: Int64 = 0, notANumber: Int64 = 0,
        latencyP50: Double = 0, latencyP95: Double = 0
    ) {
        self.release = release; self.state = state; self.weight = weight; self.reason = reason; self.requests = requests
        self.errors = errors; self.notANumber = notANumber; self.latencyP50 = latencyP50; self.latencyP95 = latencyP95
    }
}

/// Steers the endpoints of one realm. Implemented by Serving, asked by Promotions.
package protocol EndpointControl: Sendable {
    /// Records the wish durably and answers at once; loading goes on. The old deployments answer until the new are ready.
    func want(_ endpoint: WantedEndpoint) async throws
    /// - Returns: the revision that the gateway has taken over (0 for none) and a status per deployment; empty when there is no such endpoint.
    func status(of slot: SlotName) async throws -> (revision: Int64, deployments: [DeploymentStatus])
    /// Drains and closes.
    func remove(_ slot: SlotName) async throws
}

/// Starts work in a realm. Implemented by Pipelines, asked by Monitoring. One per realm.
package protocol Retraining: Sendable {
    /// Refreshes nothing itself: runs the main line's pipeline on the newest snapshots. The same `reason` twice while one runs is one execution.
    func retrain(project: ProjectName, reason: String) async throws -> String
}

/// Secrets for steps. Implemented by Access, asked by Pipelines.
package protocol StepTokens: Sendable {
    func executionToken(execution: String, project: ProjectName, environment: EnvironmentID, lifetime: Duration) async throws -> String
    func revokeExecutionTokens(_ execution: String) async throws
}

/// Refreshes a realm's data by the adopted recipe. Implemented by Snapshots, asked by Monitoring (before retraining).
package protocol DataRefresh: Sendable {
    /// - Returns: the new snapshot's id, or nil when nothing newer is there.
    func refresh(dataset: String, project: ProjectName, by caller: Caller) async throws -> String?
}

/// Is told what happened in a realm's registry, after the commit. Implemented by Webhooks, told by Registry. One per realm.
package protocol RegistryNotices: Sendable {
    /// Never waits for whoever listens.
    func happened(_ event: RegistryEvent)
}
