import Foundation
import SlipwayBlobs
import SlipwayCore
import SlipwayRuntime
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Synchronization
import Testing

@testable import Promotions

@Suite("Gates")
struct GateTests {
    private func input(
        _ world: PromotionWorld, _ number: Int = 1, champion: Int? = 0, in environment: EnvironmentID = .stage, file: ProjectFile = PromotionWorld.file,
        rule: GateRule = GateRule(mode: .enforce)
    ) throws -> GateInput {
        var slot = Slot(name: PromotionWorld.slot, project: PromotionWorld.project, createdAt: PromotionWorld.start)
        slot.current = champion.map { world.releases[$0].id }
        let policy = PromotionWorld.policy(environment)
        var promotion = try Promotion(
            id: "p\(number)", plan: Plan(release: world.releases[number].id, slot: slot, policy: policy, policyVersion: 0), change: ReleaseChange(), requestedBy: "user:eve",
            at: PromotionWorld.start, timeOuts: .init())
        promotion.attempt = 1
        return GateInput(
            promotion: promotion, release: world.releases[number], champion: champion.map { world.releases[$0] }, rule: rule, policy: policy, projectFile: file,
            realm: world.realms[environment]!.realm, errors: 0, now: world.clock.now)
    }

    private func finding(_ result: GateResult) throws -> GateFinding {
        guard case .done(let finding) = result else { throw Broken() }
        return finding
    }

    @Test("metrics and champion are measured once, on the newest snapshot here, and judged by floor and project together")
    func measured() async throws {
        let world = try await PromotionWorld(releaseCount: 3)
        let evaluations = world.evaluations[.stage]!
        evaluations.state.withLock { $0.auc[FakeCode.id(1)] = 0.66 }
        var file = PromotionWorld.file
        file.gates = .init(conditions: [.stage: ["metrics.auc >= 0.67", "champion.auc - metrics.auc <= 0.01"]])
        let measurement = Measurement(evaluations: evaluations)
        let input = try input(world, file: file, rule: GateRule(mode: .enforce, conditions: ["metrics.auc >= 0.6"]))
        let metrics = try await finding(MetricsGate(measurement: measurement).run(input))
        #expect(metrics.outcome == .fail && metrics.summary.contains("0.67") && !metrics.summary.contains("champion"))
        let baseline = try await finding(BaselineGate(measurement: measurement).run(input))
        #expect(baseline.outcome == .fail && baseline.summary.contains("champion.auc = 0.7"))
        #expect(baseline.producer == "execution:p1-1-0")
        let asked = evaluations.state.withLock { $0.requests }
        #expect(asked.count == 1)
        let newest = try await world.realms[.stage]!.database.read { tx in try SnapshotStore(tx: tx).newest(of: "flights", project: PromotionWorld.project)?.id }
        #expect(asked.first?.snapshots["flights"] == newest)
        #expect(asked.first?.championVersion == world.releases[0].modelVersion)
        let first = try await finding(BaselineGate(measurement: measurement).run(self.input(world, champion: nil, file: file)))
        #expect(first.outcome == .pass && first.summary.contains("yet"))
    }

    @Test("a metric that was not logged fails, and a project without conditions has nothing to pass")
    func unmeasured() async throws {
        let world = try await PromotionWorld(releaseCount: 3)
        let measurement = Measurement(evaluations: world.evaluations[.stage]!)
        let unknown = try await finding(MetricsGate(measurement: measurement).run(input(world, rule: GateRule(mode: .enforce, conditions: ["metrics.f1 > 0.1"]))))
        #expect(unknown.outcome == .fail && unknown.summary.contains("f1"))
        #expect(try await finding(MetricsGate(measurement: measurement).run(input(world))).outcome == .notAvailable)
        #expect(try await finding(BaselineGate(measurement: measurement).run(input(world))).outcome == .notAvailable)
        #expect(try await finding(SlicesGate(measurement: measurement).run(input(world))).outcome == .notAvailable)
    }

