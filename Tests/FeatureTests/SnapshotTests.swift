import Foundation
import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Snapshots
import Testing

@Suite("Taking data in")
struct SnapshotTests {
    private static let project = SnapshotFixture.project
    private static let csv = Data("id,origin,delay\n1,JFK,5\n2,LGA,\n3,EWR,-2.5\n".utf8)

    @Test("an import keeps the files, the schema and the row count, and is found by tag, id and latest")
    func imports() async throws {
        let fixture = try await SnapshotFixture()
        let prod = fixture.snapshots[.prod]!
        let made = try await fixture.take(["flights.csv": Self.csv, "notes/read.me": Data("words".utf8)], as: "flights", in: .prod, tag: "2013-03")
        #expect(made.fileCount == 2)
        #expect(made.expiresAt == nil)
        let table = try #require(made.tables.first)
        #expect(table.name == "data")
        #expect(table.rows == 3)
        #expect(table.columns.map(\.name) == ["id", "origin", "delay"])
        #expect(table.columns.map(\.type) == ["BIGINT", "VARCHAR", "DOUBLE"])
        #expect(table.columns[0].max == "3")
        #expect(table.columns[1].min == nil, "a text's smallest value would be data")
        #expect(try #require(table.columns[2].nulls) > 0.3)
        for version in ["2013-03", made.id, String(made.id.prefix(6)), "latest", nil] {
            #expect(try await prod.snapshot(version, of: "flights", project: Self.project, by: fixture.steward).id == made.id)
        }
        let events = try await prod.realm.database.read { tx in try AuditStore(tx: tx).history(subject: "snapshot:\(made.id)") }
        #expect(events.map(\.action) == ["snapshot.tag", "snapshot.import"])
    }

    @Test("the same bytes are asked for and stored once, and the same tree again is the same snapshot")
    func dedup() async throws {
        let fixture = try await SnapshotFixture()
        let service = fixture.snapshots[.dev]!
        let first = try await fixture.take(["a.csv": Self.csv, "copy/of/a.csv": Self.csv], as: "flights", in: .dev)
        #expect(try await service.missing([ContentDigest(of: Self.csv)], project: Self.project, by: fixture.steward).isEmpty)
        let again = try await fixture.take(["a.csv": Self.csv, "copy/of/a.csv": Self.csv], as: "flights", in: .dev)
        #expect(again.id == first.id)
        let other = try await fixture.take(["a.csv": Self.csv], as: "flights", in: .dev)
        #expect(other.id != first.id)
        let files = FileManager.default.enumerator(atPath: service.realm.blobs.root.path)?.allObjects.compactMap { $0 as? String }.filter { $0.count > 60 } ?? []
        #expect(files.count == 3, "one file's bytes and two manifests, not \(files)")
    }

