import Promotions
import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Synchronization

/// Looks at rows and the audit chain from outside and compares them with the invariants, by means of its own.
struct PromotionWatch: Sendable {
    let world: PromotionWorld
    let seed: UInt64
    var report = PromotionSimulation.Report()
    private var step = 0
    private var seen: [String: Promotion] = [:]
    private var answers: [String: String] = [:]

    init(world: PromotionWorld, seed: UInt64) { self.world = world; self.seed = seed }

    private mutating func expect(_ invariant: Int, _ holds: Bool, _ text: @autoclosure () -> String) {
        if !holds { report.violations[invariant, default: []].append(.init(seed: seed, step: step, text: text())) }
    }
    private mutating func exercised(_ invariant: Int, _ count: Int = 1) { report.exercised[invariant, default: 0] += count }

    /// What callers were told.
    mutating func note(_ outcomes: [SimulatedAct.Outcome], step: Int) {
        self.step = step
        for outcome in outcomes {
            report.outcomes[(outcome.error as? SlipwayError)?.code.rawValue ?? (outcome.error == nil ? "done" : "other"), default: 0] += 1
            if let error = outcome.error {
                let code = (error as? SlipwayError)?.code
                expect(0, code != nil && code != .internalFault, "\(outcome.act): \(error)")
            }
            if outcome.caller == "root" {
                exercised(13)
                expect(13, outcome.promotion == nil, "root moved promotion \(outcome.promotion?.id ?? ""): \(outcome.act)")
                if case .slot = outcome.act { expect(13, outcome.error != nil, "root touched a slot: \(outcome.act)") }
                if case .release = outcome.act { expect(13, outcome.error != nil, "root touched a release: \(outcome.act)") }
                if case .freeze = outcome.act { expect(13, outcome.error != nil, "root froze: \(outcome.act)") }
            }
            noteKey(outcome)
        }
    }

    /// Invariant 12, from the answers: the same id of the same caller for the same thing always names the same promotion.
    private mutating func noteKey(_ outcome: SimulatedAct.Outcome) {
        guard let promotion = outcome.promotion else { return }
        let key: String
        switch outcome.act {
        case .request(let environment, let release, let caller, let id?): key = "\(environment) request \(release) \(caller) \(id)"
        case .slot(let environment, let verb, let caller, let id?): key = "\(environment) \(verb) \(caller) \(id)"
        default: return
        }
        if let before = answers[key] {
            exercised(12)
            expect(12, before == promotion.id, "\(key) named \(before), then \(promotion.id)")
        }
        answers[key] = promotion.id
    }

    mutating func look(step: Int) async throws {
        self.step = step
        for environment in EnvironmentID.allCases { try await look(environment) }
    }

    private struct Rows: Sendable {
        var promotions: [Promotion]
        var evidence: [String: [Evidence]]
        var slot: Slot?
        var audit: [AuditEvent]
        var quarantined: Set<ContentDigest>
        var chain: Int64?
    }

    private func rows(_ environment: EnvironmentID) async throws -> Rows {
        let releases = world.releases
        return try await world.realms[environment]!.database.read { tx in
            let promotions = try PromotionStore(tx: tx).list(limit: 1000)
            return Rows(
                promotions: promotions, evidence: Dictionary(uniqueKeysWithValues: try promotions.map { ($0.id, try EvidenceStore(tx: tx).all(of: $0.id)) }),
                slot: try SlotStore(tx: tx).slot(PromotionWorld.slot), audit: try Self.wholeAudit(AuditStore(tx: tx)),
                quarantined: Set(try releases.map(\.id).filter { try ReleaseStore(tx: tx).quarantine(of: $0) != nil }), chain: try AuditStore(tx: tx).verify().broken)
        }
    }

    private static func wholeAudit(_ store: AuditStore) throws -> [AuditEvent] {
        var events: [AuditEvent] = []
        while true {
            let page = try store.list(before: events.last?.seq, limit: 1000)
            events += page
            if page.count < 1000 { return events.reversed() }
        }
    }

    private mutating func look(_ environment: EnvironmentID) async throws {
        let rows = try await rows(environment)
        expect(10, rows.chain == nil, "the chain of \(environment) is broken at \(rows.chain ?? 0)")
        let inFlight = rows.promotions.filter { [.applying, .verifying, .rollingBack].contains($0.state) }
        exercised(1, inFlight.count)
        expect(1, inFlight.count <= 1, "\(inFlight.map { "\($0.id) \($0.state)" })")
        for promotion in rows.promotions {
            lookAtGates(promotion, rows.evidence[promotion.id] ?? [])
            lookAtApprovals(promotion, environment)
            lookAtEvents(promotion, rows.audit)
            seen["\(environment) \(promotion.id)"] = promotion
        }
        lookAtHolds(rows)
        lookAtQuarantine(rows)
        try lookAtSlot(rows)
        try await lookAtData(environment)
    }

