import Foundation
import Monitoring
import SlipwayBlobs
import SlipwayCore
import SlipwayRuntime
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Synchronization

/// Stage and prod of one project, with a release trained in stage and live in both, and files as the gateway leaves them.
///
/// The rows are integer arithmetic, so that the Python snippet in `DriftReportTests` makes the same ones.
final class MonitoringFixture: Sendable {
    static let project = ProjectName(unchecked: "flights")
    static let slot = SlotName(unchecked: "delay")
    static let from = Timestamp(milliseconds: 1_364_774_400_000)  // 2013-04-01
    static let to = from + .seconds(30 * 86_400)

    let clock: FakeClock
    let ids = CountingIDs()
    let stage: TestRealm
    let prod: TestRealm
    let retrained: Retrained
    let release: Release

    /// What the ports were asked for, and what they answer.
    final class Retrained: Retraining, DataRefresh {
        struct Seen: Sendable {
            var refreshed: [String] = []
            var reasons: [String] = []
            var requests: [String] = []
            var refreshFailure: SlipwayError?
            var requestFailure: SlipwayError?
        }
        let seen = Mutex(Seen())
        let stage: Realm
        let config: ContentDigest
        init(stage: Realm, config: ContentDigest) { self.stage = stage; self.config = config }

        func refresh(dataset: String, project: ProjectName, by caller: Caller) async throws -> String? {
            try seen.withLock { seen in
                if let failure = seen.refreshFailure { throw failure }
                seen.refreshed.append(dataset)
            }
            return nil
        }

        func retrain(project: ProjectName, reason: String) async throws -> String {
            let number = seen.withLock { seen in
                seen.reasons.append(reason); return seen.reasons.count
            }
            let id = "execution\(number)"
            let execution = Execution(
                id: id, project: project, commit: String(repeating: "c", count: 40), branch: "main", trigger: .drift, state: .running, run: "run\(number)",
                configDigest: config, requestedBy: "system:monitoring", reason: reason, createdAt: Timestamp(milliseconds: 1))
            try await stage.database.write { tx in try ExecutionStore(tx: tx).insert(execution, steps: []) }
            return id
        }

        func request(_ environment: EnvironmentID, _ release: ContentDigest, _ id: String) throws -> String {
            try seen.withLock { seen in
                seen.requests.append("\(environment.rawValue) \(release.short) \(id)")
                if let failure = seen.requestFailure { throw failure }
                return "promotion-of-\(id)"
            }
        }
    }

    enum Baseline { case artifact, snapshot, none }

