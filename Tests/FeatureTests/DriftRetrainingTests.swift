import Foundation
import Monitoring
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Synchronization
import Testing

@Suite("Retraining after drift")
struct DriftRetrainingTests {
    private static let engineer = MonitoringFixture.caller(.engineer)

    /// A fixture whose window crosses, ready to be reported on.
    private func crossing(file: ProjectFile = MonitoringFixture.projectFile()) async throws -> MonitoringFixture {
        let fixture = try await MonitoringFixture(file: file)
        _ = try await fixture.service(fixture.stage).keepBaselines()
        try fixture.capture(MonitoringFixture.captured(release: fixture.release.id))
        return fixture
    }

    private func report(_ fixture: MonitoringFixture, days: ClosedRange<Int64> = 0...30, acting: Bool = true) async throws -> MonitoringService.Made {
        try await fixture.service().report(
            MonitoringFixture.slot, from: MonitoringFixture.from + .seconds(days.lowerBound * 86_400), to: MonitoringFixture.from + .seconds(days.upperBound * 86_400),
            acting: acting, by: Self.engineer)
    }

    private func current(_ fixture: MonitoringFixture) async throws -> DriftRetraining {
        try #require(try await fixture.service().retrainings(MonitoringFixture.slot, by: Self.engineer).first)
    }

    private func end(_ fixture: MonitoringFixture, _ state: Execution.State, release: ContentDigest?, message: String? = nil) async throws {
        let id = try #require(try await current(fixture).execution)
        try await fixture.stage.database.write { tx in
            var execution = try #require(try ExecutionStore(tx: tx).execution(id))
            execution.state = state
            execution.endedAt = Timestamp(milliseconds: 2)
            execution.release = release
            execution.message = message
            try ExecutionStore(tx: tx).update(ExecutionMachine(execution: execution, steps: []))
        }
    }

    @Test("a crossing refreshes, retrains, waits for the release and requests it, each once")
    func goodWay() async throws {
        let fixture = try await crossing()
        let made = try await report(fixture)
        #expect(made.retraining?.state == .wanted)
        #expect(made.retraining?.environment == .stage)
        let service = fixture.service()
        for _ in 0..<3 { try await service.advanceRetrainings() }
        #expect(try await current(fixture).state == .started)
        let seen = fixture.retrained.seen.withLock { $0 }
        #expect(seen.refreshed == ["flights"])
        #expect(seen.reasons.count == 1 && seen.reasons[0].contains(made.report.id))
        #expect(seen.requests.isEmpty)
        let release = ContentDigest(of: "new release")
        try await end(fixture, .succeeded, release: release)
        for _ in 0..<3 { try await service.advanceRetrainings() }
        let done = try await current(fixture)
        #expect(done.state == .requested)
        #expect(done.release == release)
        #expect(done.promotion == "promotion-of-drift-\(done.id)")
        #expect(fixture.retrained.seen.withLock { $0.requests } == ["stage \(release.short) drift-\(done.id)"])
        let events = try await fixture.prod.database.read { tx in try AuditStore(tx: tx).history(subject: "slot:\(MonitoringFixture.slot)").map(\.action) }
        #expect(events == ["drift.report", "drift.act", "drift.retrain", "drift.seal", "drift.request"])
        #expect(try await fixture.prod.database.read { tx in try AuditStore(tx: tx).verify().broken } == nil)
    }

    @Test("one crossing starts one retraining: a second report, an overlapping window and one that only looks start none")
    func once() async throws {
        let fixture = try await crossing()
        #expect(try await report(fixture, acting: false).retraining == nil)
        #expect(try await report(fixture).retraining != nil)
        let second = try await report(fixture)
        #expect(second.report.verdict == .act)
        #expect(second.retraining == nil)
        #expect(second.heldBack?.contains("still under way") == true)
        try await fixture.service().advanceRetrainings()
        try await end(fixture, .succeeded, release: ContentDigest(of: "r"))
        try await fixture.service().advanceRetrainings()
        let overlapping = try await report(fixture, days: 0...29)
        #expect(overlapping.retraining == nil)
        #expect(overlapping.heldBack?.contains("the next starts for a window that ends from") == true)
        #expect(try await fixture.service().retrainings(MonitoringFixture.slot, by: Self.engineer).count == 1)
    }

    @Test("a crash between starting and writing it down finds the execution again; one before the request requests once more with the same id")
    func crashes() async throws {
        let fixture = try await crossing()
        let made = try #require(try await report(fixture).retraining)
        // The port was asked and the process died before the row was written: the row still says "wanted".
        _ = try await fixture.retrained.retrain(project: MonitoringFixture.project, reason: made.reason)
        let revived = fixture.service()
        try await revived.advanceRetrainings()
        #expect(try await current(fixture).execution == "execution1")
        #expect(fixture.retrained.seen.withLock { $0.reasons.count } == 1)
        #expect(fixture.retrained.seen.withLock { $0.refreshed }.isEmpty)
        // The promotion was requested and the process died before the row was written.
        try await end(fixture, .succeeded, release: ContentDigest(of: "r"))
        fixture.retrained.seen.withLock { $0.requestFailure = SlipwayError(.unavailable, "Gone.") }
        try await revived.advanceRetrainings()
        #expect(try await current(fixture).state == .sealed)
        #expect(try await current(fixture).message == "Gone.")
        fixture.retrained.seen.withLock { $0.requestFailure = nil }
        try await fixture.service().advanceRetrainings()
        #expect(try await current(fixture).state == .requested)
        let requests = fixture.retrained.seen.withLock { $0.requests }
        #expect(requests.count == 2 && Set(requests).count == 1)
    }

