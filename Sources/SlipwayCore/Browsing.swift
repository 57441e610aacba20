/// How busy an experiment is: its active runs.
package struct ExperimentActivity: Sendable, Hashable {
    package var runs: Int
    package var running: Int
    /// When the newest run started.
    package var latest: Timestamp?

    package init(runs: Int = 0, running: Int = 0, latest: Timestamp? = nil) {
        self.runs = runs
        self.running = running
        self.latest = latest
    }
}