    init(baseline: Baseline = .artifact, file: ProjectFile = MonitoringFixture.projectFile(), clock: FakeClock = FakeClock()) async throws {
        self.clock = clock
        stage = try await TestRealm(.stage, clock: clock)
        prod = try await TestRealm(.prod, clock: clock)
        let config = try CanonicalJSON.digest(file)
        retrained = Retrained(stage: stage.realm, config: config)
        let now = clock.now
        let project = Self.project
        let table = try await Self.parquet(Self.baselineRows(), in: stage.folder.url)
        let blobs = stage.realm.blobs
        let digest = try blobs.put(file: table)
        let model = try FileManifest(files: [.init(path: "model.pkl", digest: try blobs.put(Data("model".utf8)), size: 5)])
        let manifest = try blobs.put(model)
        let snapshot = try FileManifest(files: [.init(path: "part-0.parquet", digest: digest, size: try blobs.size(of: digest) ?? 0)])
        let snapshotDigest = try blobs.put(snapshot)
        let signature: JSONValue = [
            "inputs": .string(
                #"[{"name":"x","type":"double"},{"name":"n","type":"long"},{"name":"c","type":"string"},{"name":"s","type":"double"},{"name":"gone","type":"double"}]"#)
        ]
        let run = String(repeating: "1", count: 32)
        let sealed = try await stage.database.write { tx in
            let experiment = try ExperimentStore(tx: tx).ensure(name: "flights", project: project, at: now)
            let made = try RunStore(tx: tx).create(experiment: experiment, name: nil, user: "ada", tags: [:], at: now, id: run)
            if baseline == .artifact {
                try ArtifactStore(tx: tx).put(BaselineProfile.artifactPath, digest: digest, size: 1, under: made.artifactRoot, at: now)
            }
            let version = try RegistryStore(tx: tx).register(
                model: "delay", project: project, source: .manifest(manifest, origin: "test"), tags: [:], at: now, by: .system("test"), signature: signature)
            let content = Release.Content(
                project: project, kind: .model, commit: String(repeating: "c", count: 40), tree: String(repeating: "d", count: 40),
                lockDigest: ContentDigest(of: "lock"), modelName: "delay", modelDigest: manifest, trainingRun: run, trainingEnvironment: .stage,
                snapshots: baseline == .none ? [:] : ["flights": snapshotDigest], contracts: [:], configDigests: ["stage": config, "prod": config])
            return try Release(content: content, createdAt: now, createdBy: "system:test", modelVersion: version, execution: "e", metrics: ["auc": 0.9])
        }
        release = sealed
        for realm in [stage, prod] {
            try await realm.database.write { tx in
                _ = try ReleaseStore(tx: tx).insert(sealed)
                _ = try ProjectFileStore(tx: tx).put(file)
                var slot = Slot(name: Self.slot, project: project, createdAt: now)
                slot.current = sealed.id
                _ = try SlotStore(tx: tx).insert(slot)
            }
        }
    }

    static func projectFile(drift: EnvironmentID? = .stage, quality: [String: String] = ["auc": ">= 0.62"]) -> ProjectFile {
        ProjectFile(
            project: project, owner: "ops", python: .init(version: "3.11", requirements: "requirements.txt"),
            data: ["flights": .init(checks: nil, expire: [:], refresh: [.stage: .init(from: .prod, every: "month")], freshness: [.prod: "36h"])], pipeline: [],
            triggers: .init(drift: drift),
            monitoring: .init(
                drift: .init(), labels: .init(key: "flight_id", time: "scheduled_arrival", delay: "1d", coverage: 0.75), quality: quality))
    }

    func service(_ realm: TestRealm? = nil) -> MonitoringService {
        let retrained = retrained
        return MonitoringService(
            realm: (realm ?? prod).realm, readers: [.stage: stage.realm.reader, .prod: prod.realm.reader], dataRefresh: [.stage: retrained],
            retraining: [.stage: retrained], requestPromotion: { environment, release, _, id in try retrained.request(environment, release, id) }, clock: clock, ids: ids,
            logger: quietLogger)
    }

    static func caller(_ role: Role, _ environment: EnvironmentID = .prod, project: ProjectName = project) -> Caller {
        Caller(
            principal: .user(UserName(unchecked: "ada")),
            grants: [RoleGrant(project: project, environment: environment, role: role, grantedAt: Timestamp(milliseconds: 0))])
    }

    // MARK: Rows

    static func baselineRows() -> [String] {
        (0..<2000).map { i in
            let s = i % 10 == 0 ? "null" : "\(i * 13 % 97)"
            let c = ["a", "b", "c", "d"][i * 31 % 11 % 4]
            let label = i * 6151 % 997 + i * 37 % 500 > 700 ? 1 : 0
            return #"{"x":\#(Double(i * 7919 % 1009) / 10),"n":\#(i % 7),"c":"\#(c)","s":\#(s),"prediction":\#(Double(i * 6151 % 997) / 997),"label":\#(label)}"#
        }
    }

    /// A captured line per row, in the window, half an hour apart.
    static func captured(_ rows: Range<Int> = 0..<1500, release: ContentDigest) -> [String] {
        rows.map { j in
            let c = ["a", "b", "e"][j * 17 % 13 % 3]
            let s = j % 3 == 0 ? "null" : "\(j * 13 % 97)"
            let time = (from + .seconds(Int64(j) * 1700)).iso8601
            let row = #"{"flight_id":"F\#(j)","scheduled_arrival":"\#(time)","x":\#(Double(j * 7919 % 1009) / 10 + 20),"n":\#(j * j % 7),"c":"\#(c)","s":\#(s)}"#
            return
                #"{"id":"r\#(j)","at":"2026-11-24T10:00:00.000Z","release":"\#(release)","version":1,"generation":1,"ms":1.5,"row":\#(row),"prediction":\#(Double(j * 4409 % 991) / 991)}"#
        }
    }

    static func labels(_ rows: Range<Int> = 0..<1500) -> String {
        "flight_id,label\n" + rows.filter { $0 % 5 != 0 }.map { j in "F\(j),\(j * 4409 % 991 + j * 53 % 600 > 800 ? 1 : 0)\n" }.joined()
    }

    func capture(_ lines: [String], segment: String = "20261124T100000-1.ndjson", realm: TestRealm? = nil, terminated: Bool = true) throws {
        let folder = (realm ?? prod).folder.url.appending(path: "captures/\(Self.slot)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data((lines.joined(separator: "\n") + (terminated ? "\n" : "")).utf8).write(to: folder.appending(path: segment))
    }

    static func stream(_ text: String) -> AsyncThrowingStream<Data, any Error> {
        AsyncThrowingStream { continuation in
            let bytes = Array(text.utf8)
            for start in stride(from: 0, to: bytes.count, by: 1000) { continuation.yield(Data(bytes[start..<min(start + 1000, bytes.count)])) }
            continuation.finish()
        }
    }

    private static func parquet(_ rows: [String], in folder: URL) async throws -> URL {
        let source = folder.appending(path: "baseline.ndjson")
        let target = folder.appending(path: "baseline.parquet")
        try Data(rows.joined(separator: "\n").utf8).write(to: source)
        _ = try await DuckDB.find().answers(
            "COPY (SELECT * FROM read_ndjson(\(DuckDB.literal(source.path)))) TO \(DuckDB.literal(target.path)) (FORMAT parquet)", in: [folder])
        return target
    }
}
