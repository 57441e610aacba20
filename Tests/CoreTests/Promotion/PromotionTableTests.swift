import SlipwayCore
import Testing

@Suite("The promotion's table")
struct PromotionTableTests {
    static let slot: Slot = {
        var slot = Slot(name: SlotName(unchecked: "s"), project: ProjectName(unchecked: "p"), createdAt: start)
        slot.current = ContentDigest(of: "old")
        slot.generation = 3
        slot.fallback = ContentDigest(of: "older")
        return slot
    }()
    static let start = Timestamp(milliseconds: 1_700_000_000_000)
    static let release = ContentDigest(of: "new")

    static var policy: Policy {
        var policy = Policy(name: "test", environment: .prod)
        policy.approvals = [ApprovalRule(role: .reviewer, count: 1)]
        policy.gates = [.scan: GateRule(mode: .enforce), .card: GateRule(mode: .warn)]
        policy.rollout.kind = .canary
        policy.rollout.steps = [5, 100]
        policy.rollout.bake = "10s"
        policy.rollout.minRequests = 10
        return policy
    }

    static func facts(at offset: Duration = .zero) -> PromotionFacts {
        PromotionFacts(now: start + offset, slot: slot, policy: policy, policyVersion: 1)
    }

    static func evidence(_ promotion: Promotion, _ outcomes: [GateName: GateOutcome], expiresIn: Duration = .seconds(86_400 * 30)) -> [GateName: Evidence] {
        Dictionary(
            uniqueKeysWithValues: outcomes.map { gate, outcome in
                (
                    gate,
                    Evidence(
                        id: gate.rawValue, promotion: promotion.id, release: release, plan: promotion.planDigest, attempt: promotion.attempt, gate: gate, mode: .enforce,
                        outcome: outcome, summary: "said", remedy: "do", origin: .prod, madeAt: start, expiresAt: start + expiresIn)
                )
            })
    }

    /// A promotion that has come that far along the main path.
    static func promotion(_ state: PromotionState, requestedBy: String = "user:eve") throws -> (Promotion, PromotionFacts) {
        var promotion = try Promotion(
            id: "p1", plan: Plan(release: release, slot: slot, policy: policy, policyVersion: 1), change: ReleaseChange(), requestedBy: requestedBy, at: start, timeOuts: .init())
        var facts = facts()
        let ida = UserName(unchecked: "ida")
        facts.approvers[ida] = Approver(user: ida, emails: [], grants: [RoleGrant(project: ProjectName(unchecked: "p"), environment: .prod, role: .reviewer, grantedAt: start)])
        facts.bytesVerified = true
        func go(_ event: PromotionEvent) throws { _ = try promotion.handle(event, by: .user(UserName(unchecked: "oli")), facts: facts) }
        if state == .draft { return (promotion, facts) }
        try go(.submit)
        facts.evidence = evidence(promotion, [.scan: .pass, .card: .notAvailable])
        if state == .checking { return (promotion, facts) }
        try go(.checked)
        if state == .awaitingApproval { return (promotion, facts) }
        try go(.approve(ida, plan: promotion.planDigest, comment: ""))
        if state == .approved { return (promotion, facts) }
        try go(.apply)
        if state == .applying { return (promotion, facts) }
        try go(.stepsDone)
        if state == .verifying { return (promotion, facts) }
        var counts = RequestCounts()
        try go(.stepTaken(counts))
        facts.now = start + .seconds(11)
        counts.requests = 10
        try go(.nextStep(counts))
        try go(.stepTaken(counts))
        facts.now = start + .seconds(22)
        counts.requests = 20
        try go(.verified(counts))
        return (promotion, facts)
    }

    @Test("the main path leads to live, moves the slot and marks the release with its policy and its amber gates")
    func mainPath() throws {
        let (promotion, _) = try Self.promotion(.live)
        #expect(promotion.state == .live)
        #expect(promotion.previous == Self.slot.current)
        #expect(promotion.amber == [.card])
        var (verifying, facts) = try Self.promotion(.verifying)
        _ = try verifying.handle(.stepTaken(.init()), by: .anonymous, facts: facts)
        #expect(throws: SlipwayError.self) { try verifying.handle(.verified(.init()), by: .anonymous, facts: facts) }
        facts.now = Self.start + .seconds(11)
        #expect(throws: SlipwayError.self, "ten requests are the least") { try verifying.handle(.nextStep(.init()), by: .anonymous, facts: facts) }
    }

