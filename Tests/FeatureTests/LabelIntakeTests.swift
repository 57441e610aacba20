import Foundation
import Monitoring
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Testing

@Suite("Labels")
struct LabelIntakeTests {
    private static let engineer = MonitoringFixture.caller(.engineer)

    private func take(_ text: String, _ fixture: MonitoringFixture) async throws -> (batch: LabelBatch, isNew: Bool) {
        try await fixture.service().importLabels(MonitoringFixture.slot, bytes: MonitoringFixture.stream(text), by: Self.engineer)
    }

    @Test(
        "CSV, a JSON array and a record per line are the same labels",
        arguments: [
            "flight_id,label\nF1,1\nF2,0\n", "key,label\r\nF1,true\r\nF2,FALSE\r\n", "label,other,flight_id\n1.0,\"x,\ny\",F1\n0,,F2\n",
            #"[{"flight_id": "F1", "label": 1}, {"flight_id": "F2", "label": false}]"#,
            "{\"key\":\"F1\",\"label\":1}\n{\"key\":\"F2\",\"label\":0,\"at\":\"2013-04-02T10:00:00Z\"}\n",
            "  \n{\"flight_id\":\"F1\",\"label\":\"1\"}\n{\"flight_id\":\"F2\",\"label\":0}",
        ])
    func formats(text: String) async throws {
        let fixture = try await MonitoringFixture(baseline: .none)
        let taken = try await take(text, fixture)
        #expect(taken.isNew)
        #expect(taken.batch.rows == 2)
        let file = fixture.prod.folder.url.appending(path: taken.batch.file)
        #expect(FileManager.default.fileExists(atPath: file.path))
    }

    @Test("the same bytes twice are one batch, one event and one file, also when they race")
    func idempotent() async throws {
        let fixture = try await MonitoringFixture(baseline: .none)
        let text = MonitoringFixture.labels()
        let batches = try await withThrowingTaskGroup(of: (LabelBatch, Bool).self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let taken = try await self.take(text, fixture); return (taken.batch, taken.isNew)
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(batches.map(\.0.id)).count == 1)
        #expect(batches.count { $0.1 } == 1)
        #expect(try await take(text, fixture).isNew == false)
        let events = try await fixture.prod.database.read { tx in try AuditStore(tx: tx).history(subject: "slot:\(MonitoringFixture.slot)") }
        #expect(events.map(\.action) == ["labels.import"])
        let files = try FileManager.default.contentsOfDirectory(atPath: fixture.prod.folder.url.appending(path: "labels/\(MonitoringFixture.slot)").path)
        #expect(files.count == 1)
        #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.prod.folder.url.appending(path: "labels/incoming").path).isEmpty)
    }

    @Test(
        "what is no label is refused with the first row that does not fit, and nothing is kept",
        arguments: [
            ("", "empty"), ("flight_id,label\n", "no row"), ("flight_id,label\nF1,NaN\n", "'F1'"),
            ("flight_id,label\nF1,1\nF2,\nF3,x\n", "2 of 3 labels are no number, the first has the key 'F2'"),
            ("flight_id,label\n,1\n", "no key, the first is row 1"), ("flight_id,label\nF1,1\nF1,0\n", "two different labels, the first is 'F1'"),
            ("flight_id,label\nF1,inf\n", "'F1'"), ("a,b\n1,2\n", "no key"), ("flight_id,label,at\nF1,1,soon\n", "'at' that is no time"),
            ("{\"key\":\"F1\",\"label\":1}\n{\"key\":", "cannot be read as JSON"), ("\u{0}\u{1}\u{2}", "hold no row"), ("<html>404</html>", "no"),
        ])
    func hostile(text: String, says: String) async throws {
        let fixture = try await MonitoringFixture(baseline: .none)
        let error = await #expect(throws: SlipwayError.self) { try await take(text, fixture) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains(says) == true, "\(error?.message ?? "")")
        #expect(error?.remedy?.isEmpty == false)
        #expect(try await fixture.service().labelBatches(MonitoringFixture.slot, limit: 10, before: nil, by: Self.engineer).batches.isEmpty)
        let folder = fixture.prod.folder.url.appending(path: "labels/\(MonitoringFixture.slot)")
        #expect(!FileManager.default.fileExists(atPath: folder.path))
    }

    @Test("an upload that breaks off leaves nothing behind")
    func brokenUpload() async throws {
        let fixture = try await MonitoringFixture(baseline: .none)
        struct Gone: Error {}
        let stream = AsyncThrowingStream<Data, any Error> { continuation in
            continuation.yield(Data("flight_id,label\nF1,1\n".utf8))
            continuation.finish(throwing: Gone())
        }
        await #expect(throws: Gone.self) { try await fixture.service().importLabels(MonitoringFixture.slot, bytes: stream, by: Self.engineer) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.prod.folder.url.appending(path: "labels/incoming").path).isEmpty)
    }

    @Test("a slot that does not exist is named")
    func unknownSlot() async throws {
        let fixture = try await MonitoringFixture(baseline: .none)
        let error = await #expect(throws: SlipwayError.self) {
            try await fixture.service().importLabels(SlotName(unchecked: "nobody"), bytes: MonitoringFixture.stream("key,label\na,1\n"), by: Self.engineer)
        }
        #expect(error?.code == .notFound)
        #expect(error?.message.contains("'nobody'") == true)
    }

    @Test("batches page by key, newest first")
    func paging() async throws {
        let fixture = try await MonitoringFixture(baseline: .none)
        for number in 0..<3 { _ = try await take("key,label\nF\(number),1\n", fixture) }
        let service = fixture.service()
        let first = try await service.labelBatches(MonitoringFixture.slot, limit: 2, before: nil, by: Self.engineer)
        let second = try await service.labelBatches(MonitoringFixture.slot, limit: 2, before: first.next, by: Self.engineer)
        #expect(first.batches.count == 2 && second.batches.count == 1 && second.next == nil)
        #expect(Set((first.batches + second.batches).map(\.id)).count == 3)
    }
}
