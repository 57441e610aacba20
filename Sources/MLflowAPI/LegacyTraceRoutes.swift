import HTTPTypes
import SlipwayCore
import Tracking

/// `mlflow/traces/…` as clients from 2.14 to 2.22 call it.
struct LegacyTraceRoutes: Sendable {
    let realm: MLflowRealm
    private var tracking: TrackingService { realm.tracking }

    init(realm: MLflowRealm) { self.realm = realm }

    func add(to router: MLflowRouter<some Any>) {
        router.on(.post, "mlflow/traces", begin)
        router.on(.get, "mlflow/traces", search)
        router.on(.patch, "mlflow/traces/{trace_id}", end)
        router.on(.get, "mlflow/traces/{trace_id}/info", info)
        TraceRoutes(realm: realm).addShared(to: router)
    }

    private func reply(_ record: TraceRecord) -> JSON { .object { $0.field("trace_info") { $0.traceInfo2(record) } } }

    @Sendable private func begin(_ fields: Fields, caller: Caller) async throws -> JSON {
        reply(
            try await tracking.beginTrace(
                experiment: fields.required("experiment_id"), at: fields.int("timestamp_ms") ?? 0, metadata: fields.pairs("request_metadata"),
                tags: fields.pairs("tags"), by: caller))
    }

    @Sendable private func end(_ fields: Fields, caller: Caller) async throws -> JSON {
        reply(
            try await tracking.endTrace(
                fields.required("trace_id"), at: fields.int("timestamp_ms") ?? 0, state: fields.state("status"), metadata: fields.pairs("request_metadata"),
                tags: fields.pairs("tags"), by: caller))
    }

    @Sendable private func info(_ fields: Fields, caller: Caller) async throws -> JSON {
        reply(try await tracking.trace(fields.required("trace_id"), by: caller))
    }

    @Sendable private func search(_ fields: Fields, caller: Caller) async throws -> JSON {
        let (limit, offset) = (try fields.limit(default: 100, max: 500), try fields.offset())
        let page = try await tracking.searchTraces(
            filter: fields.string("filter") ?? "", orderBy: fields.strings("order_by"), experiments: fields.requiredStrings("experiment_ids"), limit: limit,
            offset: offset, by: caller)
        return .object { json in
            json.list("traces", page.items) { $0.traceInfo2($1) }
            if page.hasMore { json.field("next_page_token", PageToken.make(offset + limit)) }
        }
    }
}