    @Test("bytes with another digest are refused and nothing of them stays")
    func wrongDigest() async throws {
        let fixture = try await SnapshotFixture()
        let service = fixture.snapshots[.dev]!
        let error = await #expect(throws: SlipwayError.self) {
            try await service.receive(ContentDigest(of: "other"), project: Self.project, pieces: fixture.pieces(of: Self.csv), by: fixture.steward)
        }
        #expect(error?.code == .invalidArgument)
        #expect(service.realm.blobs.file(of: ContentDigest(of: Self.csv)) == nil)
        #expect(try FileManager.default.contentsOfDirectory(atPath: service.realm.blobs.root.appending(path: "incoming").path).isEmpty)
        #expect(try await service.missing([ContentDigest(of: "other")], project: Self.project, by: fixture.steward).count == 1)
    }

    @Test("an import of bytes that were not sent, or of another size, is refused and shows nothing")
    func halfSent() async throws {
        let fixture = try await SnapshotFixture()
        let service = fixture.snapshots[.dev]!
        let digest = ContentDigest(of: Self.csv)
        let request = ImportRequest(dataset: "flights", project: Self.project, files: [.init(path: "a.csv", digest: digest, size: Int64(Self.csv.count))])
        let unsent = await #expect(throws: SlipwayError.self) { try await service.importSnapshot(request, by: fixture.steward) }
        #expect(unsent?.code == .conflict)
        try await service.receive(digest, project: Self.project, pieces: fixture.pieces(of: Self.csv), by: fixture.steward)
        // A server killed here has bytes and no row: nothing is visible, and the bytes need not be sent again.
        #expect(try await service.list(dataset: "flights", project: Self.project, by: fixture.steward).isEmpty)
        #expect(try await service.missing([digest], project: Self.project, by: fixture.steward).isEmpty)
        var wrong = request
        wrong.files[0].size += 1
        await #expect(throws: SlipwayError.self) { try await service.importSnapshot(wrong, by: fixture.steward) }
        #expect(try await service.importSnapshot(request, by: fixture.steward).isNew)
    }

    @Test("naming the digest of another project's bytes gives no way to them")
    func noBorrowing() async throws {
        let fixture = try await SnapshotFixture()
        let service = fixture.snapshots[.prod]!
        try await fixture.take(["a.csv": Self.csv], as: "flights", in: .prod)
        let other = ProjectName(unchecked: "rival")
        let thief = fixture.caller(.steward, .prod, name: "eve", project: other)
        let digest = ContentDigest(of: Self.csv)
        #expect(try await service.missing([digest], project: other, by: thief) == [digest])
        let request = ImportRequest(dataset: "mine", project: other, files: [.init(path: "a.csv", digest: digest, size: Int64(Self.csv.count))])
        let error = await #expect(throws: SlipwayError.self) { try await service.importSnapshot(request, by: thief) }
        #expect(error?.code == .conflict)
        let refused = await #expect(throws: SlipwayError.self) { try await service.file(of: digest, by: thief) }
        #expect(refused?.code == .notFound)
    }

    @Test("a file that only calls itself Parquet is refused; a CSV that is no table stays a plain file")
    func notATable() async throws {
        let fixture = try await SnapshotFixture()
        let error = await #expect(throws: SlipwayError.self) { try await fixture.take(["x.parquet": Data("no".utf8)], as: "flights", in: .dev) }
        #expect(error?.message.hasPrefix("'x.parquet' cannot be read as Parquet") == true)
        let plain = try await fixture.take(["x.csv": Data([0, 255, 254, 0, 13, 10, 34, 0])], as: "flights", in: .dev)
        #expect(plain.fileCount == 1)
    }

    @Test("files with the same columns are parts of one table; others are tables of their own")
    func tables() async throws {
        let fixture = try await SnapshotFixture()
        let part = try await SnapshotFixture.parquet("SELECT 1 AS id, 'JFK' AS origin")
        let second = try await SnapshotFixture.parquet("SELECT 2 AS id, 'LGA' AS origin FROM range(4)")
        let weather = try await SnapshotFixture.parquet("SELECT 1.5 AS temp")
        let made = try await fixture.take(["flights/p[0].parquet": part, "flights/p'1.parquet": second, "weather.parquet": weather], as: "all", in: .dev)
        #expect(made.tables.map(\.name).sorted() == ["flights", "weather"])
        #expect(made.tables.first { $0.name == "flights" }?.rows == 5)
        #expect(made.tables.first { $0.name == "weather" }?.rows == 1)
    }

    @Test("who may take data in, read it, and see its description", arguments: EnvironmentID.allCases, Role.allCases)
    func roles(environment: EnvironmentID, role: Role) async throws {
        let fixture = try await SnapshotFixture()
        let service = fixture.snapshots[environment]!
        let keeper = Caller.system("test")
        let made = try await fixture.take(["a.csv": Self.csv], as: "flights", in: environment, by: keeper)
        let caller = fixture.caller(role, environment)
        _ = try await service.snapshot(nil, of: "flights", project: Self.project, by: caller)
        let imports = (try? await service.missing([], project: Self.project, by: caller)) != nil  // a refusal is an answer here
        #expect(imports == (role == .steward && environment != .stage))
        let reads = (try? await service.file(of: ContentDigest(of: Self.csv), by: caller)) != nil  // as above
        let readers: [EnvironmentID: Set<Role>] = [
            .dev: [.contributor, .engineer, .steward, .service], .stage: [.engineer, .service], .prod: [.steward, .service],
        ]
        #expect(reads == readers[environment]?.contains(role))
        let removes = (try? await service.remove(made.id, of: "flights", project: Self.project, by: caller)) != nil  // as above
        #expect(removes == (role == .steward && environment == .dev))
        await #expect(throws: SlipwayError.self) { try await service.snapshot(nil, of: "flights", project: Self.project, by: .anonymous) }
    }

    @Test("who reads rows in prod is on record once an hour")
    func readsAreNoted() async throws {
        let fixture = try await SnapshotFixture()
        let service = fixture.snapshots[.prod]!
        let made = try await fixture.take(["a.csv": Self.csv], as: "flights", in: .prod)
        for _ in 0..<3 { _ = try await service.file(of: ContentDigest(of: Self.csv), by: fixture.steward) }
        func reads() async throws -> Int {
            try await service.realm.database.read { tx in try AuditStore(tx: tx).history(subject: "snapshot:\(made.id)").filter { $0.action == "snapshot.read" }.count }
        }
        #expect(try await reads() == 1)
        fixture.clock.advance(by: .seconds(3601))
        _ = try await service.file(of: ContentDigest(of: Self.csv), by: fixture.steward)
        #expect(try await reads() == 2)
    }

    @Test("a tag moves only when asked to")
    func tags() async throws {
        let fixture = try await SnapshotFixture()
        let service = fixture.snapshots[.prod]!
        let first = try await fixture.take(["a.csv": Self.csv], as: "flights", in: .prod, tag: "q1")
        let second = try await fixture.take(["b.csv": Self.csv], as: "flights", in: .prod)
        let error = await #expect(throws: SlipwayError.self) { try await service.tag(second.id, of: "flights", project: Self.project, as: "q1", by: fixture.steward) }
        #expect(error?.code == .alreadyExists)
        #expect(try await service.snapshot("q1", of: "flights", project: Self.project, by: fixture.steward).id == first.id)
        _ = try await service.tag(second.id, of: "flights", project: Self.project, as: "q1", moving: true, by: fixture.steward)
        #expect(try await service.snapshot("q1", of: "flights", project: Self.project, by: fixture.steward).id == second.id)
    }

    @Test("many imports at once are each whole, and the same tree is one snapshot")
    func concurrency() async throws {
        let fixture = try await SnapshotFixture()
        let service = fixture.snapshots[.dev]!
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<12 {
                group.addTask { _ = try await fixture.take(["p.txt": Data("part \(number % 4)".utf8), "same.txt": Data("same".utf8)], as: "set\(number)", in: .dev) }
            }
            try await group.waitForAll()
        }
        for number in 0..<12 {
            let snapshot = try await service.snapshot(nil, of: "set\(number)", project: Self.project, by: fixture.steward)
            let manifest = try service.realm.blobs.manifest(snapshot.manifestDigest)
            #expect(try service.realm.blobs.firstDamage(in: manifest) == nil)
        }
    }

    // MARK: Letting go

    @Test("expired snapshots go, their bytes a day later, and what others still name stays")
    func expiry() async throws {
        let fixture = try await SnapshotFixture()
        let service = fixture.snapshots[.dev]!
        let shared = Data("shared".utf8)
        let own = Data("own".utf8)
        let old = try await fixture.take(["a": shared, "b": own], as: "flights", in: .dev)
        #expect(old.expiresAt == fixture.clock.now + .seconds(30 * 86_400))
        fixture.clock.advance(by: .seconds(20 * 86_400))
        let young = try await fixture.take(["a": shared, "c": Data("young".utf8)], as: "flights", in: .dev)
        fixture.clock.advance(by: .seconds(11 * 86_400))
        #expect(try await service.sweep().removed == [old.id])
        await #expect(throws: SlipwayError.self) { try await service.snapshot(old.id, of: "flights", project: Self.project, by: fixture.steward) }
        #expect(service.realm.blobs.file(of: ContentDigest(of: own)) != nil, "the bytes have a day of grace")
        fixture.clock.advance(by: .seconds(2 * 86_400))
        #expect(try await service.sweep().bytesFreed > 0)
        #expect(service.realm.blobs.file(of: ContentDigest(of: own)) == nil)
        #expect(service.realm.blobs.file(of: ContentDigest(of: shared)) != nil)
        #expect(try service.realm.blobs.firstDamage(in: service.realm.blobs.manifest(young.manifestDigest)) == nil)
        let actions = try await service.realm.database.read { tx in try AuditStore(tx: tx).history(subject: "snapshot:\(old.id)").map(\.action) }
        #expect(actions == ["snapshot.import", "snapshot.expire"])
    }

    @Test("a snapshot that a live slot of any environment was trained on outlives its time and cannot be removed")
    func heldBySlot() async throws {
        let fixture = try await SnapshotFixture()
        let service = fixture.snapshots[.dev]!
        let snapshot = try await fixture.take(["a": Data("a".utf8)], as: "flights", in: .dev)
        let content = Release.Content(
            project: Self.project, kind: .model, commit: "c", tree: "t", lockDigest: ContentDigest(of: "l"), modelName: "m", modelDigest: ContentDigest(of: "m"),
            trainingRun: "r", trainingEnvironment: .dev, snapshots: ["flights": snapshot.manifestDigest], contracts: [:], configDigests: [:])
        let now = fixture.clock.now
        try await fixture.realms[.stage]!.database.write { tx in
            let release = try Release(content: content, createdAt: now, createdBy: "system:test", modelVersion: 1, execution: "e", metrics: [:])
            _ = try ReleaseStore(tx: tx).insert(release)
            var slot = Slot(name: SlotName(unchecked: "delay"), project: Self.project, createdAt: now)
            slot.current = release.id
            _ = try SlotStore(tx: tx).insert(slot)
        }
        let error = await #expect(throws: SlipwayError.self) { try await service.remove(snapshot.id, of: "flights", project: Self.project, by: fixture.steward) }
        #expect(error?.code == .blocked)
        #expect(error?.reasons.first?.message.contains("slot stage/delay") == true)
        fixture.clock.advance(by: .seconds(60 * 86_400))
        let sweep = try await service.sweep()
        #expect(sweep.held == [snapshot.id])
        #expect(sweep.removed.isEmpty)
    }

    @Test("prod data is not removed by hand, nor by an import that expires at once")
    func prodStays() async throws {
        let fixture = try await SnapshotFixture()
        let request = ImportRequest(dataset: "flights", project: Self.project, files: [.init(path: "a", digest: ContentDigest(of: "a"), size: 1)], expire: .zero)
        let error = await #expect(throws: SlipwayError.self) { try await fixture.snapshots[.prod]!.importSnapshot(request, by: fixture.steward) }
        #expect(error?.code == .invalidArgument)
        let made = try await fixture.take(["a": Data("a".utf8)], as: "flights", in: .prod)
        await #expect(throws: SlipwayError.self) { try await fixture.snapshots[.prod]!.remove(made.id, of: "flights", project: Self.project, by: fixture.steward) }
        await #expect(throws: SlipwayError.self) { try await fixture.snapshots[.prod]!.remove(made.id, of: "flights", project: Self.project, by: .system("test")) }
    }
}
