import Foundation
import HTTPTypes
import Hummingbird
import SlipwayCore
import SlipwaySQL
import SlipwayServer
import SlipwayStore
import SlipwayWeb
import Testing

@Suite("Pages of experiments and runs") struct ExperimentPageTests {
    /// A server with experiment `sweep` (id 1) of `flights` in dev: `runs` runs with a rising `auc`, the last of them running.
    static func server(runs: Int) async throws -> (server: TestServer, headers: HTTPFields) {
        let server = try await TestServer()
        try await server.bootstrap([("ada", [.dev: [.contributor]]), ("dan", [.stage: [.viewer]])])
        try await server.foundations.realms[.dev]!.database.write { tx in
            let id = try ExperimentStore(tx: tx).create(name: "sweep", project: ProjectName(unchecked: "flights"), location: nil, tags: [:], at: Sample.now)
            let store = RunStore(tx: tx)
            for index in 0..<runs {
                let run = try store.create(
                    experiment: id, name: "run \(index)", user: "user:ada", tags: ["owner": index.isMultiple(of: 2) ? "ada" : "grace"],
                    at: Sample.now + .seconds(Int64(index)), id: self.id(index))
                _ = try store.logParam("model", index.isMultiple(of: 3) ? "tree" : "linear", of: run)
                _ = try store.logParam("learning rate", "0.\(index)", of: run)
                try store.log([MetricPoint(key: "auc", value: Double(index) / Double(max(runs, 1)), timestamp: 1, step: 0)], of: run)
                if index < runs - 1 { try store.finish(run.id, status: .finished, at: Sample.now + .seconds(Int64(index) + 60)) }
            }
        }
        return (server, try await WebRouteTests.cookie(server, "ada"))
    }

    static func id(_ index: Int) -> String { String(ContentDigest(of: "run \(index)").rawValue.prefix(32)) }

    static func names(_ html: String) -> [String] { html.matches(of: />(run \d+)<\/a><\/th>/).map { String($0.1) } }

    @Test("the list counts an experiment's runs and finds it by a part of its name")
    func list() async throws {
        let (server, headers) = try await Self.server(runs: 3)
        let all = try await server.send(.get, "/dev/experiments", headers: headers).text
        #expect(all.contains("href=\"/dev/experiments/1\">sweep</a>") && all.contains("<td class=\"n\">3</td>") && all.contains("Default"))
        let found = try await server.send(.get, "/dev/experiments?named=WEE", headers: headers).text
        #expect(found.contains("sweep") && !found.contains("Default"))
        let hostile = try await server.send(.get, "/dev/experiments?named=x%27%20OR%20%271%27%3D%271", headers: headers)
        #expect(hostile.status == .ok && hostile.text.contains("No experiment has"))
    }

