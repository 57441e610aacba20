import Foundation
import SlipwayBlobs
import SlipwayCore

/// Makes a data folder out of a backup.
package struct Restore: Sendable {
    let source: BackupFolder
    let data: URL
    let progress: ReportProgress

    package init(from source: BackupFolder, to data: URL, progress: @escaping ReportProgress = { _ in }) {
        self.source = source
        self.data = data.standardizedFileURL
        self.progress = progress
    }

    /// Builds the folder beside its place and renames it when it is whole, every byte hashed on the way.
    /// - Throws: `alreadyExists` when the data folder is there and not empty; `unavailable` when the backup is damaged; nothing is left then.
    package func run(_ record: BackupRecord) throws {
        let manager = FileManager.default
        if manager.fileExists(atPath: data.path), try !manager.contentsOfDirectory(atPath: data.path).isEmpty {
            throw SlipwayError(
                .alreadyExists, "The folder '\(data.path)' is not empty, and a restore replaces nothing.",
                remedy: "Name another folder (--data NEW), or move this one away first.")
        }
        let building = data.deletingLastPathComponent().appending(path: "\(data.lastPathComponent).restoring")
        if manager.fileExists(atPath: building.path) { try manager.removeItem(at: building) }
        try manager.createDirectory(at: building, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        do {
            try restore(record, to: building)
        } catch {
            try manager.removeItem(at: building)
            throw error
        }
        if manager.fileExists(atPath: data.path) { try manager.removeItem(at: data) }
        guard rename(building.path, data.path) == 0 else {
            throw SlipwayError(.unavailable, "'\(data.path)' cannot be written: \(String(cString: strerror(errno))).", remedy: "What was restored lies in '\(building.path)'.")
        }
    }

    private func restore(_ record: BackupRecord, to building: URL) throws {
        var done: Int64 = 0
        func step(_ size: Int64, _ detail: String) {
            done += size
            progress(.init(phase: "Restoring", done: done, total: record.bytes, detail: detail))
        }
        let folder = source.folder(of: record.id)
        for list in record.blobs.map(\.list) + [record.files] { try Self.check(folder.appending(path: list.path), list) }
        for database in record.databases {
            try RelativePath.check(database.path)
            let target = building.appending(path: database.path)
            try FileManager.default.createDirectory(at: target.deletingLastPathComponent(), withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            try FileManager.default.copyItem(at: folder.appending(path: database.path), to: target)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: target.path)
            try Self.check(target, database)
            step(database.size, database.path)
        }
        let blobs = try source.blobs()
        for list in record.blobs {
            let target = try BlobFolder(root: building.appending(path: "\(list.environment.rawValue)/blobs"))
            for blob in try source.blobLines(list, record) {
                try target.copy(blob.digest, from: blobs)
                step(blob.size, blob.digest.short)
            }
        }
        for file in try source.looseFiles(record) {
            let target = building.appending(path: file.path)
            try FileManager.default.createDirectory(at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
            guard let bytes = blobs.file(of: file.digest) else { throw Self.damaged(file.path) }
            try FileManager.default.copyItem(at: bytes, to: target)
            try FileManager.default.setAttributes([.posixPermissions: file.mode], ofItemAtPath: target.path)
            guard try ContentDigest(ofFile: target) == file.digest else { throw Self.damaged(file.path) }
            step(file.size, file.path)
        }
    }

    private static func check(_ file: URL, _ piece: BackupRecord.Piece) throws {
        guard FileManager.default.fileExists(atPath: file.path), try ContentDigest(ofFile: file) == piece.digest else { throw damaged(piece.path) }
    }

    private static func damaged(_ path: String) -> SlipwayError {
        SlipwayError(
            .unavailable, "'\(path)' of the backup is missing or does not have the digest that it was written with.",
            remedy: "Restore another: slipway backup FOLDER --list; --verify names all damages.")
    }
}
