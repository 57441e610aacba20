import Foundation
import HTTPTypes
import SlipwayCore
import SlipwaySQL
import SlipwayServer
import SlipwayStore
import SlipwayTestSupport
import Testing

@testable import MLflowAPI

@Suite("GraphQL and the gateway's settings")
struct MLflowGraphQLTests {
    @Test("a query with aliases, variables and a fragment is answered with what was asked for")
    func query() async throws {
        let server = try await MLflowTestServer()
        let experiment = try await server.experiment()
        let run = try await server.run(in: experiment)
        let query = """
            query Q($id: String) @component(name: \\"x\\") { one: mlflowGetRun(input: {runId: $id}) { run { ...R experiment { name __typename } } } nothing }
            fragment R on MlflowRun { info { startTime endTime status } data { metrics { key } } }
            """.replacing("\n", with: " ")
        let answer = try await server.server.send(
            .post, "/dev/graphql", token: server.token, body: #"{"query":"\#(query)","variables":{"id":"\#(run)"},"operationName":"Q"}"#)
        let json = try CanonicalJSON.decode(JSONValue.self, from: answer.text)
        let found = json["data"]?["one"]?["run"]
        #expect(found?["info"]?["startTime"]?.string == "5" && found?["info"]?["endTime"]?.string == "0" && found?["info"]?["status"]?.string == "RUNNING")
        #expect(found?["experiment"] == ["name": "flights", "__typename": "MlflowExperiment"])
        #expect(found?["data"]?["metrics"] == [])
        #expect(json["errors"]?.array?.count == 1, "\(answer.text)")
    }

    @Test(
        "a query beyond its bounds, or none at all, is refused with a sentence",
        arguments: [
            "", "{", "{ a(", "query { a: b ", "{ mlflowGetRun { run } }", "fragment F on X { ...F } { ...F }", "{ ...G }",
            "{ " + (0...10).map { "a\($0): test { output }" }.joined(separator: " ") + " }", "{ test { " + (0...10).map { "a\($0): output" }.joined(separator: " ") + " } }",
            String(repeating: "{ a ", count: 11) + String(repeating: "}", count: 11), String(repeating: "{a", count: 100_000), "{ test(inputString: \\\"unclosed",
        ])
    func refused(_ query: String) async throws {
        let server = try await MLflowTestServer()
        let answer = try await server.server.send(.post, "/dev/graphql", token: server.token, body: #"{"query":"\#(query)"}"#)
        #expect(answer.status == .ok)
        #expect(try CanonicalJSON.decode(JSONValue.self, from: answer.text)["errors"]?.array?.isEmpty == false, "\(answer.text)")
    }

    @Test("nothing that is typed traps the reader", arguments: [UInt64.random(in: 0...UInt64.max), 5])
    func noise(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let pieces = ["{", "}", "(", ")", "[", "]", "a", ":", "$", "...", "on", "query", "fragment", "\"x\"", "\"", "\\", "1", "-", "#", "\n", "@", "é", "."]
        var refused = 0
        for _ in 0..<3000 {
            let text = (0..<Int.random(in: 0...14, using: &random)).map { _ in pieces.randomElement(using: &random)! }.joined(separator: " ")
            do { _ = try GraphQLQuery(parsing: text, operation: nil) } catch { refused += 1 }
        }
        #expect(refused > 2000, "seed \(seed)")
    }

    @Test("a secret shows only masked, and lies sealed in the database")
    func secrets() async throws {
        let server = try await MLflowTestServer(people: true)
        let send = { (path: String, body: String) in try await server.server.send(.post, "/dev/api/3.0/mlflow/gateway/\(path)", token: server.token, body: body) }
        let made = try await send("secrets/create", #"{"secret_name":"s","provider":"openai","secret_value":{"api_key":"sk-plain-words-1234","short":"abc"}}"#)
        #expect(made.status == .ok && made.text.contains("sk-...1234") && made.text.contains("\"***\"") && !made.text.contains("plain"), "\(made.text)")
        #expect(try await send("secrets/create", #"{"secret_name":"s","secret_value":{"a":"b"}}"#).text.contains("RESOURCE_ALREADY_EXISTS"))
        let rows = try await server.server.foundations.realms[.dev]!.database.read { tx in
            try tx.all(Statement("test.gateway", "SELECT body, sealed FROM gateway_record")).map { $0.text("body") + $0.text("sealed") }
        }
        #expect(rows.count == 1 && !rows[0].contains("plain"))
        let key = try SealingKey(file: server.server.folder.url.appending(path: "dev/gateway.key"))
        #expect(throws: SlipwayError.self) { try SealingKey(passphrase: "another").unseal(key.seal("text")) }
        #expect(try key.unseal(key.seal("text")) == "text")
        let model = try await send("model-definitions/create", #"{"name":"m","provider":"openai","model_name":"g","secret_id":"s-none"}"#)
        #expect(model.status == .notFound)
        #expect(try await send("endpoints/create", #"{"name":"e","model_configs":[]}"#).status == .badRequest)
    }
}
