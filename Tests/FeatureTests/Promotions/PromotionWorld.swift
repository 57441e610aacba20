import Foundation
import Promotions
import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Synchronization

/// Three realms, people with roles, releases and drivers over fake ports, on real databases.
final class PromotionWorld: Sendable {
    static let project = ProjectName(unchecked: "flights")
    static let slot = SlotName(unchecked: "flight-delay")
    static let start = Timestamp(milliseconds: 1_700_000_000_000)

    let clock = FakeClock(PromotionWorld.start)
    let ids = CountingIDs()
    let control: TestControl
    let realms: [EnvironmentID: TestRealm]
    let code: FakeCode
    let services: [EnvironmentID: PromotionService]
    let evaluations: [EnvironmentID: FakeEvaluations]
    let endpoints: [EnvironmentID: FakeEndpoints]
    let scans: [EnvironmentID: ScriptedGate]
    let releases: [Release]
    private let drivers: Mutex<[EnvironmentID: PromotionDriver]>

    /// Person → environment → roles. `ada` writes the code and is a reviewer all the same.
    static let people: [String: [EnvironmentID: [Role]]] = [
        "ada": [.dev: [.contributor], .stage: [.engineer, .reviewer], .prod: [.engineer, .reviewer]],
        "eve": [.dev: [.engineer], .stage: [.engineer, .operator], .prod: [.engineer]],
        "rex": [.stage: [.reviewer], .prod: [.reviewer, .operator]],
        "ida": [.stage: [.reviewer], .prod: [.reviewer]],
        "oli": [.dev: [.operator], .stage: [.operator], .prod: [.operator]],
        "max": [.dev: [.admin], .stage: [.admin], .prod: [.admin]],
        "aud": [.dev: [.auditor], .stage: [.auditor], .prod: [.auditor]],
    ]

    static func policy(_ environment: EnvironmentID) -> Policy {
        var policy = Policy(name: environment == .prod ? "strict" : environment.rawValue, environment: environment)
        policy.rollout.kind = .canary
        policy.rollout.steps = [10, 100]
        policy.rollout.bake = "10s"
        policy.rollout.minRequests = 50
        policy.rollout.rollbackOn.errorRate = 0.01
        policy.gates = [.metrics: GateRule(mode: .enforce, conditions: ["metrics.auc >= 0.6"]), .scan: GateRule(mode: .enforce), .fallback: GateRule(mode: .enforce)]
        policy.approvals = environment == .dev ? [] : [ApprovalRule(role: .reviewer, count: 1)]
        policy.automatic = environment == .dev
        if environment == .prod {
            policy.from = .init(environment: .stage, soak: "1h")
            policy.approvals.append(ApprovalRule(role: .operator, count: 1))
            policy.gates[.upstream] = GateRule(mode: .enforce)
        }
        return policy
    }

    /// - Parameter releaseCount: releases made in stage, by commits 0, 1, 2, …; the last two exist in dev only.
    init(releaseCount: Int = 4, change: (inout Policy) -> Void = { _ in }) async throws {
        let clock = clock, ids = ids
        control = try await TestControl(clock: clock)
        var realms: [EnvironmentID: TestRealm] = [:]
        for environment in EnvironmentID.allCases { realms[environment] = try await TestRealm(environment, clock: clock) }
        self.realms = realms
        code = FakeCode(commits: (0..<releaseCount).map { .init(id: FakeCode.id($0), author: $0 % 3 == 2 ? "eve" : "ada", pusher: ["ada", "rex", "oli"][$0 % 3]) })
        try await Self.addPeople(control, realms)
        releases = try await Self.seal(releaseCount, realms)
        var services: [EnvironmentID: PromotionService] = [:]
        for environment in EnvironmentID.allCases {
            var policy = Self.policy(environment)
            change(&policy)
            services[environment] = PromotionService(
                realm: realms[environment]!.realm, below: environment.below.map { realms[$0]!.realm.reader }, control: control.database, code: code, clock: clock, ids: ids,
                shipped: InstalledPolicy(project: .implicit, version: 0, policy: policy, text: "", installedAt: Self.start, installedBy: "slipway"), logger: quietLogger)
        }
        self.services = services
        evaluations = Dictionary(uniqueKeysWithValues: EnvironmentID.allCases.map { ($0, FakeEvaluations()) })
        endpoints = Dictionary(uniqueKeysWithValues: EnvironmentID.allCases.map { ($0, FakeEndpoints()) })
        scans = Dictionary(uniqueKeysWithValues: EnvironmentID.allCases.map { ($0, ScriptedGate(.scan)) })
        drivers = Mutex([:])
        for environment in EnvironmentID.allCases { restart(environment) }
    }

