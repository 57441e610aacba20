import Foundation
import SlipwayBlobs
import SlipwayCore
import SlipwayRuntime
import SlipwayStore

/// Turns a snapshot's files into those of the realm below: masked, sampled, or as they are.
struct RefreshTransform: Sendable {
    let refresh: ProjectFile.Refresh
    let source: any BlobReader
    let target: Realm
    let key: [UInt8]
    let duckDB: DuckDB

    /// - Returns: the new tree, its bytes stored in the target, and the paths that were left out because they cannot be masked.
    /// - Throws: `blocked` when a column to be masked is nowhere, since a renamed column would pass unmasked.
    func run(_ manifest: FileManifest) async throws -> (manifest: FileManifest, leftOut: [String]) {
        guard !refresh.mask.isEmpty || refresh.sample < 1 else { return (try await copied(manifest.files), []) }
        return try await TableFolder.with(manifest, from: source, of: target) { folder in
            let columns = try await folder.columns(duckDB)
            let tables = zip(folder.files, columns).compactMap { file, columns in columns.map { (file: file, columns: $0) } }
            try requireMasked(tables.flatMap { $0.columns.map(\.name) })
            var entries: [FileManifest.Entry] = []
            var statements: [String] = []
            var made: [(path: String, local: URL)] = []
            for (index, table) in tables.enumerated() {
                guard let statement = statement(table.file, table.columns, to: folder.folder.appending(path: "out/\(index).\(table.file.local.pathExtension)")) else {
                    entries += manifest.files.filter { $0.path == table.file.path }
                    continue
                }
                statements.append(statement.sql)
                made.append((table.file.path, statement.output))
            }
            if !statements.isEmpty {
                _ = try await duckDB.answers(statements.joined(separator: "\n"), in: [folder.folder], variables: MaskingSQL.variables(key))
            }
            let tabular = Set(tables.map(\.file.path))
            let plain = manifest.files.filter { !tabular.contains($0.path) }
            let kept = refresh.mask.isEmpty ? plain.filter { Self.isSampled($0.path, refresh.sample) } : []
            let stored = try await copied(entries + kept).files
            let target = target
            let outputs = made
            let fresh = try await offload {
                try outputs.map { output in
                    let digest = try target.blobs.put(file: output.local)
                    return FileManifest.Entry(path: output.path, digest: digest, size: try target.blobs.size(of: digest) ?? 0)
                }
            }
            return (try FileManifest(files: stored + fresh), refresh.mask.isEmpty ? [] : plain.map(\.path))
        }
    }

    private func copied(_ files: [FileManifest.Entry]) async throws -> FileManifest {
        let source = source
        let target = target
        return try await offload {
            for entry in files { try target.blobs.copy(entry.digest, from: source) }
            return try FileManifest(files: files)
        }
    }

    private func requireMasked(_ columns: [String]) throws {
        let known = Set(columns.map { $0.lowercased() })
        let absent = refresh.mask.keys.filter { !known.contains($0.lowercased()) }.sorted()
        guard absent.isEmpty else {
            throw SlipwayError(
                .blocked, "The recipe masks columns that the snapshot does not have.",
                reasons: absent.map {
                    .init("There is no column '\($0)'.", remedy: "It may have been renamed: correct 'mask' in slipway.yaml, push, and let a steward adopt the new recipe.")
                })
        }
    }

    /// Nil when the file passes as it is.
    private func statement(_ file: TableFolder.File, _ columns: [DataTable.Column], to output: URL) -> (sql: String, output: URL)? {
        let masking = Dictionary(refresh.mask.map { ($0.key.lowercased(), $0.value) }) { first, _ in first }
        let touched = columns.filter { masking[$0.name.lowercased()] != nil }
        guard !touched.isEmpty || refresh.sample < 1 else { return nil }
        let list = columns.compactMap { column -> String? in
            let name = DuckDB.identifier(column.name)
            switch masking[column.name.lowercased()] {
            case .hash: return "\(MaskingSQL.hash(column.name, isInteger: TableFolder.isInteger(column.type))) AS \(name)"
            case .drop: return nil
            case nil: return name
            }
        }
        let condition = refresh.sample < 1 ? " WHERE \(MaskingSQL.sample(refresh.sample))" : ""
        let format =
            switch file.format {
            case .parquet: "(FORMAT parquet, COMPRESSION zstd)"
            case .csv: "(FORMAT csv, HEADER true\(file.local.pathExtension == "gz" ? ", COMPRESSION gzip" : ""))"
            }
        let select = "SELECT \(list.joined(separator: ", ")) FROM \(file.source(asText: true)) AS source_row\(condition)"
        return ("COPY (\(select)) TO \(DuckDB.literal(output.path)) \(format);", output)
    }

    /// Plain files are sampled whole, by their path.
    private static func isSampled(_ path: String, _ share: Double) -> Bool {
        guard share < 1 else { return true }
        let first = ContentDigest(of: path).rawValue.prefix(16)
        return (UInt64(first, radix: 16) ?? 0) < MaskingSQL.threshold(share)
    }
}
