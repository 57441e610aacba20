import Foundation
import SlipwayBlobs
import SlipwayCore
import SlipwayRuntime
import SlipwayStore

/// A snapshot's tabular files in a passing folder under names that need no quoting, for DuckDB.
struct TableFolder: Sendable {
    enum Format: String, Sendable, Hashable { case parquet, csv }

    struct File: Sendable, Hashable {
        var path: String
        var format: Format
        var local: URL

        /// How DuckDB reads the file; `asText` leaves every value of a CSV as it was written.
        func source(asText: Bool = false) -> String {
            switch format {
            case .parquet: "read_parquet(\(DuckDB.literal(local.path)))"
            case .csv: "read_csv(\(DuckDB.literal(local.path)), header = true\(asText ? ", all_varchar = true" : ""))"
            }
        }
    }

    let folder: URL
    let files: [File]

    /// Links the files of a manifest into a folder that is gone when `body` returns.
    /// - Parameter blobs: where the bytes lie, the realm's own when nil.
    static func with<T: Sendable>(
        _ manifest: FileManifest, from blobs: (any BlobReader)? = nil, of realm: Realm, _ body: @Sendable (TableFolder) async throws -> T
    ) async throws -> T {
        let folder = realm.directory.appending(path: "scratch/\(UUID().uuidString)")
        let reader = blobs ?? realm.blobs
        do {
            let made = try await offload { try make(manifest, from: reader, at: folder) }
            let result = try await body(made)
            try await offload { try FileManager.default.removeItem(at: folder) }
            return result
        } catch {
            try? await offload { try FileManager.default.removeItem(at: folder) }  // the first error counts; the next start sweeps what is left
            throw error
        }
    }

    /// Removes what a killed server left.
    static func sweep(_ realm: Realm) throws {
        let folder = realm.directory.appending(path: "scratch")
        if FileManager.default.fileExists(atPath: folder.path) { try FileManager.default.removeItem(at: folder) }
    }