    private static func addPeople(_ control: TestControl, _ realms: [EnvironmentID: TestRealm]) async throws {
        try await control.database.write { tx in
            for name in people.keys.sorted() + ["root"] {
                try IdentityStore(tx: tx).insert(
                    Person(
                        name: UserName(unchecked: name), fullName: name, passwordHash: nil, isPlatformAdministrator: name == "root", emails: ["\(name)@example.org"],
                        createdAt: start))
            }
        }
        for (environment, realm) in realms {
            try await realm.database.write { tx in
                for (name, roles) in people {
                    for role in roles[environment] ?? [] { _ = try GrantStore(tx: tx).grant(role, of: project, to: UserName(unchecked: name), by: .system("test"), at: start) }
                }
            }
        }
    }

    private static func seal(_ count: Int, _ realms: [EnvironmentID: TestRealm]) async throws -> [Release] {
        var releases: [Release] = []
        for number in 0..<count {
            let environment: EnvironmentID = number >= count - 2 && count > 3 ? .dev : .stage
            releases.append(try await seal(number, in: realms[environment]!.realm))
        }
        for realm in realms.values where realm.realm.environment != .dev || count <= 3 { try await addData(realm.realm, name: "\(realm.realm.environment.rawValue)-newest") }
        return releases
    }

    @discardableResult
    static func addData(_ realm: Realm, name: String) async throws -> DataSnapshot {
        let entry = FileManifest.Entry(path: "flights.csv", digest: try realm.blobs.put(Data("rows of \(name)".utf8)), size: 10)
        let manifest = try FileManifest(files: [entry])
        let digest = try realm.blobs.put(manifest)
        let snapshot = DataSnapshot(
            id: String(digest.rawValue.prefix(12)), dataset: "flights", project: project, manifestDigest: digest, sizeBytes: 10, fileCount: 1, createdAt: start,
            createdBy: "user:ada", checks: CheckOutcome(verdict: .passed, at: start))
        try await realm.database.write { tx in try SnapshotStore(tx: tx).insert(snapshot, blobs: [entry.digest, digest]) }
        return snapshot
    }

    static let file = ProjectFile(
        project: project, owner: "ops", python: .init(version: "3.11", requirements: "requirements.txt"),
        data: ["flights": .init(checks: "checks.yaml", expire: [:], refresh: [:], freshness: [:])], pipeline: [],
        model: .init(name: "flight-delay", kind: .model, register: nil, card: nil),
        serving: .init(endpoint: "flight-delay", workers: 2), monitoring: .init(capture: 1, drift: .init()))

