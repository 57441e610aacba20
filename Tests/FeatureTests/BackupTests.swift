import Foundation
import Logging
import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwaySQLite
import SlipwayServer
import SlipwayStore
import SlipwayTestSupport
import Testing

@Suite("Backup and restore")
struct BackupTests {
    private struct Interrupted: Error {}

    /// A server with one experiment; `note` writes a run with an artifact and returns its id.
    private struct Writer: Sendable {
        let server: TestServer
        var realm: Realm { server.foundations.realms[.dev]! }

        @discardableResult
        func note(_ number: Int) async throws -> String {
            let id = String(format: "%032x", number)
            let bytes = Data("artifact \(number)".utf8)
            let digest = try realm.blobs.put(bytes)
            try await realm.database.write { tx in
                let run = try RunStore(tx: tx).create(experiment: "0", name: nil, user: "ada", tags: [:], at: Timestamp(milliseconds: 1), id: id)
                try RunStore(tx: tx).log([MetricPoint(key: "loss", value: Double(number), timestamp: 1)], of: run)
                try ArtifactStore(tx: tx).put("a.txt", digest: digest, size: Int64(bytes.count), under: run.artifactRoot, at: Timestamp(milliseconds: 1))
                try AuditStore(tx: tx).append("test.note", subject: "run:\(id)", by: .system("test"), at: Timestamp(milliseconds: 1))
            }
            return id
        }
    }

    private func writer() async throws -> Writer { Writer(server: try await TestServer()) }

    private func reopened(_ data: URL) async throws -> (database: SQLiteDatabase, blobs: BlobFolder) {
        (
            try SQLiteDatabase(path: data.appending(path: "dev/realm.sqlite").path, logger: quietLogger),
            try BlobFolder(root: data.appending(path: "dev/blobs"))
        )
    }

    @Test("made under load it holds everything that was acknowledged before, and every byte that it names")
    func underLoad() async throws {
        let writer = try await writer()
        let place = try TemporaryFolder()
        var before: [String] = []
        for number in 0..<50 { before.append(try await writer.note(number)) }
        let load = Task {
            var number = 1000
            while !Task.isCancelled { try await writer.note(number); number += 1 }
        }
        let target = BackupFolder(place.url.appending(path: "backups"))
        let made = try await Backup(of: writer.server.folder.url, into: target, version: "test").make()
        load.cancel()
        _ = await load.result
        #expect(made.record.damaged.isEmpty && made.copiedFiles >= 50)
        #expect(try target.verify(made.record) == [])

        let data = place.url.appending(path: "restored")
        try Restore(from: target, to: data).run(try target.record(nil))
        let (database, blobs) = try await reopened(data)
        let (runs, broken) = try await database.read { tx in
            (try RunStore(tx: tx).search(SearchFilter(), experiments: ["0"], limit: 100_000).items, try AuditStore(tx: tx).verify().broken)
        }
        #expect(broken == nil)
        #expect(Set(runs.map(\.id)).isSuperset(of: before))
        for run in runs {
            let (artifact, loss) = try await database.read { tx in
                (try ArtifactStore(tx: tx).artifact("a.txt", under: run.artifactRoot), try RunStore(tx: tx).latestMetrics(run.id)["loss"])
            }
            let number = try #require(Int(run.id, radix: 16))
            #expect(loss == Double(number))
            #expect(try blobs.read(try #require(artifact).digest) == Data("artifact \(number)".utf8))
        }
        try await database.close()
        let again = try await Server.assemble(ServerConfiguration(data: data, port: 1), logger: quietLogger)
        #expect(again.tracking.count == 3)
        withExtendedLifetime((writer, place)) {}
    }