    private static func make(_ manifest: FileManifest, from blobs: any BlobReader, at folder: URL) throws -> TableFolder {
        try FileManager.default.createDirectory(at: folder.appending(path: "out"), withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        var files: [File] = []
        for entry in manifest.files {
            guard let format = format(of: entry.path) else { continue }
            guard let source = blobs.file(of: entry.digest) else { throw SlipwayError.fault("The bytes of '\(entry.path)' are missing.") }
            let name = entry.path.lowercased().hasSuffix(".gz") ? "\(files.count).csv.gz" : "\(files.count).\(format.rawValue)"
            let local = folder.appending(path: name)
            if link(source.path, local.path) != 0 { try FileManager.default.copyItem(at: source, to: local) }
            files.append(File(path: entry.path, format: format, local: local))
        }
        return TableFolder(folder: folder, files: files)
    }

    static func format(of path: String) -> Format? {
        let name = path.lowercased()
        if name.hasSuffix(".parquet") { return .parquet }
        return name.hasSuffix(".csv") || name.hasSuffix(".csv.gz") ? .csv : nil
    }

    // MARK: Schema

    /// Columns of each tabular file, in the order of `files`; nil for a CSV that DuckDB cannot read, which stays a plain file.
    /// - Throws: `invalidArgument` for a file that calls itself Parquet and is not.
    func columns(_ duckDB: DuckDB) async throws -> [[DataTable.Column]?] {
        var all: [[DataTable.Column]?] = []
        for start in stride(from: 0, to: files.count, by: 200) {
            let part = Array(files[start..<min(start + 200, files.count)])
            do {
                let answers = try await duckDB.answers(part.map { "DESCRIBE SELECT * FROM \($0.source());" }.joined(separator: "\n"), in: [folder])
                all += answers.map(Self.columns)
            } catch let error as SlipwayError where error.code == .invalidArgument {
                for file in part { all.append(try await columns(of: file, duckDB)) }
            }
        }
        return all
    }

    private func columns(of file: File, _ duckDB: DuckDB) async throws -> [DataTable.Column]? {
        do {
            return Self.columns(try await duckDB.rows("DESCRIBE SELECT * FROM \(file.source())", in: [folder]))
        } catch let error as SlipwayError where error.code == .invalidArgument {
            if file.format == .csv { return nil }
            throw SlipwayError.invalid("'\(file.path)' cannot be read as Parquet: \(error.message)", remedy: "Write the file again, or give it another ending.")
        }
    }

    private static func columns(_ rows: [DuckRow]) -> [DataTable.Column] {
        rows.compactMap { row in row.text("column_name").map { DataTable.Column(name: $0, type: row.text("column_type") ?? "") } }
    }

    /// Files with the same columns are parts of one table. A single table is called `data`; several are called after their folder or file.
    func groups(_ duckDB: DuckDB) async throws -> [(name: String, files: [File], columns: [DataTable.Column])] {
        guard !files.isEmpty else { return [] }
        var order: [[DataTable.Column]] = []
        var parts: [[DataTable.Column]: [File]] = [:]
        for (file, columns) in zip(files, try await columns(duckDB)) {
            guard let columns, !columns.isEmpty else { continue }
            if parts[columns] == nil { order.append(columns) }
            parts[columns, default: []].append(file)
        }
        if order.count == 1 { return [("data", parts[order[0]] ?? [], order[0])] }
        var taken: Set<String> = []
        return order.map { columns in
            let files = parts[columns] ?? []
            let wish = Self.tableName(files.map(\.path))
            var name = wish
            var number = 2
            while !taken.insert(name).inserted { name = "\(wish)_\(number)"; number += 1 }
            return (name, files, columns)
        }
    }

    private static func tableName(_ paths: [String]) -> String {
        let folders = Set(paths.map { $0.contains("/") ? String($0.prefix { $0 != "/" }) : "" })
        if paths.count > 1, folders.count == 1, let folder = folders.first, !folder.isEmpty { return folder }
        let file = paths[0].split(separator: "/").last.map(String.init) ?? paths[0]
        return String(file.prefix { $0 != "." })
    }

    /// One view per table, for the statements that follow.
    func views(_ tables: [DataTable]) -> String {
        let byPath = Dictionary(files.map { ($0.path, $0) }) { first, _ in first }
        return tables.map { table in
            let files = table.files.compactMap { byPath[$0] }
            let parts = [Format.parquet, .csv].compactMap { format -> String? in
                let names = files.filter { $0.format == format }.map { DuckDB.literal($0.local.path) }
                guard !names.isEmpty else { return nil }
                return "SELECT * FROM read_\(format.rawValue)([\(names.joined(separator: ", "))]\(format == .csv ? ", header = true" : ""))"
            }
            return "CREATE VIEW \(DuckDB.identifier(table.name)) AS \(parts.joined(separator: " UNION ALL BY NAME "));"
        }.joined(separator: "\n") + "\n"
    }

    /// Schema, row count and a short profile of every table. Smallest and largest values are kept for numbers and times only: a text's would be data.
    func tables(_ duckDB: @Sendable () throws -> DuckDB) async throws -> [DataTable] {
        guard !files.isEmpty else { return [] }
        let duckDB = try duckDB()
        let bare = try await groups(duckDB).map { DataTable(name: $0.name, files: $0.files.map(\.path), rows: 0, columns: $0.columns) }
        guard !bare.isEmpty else { return [] }
        let questions = bare.map { table -> String in
            let name = DuckDB.identifier(table.name)
            return "SELECT count(*) AS n FROM \(name); SUMMARIZE \(name);"
        }
        let answers: [[DuckRow]]
        do {
            answers = try await duckDB.answers(views(bare) + questions.joined(separator: "\n"), in: [folder])
        } catch let error as SlipwayError where error.code == .tooMuch {
            return try await counted(bare, duckDB)
        }
        guard answers.count == bare.count * 2 else { throw SlipwayError.fault("DuckDB gave \(answers.count) answers to \(bare.count * 2) questions.") }
        return bare.enumerated().map { index, table in
            var table = table
            table.rows = answers[index * 2].first?.int("n") ?? 0
            let summaries = Dictionary(answers[index * 2 + 1].map { ($0.text("column_name") ?? "", $0) }) { first, _ in first }
            for position in table.columns.indices {
                guard let summary = summaries[table.columns[position].name] else { continue }
                table.columns[position].nulls = summary.double("null_percentage").map { $0 / 100 }
                table.columns[position].distinct = summary.int("approx_unique")
                guard Self.isMeasure(table.columns[position].type) else { continue }
                table.columns[position].min = summary.text("min")
                table.columns[position].max = summary.text("max")
            }
            return table
        }
    }

    /// What stays when a profile takes too long: the row counts.
    private func counted(_ tables: [DataTable], _ duckDB: DuckDB) async throws -> [DataTable] {
        let questions = tables.map { "SELECT count(*) AS n FROM \(DuckDB.identifier($0.name));" }
        let answers = try await duckDB.answers(views(tables) + questions.joined(separator: "\n"), in: [folder])
        return zip(tables, answers).map { table, answer in
            var table = table
            table.rows = answer.first?.int("n") ?? 0
            return table
        }
    }

    static func isInteger(_ type: String) -> Bool {
        ["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT", "UHUGEINT"].contains(type)
    }

    private static func isMeasure(_ type: String) -> Bool {
        isInteger(type) || ["FLOAT", "DOUBLE", "DATE", "TIME", "BOOLEAN"].contains(type) || type.hasPrefix("DECIMAL") || type.hasPrefix("TIMESTAMP")
    }
}