    private static func seal(_ number: Int, in realm: Realm) async throws -> Release {
        let data = try await addData(realm, name: "\(realm.environment.rawValue)-\(number)")
        let mlmodel = "signature:\n  inputs: '[{\"type\": \"double\", \"name\": \"distance\", \"required\": true}]'\n  outputs: '[{\"type\": \"double\", \"name\": \"p\"}]'\n"
        let files = try ["model.pkl": "model \(number)", "MLmodel": mlmodel].map { path, text in
            FileManifest.Entry(path: path, digest: try realm.blobs.put(Data(text.utf8)), size: Int64(text.utf8.count))
        }
        let manifest = try FileManifest(files: files)
        let model = try realm.blobs.put(manifest)
        let lock = try realm.blobs.put(Data("scikit-learn==1.9.1".utf8))
        let commit = FakeCode.id(number)
        let file = file
        let signature = try realm.blobs.signature(in: manifest)
        return try await realm.database.write { tx in
            let config = try ProjectFileStore(tx: tx).put(file)
            let version = try RegistryStore(tx: tx).register(
                model: "flight-delay", project: project, source: .manifest(model, origin: "test"), tags: [:], at: start, by: .user(UserName(unchecked: "ada")), signature: signature
            )
            let release = try Release(
                content: .init(
                    project: project, kind: .model, commit: commit, tree: FakeCode.treeID(commit), lockDigest: lock, modelName: "flight-delay", modelDigest: model,
                    trainingRun: "run\(number)", trainingEnvironment: realm.environment, snapshots: ["flights": data.manifestDigest], contracts: [:],
                    configDigests: Dictionary(uniqueKeysWithValues: EnvironmentID.allCases.map { ($0.rawValue, config) })),
                createdAt: start + .seconds(number), createdBy: "user:ada", modelVersion: version, execution: "e\(number)", metrics: ["auc": 0.7 + Double(number) / 100])
            _ = try ReleaseStore(tx: tx).insert(release)
            return release
        }
    }

    // MARK: Acting

    func caller(_ name: String) -> Caller {
        if name == "root" { return Caller(principal: .user(UserName(unchecked: "root")), isPlatformAdministrator: true) }
        if name == "ci" {
            return Caller(
                principal: .service("ci"), grants: EnvironmentID.allCases.map { RoleGrant(project: Self.project, environment: $0, role: .service, grantedAt: Self.start) })
        }
        let grants = (Self.people[name] ?? [:]).flatMap { environment, roles in
            roles.map { RoleGrant(project: Self.project, environment: environment, role: $0, grantedAt: Self.start) }
        }
        return Caller(principal: .user(UserName(unchecked: name)), grants: grants)
    }

    /// A new process: nothing is remembered but rows.
    func restart(_ environment: EnvironmentID) {
        let measurement = Measurement(evaluations: evaluations[environment]!)
        let service = services[environment]!
        let below = environment.below.map { realms[$0]!.realm.reader }
        let gates: [any Gate] = [
            MetricsGate(measurement: measurement), BaselineGate(measurement: measurement), UpstreamGate(below: below), FallbackGate(promotions: service),
            ContractGate(), TraceableGate(code: code, realms: realms.mapValues(\.realm.reader)), MonitorsGate(), scans[environment]!,
        ]
        let driver = PromotionDriver(promotions: service, gates: gates, endpoints: endpoints[environment]!)
        drivers.withLock { $0[environment] = driver }
    }

    func step(_ environment: EnvironmentID) async {
        let driver = drivers.withLock { $0[environment]! }
        await driver.step()
    }

    /// Steps until the promotion is in one of the states.
    func settle(_ id: String, _ environment: EnvironmentID, in states: Set<PromotionState>, rounds: Int = 40) async throws -> Promotion {
        for _ in 0..<rounds {
            let found = try await services[environment]!.promotion(id, by: .system("test"))
            if states.contains(found.state) { return found }
            await step(environment)
            clock.advance(by: .seconds(6))
        }
        return try await services[environment]!.promotion(id, by: .system("test"))
    }

    /// Requests, approves by whoever is asked for, applies and waits.
    @discardableResult
    func promote(_ release: Release, to environment: EnvironmentID, until states: Set<PromotionState> = [.live]) async throws -> Promotion {
        let service = services[environment]!
        let asked = try await service.request(PromotionRequest(release: release.id.rawValue), by: caller("eve"))
        var promotion = try await settle(asked.id, environment, in: [.awaitingApproval, .approved, .blocked, .live])
        for name in environment == .prod ? ["ida", "rex"] : ["ida"] where promotion.state == .awaitingApproval {
            promotion = try await service.approve(asked.id, plan: promotion.planDigest, comment: "fine", by: caller(name))
        }
        if promotion.state == .approved { promotion = try await service.apply(asked.id, by: caller("oli")) }
        return try await settle(asked.id, environment, in: states)
    }
}
