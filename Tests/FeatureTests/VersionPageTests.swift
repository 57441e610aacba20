import Foundation
import HTTPTypes
import Hummingbird
import SlipwayCore
import SlipwaySQL
import SlipwayServer
import SlipwayStore
import SlipwayWeb
import Testing

@Suite("Pages of model versions, and links to pages") struct VersionPageTests {
    /// Two versions of `delay` in dev, made from a run's artifacts through the MLflow interface.
    static func server() async throws -> (server: TestServer, headers: HTTPFields) {
        let (server, headers) = try await ExperimentPageTests.server(runs: 2)
        let token = try await server.token("ada")
        func post(_ path: String, _ body: String) async throws {
            let (status, text, _) = try await server.send(.post, "/dev/api/2.0/mlflow/\(path)", token: token, body: body)
            #expect(status == .ok, "\(path): \(text)")
        }
        try await post("registered-models/create", #"{"name": "delay"}"#)
        for index in 0..<2 {
            let run = ExperimentPageTests.id(index)
            try await RunPageTests.put("model/weights.txt", "weights \(index)", server, run: run)
            try await RunPageTests.put("model/same.txt", "same", server, run: run)
            try await post("model-versions/create", #"{"name": "delay", "source": "runs:/\#(run)/model", "run_id": "\#(run)"}"#)
        }
        try await post("registered-models/alias", #"{"name": "delay", "alias": "best", "version": "2"}"#)
        return (server, headers)
    }

    @Test("a version's page leads from its run to its files, and says what is missing")
    func version() async throws {
        let (server, headers) = try await Self.server()
        let list = try await server.send(.get, "/dev/models?named=ELA", headers: headers).text
        #expect(list.contains("href=\"/dev/models/delay\"") && list.contains("href=\"/dev/models/delay/versions/2\""))
        #expect(try await server.send(.get, "/dev/models?named=nothing", headers: headers).text.contains("No registered model has that"))
        #expect(try await server.send(.get, "/dev/models/delay", headers: headers).text.contains("href=\"/dev/models/delay/versions/1\""))
        let page = try await server.send(.get, "/dev/models/delay/versions/2", headers: headers).text
        #expect(page.contains("href=\"/dev/runs/\(ExperimentPageTests.id(1))\">run 1</a>") && page.contains("best</span>"))
        #expect(page.contains("Sealed into no release") && page.contains("Not made from a commit.") && page.contains("No data was named."))
        let link = String(try #require(page.firstMatch(of: /href="([^"]+)">weights.txt</)).1).replacing("&amp;", with: "&")
        #expect(try await server.send(.get, link, headers: headers).text.contains("weights 1"))
        let raw = try await server.send(.get, "/dev/models/delay/versions/2/artifact?path=weights.txt", headers: headers)
        #expect(raw.text == "weights 1" && raw.headers[.contentSecurityPolicy]?.contains("sandbox") == true)
        let run = try await server.send(.get, "/dev/runs/\(ExperimentPageTests.id(1))", headers: headers).text
        #expect(run.contains("href=\"/dev/models/delay/versions/2\">delay v2</a>"))
        for missing in ["9", "0", "x"] { #expect(try await server.send(.get, "/dev/models/delay/versions/\(missing)", headers: headers).status == .notFound) }
        let stranger = try await WebRouteTests.cookie(server, "dan")
        for path in ["", "/artifacts", "/artifact?path=weights.txt"] {
            #expect(try await server.send(.get, "/dev/models/delay/versions/2\(path)", headers: stranger).status == .forbidden, "\(path)")
        }
    }

    @Test("two versions beside each other show what differs and nothing else")
    func beside() async throws {
        let (server, headers) = try await Self.server()
        let text = try await server.send(.get, "/dev/models/delay/versions/2?with=1", headers: headers).text
        let table = try #require(text.components(separatedBy: "id=\"beside\"").last)
        for name in ["<small>File</small> weights.txt", "<small>Param</small> model", "<small>Metric</small> auc"] { #expect(table.contains(name), "\(name)") }
        #expect(!table.contains("same.txt"))
        #expect(try await server.send(.get, "/dev/models/delay/versions/2?with=7", headers: headers).status == .notFound)
    }

    @Test(
        "links of MLflow's client lead to our pages",
        arguments: [
            ("experiments/1/runs/abc", "/dev/runs/abc"), ("experiments/1", "/dev/experiments/1"), ("experiments/1/overview", "/dev/experiments/1"),
            ("experiments/1/runs/abc/artifacts/plots/roc.png", "/dev/runs/abc/artifacts?path=plots%2Froc.png"), ("experiments/1/runs/abc/model-metrics", "/dev/runs/abc"),
            ("experiments/1/models/m-1", "/dev/logged-models/m-1/artifacts"), ("models/a%20b/versions/3", "/dev/models/a%20b/versions/3"), ("models/x", "/dev/models/x"),
            ("experiments/1/traces", "/dev/experiments/1/traces"),
            ("experiments/1/traces?o=1&selectedEvaluationId=tr-1f", "/dev/traces/tr-1f"),
            ("prompts/p", "/dev/models/p"), ("models", "/dev/models"), ("experiments?searchFilter=x", "/dev/experiments"), ("", "/dev/experiments"),
            ("//evil.example", "/dev/experiments"), ("experiments/..%2F..%2Fsign-out", "/dev/experiments/..%2F..%2Fsign-out"),
        ])
    func links(link: String, place: String) { #expect(LinkRoutes.place(of: link, in: .dev).text == place) }

    @Test("an environment's own address shows its experiments; addresses without one are dev's")
    func homes() async throws {
        let (server, headers) = try await ExperimentPageTests.server(runs: 1)
        #expect(try await server.send(.get, "/dev", headers: headers).text.contains("sweep"))
        #expect(try await server.send(.get, "/dev/", headers: headers).text.contains("sweep"))
        #expect(try await server.send(.get, "/nowhere", headers: headers).status == .notFound)
        for (path, place) in [
            ("/dev/go?to=experiments%2F1%2Fruns%2Fabc", "/dev/runs/abc"), ("/experiments/1/runs/abc", "/dev/runs/abc"), ("/experiments", "/dev/experiments"),
            ("/models/delay", "/dev/models/delay"), ("/dev/experiments/1/runs/abc", "/dev/runs/abc"), ("/stage/experiments/1/overview", "/stage/experiments/1"),
        ] {
            let (status, _, answer) = try await server.send(.get, path, headers: headers)
            #expect(status == .seeOther && answer[.location] == place, "\(path) leads to \(answer[.location] ?? "nothing")")
        }
        #expect(try await server.send(.get, "/dev/experiments/1/complete", headers: headers).text.hasPrefix("{\"keys\""))
    }
}