    @Test("a gate that failed, could not be had or is stale blocks with what to do next", arguments: [GateOutcome.fail, .notAvailable])
    func blocks(outcome: GateOutcome) throws {
        var (promotion, facts) = try Self.promotion(.checking)
        facts.evidence = Self.evidence(promotion, [.scan: outcome, .card: .pass])
        _ = try promotion.handle(.checked, by: .anonymous, facts: facts)
        #expect(promotion.state == .blocked)
        #expect(promotion.reasons.first?.remedy == "do")
        (promotion, facts) = try Self.promotion(.checking)
        facts.evidence = Self.evidence(promotion, [.scan: .pass, .card: .pass], expiresIn: .zero)
        _ = try promotion.handle(.checked, by: .anonymous, facts: facts)
        #expect(promotion.state == .blocked)
    }

    @Test("a gate that errored is neither a pass nor a fail: the check goes on")
    func errored() throws {
        var (promotion, facts) = try Self.promotion(.checking)
        facts.evidence = Self.evidence(promotion, [.scan: .errored, .card: .pass])
        #expect(throws: SlipwayError.self) { try promotion.handle(.checked, by: .anonymous, facts: facts) }
        #expect(promotion.state == .checking)
    }

    @Test("drift of the slot, the policy, the evidence or a quarantine blocks and voids every approval", arguments: 0..<4)
    func drift(which: Int) throws {
        var (promotion, facts) = try Self.promotion(.approved)
        #expect(promotion.approvals.count == 1)
        switch which {
        case 0: facts.slot.generation += 1
        case 1: facts.policyVersion += 1
        case 2: facts.now = Self.start + .seconds(86_400 * 30)
        default: facts.isQuarantined = true
        }
        _ = try promotion.handle(.drift, by: .anonymous, facts: facts)
        #expect(promotion.state == .blocked)
        #expect(promotion.approvals.isEmpty)
        // And applying at that moment does the same, not the thing that was approved.
        var (other, _) = try Self.promotion(.approved)
        _ = try other.handle(.apply, by: .user(UserName(unchecked: "oli")), facts: facts)
        #expect(other.state == .blocked)
    }

    @Test("nothing is applied in a freeze, outside the window, on a busy slot or on damaged bytes", arguments: 0..<4)
    func applyGuards(which: Int) throws {
        var (promotion, facts) = try Self.promotion(.approved)
        switch which {
        case 0: facts.freezes = [Freeze(id: "f", project: Self.slot.project, slot: nil, reason: "incident", owner: "user:oli", createdAt: Self.start, expiresAt: nil)]
        case 1: facts.policy.window = try PromotionWindow(parsing: "Mon 03:00-03:01 UTC")
        case 2: facts.isSlotBusy = true
        default: facts.bytesVerified = false
        }
        #expect(throws: SlipwayError.self) { try promotion.handle(.apply, by: .user(UserName(unchecked: "oli")), facts: facts) }
        #expect(promotion.state == .approved)
        guard which < 2 else { return }
        facts.freezes = facts.freezes.map {
            var freeze = $0; freeze.expiresAt = Self.start + .seconds(60); return freeze
        }
        let remedies = promotion.closedReasons(facts).map(\.remedy).joined()
        #expect(remedies.contains(which == 0 ? "slipway freeze lift prod/f" : "The next opening"))
        if which == 0 { facts.freezes[0].expiresAt = nil }
        _ = try promotion.handle(.wait, by: .anonymous, facts: facts)
        #expect(promotion.state == .waiting)
        #expect((promotion.opensAt == nil) == (which == 0))
    }

    @Test("a failed verification rolls back to what was live, holds the slot and quarantines the release; current never moved")
    func rollsBack() throws {
        var (promotion, facts) = try Self.promotion(.verifying)
        #expect(try promotion.handle(.verificationFailed(reason: "errors"), by: .anonymous, facts: facts) == [.changeEndpoint])
        #expect(promotion.rollback?.target == Self.slot.current)
        #expect(promotion.rollback?.fromLive == false)
        #expect(promotion.rollback?.isAutomatic == true)
        let effects = try promotion.handle(.restored, by: .anonymous, facts: facts)
        #expect(promotion.state == .rolledBack)
        #expect(effects.contains { if case .holdSlot = $0 { true } else { false } })
        #expect(effects.contains { if case .quarantine = $0 { true } else { false } })
        #expect(!effects.contains { if case .moveSlot = $0 { true } else { false } })
    }

    @Test("a rollback from live needs a fallback, ignores freezes, and moves current to the fallback")
    func rollsBackFromLive() throws {
        var (promotion, facts) = try Self.promotion(.live)
        facts.slot.current = Self.release
        facts.slot.fallback = Self.slot.current
        facts.freezes = [Freeze(id: "f", project: Self.slot.project, slot: nil, reason: "incident", owner: "user:oli", createdAt: Self.start, expiresAt: nil)]
        facts.olderFallback = ContentDigest(of: "older")
        _ = try promotion.handle(.rollBack(reason: "slow"), by: .anonymous, facts: facts)
        let effects = try promotion.handle(.restored, by: .anonymous, facts: facts)
        #expect(effects.first == .moveSlot(to: Self.slot.current, fallback: ContentDigest(of: "older"), cause: "rollback"))
        var (first, none) = try Self.promotion(.live)
        none.slot.fallback = nil
        #expect(throws: SlipwayError.self) { try first.handle(.rollBack(reason: "slow"), by: .anonymous, facts: none) }
    }

