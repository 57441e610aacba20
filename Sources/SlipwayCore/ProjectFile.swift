/// `slipway.yaml`, read and checked. Its canonical JSON is stored per commit, and its digest is the release's config digest.
package struct ProjectFile: Sendable, Hashable, Codable {
    package struct Python: Sendable, Hashable, Codable {
        package var version: String
        /// A locked requirements file in the repository.
        package var requirements: String
        package init(version: String, requirements: String) { self.version = version; self.requirements = requirements }
    }

    package enum Masking: String, Sendable, Hashable, Codable, CaseIterable { case hash, drop }

    /// How an environment's data is made from another's.
    package struct Refresh: Sendable, Hashable, Codable {
        package var from: EnvironmentID
        /// `day`, `week`, `month`, `quarter`
        package var every: String
        /// Share of rows, 0 < sample ≤ 1.
        package var sample: Double
        /// column → masking
        package var mask: [String: Masking]
        package init(from: EnvironmentID, every: String, sample: Double = 1, mask: [String: Masking] = [:]) {
            self.from = from; self.every = every; self.sample = sample; self.mask = mask
        }
    }

    package struct Dataset: Sendable, Hashable, Codable {
        /// Path of the checks file in the repository.
        package var checks: String?
        package var expire: [EnvironmentID: DurationText]
        package var refresh: [EnvironmentID: Refresh]
        package var freshness: [EnvironmentID: DurationText]
        package init(checks: String?, expire: [EnvironmentID: DurationText], refresh: [EnvironmentID: Refresh], freshness: [EnvironmentID: DurationText]) {
            self.checks = checks; self.expire = expire; self.refresh = refresh; self.freshness = freshness
        }
    }

    package struct Resources: Sendable, Hashable, Codable {
        package var cpu: Double
        /// `2GiB`
        package var memory: String?
        package var gpu: Int
        package init(cpu: Double = 1, memory: String? = nil, gpu: Int = 0) { self.cpu = cpu; self.memory = memory; self.gpu = gpu }
    }

    package struct Step: Sendable, Hashable, Codable {
        package var name: String
        /// A shell command line.
        package var run: String
        package var needs: [String]
        /// Datasets.
        package var inputs: [String]
        package var outputs: [String]
        package var resources: Resources
        package var retries: Int
        package var timeout: DurationText?
        package init(
            name: String, run: String, needs: [String] = [], inputs: [String] = [], outputs: [String] = [], resources: Resources = Resources(),
            retries: Int = 0, timeout: DurationText? = nil
        ) {
            self.name = name; self.run = run; self.needs = needs; self.inputs = inputs; self.outputs = outputs
            self.resources = resources; self.retries = retries; self.timeout = timeout
        }
    }

    package struct Triggers: Sendable, Hashable, Codable {
        /// environment → branch pattern (`*` or a name)
        package var push: [EnvironmentID: String]
        /// environment → cron
        package var schedule: [EnvironmentID: String]
        /// Where retraining happens when drift or decay is seen.
        package var drift: EnvironmentID?
        package init(push: [EnvironmentID: String] = [:], schedule: [EnvironmentID: String] = [:], drift: EnvironmentID? = nil) {
            self.push = push; self.schedule = schedule; self.drift = drift
        }
    }

    package struct Model: Sendable, Hashable, Codable {
        package var name: String
        package var kind: Release.Kind
        /// A condition such as `metrics.auc >= 0.65`; the version is registered and the release sealed when it holds.
        package var register: String?
        package var card: String?
        package init(name: String, kind: Release.Kind, register: String?, card: String?) {
            self.name = name; self.kind = kind; self.register = register; self.card = card
        }
    }

    package struct Slices: Sendable, Hashable, Codable {
        package var by: String
        /// metric → condition such as `>= 0.60`
        package var conditions: [String: String]
        package init(by: String, conditions: [String: String]) { self.by = by; self.conditions = conditions }
    }

    package struct Gates: Sendable, Hashable, Codable {
        /// environment → conditions
        package var conditions: [EnvironmentID: [String]]
        package var slices: Slices?
        package init(conditions: [EnvironmentID: [String]] = [:], slices: Slices? = nil) { self.conditions = conditions; self.slices = slices }
    }

    package struct Serving: Sendable, Hashable, Codable {
        package var endpoint: String
        package var workers: Int
        package var rolloutSteps: [Int]
        package var bake: DurationText
        package init(endpoint: String, workers: Int = 1, rolloutSteps: [Int] = [5, 25, 100], bake: DurationText = "10m") {
            self.endpoint = endpoint; self.workers = workers; self.rolloutSteps = rolloutSteps; self.bake = bake
        }
    }

    package struct Monitoring: Sendable, Hashable, Codable {
        package struct Drift: Sendable, Hashable, Codable {
            package var method: String
            package var watch: Double
            package var act: Double
            package var every: String
            package init(method: String = "psi", watch: Double = 0.1, act: Double = 0.25, every: String = "day") {
                self.method = method; self.watch = watch; self.act = act; self.every = every
            }
        }
        package struct Labels: Sendable, Hashable, Codable {
            /// The column of a request that labels refer to.
            package var key: String
            /// The column that holds the event's time, nil for the arrival of the request.
            package var time: String?
            package var delay: DurationText
            package var coverage: Double
            package init(key: String, time: String?, delay: DurationText, coverage: Double) {
                self.key = key; self.time = time; self.delay = delay; self.coverage = coverage
            }
        }
        /// Share of requests that is captured, 0…1.
        package var capture: Double
        package var drift: Drift?
        package var labels: Labels?
        /// metric → condition such as `>= 0.62`
        package var quality: [String: String]
        package init(capture: Double = 1, drift: Drift? = nil, labels: Labels? = nil, quality: [String: String] = [:]) {
            self.capture = capture; self.drift = drift; self.labels = labels; self.quality = quality
        }
    }

    package var project: ProjectName
    package var owner: String
    package var python: Python
    /// The branch that stage follows.
    package var mainBranch: String
    package var data: [String: Dataset]
    /// In an order that respects `needs`.
    package var pipeline: [Step]
    package var triggers: Triggers
    package var model: Model?
    package var gates: Gates
    package var serving: Serving?
    package var monitoring: Monitoring?

    package init(
        project: ProjectName, owner: String, python: Python, mainBranch: String = "main", data: [String: Dataset] = [:], pipeline: [Step],
        triggers: Triggers = Triggers(), model: Model? = nil, gates: Gates = Gates(), serving: Serving? = nil, monitoring: Monitoring? = nil
    ) {
        self.project = project; self.owner = owner; self.python = python; self.mainBranch = mainBranch; self.data = data
        self.pipeline = pipeline; self.triggers = triggers; self.model = model; self.gates = gates; self.serving = serving; self.monitoring = monitoring
    }
}

/// A duration as it was written (`24h`); `value` reads it.
package struct DurationText: Sendable, Hashable, Codable, ExpressibleByStringLiteral {
    package let text: String
    package init(stringLiteral value: String) { text = value }
    /// - Throws: `invalidArgument` when the text is no duration.
    package init(parsing text: String) throws { _ = try Duration(parsing: text); self.text = text }
    package init(from decoder: any Decoder) throws { try self.init(parsing: try decoder.singleValueContainer().decode(String.self)) }
    package func encode(to encoder: any Encoder) throws { var c = encoder.singleValueContainer(); try c.encode(text) }
    package var value: Duration { get throws { try Duration(parsing: text) } }
}
