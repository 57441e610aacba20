import SlipwayCore
import SlipwaySQL

package struct RunStore {
    package let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    /// - Parameters:
    ///   - experiment: must exist.
    ///   - name: nil for one made from the id.
    ///   - id: 32 hexadecimal digits, made by the caller.
    @discardableResult
    package func create(experiment: String, name: String?, user: String, tags: [String: String], at: Timestamp, id: String) throws -> Run {
        guard let owner = try ExperimentStore(tx: tx).experiment(experiment) else {
            throw SlipwayError.notFound("No Experiment with id=\(experiment.prefix(80)) exists")
        }
        let name = name ?? RunName.made(from: id)
        let number = try tx.first(Self.next)!.int64("next")
        try tx.run(
            Self.insert,
            [
                "no": .integer(number), "id": .text(id), "experiment": .integer(Int64(owner.id)), "name": .text(name), "user": .text(user),
                "at": .integer(at.milliseconds), "root": .text(ArtifactRoot.run(id, experiment: owner.artifactLocation)),
            ])
        let run = Run(
            id: id, experiment: owner.id, project: owner.project, name: name, user: user, status: .running, lifecycle: .active, startedAt: at,
            endedAt: nil, artifactRoot: ArtifactRoot.run(id, experiment: owner.artifactLocation), number: number)
        for (key, value) in tags { try setTag(key, value, of: run) }
        if tags[RunName.tag] == nil { try setTag(RunName.tag, name, of: run) }
        return run
    }

    package func run(_ id: String) throws -> Run? { try tx.first(Self.byID, ["id": .text(id)]).map(Self.run) }

    package func finish(_ id: String, status: RunStatus, at: Timestamp) throws {
        try tx.run(Self.update, ["id": .text(id), "status": .text(status.rawValue), "ended": .integer(at.milliseconds), "name": .null])
    }

    /// Changes what is given and leaves the rest.
    package func update(_ run: Run, status: RunStatus?, endedAt: Timestamp?, name: String?) throws {
        try tx.run(Self.update, ["id": .text(run.id), "status": .text(status?.rawValue), "ended": .integer(endedAt?.milliseconds), "name": .text(name)])
        if let name { try setTag(RunName.tag, name, of: run) }
    }

    package func setLifecycle(_ lifecycle: Lifecycle, of id: String) throws {
        try tx.run(Self.updateLifecycle, ["id": .text(id), "lifecycle": .text(lifecycle.rawValue)])
    }

    /// All runs of the experiment.
    package func setLifecycle(_ lifecycle: Lifecycle, ofExperiment id: String) throws {
        try tx.run(Self.updateAllLifecycles, ["experiment": .integer(Int64(id)), "lifecycle": .text(lifecycle.rawValue)])
    }

    // MARK: Params and tags

    package func params(_ id: String) throws -> [String: String] { try pairs(Self.paramsOf, id) }
    package func tags(_ id: String) throws -> [String: String] { try pairs(Self.tagsOf, id) }

    private func pairs(_ statement: Statement, _ id: String) throws -> [String: String] {
        Dictionary(uniqueKeysWithValues: try tx.all(statement, ["id": .text(id)]).map { ($0.text("key"), $0.text("value")) })
    }

    package func setTag(_ key: String, _ value: String, of id: String) throws {
        guard let run = try run(id) else { throw SlipwayError.notFound("Run with id=\(id.prefix(80)) not found") }
        try setTag(key, value, of: run)
    }

    package func setTag(_ key: String, _ value: String, of run: Run) throws {
        try tx.run(Self.upsertTag, ["run": .integer(run.number), "key": .text(key), "value": .text(value)])
        if key == RunName.tag { try tx.run(Self.updateName, ["run": .integer(run.number), "name": .text(value)]) }
    }

    /// - Returns: false when there was none.
    package func removeTag(_ key: String, of run: Run) throws -> Bool {
        try tx.run(Self.deleteTag, ["run": .integer(run.number), "key": .text(key)]) > 0
    }

    /// Params are written once.
    /// - Returns: the value that stands; another one than `value` means that it was there before.
    package func logParam(_ key: String, _ value: String, of run: Run) throws -> String {
        let values: [String: SQLValue] = ["run": .integer(run.number), "key": .text(key)]
        if try tx.run(Self.insertParam, values.merging(["value": .text(value)]) { $1 }) > 0 { return value }
        return try tx.first(Self.paramValue, values)?.text("value") ?? value
    }

    // MARK: Inputs and outputs

    /// Logging an input twice changes nothing; tags are kept as they came first.
    package func logInput(_ input: DatasetInput, of run: Run) throws {
        let identity: [String: SQLValue] = ["experiment": .integer(Int64(run.experiment)), "name": .text(input.name), "digest": .text(input.digest)]
        try tx.run(
            Self.insertDataset,
            identity.merging([
                "type": .text(input.sourceType), "source": .text(input.source), "schema": .text(input.schema), "profile": .text(input.profile),
            ]) { $1 })
        let dataset = try tx.first(Self.datasetNumber, identity)!.int64("no")
        let link: [String: SQLValue] = ["run": .integer(run.number), "dataset": .integer(dataset)]
        guard try tx.run(Self.insertInput, link) > 0 else { return }
        for (key, value) in input.tags {
            try tx.run(Self.insertInputTag, link.merging(["key": .text(key), "value": .text(value)]) { $1 })
        }
    }

    package func link(_ model: ModelLink, _ direction: ModelLink.Direction, of run: Run) throws {
        try tx.run(
            Self.upsertModel,
            [
                "run": .integer(run.number), "direction": .text(direction.rawValue), "model": .text(model.model), "step": .integer(model.step),
            ])
    }

    /// - Throws: `notFound` when there is no such logged model.
    package func checkedLink(_ model: ModelLink, _ direction: ModelLink.Direction, of run: Run) throws {
        guard try LoggedModelStore(tx: tx).model(model.model) != nil else {
            throw SlipwayError.notFound("Logged model with ID '\(model.model.prefix(80))' not found.")
        }
        try link(model, direction, of: run)
    }

    /// Appends metric points, those of logged models included.
    package func log(_ points: [MetricPoint], of run: Run) throws { try MetricStore(tx: tx).log(points, of: run) }

    static func run(_ row: Row) -> Run {
        Run(
            id: row.text("id"), experiment: String(row.int64("experiment_id")), project: ProjectName(unchecked: row.text("project")),
            name: row.text("name"), user: row.text("user_name"), status: RunStatus(rawValue: row.text("status"))!,
            lifecycle: Lifecycle(rawValue: row.text("lifecycle"))!, startedAt: Timestamp(milliseconds: row.int64("started_at_ms")),
            endedAt: row.optionalInt("ended_at_ms").map(Timestamp.init(milliseconds:)), artifactRoot: row.text("artifact_root"), number: row.int64("no"))
    }

    private static let next = Statement("run.next", "SELECT COALESCE(MAX(no), 0) + 1 AS next FROM run")
    private static let insert = Statement(
        "run.insert",
        """
        INSERT INTO run (no, id, experiment_id, name, user_name, status, lifecycle, started_at_ms, artifact_root)
        VALUES (:no, :id, :experiment, :name, :user, 'RUNNING', 'active', :at, :root)
        """)
    private static let byID = Statement(
        "run.byID",
        """
        SELECT r.*, x.project FROM run r JOIN experiment x ON x.id = r.experiment_id WHERE r.id = :id
        """)
    private static let update = Statement(
        "run.update",
        """
        UPDATE run SET status = COALESCE(:status, status), ended_at_ms = COALESCE(:ended, ended_at_ms), name = COALESCE(:name, name) WHERE id = :id
        """)
    private static let updateName = Statement("run.rename", "UPDATE run SET name = :name WHERE no = :run")
    private static let updateLifecycle = Statement("run.lifecycle", "UPDATE run SET lifecycle = :lifecycle WHERE id = :id")
    private static let updateAllLifecycles = Statement("run.allLifecycles", "UPDATE run SET lifecycle = :lifecycle WHERE experiment_id = :experiment")
    private static let paramsOf = Statement(
        "run.params",
        """
        SELECT p.key, p.value FROM run_param p JOIN run r ON r.no = p.run_no WHERE r.id = :id ORDER BY p.key
        """)
    private static let tagsOf = Statement(
        "run.tags",
        """
        SELECT t.key, t.value FROM run_tag t JOIN run r ON r.no = t.run_no WHERE r.id = :id ORDER BY t.key
        """)
    private static let upsertTag = Statement(
        "run.setTag",
        """
        INSERT INTO run_tag (run_no, key, value) VALUES (:run, :key, :value) ON CONFLICT (run_no, key) DO UPDATE SET value = excluded.value
        """)
    private static let deleteTag = Statement("run.deleteTag", "DELETE FROM run_tag WHERE run_no = :run AND key = :key")
    private static let insertParam = Statement(
        "run.logParam",
        """
        INSERT INTO run_param (run_no, key, value) VALUES (:run, :key, :value) ON CONFLICT (run_no, key) DO NOTHING
        """)
    private static let paramValue = Statement("run.param", "SELECT value FROM run_param WHERE run_no = :run AND key = :key")
    private static let insertDataset = Statement(
        "dataset.insert",
        """
        INSERT INTO dataset (no, experiment_id, name, digest, source_type, source, schema_text, profile)
        VALUES ((SELECT COALESCE(MAX(no), 0) + 1 FROM dataset), :experiment, :name, :digest, :type, :source, :schema, :profile)
        ON CONFLICT (experiment_id, name, digest) DO NOTHING
        """)
    private static let datasetNumber = Statement(
        "dataset.number",
        """
        SELECT no FROM dataset WHERE experiment_id = :experiment AND name = :name AND digest = :digest
        """)
    private static let insertInput = Statement(
        "run.logInput",
        """
        INSERT INTO run_dataset (run_no, dataset_no) VALUES (:run, :dataset) ON CONFLICT (run_no, dataset_no) DO NOTHING
        """)
    private static let insertInputTag = Statement(
        "run.inputTag",
        """
        INSERT INTO run_dataset_tag (run_no, dataset_no, key, value) VALUES (:run, :dataset, :key, :value)
        """)
    private static let upsertModel = Statement(
        "run.linkModel",
        """
        INSERT INTO run_model (run_no, direction, model_id, step) VALUES (:run, :direction, :model, :step)
        ON CONFLICT (run_no, direction, model_id) DO UPDATE SET step = excluded.step
        """)
}

