/// A data version: immutable, digested, belongs to one environment. Its bytes are the `FileManifest` behind `manifestDigest`.
package struct DataSnapshot: Sendable, Hashable, Codable {
    /// Where a refreshed snapshot's rows came from. Nil fields of an imported one.
    package struct Lineage: Sendable, Hashable, Codable {
        package var environment: EnvironmentID
        package var snapshot: String
        package var recipe: ContentDigest
        package init(environment: EnvironmentID, snapshot: String, recipe: ContentDigest) {
            self.environment = environment; self.snapshot = snapshot; self.recipe = recipe
        }
    }

    /// 12 hexadecimal digits.
    package var id: String
    package var dataset: String
    package var project: ProjectName
    package var manifestDigest: ContentDigest
    package var sizeBytes: Int64
    package var fileCount: Int
    package var createdAt: Timestamp
    /// `Principal.raw`
    package var createdBy: String
    package var expiresAt: Timestamp?
    package var removedAt: Timestamp?
    package var label: String?
    package var lineage: Lineage?
    /// What its tables hold; empty for plain files.
    package var tables: [DataTable]
    /// The newest outcome; older ones stay in the store.
    package var checks: CheckOutcome
    package var tags: [String]

    package init(
        id: String, dataset: String, project: ProjectName, manifestDigest: ContentDigest, sizeBytes: Int64, fileCount: Int, createdAt: Timestamp,
        createdBy: String, expiresAt: Timestamp? = nil, removedAt: Timestamp? = nil, label: String? = nil, lineage: Lineage? = nil,
        tables: [DataTable] = [], checks: CheckOutcome = CheckOutcome(), tags: [String] = []
    ) {
        self.id = id; self.dataset = dataset; self.project = project; self.manifestDigest = manifestDigest; self.sizeBytes = sizeBytes
        self.fileCount = fileCount; self.createdAt = createdAt; self.createdBy = createdBy; self.expiresAt = expiresAt; self.removedAt = removedAt
        self.label = label; self.lineage = lineage; self.tables = tables; self.checks = checks; self.tags = tags
    }
}

/// One table of a snapshot: files with the same columns are its parts.
package struct DataTable: Sendable, Hashable, Codable {
    package struct Column: Sendable, Hashable, Codable {
        package var name: String
        /// DuckDB's name of the type, such as `BIGINT`.
        package var type: String
        /// Share of rows without a value, 0…1.
        package var nulls: Double?
        /// About how many different values.
        package var distinct: Int64?
        package var min: String?
        package var max: String?
        package init(name: String, type: String, nulls: Double? = nil, distinct: Int64? = nil, min: String? = nil, max: String? = nil) {
            self.name = name; self.type = type; self.nulls = nulls; self.distinct = distinct; self.min = min; self.max = max
        }
    }

    package var name: String
    /// Paths in the manifest.
    package var files: [String]
    package var rows: Int64
    package var columns: [Column]
    package init(name: String, files: [String], rows: Int64, columns: [Column]) {
        self.name = name; self.files = files; self.rows = rows; self.columns = columns
    }
}

