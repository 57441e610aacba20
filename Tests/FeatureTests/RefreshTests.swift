import Crypto
import Foundation
import SlipwayBlobs
import SlipwayCore
import SlipwayRuntime
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Snapshots
import Testing

@Suite("Refreshing data")
struct RefreshTests {
    private static let project = SnapshotFixture.project
    private static let masked = ProjectFile.Refresh(from: .prod, every: "month", mask: ["tailnum": .hash, "plane_id": .hash, "notes": .drop])

    /// Flights and planes that join by a text and by a number.
    private func prodData(_ fixture: SnapshotFixture) async throws -> DataSnapshot {
        let flights = try await SnapshotFixture.parquet(
            """
            SELECT range AS id, CASE WHEN range % 10 = 0 THEN NULL ELSE 'N' || (range % 37) END AS tailnum, CAST(range % 37 AS INTEGER) AS plane_id, 'private' AS notes
            FROM range(1000)
            """)
        let planes = try await SnapshotFixture.parquet("SELECT 'N' || range AS tailnum, range AS plane_id, range * 10 AS seats FROM range(37)")
        return try await fixture.take(["flights.parquet": flights, "planes.parquet": planes], as: "flights", in: .prod, tag: "2013-03")
    }

    @Test("masking by keyed hash hides values and keeps joins, nulls and the files' names; dropped columns are gone")
    func masking() async throws {
        let fixture = try await SnapshotFixture()
        let source = try await prodData(fixture)
        try await fixture.adopt(Self.masked, of: "flights", in: .stage)
        let id = try #require(try await fixture.refreshes[.stage]!.refresh(dataset: "flights", project: Self.project, by: fixture.steward))
        let copy = try await fixture.snapshots[.stage]!.snapshot(id, of: "flights", project: Self.project, by: fixture.steward)
        #expect(copy.lineage?.environment == .prod)
        #expect(copy.lineage?.snapshot == source.id)
        #expect(copy.tags == ["2013-03"])
        #expect(copy.tables.first { $0.name == "flights" }?.columns.map(\.name) == ["id", "tailnum", "plane_id"])
        let joined = "SELECT count(*) AS n, count(DISTINCT f.id) AS ids, sum(seats) AS seats FROM {flights.parquet} f JOIN {planes.parquet} p"
        for (key, column) in [("text", "tailnum"), ("number", "plane_id")] {
            let question = "\(joined) USING (\(column))"
            let before = try #require(try await fixture.ask(question, of: source, in: .prod).first)
            let after = try #require(try await fixture.ask(question, of: copy, in: .stage).first)
            #expect(before == after, "the join by \(key)")
            #expect(after.int("n") == (column == "tailnum" ? 900 : 1000))
        }
        let shape = try #require(
            try await fixture.ask(
                """
                SELECT count(*) FILTER (WHERE tailnum IS NULL) AS nulls, count(*) FILTER (WHERE tailnum LIKE 'N%') AS plain, min(length(tailnum)) AS short,
                    max(length(tailnum)) AS long, count(DISTINCT tailnum) AS n, count(*) FILTER (WHERE plane_id < 37) AS small, min(plane_id) AS least
                FROM {flights.parquet}
                """, of: copy, in: .stage
            ).first)
        let values = Set(try await fixture.ask("SELECT DISTINCT tailnum FROM {planes.parquet}", of: copy, in: .stage).compactMap { $0.text("tailnum") })
        #expect(values == Set(try (0..<37).map { try fixture.masked("N\($0)", project: Self.project) }))
        #expect(shape.int("nulls") == 100)
        #expect(shape.int("plain") == 0)
        #expect(shape.int("short") == 32)
        #expect(shape.int("long") == 32)
        #expect(shape.int("n") == 37)
        #expect(shape.int("small") == 0)
        #expect(try #require(shape.int("least")) >= 0)
    }

    @Test("the hash is HMAC-SHA256 under a key that never leaves the source's folder; another project has another key")
    func hashIsHMAC() async throws {
        let fixture = try await SnapshotFixture()
        let prod = fixture.realms[.prod]!.realm
        let key = try fixture.masked("N14228", project: Self.project)
        #expect(try fixture.masked("N14228", project: Self.project) == key)
        #expect(try fixture.masked("N14228", project: ProjectName(unchecked: "rival")) != key)
        #expect(try fixture.masked("N14229", project: Self.project) != key)
        let file = prod.directory.appending(path: "masking.key")
        let mode = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int
        #expect(mode == 0o400)
        #expect(!FileManager.default.fileExists(atPath: fixture.realms[.stage]!.realm.directory.appending(path: "masking.key").path))
        let other = try await SnapshotFixture()
        #expect(try other.masked("N14228", project: Self.project) != key, "another realm has another key")
        try FileManager.default.removeItem(at: file)
        try Data("not a key".utf8).write(to: file)
        let error = #expect(throws: SlipwayError.self) { try MaskingKey(realm: prod).key(for: Self.project) }
        #expect(error?.code == .unavailable)
    }

    @Test("a sample is the same rows each time, about as many as asked for, and part of any larger sample")
    func sampling() async throws {
        let fixture = try await SnapshotFixture()
        let rows = try await SnapshotFixture.parquet("SELECT range AS id, 'v' || (range * 7) AS v FROM range(20000)")
        try await fixture.take(["t.parquet": rows], as: "flights", in: .prod)
        var ids: [Double: Set<Int64>] = [:]
        var trees: [ContentDigest] = []
        for share in [0.05, 0.2, 0.05] {
            try await fixture.adopt(.init(from: .prod, every: "week", sample: share), of: "flights", in: .dev)
            let id = try #require(try await fixture.refreshes[.dev]!.refresh(dataset: "flights", project: Self.project, by: fixture.steward))
            let copy = try await fixture.snapshots[.dev]!.snapshot(id, of: "flights", project: Self.project, by: fixture.steward)
            #expect(copy.expiresAt != nil)
            ids[share] = Set(try await fixture.ask("SELECT id FROM {t.parquet}", of: copy, in: .dev).compactMap { $0.int("id") })
            if share == 0.05 { trees.append(copy.manifestDigest) }
        }
        #expect(trees[0] == trees[1])
        let small = try #require(ids[0.05])
        #expect((800...1200).contains(small.count))
        #expect(small.isSubset(of: try #require(ids[0.2])))
    }

    @Test("a CSV stays a CSV: only masked values change, others keep their spelling")
    func csv() async throws {
        let fixture = try await SnapshotFixture()
        try await fixture.take(["a.csv": Data("tailnum,amount,day\nN1,007.50,2013-1-2\n,1e3,x\n".utf8)], as: "flights", in: .prod)
        try await fixture.adopt(.init(from: .prod, every: "day", mask: ["TAILNUM": .hash]), of: "flights", in: .stage)
        let id = try #require(try await fixture.refreshes[.stage]!.refresh(dataset: "flights", project: Self.project, by: fixture.steward))
        let stage = fixture.realms[.stage]!.realm
        let copy = try await fixture.snapshots[.stage]!.snapshot(id, of: "flights", project: Self.project, by: fixture.steward)
        let entry = try #require(try stage.blobs.manifest(copy.manifestDigest).entry("a.csv"))
        let lines = String(decoding: try stage.blobs.read(entry.digest), as: UTF8.self).split(separator: "\n").map(String.init)
        #expect(lines[0] == "tailnum,amount,day")
        #expect(lines[1].wholeMatch(of: /[0-9a-f]{32},007\.50,2013-1-2/) != nil)
        #expect(lines[2] == ",1e3,x")
    }

    @Test("files that cannot be masked stay behind, and a recipe whose column is nowhere is blocked")
    func unmaskable() async throws {
        let fixture = try await SnapshotFixture()
        let table = Data("tailnum\nN1\n".utf8)
        try await fixture.take(["a.csv": table, "letters.json": Data("[\"N1\"]".utf8)], as: "flights", in: .prod)
        try await fixture.adopt(.init(from: .prod, every: "day", mask: ["tailnum": .hash]), of: "flights", in: .stage)
        let refreshes = fixture.refreshes[.stage]!
        let id = try #require(try await refreshes.refresh(dataset: "flights", project: Self.project, by: fixture.steward))
        let copy = try await fixture.snapshots[.stage]!.snapshot(id, of: "flights", project: Self.project, by: fixture.steward)
        #expect(copy.fileCount == 1)
        #expect(try await refreshes.attempts(dataset: "flights", project: Self.project, by: fixture.steward).first?.message?.contains("letters.json") == true)
        try await fixture.take(["a.csv": Data("tail_number\nN1\n".utf8)], as: "flights", in: .prod)
        let error = await #expect(throws: SlipwayError.self) { try await refreshes.refresh(dataset: "flights", project: Self.project, by: fixture.steward) }
        #expect(error?.code == .blocked)
        #expect(try await refreshes.attempts(dataset: "flights", project: Self.project, by: fixture.steward).first?.state == .failed)
        #expect(try await fixture.snapshots[.stage]!.snapshot(nil, of: "flights", project: Self.project, by: fixture.steward).id == id)
    }

    @Test("a recipe without masks or sample passes the same bytes on")
    func plainCopy() async throws {
        let fixture = try await SnapshotFixture()
        let source = try await prodData(fixture)
        try await fixture.adopt(.init(from: .prod, every: "quarter"), of: "flights", in: .stage)
        let id = try #require(try await fixture.refreshes[.stage]!.refresh(dataset: "flights", project: Self.project, by: fixture.steward))
        #expect(try await fixture.snapshots[.stage]!.snapshot(id, of: "flights", project: Self.project, by: fixture.steward).manifestDigest == source.manifestDigest)
    }

    // MARK: Rules

    @Test("no data moves upward or sideways, whatever was offered", arguments: [(EnvironmentID.dev, EnvironmentID.stage), (.dev, .prod), (.stage, .prod), (.stage, .stage)])
    func upward(from: EnvironmentID, to: EnvironmentID) async throws {
        let fixture = try await SnapshotFixture()
        try await fixture.take(["a.csv": Data("x\n1\n".utf8)], as: "flights", in: from, by: .system("test"))
        let digest = try await fixture.offer(.init(from: from, every: "day"), of: "flights", in: to)
        let boss = Caller.system("test")
        let refused = await #expect(throws: SlipwayError.self) {
            try await fixture.refreshes[to]!.adopt(digest.rawValue, of: "flights", project: Self.project, by: boss)
        }
        #expect(refused?.code == .notAllowed)
        // Even an adoption that somebody wrote into the database has no effect.
        let now = fixture.clock.now
        _ = try await fixture.realms[to]!.database.write { tx in
            try RecipeStore(tx: tx).adopt(digest, of: "flights", project: Self.project, by: .system("test"), at: now)
        }
        let error = await #expect(throws: SlipwayError.self) { try await fixture.refreshes[to]!.refresh(dataset: "flights", project: Self.project, by: boss) }
        #expect(error?.code == .notAllowed)
        if from != to { #expect(try await fixture.snapshots[to]!.list(dataset: nil, project: Self.project, by: boss).isEmpty) }
    }

    @Test("an offered recipe has no effect until a steward adopts it, and a changed one leaves the adopted one in force")
    func adoption() async throws {
        let fixture = try await SnapshotFixture()
        _ = try await prodData(fixture)
        let refreshes = fixture.refreshes[.stage]!
        let none = await #expect(throws: SlipwayError.self) { try await refreshes.refresh(dataset: "flights", project: Self.project, by: fixture.steward) }
        #expect(none?.code == .notFound)
        let digest = try await fixture.offer(Self.masked, of: "flights", in: .stage)
        let error = await #expect(throws: SlipwayError.self) { try await refreshes.refresh(dataset: "flights", project: Self.project, by: fixture.steward) }
        #expect(error?.code == .blocked)
        #expect(error?.reasons.first?.remedy.contains("slipway data adopt stage/flights \(digest.short)") == true)
        for role in Role.allCases where role != .steward {
            let refused = await #expect(throws: SlipwayError.self) {
                try await refreshes.adopt(digest.rawValue, of: "flights", project: Self.project, by: fixture.caller(role, .stage))
            }
            #expect(refused?.code == .notAllowed, "\(role)")
        }
        _ = try await refreshes.adopt(digest.short, of: "flights", project: Self.project, by: fixture.steward)
        _ = try await fixture.offer(.init(from: .prod, every: "month"), of: "flights", in: .stage)
        let id = try #require(try await refreshes.refresh(dataset: "flights", project: Self.project, by: fixture.steward))
        let copy = try await fixture.snapshots[.stage]!.snapshot(id, of: "flights", project: Self.project, by: fixture.steward)
        #expect(copy.lineage?.recipe == digest)
        #expect(try await fixture.ask("SELECT count(*) AS n FROM {flights.parquet} WHERE tailnum LIKE 'N%'", of: copy, in: .stage).first?.int("n") == 0)
    }

    @Test("nothing newer gives nothing; a newer snapshot above, or a newly adopted recipe, gives a new one")
    func unchanged() async throws {
        let fixture = try await SnapshotFixture()
        _ = try await prodData(fixture)
        try await fixture.adopt(Self.masked, of: "flights", in: .stage)
        let refreshes = fixture.refreshes[.stage]!
        let first = try await refreshes.refresh(dataset: "flights", project: Self.project, by: fixture.steward)
        #expect(first != nil)
        #expect(try await refreshes.refresh(dataset: "flights", project: Self.project, by: fixture.steward) == nil)
        try await fixture.take(["flights.parquet": try await SnapshotFixture.parquet("SELECT 1 AS id, 'N1' AS tailnum, 1 AS plane_id, 'x' AS notes")], as: "flights", in: .prod)
        let second = try await refreshes.refresh(dataset: "flights", project: Self.project, by: fixture.steward)
        #expect(second != nil && second != first)
        #expect(try await refreshes.attempts(dataset: "flights", project: Self.project, by: fixture.steward).map(\.state) == [.succeeded, .unchanged, .succeeded])
    }

    @Test("many who ask at once get one refresh")
    func joining() async throws {
        let fixture = try await SnapshotFixture()
        _ = try await prodData(fixture)
        try await fixture.adopt(Self.masked, of: "flights", in: .stage)
        let refreshes = fixture.refreshes[.stage]!
        let ids = try await withThrowingTaskGroup(of: String?.self) { group in
            for _ in 0..<8 { group.addTask { try await refreshes.refresh(dataset: "flights", project: Self.project, by: fixture.steward) } }
            return try await group.reduce(into: Set<String>()) { if let id = $1 { $0.insert(id) } }
        }
        #expect(ids.count == 1)
        #expect(try await fixture.snapshots[.stage]!.list(dataset: "flights", project: Self.project, by: fixture.steward).count == 1)
    }

    // MARK: The keeper

    @Test("the keeper refreshes when it is due, tries again after a failure, and shows what was missed")
    func cadence() async throws {
        let fixture = try await SnapshotFixture()
        let keeper = SnapshotKeeper(snapshots: fixture.snapshots[.stage]!, refreshes: fixture.refreshes[.stage]!)
        func overview() async throws -> DatasetOverview {
            try #require(try await fixture.snapshots[.stage]!.overview(project: Self.project, by: fixture.steward).first)
        }
        func count() async throws -> Int { try await fixture.snapshots[.stage]!.list(dataset: "flights", project: Self.project, by: fixture.steward).count }
        func tries() async throws -> [RefreshAttempt.State] {
            try await fixture.refreshes[.stage]!.attempts(dataset: "flights", project: Self.project, by: fixture.steward).map(\.state)
        }
        _ = try await fixture.offer(Self.masked, of: "flights", in: .stage)
        await keeper.tick()
        #expect(try await tries().isEmpty)
        try await fixture.adopt(Self.masked, of: "flights", in: .stage)
        await keeper.tick()
        #expect(try await tries() == [.failed], "prod has no data yet")
        await keeper.tick()
        #expect(try await tries() == [.failed], "not again at once")
        fixture.clock.advance(by: .seconds(3700))
        #expect(try await overview().isMissed)
        _ = try await prodData(fixture)
        await keeper.tick()
        #expect(try await tries() == [.succeeded, .failed])
        #expect(try await overview().isMissed == false)
        #expect(try await overview().nextRefresh == fixture.clock.now + .seconds(30 * 86_400))
        fixture.clock.advance(by: .seconds(29 * 86_400))
        await keeper.tick()
        #expect(try await count() == 1)
        fixture.clock.advance(by: .seconds(2 * 86_400))
        await keeper.tick()
        #expect(try await tries().first == .unchanged)
        #expect(try await overview().nextRefresh == fixture.clock.now + .seconds(30 * 86_400))
    }

    @Test("a refresh that a killed server left is told of and done again")
    func recovery() async throws {
        let fixture = try await SnapshotFixture()
        _ = try await prodData(fixture)
        let recipe = try await fixture.adopt(Self.masked, of: "flights", in: .stage)
        let stage = fixture.realms[.stage]!.realm
        let left = RefreshAttempt(
            id: "aaaaaaaaaaaa", project: Self.project, dataset: "flights", recipe: recipe.digest, state: .running, startedAt: fixture.clock.now, by: "user:sam")
        try await stage.database.write { tx in try RecipeStore(tx: tx).insert(left) }
        try FileManager.default.createDirectory(at: stage.directory.appending(path: "scratch/left/out"), withIntermediateDirectories: true)
        let keeper = SnapshotKeeper(snapshots: fixture.snapshots[.stage]!, refreshes: fixture.refreshes[.stage]!)
        await keeper.tick()
        #expect(try await fixture.snapshots[.stage]!.list(dataset: "flights", project: Self.project, by: fixture.steward).isEmpty, "it seems to run")
        try await keeper.recover()
        #expect(!FileManager.default.fileExists(atPath: stage.directory.appending(path: "scratch").path))
        let attempt = try #require(try await fixture.refreshes[.stage]!.attempts(dataset: "flights", project: Self.project, by: fixture.steward).first)
        #expect(attempt.state == .failed)
        fixture.clock.advance(by: .seconds(3700))
        await keeper.tick()
        #expect(try await fixture.snapshots[.stage]!.list(dataset: "flights", project: Self.project, by: fixture.steward).count == 1)
    }
}

extension SnapshotFixture {
    /// What a masked text of prod becomes in stage, by swift-crypto's HMAC.
    func masked(_ text: String, project: ProjectName) throws -> String {
        let key = SymmetricKey(data: try MaskingKey(realm: realms[.prod]!.realm).key(for: project))
        return String(Array(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key)).hexadecimal.prefix(32))
    }
}