/// Names for runs that nobody named: adjective, noun, number, all from the run's id.
package enum RunName {
    /// MLflow's tag that mirrors the name.
    package static let tag = "mlflow.runName"

    package static func made(from id: String) -> String {
        let seed = id.utf8.reduce(UInt64(14_695_981_039_346_656_037)) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 }
        let adjective = adjectives[Int(seed % UInt64(adjectives.count))]
        let noun = nouns[Int(seed / 64 % UInt64(nouns.count))]
        return "\(adjective)-\(noun)-\(seed / 4096 % 1000)"
    }

    private static let adjectives = [
        "able", "bold", "bright", "bustling", "calm", "capable", "classy", "clean", "dapper", "dashing", "efficient", "fearless", "gentle", "gifted",
        "handsome", "honorable", "kindly", "likeable", "luminous", "nimble", "orderly", "peaceful", "polite", "powerful", "resilient", "salty", "silent",
        "skillful", "smiling", "stately", "thoughtful", "wise",
    ]
    private static let nouns = [
        "anchor", "barge", "beacon", "bow", "buoy", "canoe", "clipper", "cutter", "deck", "dinghy", "ferry", "galley", "gull", "harbour", "helm", "hull",
        "jetty", "keel", "ketch", "lugger", "mast", "oar", "pier", "quay", "raft", "rudder", "sail", "schooner", "skiff", "sloop", "tide", "tug",
    ]
}
