import Foundation
import NIOCore
import SlipwayCore
import SlipwayTestSupport
import Synchronization
import Testing

@testable import Serving

@Suite("Serving's rules") struct ServingRulesTests {
    @Test("choices follow the weights, and a weight of 0 never answers")
    func weights() {
        let seed: UInt64 = 20_131_124
        var generator = SeededGenerator(seed: seed)
        var counts = [0, 0, 0]
        for _ in 0..<10_000 { counts[WeightedChoice.index(weights: [5, 0, 95], draw: generator.next())!] += 1 }
        #expect(counts[1] == 0)
        #expect((430...570).contains(counts[0]), "seed \(seed)")
        #expect(WeightedChoice.index(weights: [0, 0], draw: 7) == nil)
        #expect(WeightedChoice.index(weights: [1, 1], draw: .max) == 1)
        #expect(WeightedChoice.index(weights: [1, 1], draw: 0) == 0)
    }

    @Test("a new wish takes over when all that shall answer is ready, and never before while the old one answers")
    func takeOver() {
        #expect(TakeOver.isDue(wanted: [(95, true), (5, true)], present: [(100, true)]))
        #expect(TakeOver.isDue(wanted: [(100, true), (0, false)], present: [(100, true)]))
        #expect(!TakeOver.isDue(wanted: [(100, false)], present: [(100, true)]))
        #expect(TakeOver.isDue(wanted: [(100, false)], present: [(100, false)]))
        #expect(TakeOver.isDue(wanted: [(95, true), (5, false)], present: []))
        #expect(!TakeOver.isDue(wanted: [(95, true), (5, false)], present: [(100, true)]))
    }

    @Test("quantiles lie within a bucket's width of the truth")
    func quantiles() {
        var histogram = LatencyHistogram()
        #expect(histogram.quantile(0.95) == 0)
        for value in 1...1000 { histogram.record(milliseconds: Double(value) / 10) }
        #expect(abs(histogram.quantile(0.5) - 50) < 50 * 0.25)
        #expect(abs(histogram.quantile(0.95) - 95) < 95 * 0.25)
        histogram.record(milliseconds: 1e9)
        #expect(histogram.quantile(1).isFinite)
    }

    @Test("a minute's traffic is kept apart from the next, and old minutes go")
    func minutes() {
        let meter = DeploymentMeter()
        for minute in 0..<200 {
            meter.record(at: Timestamp(milliseconds: Int64(minute) * 60_000 + 5), milliseconds: 2, rows: 10, notANumber: 1, failed: minute == 199)
        }
        #expect(meter.totals.requests == 200)
        #expect(meter.totals.rows == 2000)
        #expect(meter.totals.notANumber == 200)
        #expect(meter.traffic.count == DeploymentMeter.minutesMax)
        #expect(meter.traffic.last?.errors == 1)
        #expect(meter.traffic.last?.at == Timestamp(milliseconds: 199 * 60_000))
    }

    // MARK: Capture

    private static func lines(_ request: String, _ answer: String, _ form: WorkerAnswer.Form, rows: Int = 2, captured: String = "") throws -> [JSONValue] {
        let item = CapturedRequest(
            slot: SlotName(unchecked: "late"), release: ContentDigest(of: "r"), version: 3, generation: 7, id: "a\"b", at: Timestamp(milliseconds: 0),
            milliseconds: 1.5, request: ByteBuffer(string: request),
            answer: WorkerAnswer(
                status: 200, form: form, rows: rows, notANumber: 0, body: ByteBuffer(string: answer), captured: ByteBuffer(string: captured)))
        var bytes: [UInt8] = []
        let count = try CaptureWriter.append(item, to: &bytes)
        let values = try bytes.split(separator: UInt8(ascii: "\n")).map { try JSONDecoder().decode(JSONValue.self, from: Data($0)) }
        #expect(values.count == count)
        return values
    }

