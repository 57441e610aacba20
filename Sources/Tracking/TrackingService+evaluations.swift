import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// MLflow's evaluation datasets and scorers.
extension TrackingService {
    private static let user = "mlflow.user"
    package static let recordsMax = 5000

    package func createDataset(
        name: String, tags: [String: String], experiments: [String], by caller: Caller
    ) async throws -> (dataset: EvaluationDataset, experiments: [String]) {
        try caller.requireSomebody()
        guard !name.allSatisfy(\.isWhitespace) else { throw TrackingRules.missing("name") }
        guard name.count <= 255 else { throw TrackingRules.tooLong("name", 255) }
        guard experiments.count <= 1000 else { throw SlipwayError.invalid("A dataset belongs to 1000 experiments at most.") }
        let tags = try TraceRules.checked(tags, "tags")
        let now = clock.now
        let id = "d-\(ids.hex32())"
        return try await realm.database.write { [environment] tx in
            let owners = try experiments.map { try ExperimentStore(tx: tx).writable($0, by: caller, in: environment) }
            let project = try owners.first?.project ?? HomeProject.choose(for: caller, in: environment, named: name, tags: tags, permission: .runWork)
            try caller.require(.runWork, project: project, environment: environment)
            let dataset = EvaluationDataset(
                id: id, project: project, name: name, tags: tags, digest: Self.digest(name, now), createdBy: tags[Self.user], updatedBy: tags[Self.user], createdAt: now,
                updatedAt: now)
            try EvaluationStore(tx: tx).create(dataset, experiments: experiments)
            return (dataset, experiments)
        }
    }

    private static func digest(_ name: String, _ at: Timestamp) -> String { String(ContentDigest(of: "\(name):\(at.milliseconds)").rawValue.suffix(64).prefix(8)) }

    package func dataset(_ id: String, by caller: Caller) async throws -> (dataset: EvaluationDataset, experiments: [String]) {
        try await readDataset(id, by: caller) { store, dataset in (dataset, try store.experiments(of: id)) }
    }

    /// None of that id is fine.
    package func deleteDataset(_ id: String, by caller: Caller) async throws {
        try caller.requireSomebody()
        let now = clock.now
        try await realm.database.write { [environment] tx in
            let store = EvaluationStore(tx: tx)
            guard let dataset = try store.dataset(id) else { return }
            try caller.require(.runWork, project: dataset.project, environment: environment)
            try store.remove(id)
            try AuditStore(tx: tx).append(
                "dataset.delete", subject: "dataset:\(id)", project: dataset.project, by: caller.principal, at: now, details: ["name": .string(dataset.name)])
        }
    }

    package func searchDatasets(
        filter: String, orderBy: [String], experiments: [String], limit: Int, offset: Int, by caller: Caller
    ) async throws -> SearchPage<EvaluationDataset> {
        try caller.requireSomebody()
        let filter = try SearchFilter(parsing: filter, for: .evaluationDatasets)
        let orders = try SearchOrder.list(parsing: orderBy, for: .evaluationDatasets)
        let projects = visibleProjects(caller)
        return try await realm.database.read { tx in
            try EvaluationStore(tx: tx).search(filter, orderBy: orders, experiments: experiments, projects: projects, limit: limit, offset: offset)
        }
    }

    package func setTags(_ tags: [String: String], ofDataset id: String, by caller: Caller) async throws {
        let tags = try TraceRules.checked(tags, "tags")
        try await changeDataset(id, by: caller) { store, dataset, now in
            for (key, value) in tags { try store.setTag(key, value, of: id) }
            var dataset = dataset
            dataset.updatedBy = tags[Self.user] ?? dataset.updatedBy
            return dataset
        }
    }

    /// None of that name, and no such dataset, are fine.
    package func deleteTag(_ key: String, ofDataset id: String, by caller: Caller) async throws {
        try caller.requireSomebody()
        try await realm.database.write { [environment] tx in
            let store = EvaluationStore(tx: tx)
            guard let dataset = try store.dataset(id) else { return }
            try caller.require(.runWork, project: dataset.project, environment: environment)
            try store.removeTag(key, of: id)
        }
    }

    /// - Parameter adding: else they are taken away.
    package func setExperiments(
        _ experiments: [String], ofDataset id: String, adding: Bool, by caller: Caller
    ) async throws -> (dataset: EvaluationDataset, experiments: [String]) {
        try caller.requireSomebody()
        guard experiments.count <= 1000 else { throw SlipwayError.invalid("A dataset belongs to 1000 experiments at most.") }
        let environment = environment
        try await changeDataset(id, by: caller) { store, dataset, _ in
            for experiment in experiments {
                if adding {
                    _ = try store.experimentStore.writable(experiment, by: caller, in: environment)
                    try store.add(id, to: experiment)
                } else {
                    try store.remove(id, from: experiment)
                }
            }
            return dataset
        }
        return try await dataset(id, by: caller)
    }

