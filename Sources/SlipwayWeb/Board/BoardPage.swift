import SlipwayCore

/// Three environments × code, model, data, for every project that the caller may see.
package struct BoardPage: Sendable {
    package struct Code: Sendable {
        package var commit: String
        package var branch: String?
        package var subject: String?
        /// `Principal.raw`
        package var pusher: String?
        package var at: Timestamp
        package init(commit: String, branch: String?, subject: String?, pusher: String?, at: Timestamp) {
            self.commit = commit
            self.branch = branch
            self.subject = subject
            self.pusher = pusher
            self.at = at
        }
    }

    /// The newest execution, when it matters more than the code: running or not well.
    package struct Work: Sendable {
        package var execution: String
        package var state: String
        package var tone: Tone
        package init(execution: String, state: String, tone: Tone) {
            self.execution = execution
            self.state = state
            self.tone = tone
        }
    }

    package struct Live: Sendable {
        package var slot: String
        package var model: String
        package var version: Int
        package var release: String
        package var since: Timestamp?
        package var promotion: String?
        package var policy: String?
        package var hasFallback: Bool
        package var hold: String?
        package init(
            slot: String, model: String, version: Int, release: String, since: Timestamp?, promotion: String?, policy: String?, hasFallback: Bool, hold: String?
        ) {
            self.slot = slot
            self.model = model
            self.version = version
            self.release = release
            self.since = since
            self.promotion = promotion
            self.policy = policy
            self.hasFallback = hasFallback
            self.hold = hold
        }
    }

    /// The newest registered version, shown where nothing is live.
    package struct Registered: Sendable {
        package var model: String
        package var version: Int
        package var at: Timestamp
        package init(model: String, version: Int, at: Timestamp) {
            self.model = model
            self.version = version
            self.at = at
        }
    }

    package struct Dataset: Sendable {
        package var name: String
        package var snapshot: String
        package var at: Timestamp
        package var sizeBytes: Int64
        /// What this environment promises: no older than this.
        package var freshness: Duration?
        package var expiresAt: Timestamp?
        package var checks: String?
        package init(name: String, snapshot: String, at: Timestamp, sizeBytes: Int64, freshness: Duration?, expiresAt: Timestamp?, checks: String?) {
            self.name = name
            self.snapshot = snapshot
            self.at = at
            self.sizeBytes = sizeBytes
            self.freshness = freshness
            self.expiresAt = expiresAt
            self.checks = checks
        }

        func isLate(_ now: Timestamp) -> Bool { freshness.map { now - at > $0 } ?? false }
    }

    package struct Health: Sendable {
        package var requests: Int64
        package var errors: Int64
        package var latencyP95: Double
        package var isAnswering: Bool
        /// Features past the watch and act marks in the newest drift report, nil before the first one.
        package var drift: (watch: Int, act: Int)?
        package init(requests: Int64, errors: Int64, latencyP95: Double, isAnswering: Bool, drift: (watch: Int, act: Int)?) {
            self.requests = requests
            self.errors = errors
            self.latencyP95 = latencyP95
            self.isAnswering = isAnswering
            self.drift = drift
        }
    }

    /// A project in one environment.
    package struct Place: Sendable {
        package var environment: EnvironmentID
        package var code: Code?
        package var work: Work?
        package var live: [Live] = []
        package var registered: Registered?
        package var data: [Dataset] = []
        package var health: Health?
        /// Promotions that wait for people.
        package var open: [(id: String, state: String)] = []
        /// Name of the policy in force.
        package var policy: String?
        package var roles: [(role: String, people: Int)] = []
        /// False when this caller holds no role here, so that nothing but that may be shown.
        package var isVisible = true
        package init(_ environment: EnvironmentID) { self.environment = environment }
    }

    package struct ProjectPart: Sendable {
        package var name: ProjectName
        package var owner: String
        package var places: [Place]
        package init(name: ProjectName, owner: String, places: [Place]) {
            self.name = name
            self.owner = owner
            self.places = places
        }
    }

    package var user: String?
    package var now: Timestamp
    /// Such as `http://127.0.0.1:5080`, for the commands on the page.
    package var address: String
    package var projects: [ProjectPart]

    package init(user: String?, now: Timestamp, address: String, projects: [ProjectPart]) {
        self.user = user
        self.now = now
        self.address = address
        self.projects = projects
    }
}
