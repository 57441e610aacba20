import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// A run with everything that belongs to it.
package struct RunRecord: Sendable, Hashable {
    package var run: Run
    package var details: RunDetails
}

extension TrackingService {
    /// - Parameter startedAt: the client's time; 0 when it sent none, as MLflow keeps it.
    package func createRun(
        experiment: String, user: String, name: String?, startedAt: Int64, tags: [(key: String, value: String)], by caller: Caller
    ) async throws -> RunRecord {
        try caller.requireSomebody()
        try TrackingRules.checkExperimentID(experiment)
        for (index, tag) in tags.enumerated() { try TrackingRules.checkKey(tag.key, "tags[\(index)].key") }
        var all = try Dictionary(tags.map { ($0.key, try TrackingRules.fit($0.value, to: TrackingRules.tagMax)) }) { $1 }
        var name = name.flatMap { $0.isEmpty ? nil : $0 }
        if let tagged = all["mlflow.runName"], !tagged.isEmpty {
            if let name, name != tagged {
                throw SlipwayError.invalid(
                    "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values (run_name='\(name.prefix(80))', mlflow.runName='\(tagged.prefix(80))')."
                )
            }
            name = tagged
        } else {
            all["mlflow.runName"] = nil
        }
        let id = ids.hex32()
        let (chosen, kept) = (name, all)
        return try await realm.database.write { [environment] tx in
            let owner = try ExperimentStore(tx: tx).existing(experiment)
            try caller.require(.runWork, project: owner.project, environment: environment)
            guard owner.lifecycle == .active else { throw Self.notActive("experiment", experiment) }
            let store = RunStore(tx: tx)
            let run = try store.create(experiment: experiment, name: chosen, user: user, tags: kept, at: Timestamp(milliseconds: startedAt), id: id)
            return try store.record(run)
        }
    }

    package func run(_ id: String, by caller: Caller) async throws -> RunRecord {
        try caller.requireSomebody()
        try TrackingRules.checkRunID(id)
        return try await realm.database.read { [environment] tx in
            let store = RunStore(tx: tx)
            let run = try store.existing(id)
            try caller.require(.readMetadata, project: run.project, environment: environment)
            return try store.record(run)
        }
    }

    package func updateRun(_ id: String, status: RunStatus?, endedAt: Int64?, name: String?, by caller: Caller) async throws -> Run {
        try await changeRun(id, by: caller) { store, run in
            try store.update(run, status: status, endedAt: endedAt.map(Timestamp.init(milliseconds:)), name: name)
            return try store.existing(id)
        }
    }

    package func deleteRun(_ id: String, by caller: Caller) async throws { try await setLifecycle(.deleted, of: id, by: caller) }
    package func restoreRun(_ id: String, by caller: Caller) async throws { try await setLifecycle(.active, of: id, by: caller) }

    private func setLifecycle(_ lifecycle: Lifecycle, of id: String, by caller: Caller) async throws {
        try caller.requireSomebody()
        try TrackingRules.checkRunID(id)
        let now = clock.now
        try await realm.database.write { [environment] tx in
            let store = RunStore(tx: tx)
            let run = try store.existing(id)
            try caller.require(.runWork, project: run.project, environment: environment)
            guard run.lifecycle != lifecycle else { return }
            if lifecycle == .deleted { try Immutability.checkDeletion(ofRun: id, registry: RegistryStore(tx: tx), in: environment) }
            try store.setLifecycle(lifecycle, of: id)
            try AuditStore(tx: tx).append(
                lifecycle == .deleted ? "run.delete" : "run.restore", subject: "run:\(id)", project: run.project, by: caller.principal, at: now)
        }
    }

