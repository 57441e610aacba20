import SlipwayCore
import SlipwaySQL

package struct LoggedModelStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    package func insert(_ model: LoggedModel, params: [String: String], tags: [String: String]) throws {
        try tx.run(
            Self.insert,
            [
                "id": .text(model.id), "experiment": .integer(Int64(model.experiment)), "name": .text(model.name), "run": .text(model.sourceRun),
                "type": .text(model.modelType), "root": .text(model.artifactRoot), "status": .text(model.status.rawValue), "creator": .text(model.creator),
                "at": .integer(model.createdAt.milliseconds),
            ])
        for (key, value) in params { try logParam(key, value, of: model.id) }
        for (key, value) in tags { try setTag(key, value, of: model.id) }
    }

    /// Deleted ones too.
    package func model(_ id: String) throws -> LoggedModel? { try tx.first(Self.byID, ["id": .text(id)]).map(Self.model) }

    package func model(atRoot root: String) throws -> LoggedModel? { try tx.first(Self.byRoot, ["root": .text(root)]).map(Self.model) }

    /// The run's newest logged model that is complete, else the newest that is not.
    package func newest(ofRun run: String) throws -> LoggedModel? { try tx.first(Self.newestOfRun, ["run": .text(run)]).map(Self.model) }

    package func setStatus(_ status: LoggedModelStatus, of id: String, at: Timestamp) throws {
        try tx.run(Self.updateStatus, ["id": .text(id), "status": .text(status.rawValue), "at": .integer(at.milliseconds)])
    }

    package func setSignature(_ signature: JSONValue?, of id: String) throws {
        try tx.run(Self.updateSignature, ["id": .text(id), "signature": .text(try signature.map { try CanonicalJSON.text($0) })])
    }

    package func delete(_ id: String, at: Timestamp) throws { try tx.run(Self.softDelete, ["id": .text(id), "at": .integer(at.milliseconds)]) }

    package func setTag(_ key: String, _ value: String, of id: String) throws {
        try tx.run(Self.upsertTag, ["id": .text(id), "key": .text(key), "value": .text(value)])
    }

    /// - Returns: false when there was none.
    package func removeTag(_ key: String, of id: String) throws -> Bool { try tx.run(Self.deleteTag, ["id": .text(id), "key": .text(key)]) > 0 }

    /// Params are written once; a second value changes nothing.
    package func logParam(_ key: String, _ value: String, of id: String) throws {
        try tx.run(Self.insertParam, ["id": .text(id), "key": .text(key), "value": .text(value)])
    }

    /// Params, tags, metrics and registrations of many models, by id.
    package func details(of models: [LoggedModel]) throws -> [String: LoggedModelDetails] {
        var details = Dictionary(models.map { ($0.id, LoggedModelDetails()) }) { first, _ in first }
        try Batch.forEach(models.map(\.id), { .text($0) }) { list, values in
            try tx.forEach(Statement("loggedModel.detailParams", "SELECT model_id, key, value FROM logged_model_param WHERE model_id IN \(list)"), values) { row in
                details[row.text("model_id")]!.params[row.text("key")] = row.text("value")
            }
            try tx.forEach(Statement("loggedModel.detailTags", "SELECT model_id, key, value FROM logged_model_tag WHERE model_id IN \(list)"), values) { row in
                details[row.text("model_id")]!.tags[row.text("key")] = row.text("value")
            }
            try tx.forEach(
                Statement(
                    "loggedModel.detailMetrics",
                    """
                    SELECT m.model_id, k.name, m.step, m.at_ms, m.value, m.is_nan, m.dataset_name, m.dataset_digest, r.id AS run
                    FROM logged_model_metric m JOIN metric_key k ON k.no = m.key_no JOIN run r ON r.no = m.run_no
                    WHERE m.model_id IN \(list) ORDER BY m.model_id, k.name, m.step, m.at_ms
                    """), values
            ) { row in
                var point = MetricStore.point(row, key: row.text("name"))
                point.model = row.text("model_id")
                if !row.text("dataset_name").isEmpty { point.datasetName = row.text("dataset_name") }
                if !row.text("dataset_digest").isEmpty { point.datasetDigest = row.text("dataset_digest") }
                details[row.text("model_id")]!.metrics.append(.init(point: point, run: row.text("run")))
            }
            try tx.forEach(
                Statement(
                    "loggedModel.detailRegistrations",
                    """
                    SELECT v.model_id, m.name, v.version FROM model_version v JOIN registered_model m ON m.no = v.model_no
                    WHERE v.lifecycle = 'active' AND v.model_id IN \(list) ORDER BY m.name, v.version
                    """), values
            ) { row in
                details[row.text("model_id")]!.registrations.append((row.text("name"), row.int("version")))
            }
        }
        return details
    }

    /// - Parameter datasets: restrict metric clauses to points measured on one of these (name, and digest when given).
    package func search(
        _ filter: SearchFilter, orderBy orders: [ModelOrder] = [], experiments: [String], datasets: [(name: String, digest: String?)] = [], limit: Int,
        offset: Int = 0
    ) throws -> SearchPage<LoggedModel> {
        let numbers = experiments.compactMap { Int64($0) }
        guard !numbers.isEmpty else { return SearchPage(items: [], hasMore: false) }
        var table = Self.table
        var search = SearchSQL(table: table)
        if !datasets.isEmpty {
            let tests = datasets.map { "(\(Self.onDataset($0.name, $0.digest, &search)))" }.joined(separator: " OR ")
            table.exists[.metric]! += " AND (\(tests))"
            search = search.with(table)
            if !filter.expression.clauses.contains(where: { $0.entity == .metric }) {
                search.require("EXISTS (SELECT 1 FROM logged_model_metric e WHERE e.model_id = l.id AND (\(tests)))")
            }
        }
        search.require("l.experiment_id IN \(search.bind(list: numbers.map { .integer($0) }))")
        search.require("l.lifecycle = 'active'")
        search.require(filter)
        for order in orders { Self.order(by: order, &search) }
        if !orders.contains(where: { $0.order.entity == .attribute && $0.order.key == "creation_timestamp" }) { search.orderFinally(by: "l.created_at_ms DESC") }
        search.orderFinally(by: "l.id")
        let statement = search.statement(
            "loggedModel.search", select: "SELECT l.*, x.project FROM logged_model l JOIN experiment x ON x.id = l.experiment_id", limit: limit + 1, offset: offset)
        return SearchPage(rows: try tx.all(statement, search.values).map(Self.model), limit: limit)
    }

    private static func onDataset(_ name: String?, _ digest: String?, _ search: inout SearchSQL) -> String {
        var tests: [String] = []
        if let name { tests.append("e.dataset_name = \(search.bind(.text(name)))") }
        if let digest { tests.append("e.dataset_digest = \(search.bind(.text(digest)))") }
        return tests.joined(separator: " AND ")
    }

    private static func order(by order: ModelOrder, _ search: inout SearchSQL) {
        guard order.dataset != nil || order.digest != nil else { return search.order(by: order.order) }
        let whole = search.table
        var table = whole
        let test = "k.name = {key} AND \(onDataset(order.dataset, order.digest, &search))"
        table.scalar[.metric] = table.scalar[.metric]?.replacing("k.name = {key}", with: test)
        table.scalarIsNaN = table.scalarIsNaN?.replacing("k.name = {key}", with: test)
        search = search.with(table)
        search.order(by: order.order)
        search = search.with(whole)
    }

    private static func model(_ row: Row) throws -> LoggedModel {
        LoggedModel(
            id: row.text("id"), name: row.text("name"), experiment: String(row.int64("experiment_id")), project: ProjectName(unchecked: row.text("project")),
            sourceRun: row.optionalText("source_run_id"), modelType: row.text("model_type"), artifactRoot: row.text("artifact_root"),
            status: LoggedModelStatus(rawValue: row.text("status"))!, statusMessage: row.optionalText("status_message"),
            lifecycle: Lifecycle(rawValue: row.text("lifecycle"))!, creator: row.text("creator"),
            signature: try row.optionalText("signature").map { try CanonicalJSON.decode(JSONValue.self, from: $0) },
            createdAt: Timestamp(milliseconds: row.int64("created_at_ms")), updatedAt: Timestamp(milliseconds: row.int64("updated_at_ms")))
    }

    private static let table = SearchSQL.Table(
        columns: [
            "name": "l.name", "model_id": "l.id", "model_type": "l.model_type", "status": "l.status", "source_run_id": "l.source_run_id",
            "creation_timestamp": "l.created_at_ms", "last_updated_timestamp": "l.updated_at_ms",
        ],
        exists: [
            .metric: """
            SELECT 1 FROM logged_model_metric e JOIN metric_key k ON k.no = e.key_no
            WHERE e.model_id = l.id AND k.name = {key} AND e.is_nan = 0 AND {test}
            """,
            .param: "SELECT 1 FROM logged_model_param e WHERE e.model_id = l.id AND e.key = {key} AND {test}",
            .tag: "SELECT 1 FROM logged_model_tag e WHERE e.model_id = l.id AND e.key = {key} AND {test}",
        ],
        scalar: [
            .metric: """
            SELECT e.value FROM logged_model_metric e JOIN metric_key k ON k.no = e.key_no
            WHERE e.model_id = l.id AND k.name = {key} ORDER BY e.at_ms DESC, e.step DESC LIMIT 1
            """,
            .param: "SELECT e.value FROM logged_model_param e WHERE e.model_id = l.id AND e.key = {key}",
            .tag: "SELECT e.value FROM logged_model_tag e WHERE e.model_id = l.id AND e.key = {key}",
        ],
        scalarIsNaN: """
            SELECT e.is_nan FROM logged_model_metric e JOIN metric_key k ON k.no = e.key_no
            WHERE e.model_id = l.id AND k.name = {key} ORDER BY e.at_ms DESC, e.step DESC LIMIT 1
            """)

    private static let insert = Statement(
        "loggedModel.insert",
        """
        INSERT INTO logged_model (id, experiment_id, name, source_run_id, model_type, artifact_root, status, lifecycle, creator, created_at_ms, updated_at_ms)
        VALUES (:id, :experiment, :name, :run, :type, :root, :status, 'active', :creator, :at, :at)
        """)
    private static let byID = Statement(
        "loggedModel.byID",
        """
        SELECT l.*, x.project FROM logged_model l JOIN experiment x ON x.id = l.experiment_id WHERE l.id = :id
        """)
    private static let byRoot = Statement(
        "loggedModel.byRoot",
        """
        SELECT l.*, x.project FROM logged_model l JOIN experiment x ON x.id = l.experiment_id WHERE l.artifact_root = :root
        """)
    private static let newestOfRun = Statement(
        "loggedModel.newestOfRun",
        """
        SELECT l.*, x.project FROM logged_model l JOIN experiment x ON x.id = l.experiment_id
        WHERE l.source_run_id = :run AND l.lifecycle = 'active'
        ORDER BY CASE WHEN l.status = 'LOGGED_MODEL_READY' THEN 0 ELSE 1 END, l.created_at_ms DESC, l.id LIMIT 1
        """)
    private static let updateStatus = Statement("loggedModel.status", "UPDATE logged_model SET status = :status, updated_at_ms = :at WHERE id = :id")
    private static let updateSignature = Statement("loggedModel.signature", "UPDATE logged_model SET signature = :signature WHERE id = :id")
    private static let softDelete = Statement("loggedModel.delete", "UPDATE logged_model SET lifecycle = 'deleted', updated_at_ms = :at WHERE id = :id")
    private static let upsertTag = Statement(
        "loggedModel.setTag",
        """
        INSERT INTO logged_model_tag (model_id, key, value) VALUES (:id, :key, :value) ON CONFLICT (model_id, key) DO UPDATE SET value = excluded.value
        """)
    private static let deleteTag = Statement("loggedModel.deleteTag", "DELETE FROM logged_model_tag WHERE model_id = :id AND key = :key")
    private static let insertParam = Statement(
        "loggedModel.logParam",
        """
        INSERT INTO logged_model_param (model_id, key, value) VALUES (:id, :key, :value) ON CONFLICT (model_id, key) DO NOTHING
        """)
}
