import Testing

@Suite("Promotions: the fourteen invariants")
struct PromotionInvariantTests {
    private func expectHolds(_ invariant: Int, atLeast times: Int = 1) async throws {
        let report = try await PromotionSimulation.report.value
        for found in (report.violations[invariant] ?? []).prefix(5) {
            Issue.record("seed \(found.seed), step \(found.step): \(found.text) (replay: SLIPWAY_PROMOTION_SEED=\(found.seed))")
        }
        #expect(report.exercised[invariant, default: 0] >= times, "the random events never tested it; outcomes: \(report.outcomes)")
    }

    @Test("callers get answers, never faults")
    func answers() async throws {
        let report = try await PromotionSimulation.report.value
        for found in (report.violations[0] ?? []).prefix(5) { Issue.record("seed \(found.seed), step \(found.step): \(found.text)") }
        #expect(report.outcomes["done", default: 0] > 100)
    }

    @Test("invariant 1: at most one promotion of a slot is applying, verifying or rolling back")
    func one() async throws { try await expectHolds(1, atLeast: 5) }

    @Test("invariant 2: live implies that every enforced gate passed on the plan that was approved")
    func two() async throws { try await expectHolds(2, atLeast: 20) }

    @Test("invariant 3: no approval survives a change of plan")
    func three() async throws { try await expectHolds(3) }

    @Test("invariant 4: no person counts twice, no author, no requester, no service account")
    func four() async throws { try await expectHolds(4, atLeast: 20) }

    @Test("invariant 5: a quarantined release is not applied unless somebody else lifted the quarantine")
    func five() async throws { try await expectHolds(5, atLeast: 5) }

    @Test("invariant 6: a rollback never creates another automatic rollback")
    func six() async throws { try await expectHolds(6, atLeast: 3) }

    @Test("invariant 7: while a hold exists, no automatic promotion of that slot starts")
    func seven() async throws { try await expectHolds(7, atLeast: 3) }

    @Test("invariant 8: slot generation grows by exactly one per change of current")
    func eight() async throws { try await expectHolds(8, atLeast: 20) }

    @Test("invariant 9: replaying the audit log rebuilds every slot's history")
    func nine() async throws { try await expectHolds(9, atLeast: 20) }

    @Test("invariant 10: no state change without an audit event in the same transaction")
    func ten() async throws { try await expectHolds(10, atLeast: 100) }

    @Test("invariant 11: prod never reads a dev snapshot; no data row moves upward")
    func eleven() async throws { try await expectHolds(11, atLeast: 10) }

    @Test("invariant 12: the same request id twice has the effect of once")
    func twelve() async throws { try await expectHolds(12) }

    @Test("invariant 13: a platform administrator without a project role moves no promotion")
    func thirteen() async throws { try await expectHolds(13, atLeast: 20) }

    @Test("invariant 14: with the clock moved forward, every state that is neither final nor resting reaches one that is")
    func fourteen() async throws { try await expectHolds(14, atLeast: 10) }
}
