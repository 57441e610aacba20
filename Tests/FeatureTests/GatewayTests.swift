import Foundation
import NIOHTTP1
import SlipwayCore
import SlipwayTestSupport
import Synchronization
import Testing

@testable import Serving

@Suite("The gateway with real workers", .serialized, .enabled(if: TestPython.isThere, "SLIPWAY_TEST_PYTHON names no interpreter"))
struct GatewayTests {
    private static let split = #"{"dataframe_split":{"columns":["a","b","key"],"data":[[2,2.5,"x"],[-2,-2,"y"]]}}"#
    private static func mood(_ mood: String) -> String { #"{"dataframe_records":[{"mood":"\#(mood)"}]}"# }

    @Test("a scikit-learn classifier answers its probability in every shape, and each row is captured with it")
    func shapes() async throws {
        let fixture = try GatewayFixture()
        let models = try await TestModels.shared.folder()
        try await fixture.route([GatewayFixture.deployment("old", model: models.appending(path: "steady"))])
        try await fixture.run {
            try await fixture.untilReady()
            let answer = try await fixture.ask("/endpoints/late/invocations", Self.split, id: "order-7")
            #expect(answer.status == 200, "\(answer.text)")
            let predictions = (answer.json["predictions"]?.array ?? []).compactMap(\.double)
            #expect(predictions.count == 2)
            #expect((0.9...1).contains(predictions.first ?? -1))
            #expect((0...0.1).contains(predictions.last ?? -1))
            #expect(answer.headers["x-request-id"] == ["order-7"])
            #expect(answer.headers["x-slipway-release"] == [ContentDigest(of: "old").rawValue])
            #expect(answer.headers["x-slipway-model-version"] == ["1"])

            let one = #"{"a":2,"b":2.5}"#
            for (path, body, type) in [
                ("/dev/endpoints/late/invocations", #"{"dataframe_records":[\#(one)]}"#, "application/json"),
                ("/endpoints/late/invocations", #"{"instances":[\#(one)]}"#, "application/json; charset=utf-8"),
                ("/endpoints/late/invocations", #"{"inputs":{"a":[2],"b":[2.5]}}"#, "application/json"),
                ("/endpoints/late/invocations", "a,b\n2,2.5\n", "text/csv"),
            ] {
                let other = try await fixture.ask(path, body, type: type)
                #expect(other.status == 200, "\(body): \(other.text)")
                #expect(abs((other.json["predictions"]?.array?.first?.double ?? -1) - predictions[0]) < 1e-9, "\(body): \(other.text)")
            }
            let columns = #"{"id":"q","inputs":[{"name":"a","shape":[1],"datatype":"FP64","data":[2]},{"name":"b","shape":[1,1],"datatype":"FP64","data":[2.5]}]}"#
            let matrix = #"{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[2,2.5]}]}"#
            for body in [columns, matrix] {
                let infer = try await fixture.ask("/dev/v2/models/late/infer", body)
                #expect(infer.status == 200, "\(infer.text)")
                #expect(abs((infer.json["outputs"]?.array?.first?["data"]?.array?.first?.double ?? -1) - predictions[0]) < 1e-9)
                #expect(infer.json["model_name"] == "late")
            }
            let metadata = try await fixture.ask("/v2/models/late", method: .GET)
            #expect(metadata.json["inputs"]?.array?.first == ["name": "a", "datatype": "FP64", "shape": [-1]])
            #expect(try await fixture.ask("/v2/models/late/ready", method: .GET).json["ready"] == true)
            #expect(try await fixture.ask("/v2/health/ready", method: .GET).json["ready"] == true)

            try await fixture.link.flush()
            let captured = try fixture.captured()
            #expect(captured.count == 8)
            #expect(captured.first?["row"] == ["a": 2, "b": 2.5, "key": "x"])
            #expect(captured.first?["id"] == "order-7:0")
            #expect(captured.first?["prediction"]?.double == predictions[0])
            #expect(captured.allSatisfy { $0["row"]?["a"]?.double != nil && $0["prediction"]?.double != nil })
            #expect(try await fixture.status().captured == 8)
            #expect(try await fixture.status().deployments.first?.rows == 8)
        }
    }

    @Test("bodies that make no sense get 400 in MLflow's words, and count against nobody")
    func malformed() async throws {
        let fixture = try GatewayFixture()
        let models = try await TestModels.shared.folder()
        try await fixture.route([GatewayFixture.deployment("old", model: models.appending(path: "steady"))])
        try await fixture.run(change: { $0.bodyBytesMax = 1000 }) {
            try await fixture.untilReady()
            for (body, word) in [
                ("{", "not JSON"), ("[]", "object"), ("{}", "exactly one"), (#"{"dataframe_split":7}"#, "split"), (#"{"instances":[],"inputs":[]}"#, "exactly one"),
                (#"{"dataframe_split":{"columns":["a"],"data":[[1,2]]}}"#, "columns"), (#"{"dataframe_records":[{"a":1}]}"#, "missing"),
                (#"{"dataframe_records":[{"a":"x","b":1}]}"#, "convert"), ("\u{0}", "not JSON"), (#"{"dataframe_records":[],"colour":1}"#, "colour"),
            ] {
                let answer = try await fixture.ask("/endpoints/late/invocations", body)
                #expect(answer.status == 400, "\(body): \(answer.text)")
                #expect(answer.json["error_code"] == "BAD_REQUEST")
                #expect(answer.json["message"]?.string?.contains(word) == true, "\(body): \(answer.text)")
            }
            for body in ["{", "{}", #"{"inputs":[{"name":"a","shape":[3],"data":[1]}]}"#, #"{"inputs":[{"name":"a","shape":[-1],"data":[1]}]}"#] {
                let infer = try await fixture.ask("/v2/models/late/infer", body)
                #expect(infer.status == 400)
                #expect(infer.json["error"]?.string != nil)
            }
            #expect(try await fixture.ask("/endpoints/late/invocations", "x", type: "text/html").status == 415)
            #expect(try await fixture.ask("/endpoints/late/invocations", String(repeating: " ", count: 2000)).status == 413)
            let status = try #require(try await fixture.status().deployments.first).status
            #expect(status.requests == 0)
            #expect(status.errors == 0)
        }
    }

    @Test("nobody is refused, somebody without the role is refused, and who was let in stays in while the control plane is away")
    func access() async throws {
        let fixture = try GatewayFixture()
        let models = try await TestModels.shared.folder()
        try await fixture.route([GatewayFixture.deployment("old", model: models.appending(path: "steady"))])
        try await fixture.run {
            try await fixture.untilReady()
            for (path, method) in [
                ("/endpoints/late/invocations", "POST"), ("/dev/endpoints/late/invocations", "POST"), ("/v2", "GET"), ("/v2/health/live", "GET"),
                ("/v2/health/ready", "GET"), ("/v2/models/late", "GET"), ("/v2/models/late/ready", "GET"), ("/v2/models/late/infer", "POST"),
            ] {
                #expect(try await fixture.ask(path, method == "POST" ? "{}" : nil, method: .RAW(value: method), token: nil).status == 401, "\(path)")
            }
            #expect(try await fixture.ask("/endpoints/late/invocations", Self.split, token: "weak").status == 403)
            #expect(try await fixture.ask("/endpoints/other/invocations", Self.split).status == 404)
            #expect(try await fixture.ask("/healthz", method: .GET, token: nil).status == 200)
            #expect(try await fixture.ask("/endpoints/late/invocations", Self.split).status == 200)
            fixture.controlPlaneIsAway.withLock { $0 = true }
            #expect(try await fixture.ask("/endpoints/late/invocations", Self.split).status == 200)
            let stranger = try await fixture.ask("/endpoints/late/invocations", Self.split, token: "new")
            #expect(stranger.status == 503)
            #expect(stranger.headers["retry-after"] == ["1"])
        }
    }

    @Test("a canary gets its share, a warm deployment none")
    func canary() async throws {
        let seed: UInt64 = 5
        let fixture = try GatewayFixture()
        let models = try await TestModels.shared.folder()
        let moody = models.appending(path: "moody")
        try await fixture.route([GatewayFixture.deployment("old", model: moody), GatewayFixture.deployment("new", model: moody, weight: 0)], capture: 0)
        try await fixture.run(seed: seed) {
            try await fixture.untilReady()
            try await eventually("the warm one is ready") { try await fixture.status().deployments.allSatisfy { $0.status.state == .ready } }
            for _ in 0..<20 { #expect(try await fixture.ask(GatewayTests.path, Self.mood("fine")).headers["x-slipway-model-version"] == ["1"]) }
            try await fixture.route(
                [GatewayFixture.deployment("old", model: moody, weight: 75), GatewayFixture.deployment("new", model: moody, weight: 25)], revision: 2, capture: 0)
            try await fixture.untilReady(2)
            var versions: [String] = []
            for _ in 0..<200 { versions += try await fixture.ask(GatewayTests.path, Self.mood("fine")).headers["x-slipway-model-version"] }
            let share = versions.filter { $0 == "2" }.count
            #expect((30...70).contains(share), "seed \(seed)")
            let requests = try await fixture.status().deployments.map(\.status.requests)
            #expect(requests == [Int64(220 - share), Int64(share)])
        }
    }
    private static let path = "/endpoints/late/invocations"

    @Test("what does not fit in the queue gets 429 and when to come back")
    func queue() async throws {
        let fixture = try GatewayFixture()
        let models = try await TestModels.shared.folder()
        try await fixture.route([GatewayFixture.deployment("old", model: models.appending(path: "moody"))])
        try await fixture.run(change: { $0.queueMax = 2 }) {
            try await fixture.untilReady()
            let answers = try await withThrowingTaskGroup(of: GatewayFixture.Answer.self) { group in
                for _ in 0..<8 { group.addTask { try await fixture.ask(Self.path, Self.mood("sleep1")) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.filter { $0.status == 200 }.count == 3)
            let refused = answers.filter { $0.status == 429 }
            #expect(refused.count == 5)
            #expect(refused.allSatisfy { $0.headers["retry-after"] == ["1"] && $0.json["error_code"] == "REQUEST_LIMIT_EXCEEDED" })
        }
    }

    @Test("a worker that dies, hangs or raises costs its request only, and is counted")
    func faults() async throws {
        let fixture = try GatewayFixture()
        let models = try await TestModels.shared.folder()
        try await fixture.route([GatewayFixture.deployment("old", model: models.appending(path: "moody"))])
        try await fixture.run(change: { $0.deadline = .seconds(2) }) {
            try await fixture.untilReady()
            let raised = try await fixture.ask(Self.path, Self.mood("raise"))
            #expect(raised.status == 500)
            #expect(raised.json["message"]?.string?.contains("a mood") == true)
            let odd = try await fixture.ask(Self.path, Self.mood("nan"))
            #expect(odd.json["predictions"] == [nil])
            #expect(try await fixture.ask(Self.path, Self.mood("die")).status == 502)
            try await eventually("it answers again") { try await fixture.ask(Self.path, Self.mood("fine")).status == 200 }
            #expect(try await fixture.ask(Self.path, Self.mood("hang")).status == 504)
            try await eventually("it answers again") { try await fixture.ask(Self.path, Self.mood("fine")).status == 200 }
            let status = try #require(try await fixture.status().deployments.first).status
            #expect(status.errors == 3)
            #expect(status.notANumber == 1)
            #expect(status.requests == 6)
        }
    }

    @Test("an upgrade that cannot load leaves the old deployment answering, and one that can takes over")
    func upgrade() async throws {
        let fixture = try GatewayFixture()
        let models = try await TestModels.shared.folder()
        let moody = models.appending(path: "moody")
        try await fixture.route([GatewayFixture.deployment("old", model: moody)])
        try await fixture.run {
            try await fixture.untilReady()
            try await fixture.route([GatewayFixture.deployment("new", model: models.appending(path: "nowhere"))], revision: 2)
            try await eventually("the failure is seen") { try await fixture.status().deployments.first?.status.state == .failed }
            let status = try await fixture.status()
            #expect(status.revision == 1)
            #expect(status.deployments.first?.status.reason?.contains("nowhere") == true, "\(status)")
            #expect(try await fixture.ask(Self.path, Self.mood("fine")).headers["x-slipway-model-version"] == ["1"])
            // The routing file half written by somebody else changes nothing.
            try Data("{".utf8).write(to: fixture.serving.routing)
            try await fixture.link.reload()
            #expect(try await fixture.ask(Self.path, Self.mood("fine")).status == 200)
            try await fixture.route([GatewayFixture.deployment("new", model: moody)], revision: 3)
            try await fixture.untilReady(3)
            #expect(try await fixture.ask(Self.path, Self.mood("fine")).headers["x-slipway-model-version"] == ["2"])
        }
    }

    @Test("segments of a killed gateway are closed at the next start, without the line that was cut")
    func leftovers() async throws {
        let fixture = try GatewayFixture()
        let place = fixture.serving.captures.appending(path: "late")
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        try Data("{\"row\":{\"a\":1}}\n{\"row\":{\"a".utf8).write(to: place.appending(path: "20260101T000000-1.open"))
        try Data("{\"ro".utf8).write(to: place.appending(path: "20260101T000000-2.open"))
        try await fixture.run {
            try await eventually("it is closed") { try fixture.captured().count == 1 }
            #expect(try FileManager.default.contentsOfDirectory(atPath: place.path) == ["20260101T000000-1.ndjson"])
        }
    }
}