    @Test("a metric of a logged model makes no sound backup look damaged")
    func loggedModels() async throws {
        let writer = try await writer()
        let place = try TemporaryFolder()
        let target = BackupFolder(place.url)
        let run = try await writer.note(1)
        try await writer.realm.database.write { tx in
            let model = LoggedModel(
                id: "m-1", name: "m", experiment: "0", project: .implicit, sourceRun: run, modelType: "", artifactRoot: "mlflow-artifacts:/0/models/m-1/artifacts",
                status: .ready, creator: "ada", createdAt: Timestamp(milliseconds: 1), updatedAt: Timestamp(milliseconds: 1))
            try LoggedModelStore(tx: tx).insert(model, params: [:], tags: [:])
            let store = RunStore(tx: tx)
            try store.log([MetricPoint(key: "auc", value: 0.7, timestamp: 1, model: "m-1")], of: #require(try store.run(run)))
            #expect(try LoggedModelStore(tx: tx).details(of: [model])["m-1"]?.metrics.count == 1)
        }
        let made = try await Backup(of: writer.server.folder.url, into: target, version: "test").make()
        #expect(try target.verify(made.record) == [])
        withExtendedLifetime((writer, place)) {}
    }

    @Test("the second one copies what is new, and pruning keeps what the rest needs")
    func incremental() async throws {
        let writer = try await writer()
        let place = try TemporaryFolder()
        let target = BackupFolder(place.url)
        try await writer.note(1)
        let clock = FakeClock()
        let first = try await Backup(of: writer.server.folder.url, into: target, version: "test", clock: clock).make()
        try await writer.note(2)
        clock.advance(by: .seconds(1))
        let second = try await Backup(of: writer.server.folder.url, into: target, version: "test", clock: clock).make()
        #expect(first.copiedFiles == 1 && second.copiedFiles == 1)
        #expect(try target.records().map(\.id) == [first.record.id, second.record.id])
        #expect(try target.prune(keeping: 1).backups == 1)
        #expect(try target.records().map(\.id) == [second.record.id])
        #expect(try target.verify(second.record) == [])
        withExtendedLifetime((writer, place)) {}
    }

    @Test("interrupted anywhere it is no backup, and the next one is whole", arguments: ["databases", "blob", "blobs", "record"])
    func interrupted(step: String) async throws {
        let writer = try await writer()
        let place = try TemporaryFolder()
        let target = BackupFolder(place.url)
        for number in 0..<3 { try await writer.note(number) }
        await #expect(throws: Interrupted.self) {
            try await Backup(of: writer.server.folder.url, into: target, version: "test", checkpoint: { if $0 == step { throw Interrupted() } }).make()
        }
        #expect(try target.records().isEmpty)
        #expect(throws: SlipwayError.self) { try target.record(nil) }
        let made = try await Backup(of: writer.server.folder.url, into: target, version: "test").make()
        #expect(try target.records() == [made.record])
        #expect(try target.verify(made.record) == [])
        #expect(try FileManager.default.contentsOfDirectory(atPath: place.url.path).allSatisfy { !$0.hasPrefix("unfinished") })
        withExtendedLifetime((writer, place)) {}
    }