/// What the data checks of a project said of a snapshot.
package struct CheckOutcome: Sendable, Hashable, Codable {
    package enum Verdict: String, Sendable, Hashable, Codable, CaseIterable {
        /// No checks are declared, or they were not asked yet.
        case none
        case passed
        /// Only checks of severity `warn` do not hold.
        case warned
        /// A check of severity `enforce` does not hold.
        case failed
        /// The checks could not run (their file, DuckDB).
        case errored
    }

    package struct Result: Sendable, Hashable, Codable {
        package enum Severity: String, Sendable, Hashable, Codable, CaseIterable { case enforce, warn }
        package var name: String
        package var severity: Severity
        package var holds: Bool
        /// Says the expected and the found: `nulls of 'tailnum': 3.2 % (at most 1 %)`.
        package var message: String
        /// Rows that break the check, a few; as sensitive as the data itself.
        package var sample: [JSONValue]
        package init(name: String, severity: Severity, holds: Bool, message: String, sample: [JSONValue] = []) {
            self.name = name; self.severity = severity; self.holds = holds; self.message = message; self.sample = sample
        }
    }

    package var verdict: Verdict
    package var at: Timestamp?
    /// Of the checks file's text.
    package var checksDigest: ContentDigest?
    package var results: [Result]
    /// Why nothing could be said, for `errored`.
    package var message: String?

    package init(verdict: Verdict = .none, at: Timestamp? = nil, checksDigest: ContentDigest? = nil, results: [Result] = [], message: String? = nil) {
        self.verdict = verdict; self.at = at; self.checksDigest = checksDigest; self.results = results; self.message = message
    }

    /// The verdict that follows from results.
    package init(results: [Result], at: Timestamp, checksDigest: ContentDigest) {
        let broken = results.filter { !$0.holds }
        let verdict: Verdict = broken.contains { $0.severity == .enforce } ? .failed : broken.isEmpty ? .passed : .warned
        self.init(verdict: verdict, at: at, checksDigest: checksDigest, results: results)
    }

    /// Whether work may stand on the snapshot: nothing enforced is broken.
    package var isUsable: Bool { verdict != .failed }
}

/// Which snapshot is meant: `[environment/]dataset[@tag | @id prefix | @latest]`.
package struct SnapshotReference: Sendable, Hashable, CustomStringConvertible {
    package var environment: EnvironmentID?
    package var dataset: String
    /// Nil for the latest.
    package var version: String?

    package init(environment: EnvironmentID? = nil, dataset: String, version: String? = nil) {
        self.environment = environment; self.dataset = dataset; self.version = version
    }

    /// - Throws: `invalidArgument` that says the form.
    package init(parsing text: String) throws {
        let form = "Write dataset, dataset@tag, dataset@id or environment/dataset@latest."
        let halves = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let path = halves[0].split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard (1...2).contains(path.count), halves.count == 1 || !halves[1].isEmpty else {
            throw SlipwayError.invalid("'\(text.prefix(80))' names no snapshot.", remedy: form)
        }
        environment = path.count == 2 ? try EnvironmentID(parsing: path[0]) : nil
        dataset = try DatasetName.checked(path[path.count - 1])
        version = halves.count == 2 && halves[1] != Self.latest ? halves[1] : nil
        if let version { guard version.utf8.count <= 64 else { throw SlipwayError.invalid("'\(version.prefix(80))' is no tag and no id.", remedy: form) } }
    }

    package static let latest = "latest"
    package var description: String { (environment.map { "\($0.rawValue)/" } ?? "") + dataset + "@" + (version ?? Self.latest) }
}

package enum DatasetName {
    /// Words of addresses that no dataset may take.
    private static let taken: Set<String> = ["blobs", "missing"]

    /// - Throws: `invalidArgument` unless the name is safe as a folder and as a part of a variable's name.
    package static func checked(_ name: String) throws -> String {
        let bytes = Array(name.utf8)
        let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        guard (1...63).contains(bytes.count), letters.contains(bytes[0]), !taken.contains(name),
            bytes.allSatisfy({ letters.contains($0) || digits.contains($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") })
        else {
            throw SlipwayError.invalid(
                "'\(name.prefix(80))' is not a dataset name.", remedy: "Use 1 to 63 lower-case letters, digits, '-' and '_', starting with a letter.")
        }
        return name
    }
}

package enum SnapshotTag {
    /// - Throws: `invalidArgument` for a name that is no tag.
    package static func checked(_ tag: String) throws -> String {
        let allowed = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-".utf8)
        guard (1...64).contains(tag.utf8.count), tag.utf8.allSatisfy(allowed.contains), tag != SnapshotReference.latest, !tag.hasPrefix("-") else {
            throw SlipwayError.invalid(
                "'\(tag.prefix(80))' is not a tag.", remedy: "Use 1 to 64 letters, digits, '.', '_' and '-', such as 2013-03; 'latest' is taken.")
        }
        return tag
    }
}
