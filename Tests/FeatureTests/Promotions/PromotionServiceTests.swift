import Foundation
import Promotions
import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Synchronization
import Testing

@Suite("Promotions")
struct PromotionServiceTests {
    private func world(_ count: Int = 3, change: (inout Policy) -> Void = { _ in }) async throws -> PromotionWorld { try await PromotionWorld(releaseCount: count, change: change) }

    @Test("the first release goes straight to all traffic; the slot, the alias, the marks and the history follow in one move")
    func firstRelease() async throws {
        let world = try await world()
        let promotion = try await world.promote(world.releases[0], to: .stage)
        #expect(promotion.state == .live)
        #expect(promotion.plan.steps.map(\.weight) == [100])
        let service = world.services[.stage]!
        let slot = try await service.slot(PromotionWorld.slot, by: world.caller("eve"))
        #expect(slot.current == world.releases[0].id)
        #expect(slot.generation == 1)
        #expect(slot.fallback == nil)
        let (alias, marks) = try await world.realms[.stage]!.database.read { tx in
            (try RegistryStore(tx: tx).alias("live", of: "flight-delay"), try ReleaseStore(tx: tx).marks(of: promotion.release))
        }
        #expect(alias == world.releases[0].modelVersion)
        #expect(marks == ["policy:stage"])
        #expect(try await service.history(of: PromotionWorld.slot, by: world.caller("eve")).map(\.chapter.release) == [world.releases[0].id])
    }

    @Test("a second release takes canary steps with really answered requests before it is live")
    func canary() async throws {
        let world = try await world()
        try await world.promote(world.releases[0], to: .stage)
        let started = world.endpoints[.stage]!.state.withLock { $0.history.count }
        let second = try await world.promote(world.releases[1], to: .stage)
        #expect(second.state == .live)
        let weights = world.endpoints[.stage]!.state.withLock {
            $0.history.dropFirst(started).map { wish in
                Dictionary(uniqueKeysWithValues: wish.deployments.map { ($0.release == world.releases[1].id ? "new" : "old", $0.weight) })
            }
        }
        #expect(Array(weights) == [["new": 0, "old": 100], ["new": 10, "old": 90], ["new": 100, "old": 0], ["new": 100]])
        let first = try await world.services[.stage]!.promotions(project: nil, slot: nil, by: world.caller("eve")).last
        #expect(first?.state == .retired)
        let slot = try await world.services[.stage]!.slot(PromotionWorld.slot, by: world.caller("eve"))
        #expect(slot.fallback == world.releases[0].id)
        #expect(slot.generation == 2)
    }

    @Test("without enough requests a canary step waits, and in the end the promotion rolls back by itself")
    func noTraffic() async throws {
        let world = try await world()
        try await world.promote(world.releases[0], to: .stage)
        world.endpoints[.stage]!.state.withLock { $0.traffic = 0 }
        let second = try await world.promote(world.releases[1], to: .stage, until: [.live, .verifying])
        for _ in 0..<5 { await world.step(.stage); world.clock.advance(by: .seconds(20)) }
        #expect(try await world.services[.stage]!.promotion(second.id, by: .system("test")).state == .verifying)
        world.clock.advance(by: .seconds(3700))
        let end = try await world.settle(second.id, .stage, in: [.rolledBack])
        #expect(end.state == .rolledBack)
        #expect(end.rollback?.isAutomatic == true)
    }