    @Test("a split request is captured row by row, text and numbers as they came")
    func captureSplit() throws {
        let request = #"""
            {"params": {"x": [1]}, "dataframe_split" : {"index":[0,1], "columns": ["a b", "c\"d", 3],
              "data": [[1.50, "x, ]}\\\" y", null],
                       [-0.5, {"k": [1, 2]}, NaN]]}}
            """#
        let found = try Self.lines(request, #"{"predictions":[0.25,[1,2]]}"#, .split)
        #expect(found.count == 2)
        #expect(found[0]["row"] == ["a b": 1.5, "c\"d": .string(#"x, ]}\" y"#), "3": nil])
        #expect(found[1]["row"] == ["a b": -0.5, "c\"d": ["k": [1, 2]], "3": nil])
        #expect(found[0]["prediction"] == 0.25)
        #expect(found[1]["prediction"] == [1, 2])
        #expect(found[1]["id"] == "a\"b:1")
        #expect(found[0]["version"] == 3)
        #expect(found[0]["generation"] == 7)
        #expect(found[0]["ms"]?.double == 1.5)
        #expect(found[0]["release"]?.string == ContentDigest(of: "r").rawValue)
        #expect(found[0]["at"] == "1970-01-01T00:00:00.000Z")
    }

    @Test("records are captured on one line each, without what JSON lacks")
    func captureRecords() throws {
        let request = "{\"dataframe_records\": [\n {\"a\":\n 1, \"t\": \"NaN [\\n\", \"b\": NaN, \"c\": -Infinity}\n, {} ]}"
        let found = try Self.lines(request, #"{"predictions":[1,2]}"#, .records)
        #expect(found.map { $0["row"] } == [["a": 1, "t": "NaN [\n", "b": nil, "c": nil], [:]])
        let single = try Self.lines(#"{"dataframe_records":[{"a":1}]}"#, #"{"predictions":"late"}"#, .records, rows: 1)
        #expect(single.first?["id"] == "a\"b")
        #expect(single.first?["prediction"] == "late")
    }

    @Test("other shapes are captured as the worker cut them")
    func captureOther() throws {
        let found = try Self.lines("a,b\n1,2\n", "{}", .other, rows: 1, captured: "\"row\":{\"a\":1},\"prediction\":2\n")
        #expect(found.first?["row"] == ["a": 1])
        #expect(found.first?["prediction"] == 2)
    }

    @Test("damaged texts are refused without reading outside them", arguments: 0..<400)
    func captureFuzz(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var request = Array(#"{"dataframe_split":{"columns":["a","b"],"data":[[1,"x\\"],[2,[3]]]}}"#.utf8)
        for _ in 0..<(1 + Int(generator.next() % 4)) {
            switch generator.next() % 3 {
            case 0: request[Int(generator.next() % UInt64(request.count))] = UInt8(truncatingIfNeeded: generator.next())
            case 1: request.removeLast(min(request.count - 1, Int(generator.next() % 20)))
            default: request.insert(Array("{}[]\",:\\".utf8)[Int(generator.next() % 8)], at: Int(generator.next() % UInt64(request.count)))
            }
        }
        var output: [UInt8] = []
        // Either outcome is right; reading outside the text would trap.
        _ = try? CaptureRows.append(
            request: ByteBuffer(bytes: request), answer: ByteBuffer(string: #"{"predictions":[1,2]}"#), form: .split, to: &output, head: { _, _ in })
    }

    @Test("a full buffer drops and counts")
    func captureBound() throws {
        let folder = try TemporaryFolder()
        let writer = CaptureWriter(folder: folder.url, clock: FakeClock(), bounds: .init(bufferBytesMax: 100), logger: quietLogger)
        let slot = SlotName(unchecked: "late")
        writer.offer(
            CapturedRequest(
                slot: slot, release: ContentDigest(of: "r"), version: 1, generation: 1, id: "x", at: Timestamp(milliseconds: 0), milliseconds: 1,
                request: ByteBuffer(repeating: 0x20, count: 200),
                answer: WorkerAnswer(status: 200, form: .split, rows: 40, notANumber: 0, body: ByteBuffer(), captured: ByteBuffer())))
        #expect(writer.counts(of: slot) == CaptureWriter.Counts(captured: 0, dropped: 40))
    }

    // MARK: Access

    @Test("the control plane is asked once, its yes outlives its absence by an hour, its no does not spread")
    func gate() async {
        let clock = FakeClock()
        let asked = Mutex<[String]>([])
        let isAway = Mutex(false)
        let gate = GatewayGate(secret: "s3cret", clock: clock) { authorization, slot in
            if isAway.withLock({ $0 }) { return .away }
            asked.withLock { $0.append("\(authorization) \(slot?.rawValue ?? "-")") }
            return authorization == "Bearer good" ? .allowed : .refused(status: 403, message: "no")
        }
        let slot = SlotName(unchecked: "late")
        #expect(await gate.check(authorization: nil, forwarded: nil, slot: slot) != .allowed)
        #expect(await gate.check(authorization: "Bearer good", forwarded: nil, slot: slot) == .allowed)
        #expect(await gate.check(authorization: "Bearer good", forwarded: nil, slot: slot) == .allowed)
        #expect(await gate.check(authorization: "Bearer bad", forwarded: nil, slot: slot) == .refused(status: 403, message: "no"))
        #expect(asked.withLock { $0 } == ["Bearer good late", "Bearer bad late"])
        #expect(await gate.check(authorization: nil, forwarded: "s3cret", slot: slot) == .allowed)
        #expect(await gate.check(authorization: "Bearer good", forwarded: "wrong!", slot: slot) != .allowed)

        isAway.withLock { $0 = true }
        clock.advance(by: .seconds(1800))
        #expect(await gate.check(authorization: "Bearer good", forwarded: nil, slot: slot) == .allowed)
        #expect(await gate.check(authorization: "Bearer new", forwarded: nil, slot: slot) == .away)
        clock.advance(by: .seconds(3600))
        #expect(await gate.check(authorization: "Bearer good", forwarded: nil, slot: slot) == .away)
    }
}