    package func searchRuns(
        filter: String, orderBy: [String], experiments: [String], view: LifecycleView, limit: Int, offset: Int, by caller: Caller
    ) async throws -> SearchPage<RunRecord> {
        try caller.requireSomebody()
        let filter = try SearchFilter(parsing: filter, for: .runs)
        let orders = try SearchOrder.list(parsing: orderBy, for: .runs)
        let environment = environment
        return try await realm.database.read { tx in
            let visible = try ExperimentStore(tx: tx).visible(experiments, to: caller, in: environment)
            let store = RunStore(tx: tx)
            let page = try store.search(filter, orderBy: orders, experiments: visible, view: view, limit: limit, offset: offset)
            let details = try store.details(of: page.items)
            return page.map { RunRecord(run: $0, details: details[$0.number] ?? RunDetails()) }
        }
    }

    /// Active runs with what belongs to them, newest first.
    /// - Parameter project: nil for every project that the caller may read.
    package func runs(
        project: ProjectName?, experiment: String?, filter: String, before: (startedAt: Int64, number: Int64)?, limit: Int, by caller: Caller
    ) async throws -> SearchPage<RunRecord> {
        try caller.requireSomebody()
        if let project { try require(.readMetadata, caller, project) }
        let filter = try SearchFilter(parsing: filter, for: .runs)
        let projects = project.map { [$0] } ?? visibleProjects(caller)
        return try await realm.database.read { tx in
            let store = RunStore(tx: tx)
            let page = try store.list(filter, projects: projects, experiment: experiment, before: before, limit: min(limit, 1000))
            let details = try store.details(of: page.items)
            return page.map { RunRecord(run: $0, details: details[$0.number] ?? RunDetails()) }
        }
    }

    // MARK: Params, tags, metrics

    package func setTag(_ key: String, _ value: String, of id: String, by caller: Caller) async throws {
        try TrackingRules.checkKey(key, "key")
        try await changeRun(id, by: caller) { store, run in
            try store.setTag(key, TrackingRules.fit(value, to: TrackingRules.tagMax), of: run)
        }
    }

    package func deleteTag(_ key: String, of id: String, by caller: Caller) async throws {
        try await changeRun(id, by: caller) { store, run in
            guard try store.removeTag(key, of: run) else { throw SlipwayError.notFound("No tag with name: \(key.prefix(200)) in run with id \(id.prefix(80))") }
        }
    }

    package func logParam(_ key: String, _ value: String, of id: String, by caller: Caller) async throws {
        try TrackingRules.checkKey(key, "key")
        try await changeRun(id, by: caller) { store, run in try Self.logParam(key, value, of: run, store) }
    }

    private static func logParam(_ key: String, _ value: String, of run: Run, _ store: RunStore) throws {
        let value = try TrackingRules.fit(value, to: TrackingRules.paramMax)
        let standing = try store.logParam(key, value, of: run)
        guard standing == value else {
            throw SlipwayError.invalid(
                "Changing param values is not allowed. Param with key='\(key)' was already logged with value='\(standing.prefix(200))' for run ID='\(run.id)'. "
                    + "Attempted logging new value '\(value.prefix(200))'.")
        }
    }

    package func logMetric(_ point: MetricPoint, of id: String, by caller: Caller) async throws {
        try TrackingRules.checkMetric(point, nil)
        try await changeRun(id, by: caller) { store, run in try store.log([point], of: run) }
    }

    /// One transaction: all of it or nothing.
    package func logBatch(
        of id: String, metrics: [MetricPoint], params: [(key: String, value: String)], tags: [(key: String, value: String)], by caller: Caller
    ) async throws {
        try TrackingRules.checkRunID(id)
        for (index, point) in metrics.enumerated() { try TrackingRules.checkMetric(point, "metrics[\(index)]") }
        for (index, param) in params.enumerated() { try TrackingRules.checkKey(param.key, "params[\(index)].key") }
        for (index, tag) in tags.enumerated() { try TrackingRules.checkKey(tag.key, "tags[\(index)].key") }
        try Self.checkBatch(metrics.count, params.count, tags.count)
        try Self.checkDuplicates(params)
        try await changeRun(id, by: caller) { store, run in
            for param in params { try Self.logParam(param.key, param.value, of: run, store) }
            try store.log(metrics, of: run)
            for tag in tags { try store.setTag(tag.key, TrackingRules.fit(tag.value, to: TrackingRules.tagMax), of: run) }
        }
    }

