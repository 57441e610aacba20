import SlipwayCore
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Testing

@Suite("The store of traces")
struct TraceStoreTests {
    /// Traces `t0`, `t1`, … of one experiment, a second apart.
    private func inRealm(_ count: Int, _ body: @escaping @Sendable (any Transaction, [Trace]) throws -> Void) async throws {
        let realm = try await TestRealm()
        try await realm.database.write { tx in
            let experiment = try ExperimentStore(tx: tx).ensure(name: "traces", project: .implicit, at: Timestamp(milliseconds: 1))
            let store = TraceStore(tx: tx)
            var traces: [Trace] = []
            for index in 0..<count {
                let trace = Trace(
                    id: "t\(index)", experiment: experiment, project: .implicit, requestedAt: Timestamp(milliseconds: Int64(index) * 1000),
                    duration: index == 0 ? nil : Int64(index), state: index % 2 == 0 ? .ok : .error)
                traces.append(try store.create(trace))
            }
            try body(tx, traces)
        }
    }

    private static func found(_ filter: String, _ store: TraceStore, _ trace: Trace) throws -> [String] {
        try store.search(TraceFilter(parsing: filter), orderBy: [TraceOrder(.timestamp, isAscending: true)], experiments: [trace.experiment], limit: 100).items.map(\.id)
    }

    private static func span(_ id: String, _ name: String, _ attributes: [String: JSONValue]) -> StoredSpan {
        StoredSpan(
            id: id, parent: nil, name: name, status: .ok, statusMessage: nil, startedAt: 1, endedAt: 2, attributes: JSONValue.object(attributes).text(), events: "[]")
    }

    @Test("clauses about spans speak of one span, and values are compared as what they are")
    func spans() async throws {
        try await inRealm(2) { tx, traces in
            let store = TraceStore(tx: tx)
            try store.spans.put(Self.span("a", "ask", ["n": 5, "x": 0.5, "s": "5", "deep": ["k": ["v"]], "b": true]), type: "LLM", metrics: [:], of: traces[0])
            try store.spans.put(Self.span("b", "get", ["n": 6]), type: "TOOL", metrics: ["total_cost": 0.25], of: traces[0])
            for (filter, isFound) in [
                ("span.name = 'ask' AND span.type = 'LLM'", true), ("span.name = 'ask' AND span.type = 'TOOL'", false), ("span.attributes.n = '5'", true),
                ("span.attributes.n IN ('6', '7')", true), ("span.attributes.x = '0.5'", true), ("span.attributes.deep LIKE '%\"v\"%'", true),
                ("span.attributes.gone LIKE '%'", false), ("span.attributes.s RLIKE '^[0-9]$'", true), ("NOT span.name = 'ask'", false), ("trace.text LIKE '%deep%'", true),
            ] {
                #expect(try Self.found(filter, store, traces[0]).contains("t0") == isFound, "\(filter)")
                #expect(try Self.found(filter, store, traces[0]).contains("t1") == filter.hasPrefix("NOT"), "\(filter)")
            }
        }
    }

    @Test("what was said of a session holds for each of its traces; what is not valid any more does not hold")
    func sessions() async throws {
        try await inRealm(3) { tx, traces in
            let store = TraceStore(tx: tx)
            for trace in traces.prefix(2) { try store.setMetadata(TraceKey.session, "s", of: trace) }
            var said = Assessment(
                id: "a", trace: "t0", name: "good", kind: .feedback, value: true, sourceType: "HUMAN", metadata: [TraceKey.session: "s"], createdAt: Timestamp(milliseconds: 1),
                updatedAt: Timestamp(milliseconds: 1))
            try store.assessments.put(said, of: traces[0])
            #expect(try Self.found("feedback.good = 'true'", store, traces[0]) == ["t0", "t1"])
            #expect(try Self.found("feedback.good IS NULL", store, traces[0]) == ["t2"])
            #expect(throws: SlipwayError.self) { try store.assessments.put(said, of: traces[2]) }
            said.isValid = false
            try store.assessments.put(said, of: traces[0])
            #expect(try Self.found("feedback.good = 'true'", store, traces[0]) == [])
        }
    }

    @Test("removing a trace leaves nothing of it behind")
    func removal() async throws {
        try await inRealm(2) { tx, traces in
            let store = TraceStore(tx: tx)
            for trace in traces {
                try store.spans.put(Self.span("a", "ask", [:]), type: "LLM", metrics: ["total_cost": 1], of: trace)
                try store.setTag("k", "v", of: trace)
                try store.setMetric("input_tokens", 1, of: trace)
                try store.link(trace.id, toRun: "r")
            }
            try store.remove([traces[0]])
            #expect(try Self.found("", store, traces[0]) == ["t1"])
            #expect(try store.spans.spans(of: traces).keys.sorted() == [traces[1].number])
            #expect(try Self.found("run_id = 'r'", store, traces[0]) == ["t1"])
        }
    }

    @Test("what lacks the key comes last in both directions")
    func order() async throws {
        try await inRealm(3) { tx, traces in
            let store = TraceStore(tx: tx)
            for isAscending in [true, false] {
                let page = try store.search(.all([]), orderBy: [TraceOrder(.executionTime, isAscending: isAscending)], experiments: [traces[0].experiment], limit: 2)
                #expect(page.items.map(\.id) == (isAscending ? ["t1", "t2"] : ["t2", "t1"]) && page.hasMore)
            }
        }
    }

    @Test("a search walks along the experiment's index, and what belongs to a trace is read by its key")
    func plans() async throws {
        try await inRealm(3) { tx, traces in
            let explained = Explained(tx)
            let store = TraceStore(tx: explained)
            _ = try Self.found("tags.a = 'b' AND span.name = 'x' AND status = 'OK'", store, traces[0])
            _ = try store.records(of: traces)
            for name in ["trace.search", "trace.tags", "trace.metadata", "assessment.ofTraces"] {
                let plan = try #require(explained.plans[name])
                #expect(!plan.contains { $0.contains("SCAN") }, "\(name): \(plan)")
            }
            let plan = try #require(explained.plans["trace.search"])
            #expect(plan.contains { $0.contains("USING INDEX trace_of_experiment") }, "\(plan)")
            _ = try Self.found("run_id = 'r'", store, traces[0])
            let byRun = try #require(explained.plans["trace.search"])
            #expect(!byRun.contains { $0.hasPrefix("SCAN") }, "\(byRun)")
        }
    }
}
