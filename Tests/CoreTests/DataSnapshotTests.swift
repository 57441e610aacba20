import Foundation
import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Testing

@Suite("Data snapshots")
struct DataSnapshotTests {
    private static let project = ProjectName(unchecked: "flights")

    @Test("the digest of a tree depends on paths and bytes, not on the order they are named in")
    func digestIsStable() throws {
        let entries = ["b/2.csv", "a.csv", "b/10.csv"].map { FileManifest.Entry(path: $0, digest: ContentDigest(of: $0), size: Int64($0.count)) }
        var generator = SeededGenerator(seed: 7)
        let first = try FileManifest(files: entries).digest()
        for _ in 0..<10 { #expect(try FileManifest(files: entries.shuffled(using: &generator)).digest() == first) }
        // Computed by Python: sha256 over the JSON with sorted keys and no spaces.
        #expect(first.rawValue == "27253dd8fc3a8a0713153b9491e7fa3f9af9957aaf83f39c62c26ec1aa4eec07")
        var moved = entries
        moved[0].path = "b/3.csv"
        #expect(try FileManifest(files: moved).digest() != first)
    }

    @Test(
        "a path that leaves its folder, hides a NUL or is endless is refused",
        arguments: [
            "../x", "a/../../x", "/etc/passwd", "a//b", "", ".", "a/./b", "a\0b", "a\\b", String(repeating: "x", count: 10 << 20), String(repeating: "x", count: 256),
        ])
    func hostilePaths(path: String) {
        let error = #expect(throws: SlipwayError.self) { try FileManifest(files: [.init(path: path, digest: ContentDigest(of: ""), size: 0)]) }
        #expect(error?.code == .invalidArgument)
        #expect((error?.message.utf8.count ?? 0) < 200)
    }

    @Test(
        "references are read",
        arguments: [
            ("flights", nil, "flights", nil), ("prod/flights@2013-03", "prod", "flights", "2013-03"), ("flights@latest", nil, "flights", nil),
            ("dev/a_b-1@0123abcd", "dev", "a_b-1", "0123abcd"),
        ] as [(String, String?, String, String?)])
    func references(text: String, environment: String?, dataset: String, version: String?) throws {
        let reference = try SnapshotReference(parsing: text)
        #expect(reference.environment?.rawValue == environment)
        #expect(reference.dataset == dataset)
        #expect(reference.version == version)
    }

    @Test("names that are no references, datasets or tags are refused")
    func badNames() {
        for text in ["", "@x", "flights@", "a/b/c", "moon/flights", "Flights", "blobs", "../flights", "prod/"] {
            #expect(throws: SlipwayError.self) { try SnapshotReference(parsing: text) }
        }
        for tag in ["", "latest", "a b", "a/b", "-x", String(repeating: "t", count: 65)] { #expect(throws: SlipwayError.self) { try SnapshotTag.checked(tag) } }
    }

    private func snapshot(_ id: String, files: [String], at: Int64 = 0, verdict: CheckOutcome.Verdict = .none, expires: Int64? = nil) throws -> (DataSnapshot, Set<ContentDigest>) {
        let manifest = try FileManifest(files: files.map { .init(path: $0, digest: ContentDigest(of: $0), size: 1) })
        let snapshot = DataSnapshot(
            id: id, dataset: "flights", project: Self.project, manifestDigest: try manifest.digest(), sizeBytes: 1, fileCount: files.count,
            createdAt: Timestamp(milliseconds: at), createdBy: "user:sam", expiresAt: expires.map(Timestamp.init(milliseconds:)),
            checks: CheckOutcome(verdict: verdict, at: Timestamp(milliseconds: at)))
        return (snapshot, Set(manifest.files.map(\.digest) + [snapshot.manifestDigest]))
    }

    @Test("the newest snapshot is the last one that is alive and whose checks do not fail")
    func newest() async throws {
        let realm = try await TestRealm(.stage)
        let made = try [snapshot("aaaaaaaaaaaa", files: ["a"]), snapshot("aaaaaaaabbbb", files: ["b"], verdict: .failed), snapshot("cccccccccccc", files: ["c"], expires: 50)]
        try await realm.database.write { tx in
            let store = SnapshotStore(tx: tx)
            for (snapshot, blobs) in made { try store.insert(snapshot, blobs: blobs) }
            #expect(try store.newest(of: "flights", project: Self.project)?.id == "cccccccccccc")
            #expect(try store.newest(of: "flights", project: Self.project, at: Timestamp(milliseconds: 60))?.id == "aaaaaaaaaaaa")
            #expect(try store.newest(of: "flights", project: ProjectName(unchecked: "other")) == nil)
            #expect(try store.snapshot("cccc")?.id == "cccccccccccc")
            #expect(try store.snapshot("ccc") == nil)
            #expect(try store.snapshot("cccc", project: ProjectName(unchecked: "other")) == nil)
            #expect(throws: SlipwayError.self) { try store.snapshot("aaaaaaaa") }
            #expect(try store.list(dataset: "flights", limit: 2).map(\.id) == ["cccccccccccc", "aaaaaaaabbbb"])
            #expect(try store.list(dataset: "flights", limit: 2, before: "aaaaaaaabbbb").map(\.id) == ["aaaaaaaaaaaa"])
            #expect(try store.remove("cccccccccccc", at: Timestamp(milliseconds: 70)))
            #expect(try store.snapshot("cccc") == nil)
            #expect(try store.record(of: "cccc")?.removedAt == Timestamp(milliseconds: 70))
        }
    }

    @Test("bytes become orphans only when no living snapshot and no upload names them")
    func orphans() async throws {
        let realm = try await TestRealm(.dev)
        let first = try snapshot("aaaaaaaaaaaa", files: ["shared", "own", "uploaded"])
        let second = try snapshot("bbbbbbbbbbbb", files: ["shared", "other"])
        try await realm.database.write { tx in
            let store = SnapshotStore(tx: tx)
            try store.insert(first.0, blobs: first.1)
            try store.insert(second.0, blobs: second.1)
            try store.recordUpload(ContentDigest(of: "uploaded"), size: 1, project: Self.project, by: .system("test"), at: Timestamp(milliseconds: 0))
            #expect(try store.orphans(removedBefore: Timestamp(milliseconds: 100), limit: 10).isEmpty)
            _ = try store.remove(first.0.id, at: Timestamp(milliseconds: 10))
            #expect(try Set(store.orphans(removedBefore: Timestamp(milliseconds: 100), limit: 10)) == [ContentDigest(of: "own"), first.0.manifestDigest])
            #expect(try store.orphans(removedBefore: Timestamp(milliseconds: 10), limit: 10).isEmpty)
            #expect(try store.holds(ContentDigest(of: "shared"), project: Self.project))
            #expect(try !store.holds(ContentDigest(of: "own"), project: Self.project))
        }
    }

    @Test("every text column of the schema is looked at for references to bytes")
    func referenceScanSeesEveryTable() async throws {
        let realm = try await TestRealm(.dev)
        let columns = Dictionary(grouping: BlobReferences.textColumns(of: Migrations.realm), by: \.table).mapValues { Set($0.map(\.column)) }
        let actual = try await realm.database.read { tx in
            try tx.all(
                Statement(
                    "test.schema",
                    """
                    SELECT m.name AS t, p.name AS c FROM sqlite_master m JOIN pragma_table_info(m.name) p
                    WHERE m.type = 'table' AND p.type = 'TEXT' AND m.name NOT LIKE 'sqlite_%' AND m.name <> 'schema_migration'
                    """)
            ).map { ($0.text("t"), $0.text("c")) }
        }
        #expect(actual.count > 50)
        for (table, column) in actual { #expect(columns[table]?.contains(column) == true, "\(table).\(column) is not looked at") }
    }

    @Test("bytes that a row of another table names, or that a named manifest lists, are kept")
    func references() async throws {
        let realm = try await TestRealm(.dev)
        let blobs = realm.realm.blobs
        let direct = try blobs.put(Data("direct".utf8))
        let listed = try blobs.put(Data("listed".utf8))
        let free = try blobs.put(Data("free".utf8))
        let manifest = try blobs.put(FileManifest(files: [.init(path: "x", digest: listed, size: 6)]))
        let content = Release.Content(
            project: Self.project, kind: .model, commit: "c", tree: "t", lockDigest: direct, modelName: "m", modelDigest: manifest, trainingRun: "r",
            trainingEnvironment: .dev, snapshots: [:], contracts: [:], configDigests: [:])
        try await realm.database.write { tx in
            let release = try Release(content: content, createdAt: Timestamp(milliseconds: 1), createdBy: "system:test", modelVersion: 1, execution: "e", metrics: [:])
            _ = try ReleaseStore(tx: tx).insert(release)
            #expect(try BlobReferences(tx: tx).named(among: [direct, listed, free], blobs: blobs) == [direct, listed])
        }
    }

    @Test("bytes that were renewed after the mark are not removed; older ones are")
    func removalRespectsRenewal() throws {
        let folder = try TemporaryFolder()
        let blobs = try BlobFolder(root: folder.url)
        let digest = try blobs.put(Data("bytes".utf8))
        let past = Timestamp(Date()) - .seconds(60)
        #expect(try blobs.remove(digest, unusedSince: past) == nil)
        #expect(try blobs.read(digest) == Data("bytes".utf8))
        #expect(try blobs.remove(digest, unusedSince: Timestamp(Date()) + .seconds(60)) == 5)
        #expect(blobs.file(of: digest) == nil)
        #expect(blobs.renew(digest) == false)
        let left = try blobs.makeWriter()
        try left.write(Data("half".utf8))
        try blobs.sweepIncoming(unusedSince: past)
        #expect(FileManager.default.fileExists(atPath: left.file.path), "somebody may be writing it")
        try blobs.sweepIncoming(unusedSince: Timestamp(Date()) + .seconds(60))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.appending(path: "incoming").path).isEmpty)
    }
}

@Suite("Refresh recipes")
struct RecipeStoreTests {
    private static let project = ProjectName(unchecked: "flights")

