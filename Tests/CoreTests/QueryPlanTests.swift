import SlipwayCore
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Testing

/// How the database finds the rows of the queries that people wait for: by walking along an index, never through a whole table.
@Suite("Query plans")
struct QueryPlanTests {
    @Test("a search by metric walks along the values' index and sorts nothing but equals")
    func byMetric() async throws {
        let plans = try await plans { store, experiment in
            _ = try store.search(
                SearchFilter(parsing: "metrics.auc > 0.9 AND params.lr = '0.1'", for: .runs), orderBy: SearchOrder.list(parsing: ["metrics.auc DESC"], for: .runs),
                experiments: [experiment], limit: 100)
        }
        let plan = try #require(plans["run.searchByMetric"])
        #expect(plan.first?.contains("SEARCH o USING") == true && plan.first?.contains("latest_metric_by_value") == true, "\(plan)")
        #expect(!plan.contains { $0.contains("SCAN") || $0 == "USE TEMP B-TREE FOR ORDER BY" }, "\(plan)")
    }

    @Test("the newest runs of an experiment come by its index, without sorting")
    func newest() async throws {
        let plans = try await plans { store, experiment in
            _ = try store.search(
                SearchFilter(), orderBy: SearchOrder.list(parsing: ["attributes.start_time DESC"], for: .runs), experiments: [experiment], limit: 100)
        }
        let plan = try #require(plans["run.search"])
        #expect(plan.contains { $0.contains("SEARCH r USING INDEX run_of_experiment") }, "\(plan)")
        #expect(!plan.contains { $0.contains("SCAN") || $0.contains("TEMP B-TREE") }, "\(plan)")
    }

    @Test("what belongs to a page of runs, a history and a curve are read by their keys")
    func details() async throws {
        let plans = try await plans { store, experiment in
            let run = try store.create(experiment: experiment, name: nil, user: "", tags: [:], at: Timestamp(milliseconds: 1), id: String(repeating: "a", count: 32))
            try store.log((0..<5000).map { MetricPoint(key: "m", value: 1, timestamp: Int64($0), step: Int64($0)) }, of: run)
            _ = try store.details(of: [run])
            let metrics = MetricStore(tx: store.tx)
            let page = try metrics.history(of: "m", run: run, limit: 10)
            let next = try #require(page.next)
            _ = try metrics.history(of: "m", run: run, limit: 10, from: next)
            _ = try metrics.curves(of: "m", runs: [run], limit: 20)
            _ = try metrics.curves(of: "m", runs: [run], steps: 10...20, limit: 20)
        }
        for name in ["run.detailMetrics", "run.detailParams", "run.detailTags", "metric.historyByStep", "metric.historyAfter", "metric.chunks", "metric.between"] {
            let plan = try #require(plans[name], "\(name) among \(plans.keys.sorted())")
            #expect(!plan.contains { $0.contains("SCAN") }, "\(name): \(plan)")
            if name.hasPrefix("metric.") { #expect(!plan.contains { $0.contains("TEMP B-TREE") }, "\(name): \(plan)") }
        }
    }

    private func plans(_ body: @escaping @Sendable (RunStore, String) throws -> Void) async throws -> [String: [String]] {
        let realm = try await TestRealm()
        return try await realm.database.write { tx in
            let experiment = try ExperimentStore(tx: tx).ensure(name: "plans", project: .implicit, at: Timestamp(milliseconds: 1))
            let store = RunStore(tx: tx)
            let run = try store.create(experiment: experiment, name: nil, user: "", tags: [:], at: Timestamp(milliseconds: 1), id: String(repeating: "0", count: 32))
            try store.log([MetricPoint(key: "auc", value: 1, timestamp: 1)], of: run)
            let explained = Explained(tx)
            try body(RunStore(tx: explained), experiment)
            return explained.plans
        }
    }
}

/// A transaction that asks for the plan of every statement before it runs it.
final class Explained: Transaction {
    private let tx: any Transaction
    private(set) var plans: [String: [String]] = [:]

    init(_ tx: any Transaction) { self.tx = tx }

    private func explain(_ statement: Statement, _ values: Bindings) throws {
        plans[statement.name] = try tx.all(Statement("explain", "EXPLAIN QUERY PLAN " + statement.sql), values).map { $0.text("detail") }
    }

    func run(_ statement: Statement, _ values: Bindings) throws -> Int { try tx.run(statement, values) }
    func run(_ statement: Statement, _ parameters: [String], forEach values: [SQLValue]) throws -> Int { try tx.run(statement, parameters, forEach: values) }

    func all(_ statement: Statement, _ values: Bindings) throws -> [Row] {
        try explain(statement, values)
        return try tx.all(statement, values)
    }

    func first(_ statement: Statement, _ values: Bindings) throws -> Row? {
        try explain(statement, values)
        return try tx.first(statement, values)
    }

    func forEach(_ statement: Statement, _ values: Bindings, _ body: (Row) throws -> Void) throws {
        try explain(statement, values)
        try tx.forEach(statement, values, body)
    }

    func scan(_ statement: Statement, _ values: Bindings, _ body: (any RowVisit) throws -> Bool) throws {
        try explain(statement, values)
        try tx.scan(statement, values, body)
    }

    func script(_ sql: String) throws { try tx.script(sql) }
}