    /// Invariant 2.
    private mutating func lookAtGates(_ promotion: Promotion, _ evidence: [Evidence]) {
        guard promotion.liveAt != nil else { return }
        exercised(2)
        for (gate, rule) in promotion.plan.gates where rule.mode == .enforce {
            let passed = evidence.last { $0.gate == gate && $0.plan == promotion.planDigest && $0.attempt == promotion.attempt }?.outcome == .pass
            expect(2, passed, "\(promotion.id) went live without \(gate)")
        }
        let users = promotion.approvals.filter { $0.plan == promotion.planDigest }.map(\.user)
        let seats = promotion.plan.approvals.flatMap { Array(repeating: $0.role, count: $0.count) }
        expect(2, Self.fills(seats[...], users, in: promotion.plan.environment), "\(promotion.id) went live with \(users) for \(seats)")
    }

    /// Tries every order: slow and plain, unlike the matching that it checks.
    private static func fills(_ seats: ArraySlice<Role>, _ users: [UserName], in environment: EnvironmentID) -> Bool {
        guard let seat = seats.first else { return true }
        return users.indices.contains { index in
            guard PromotionWorld.people[users[index].rawValue]?[environment]?.contains(seat) == true else { return false }
            var rest = users
            rest.remove(at: index)
            return fills(seats.dropFirst(), rest, in: environment)
        }
    }

    /// Invariants 3 and 4.
    private mutating func lookAtApprovals(_ promotion: Promotion, _ environment: EnvironmentID) {
        if let before = seen["\(environment) \(promotion.id)"], before.planDigest != promotion.planDigest { exercised(3) }
        expect(3, promotion.approvals.allSatisfy { $0.plan == promotion.planDigest }, "\(promotion.id) keeps approvals of another plan")
        let names = promotion.approvals.map(\.user.rawValue)
        exercised(4, names.count)
        expect(4, Set(names).count == names.count, "\(names) twice")
        expect(4, names.allSatisfy { PromotionWorld.people[$0] != nil }, "\(names) are not people with roles")
        expect(4, !names.contains { "user:\($0)" == promotion.requestedBy }, "\(promotion.id): its requester approved")
        let numbers = world.code.commits.map(\.id)
        let end = numbers.firstIndex(of: world.releases.first { $0.id == promotion.release }!.content.commit)!
        let start =
            promotion.plan.current.flatMap { current in world.releases.first { $0.id == current } }.flatMap { numbers.firstIndex(of: $0.content.commit) }.map { $0 + 1 } ?? 0
        let behind = start <= end ? world.code.commits[start...end].flatMap { [$0.author, $0.pusher] } : []
        expect(4, Set(names).isDisjoint(with: behind), "\(promotion.id): approved by \(names), written by \(behind)")
    }

    /// Invariants 6 and 10: every state was reached through audited events, one after the other.
    private mutating func lookAtEvents(_ promotion: Promotion, _ audit: [AuditEvent]) {
        let mine = audit.filter { $0.subject == "promotion:\(promotion.id)" && $0.action != "evidence.add" }
        var state = "draft"
        for event in mine where event.action != "promotion.request" {
            expect(10, event.details["from"]?.string == state, "\(promotion.id): \(event.action) from \(event.details["from"]?.string ?? "") but it was \(state)")
            state = event.details["to"]?.string ?? ""
        }
        exercised(10, mine.count)
        expect(10, mine.isEmpty || mine.first?.action == "promotion.request", "\(promotion.id) has no request event")
        expect(10, state == promotion.state.rawValue, "\(promotion.id) is \(promotion.state) but its events say \(state)")
        let turns = mine.filter { $0.details["to"]?.string == "rollingBack" && $0.details["from"]?.string != "rollingBack" }.count
        exercised(6, turns)
        expect(6, turns <= 1, "\(promotion.id) rolled back \(turns) times")
    }

    /// Invariant 7, by replaying holds and starts in order.
    private mutating func lookAtHolds(_ rows: Rows) {
        let automatic = Set(rows.promotions.filter { !$0.requestedBy.hasPrefix("user:") }.map { "promotion:\($0.id)" })
        var isHeld = false
        for event in rows.audit {
            switch event.action {
            case "slot.hold": isHeld = true
            case "slot.lift": isHeld = false
            case "promotion.submit", "promotion.recheck", "promotion.apply":
                guard event.details["to"]?.string == "checking" || event.details["to"]?.string == "applying" else { break }
                let starts = automatic.contains(event.subject) || event.actor.hasPrefix("system:")
                if starts { exercised(7) }
                expect(7, !(isHeld && starts), "\(event.subject) \(event.action) while the slot was held")
            default: break
            }
        }
    }

