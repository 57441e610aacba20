import Foundation
import SlipwayBlobs
import SlipwayCore
import SlipwayRuntime
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Snapshots
import Synchronization

/// Three realms with their data services, a steward, and checks that a test writes.
struct SnapshotFixture: Sendable {
    static let project = ProjectName(unchecked: "flights")

    let clock = FakeClock(Timestamp(Date()))
    let realms: [EnvironmentID: TestRealm]
    let snapshots: [EnvironmentID: SnapshotService]
    let refreshes: [EnvironmentID: RefreshService]
    let checks: CheckFiles

    /// dataset → text
    final class CheckFiles: Sendable {
        let texts = Mutex<[String: String]>([:])
        subscript(dataset: String) -> String? {
            get { texts.withLock { $0[dataset] } }
        }
        func set(_ text: String?, for dataset: String) { texts.withLock { $0[dataset] = text } }
    }

    init() async throws {
        var realms: [EnvironmentID: TestRealm] = [:]
        for environment in EnvironmentID.allCases { realms[environment] = try await TestRealm(environment, clock: clock) }
        var snapshots: [EnvironmentID: SnapshotService] = [:]
        var refreshes: [EnvironmentID: RefreshService] = [:]
        let checks = CheckFiles()
        let ids = CountingIDs()
        for (environment, realm) in realms {
            let service = SnapshotService(
                realm: realm.realm, others: realms.values.filter { $0.realm.environment != environment }.map(\.realm.reader), clock: clock, ids: ids,
                logger: quietLogger, checksFile: { dataset, _ in checks[dataset].map { Array($0.utf8) } })
            snapshots[environment] = service
            // On purpose every realm is given, so that the direction is refused by the rule and not by absence.
            refreshes[environment] = RefreshService(snapshots: service, sources: realms.mapValues { RefreshSource(realm: $0.realm) })
        }
        self.realms = realms
        self.snapshots = snapshots
        self.refreshes = refreshes
        self.checks = checks
    }

    func caller(_ role: Role, _ environments: EnvironmentID..., name: String = "sam", project: ProjectName = Self.project) -> Caller {
        Caller(
            principal: .user(UserName(unchecked: name)),
            grants: environments.map { RoleGrant(project: project, environment: $0, role: role, grantedAt: Timestamp(milliseconds: 0)) })
    }

    var steward: Caller { caller(.steward, .dev, .stage, .prod) }

    /// Sends the files that are missing and makes a snapshot, as the command line does.
    @discardableResult
    func take(
        _ files: [String: Data], as dataset: String, in environment: EnvironmentID, tag: String? = nil, project: ProjectName = Self.project, by caller: Caller? = nil
    ) async throws -> DataSnapshot {
        let service = snapshots[environment]!
        let caller = caller ?? steward
        let entries = files.map { FileManifest.Entry(path: $0.key, digest: ContentDigest(of: $0.value), size: Int64($0.value.count)) }
        let missing = try await service.missing(entries.map(\.digest), project: project, by: caller)
        for (_, bytes) in files where missing.contains(ContentDigest(of: bytes)) {
            try await service.receive(ContentDigest(of: bytes), project: project, pieces: pieces(of: bytes), by: caller)
        }
        return try await service.importSnapshot(ImportRequest(dataset: dataset, project: project, files: entries, tag: tag), by: caller).snapshot
    }

    func pieces(of bytes: Data, of size: Int = 1000) -> AsyncStream<Data> {
        AsyncStream { stream in
            for start in stride(from: 0, to: bytes.count, by: size) { stream.yield(bytes.subdata(in: start..<min(start + size, bytes.count))) }
            stream.finish()
        }
    }

    /// A Parquet file that DuckDB makes of a query.
    static func parquet(_ query: String) async throws -> Data {
        let folder = try TemporaryFolder()
        _ = try await DuckDB.find().answers("COPY (\(query)) TO '\(folder.url.path)/t.parquet' (FORMAT parquet)", in: [folder.url])
        return try Data(contentsOf: folder.url.appending(path: "t.parquet"))
    }

    /// Asks DuckDB about a snapshot's files; `{path}` in the query stands for the file's place.
    func ask(_ query: String, of snapshot: DataSnapshot, in environment: EnvironmentID) async throws -> [DuckRow] {
        let folder = try TemporaryFolder()
        let blobs = realms[environment]!.realm.blobs
        let tree = folder.url.appending(path: "tree")
        try blobs.materialise(try blobs.manifest(snapshot.manifestDigest), at: tree)
        return try await DuckDB.find().rows(query.replacing("{", with: "'\(tree.path)/").replacing("}", with: "'"), in: [tree])
    }

    /// Offers and adopts a recipe.
    @discardableResult
    func adopt(_ refresh: ProjectFile.Refresh, of dataset: String, in environment: EnvironmentID) async throws -> RefreshRecipe {
        let digest = try await offer(refresh, of: dataset, in: environment)
        return try await refreshes[environment]!.adopt(digest.rawValue, of: dataset, project: Self.project, by: steward)
    }

    func offer(_ refresh: ProjectFile.Refresh, of dataset: String, in environment: EnvironmentID) async throws -> ContentDigest {
        let now = clock.now
        return try await realms[environment]!.database.write { tx in
            try RecipeStore(tx: tx).propose(project: Self.project, dataset: dataset, refresh: refresh, commit: "c0ffee", at: now)
        }
    }
}
