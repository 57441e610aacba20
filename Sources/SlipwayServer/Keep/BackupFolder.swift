import Foundation
import SlipwayBlobs
import SlipwayCore
import SlipwaySQLite

/// A folder with backups of one data folder. They share their bytes, so each costs what is new in it, and the databases.
///
///     blobs/ab/cdef…                every file of every backup, by its SHA-256
///     20261124-172000-123/          one backup: backup.json, control.sqlite, <environment>/realm.sqlite, <environment>/blobs.txt, files.ndjson
///     unfinished-…/                 one that was not finished: no backup
package struct BackupFolder: Sendable {
    package let root: URL

    package init(_ root: URL) { self.root = root.standardizedFileURL }

    var unfinishedPrefix: String { "unfinished-" }
    func blobs() throws -> BlobFolder { try BlobFolder(root: root.appending(path: "blobs")) }
    func folder(of id: String) -> URL { root.appending(path: id) }

    /// Whole ones, oldest first.
    package func records() throws -> [BackupRecord] {
        guard FileManager.default.fileExists(atPath: root.path) else { return [] }
        return try FileManager.default.contentsOfDirectory(atPath: root.path).sorted().compactMap { name in
            let file = folder(of: name).appending(path: BackupRecord.fileName)
            guard !name.hasPrefix(unfinishedPrefix), FileManager.default.fileExists(atPath: file.path) else { return nil }
            let record: BackupRecord
            do {
                record = try JSONDecoder().decode(BackupRecord.self, from: Data(contentsOf: file))
            } catch {
                throw SlipwayError.invalid("'\(file.path)' cannot be read: \(error)", remedy: "Take the folder '\(name)' away; the other backups are not touched by it.")
            }
            guard record.format == BackupRecord.formatNow else {
                throw SlipwayError(.unavailable, "Backup '\(name)' has format \(record.format); this Slipway reads \(BackupRecord.formatNow).", remedy: "Use the newer binary.")
            }
            return record
        }
    }

    /// - Parameter id: nil for the newest.
    package func record(_ id: String?) throws -> BackupRecord {
        let all = try records()
        guard let found = id.map({ id in all.last { $0.id == id } }) ?? all.last else {
            throw SlipwayError.notFound(
                id.map { "There is no whole backup '\($0.prefix(80))' in '\(root.path)'." } ?? "There is no whole backup in '\(root.path)'.",
                remedy: "See what there is: slipway backup '\(root.path)' --list")
        }
        return found
    }

    /// One writer at a time.
    func lock() throws -> FolderLock {
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let descriptor = open(root.appending(path: "lock").path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard descriptor >= 0, flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            if descriptor >= 0 { close(descriptor) }
            throw SlipwayError(.unavailable, "The backup folder '\(root.path)' is in use or cannot be written.", remedy: "Wait for the other backup, or name another folder.")
        }
        return FolderLock(descriptor: descriptor)
    }

    // MARK: Verifying

    /// Hashes everything of a backup again.
    /// - Returns: what is missing or damaged, in words; empty when the backup is whole.
    package func verify(_ record: BackupRecord, progress: ReportProgress = { _ in }) throws -> [String] {
        var damages: [String] = []
        let folder = folder(of: record.id)
        let blobs = try blobs()
        var done: Int64 = 0
        func step(_ size: Int64, _ detail: String) {
            done += size
            progress(.init(phase: "Verifying", done: done, total: record.bytes, detail: detail))
        }
        for piece in record.databases + record.blobs.map(\.list) + [record.files] {
            let file = folder.appending(path: piece.path)
            if !FileManager.default.fileExists(atPath: file.path) {
                damages.append("\(piece.path) is missing")
            } else if try ContentDigest(ofFile: file) != piece.digest {
                damages.append("\(piece.path) does not have the digest that it was written with")
            } else if piece.path.hasSuffix(".sqlite"), let damage = try SQLiteFile.damage(in: file) {
                damages.append("\(piece.path): \(damage)")
            }
            step(piece.size, piece.path)
        }
        guard damages.isEmpty else { return damages }
        var seen: Set<ContentDigest> = []
        for list in record.blobs {
            for blob in try blobLines(list, record) where seen.insert(blob.digest).inserted {
                if try !blobs.verify(blob.digest) { damages.append("\(list.environment.rawValue): the bytes of \(blob.digest) are missing or damaged") }
                step(blob.size, blob.digest.short)
            }
        }
        for file in try looseFiles(record) where seen.insert(file.digest).inserted {
            if try !blobs.verify(file.digest) { damages.append("\(file.path): its bytes are missing or damaged") }
            step(file.size, file.path)
        }
        return damages
    }

    func blobLines(_ list: BackupRecord.BlobList, _ record: BackupRecord) throws -> [(digest: ContentDigest, size: Int64)] {
        try BlobLine.parse(Data(contentsOf: folder(of: record.id).appending(path: list.list.path)))
    }

    func looseFiles(_ record: BackupRecord) throws -> [BackupRecord.Loose] {
        try LooseFiles.parse(Data(contentsOf: folder(of: record.id).appending(path: record.files.path)))
    }

    // MARK: Forgetting

    /// Removes all whole backups but the newest `count`, then the bytes that no backup names.
    /// - Returns: how many backups went, and the bytes that came free.
    package func prune(keeping count: Int) throws -> (backups: Int, bytes: Int64) {
        precondition(count > 0)
        let lock = try lock()
        defer { lock.release() }
        let old = try records().dropLast(count)
        for record in old {
            // It stops being a backup with one step, whatever happens during the rest.
            let aside = folder(of: unfinishedPrefix + record.id)
            try FileManager.default.moveItem(at: folder(of: record.id), to: aside)
            try FileManager.default.removeItem(at: aside)
        }
        guard !old.isEmpty else { return (0, 0) }
        var named: Set<ContentDigest> = []
        for record in try records() {
            for list in record.blobs { named.formUnion(try blobLines(list, record).map(\.digest)) }
            named.formUnion(try looseFiles(record).map(\.digest))
        }
        let blobs = try blobs()
        var free: [ContentDigest] = []
        try blobs.forEachDigest { if !named.contains($0) { free.append($0) } }
        var bytes: Int64 = 0
        for digest in free {
            bytes += try blobs.size(of: digest) ?? 0
            try blobs.remove(digest)
        }
        return (old.count, bytes)
    }
}