    // MARK: Records

    /// Records of the same inputs are merged.
    /// - Parameter records: `{inputs, outputs, expectations, tags, source}` each.
    package func upsertRecords(_ records: [JSONValue], ofDataset id: String, by caller: Caller) async throws -> (inserted: Int, updated: Int) {
        guard records.count <= Self.recordsMax else { throw SlipwayError.invalid("\(Self.recordsMax) records are taken at once at most.", remedy: "Send them in several.") }
        let now = clock.now
        let made = try records.map { json -> (record: EvaluationRecord, hasOutputs: Bool) in
            guard json.object != nil else { throw SlipwayError.invalid("A record is a JSON object.") }
            let by = json["tags"]?[Self.user]?.string
            let record = EvaluationRecord(
                id: "dr-\(ids.hex32())", inputs: json["inputs"] ?? [:], outputs: json["outputs"].map { $0 == .null ? nil : $0 } ?? [:],
                expectations: json["expectations"].flatMap { $0 == .null ? nil : $0 }, tags: json["tags"].flatMap { $0 == .null ? nil : $0 },
                source: json["source"].flatMap { $0.object == nil ? nil : $0 }, createdBy: by, updatedBy: by, createdAt: now, updatedAt: now)
            return (record, json["outputs"] != nil)
        }
        let digests = made.map(\.record.inputDigest)
        var counts = (inserted: 0, updated: 0)
        counts = try await realm.database.write { [environment] tx in
            let store = EvaluationStore(tx: tx)
            var dataset = try store.existing(id)
            try caller.require(.runWork, project: dataset.project, environment: environment)
            var counts = (inserted: 0, updated: 0)
            for (digest, new) in zip(digests, made) {
                if var known = try store.record(input: digest, of: id) {
                    known.merge(new.record, hasOutputs: new.hasOutputs)
                    try store.put(known, of: id)
                    counts.updated += 1
                } else {
                    try store.put(new.record, of: id)
                    counts.inserted += 1
                }
            }
            dataset.schema = dataset.schema(adding: made.map(\.record)).text(.spaced)
            dataset.profile = JSONValue.object(["num_records": .integer(Int64(try store.countRecords(of: id)))]).text(.spaced)
            dataset.updatedBy = made.compactMap(\.record.createdBy).last
            dataset.updatedAt = now
            dataset.digest = Self.digest(dataset.name, now)
            try store.update(dataset)
            return counts
        }
        return counts
    }

    package func records(ofDataset id: String, limit: Int, offset: Int, by caller: Caller) async throws -> SearchPage<EvaluationRecord> {
        try await readDataset(id, by: caller) { store, _ in try store.records(of: id, limit: limit, offset: offset) }
    }

    /// - Returns: how many there were.
    package func deleteRecords(_ records: [String], ofDataset id: String, by caller: Caller) async throws -> Int {
        guard records.count <= Self.recordsMax else { throw SlipwayError.invalid("\(Self.recordsMax) records are deleted at once at most.") }
        return try await changeDataset(id, by: caller) { store, dataset, _ in
            var dataset = dataset
            let count = try records.filter { try store.removeRecord($0, of: id) }.count
            let left = try store.countRecords(of: id)
            dataset.profile = left == 0 ? nil : JSONValue.object(["num_records": .integer(Int64(left))]).text(.spaced)
            return (dataset, count)
        }
    }

    // MARK: Doors

    private func readDataset<T: Sendable>(
        _ id: String, by caller: Caller, _ body: @escaping @Sendable (EvaluationStore, EvaluationDataset) throws -> T
    ) async throws -> T {
        try caller.requireSomebody()
        return try await realm.database.read { [environment] tx in
            let store = EvaluationStore(tx: tx)
            let dataset = try store.existing(id)
            try caller.require(.readMetadata, project: dataset.project, environment: environment)
            return try body(store, dataset)
        }
    }

    private func changeDataset(
        _ id: String, by caller: Caller, _ body: @escaping @Sendable (EvaluationStore, EvaluationDataset, Timestamp) throws -> EvaluationDataset
    ) async throws {
        _ = try await changeDataset(id, by: caller) { store, dataset, now in (try body(store, dataset, now), 0) }
    }

    private func changeDataset<T: Sendable>(
        _ id: String, by caller: Caller, _ body: @escaping @Sendable (EvaluationStore, EvaluationDataset, Timestamp) throws -> (EvaluationDataset, T)
    ) async throws -> T {
        try caller.requireSomebody()
        let now = clock.now
        return try await realm.database.write { [environment] tx in
            let store = EvaluationStore(tx: tx)
            let dataset = try store.existing(id)
            try caller.require(.runWork, project: dataset.project, environment: environment)
            var (changed, result) = try body(store, dataset, now)
            changed.updatedAt = now
            changed.digest = Self.digest(dataset.name, now)
            try store.update(changed)
            return result
        }
    }

