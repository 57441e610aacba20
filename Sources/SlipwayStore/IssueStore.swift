import SlipwayCore
import SlipwaySQL

/// Issues of experiments; traces refer to them by assessments.
package struct IssueStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    package func issue(_ id: String) throws -> TraceIssue? { try tx.first(Self.byID, ["id": .text(id)]).map(Self.issue) }

    /// Writes an issue; of one that is there, all but where it came from.
    package func put(_ issue: TraceIssue) throws {
        try tx.run(
            Self.upsert,
            [
                "id": .text(issue.id), "experiment": .integer(Int64(issue.experiment)), "name": .text(issue.name), "description": .text(issue.description),
                "status": .text(issue.status.rawValue), "severity": .text(issue.severity?.rawValue), "causes": .text(try CanonicalJSON.text(issue.rootCauses)),
                "categories": .text(try CanonicalJSON.text(issue.categories)), "run": .text(issue.sourceRun), "by": .text(issue.createdBy),
                "created": .integer(issue.createdAt.milliseconds), "updated": .integer(issue.updatedAt.milliseconds),
            ])
    }

    /// The worst first, then those that most traces refer to when these are counted, then the newest.
    /// - Parameters:
    ///   - experiment: nil for all.
    ///   - projects: those whose issues may be seen; nil for all.
    /// - Returns: with the number of traces that refer to it, when that is counted.
    package func search(
        _ filter: SearchFilter, experiment: String?, projects: Set<ProjectName>?, countsTraces: Bool, limit: Int, offset: Int
    ) throws -> SearchPage<(issue: TraceIssue, traces: Int64?)> {
        var search = SearchSQL(table: Self.table)
        if let experiment { search.require("i.experiment_id = \(search.bind(.integer(Int64(experiment))))") }
        if let projects { search.require("x.project IN \(search.bind(list: projects.map { .text($0.rawValue) }))") }
        search.require(filter)
        search.orderFinally(by: "CASE i.severity WHEN 'high' THEN 4 WHEN 'medium' THEN 3 WHEN 'low' THEN 2 WHEN 'not_an_issue' THEN 1 ELSE 0 END DESC")
        if countsTraces { search.orderFinally(by: "trace_count DESC") }
        search.orderFinally(by: "i.created_at_ms DESC, i.id DESC")
        let count = countsTraces ? "(SELECT COUNT(DISTINCT a.trace_no) FROM assessment a WHERE a.kind = 'issue' AND a.name = i.id)" : "NULL"
        let statement = search.statement(
            "issue.search", select: "SELECT i.*, x.project, \(count) AS trace_count FROM issue i JOIN experiment x ON x.id = i.experiment_id", limit: limit + 1,
            offset: offset)
        return SearchPage(rows: try tx.all(statement, search.values).map { (try Self.issue($0), $0.optionalInt("trace_count")) }, limit: limit)
    }

    private static func issue(_ row: Row) throws -> TraceIssue {
        TraceIssue(
            id: row.text("id"), experiment: String(row.int64("experiment_id")), project: ProjectName(unchecked: row.text("project")), name: row.text("name"),
            description: row.text("description"), status: TraceIssue.Status(rawValue: row.text("status")) ?? .pending,
            severity: row.optionalText("severity").flatMap(TraceIssue.Severity.init(rawValue:)), rootCauses: try CanonicalJSON.decode([String].self, from: row.text("root_causes")),
            categories: try CanonicalJSON.decode([String].self, from: row.text("categories")), sourceRun: row.optionalText("source_run_id"),
            createdBy: row.optionalText("created_by"), createdAt: Timestamp(milliseconds: row.int64("created_at_ms")),
            updatedAt: Timestamp(milliseconds: row.int64("updated_at_ms")))
    }

    private static let table = SearchSQL.Table(columns: ["status": "i.status", "source_run_id": "i.source_run_id"], exists: [:], scalar: [:])
    private static let byID = Statement("issue.byID", "SELECT i.*, x.project FROM issue i JOIN experiment x ON x.id = i.experiment_id WHERE i.id = :id")
    private static let upsert = Statement(
        "issue.put",
        """
        INSERT INTO issue (id, experiment_id, name, description, status, severity, root_causes, categories, source_run_id, created_by, created_at_ms, updated_at_ms)
        VALUES (:id, :experiment, :name, :description, :status, :severity, :causes, :categories, :run, :by, :created, :updated)
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, description = excluded.description, status = excluded.status, severity = excluded.severity,
            updated_at_ms = excluded.updated_at_ms
        """)
}
