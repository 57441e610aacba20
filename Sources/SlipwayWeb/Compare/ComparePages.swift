import SlipwayCore

/// Several runs side by side; the first is what the others are compared with.
package struct ComparePage: Sendable {
    package var frame: PageFrame
    package var runs: [(run: Run, details: RunDetails)]
    /// Only rows in which the runs differ.
    package var isDifferingOnly: Bool
    /// More were asked for than are shown.
    package var hasMore: Bool

    static let runsMax = 100

    package init(frame: PageFrame, runs: [(run: Run, details: RunDetails)], isDifferingOnly: Bool = false, hasMore: Bool = false) {
        self.frame = frame
        self.runs = runs
        self.isDifferingOnly = isDifferingOnly
        self.hasMore = hasMore
    }

    struct Row: Sendable {
        var key: String
        /// One per run, nil where it has none.
        var values: [String?]
        var numbers: [Double?]
        var differs: Bool
    }

    /// Metrics that have steps in one of the runs.
    var curves: [String] {
        Set(runs.flatMap { $0.details.metrics.filter { $0.step > 0 }.map(\.key) }).sorted()
    }

    var params: [Row] { rows { $0.params } }
    var metrics: [Row] {
        let latest = runs.map { Dictionary($0.details.metrics.map { ($0.key, $0.value) }) { $1 } }
        return Set(latest.flatMap(\.keys)).sorted().map { key in
            let numbers = latest.map { $0[key] }
            return Row(key: key, values: numbers.map { $0.map(Spelled.number) }, numbers: numbers, differs: Self.differ(numbers.map { $0.map { String($0) } }))
        }
    }
    /// Without MLflow's long bookkeeping and what is shown elsewhere.
    var tags: [Row] {
        rows { $0.tags.filter { !$0.key.hasPrefix("mlflow.log-model.") && $0.key != "mlflow.runName" } }
    }

    private func rows(_ pairs: (RunDetails) -> [String: String]) -> [Row] {
        let all = runs.map { pairs($0.details) }
        return Set(all.flatMap(\.keys)).sorted().map { key in
            let values = all.map { $0[key] }
            return Row(key: key, values: values, numbers: values.map { $0.flatMap(Double.init) }, differs: Self.differ(values))
        }
    }

    private static func differ(_ values: [String?]) -> Bool { Set(values).count > 1 }
}
