import Logging
import ServiceLifecycle
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import Synchronization

/// Takes promotions of one realm forward: gates, time-outs, drift, rollout, rollback. It remembers nothing that is not in
/// rows, so it may die between any two steps; the next one reads where things stand.
package final class PromotionDriver: Service {
    let promotions: PromotionService
    let gates: [GateName: any Gate]
    let endpoints: any EndpointControl
    /// Slot → newest revision whose wish was handed over by this process; handing it over again is harmless.
    private let wished = Mutex<[SlotName: Int64]>([:])
    private let busy = Mutex<Set<String>>([])

    /// Between looks: while something moves, and while nothing does.
    private static let tick = Duration.milliseconds(250)
    private static let idleTick = Duration.seconds(2)
    static let caller = Caller.system("promotions")

    package init(promotions: PromotionService, gates: [any Gate], endpoints: any EndpointControl) {
        self.promotions = promotions
        self.gates = Dictionary(gates.map { ($0.name, $0) }) { $1 }
        self.endpoints = endpoints
    }

    private var realm: Realm { promotions.realm }
    private var logger: Logger { promotions.logger }

    /// Until shutdown. A promotion whose gate takes long does not hold up the others.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                while !Task.isCancelled {
                    let moving = await self.look(in: &group)
                    await self.promotions.bell.wait(atMost: moving ? Self.tick : Self.idleTick)
                }
            }
        }
    }

    private func look(in group: inout DiscardingTaskGroup) async -> Bool {
        do {
            try await reconcileEndpoints()
            let unfinished = try await unfinished()
            for promotion in unfinished where busy.withLock({ $0.insert(promotion.id).inserted }) {
                group.addTask {
                    await self.advanceOrLog(promotion)
                    _ = self.busy.withLock { $0.remove(promotion.id) }
                }
            }
            return unfinished.contains { $0.state.isInFlight || $0.state == .checking }
        } catch {
            logger.error("promotion driver", metadata: ["environment": "\(realm.environment.rawValue)", "error": "\(error)"])
            return false
        }
    }

    /// One look at everything, to its end; what tests step with.
    package func step() async {
        do {
            try await reconcileEndpoints()
            for promotion in try await unfinished() { await advanceOrLog(promotion) }
            try await reconcileEndpoints()
        } catch {
            logger.error("promotion driver", metadata: ["error": "\(error)"])
        }
    }

    private func unfinished() async throws -> [Promotion] {
        try await realm.database.read { tx in try PromotionStore(tx: tx).unfinished() }
    }

    private func advanceOrLog(_ promotion: Promotion) async {
        do {
            try await advance(promotion)
        } catch let error as SlipwayError where error.code == .conflict {
            // Somebody else was faster; the next look reads what they did.
        } catch {
            logger.error("promotion", metadata: ["promotion": "\(promotion.id)", "state": "\(promotion.state.rawValue)", "error": "\(error)"])
        }
    }

    private func advance(_ promotion: Promotion) async throws {
        if let due = promotion.deadline, due <= promotions.clock.now { return try await change(promotion, .timeOut) }
        switch promotion.state {
        case .checking: try await check(promotion)
        case .awaitingApproval, .approved, .waiting: try await watch(promotion)
        case .applying, .verifying, .rollingBack: try await follow(promotion)
        default: break
        }
    }

    private func change(_ promotion: Promotion, _ event: PromotionEvent, verify: PromotionService.Verification? = nil) async throws {
        try await promotions.change(promotion.id, event, by: Self.caller, needs: nil, verify: verify)
    }

    // MARK: Checking

    private func check(_ promotion: Promotion) async throws {
        let gathered = try await realm.database.read { tx in try EvidenceStore(tx: tx).all(of: promotion.id) }
            .filter { $0.attempt == promotion.attempt && $0.plan == promotion.planDigest }
        var isFinished = true
        for name in GateName.allCases {
            guard let rule = promotion.plan.gates[name] else { continue }
            let mine = gathered.filter { $0.gate == name }
            if let last = mine.last {
                if last.outcome != .errored || rule.mode == .warn { continue }
                if promotions.clock.now < last.madeAt + Self.backOff(after: mine.count) { isFinished = false; continue }
            }
            let isDone = try await run(name, rule, errors: mine.count, of: promotion)
            isFinished = isFinished && isDone
        }
        if isFinished { try await change(promotion, .checked) }
    }

    /// 5 s, 10 s, 20 s, … at most 10 minutes.
    private static func backOff(after errors: Int) -> Duration { min(.seconds(600), .seconds(5 << min(errors - 1, 7))) }

    /// - Returns: whether the gate has a final outcome.
    private func run(_ name: GateName, _ rule: GateRule, errors: Int, of promotion: Promotion) async throws -> Bool {
        let input = try await input(rule, errors: errors, of: promotion)
        let result: GateResult
        do {
            result = try await limited { [gates] in try await (gates[name] ?? UnbuiltGate(name)).run(input) }
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            let shown = error as? SlipwayError
            result = .done(
                GateFinding(
                    .errored, "Could not run: \(shown?.message ?? "something broke")", remedy: shown?.remedy ?? "The server's log names the cause; it is tried again."))
            logger.warning("gate", metadata: ["gate": "\(name.rawValue)", "promotion": "\(promotion.id)", "error": "\(error)"])
        }
        guard case .done(let finding) = result else { return false }
        try await keep(finding, name, rule, of: promotion, maxAge: input.policy.evidenceMaxAge)
        return finding.outcome != .errored || rule.mode == .warn
    }

    /// No gate may look longer, so that none keeps its promotion from timing out.
    private static let gateMax = Duration.seconds(600)

    private func limited(_ body: @escaping @Sendable () async throws -> GateResult) async throws -> GateResult {
        try await withThrowingTaskGroup { group in
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(for: Self.gateMax)
                throw SlipwayError(.unavailable, "It took longer than \(Self.gateMax.spelled).")
            }
            defer { group.cancelAll() }
            return try await group.next()!
        }
    }

    private func input(_ rule: GateRule, errors: Int, of promotion: Promotion) async throws -> GateInput {
        let policy = try await promotions.policyInForce(for: promotion.project).policy
        let realm = realm
        let now = promotions.clock.now
        return try await realm.database.read { tx in
            guard let release = try ReleaseStore(tx: tx).release(promotion.release) else { throw PromotionService.noRelease(promotion.release.short, realm.environment) }
            let file = try release.content.configDigests.values.first.flatMap { try ProjectFileStore(tx: tx).file(digest: $0) }
            return GateInput(
                promotion: promotion, release: release, champion: try promotion.plan.current.flatMap { try ReleaseStore(tx: tx).release($0) }, rule: rule,
                policy: policy, projectFile: file, realm: realm, errors: errors, now: now)
        }
    }

    private func keep(_ finding: GateFinding, _ name: GateName, _ rule: GateRule, of promotion: Promotion, maxAge: Duration) async throws {
        let now = promotions.clock.now
        let evidence = Evidence(
            id: promotions.ids.hex32(), promotion: promotion.id, release: promotion.release, plan: promotion.planDigest, attempt: promotion.attempt, gate: name,
            mode: rule.mode, outcome: finding.outcome, summary: finding.summary, remedy: finding.remedy, details: finding.details, snapshots: finding.snapshots,
            producer: finding.producer, origin: finding.origin ?? realm.environment, madeAt: now, expiresAt: now + (rule.maxAge?.duration ?? maxAge))
        try await realm.database.write { tx in
            try EvidenceStore(tx: tx).insert(evidence)
            try AuditStore(tx: tx).append(
                "evidence.add", subject: "promotion:\(promotion.id)", project: promotion.project, by: Self.caller.principal, at: now,
                details: [
                    "gate": .string(name.rawValue), "mode": .string(rule.mode.rawValue), "outcome": .string(finding.outcome.rawValue),
                    "summary": .string(finding.summary), "evidence": .string(evidence.id),
                ])
        }
    }

    // MARK: Between approval and application

    private func watch(_ promotion: Promotion) async throws {
        let outside = try await promotions.outsideFacts(for: promotion, extra: nil, verify: nil)
        let ledger = promotions.ledger(Self.caller.principal, outside)
        let facts = try await realm.database.read { tx in try ledger.facts(for: promotion, tx) }
        if !promotion.driftReasons(facts).isEmpty { return try await change(promotion, .drift) }
        guard promotion.state != .awaitingApproval else { return }
        if !promotion.closedReasons(facts).isEmpty {
            if promotion.state == .approved { try await change(promotion, .wait) }
            return
        }
        if facts.policy.automatic, facts.slot.hold == nil, !facts.isSlotBusy { try await change(promotion, .apply, verify: .release) }
    }

    // MARK: In flight

    private func follow(_ promotion: Promotion) async throws {
        try await reconcile(promotion.slot)
        let slot = promotion.slot
        guard let held = try await realm.database.read({ tx in try SlotStore(tx: tx).slot(slot) }) else { return }
        let status = try await endpoints.status(of: slot)
        let reading = EndpointReading(revision: status.revision, deployments: status.deployments)
        if let event = promotion.event(reading: reading, slot: held, now: promotions.clock.now) {
            try await change(promotion, event)
            try await reconcile(slot)
        }
    }

    /// One endpoint that cannot be told keeps neither the others nor time from going on.
    private func reconcileEndpoints() async throws {
        for slot in try await realm.database.read({ tx in try SlotStore(tx: tx).list() }) {
            do { try await reconcile(slot.name) } catch {
                logger.warning("endpoint", metadata: ["slot": "\(slot.name)", "error": "\(error)"])
            }
        }
    }

    /// Hands the wish over when the rows ask for a newer one.
    private func reconcile(_ name: SlotName) async throws {
        let shipped = promotions.shipped
        let (slot, wish) = try await realm.database.read { tx -> (Slot?, WantedEndpoint?) in
            guard let slot = try SlotStore(tx: tx).slot(name) else { return (nil, nil) }
            let policy = try PolicyStore(tx: tx).newest(of: slot.project) ?? shipped
            return (slot, try EndpointWish.wanted(slot, policy: policy.policy, tx))
        }
        guard let slot, slot.revision > 0, wished.withLock({ $0[name] ?? 0 }) < slot.revision else { return }
        if let wish { try await endpoints.want(wish) } else { try await endpoints.remove(name) }
        wished.withLock { $0[name] = max($0[name] ?? 0, slot.revision) }
    }
}
