import Foundation
import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// What an import names; the bytes were sent before.
package struct ImportRequest: Sendable {
    package var dataset: String
    package var project: ProjectName
    package var files: [FileManifest.Entry]
    package var label: String?
    package var tag: String?
    /// How long the snapshot lives; nil for what the project file or the environment says.
    package var expire: Duration?

    package init(dataset: String, project: ProjectName, files: [FileManifest.Entry], label: String? = nil, tag: String? = nil, expire: Duration? = nil) {
        self.dataset = dataset; self.project = project; self.files = files; self.label = label; self.tag = tag; self.expire = expire
    }
}

extension SnapshotService {
    package static let filesMax = 100_000
    package static let fileBytesMax: Int64 = 256 << 30
    /// Dev data is temporary; a project file may say sooner or later.
    package static let devExpiry = Duration.seconds(30 * 86_400)

    // MARK: Bytes

    /// Which of the digests must be sent: those that neither a living snapshot of the project nor an earlier upload to it holds.
    /// Bytes that only another project holds count as missing, so that nobody gets at them by naming their digest.
    package func missing(_ digests: [ContentDigest], project: ProjectName, by caller: Caller) async throws -> [ContentDigest] {
        try caller.require(.importData, project: project, environment: environment)
        guard digests.count <= 10_000 else { throw SlipwayError.invalid("10000 digests may be asked about at once.", remedy: "Ask in parts.") }
        let blobs = realm.blobs
        return try await realm.database.read { tx in
            let store = SnapshotStore(tx: tx)
            return try digests.filter { digest in
                let isKnown = try store.isUploaded(digest, project: project) || store.holds(digest, project: project)
                return !isKnown || blobs.file(of: digest) == nil
            }
        }
    }

    /// Takes bytes in, in constant memory, and keeps them only when they have the digest.
    package func receive<Pieces: AsyncSequence & Sendable>(
        _ digest: ContentDigest, project: ProjectName, pieces: Pieces, by caller: Caller
    ) async throws where Pieces.Element == Data {
        try caller.require(.importData, project: project, environment: environment)
        let intake = try BlobIntake(realm.blobs)
        var size: Int64 = 0
        do {
            var waiting = Data()
            for try await piece in pieces {
                size += Int64(piece.count)
                guard size <= Self.fileBytesMax else {
                    throw SlipwayError(.tooMuch, "A file has more than \(Self.fileBytesMax >> 30) GiB.", remedy: "Split it into parts.")
                }
                waiting.append(piece)
                if waiting.count >= 1 << 20 { try await intake.write(waiting); waiting.removeAll(keepingCapacity: true) }
            }
            if !waiting.isEmpty { try await intake.write(waiting) }
            _ = try await intake.finish(expecting: digest)
        } catch {
            intake.discard()
            throw error
        }
        let now = clock.now
        let stored = size
        try await realm.database.write { tx in
            try SnapshotStore(tx: tx).recordUpload(digest, size: stored, project: project, by: caller.principal, at: now)
        }
    }

    // MARK: Snapshots

    /// Makes a snapshot of files whose bytes are here. The same tree as the latest snapshot's is that snapshot.
    /// - Returns: the snapshot, and whether it is new.
    package func importSnapshot(_ request: ImportRequest, by caller: Caller) async throws -> (snapshot: DataSnapshot, isNew: Bool) {
        try caller.require(.importData, project: request.project, environment: environment)
        let dataset = try DatasetName.checked(request.dataset)
        let tag = try request.tag.map(SnapshotTag.checked)
        if request.expire != nil, environment != .dev {
            throw SlipwayError.invalid(
                "Only dev's imports choose how long they live.", remedy: "Let 'data.\(dataset).expire.\(environment.rawValue)' in slipway.yaml say it.")
        }
        if let label = request.label, label.utf8.count > 500 || label.contains("\0") { throw SlipwayError.invalid("A label has 500 bytes at most.") }
        guard (1...Self.filesMax).contains(request.files.count) else {
            throw SlipwayError.invalid("A snapshot has 1 to \(Self.filesMax) files, not \(request.files.count).", remedy: "Pack small files together.")
        }
        let manifest = try FileManifest(files: request.files)
        try await requireUploaded(manifest, project: request.project)
        let digest = try manifest.digest()
        if let known = try await realm.database.read({ tx in try SnapshotStore(tx: tx).list(dataset: dataset, project: request.project, limit: 1).first }),
            known.manifestDigest == digest, known.lineage == nil
        {
            guard let tag, !known.tags.contains(tag) else { return (known, false) }
            return (try await self.tag(known.id, of: dataset, project: request.project, as: tag, by: caller), false)
        }
        let snapshot = try await prepare(
            manifest, dataset: dataset, project: request.project, by: caller.principal, label: request.label, lifetime: request.expire)
        let now = snapshot.createdAt
        try await realm.database.write { tx in
            try Self.insert(snapshot, manifest: manifest, tx: tx)
            if let tag { try Self.set(tag, on: snapshot, moving: false, by: caller.principal, at: now, tx: tx) }
            try AuditStore(tx: tx).append(
                "snapshot.import", subject: "snapshot:\(snapshot.id)", project: snapshot.project, by: caller.principal, at: now, details: Self.details(of: snapshot))
        }
        return (try await find(snapshot.id, of: dataset, project: request.project), true)
    }

