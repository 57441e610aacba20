import SlipwayCore

package struct RunsPage: Sendable {
    package struct Row: Sendable {
        package var run: Run
        package var experiment: String
        package var commit: String?
        package var metrics: [String: Double]
        package init(run: Run, experiment: String, commit: String?, metrics: [String: Double]) {
            self.run = run
            self.experiment = experiment
            self.commit = commit
            self.metrics = metrics
        }
    }

    package var frame: PageFrame
    package var rows: [Row]
    package var older: SitePath?
    package var address: String

    package init(frame: PageFrame, rows: [Row], older: SitePath?, address: String) {
        self.frame = frame
        self.rows = rows
        self.older = older
        self.address = address
    }
}

package struct RunPage: Sendable {
    package struct Artifact: Sendable {
        package var path: String
        package var sizeBytes: Int64
        package init(path: String, sizeBytes: Int64) {
            self.path = path
            self.sizeBytes = sizeBytes
        }
    }

    package var frame: PageFrame
    package var run: Run
    package var experiment: String
    package var details: RunDetails
    package var artifacts: [Artifact]
    /// More artifacts exist than are listed.
    package var hasMoreArtifacts: Bool
    package var models: [LoggedModel]
    /// Registered from this run.
    package var versions: [ModelVersion]

    package init(
        frame: PageFrame, run: Run, experiment: String, details: RunDetails, artifacts: [Artifact], hasMoreArtifacts: Bool = false, models: [LoggedModel] = [],
        versions: [ModelVersion] = []
    ) {
        self.frame = frame
        self.run = run
        self.experiment = experiment
        self.details = details
        self.artifacts = artifacts
        self.hasMoreArtifacts = hasMoreArtifacts
        self.models = models
        self.versions = versions
    }

    /// Metrics that have steps, and so a curve.
    var curves: [String] { details.metrics.filter { $0.step > 0 }.map(\.key) }
}