    /// Invariant 5, by replaying quarantines in order.
    private mutating func lookAtQuarantine(_ rows: Rows) {
        var open: [String: Set<String>] = [:]
        /// Release → who requested or applied it so far, and who did so for the promotion that moved last.
        var promoters: [String: Set<String>] = [:]
        var last: [String: Set<String>] = [:]
        let people = Dictionary(uniqueKeysWithValues: rows.promotions.map { ("promotion:\($0.id)", Set([$0.requestedBy, $0.appliedBy].compactMap(\.self))) })
        for event in rows.audit {
            let release = event.details["release"]?.string ?? String(event.subject.dropFirst("release:".count))
            if event.subject.hasPrefix("promotion:") { last[release] = people[event.subject] }
            switch event.action {
            case "promotion.request": promoters[release, default: []].insert(event.actor)
            case "promotion.apply" where event.details["to"]?.string == "applying":
                exercised(5)
                expect(5, open[release] == nil, "\(event.subject) applies quarantined \(release.prefix(12))")
                promoters[release, default: []].insert(event.actor)
            case "release.quarantine":
                open[release] = event.details["reason"]?.string == "simulated" ? promoters[release] ?? [] : last[release] ?? []
            case "release.lift":
                exercised(5)
                expect(5, open[release]?.contains(event.actor) == false, "\(event.actor) lifted the quarantine of what they promoted, or of nothing")
                open[release] = nil
            default: break
            }
        }
        expect(5, Set(open.keys) == Set(rows.quarantined.map(\.rawValue)), "open by events: \(open.keys.count), by rows: \(rows.quarantined.count)")
    }

    /// Invariants 8 and 9.
    private mutating func lookAtSlot(_ rows: Rows) throws {
        guard let slot = rows.slot else { return }
        let events = rows.audit.filter { $0.subject == "slot:\(slot.name)" }
        let history = try SlotHistory(replaying: events)
        exercised(8, history.chapters.count)
        exercised(9, history.chapters.count)
        expect(8, history.chapters.map(\.generation) == Array(1..<(history.chapters.count + 1)), "generations \(history.chapters.map(\.generation))")
        expect(8, slot.generation == history.chapters.count, "generation \(slot.generation) after \(history.chapters.count) moves")
        expect(9, history.chapters.last?.release == slot.current, "replay says \(history.chapters.last?.release?.short ?? "nothing"), the row \(slot.current?.short ?? "nothing")")
        expect(9, history.chapters.last?.fallback == slot.fallback, "replay and row disagree on the fallback")
        expect(9, history.hold == slot.hold, "replay says held: \(history.hold ?? "no"), the row: \(slot.hold ?? "no")")
        for (earlier, later) in zip(history.chapters, history.chapters.dropFirst()) { expect(9, earlier.until == later.from && earlier.from <= later.from, "chapters do not meet") }
    }

    /// Invariant 11.
    private mutating func lookAtData(_ environment: EnvironmentID) async throws {
        let asked = world.evaluations[environment]!.state.withLock { $0.requests }
        let own = try await world.realms[environment]!.database.read { tx in Set(try SnapshotStore(tx: tx).list(limit: 1000).map(\.id)) }
        exercised(11, asked.count)
        for request in asked { expect(11, Set(request.snapshots.values).isSubset(of: own), "\(environment) measured on \(request.snapshots)") }
        guard let below = environment.below else { return }
        let theirs = try await world.realms[below]!.database.read { tx in try SnapshotStore(tx: tx).list(limit: 1000) }
        for snapshot in theirs {
            expect(11, world.realms[environment]!.realm.blobs.file(of: snapshot.manifestDigest) == nil, "data of \(below) lies in \(environment)")
        }
    }

    /// Invariant 14: with broken machinery and nobody acting, time alone ends everything.
    mutating func wind(step: Int, _ random: inout SeededGenerator) async throws {
        self.step = step
        for environment in EnvironmentID.allCases {
            world.endpoints[environment]!.state.withLock {
                $0.isStuck = true; $0.breaks = Bool.random(using: &random)
            }
            world.evaluations[environment]!.state.withLock { $0.hangs = true }
            for _ in 0..<12 {
                world.clock.advance(by: .seconds(31 * 86_400))
                world.restart(environment)
                await world.step(environment)
            }
            let left = try await rows(environment).promotions
            exercised(14, left.count)
            for promotion in left { expect(14, promotion.state.isFinal || promotion.state.isResting, "\(promotion.id) is still \(promotion.state)") }
        }
        try await look(step: step)
    }
}