    @Test("the signature may drop or widen inputs, never ask more of callers or answer otherwise")
    func signatures() throws {
        func signature(_ inputs: String, _ outputs: String = #"[{"type": "double", "name": "p"}]"#) throws -> Signature {
            try #require(Signature(CanonicalJSON.decode(JSONValue.self, from: #"{"inputs": \#(inputs), "outputs": \#(outputs)}"#)))
        }
        let current = try signature(#"[{"type": "integer", "name": "a", "required": true}, {"type": "string", "name": "b", "required": false}]"#)
        func breaks(_ inputs: String, _ outputs: String = #"[{"type": "double", "name": "p"}]"#) throws -> Int {
            try Signature.breaks(from: current, to: signature(inputs, outputs)).count
        }
        #expect(try breaks(#"[{"type": "integer", "name": "a", "required": true}]"#) == 0)
        #expect(try breaks(#"[{"type": "double", "name": "a", "required": true}]"#) == 0)
        #expect(try breaks(#"[{"type": "integer", "name": "a"}, {"type": "string", "name": "c", "required": false}]"#) == 0)
        #expect(try breaks(#"[{"type": "integer", "name": "a"}, {"type": "string", "name": "c", "required": true}]"#) == 1)
        #expect(try breaks(#"[{"type": "string", "name": "a"}]"#) == 1)
        #expect(try breaks(#"[{"type": "string", "name": "b", "required": true}]"#) == 1)
        #expect(try breaks(#"[{"type": "integer", "name": "a"}]"#, #"[{"type": "long", "name": "p"}]"#) == 1)
    }

    @Test("what a release names must be there: its tree, its lock, its training data")
    func traceable() async throws {
        let world = try await PromotionWorld(releaseCount: 3)
        let gate = TraceableGate(code: world.code, realms: world.realms.mapValues(\.realm.reader))
        #expect(try await finding(gate.run(input(world))).outcome == .pass)
        try world.realms[.stage]!.realm.blobs.remove(world.releases[1].content.lockDigest)
        let snapshot = try await world.realms[.stage]!.database.read { tx in
            try SnapshotStore(tx: tx).snapshot(withManifest: world.releases[1].content.snapshots["flights"]!, of: "flights", project: PromotionWorld.project)
        }
        let id = try #require(snapshot?.id)
        _ = try await world.realms[.stage]!.database.write { tx in try SnapshotStore(tx: tx).remove(id, at: PromotionWorld.start) }
        let broken = try await finding(gate.run(input(world)))
        #expect(broken.outcome == .fail && broken.summary.contains("lock") && broken.summary.contains("training snapshot"))
    }

    @Test("gates that are not built say so and never pass")
    func unbuilt() async throws {
        let world = try await PromotionWorld(releaseCount: 3)
        #expect(try await finding(UnbuiltGate(.parity).run(input(world))).outcome == .notAvailable)
    }

    private static var hasScanners: Bool {
        guard let python = try? ScanGate.interpreter() else { return false }  // then the test says that it was skipped
        let process = Process()
        process.executableURL = python
        process.arguments = ["-c", "import picklescan, detect_secrets"]
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }  // not runnable is not there
        process.waitUntilExit()
        return process.terminationStatus == 0
    }

    @Test(
        "the scan passes numbers and refuses a pickle that would run a program, and a secret in the tree",
        .enabled(if: hasScanners, "needs picklescan and detect-secrets: make setup"))
    func scan() async throws {
        let world = try await PromotionWorld(releaseCount: 3)
        let resources = try ResourceFolder.find()
        let gate = ScanGate(code: world.code, resources: resources)
        #expect(try await finding(gate.run(input(world))).outcome == .pass)
        // pickle.loads of this is os.system("true").
        let evil = Data("cos\nsystem\n(S'true'\ntR.".utf8)
        let blobs = world.realms[.stage]!.realm.blobs
        let manifest = try FileManifest(files: [.init(path: "model.pkl", digest: try blobs.put(evil), size: Int64(evil.count))])
        var input = try input(world)
        var content = input.release.content
        content.modelDigest = try blobs.put(manifest)
        input.release = try Release(content: content, createdAt: world.clock.now, createdBy: "user:ada", modelVersion: 1, execution: "e", metrics: [:])
        let refused = try await finding(gate.run(input))
        #expect(refused.outcome == .fail && refused.summary.contains("os.system"))
        let secret = try gate.judge(
            JSONDecoder().decode(
                ScanGate.Report.self, from: Data(#"{"flavors": [], "pickles": [], "secrets": [{"path": "a.py", "line": 3, "kind": "AWS Access Key"}], "skipped": 0}"#.utf8)))
        #expect(try finding(secret).outcome == .fail)
    }
}
