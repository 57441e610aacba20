import HTTPTypes
import SlipwayCore
import Tracking

/// `mlflow/issues/…`
struct IssueRoutes: Sendable {
    let realm: MLflowRealm
    private var tracking: TrackingService { realm.tracking }

    init(realm: MLflowRealm) { self.realm = realm }

    func add(to router: MLflowRouter<some Any>) {
        router.on(.post, "mlflow/issues", create)
        router.on(.post, "mlflow/issues/search", search)
        router.on(.get, "mlflow/issues/{issue_id}", get)
        router.on(.patch, "mlflow/issues/{issue_id}", update)
    }

    private func reply(_ issue: TraceIssue) -> JSON { .object { $0.field("issue") { $0.issue(issue, traces: nil) } } }

    @Sendable private func create(_ fields: Fields, caller: Caller) async throws -> JSON {
        let never = Timestamp(milliseconds: 0)
        return reply(
            try await tracking.createIssue(
                TraceIssue(
                    id: "", experiment: fields.required("experiment_id"), name: fields.required("name"), description: fields.required("description"),
                    status: fields.status() ?? .pending, severity: fields.severity(), rootCauses: fields.strings("root_causes"), categories: fields.strings("categories"),
                    sourceRun: fields.filled("source_run_id"), createdBy: fields.filled("created_by"), createdAt: never, updatedAt: never), by: caller))
    }

    @Sendable private func get(_ fields: Fields, caller: Caller) async throws -> JSON { reply(try await tracking.issue(fields.required("issue_id"), by: caller)) }

    @Sendable private func update(_ fields: Fields, caller: Caller) async throws -> JSON {
        reply(
            try await tracking.updateIssue(
                fields.required("issue_id"), name: fields.filled("name"), description: fields.filled("description"), status: fields.status(), severity: fields.severity(),
                by: caller))
    }

    @Sendable private func search(_ fields: Fields, caller: Caller) async throws -> JSON {
        let (limit, offset) = (try fields.limit(default: 1000, max: 50_000), try fields.offset())
        let page = try await tracking.searchIssues(
            filter: fields.string("filter_string") ?? "", experiment: fields.filled("experiment_id"), countsTraces: fields.bool("include_trace_count") ?? false,
            limit: limit, offset: offset, by: caller)
        return .object { json in
            json.list("issues", page.items) { $0.issue($1.issue, traces: $1.traces) }
            if page.hasMore { json.field("next_page_token", PageToken.make(offset + limit)) }
        }
    }
}

extension Fields {
    fileprivate func filled(_ name: String) throws -> String? { try string(name).flatMap { $0.isEmpty ? nil : $0 } }

    fileprivate func status() throws -> TraceIssue.Status? {
        try filled("status").map { text in
            guard let status = TraceIssue.Status(rawValue: text) else { throw wrong("status", .string(text)) }
            return status
        }
    }

    fileprivate func severity() throws -> TraceIssue.Severity? {
        try filled("severity").map { text in
            guard let severity = TraceIssue.Severity(rawValue: text) else { throw wrong("severity", .string(text)) }
            return severity
        }
    }
}

extension JSON {
    fileprivate mutating func issue(_ issue: TraceIssue, traces: Int64?) {
        field("issue_id", issue.id)
        field("experiment_id", issue.experiment)
        field("name", issue.name)
        field("description", issue.description)
        field("status", issue.status.rawValue)
        field("severity", issue.severity?.rawValue)
        strings("root_causes", issue.rootCauses)
        strings("categories", issue.categories)
        field("source_run_id", issue.sourceRun)
        field("created_timestamp", issue.createdAt.milliseconds)
        field("last_updated_timestamp", issue.updatedAt.milliseconds)
        field("created_by", issue.createdBy)
        field("trace_count", traces)
    }
}