    @Test("a run table pages through its runs, a hundred at a time")
    func paging() async throws {
        let (server, headers) = try await Self.server(runs: 230)
        var seen: [String] = []
        var address: String? = "/dev/experiments/1"
        while let here = address, seen.count <= 230 {
            let text = try await server.send(.get, here, headers: headers).text
            seen += Self.names(text)
            #expect(text.contains(" of 230 runs"))
            address = text.firstMatch(of: /<a rel="next" href="([^"]+)"/).map { String($0.1).replacing("&amp;", with: "&") }
        }
        #expect(seen == (0..<230).reversed().map { "run \($0)" })
    }

    @Test("filter, sort and columns are in the address, and survive each other")
    func query() async throws {
        let (server, headers) = try await Self.server(runs: 12)
        // As a browser writes a form: spaces are plus signs.
        let text = try await server.send(
            .get, "/dev/experiments/1?filter=params.model+%3D+%27tree%27+AND+metrics.auc+%3E+0.2&sort=metrics.auc&order=up&chosen=1&column=params.learning+rate&column=tags.owner",
            headers: headers
        ).text
        #expect(Self.names(text) == ["run 3", "run 6", "run 9"])
        #expect(text.contains("aria-sort=\"ascending\"") == false, "auc is not a column here")
        #expect(text.contains("value=\"params.model = &#39;tree&#39; AND metrics.auc &gt; 0.2\""))
        let heads = text.matches(of: /<small>(params|tags|metrics)<\/small><a href="([^"]+)">([^<]+)</)
        #expect(heads.map { String($0.3) } == ["learning rate", "owner"])
        let next = String(heads[0].2).replacing("&amp;", with: "&")
        #expect(next.contains("filter=params.model") && next.contains("column=tags.owner") && next.contains("sort=params.learning%20rate"))
        #expect(Self.names(try await server.send(.get, next, headers: headers).text).count == 3)
    }

    @Test("what is wrong with a filter is said at its box, and the box keeps it", arguments: ["metrics.auc >", "foo.bar = 1", "'; DROP TABLE run; --", "metrics.auc > 'x"])
    func wrongFilter(filter: String) async throws {
        let (server, headers) = try await Self.server(runs: 1)
        let encoded = filter.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        let (status, text, _) = try await server.send(.get, "/dev/experiments/1?filter=\(encoded)", headers: headers)
        #expect(status == .badRequest && text.contains("id=\"filter-error\"") && text.contains("aria-invalid=\"true\"") && Self.names(text).isEmpty)
        #expect(try await server.send(.get, "/dev/experiments/1", headers: headers).text.contains("run 0"))
    }

    @Test("the filter box gets names in the grammar's spelling and values by how often they occur")
    func completion() async throws {
        let (server, headers) = try await Self.server(runs: 9)
        let keys = try await server.send(.get, "/dev/experiments/1/complete", headers: headers).text
        for key in ["\"metrics.auc\"", "\"params.model\"", "\"params.`learning rate`\"", "\"tags.owner\"", "\"attributes.status\"", "\"datasets.name\""] {
            #expect(keys.contains(key), "\(key) in \(keys)")
        }
        #expect(try await server.send(.get, "/dev/experiments/1/complete?of=params.model", headers: headers).text == #"{"values":["linear","tree"]}"#)
        #expect(try await server.send(.get, "/dev/experiments/1/complete?of=tags.owner&starts=gr", headers: headers).text == #"{"values":["grace"]}"#)
        #expect(try await server.send(.get, "/dev/experiments/1/complete?of=params.learning+rate&starts=0.8", headers: headers).text == #"{"values":["0.8"]}"#)
    }

    @Test("a table with a running run is looked at again soon, one without less often")
    func live() async throws {
        let (server, headers) = try await Self.server(runs: 2)
        #expect(try await server.send(.get, "/dev/experiments/1", headers: headers).text.contains("data-live=\"4\""))
        #expect(try await server.send(.get, "/dev/experiments/1?filter=attributes.status+%3D+%27FINISHED%27", headers: headers).text.contains("data-live=\"20\""))
    }

    @Test("a comparison marks what differs, hides the rest on request, and takes runs away")
    func compare() async throws {
        let (server, headers) = try await Self.server(runs: 4)
        let ids = (0..<3).map { "run=\(Self.id($0))" }.joined(separator: "&")
        let text = try await server.send(.get, "/dev/compare?\(ids)", headers: headers).text
        #expect(text.contains("Compare 3 runs") && text.contains("≠</abbr> model</th>") && text.contains("data-key=\"owner\""))
        #expect(text.contains("<td class=\"other\">linear</td>") && text.contains("<td>tree</td>"))
        #expect(text.contains("{&quot;\(Self.id(0))&quot;:&quot;run 0&quot;,"), "the legend's names, in order")
        let fewer = String(try #require(text.firstMatch(of: /href="([^"]+)">take away</)).1).replacing("&amp;", with: "&")
        #expect(try await server.send(.get, fewer, headers: headers).text.contains("Compare 2 runs"))
        let same = "/dev/compare?run=\(Self.id(0))&run=\(Self.id(3))&only=differing"
        let differing = try await server.send(.get, same, headers: headers).text
        #expect(!differing.contains("data-key=\"model\"") && differing.contains("data-key=\"learning rate\""))
        #expect(try await server.send(.get, "/dev/compare?run=\(Self.id(0))", headers: headers).text.contains("Tick two runs or more"))
        #expect(try await server.send(.get, "/dev/compare?run=nothing&run=\(Self.id(0))", headers: headers).status == .notFound)
    }

    @Test(
        "whoever may not read the project sees neither its experiments nor its names",
        arguments: ["/dev/experiments/1", "/dev/experiments/1/complete", "/dev/compare?run=\(ExperimentPageTests.id(0))&run=\(ExperimentPageTests.id(1))"])
    func foreign(path: String) async throws {
        let (server, _) = try await Self.server(runs: 2)
        let headers = try await WebRouteTests.cookie(server, "dan")
        let (status, text, _) = try await server.send(.get, path, headers: headers)
        #expect(status == .forbidden && !text.contains("run 0") && !text.contains("learning rate"))
    }
}