    /// - Throws: `conflict` naming a file whose bytes were not sent to this project, or have another size.
    private func requireUploaded(_ manifest: FileManifest, project: ProjectName) async throws {
        let blobs = realm.blobs
        let stranger = try await realm.database.read { tx in
            let store = SnapshotStore(tx: tx)
            return try manifest.files.first { entry in try !(store.isUploaded(entry.digest, project: project) || store.holds(entry.digest, project: project)) }
        }
        let absent = try await offload { try manifest.files.first { entry in try !blobs.renew(entry.digest) || blobs.size(of: entry.digest) != entry.size } }
        if let entry = stranger ?? absent {
            throw SlipwayError(
                .conflict, "The bytes of '\(entry.path)' (\(entry.size) bytes, digest \(entry.digest.short)) were not sent.",
                remedy: "Send them first: PUT /api/v1/\(environment.rawValue)/data/blobs/\(entry.digest)?project=\(project)")
        }
    }

    /// Reads the tables, asks the checks, and stores the manifest: everything but the row.
    func prepare(
        _ manifest: FileManifest, dataset: String, project: ProjectName, by principal: Principal, label: String?, lifetime: Duration?,
        lineage: DataSnapshot.Lineage? = nil
    ) async throws -> DataSnapshot {
        let blobs = realm.blobs
        let digest = try await offload { try blobs.put(manifest) }
        let tables = try await TableFolder.with(manifest, of: realm) { folder in try await folder.tables(self.duckDB) }
        let declared = try await realm.database.read { tx in try ProjectFileStore(tx: tx).current(of: project)?.file.data[dataset] }
        let now = clock.now
        let life = try lifetime ?? declared?.expire[environment]?.value ?? (environment == .dev ? Self.devExpiry : nil)
        var snapshot = DataSnapshot(
            id: newID(), dataset: dataset, project: project, manifestDigest: digest, sizeBytes: manifest.size, fileCount: manifest.files.count, createdAt: now,
            createdBy: principal.raw, expiresAt: life.map { now + $0 }, label: label, lineage: lineage, tables: tables)
        snapshot.checks = await outcome(of: snapshot, manifest: manifest)
        return snapshot
    }

    static func insert(_ snapshot: DataSnapshot, manifest: FileManifest, tx: any Transaction) throws {
        try SnapshotStore(tx: tx).insert(snapshot, blobs: Set(manifest.files.map(\.digest) + [snapshot.manifestDigest]))
    }

    static func details(of snapshot: DataSnapshot) -> JSONValue {
        var details: [String: JSONValue] = [
            "dataset": .string(snapshot.dataset), "manifest": .string(snapshot.manifestDigest.rawValue), "files": .integer(Int64(snapshot.fileCount)),
            "bytes": .integer(snapshot.sizeBytes), "checks": .string(snapshot.checks.verdict.rawValue),
        ]
        if let lineage = snapshot.lineage {
            details["from"] = .string("\(lineage.environment.rawValue)/\(snapshot.dataset)@\(lineage.snapshot)")
            details["recipe"] = .string(lineage.recipe.rawValue)
        }
        return .object(details)
    }
}
