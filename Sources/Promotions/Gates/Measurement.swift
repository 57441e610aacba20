import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// One evaluation in the target realm, on its newest snapshots, that the gates `metrics`, `baseline` and `slices` read together:
/// they ask with the same id, and the same id is one execution.
package struct Measurement: Sendable {
    let evaluations: any Evaluations

    package init(evaluations: any Evaluations) { self.evaluations = evaluations }

    struct Measured: Sendable {
        var metrics: [String: Double]
        var run: String
        var execution: String
        var snapshots: [String: String]
    }

    enum Outcome: Sendable {
        case measured(Measured)
        /// Final without a measurement, or not yet.
        case other(GateResult)
    }

    func outcome(_ input: GateInput) async throws -> Outcome {
        let snapshots = try await newestSnapshots(input)
        if let missing = snapshots.first(where: { $0.value == nil })?.key {
            return .other(
                .fail(
                    "Dataset '\(missing)' has no usable snapshot in \(input.environment.rawValue).",
                    remedy: "Import or refresh it, then check again: slipway data import \(missing) FILE, slipway data refresh \(missing)"))
        }
        let request = EvaluationRequest(
            // A check whose machinery broke asks for a new execution.
            id: "\(input.promotion.id)-\(input.promotion.attempt)-\(input.errors)", project: input.release.content.project,
            commit: input.release.content.commit, modelName: input.release.content.modelName, candidateVersion: input.release.modelVersion,
            championVersion: input.champion?.modelVersion, snapshots: snapshots.compactMapValues(\.self))
        let execution = try await evaluations.start(request)
        switch try await evaluations.outcome(of: execution) {
        case nil: return .other(.pending("Execution \(execution) evaluates it."))
        case .measured(let run, let metrics):
            return .measured(Measured(metrics: metrics, run: run, execution: execution, snapshots: try await used(by: execution, input) ?? request.snapshots))
        case .failed(let why):
            return .other(
                .fail(
                    "The evaluation did not succeed: \(why)", remedy: "Read its log: slipway execution logs \(input.environment.rawValue)/\(execution)"))
        case .errored(let why): throw SlipwayError(.unavailable, "The evaluation could not run: \(why)")
        }
    }

    private func newestSnapshots(_ input: GateInput) async throws -> [String: String?] {
        let datasets = Set(input.projectFile?.data.keys ?? [:].keys).union(input.release.content.snapshots.keys)
        let project = input.release.content.project
        let now = input.now
        return try await input.realm.database.read { tx in
            var found: [String: String?] = [:]
            for dataset in datasets { found[dataset] = .some(try SnapshotStore(tx: tx).newest(of: dataset, project: project, at: now)?.id) }
            return found
        }
    }

    /// A newer snapshot may have come after the evaluation began.
    private func used(by execution: String, _ input: GateInput) async throws -> [String: String]? {
        try await input.realm.database.read { tx in try ExecutionStore(tx: tx).execution(execution)?.snapshots }
    }
}

extension Measurement.Measured {
    /// A result with what was measured and where.
    func result(_ outcome: GateOutcome, _ summary: String, remedy: String = "", conditions: [JSONValue] = []) -> GateResult {
        var finding = GateFinding(
            outcome, summary, remedy: remedy,
            details: [
                "metrics": .object(metrics.filter { $0.value.isFinite }.mapValues { .number($0) }), "run": .string(run), "conditions": .array(conditions),
            ])
        finding.snapshots = snapshots
        finding.producer = "execution:\(execution)"
        return .done(finding)
    }

    /// All conditions must hold; each sentence says what was measured.
    func judge(_ conditions: [Condition], remedy: String) -> GateResult {
        var failed: [String] = []
        var told: [JSONValue] = []
        for condition in conditions {
            switch condition.verdict(metrics) {
            case .holds(let sentence): told.append(["holds": true, "text": .string(sentence)])
            case .fails(let sentence):
                told.append(["holds": false, "text": .string(sentence)])
                failed.append(sentence)
            case .unknown(let names):
                let sentence = "\(condition.text): the evaluation logged no \(names.joined(separator: ", "))."
                told.append(["holds": false, "text": .string(sentence)])
                failed.append(sentence)
            }
        }
        return failed.isEmpty
            ? result(.pass, told.compactMap { $0["text"]?.string }.joined(separator: " "), conditions: told)
            : result(.fail, failed.joined(separator: " "), remedy: remedy, conditions: told)
    }
}

extension GateInput {
    /// The environment's floors, and what the project's file tightens for it.
    func conditions() throws -> [Condition] {
        try (rule.conditions + (projectFile?.gates.conditions[environment] ?? [])).map(Condition.init(parsing:))
    }
}