    @Test("a rollback that cannot restore freezes the slot and waits for a person")
    func cannotRestore() throws {
        var (promotion, facts) = try Self.promotion(.verifying)
        _ = try promotion.handle(.abort(reason: "stop"), by: .anonymous, facts: facts)
        #expect(promotion.rollback?.isAutomatic == false)
        let effects = try promotion.handle(.cannotRestore(reason: "gone"), by: .anonymous, facts: facts)
        #expect(promotion.state == .rollbackFailed)
        #expect(effects.contains { if case .freezeSlot = $0 { true } else { false } })
    }

    @Test(
        "time alone ends every state that is neither final nor resting, where the table says",
        arguments: [
            (PromotionState.draft, PromotionState.withdrawn), (.checking, .blocked), (.awaitingApproval, .expired), (.approved, .expired), (.applying, .rollingBack),
            (.verifying, .rollingBack),
        ])
    func timeOuts(from: PromotionState, to: PromotionState) throws {
        var (promotion, facts) = try Self.promotion(from)
        #expect(throws: SlipwayError.self, "not yet") { try promotion.handle(.timeOut, by: .anonymous, facts: facts) }
        facts.now = try #require(promotion.deadline)
        _ = try promotion.handle(.timeOut, by: .anonymous, facts: facts)
        #expect(promotion.state == to)
    }

    @Test("waiting does not make approvals last longer")
    func waitingKeepsDeadline() throws {
        var (promotion, facts) = try Self.promotion(.approved)
        let due = promotion.deadline
        facts.now = Self.start + .seconds(1000)
        facts.policy.window = try PromotionWindow(parsing: "Mon 03:00-03:01 UTC")
        _ = try promotion.handle(.wait, by: .anonymous, facts: facts)
        #expect(promotion.deadline == due)
    }

    @Test("final states know no event, and nothing changes when one is tried")
    func finalStates() throws {
        let (start, facts) = try Self.promotion(.verifying)
        let events: [PromotionEvent] = [
            .submit, .checked, .approve(UserName(unchecked: "ida"), plan: start.planDigest, comment: ""), .reject(reason: ""), .timeOut, .withdraw, .supersede(by: "x"), .wait,
            .apply,
            .stepFailed(reason: ""), .stepsDone, .stepTaken(.init()), .nextStep(.init()), .verificationFailed(reason: ""), .verified(.init()), .displaced(by: "x"),
            .retire(reason: ""),
            .rollBack(reason: ""), .abort(reason: ""), .restored, .cannotRestore(reason: ""), .drift,
        ]
        for state in PromotionState.allCases where state.isFinal {
            for event in events {
                var promotion = start
                promotion.state = state
                let before = promotion
                #expect(throws: SlipwayError.self, "\(state) \(event.name)") { try promotion.handle(event, by: .anonymous, facts: facts) }
                #expect(promotion == before)
            }
        }
    }

    @Test("a hold keeps automation from starting, not people")
    func hold() throws {
        for (requester, starts) in [("service:ci", false), ("user:eve", true)] {
            var (promotion, facts) = try Self.promotion(.draft, requestedBy: requester)
            facts.slot.hold = "rolled back"
            if starts {
                _ = try promotion.handle(.submit, by: .anonymous, facts: facts)
            } else {
                #expect(throws: SlipwayError.self) { try promotion.handle(.submit, by: .anonymous, facts: facts) }
            }
        }
    }

    @Test("the plan's digest follows everything that is approved")
    func digest() throws {
        let plan = Plan(release: Self.release, slot: Self.slot, policy: Self.policy, policyVersion: 1)
        var digests = Set([try plan.digest()])
        let changes: [(inout Plan) -> Void] = [
            { $0.release = ContentDigest(of: "x") }, { $0.generation += 1 }, { $0.policyVersion += 1 }, { $0.gates[.card] = nil },
            { $0.gates[.scan] = GateRule(mode: .warn) }, { $0.approvals = [] }, { $0.fallback = nil }, { $0.steps.removeLast() }, { $0.limits.errorRate = 0.5 },
        ]
        for change in changes {
            var other = plan
            change(&other)
            #expect(digests.insert(try other.digest()).inserted)
        }
        #expect(try CanonicalJSON.decode(Plan.self, from: CanonicalJSON.text(plan)).digest() == plan.digest())
    }
}