    @Test("errors over the limit roll back, hold the slot and quarantine the release; what was live answers again")
    func errorsRollBack() async throws {
        let world = try await world()
        try await world.promote(world.releases[0], to: .stage)
        let second = try await world.promote(world.releases[1], to: .stage, until: [.verifying])
        world.endpoints[.stage]!.state.withLock { $0.errors[world.releases[1].id] = 1000 }
        await world.step(.stage)
        world.endpoints[.stage]!.state.withLock { $0.errors[world.releases[1].id, default: 0] += 1000 }
        let end = try await world.settle(second.id, .stage, in: [.rolledBack])
        #expect(end.state == .rolledBack)
        #expect(world.endpoints[.stage]!.state.withLock { $0.wishes[PromotionWorld.slot]?.deployments.map(\.release) } == [world.releases[0].id])
        let slot = try await world.services[.stage]!.slot(PromotionWorld.slot, by: world.caller("eve"))
        #expect(slot.current == world.releases[0].id && slot.generation == 1 && slot.hold != nil)
        await #expect { try await world.services[.stage]!.request(PromotionRequest(release: world.releases[1].id.rawValue), by: world.caller("eve")) } throws: {
            ($0 as? SlipwayError)?.code == .blocked && "\($0)".contains("quarantined")
        }
        await #expect(throws: SlipwayError.self, "who promoted it cannot lift it") {
            try await world.services[.stage]!.liftQuarantine(world.releases[1].id.rawValue, reason: "fine", by: world.caller("oli"))
        }
        try await world.services[.stage]!.liftQuarantine(world.releases[1].id.rawValue, reason: "false alarm", by: world.caller("rex"))
        _ = try await world.services[.stage]!.request(PromotionRequest(release: world.releases[1].id.rawValue), by: world.caller("eve"))
    }

    @Test("a rollback from live needs no approval, ignores a freeze, and the history says what served when")
    func rollBack() async throws {
        let world = try await world()
        let service = world.services[.stage]!
        try await world.promote(world.releases[0], to: .stage)
        let between = world.clock.now
        try await world.promote(world.releases[1], to: .stage)
        _ = try await service.freeze(project: PromotionWorld.project, slot: nil, reason: "incident", lifetime: nil, by: world.caller("oli"))
        let then = world.clock.now
        world.clock.advance(by: .seconds(5))
        let rollback = try await service.rollBack(PromotionWorld.slot, reason: "slow", by: world.caller("oli"))
        let end = try await world.settle(rollback.id, .stage, in: [.rolledBack])
        #expect(end.state == .rolledBack)
        let slot = try await service.slot(PromotionWorld.slot, by: world.caller("eve"))
        #expect(slot.current == world.releases[0].id && slot.generation == 3 && slot.fallback == nil)
        func served(_ time: Timestamp) async throws -> PromotionService.Served? { try await service.history(of: PromotionWorld.slot, at: time, by: world.caller("eve")).first }
        #expect(try await served(between)?.release?.id == world.releases[0].id)
        #expect(try await served(then)?.release?.id == world.releases[1].id)
        #expect(try await served(then)?.promotion?.approvals.map(\.user.rawValue) == ["ida"])
        #expect(try await served(then)?.evidence.isEmpty == false)
        #expect(try await served(world.clock.now)?.chapter.cause == "rollback")
        #expect(try await served(PromotionWorld.start - .seconds(1)) == nil)
        await #expect(throws: SlipwayError.self, "a second rollback has nothing live") { try await service.rollBack(PromotionWorld.slot, reason: "again", by: world.caller("oli")) }
    }

    @Test("an author with the reviewer's role is refused because of authorship")
    func author() async throws {
        let world = try await world()
        try await world.promote(world.releases[0], to: .stage)
        world.clock.advance(by: .seconds(3700))
        let asked = try await world.services[.prod]!.request(PromotionRequest(release: world.releases[0].id.rawValue), by: world.caller("eve"))
        let waiting = try await world.settle(asked.id, .prod, in: [.awaitingApproval])
        #expect(waiting.state == .awaitingApproval)
        await #expect { try await world.services[.prod]!.approve(asked.id, plan: waiting.planDigest, comment: "mine", by: world.caller("ada")) } throws: {
            ($0 as? SlipwayError)?.code == .notAllowed && "\($0)".contains("because of authorship")
        }
        #expect(try await world.services[.prod]!.missingApprovals(of: asked.id, by: world.caller("eve")).count == 2)
        _ = try await world.services[.prod]!.approve(asked.id, plan: waiting.planDigest, comment: "", by: world.caller("ida"))
        let approved = try await world.services[.prod]!.approve(asked.id, plan: waiting.planDigest, comment: "", by: world.caller("rex"))
        #expect(approved.state == .approved)
    }

    @Test("prod waits until the release has soaked in stage, and refuses one that was never live there")
    func upstream() async throws {
        let world = try await world()
        await #expect { try await world.services[.prod]!.request(PromotionRequest(release: world.releases[0].id.rawValue), by: world.caller("eve")) } throws: {
            "\($0)".contains("never live in stage")
        }
        try await world.promote(world.releases[0], to: .stage)
        let asked = try await world.services[.prod]!.request(PromotionRequest(release: world.releases[0].id.rawValue), by: world.caller("eve"))
        for _ in 0..<5 { await world.step(.prod) }
        #expect(try await world.services[.prod]!.promotion(asked.id, by: .system("test")).state == .checking)
        world.clock.advance(by: .seconds(3700))
        #expect(try await world.settle(asked.id, .prod, in: [.awaitingApproval]).state == .awaitingApproval)
        // A quarantine upstream stops it here too.
        try await world.services[.stage]!.quarantine(world.releases[0].id.rawValue, reason: "leak", by: world.caller("oli"))
        #expect(try await world.settle(asked.id, .prod, in: [.blocked]).state == .blocked)
    }

    @Test("a release arrives with its bytes and its record, as a version of the target's registry; no data comes along")
    func arrives() async throws {
        let world = try await world(5)
        let release = world.releases[4]  // of dev
        let promotion = try await world.services[.stage]!.request(PromotionRequest(release: String(release.id.rawValue.prefix(12))), by: world.caller("eve"))
        #expect(promotion.release == release.id)
        let stage = world.realms[.stage]!.realm
        let (record, version) = try await stage.database.read { tx in
            let record = try ReleaseStore(tx: tx).release(release.id)
            return (record, try record.flatMap { try RegistryStore(tx: tx).version($0.modelVersion, of: "flight-delay") })
        }
        #expect(record?.content == release.content)
        #expect(version?.manifestDigest == release.content.modelDigest)
        #expect(version?.signature != nil)
        let manifest = try stage.blobs.manifest(release.content.modelDigest)
        #expect(version?.sizeBytes == manifest.size && version?.fileCount == manifest.files.count && manifest.files.count > 0)
        #expect(try stage.blobs.firstDamage(in: stage.blobs.manifest(release.content.modelDigest)) == nil)
        #expect(try stage.blobs.verify(release.content.lockDigest))
        #expect(stage.blobs.file(of: release.content.snapshots["flights"]!) == nil)
    }

    @Test("the same request id twice, at once, is one promotion; for something else it is refused")
    func idempotent() async throws {
        let world = try await world()
        let service = world.services[.stage]!
        let release = world.releases[0].id.rawValue
        let ids = try await withThrowingTaskGroup { group in
            for _ in 0..<5 { group.addTask { try await service.request(PromotionRequest(release: release, requestID: "k1"), by: world.caller("eve")).id } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(ids.count == 1)
        #expect(try await service.promotions(project: nil, slot: nil, by: world.caller("eve")).count == 1)
        await #expect(throws: SlipwayError.self) { try await service.request(PromotionRequest(release: world.releases[1].id.rawValue, requestID: "k1"), by: world.caller("eve")) }
    }

    @Test("a newer approved promotion supersedes the older pending ones of its slot")
    func supersedes() async throws {
        let world = try await world()
        let service = world.services[.stage]!
        let older = try await service.request(PromotionRequest(release: world.releases[0].id.rawValue), by: world.caller("eve"))
        world.clock.advance(by: .seconds(1))
        let newer = try await service.request(PromotionRequest(release: world.releases[1].id.rawValue), by: world.caller("eve"))
        let asked = try await world.settle(newer.id, .stage, in: [.awaitingApproval])
        _ = try await service.approve(newer.id, plan: asked.planDigest, comment: "", by: world.caller("ida"))
        #expect(try await service.promotion(older.id, by: world.caller("eve")).state == .superseded)
    }

    @Test("a new policy voids approvals; a re-check plans under it and needs them again")
    func policyDrift() async throws {
        let world = try await world()
        let service = world.services[.stage]!
        let asked = try await service.request(PromotionRequest(release: world.releases[0].id.rawValue), by: world.caller("eve"))
        let first = try await world.settle(asked.id, .stage, in: [.awaitingApproval])
        _ = try await service.approve(asked.id, plan: first.planDigest, comment: "", by: world.caller("ida"))
        _ = try await service.installPolicy(
            "name: demo\nenvironment: stage\napprovals: [ { role: reviewer, count: 1 } ]\ngates: { scan: enforce }", of: PromotionWorld.project, by: world.caller("max"))
        let blocked = try await world.settle(asked.id, .stage, in: [.blocked])
        #expect(blocked.state == .blocked && blocked.approvals.isEmpty)
        _ = try await service.recheck(asked.id, by: world.caller("eve"))
        let again = try await world.settle(asked.id, .stage, in: [.awaitingApproval])
        #expect(again.planDigest != first.planDigest && again.plan.policyName == "demo")
        await #expect(throws: SlipwayError.self, "the old plan's digest") { try await service.approve(asked.id, plan: first.planDigest, comment: "", by: world.caller("ida")) }
        _ = try await service.approve(asked.id, plan: again.planDigest, comment: "", by: world.caller("ida"))
        _ = try await service.apply(asked.id, by: world.caller("oli"))
        #expect(try await world.settle(asked.id, .stage, in: [.live]).state == .live)
        let marks = try await service.release(world.releases[0].id.rawValue, by: world.caller("eve")).marks
        #expect(marks == ["policy:demo"])
    }

    @Test("damaged bytes are found before anything is applied")
    func damage() async throws {
        let world = try await world()
        let service = world.services[.stage]!
        let asked = try await service.request(PromotionRequest(release: world.releases[0].id.rawValue), by: world.caller("eve"))
        let first = try await world.settle(asked.id, .stage, in: [.awaitingApproval])
        _ = try await service.approve(asked.id, plan: first.planDigest, comment: "", by: world.caller("ida"))
        let blobs = world.realms[.stage]!.realm.blobs
        let victim = try #require(blobs.file(of: try blobs.manifest(world.releases[0].content.modelDigest).files[0].digest))
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: victim.path)
        try Data("other bytes".utf8).write(to: victim)
        await #expect { try await service.apply(asked.id, by: world.caller("oli")) } throws: { "\($0)".contains("do not match their digests") }
        #expect(try await service.promotion(asked.id, by: world.caller("eve")).state == .approved)
    }

    @Test("a driver that forgot everything goes on where the rows say, at every step of a canary")
    func crashes() async throws {
        let world = try await world()
        try await world.promote(world.releases[0], to: .stage)
        let second = try await world.promote(world.releases[1], to: .stage, until: [.applying, .verifying])
        for _ in 0..<40 {
            world.restart(.stage)
            world.endpoints[.stage]!.state.withLock { $0.breaks = true }
            await world.step(.stage)
            world.restart(.stage)
            world.endpoints[.stage]!.state.withLock { $0.breaks = false }
            await world.step(.stage)
            world.clock.advance(by: .seconds(6))
        }
        #expect(try await world.services[.stage]!.promotion(second.id, by: .system("test")).state == .live)
        let verdict = try await world.realms[.stage]!.database.read { tx in try AuditStore(tx: tx).verify() }
        #expect(verdict.broken == nil && verdict.count > 20)
    }

    @Test("every use case refuses nobody and a platform administrator without a role")
    func refusals() async throws {
        let world = try await world()
        let promotion = try await world.promote(world.releases[0], to: .stage)
        let service = world.services[.stage]!
        for caller in [Caller.anonymous, world.caller("root")] {
            let tries: [@Sendable () async throws -> Void] = [
                { _ = try await service.request(PromotionRequest(release: world.releases[1].id.rawValue), by: caller) },
                { _ = try await service.promotion(promotion.id, by: caller) }, { _ = try await service.submit(promotion.id, by: caller) },
                { _ = try await service.recheck(promotion.id, by: caller) }, { _ = try await service.approve(promotion.id, plan: promotion.planDigest, comment: "", by: caller) },
                { _ = try await service.reject(promotion.id, reason: "x", by: caller) }, { _ = try await service.withdraw(promotion.id, by: caller) },
                { _ = try await service.apply(promotion.id, by: caller) }, { _ = try await service.abort(promotion.id, reason: "x", by: caller) },
                { _ = try await service.rollBack(PromotionWorld.slot, reason: "x", by: caller) }, { _ = try await service.retire(PromotionWorld.slot, reason: "x", by: caller) },
                { _ = try await service.slot(PromotionWorld.slot, by: caller) }, { _ = try await service.history(of: PromotionWorld.slot, by: caller) },
                { try await service.hold(PromotionWorld.slot, reason: "x", by: caller) }, { try await service.lift(PromotionWorld.slot, reason: "x", by: caller) },
                { _ = try await service.freeze(project: PromotionWorld.project, slot: nil, reason: "x", lifetime: nil, by: caller) },
                { try await service.quarantine(world.releases[0].id.rawValue, reason: "x", by: caller) },
                { try await service.liftQuarantine(world.releases[0].id.rawValue, reason: "x", by: caller) },
                { _ = try await service.policy(of: PromotionWorld.project, by: caller) },
                { _ = try await service.installPolicy("environment: stage", of: PromotionWorld.project, by: caller) },
                { _ = try await service.audit(project: PromotionWorld.project, by: caller) }, { _ = try await service.verifyAudit(by: caller) },
            ]
            for (number, attempt) in tries.enumerated() { await #expect(throws: SlipwayError.self, "use case \(number) for \(caller.principal.raw)") { try await attempt() } }
        }
    }

    @Test("retiring closes the endpoint and leaves the history")
    func retires() async throws {
        let world = try await world()
        try await world.promote(world.releases[0], to: .stage)
        _ = try await world.services[.stage]!.retire(PromotionWorld.slot, reason: "replaced", by: world.caller("oli"))
        await world.step(.stage)
        #expect(world.endpoints[.stage]!.state.withLock { $0.wishes.isEmpty })
        let slot = try await world.services[.stage]!.slot(PromotionWorld.slot, by: world.caller("eve"))
        #expect(slot.current == nil && slot.generation == 2)
        let alias = try await world.realms[.stage]!.database.read { tx in try RegistryStore(tx: tx).alias("live", of: "flight-delay") }
        #expect(alias == nil)
    }
}
