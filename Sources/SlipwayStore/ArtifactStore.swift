import SlipwayCore
import SlipwaySQL

/// Artifacts of runs, logged models and experiments: rows that say which bytes of the realm's blobs lie at which path below a root.
package struct ArtifactStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    /// The registry in the same transaction.
    package var registry: RegistryStore { RegistryStore(tx: tx) }

    package struct Artifact: Sendable, Hashable {
        package var path: String
        package var digest: ContentDigest
        package var size: Int64
    }

    /// Names the bytes, which must be stored already. A file at that path is replaced.
    /// - Throws: `invalidArgument` when the path is a folder, or a part of it is a file.
    package func put(_ path: String, digest: ContentDigest, size: Int64, under root: String, at: Timestamp) throws {
        try RelativePath.check(path)
        var parent = path[...]
        while let slash = parent.lastIndex(of: "/") {
            parent = parent[..<slash]
            if try artifact(String(parent), under: root) != nil {
                throw SlipwayError.invalid("'\(parent)' is a file, so '\(path)' cannot lie below it.", remedy: "Choose another path.")
            }
        }
        if try tx.first(Self.anyBelow, below(path, root)) != nil {
            throw SlipwayError.invalid("'\(path)' is a folder.", remedy: "Choose another path.")
        }
        try tx.run(
            Self.upsert,
            [
                "root": .text(root), "path": .text(path), "digest": .text(digest.rawValue), "size": .integer(size), "at": .integer(at.milliseconds),
            ])
    }

    package func artifact(_ path: String, under root: String) throws -> Artifact? {
        try tx.first(Self.byPath, ["root": .text(root), "path": .text(path)]).map(Self.artifact)
    }

    /// One level of a folder, sorted by name; empty for a file and for nothing.
    /// - Parameter path: nil for the root itself.
    package func list(_ path: String?, under root: String) throws -> [ArtifactEntry] {
        let prefix = path.map { $0 + "/" } ?? ""
        var entries: [ArtifactEntry] = []
        try tx.forEach(Self.below, below(path, root)) { row in
            let rest = row.text("path").dropFirst(prefix.count)
            if let slash = rest.firstIndex(of: "/") {
                let name = String(rest[..<slash])
                if entries.last?.name != name { entries.append(ArtifactEntry(name: name, size: nil)) }
            } else {
                entries.append(ArtifactEntry(name: String(rest), size: row.int64("size_bytes")))
            }
        }
        // The rows come by whole path, where 'a-b' sorts between 'a' and 'a/b'.
        var seen: Set<String> = []
        return entries.filter { seen.insert($0.name).inserted }.sorted { $0.name < $1.name }
    }

    /// Removes a file, or a folder with all that is in it.
    /// - Returns: how many files.
    package func remove(_ path: String?, under root: String) throws -> Int {
        var count = try tx.run(Self.deleteBelow, below(path, root))
        if let path { count += try tx.run(Self.delete, ["root": .text(root), "path": .text(path)]) }
        return count
    }

    /// The files below a root (a logged model's, for instance), ready to be frozen.
    package func manifest(under root: String) throws -> FileManifest { try manifest(under: root, path: nil) }

    /// The files below a folder of a root.
    package func manifest(under root: String, path: String?) throws -> FileManifest {
        let prefix = path.map { $0 + "/" } ?? ""
        return try FileManifest(
            files: try tx.all(Self.below, below(path, root)).map(Self.artifact).map {
                FileManifest.Entry(path: String($0.path.dropFirst(prefix.count)), digest: $0.digest, size: $0.size)
            })
    }

    /// All paths below `path/`: `0` is the character after `/`.
    private func below(_ path: String?, _ root: String) -> [String: SQLValue] {
        ["root": .text(root), "from": .text(path.map { $0 + "/" } ?? ""), "to": .text(path.map { $0 + "0" })]
    }

    private static func artifact(_ row: Row) throws -> Artifact {
        guard let digest = ContentDigest(rawValue: row.text("digest")) else { throw SlipwayError.fault("The artifact '\(row.text("path"))' has no digest.") }
        return Artifact(path: row.text("path"), digest: digest, size: row.int64("size_bytes"))
    }

    private static let upsert = Statement(
        "artifact.put",
        """
        INSERT INTO artifact (root, path, digest, size_bytes, stored_at_ms) VALUES (:root, :path, :digest, :size, :at)
        ON CONFLICT (root, path) DO UPDATE SET digest = excluded.digest, size_bytes = excluded.size_bytes, stored_at_ms = excluded.stored_at_ms
        """)
    private static let byPath = Statement("artifact.byPath", "SELECT path, digest, size_bytes FROM artifact WHERE root = :root AND path = :path")
    private static let below = Statement(
        "artifact.below",
        """
        SELECT path, digest, size_bytes FROM artifact WHERE root = :root AND path >= :from AND (:to IS NULL OR path < :to) ORDER BY path
        """)
    private static let anyBelow = Statement(
        "artifact.anyBelow",
        """
        SELECT path FROM artifact WHERE root = :root AND path >= :from AND (:to IS NULL OR path < :to) LIMIT 1
        """)
    private static let delete = Statement("artifact.delete", "DELETE FROM artifact WHERE root = :root AND path = :path")
    private static let deleteBelow = Statement(
        "artifact.deleteBelow",
        """
        DELETE FROM artifact WHERE root = :root AND path >= :from AND (:to IS NULL OR path < :to)
        """)
}
