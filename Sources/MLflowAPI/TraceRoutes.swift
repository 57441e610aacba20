import HTTPTypes
import Hummingbird
import NIOCore
import SlipwayCore
import SlipwayHTTP
import Tracking

/// `mlflow/traces/…` of the third API.
struct TraceRoutes: Sendable {
    let realm: MLflowRealm
    private var tracking: TrackingService { realm.tracking }

    init(realm: MLflowRealm) { self.realm = realm }

    func add(to router: MLflowRouter<some Any>) {
        router.on(.post, "mlflow/traces", start)
        router.on(.get, "mlflow/traces/get", get)
        router.on(.get, "mlflow/traces/batchGet", batch)
        router.on(.post, "mlflow/traces/batchGetInfos", batchInfos)
        router.on(.post, "mlflow/traces/search", search)
        router.on(.post, "mlflow/traces/calculate-filter-correlation", correlation)
        router.on(.get, "mlflow/traces/{trace_id}", info)
        addShared(to: router)
        router.raw(.get, "mlflow/get-trace-artifact", artifact)
    }

    /// What both APIs have.
    func addShared(to router: MLflowRouter<some Any>) {
        router.on(.patch, "mlflow/traces/{trace_id}/tags", setTag)
        router.on(.delete, "mlflow/traces/{trace_id}/tags", deleteTag)
        router.on(.post, "mlflow/traces/delete-traces", delete)
        router.on(.post, "mlflow/traces/link-to-run", linkToRun)
        router.on(.post, "mlflow/traces/link-prompts", linkPrompts)
    }

    @Sendable private func start(_ fields: Fields, caller: Caller) async throws -> JSON {
        guard let trace = try fields.message("trace") else { throw TrackingRules.missing("trace") }
        let record = try await tracking.startTrace(trace.traceDraft(), by: caller)
        return .object { $0.field("trace") { $0.field("trace_info") { $0.traceInfo(record) } } }
    }

    @Sendable private func info(_ fields: Fields, caller: Caller) async throws -> JSON {
        let record = try await tracking.trace(fields.required("trace_id"), by: caller)
        return .object { $0.field("trace") { $0.field("trace_info") { $0.traceInfo(record) } } }
    }

    @Sendable private func get(_ fields: Fields, caller: Caller) async throws -> JSON {
        let found = try await tracking.traceWithSpans(fields.required("trace_id"), isPartial: fields.bool("allow_partial") ?? false, by: caller)
        return try .object { try $0.field("trace") { try $0.trace(found.record, found.spans) } }
    }

    @Sendable private func batch(_ fields: Fields, caller: Caller) async throws -> JSON {
        let found = try await tracking.tracesWithSpans(fields.requiredStrings("trace_ids"), by: caller)
        return try .object { try $0.list("traces", found) { try $0.trace($1.record, $1.spans) } }
    }

    @Sendable private func batchInfos(_ fields: Fields, caller: Caller) async throws -> JSON {
        let found = try await tracking.traces(fields.requiredStrings("trace_ids"), by: caller)
        return .object { $0.list("trace_infos", found) { $0.traceInfo($1) } }
    }

    @Sendable private func search(_ fields: Fields, caller: Caller) async throws -> JSON {
        let locations = try fields.messages("locations")
        guard !locations.isEmpty else { throw TrackingRules.missing("locations") }
        let experiments = try locations.compactMap { try $0.message("mlflow_experiment")?.string("experiment_id") }
        let (limit, offset) = (try fields.limit(default: 100, max: 500), try fields.offset())
        let page = try await tracking.searchTraces(
            filter: fields.string("filter") ?? "", orderBy: fields.strings("order_by"), experiments: experiments, limit: limit, offset: offset, by: caller)
        return .object { json in
            json.list("traces", page.items) { $0.traceInfo($1) }
            if page.hasMore { json.field("next_page_token", PageToken.make(offset + limit)) }
        }
    }

    @Sendable private func correlation(_ fields: Fields, caller: Caller) async throws -> JSON {
        let found = try await tracking.correlation(
            fields.required("filter_string1"), fields.required("filter_string2"), base: fields.string("base_filter") ?? "",
            experiments: fields.requiredStrings("experiment_ids"), by: caller)
        return .object { json in
            json.field("npmi", found.npmi)
            json.field("npmi_smoothed", found.smoothed)
            json.field("filter1_count", Int64(found.one))
            json.field("filter2_count", Int64(found.other))
            json.field("joint_count", Int64(found.both))
            json.field("total_count", Int64(found.all))
        }
    }

    // MARK: Changes

    @Sendable private func setTag(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await tracking.setTag(fields.required("key"), fields.string("value") ?? "", ofTrace: fields.required("trace_id"), by: caller)
        return .empty
    }

    @Sendable private func deleteTag(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await tracking.deleteTag(fields.required("key"), ofTrace: fields.required("trace_id"), by: caller)
        return .empty
    }

    @Sendable private func delete(_ fields: Fields, caller: Caller) async throws -> JSON {
        let count = try await tracking.deleteTraces(
            experiment: fields.required("experiment_id"), ids: fields.strings("request_ids"), until: fields.int("max_timestamp_millis"), most: fields.int("max_traces"),
            by: caller)
        return .object { $0.field("traces_deleted", Int64(count)) }
    }

    @Sendable private func linkToRun(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await tracking.link(traces: fields.requiredStrings("trace_ids"), toRun: fields.required("run_id"), by: caller)
        return .empty
    }

    @Sendable private func linkPrompts(_ fields: Fields, caller: Caller) async throws -> JSON {
        let prompts = try fields.messages("prompt_versions").map { "\(try $0.required("name"))/\(try $0.required("version"))" }
        try await tracking.link(trace: fields.required("trace_id"), toPrompts: prompts, by: caller)
        return .empty
    }

    // MARK: Files

    /// The spans as a file for MLflow's pages: out of the database, or what the client has uploaded.
    @Sendable func artifact(_ request: Request, context: SlipwayContext) async throws -> Response {
        let fields = try await Fields(request, context: context)
        let id = try fields.required("request_id")
        let path = try fields.string("path").flatMap { $0.isEmpty ? nil : $0 }
        let record = try await tracking.trace(id, by: context.caller)
        if path == nil, record.hasSpans {
            let found = try await tracking.traceWithSpans(id, isPartial: true, by: context.caller)
            var response = Response(
                status: .ok, headers: [.contentType: "application/octet-stream", .contentDisposition: "attachment; filename=traces.json"],
                body: .init(byteBuffer: ByteBuffer(string: try JSON.traceFile(found.record, found.spans).text())))
            response.headers[HTTPField.Name("X-Content-Type-Options")!] = "nosniff"
            return response
        }
        guard let location = record.tags[TraceKey.artifactLocation].flatMap(ArtifactRoot.proxiedPath) else {
            throw SlipwayError.notFound("The files of the trace '\(id.prefix(80))' lie outside Slipway.")
        }
        let name = try path.map { "attachments/\(try ArtifactPath.checked($0))" } ?? "traces.json"
        let file = try await tracking.artifact("\(location)/\(name)", by: context.caller)
        return try await FileReply.send(file, for: request, context: context)
    }
}
