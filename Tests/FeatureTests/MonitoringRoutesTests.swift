import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import SlipwayAPI
import SlipwayCore
import SlipwayHTTP
import SlipwaySQL
import SlipwayServer
import SlipwayStore
import SlipwayTestSupport
import SlipwayWire
import Testing

@Suite("Monitoring's addresses")
struct MonitoringRoutesTests {
    /// A server with the slot `delay` in prod, and captured rows of April.
    private func prepared() async throws -> TestServer {
        let server = try await TestServer()
        try await server.bootstrap([
            ("ada", [.prod: [.engineer]]), ("vera", [.prod: [.viewer]]), ("dan", [.dev: [.contributor]]),
        ])
        let realm = try #require(server.foundations.realms[.prod])
        try await realm.database.write { tx in
            let file = MonitoringFixture.projectFile()
            let digest = try ProjectFileStore(tx: tx).put(file)
            let content = Release.Content(
                project: MonitoringFixture.project, kind: .model, commit: "c", tree: "t", lockDigest: digest, modelName: "delay", modelDigest: digest,
                trainingRun: "r", trainingEnvironment: .stage, snapshots: [:], contracts: [:], configDigests: ["prod": digest])
            let release = try Release(content: content, createdAt: Timestamp(milliseconds: 1), createdBy: "system:test", modelVersion: 1, execution: "e", metrics: [:])
            _ = try ReleaseStore(tx: tx).insert(release)
            var slot = Slot(name: MonitoringFixture.slot, project: MonitoringFixture.project, createdAt: Timestamp(milliseconds: 1))
            slot.current = release.id
            _ = try SlotStore(tx: tx).insert(slot)
        }
        let folder = realm.directory.appending(path: "captures/\(MonitoringFixture.slot)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let lines = MonitoringFixture.captured(release: ContentDigest(of: "some release")).joined(separator: "\n") + "\n"
        try Data(lines.utf8).write(to: folder.appending(path: "20261124T100000-1.ndjson"))
        return server
    }

    @Test("labels arrive at both addresses, the same bytes once", arguments: ["/prod/labels?slot=delay", "/api/v1/prod/labels?slot=delay"])
    func labels(path: String) async throws {
        let server = try await prepared()
        let ada = try await server.token("ada")
        let first = try await server.send(.post, path, token: ada, body: "key,label\nF1,1\nF2,0\n", headers: [.contentType: "text/csv"])
        #expect(first.status == .created)
        let batch = try WireCoder.decode(WireLabelBatch.self, from: Data(first.text.utf8))
        #expect(batch.rows == 2 && batch.isNew == true && batch.receivedBy == "user:ada")
        let again = try await server.send(.post, path, token: ada, body: "key,label\nF1,1\nF2,0\n")
        #expect(again.status == .ok && again.text.contains(batch.id))
        let list = try await server.send(.get, "/api/v1/prod/labels?slot=delay", token: ada)
        #expect(try WireCoder.decode(WirePage<WireLabelBatch>.self, from: Data(list.text.utf8)).items.map(\.id) == [batch.id])
    }

    @Test("a report is made, listed, shown and summed up")
    func report() async throws {
        let server = try await prepared()
        let ada = try await server.token("ada")
        let made = try await server.send(
            .post, "/api/v1/prod/drift/delay", token: ada, body: #"{"from": "2013-04-01", "to": "2013-05-01T00:00:00Z", "retrain": false}"#)
        #expect(made.status == .created, "\(made.text)")
        let report = try WireCoder.decode(WireDriftReport.self, from: Data(made.text.utf8))
        #expect(report.rows == 1500 && report.madeBy == "user:ada")
        let list = try await server.send(.get, "/api/v1/prod/drift/delay?limit=1", token: ada)
        #expect(try WireCoder.decode(WirePage<WireDriftReport>.self, from: Data(list.text.utf8)).items.map(\.id) == [report.id])
        let shown = try await server.send(.get, "/api/v1/prod/drift-reports/\(report.id.prefix(11))", token: ada)
        #expect(try WireCoder.decode(WireDriftReport.self, from: Data(shown.text.utf8)).id == report.id)
        let health = try await server.send(.get, "/api/v1/prod/drift", token: ada)
        #expect(try WireCoder.decode(WirePage<WireHealth>.self, from: Data(health.text.utf8)).items.map(\.report) == [report.id])
        let retrainings = try await server.send(.get, "/api/v1/prod/drift/delay/retrainings", token: ada)
        #expect(retrainings.text.contains(#""items":[]"#))
    }

    @Test(
        "who may not is refused, what does not fit is worded",
        arguments: [
            (nil, .post, "/prod/labels?slot=delay", "key,label\na,1\n", 401), (nil, .get, "/api/v1/prod/drift", nil, 401),
            ("vera", .post, "/prod/labels?slot=delay", "key,label\na,1\n", 403), ("vera", .get, "/api/v1/prod/drift/delay", nil, 200),
            ("vera", .post, "/api/v1/prod/drift/delay", #"{"from": "2013-04-01", "to": "2013-05-01"}"#, 403),
            ("vera", .post, "/api/v1/prod/drift/delay", #"{"from": "2013-04-01", "to": "2013-05-01", "retrain": false}"#, 201),
            ("dan", .get, "/api/v1/prod/drift/delay", nil, 403), ("ada", .post, "/prod/labels", "key,label\na,1\n", 400),
            ("ada", .post, "/prod/labels?slot=delay", "nonsense", 400), ("ada", .post, "/prod/labels?slot=nobody", "key,label\na,1\n", 404),
            ("ada", .post, "/api/v1/prod/drift/delay", #"{"from": "yesterday", "to": "2013-05-01"}"#, 400),
            ("ada", .post, "/api/v1/prod/drift/delay", #"{"from": "2012-04-01", "to": "2012-05-01"}"#, 404),
            ("ada", .get, "/api/v1/prod/drift/delay?limit=5000", nil, 400), ("ada", .get, "/api/v1/moon/drift", nil, 400),
            ("ada", .get, "/api/v1/prod/drift-reports/%25", nil, 404),
        ] as [(String?, HTTPRequest.Method, String, String?, Int)])
    func refusals(user: String?, method: HTTPRequest.Method, path: String, body: String?, status: Int) async throws {
        let server = try await prepared()
        var token: String?
        if let user { token = try await server.token(user) }
        let answer = try await server.send(method, path, token: token, body: body)
        #expect(answer.status.code == status, "\(answer.text)")
        if status >= 400 { #expect(answer.text.contains(#""message":"#)) }
    }
}
