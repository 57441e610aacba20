/// As MLflow spells it.
package enum RunStatus: String, Sendable, Hashable, Codable, CaseIterable {
    case running = "RUNNING"
    case scheduled = "SCHEDULED"
    case finished = "FINISHED"
    case failed = "FAILED"
    case killed = "KILLED"
}

/// Soft deletion: what is deleted can be read and restored, and its name stays taken.
package enum Lifecycle: String, Sendable, Hashable, Codable {
    case active, deleted
}

package struct Experiment: Sendable, Hashable {
    /// A decimal number as text; `0` is dev's `Default`.
    package var id: String
    /// Unique in its realm, deleted ones included.
    package var name: String
    package var project: ProjectName
    package var artifactLocation: String
    package var lifecycle: Lifecycle
    package var createdAt: Timestamp
    package var updatedAt: Timestamp
    package var tags: [String: String]

    package init(
        id: String, name: String, project: ProjectName, artifactLocation: String, lifecycle: Lifecycle, createdAt: Timestamp, updatedAt: Timestamp,
        tags: [String: String] = [:]
    ) {
        self.id = id
        self.name = name
        self.project = project
        self.artifactLocation = artifactLocation
        self.lifecycle = lifecycle
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.tags = tags
    }
}

package struct Run: Sendable, Hashable {
    /// 32 hexadecimal digits.
    package var id: String
    package var experiment: String
    package var project: ProjectName
    package var name: String
    package var user: String
    package var status: RunStatus
    package var lifecycle: Lifecycle
    package var startedAt: Timestamp
    package var endedAt: Timestamp?
    /// Such as `mlflow-artifacts:/1/<id>/artifacts`.
    package var artifactRoot: String
    /// The realm's own short number of this run, in metrics and other long tables.
    package var number: Int64

    package init(
        id: String, experiment: String, project: ProjectName, name: String, user: String, status: RunStatus, lifecycle: Lifecycle, startedAt: Timestamp,
        endedAt: Timestamp?, artifactRoot: String, number: Int64
    ) {
        self.id = id
        self.experiment = experiment
        self.project = project
        self.name = name
        self.user = user
        self.status = status
        self.lifecycle = lifecycle
        self.startedAt = startedAt
        self.endedAt = endedAt
        self.artifactRoot = artifactRoot
        self.number = number
    }
}

package struct MetricPoint: Sendable, Hashable {
    package var key: String
    /// May be NaN. Infinities come back as the largest finite numbers.
    package var value: Double
    package var timestamp: Int64
    package var step: Int64
    /// The logged model that was measured, with the data it was measured on.
    package var model: String?
    package var datasetName: String?
    package var datasetDigest: String?

    package init(
        key: String, value: Double, timestamp: Int64, step: Int64 = 0, model: String? = nil, datasetName: String? = nil, datasetDigest: String? = nil
    ) {
        self.key = key
        self.value = value
        self.timestamp = timestamp
        self.step = step
        self.model = model
        self.datasetName = datasetName
        self.datasetDigest = datasetDigest
    }
}

/// A point of one metric whose key is known: what a history of a million of them consists of.
package struct MetricSample: Sendable, Hashable {
    package var step: Int64
    package var timestamp: Int64
    package var value: Double

    package init(step: Int64, timestamp: Int64, value: Double) {
        self.step = step
        self.timestamp = timestamp
        self.value = value
    }
}

/// Where a page of a metric's history ended; the next one goes on behind it.
package struct MetricHistoryMark: Sendable, Hashable {
    package var offset: Int
    /// Known where the history's order allows to start behind it.
    package var last: MetricSample?

    package init(offset: Int = 0, last: MetricSample? = nil) {
        self.offset = offset
        self.last = last
    }
}

/// A dataset that a run read, as the client describes it. Identified by name and digest within an experiment.
package struct DatasetInput: Sendable, Hashable {
    package var name: String
    package var digest: String
    package var sourceType: String
    package var source: String
    package var schema: String?
    package var profile: String?
    package var tags: [String: String]

    package init(name: String, digest: String, sourceType: String, source: String, schema: String? = nil, profile: String? = nil, tags: [String: String] = [:]) {
        self.name = name
        self.digest = digest
        self.sourceType = sourceType
        self.source = source
        self.schema = schema
        self.profile = profile
        self.tags = tags
    }
}

/// A logged model that went into or came out of a run.
package struct ModelLink: Sendable, Hashable {
    package enum Direction: String, Sendable { case input, output }
    package var model: String
    package var step: Int64

    package init(model: String, step: Int64 = 0) {
        self.model = model
        self.step = step
    }
}

/// Everything of a run besides its own row.
package struct RunDetails: Sendable, Hashable {
    package var metrics: [MetricPoint] = []
    package var params: [String: String] = [:]
    package var tags: [String: String] = [:]
    package var datasets: [DatasetInput] = []
    package var inputs: [ModelLink] = []
    package var outputs: [ModelLink] = []

    package init() {}
}

