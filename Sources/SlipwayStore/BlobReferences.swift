import Foundation
import SlipwayBlobs
import SlipwayCore
import SlipwaySQL

/// Which bytes of a realm any row of any table names.
///
/// On purpose it knows no table: it reads the schema's own text and looks for SHA-256 digests in every text column, so that a
/// table which a later migration adds is seen without anybody thinking of this file. Bytes are kept when in doubt.
package struct BlobReferences {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    /// Tables that only tell what was, or that the caller asks itself.
    static let silent: Set<String> = ["audit_event", "data_snapshot", "data_snapshot_blob", "data_upload", "data_check", "data_recipe", "data_refresh"]

    /// Digests among `candidates` that a row names, or that a manifest named by a row lists.
    package func named(among candidates: Set<ContentDigest>, blobs: BlobFolder) throws -> Set<ContentDigest> {
        var found: Set<ContentDigest> = []
        var opened: Set<ContentDigest> = []
        for (table, column) in Self.textColumns(of: Migrations.realm) where !Self.silent.contains(table) {
            try tx.forEach(Statement("references.\(table)", "SELECT \(column) AS value FROM \(table) WHERE LENGTH(\(column)) >= 64"), [:]) { row in
                for digest in Self.digests(in: row.optionalText("value") ?? "") {
                    if candidates.contains(digest) { found.insert(digest) }
                    guard opened.insert(digest).inserted else { continue }
                    for entry in try Self.manifest(digest, in: blobs)?.files ?? [] where candidates.contains(entry.digest) { found.insert(entry.digest) }
                }
            }
        }
        return found
    }

    /// Every digest that any text of the database holds and that has bytes here, with what manifests among them list.
    /// - Parameter applied: names of the schema steps that the database has.
    package func all(in blobs: BlobFolder, applied: Set<String>) throws -> Set<ContentDigest> {
        var found: Set<ContentDigest> = []
        for (table, column) in Self.textColumns(of: Migrations.realm.filter({ applied.contains($0.name) })) {
            try tx.forEach(Statement("references.all.\(table)", "SELECT \(column) AS value FROM \(table) WHERE LENGTH(\(column)) >= 64"), [:]) { row in
                for digest in Self.digests(in: row.optionalText("value") ?? "") where !found.contains(digest) && blobs.file(of: digest) != nil {
                    found.insert(digest)
                    for entry in try Self.manifest(digest, in: blobs)?.files ?? [] where blobs.file(of: entry.digest) != nil { found.insert(entry.digest) }
                }
            }
        }
        return found
    }

    /// A manifest is JSON of moderate size; anything else that a row names is a file.
    private static func manifest(_ digest: ContentDigest, in blobs: BlobFolder) throws -> FileManifest? {
        guard let file = blobs.file(of: digest), let size = try blobs.size(of: digest), size <= 64 << 20 else { return nil }
        let start = Data("{\"files\":".utf8)
        let handle = try FileHandle(forReadingFrom: file)
        defer { try? handle.close() }  // it was only read
        guard try handle.read(upToCount: start.count) == start else { return nil }
        return try? blobs.manifest(digest)  // a file that only begins like a manifest names nothing
    }

    /// Every run of exactly 64 lower-case hexadecimal digits.
    static func digests(in text: String) -> [ContentDigest] {
        var digests: [ContentDigest] = []
        var run: [UInt8] = []
        for byte in text.utf8 {
            if (48...57).contains(byte) || (97...102).contains(byte) { run.append(byte); continue }
            if run.count == 64, let digest = ContentDigest(rawValue: String(decoding: run, as: UTF8.self)) { digests.append(digest) }
            run.removeAll(keepingCapacity: true)
        }
        if run.count == 64, let digest = ContentDigest(rawValue: String(decoding: run, as: UTF8.self)) { digests.append(digest) }
        return digests
    }

    /// Read from the migrations' text, which all drivers share.
    package static func textColumns(of migrations: [Migration]) -> [(table: String, column: String)] {
        migrations.flatMap { migration in
            var columns: [(String, String)] = []
            var table: String?
            for line in migration.sql.split(separator: "\n") {
                if let match = line.firstMatch(of: /^\s*CREATE TABLE (?:IF NOT EXISTS )?(\w+)/) {
                    table = String(match.output.1)
                } else if let table, let match = line.firstMatch(of: /^\s*(\w+) TEXT\b/) {
                    columns.append((table, String(match.output.1)))
                } else if let match = line.firstMatch(of: /^\s*ALTER TABLE (\w+) ADD COLUMN (\w+) TEXT\b/) {
                    columns.append((String(match.output.1), String(match.output.2)))
                }
            }
            return columns
        }
    }
}
