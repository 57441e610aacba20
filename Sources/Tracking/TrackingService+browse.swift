import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// What the pages ask besides MLflow's own questions.
extension TrackingService {
    package func activity(of experiments: [String], by caller: Caller) async throws -> [String: ExperimentActivity] {
        try caller.requireSomebody()
        let environment = environment
        return try await realm.database.read { tx in
            try RunStore(tx: tx).activity(of: ExperimentStore(tx: tx).visible(experiments, to: caller, in: environment))
        }
    }

    /// How many runs the search finds, counted up to `most`.
    package func countRuns(filter: String, experiments: [String], view: LifecycleView, atMost most: Int, by caller: Caller) async throws -> Int {
        try caller.requireSomebody()
        let filter = try SearchFilter(parsing: filter, for: .runs)
        let environment = environment
        return try await realm.database.read { tx in
            let visible = try ExperimentStore(tx: tx).visible(experiments, to: caller, in: environment)
            return try RunStore(tx: tx).count(filter, experiments: visible, view: view, atMost: most)
        }
    }

    /// Names of metrics, params and tags in the newest runs of an experiment.
    package func runKeys(ofExperiment id: String, by caller: Caller) async throws -> [SearchEntity: [String]] {
        try await readExperiment(id, by: caller) { tx in try RunStore(tx: tx).keys(ofExperiment: id) }
    }

    /// Values of a param or tag that begin with `prefix`, the most frequent first.
    package func runValues(of key: String, _ entity: SearchEntity, ofExperiment id: String, prefix: String, by caller: Caller) async throws -> [String] {
        try await readExperiment(id, by: caller) { tx in try RunStore(tx: tx).values(of: key, entity, experiment: id, prefix: prefix) }
    }

    private func readExperiment<T: Sendable>(_ id: String, by caller: Caller, _ body: @escaping @Sendable (any Transaction) throws -> T) async throws -> T {
        try caller.requireSomebody()
        try TrackingRules.checkExperimentID(id)
        return try await realm.database.read { [environment] tx in
            let experiment = try ExperimentStore(tx: tx).existing(id)
            try caller.require(.readMetadata, project: experiment.project, environment: environment)
            return try body(tx)
        }
    }
}