package enum LoggedModelStatus: String, Sendable, Hashable, Codable, CaseIterable {
    case pending = "LOGGED_MODEL_PENDING"
    case ready = "LOGGED_MODEL_READY"
    case uploadFailed = "LOGGED_MODEL_UPLOAD_FAILED"
}

/// A model that a run made, not yet a version of anything.
package struct LoggedModel: Sendable, Hashable {
    /// `m-` and 32 hexadecimal digits.
    package var id: String
    package var name: String
    package var experiment: String
    package var project: ProjectName
    package var sourceRun: String?
    package var modelType: String
    /// Such as `mlflow-artifacts:/1/models/m-…/artifacts`.
    package var artifactRoot: String
    package var status: LoggedModelStatus
    package var statusMessage: String?
    package var lifecycle: Lifecycle
    package var creator: String
    /// Of its `MLmodel` file: `{"inputs": […], "outputs": […]}`.
    package var signature: JSONValue?
    package var createdAt: Timestamp
    package var updatedAt: Timestamp

    package init(
        id: String, name: String, experiment: String, project: ProjectName, sourceRun: String?, modelType: String, artifactRoot: String,
        status: LoggedModelStatus, statusMessage: String? = nil, lifecycle: Lifecycle = .active, creator: String, signature: JSONValue? = nil,
        createdAt: Timestamp, updatedAt: Timestamp
    ) {
        self.id = id
        self.name = name
        self.experiment = experiment
        self.project = project
        self.sourceRun = sourceRun
        self.modelType = modelType
        self.artifactRoot = artifactRoot
        self.status = status
        self.statusMessage = statusMessage
        self.lifecycle = lifecycle
        self.creator = creator
        self.signature = signature
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}

/// Params, tags and metrics of a logged model, and where it is registered.
package struct LoggedModelDetails: Sendable, Hashable {
    package struct Metric: Sendable, Hashable {
        package var point: MetricPoint
        package var run: String
        package init(point: MetricPoint, run: String) { self.point = point; self.run = run }
    }
    package var params: [String: String] = [:]
    package var tags: [String: String] = [:]
    package var metrics: [Metric] = []
    package var registrations: [(name: String, version: Int)] = []

    package init() {}

    package static func == (left: Self, right: Self) -> Bool {
        left.params == right.params && left.tags == right.tags && left.metrics == right.metrics
            && left.registrations.elementsEqual(right.registrations) { $0 == $1 }
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(params)
        hasher.combine(tags)
    }
}

/// Roots of proxied artifacts, as `mlflow-artifacts:` addresses.
package enum ArtifactRoot {
    package static let scheme = "mlflow-artifacts:/"

    package static func experiment(_ id: String) -> String { scheme + id }
    package static func run(_ run: String, experiment location: String) -> String { below(location, "\(run)/artifacts") }
    package static func model(_ model: String, experiment location: String) -> String { below(location, "models/\(model)/artifacts") }
    package static func trace(_ trace: String, experiment location: String) -> String { below(location, "traces/\(trace)/artifacts") }

    /// A location may end in a query (`mysql://host/db?driver=x`), which stays at the end.
    private static func below(_ location: String, _ path: String) -> String {
        guard let mark = location.firstIndex(of: "?") else { return "\(location)/\(path)" }
        return "\(location[..<mark])/\(path)\(location[mark...])"
    }

    /// A registered version's frozen files; served from its manifest, never written to.
    package static func version(_ version: Int, ofModelNumber number: Int64) -> String { "\(scheme)registry/\(number)/\(version)" }
    /// Whether a path of the proxy lies among the frozen files.
    package static func isFrozen(_ path: String) -> Bool { path == "registry" || path.hasPrefix("registry/") }

    /// The path that an address has at the artifact proxy, empty for the proxy's root: of `mlflow-artifacts:/p`, `mlflow-artifacts://host:port/p` and
    /// `http(s)://host/…/mlflow-artifacts/artifacts/p`. Nil for addresses elsewhere.
    package static func proxiedPath(of address: String) -> String? {
        var path: Substring
        if address.hasPrefix("mlflow-artifacts:") {
            path = address.dropFirst("mlflow-artifacts:".count)
            if path.hasPrefix("//") {
                let host = path.dropFirst(2)
                path = host.firstIndex(of: "/").map { host[$0...] } ?? ""
            }
        } else if address.hasPrefix("http://") || address.hasPrefix("https://"), let mark = address.firstRange(of: "/mlflow-artifacts/artifacts") {
            path = address[mark.upperBound...]
            guard path.isEmpty || path.hasPrefix("/") else { return nil }
        } else {
            return nil
        }
        while path.hasPrefix("/") { path.removeFirst() }
        while path.hasSuffix("/") { path.removeLast() }
        return String(path)
    }
}