    private static func checkBatch(_ metrics: Int, _ params: Int, _ tags: Int) throws {
        for (noun, count, max) in [
            ("metrics", metrics, TrackingRules.batchMetricsMax), ("params", params, TrackingRules.batchParamsMax), ("tags", tags, TrackingRules.batchTagsMax),
        ] where count > max {
            throw SlipwayError.invalid(
                "A batch logging request can contain at most \(max) \(noun). Got \(count) \(noun). Please split up \(noun) across multiple requests and try again.")
        }
        guard metrics + params + tags <= TrackingRules.batchMax else {
            throw SlipwayError.invalid("A batch logging request can contain at most \(TrackingRules.batchMax) metrics, params, and tags in total.")
        }
    }

    private static func checkDuplicates(_ params: [(key: String, value: String)]) throws {
        var values: [String: String] = [:]
        for param in params {
            if let other = values.updateValue(param.value, forKey: param.key), other != param.value {
                throw SlipwayError.invalid("Duplicate parameter keys have been submitted: ['\(param.key)']. Please ensure the request contains only one param value per param key.")
            }
        }
    }

    /// All points of one metric in the order of time; an unknown key has none.
    /// - Returns: the page, and where the next one starts, nil after the last.
    package func history(
        of key: String, run id: String, limit: Int, from mark: MetricHistoryMark = MetricHistoryMark(), by caller: Caller
    ) async throws -> (samples: [MetricSample], next: MetricHistoryMark?) {
        try await readRun(id, by: caller) { tx, run in try MetricStore(tx: tx).history(of: key, run: run, limit: limit, from: mark) }
    }

    /// All points of one metric of several runs, run after run, each in the order of time, `limit` of them at most.
    package func histories(of key: String, runs: [String], limit: Int, by caller: Caller) async throws -> [(run: String, samples: [MetricSample])] {
        try await readRuns(runs, by: caller) { tx, runs in
            var left = limit
            return try runs.map { run in
                let samples = left > 0 ? try MetricStore(tx: tx).history(of: key, run: run, limit: left).samples : []
                left -= samples.count
                return (run.id, samples)
            }
        }
    }

    /// Curves of one metric of several runs in the order of steps, thinned to about `limit` points each; spikes stay.
    package func curves(
        of key: String, runs: [String], steps: ClosedRange<Int64>?, limit: Int, by caller: Caller
    ) async throws -> [(run: String, samples: [MetricSample])] {
        try await readRuns(runs, by: caller) { tx, runs in
            Array(zip(runs.map(\.id), try MetricStore(tx: tx).curves(of: key, runs: runs, steps: steps, limit: limit))).map { (run: $0, samples: $1) }
        }
    }

    /// The same as single points.
    package func samples(
        of key: String, runs: [String], steps: ClosedRange<Int64>?, limit: Int, by caller: Caller
    ) async throws -> [(run: String, point: MetricPoint)] {
        try await curves(of: key, runs: runs, steps: steps, limit: limit, by: caller).flatMap { curve in
            curve.samples.map { (curve.run, MetricPoint(key: key, $0)) }
        }
    }

    private func readRuns<T: Sendable>(_ ids: [String], by caller: Caller, _ body: @escaping @Sendable (any Transaction, [Run]) throws -> T) async throws -> T {
        try caller.requireSomebody()
        return try await realm.database.read { [environment] tx in
            let runs = try ids.map { try RunStore(tx: tx).existing($0) }
            for run in runs { try caller.require(.readMetadata, project: run.project, environment: environment) }
            return try body(tx, runs)
        }
    }

    // MARK: Inputs and outputs

    package func logInputs(_ datasets: [DatasetInput], models: [ModelLink], of id: String, by caller: Caller) async throws {
        guard datasets.count <= 1000 else { throw SlipwayError.invalid("A run takes 1000 datasets at once at most.", remedy: "Split the request.") }
        for (index, dataset) in datasets.enumerated() { try Self.check(dataset, "datasets[\(index)]") }
        try await changeRun(id, by: caller) { store, run in
            for dataset in datasets { try store.logInput(dataset, of: run) }
            for model in models { try store.checkedLink(model, .input, of: run) }
        }
    }

