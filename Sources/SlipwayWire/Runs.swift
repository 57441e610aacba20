/// A tracked run.
public struct WireRun: Codable, Sendable {
    public struct Metric: Codable, Sendable {
        public var key: String
        /// Nil when it is not a number.
        public var value: Double?
        public var step: Int64
        public var at: String
        public init(key: String, value: Double?, step: Int64, at: String) {
            self.key = key
            self.value = value
            self.step = step
            self.at = at
        }
    }

    public struct Pair: Codable, Sendable {
        public var key: String
        public var value: String
        public init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    public struct Dataset: Codable, Sendable {
        public var name: String
        public var digest: String
        public var context: String?
        public init(name: String, digest: String, context: String?) {
            self.name = name
            self.digest = digest
            self.context = context
        }
    }

    public var id: String
    public var name: String
    public var environment: String
    public var project: String
    public var experiment: String
    public var user: String
    /// RUNNING, SCHEDULED, FINISHED, FAILED or KILLED
    public var status: String
    public var startedAt: String
    public var endedAt: String?
    public var artifactUri: String
    /// The latest of each.
    public var metrics: [Metric]
    public var params: [Pair]
    public var tags: [Pair]
    public var datasets: [Dataset]
    /// Ids of the logged models that it made.
    public var models: [String]

    public init(
        id: String, name: String, environment: String, project: String, experiment: String, user: String, status: String, startedAt: String, endedAt: String?,
        artifactUri: String, metrics: [Metric], params: [Pair], tags: [Pair], datasets: [Dataset], models: [String]
    ) {
        self.id = id
        self.name = name
        self.environment = environment
        self.project = project
        self.experiment = experiment
        self.user = user
        self.status = status
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.artifactUri = artifactUri
        self.metrics = metrics
        self.params = params
        self.tags = tags
        self.datasets = datasets
        self.models = models
    }
}
