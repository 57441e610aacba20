/// An endpoint: what it is wanted to be and what it does.
public struct WireEndpoint: Codable, Sendable {
    public struct Deployment: Codable, Sendable {
        public var release: String
        public var model: String
        public var version: Int
        /// Share of requests in per cent.
        public var weight: Int
        /// loading, ready or failed
        public var state: String
        public var reason: String?
        public var requests: Int64
        public var rows: Int64
        public var errors: Int64
        /// Predictions that were NaN.
        public var nan: Int64
        public var latencyMsP50: Double
        public var latencyMsP95: Double
        public var traffic: [Minute]
        public init(
            release: String, model: String, version: Int, weight: Int, state: String, reason: String?, requests: Int64, rows: Int64, errors: Int64, nan: Int64,
            latencyMsP50: Double, latencyMsP95: Double, traffic: [Minute]
        ) {
            self.release = release
            self.model = model
            self.version = version
            self.weight = weight
            self.state = state
            self.reason = reason
            self.requests = requests
            self.rows = rows
            self.errors = errors
            self.nan = nan
            self.latencyMsP50 = latencyMsP50
            self.latencyMsP95 = latencyMsP95
            self.traffic = traffic
        }
    }

    public struct Minute: Codable, Sendable {
        public var at: String
        public var requests: Int64
        public var rows: Int64
        public var errors: Int64
        public var latencyMsP50: Double
        public var latencyMsP95: Double
        public init(at: String, requests: Int64, rows: Int64, errors: Int64, latencyMsP50: Double, latencyMsP95: Double) {
            self.at = at
            self.requests = requests
            self.rows = rows
            self.errors = errors
            self.latencyMsP50 = latencyMsP50
            self.latencyMsP95 = latencyMsP95
        }
    }

    public var slot: String
    public var project: String
    public var environment: String
    /// The worst of its answering deployments: loading, ready or failed.
    public var state: String
    public var generation: Int
    public var revision: Int64
    /// The revision that the gateway has taken over.
    public var revisionTaken: Int64
    public var workers: Int
    /// Share of requests that is captured.
    public var capture: Double
    public var rowsCaptured: Int64
    public var rowsDropped: Int64
    /// Where it answers without the control plane, nil while the gateway does not run.
    public var address: String?
    public var deployments: [Deployment]
    public init(
        slot: String, project: String, environment: String, state: String, generation: Int, revision: Int64, revisionTaken: Int64, workers: Int,
        capture: Double, rowsCaptured: Int64, rowsDropped: Int64, address: String?, deployments: [Deployment]
    ) {
        self.slot = slot
        self.project = project
        self.environment = environment
        self.state = state
        self.generation = generation
        self.revision = revision
        self.revisionTaken = revisionTaken
        self.workers = workers
        self.capture = capture
        self.rowsCaptured = rowsCaptured
        self.rowsDropped = rowsDropped
        self.address = address
        self.deployments = deployments
    }
}