    @Test("a damaged one is told and not restored")
    func damage() async throws {
        let writer = try await writer()
        let place = try TemporaryFolder()
        let target = BackupFolder(place.url.appending(path: "backups"))
        try await writer.note(7)
        let made = try await Backup(of: writer.server.folder.url, into: target, version: "test").make()
        let digest = ContentDigest(of: "artifact 7")
        let blob = target.root.appending(path: "blobs/\(digest.rawValue.prefix(2))/\(digest.rawValue.dropFirst(2))")
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: blob.path)
        try Data("tampered".utf8).write(to: blob)
        #expect(try target.verify(made.record).contains { $0.contains(digest.rawValue) })
        let data = place.url.appending(path: "restored")
        #expect(throws: SlipwayError.self) { try Restore(from: target, to: data).run(made.record) }
        #expect(!FileManager.default.fileExists(atPath: data.path))
        withExtendedLifetime((writer, place)) {}
    }

    @Test("a damaged file of the data folder is named, and everything else is in the backup")
    func damagedSource() async throws {
        let writer = try await writer()
        let place = try TemporaryFolder()
        for number in 0..<2 { try await writer.note(number) }
        let file = try #require(writer.realm.blobs.file(of: ContentDigest(of: "artifact 0")))
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file.path)
        try Data("rotten".utf8).write(to: file)
        let target = BackupFolder(place.url)
        let made = try await Backup(of: writer.server.folder.url, into: target, version: "test").make()
        #expect(made.record.damaged == ["dev: \(ContentDigest(of: "artifact 0"))"])
        #expect(try target.verify(made.record) == [])
        withExtendedLifetime((writer, place)) {}
    }

    @Test("a restore replaces nothing, a backup lies outside its data, and what is no data folder is said")
    func refusals() async throws {
        let writer = try await writer()
        let place = try TemporaryFolder()
        let target = BackupFolder(place.url.appending(path: "backups"))
        let made = try await Backup(of: writer.server.folder.url, into: target, version: "test").make()
        let full = place.url.appending(path: "full")
        try FileManager.default.createDirectory(at: full, withIntermediateDirectories: true)
        try Data("mine".utf8).write(to: full.appending(path: "file"))
        let error = #expect(throws: SlipwayError.self) { try Restore(from: target, to: full).run(made.record) }
        #expect(error?.code == .alreadyExists)
        #expect(try Data(contentsOf: full.appending(path: "file")) == Data("mine".utf8))
        await #expect(throws: SlipwayError.self) {
            try await Backup(of: writer.server.folder.url, into: BackupFolder(writer.server.folder.url.appending(path: "inside")), version: "test").make()
        }
        await #expect(throws: SlipwayError.self) { try await Backup(of: full, into: target, version: "test").make() }
        withExtendedLifetime((writer, place)) {}
    }

    @Test("while a backup holds the bytes, no sweep takes them")
    func hold() throws {
        let folder = try TemporaryFolder()
        let blobs = try BlobFolder(root: folder.url)
        let digest = try blobs.put(Data("wanted".utf8))
        let later = Timestamp(Date()) + .seconds(3600)
        var hold: BlobHold? = try blobs.hold()
        #expect(try blobs.remove(digest, unusedSince: later) == nil)
        #expect(blobs.file(of: digest) != nil)
        withExtendedLifetime(hold) {}
        hold = nil
        #expect(try blobs.remove(digest, unusedSince: later) == 6)
        withExtendedLifetime(folder) {}
    }

    @Test("other files of the folder come back, sockets and what is made anew do not")
    func looseFiles() async throws {
        let writer = try await writer()
        let place = try TemporaryFolder()
        let data = writer.server.folder.url
        let files = ["git/p.git/HEAD", "git/p.git/objects/ab/cd", "dev/captures/slot/1.parquet", "dev/executions/e/step/1/log"]
        let skipped = ["environments/x/python", "dev/serving/routing.json", "dev/executions/e/step/1/work/big", "dev/labels/incoming/x"]
        for path in files + skipped {
            let file = data.appending(path: path)
            try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(path.utf8).write(to: file)
        }
        try FileManager.default.createSymbolicLink(atPath: data.appending(path: "git/p.git/link").path, withDestinationPath: "/etc/passwd")
        let target = BackupFolder(place.url.appending(path: "backups"))
        let made = try await Backup(of: data, into: target, version: "test").make()
        let restored = place.url.appending(path: "restored")
        try Restore(from: target, to: restored).run(made.record)
        for path in files { #expect(try Data(contentsOf: restored.appending(path: path)) == Data(path.utf8)) }
        for path in skipped + ["git/p.git/link", "lock"] { #expect(!FileManager.default.fileExists(atPath: restored.appending(path: path).path), "\(path)") }
        withExtendedLifetime((writer, place)) {}
    }
}

@Suite("Upgrade")
struct UpgradeTests {
    private static let more = Migration("M9999_Test", "CREATE TABLE newcomer (id TEXT PRIMARY KEY);\nINSERT INTO newcomer (id) VALUES ('one');")

    @Test("a rehearsal says what would change and leaves the original as it was; the upgrade does it and keeps copies")
    func rehearsal() async throws {
        var server: TestServer? = try await TestServer()
        let folder = try #require(server?.folder)
        try await server?.foundations.control.close()
        for realm in try #require(server).foundations.realms.values { try await realm.database.close() }
        server = nil
        let file = folder.url.appending(path: "dev/realm.sqlite")
        let before = try ContentDigest(ofFile: file)
        let upgrade = Upgrade(data: folder.url, realm: Migrations.realm + [Self.more])
        let rehearsed = try await upgrade.rehearse()
        let dev = try #require(rehearsed.first { $0.database == "dev/realm.sqlite" })
        #expect(dev.steps == ["M9999_Test"])
        #expect(dev.tables.map(\.name) == ["newcomer"] && dev.tables[0].rowsBefore == nil && dev.tables[0].rowsAfter == 1)
        #expect(try ContentDigest(ofFile: file) == before)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).allSatisfy { !$0.hasPrefix("rehearsal") })

        let (changes, copies) = try await upgrade.perform()
        #expect(changes.map(\.steps) == rehearsed.map(\.steps))
        #expect(try SQLiteFile.rowCounts(in: file)["newcomer"] == 1)
        #expect(try SQLiteFile.rowCounts(in: try #require(copies).appending(path: "dev/realm.sqlite"))["newcomer"] == nil)
        #expect(try await upgrade.perform().copies == nil, "nothing left to do")

        let error = await #expect(throws: SlipwayError.self) { _ = try await Server.assemble(ServerConfiguration(data: folder.url, port: 1), logger: quietLogger) }
        #expect(error?.code == .unavailable && error?.message.contains("newer Slipway") == true && error?.remedy != nil)
        await #expect(throws: SlipwayError.self) {
            try await Backup(of: folder.url, into: BackupFolder(folder.url.appending(path: "../b-\(UUID().uuidString)")), version: "t").make()
        }
    }

    @Test("a step that fails leaves the database as it was")
    func failing() async throws {
        let control = try await TestControl()
        let file = control.folder.url.appending(path: "control.sqlite")
        try await control.database.close()
        let broken = Migration("C9999_Broken", "CREATE TABLE half (id TEXT PRIMARY KEY);\nINSERT INTO nowhere (id) VALUES (1);")
        let upgrade = Upgrade(data: control.folder.url, realm: [], control: Migrations.control + [broken])
        await #expect(throws: (any Error).self) { try await upgrade.rehearse() }
        await #expect(throws: (any Error).self) { try await upgrade.perform() }
        #expect(try SQLiteFile.rowCounts(in: file)["half"] == nil)
    }
}
