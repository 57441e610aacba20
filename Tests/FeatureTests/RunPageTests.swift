import Foundation
import HTTPTypes
import Hummingbird
import SlipwayCore
import SlipwaySQL
import SlipwayServer
import SlipwayStore
import SlipwayWeb
import Testing

@Suite("Pages of one run") struct RunPageTests {
    /// Run 0 of `ExperimentPageTests.server` with a curve of `points` points of `loss`, the one in the middle far above the rest.
    static func server(points: Int = 10) async throws -> (server: TestServer, headers: HTTPFields, run: String) {
        let (server, headers) = try await ExperimentPageTests.server(runs: 1)
        let run = ExperimentPageTests.id(0)
        try await server.foundations.realms[.dev]!.database.write { tx in
            let store = RunStore(tx: tx)
            let found = try #require(try store.run(run))
            let curve = (0..<points).map { step -> MetricPoint in
                let value = step == points / 2 ? Double.nan : 1 / Double(step + 1)
                return MetricPoint(key: "train/loss", value: value, timestamp: Int64(step), step: Int64(step))
            }
            try store.log(curve, of: found)
            // The same steps, the last ones first.
            for sample in stride(from: points - 1, to: points > 2000 ? 0 : points, by: -500) {
                let earlier = curve[max(0, sample - 499)...sample].map { MetricPoint(key: "backwards", value: Double($0.step % 7), timestamp: $0.timestamp, step: $0.step) }
                try store.log(earlier, of: found)
            }
        }
        return (server, headers, run)
    }

    static func put(_ path: String, _ text: String, _ server: TestServer, run: String) async throws {
        let (status, answer, _) = try await server.send(
            .put, "/dev/api/2.0/mlflow-artifacts/artifacts/1/\(run)/artifacts/\(path)", token: try await server.token("ada"), body: text,
            headers: [.contentType: "application/octet-stream"])
        #expect(status == .ok, "\(answer)")
    }

    @Test("a run that goes on is looked at again, and says where its curves come from")
    func live() async throws {
        let (server, headers, run) = try await Self.server()
        let text = try await server.send(.get, "/dev/runs/\(run)", headers: headers).text
        #expect(text.contains("<span id=\"status\" data-live=\"3\">") && text.contains("<div id=\"now\" data-live=\"3\">"))
        #expect(text.contains("data-curves=\"/dev/curves?metric=train%2Floss&amp;run=\(run)\""))
        #expect(!text.contains("data-key=\"auc\""), "a metric without steps has no curve")
        try await server.foundations.realms[.dev]!.database.write { tx in try RunStore(tx: tx).finish(run, status: .finished, at: Sample.now) }
        #expect(try await server.send(.get, "/dev/runs/\(run)", headers: headers).text.contains("data-live") == false)
    }

    @Test("points come as JSON, what is not a number as null, a range of steps by itself")
    func curves() async throws {
        let (server, headers, run) = try await Self.server(points: 4)
        let all = try await server.send(.get, "/dev/curves?metric=train/loss&run=\(run)", headers: headers).text
        #expect(all == "{\"series\":[{\"run\":\"\(run)\",\"step\":[0,1,2,3],\"time\":[0,1,2,3],\"value\":[1.0,0.5,null,0.25],\"isWhole\":true}]}")
        let part = try await server.send(.get, "/dev/curves?metric=train/loss&run=\(run)&from=1&to=2", headers: headers).text
        #expect(part.contains("\"step\":[1,2]") && part.contains("\"isWhole\":false"))
        #expect(try await server.send(.get, "/dev/curves?metric=nothing&run=\(run)", headers: headers).text.contains("\"step\":[]"))
        #expect(try await server.send(.get, "/dev/curves?run=\(run)", headers: headers).status == .badRequest)
        let stranger = try await WebRouteTests.cookie(server, "dan")
        #expect(try await server.send(.get, "/dev/curves?metric=train/loss&run=\(run)", headers: stranger).status == .forbidden)
    }