    @Test("an execution that fails, or seals nothing, ends the retraining with its words, and the next crossing may try again")
    func failing() async throws {
        let fixture = try await crossing()
        _ = try await report(fixture)
        try await fixture.service().advanceRetrainings()
        try await end(fixture, .failed, release: nil, message: "Step 'train' exited with 3.")
        try await fixture.service().advanceRetrainings()
        #expect(try await current(fixture).state == .failed)
        #expect(try await current(fixture).message == "Execution execution1 ended failed: Step 'train' exited with 3.")
        #expect(try await report(fixture).retraining != nil)
        try await fixture.service().advanceRetrainings()
        try await end(fixture, .succeeded, release: nil)
        try await fixture.service().advanceRetrainings()
        #expect(try await current(fixture).message?.contains("sealed no release") == true)
        #expect(fixture.retrained.seen.withLock { $0.requests }.isEmpty)
    }

    @Test("data that cannot be refreshed: busy machinery is asked again for a day, a refusal ends it with its remedy")
    func refreshFailures() async throws {
        let fixture = try await crossing()
        _ = try await report(fixture)
        fixture.retrained.seen.withLock { $0.refreshFailure = SlipwayError(.unavailable, "The disk is full.") }
        try await fixture.service().advanceRetrainings()
        #expect(try await current(fixture).state == .wanted)
        #expect(try await current(fixture).message == "The disk is full.")
        fixture.clock.advance(by: .seconds(2 * 86_400))
        try await fixture.service().advanceRetrainings()
        #expect(try await current(fixture).state == .failed)

        fixture.retrained.seen.withLock { $0.refreshFailure = SlipwayError(.blocked, "The recipe is not adopted.", remedy: "Adopt it.") }
        _ = try await report(fixture)
        try await fixture.service().advanceRetrainings()
        #expect(try await current(fixture).state == .failed)
        #expect(try await current(fixture).message == "The recipe is not adopted. Adopt it.")
        #expect(fixture.retrained.seen.withLock { $0.reasons }.isEmpty)
    }

    @Test("without triggers.drift nothing is retrained, and the report says so")
    func noTrigger() async throws {
        let fixture = try await crossing(file: MonitoringFixture.projectFile(drift: nil))
        let made = try await report(fixture)
        #expect(made.retraining == nil)
        #expect(made.heldBack?.contains("triggers.drift") == true)
    }

    @Test("the scheduler reports on the last whole period by itself, once, and again when its labels arrive")
    func scheduled() async throws {
        let clock = FakeClock(try Timestamp(parsing: "2013-04-20T00:05:00Z"))
        let fixture = try await MonitoringFixture(clock: clock)
        _ = try await fixture.service(fixture.stage).keepBaselines()
        try fixture.capture(MonitoringFixture.captured(release: fixture.release.id))
        let driver = MonitoringDriver(fixture.service())
        for _ in 0..<3 { await driver.pass() }
        func reports() async throws -> [DriftReport] {
            try await fixture.service().reports(MonitoringFixture.slot, limit: 10, before: nil, by: Self.engineer).reports
        }
        #expect(try await reports().map { "\($0.from.iso8601.prefix(10)) \($0.madeBy)" } == ["2013-04-19 system:monitoring"])
        #expect(fixture.retrained.seen.withLock { $0.reasons.count } == 1)
        // A day later the labels of the 19th are due; the 20th was asked for as well.
        clock.advance(by: .seconds(86_400))
        _ = try await fixture.service().importLabels(
            MonitoringFixture.slot, bytes: MonitoringFixture.stream(MonitoringFixture.labels()), by: Self.engineer)
        for _ in 0..<3 { await driver.pass() }
        let all = try await reports()
        #expect(all.map { String($0.from.iso8601.prefix(10)) } == ["2013-04-19", "2013-04-20", "2013-04-19"])
        #expect((all.first?.quality?.labelled ?? 0) > 0)
        #expect(try await fixture.service().retrainings(MonitoringFixture.slot, by: Self.engineer).count == 1)
    }

    @Test("the summary names verdict, worst feature, quality, coverage, freshness and retraining")
    func health() async throws {
        let fixture = try await crossing()
        let before = try await fixture.service().health(MonitoringFixture.slot, by: Self.engineer)
        #expect(before.verdict == .unknown && before.report == nil)
        #expect(before.freshness.map(\.dataset) == ["flights"] && before.freshness.allSatisfy { !$0.isKept })
        _ = try await fixture.service().importLabels(
            MonitoringFixture.slot, bytes: MonitoringFixture.stream(MonitoringFixture.labels()), by: Self.engineer)
        _ = try await report(fixture)
        let after = try await fixture.service().health(MonitoringFixture.slot, by: Self.engineer)
        #expect(after.verdict == .act)
        #expect(after.worstFeature?.name == "c")
        #expect(after.labelCoverage == 0.8)
        #expect(after.auc != nil && after.aucBaseline != nil && after.lastRequestAt != nil)
        #expect(after.retraining?.state == .wanted)
    }
}