    // MARK: Scorers

    package func registerScorer(_ name: String, experiment: String, serialized: String, by caller: Caller) async throws -> ScorerVersion {
        try caller.requireSomebody()
        try TrackingRules.checkExperimentID(experiment)
        guard !name.allSatisfy(\.isWhitespace) else { throw SlipwayError.invalid("Scorer name cannot be empty or contain only whitespace.") }
        guard name.count <= 256 else { throw TrackingRules.tooLong("name", 256) }
        guard serialized.utf8.count <= 1 << 20 else { throw TrackingRules.tooLong("serialized_scorer", 1 << 20) }
        try Self.checkScorer(serialized)
        let (now, id) = (clock.now, ids.hex32())
        return try await realm.database.write { [environment] tx in
            _ = try ExperimentStore(tx: tx).writable(experiment, by: caller, in: environment)
            return try ScorerStore(tx: tx).register(name, experiment: experiment, serialized: serialized, id: id, at: now)
        }
    }

    /// Scorers that bring source code would be run by whoever loads them, so they are refused; so are models of a gateway that is not here.
    private static func checkScorer(_ serialized: String) throws {
        guard let json = try? CanonicalJSON.decode(JSONValue.self, from: serialized), json.object != nil else {  // any damage is the same error
            throw SlipwayError.invalid("serialized_scorer must be valid JSON")
        }
        if let source = json["call_source"], source != .null {
            throw SlipwayError.invalid("Scorer must be a builtin or made by `make_judge` to be registered: one with source code is not kept here.")
        }
        guard let model = (json["instructions_judge_pydantic_data"] ?? json["builtin_scorer_pydantic_data"])?["model"]?.string else { return }
        guard !model.allSatisfy(\.isWhitespace) else { throw SlipwayError.invalid("Scorer model cannot be empty or contain only whitespace.") }
        if model.hasPrefix("gateway:/") { throw SlipwayError.notFound("GatewayEndpoint not found (name='\(model.dropFirst("gateway:/".count).prefix(80))').") }
    }

    package func scorers(in experiment: String, by caller: Caller) async throws -> [ScorerVersion] {
        try await readScorers(in: experiment, by: caller) { try $0.latest(in: experiment) }
    }

    /// The oldest first.
    package func scorerVersions(_ name: String, in experiment: String, by caller: Caller) async throws -> [ScorerVersion] {
        try await readScorers(in: experiment, by: caller) { store in
            let versions = try store.versions(of: name, in: experiment)
            guard !versions.isEmpty else { throw Self.noScorer(name, nil, experiment) }
            return versions
        }
    }

    /// - Parameter version: nil for the newest.
    package func scorer(_ name: String, version: Int?, in experiment: String, by caller: Caller) async throws -> ScorerVersion {
        let versions = try await scorerVersions(name, in: experiment, by: caller)
        guard let found = version.map({ number in versions.first { $0.version == number } }) ?? versions.last else { throw Self.noScorer(name, version, experiment) }
        return found
    }

    /// - Parameter version: nil for all.
    package func deleteScorer(_ name: String, version: Int?, in experiment: String, by caller: Caller) async throws {
        try caller.requireSomebody()
        try TrackingRules.checkExperimentID(experiment)
        try await realm.database.write { [environment] tx in
            _ = try ExperimentStore(tx: tx).writable(experiment, by: caller, in: environment)
            let store = ScorerStore(tx: tx)
            let versions = try store.versions(of: name, in: experiment)
            guard let first = versions.first else { throw Self.noScorer(name, nil, experiment) }
            guard version == nil || versions.contains(where: { $0.version == version }) else { throw Self.noScorer(name, version, experiment) }
            try store.remove(first, version: version)
        }
    }

    private func readScorers<T: Sendable>(in experiment: String, by caller: Caller, _ body: @escaping @Sendable (ScorerStore) throws -> T) async throws -> T {
        try caller.requireSomebody()
        try TrackingRules.checkExperimentID(experiment)
        return try await realm.database.read { [environment] tx in
            let owner = try ExperimentStore(tx: tx).existing(experiment)
            try caller.require(.readMetadata, project: owner.project, environment: environment)
            return try body(ScorerStore(tx: tx))
        }
    }

    private static func noScorer(_ name: String, _ version: Int?, _ experiment: String) -> SlipwayError {
        .notFound("Scorer with name '\(name.prefix(80))'\(version.map { " and version \($0)" } ?? "") not found for experiment \(experiment.prefix(80)).")
    }
}

extension EvaluationStore {
    func existing(_ id: String) throws -> EvaluationDataset {
        guard let dataset = try dataset(id) else { throw SlipwayError.notFound("Evaluation dataset with id '\(id.prefix(80))' not found") }
        return dataset
    }
}