    @Test("a long curve is thinned on the server, and read to its end as a table")
    func long() async throws {
        let (server, headers, run) = try await Self.server(points: 3000)
        let curve = try await server.send(.get, "/dev/curves?metric=train/loss&run=\(run)", headers: headers).text
        let part = try await server.send(.get, "/dev/curves?metric=backwards&run=\(run)&from=100&to=150", headers: headers).text
        #expect(part.contains("\"step\":[\((100...150).map(String.init).joined(separator: ","))]"), "zoomed in, nothing is left out, in whatever order it came")
        #expect(curve.utf8.count < 120_000 && curve.contains("\"isWhole\":false") && curve.contains("2999]"), "\(curve.utf8.count)")
        var rows = 0
        var address: String? = "/dev/runs/\(run)/metric?key=train/loss"
        while let here = address, rows <= 3000 {
            let text = try await server.send(.get, here, headers: headers).text
            rows += text.matches(of: /<tr><th scope="row" class="n">/).count
            address = text.firstMatch(of: /<a rel="next" href="([^"]+)"/).map { String($0.1).replacing("&amp;", with: "&") }
        }
        #expect(rows == 3000)
    }

    @Test("artifacts are shown by what they are")
    func previews() async throws {
        let (server, headers, run) = try await Self.server()
        try await Self.put("eval/rows.csv", "id,name\n1,\"a, \"\"b\"\"\"\n2,c\n", server, run: run)
        try await Self.put("eval/table.json", #"{"columns":["q","s"],"data":[["why",1.5],["how",null]]}"#, server, run: run)
        try await Self.put("eval/flat.json", #"{"b":{"c":[1,2]},"a":"{x}"}"#, server, run: run)
        try await Self.put("eval/page.html", "<script>alert(1)</script>", server, run: run)
        try await Self.put("eval/bytes", "a\0b", server, run: run)
        try await Self.put("notes.md", "# <b>Notes</b>", server, run: run)
        func shown(_ path: String) async throws -> String { try await server.send(.get, "/dev/runs/\(run)/artifacts?path=\(path)", headers: headers).text }

        let folder = try await shown("eval")
        #expect(folder.contains("path=eval%2Frows.csv") && folder.contains("path=notes.md") && folder.contains("Choose a file."))
        #expect(try await shown("eval/rows.csv").contains("<th scope=\"row\">1</th><td>a, &quot;b&quot;</td>"))
        #expect(try await shown("eval/table.json").contains("<th scope=\"row\">why</th><td>1.5</td>"))
        #expect(try await shown("eval/flat.json").contains("  &quot;b&quot;: {\n    &quot;c&quot;: [\n      1,\n      2\n    ]\n  },\n  &quot;a&quot;: &quot;{x}&quot;\n}"))
        #expect(try await shown("notes.md").contains("# &lt;b&gt;Notes&lt;/b&gt;"))
        #expect(try await shown("eval/bytes").contains("no preview"))
        let page = try await shown("eval/page.html")
        #expect(page.contains("sandbox=\"allow-scripts\"") && !page.contains("alert(1)"))
        for missing in ["nothing", "eval/nothing", "../x", "eval/../../x"] {
            #expect(try await server.send(.get, "/dev/runs/\(run)/artifacts?path=\(missing)", headers: headers).status == .notFound, "\(missing)")
        }
    }

    @Test("whatever somebody logged has no rights: no origin, no form, no request, nothing above it")
    func sandbox() async throws {
        let (server, headers, run) = try await Self.server()
        for (name, type) in [("page.html", "text/html; charset=utf-8"), ("x.svg", "image/svg+xml"), ("x.js", "text/plain; charset=utf-8"), ("x.bin", "application/octet-stream")] {
            try await Self.put(name, "<script>alert(1)</script>", server, run: run)
            let answer = try await server.send(.get, "/dev/runs/\(run)/artifact?path=\(name)", headers: headers).headers
            let policy = answer[.contentSecurityPolicy] ?? ""
            #expect(answer[.contentType] == type && policy.contains("sandbox") && policy.contains("default-src 'none'"), "\(name): \(policy)")
            #expect(!policy.contains("allow-same-origin") && !policy.contains("allow-top-navigation") && !policy.contains("allow-forms"), "\(name)")
            #expect(policy.contains("allow-scripts") == (name == "page.html") && answer[.xContentTypeOptions] == "nosniff", "\(name)")
        }
        let saved = try await server.send(.get, "/dev/runs/\(run)/artifact?path=page.html&save=1", headers: headers).headers
        #expect(saved[.contentDisposition] == "attachment; filename*=UTF-8''page.html")
    }
}