    @Test("an offered recipe is in force only once adopted, and a newer offer changes nothing until it is adopted too")
    func adoption() async throws {
        let realm = try await TestRealm(.stage)
        let first = ProjectFile.Refresh(from: .prod, every: "month", mask: ["tailnum": .hash])
        let second = ProjectFile.Refresh(from: .prod, every: "month", mask: [:])
        try await realm.database.write { tx in
            let store = RecipeStore(tx: tx)
            let now = Timestamp(milliseconds: 5)
            let one = try store.propose(project: Self.project, dataset: "flights", refresh: first, commit: "c1", at: now)
            #expect(try store.adopted(of: "flights", project: Self.project) == nil)
            #expect(try store.adopt(one, of: "flights", project: Self.project, by: .system("test"), at: now))
            let two = try store.propose(project: Self.project, dataset: "flights", refresh: second, commit: "c2", at: now)
            #expect(one != two)
            #expect(try store.adopted(of: "flights", project: Self.project)?.digest == one)
            #expect(try store.proposed(of: "flights", project: Self.project)?.digest == two)
            #expect(try !store.adopt(ContentDigest(of: "unknown"), of: "flights", project: Self.project, by: .system("test"), at: now))
            _ = try store.adopt(two, of: "flights", project: Self.project, by: .system("test"), at: now)
            #expect(try store.allAdopted().map(\.digest) == [two])
            // The same offer again is the same recipe, and stays adopted.
            #expect(try store.propose(project: Self.project, dataset: "flights", refresh: first, commit: "c3", at: now) == one)
            #expect(try store.adopted(of: "flights", project: Self.project)?.digest == two)
        }
    }

    @Test("a recipe never fills an environment from itself or from below", arguments: EnvironmentID.allCases, EnvironmentID.allCases)
    func direction(from: EnvironmentID, to: EnvironmentID) throws {
        let recipe = try RefreshRecipe(project: Self.project, dataset: "flights", refresh: .init(from: from, every: "day"), commit: "c", proposedAt: Timestamp(milliseconds: 0))
        #expect((recipe.refusal(in: to) == nil) == (from > to))
    }
}
