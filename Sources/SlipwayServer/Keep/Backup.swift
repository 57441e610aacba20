import Foundation
import Logging
import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwaySQLite
import SlipwayStore

/// Makes one backup of a data folder, beside a running server or without one.
///
/// Databases are copied first, each as it is at one moment. Rows name bytes that were stored before them and never change, so every byte that a
/// copy names is there; a hold on the blobs keeps it there until it is copied. What is unfinished has no `backup.json` and no name of a backup.
package struct Backup: Sendable {
    let data: URL
    let target: BackupFolder
    let version: String
    let clock: any WallClock
    let progress: ReportProgress
    /// Called between the steps; tests end the work there.
    let checkpoint: @Sendable (String) throws -> Void

    package init(
        of data: URL, into target: BackupFolder, version: String, clock: any WallClock = SystemWallClock(), progress: @escaping ReportProgress = { _ in },
        checkpoint: @escaping @Sendable (String) throws -> Void = { _ in }
    ) {
        self.data = data.standardizedFileURL
        self.target = target
        self.version = version
        self.clock = clock
        self.progress = progress
        self.checkpoint = checkpoint
    }

    /// What was made, and how much of it had to be copied.
    package struct Made: Sendable {
        package var record: BackupRecord
        package var copiedBytes: Int64
        package var copiedFiles: Int
    }

    /// - Throws: `notFound` when there is no data folder, `unavailable` when the target cannot be written or is in use.
    package func make() async throws -> Made {
        try Self.checkDataFolder(data)
        guard !(target.root.path + "/").hasPrefix(data.path + "/"), !(data.path + "/").hasPrefix(target.root.path + "/") else {
            throw SlipwayError.invalid("'\(target.root.path)' and the data folder lie in one another.", remedy: "Name a folder outside it, best on another disk.")
        }
        let lock = try target.lock()
        defer { lock.release() }
        let blobs = try target.blobs()
        try sweep(blobs)
        let environments = EnvironmentID.allCases.filter { FileManager.default.fileExists(atPath: data.appending(path: "\($0.rawValue)/realm.sqlite").path) }
        let holds = try environments.map { try realmBlobs($0).hold() }
        defer { withExtendedLifetime(holds) {} }

        let id = self.id()
        let unfinished = target.folder(of: target.unfinishedPrefix + id)
        var tally = Tally()
        let databases = try await offload { try copyDatabases(environments, to: unfinished) }
        try checkpoint("databases")
        var lists: [BackupRecord.BlobList] = []
        for environment in environments { lists.append(try await copyBlobs(of: environment, to: blobs, unfinished, &tally)) }
        try checkpoint("blobs")
        let loose = try copyLooseFiles(to: blobs, &tally)
        let files = try write(try LooseFiles.lines(loose), as: "files.ndjson", in: unfinished)
        let record = BackupRecord(
            format: BackupRecord.formatNow, id: id, madeAt: clock.now.iso8601, madeBy: version,
            databases: try databases.map { try piece($0, in: unfinished) }, blobs: lists, files: files, fileCount: loose.count,
            fileBytes: loose.reduce(0) { $0 + $1.size }, damaged: tally.damaged)
        try checkpoint("record")
        _ = try write(try CanonicalJSON.text(record), as: BackupRecord.fileName, in: unfinished)
        try flush(unfinished)
        guard rename(unfinished.path, target.folder(of: id).path) == 0 else {
            throw SlipwayError(.unavailable, "'\(unfinished.path)' cannot be renamed: \(String(cString: strerror(errno))).", remedy: "See that the folder is writable.")
        }
        try flush(target.root)
        return Made(record: record, copiedBytes: tally.bytes, copiedFiles: tally.files)
    }

    private struct Tally {
        var bytes: Int64 = 0
        var files = 0
        var damaged: [String] = []
    }

    static func checkDataFolder(_ data: URL) throws {
        guard FileManager.default.fileExists(atPath: data.appending(path: "control.sqlite").path) else {
            throw SlipwayError.notFound("'\(data.path)' is no data folder of Slipway.", remedy: "Name the one the server uses: --data FOLDER")
        }
    }

    private func realmBlobs(_ environment: EnvironmentID) throws -> BlobFolder { try BlobFolder(root: data.appending(path: "\(environment.rawValue)/blobs")) }

    /// Such as `20261124-172000-123`: sorts by time.
    private func id() -> String {
        let digits = clock.now.iso8601.filter { $0.isNumber }
        return "\(digits.prefix(8))-\(digits.dropFirst(8).prefix(6))-\(digits.suffix(3))"
    }

    /// What killed backups left. Bytes that arrived whole stay, so the next backup is quicker.
    private func sweep(_ blobs: BlobFolder) throws {
        try blobs.sweepIncoming()
        for name in try FileManager.default.contentsOfDirectory(atPath: target.root.path) where name.hasPrefix(target.unfinishedPrefix) {
            try FileManager.default.removeItem(at: target.folder(of: name))
        }
    }

    private func copyDatabases(_ environments: [EnvironmentID], to unfinished: URL) throws -> [String] {
        let paths = ["control.sqlite"] + environments.map { "\($0.rawValue)/realm.sqlite" }
        for (index, path) in paths.enumerated() {
            progress(.init(phase: "Databases", done: Int64(index), total: Int64(paths.count), detail: path))
            let copy = unfinished.appending(path: path)
            try FileManager.default.createDirectory(at: copy.deletingLastPathComponent(), withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            try SQLiteFile.copy(data.appending(path: path), to: copy)
        }
        return paths
    }

    private func copyBlobs(of environment: EnvironmentID, to blobs: BlobFolder, _ unfinished: URL, _ tally: inout Tally) async throws -> BackupRecord.BlobList {
        let source = try realmBlobs(environment)
        let digests = try await Self.digests(named: unfinished.appending(path: "\(environment.rawValue)/realm.sqlite"), in: source)
        var found: [(digest: ContentDigest, size: Int64)] = []
        for digest in digests { if let size = try source.size(of: digest) { found.append((digest, size)) } }
        let total = found.reduce(Int64(0)) { $0 + $1.size }
        var done: Int64 = 0
        var kept: [(digest: ContentDigest, size: Int64)] = []
        for blob in found.sorted(by: { $0.digest.rawValue < $1.digest.rawValue }) {
            try Task.checkCancellation()
            if blobs.file(of: blob.digest) == nil {
                do {
                    try await offload { try blobs.copy(blob.digest, from: source) }
                    tally.bytes += blob.size
                    tally.files += 1
                } catch let error as SlipwayError where error.code == .internalFault {
                    tally.damaged.append("\(environment.rawValue): \(blob.digest)")
                    continue
                }
                try checkpoint("blob")
            }
            kept.append(blob)
            done += blob.size
            progress(.init(phase: "Files of \(environment.rawValue)", done: done, total: total, detail: blob.digest.short))
        }
        let list = try write(BlobLine.text(kept), as: "\(environment.rawValue)/blobs.txt", in: unfinished)
        return .init(environment: environment, list: list, count: kept.count, bytes: kept.reduce(0) { $0 + $1.size })
    }

    /// Opens the copy, so that the original is not held.
    private static func digests(named copy: URL, in blobs: BlobFolder) async throws -> Set<ContentDigest> {
        let database = try SQLiteDatabase(path: copy.path, logger: Logger(label: "slipway.backup"))
        let applied = try await Migrator.applied(database)
        try Migrator(Migrations.realm).refuseNewer(applied)
        let digests = try await database.read { tx in try BlobReferences(tx: tx).all(in: blobs, applied: applied) }
        try await database.close()
        try SQLiteFile.seal(copy)
        return digests
    }

    private func copyLooseFiles(to blobs: BlobFolder, _ tally: inout Tally) throws -> [BackupRecord.Loose] {
        let paths = try LooseFiles.find(in: data)
        var found: [BackupRecord.Loose] = []
        for (index, path) in paths.enumerated() {
            try Task.checkCancellation()
            progress(.init(phase: "Other files", done: Int64(index), total: Int64(paths.count), detail: path))
            if let file = try LooseFiles.store(path, of: data, in: blobs) { found.append(file) }
        }
        return found
    }

    private func piece(_ path: String, in folder: URL) throws -> BackupRecord.Piece {
        let file = folder.appending(path: path)
        let size = try FileManager.default.attributesOfItem(atPath: file.path)[.size] as? NSNumber
        return .init(path: path, digest: try ContentDigest(ofFile: file), size: size?.int64Value ?? 0)
    }

    private func write(_ text: String, as path: String, in folder: URL) throws -> BackupRecord.Piece {
        let file = folder.appending(path: path)
        try Data(text.utf8).write(to: file)
        try flush(file)
        return try piece(path, in: folder)
    }

    private func flush(_ file: URL) throws {
        let descriptor = open(file.path, O_RDONLY | O_CLOEXEC)
        defer { if descriptor >= 0 { close(descriptor) } }
        guard descriptor >= 0, fsync(descriptor) == 0 else {
            throw SlipwayError(.unavailable, "'\(file.path)' cannot be flushed: \(String(cString: strerror(errno))).", remedy: "See that the disk has room.")
        }
    }
}