    private static func check(_ dataset: DatasetInput, _ path: String) throws {
        for (field, value) in [("name", dataset.name), ("digest", dataset.digest), ("source_type", dataset.sourceType), ("source", dataset.source)] where value.isEmpty {
            throw TrackingRules.missing("\(path).dataset.\(field)")
        }
        for (field, value, max) in [
            ("name", dataset.name, 500), ("digest", dataset.digest, 36), ("source", dataset.source, 65_535), ("schema", dataset.schema ?? "", 1_048_575),
            ("profile", dataset.profile ?? "", 16_777_215),
        ] where value.utf8.count > max {
            throw TrackingRules.tooLong(field, max)
        }
        for (key, value) in dataset.tags {
            guard key.count <= 255 else { throw TrackingRules.tooLong("key", 255) }
            guard value.count <= 500 else { throw TrackingRules.tooLong("value", 500) }
        }
    }

    package func logOutputs(_ models: [ModelLink], of id: String, by caller: Caller) async throws {
        try await changeRun(id, by: caller) { store, run in
            for model in models { try store.checkedLink(model, .output, of: run) }
        }
    }

    package func datasets(of experiments: [String], by caller: Caller) async throws -> [(experiment: String, name: String, digest: String, context: String?)] {
        try caller.requireSomebody()
        guard experiments.count <= 20 else { throw SlipwayError.invalid("At most 20 experiments can be searched for datasets at once.") }
        let environment = environment
        return try await realm.database.read { tx in
            try RunStore(tx: tx).datasets(of: ExperimentStore(tx: tx).visible(experiments, to: caller, in: environment), limit: 1000)
        }
    }

    /// MLflow 2's way of logging a model: its `MLmodel` as JSON, appended to a tag.
    package func appendModelHistory(_ json: JSONValue, of id: String, by caller: Caller) async throws {
        let tag = "mlflow.log-model.history"
        try await changeRun(id, by: caller) { store, run in
            var history = try store.tags(id)[tag].map { try CanonicalJSON.decode([JSONValue].self, from: $0) } ?? []
            history.append(json)
            try store.setTag(tag, try CanonicalJSON.text(history), of: run)
        }
    }

    // MARK: One run

    /// Changes an active run after asking the caller.
    @discardableResult
    func changeRun<T: Sendable>(_ id: String, by caller: Caller, _ body: @escaping @Sendable (RunStore, Run) throws -> T) async throws -> T {
        try caller.requireSomebody()
        try TrackingRules.checkRunID(id)
        return try await realm.database.write { [environment] tx in
            let store = RunStore(tx: tx)
            let run = try store.existing(id)
            try caller.require(.runWork, project: run.project, environment: environment)
            guard run.lifecycle == .active else { throw Self.notActive("run", id) }
            return try body(store, run)
        }
    }

    func readRun<T: Sendable>(_ id: String, by caller: Caller, _ body: @escaping @Sendable (any Transaction, Run) throws -> T) async throws -> T {
        try caller.requireSomebody()
        try TrackingRules.checkRunID(id)
        return try await realm.database.read { [environment] tx in
            let run = try RunStore(tx: tx).existing(id)
            try caller.require(.readMetadata, project: run.project, environment: environment)
            return try body(tx, run)
        }
    }
}

extension RunStore {
    func existing(_ id: String) throws -> Run {
        guard let run = try run(id) else { throw SlipwayError.notFound("Run with id=\(id.prefix(80)) not found") }
        return run
    }

    func record(_ run: Run) throws -> RunRecord {
        RunRecord(run: run, details: try details(of: [run])[run.number] ?? RunDetails())
    }
}

extension ExperimentStore {
    /// Those of the experiments that exist and that the caller may read.
    func visible(_ ids: [String], to caller: Caller, in environment: EnvironmentID) throws -> [String] {
        try ids.filter { id in
            guard let experiment = try experiment(id) else { return false }
            return caller.may(.readMetadata, project: experiment.project, environment: environment)
        }
    }
}
