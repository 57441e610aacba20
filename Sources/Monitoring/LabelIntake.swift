import Crypto
import Foundation
import SlipwayCore
import SlipwayRuntime
import SlipwaySQL
import SlipwayStore

/// Ground truth that arrives after the answer, by the key the request carried.
extension MonitoringService {
    package static let labelBytesMax: Int64 = 1 << 30

    /// Takes a file of labels: CSV with a header, JSON records, or one record per line.
    ///
    /// Columns: `key` (or the project's own `monitoring.labels.key`), `label` (a number, or true and false), and `at` when the label became known, if
    /// the sender knows. The same key in a later file replaces the label; twice in one file it must say the same.
    /// - Returns: the batch, and false when the slot had exactly these bytes already.
    /// - Throws: `invalidArgument` with the first row that does not fit; nothing is kept then. `tooMuch` past a gibibyte.
    package func importLabels(
        _ slot: SlotName, bytes: some AsyncSequence<Data, any Error> & Sendable, by caller: Caller
    ) async throws -> (batch: LabelBatch, isNew: Bool) {
        try caller.requireSomebody()
        let watched = try await watched(slot)
        try caller.require(.importLabels, project: watched.slot.project, environment: environment)
        let incoming = directory.appending(path: "labels/incoming/\(UUID().uuidString)")
        try await offload { try FileManager.default.createDirectory(at: incoming, withIntermediateDirectories: true) }
        let result: Result<(batch: LabelBatch, isNew: Bool), any Error>
        do { result = .success(try await take(bytes, into: incoming, watched, by: caller)) } catch { result = .failure(error) }
        try await offload { try FileManager.default.removeItem(at: incoming) }
        return try result.get()
    }

    package func labelBatches(_ slot: SlotName, limit: Int, before: Int64?, by caller: Caller) async throws -> (batches: [LabelBatch], next: Int64?) {
        try caller.requireSomebody()
        let watched = try await watched(slot)
        try caller.require(.readMetadata, project: watched.slot.project, environment: environment)
        return try await realm.database.read { tx in try LabelStore(tx: tx).list(slot, limit: limit, before: before) }
    }

    private func take(
        _ bytes: some AsyncSequence<Data, any Error> & Sendable, into folder: URL, _ watched: Watched, by caller: Caller
    ) async throws -> (batch: LabelBatch, isNew: Bool) {
        let slot = watched.slot.name
        let sent = folder.appending(path: "sent")
        let received = try await receive(bytes, at: sent)
        if let known = try await realm.database.read({ tx in try LabelStore(tx: tx).batch(slot, digest: received.digest) }) { return (known, false) }
        guard received.size > 0 else { throw SlipwayError.invalid("The labels are empty.", remedy: "Send CSV with the header 'key,label', or JSON records.") }
        let now = clock.now
        let kept = folder.appending(path: "labels.parquet")
        let summary = try await convert(sent, to: kept, key: watched.monitoring.labels?.key, now: now, folder: folder)
        let id = newID()
        let file = "labels/\(slot.rawValue)/\(id).parquet"
        let place = directory.appending(path: file)
        try await offload {
            try FileManager.default.createDirectory(at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Self.move(kept, to: place)
        }
        let batch = LabelBatch(
            id: id, slot: slot, project: watched.slot.project, digest: received.digest, rows: summary.rows, sizeBytes: received.size, file: file,
            firstAt: summary.firstAt, lastAt: summary.lastAt, receivedAt: now, receivedBy: caller.principal.raw)
        let isNew = try await realm.database.write { tx in
            guard try LabelStore(tx: tx).insert(batch) else { return false }
            try AuditStore(tx: tx).append(
                "labels.import", subject: "slot:\(slot)", project: batch.project, by: caller.principal, at: now,
                details: ["batch": .string(id), "digest": .string(batch.digest.rawValue), "rows": .integer(batch.rows)])
            return true
        }
        if isNew { return (batch, true) }
        // The same bytes arrived twice at once: the other one's row stands.
        try await offload { try FileManager.default.removeItem(at: place) }
        guard let known = try await realm.database.read({ tx in try LabelStore(tx: tx).batch(slot, digest: received.digest) }) else {
            throw SlipwayError.fault("The label batch of \(received.digest) is neither new nor known.")
        }
        return (known, false)
    }

    private func receive(_ bytes: some AsyncSequence<Data, any Error> & Sendable, at file: URL) async throws -> (digest: ContentDigest, size: Int64) {
        let descriptor = open(file.path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw SlipwayError(.unavailable, "Labels cannot be written: \(String(cString: strerror(errno))).", remedy: "See that the disk has room.")
        }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        var hasher = SHA256()
        var size: Int64 = 0
        for try await piece in bytes {
            size += Int64(piece.count)
            guard size <= Self.labelBytesMax else {
                throw SlipwayError(.tooMuch, "The labels are larger than \(Self.labelBytesMax) bytes.", remedy: "Send them in several files.")
            }
            hasher.update(data: piece)
            try await offload { try handle.write(contentsOf: piece) }
        }
        try handle.close()
        return (ContentDigest(hasher.finalize()), size)
    }

    private struct LabelSummary: Sendable {
        var rows: Int64
        var firstAt: Timestamp?
        var lastAt: Timestamp?
    }

    private func convert(_ sent: URL, to kept: URL, key: String?, now: Timestamp, folder: URL) async throws -> LabelSummary {
        let format = try await offload { try LabelQuery.format(of: sent) }
        let rows: [DuckRow]
        do {
            rows = try await findDuckDB().rows(LabelQuery.sql(sent: sent, format: format, kept: kept, key: key, now: now), in: [folder])
        } catch let error as SlipwayError where error.code == .invalidArgument {
            throw SlipwayError.invalid("The labels cannot be read as \(format.rawValue). \(error.message)", remedy: LabelQuery.remedy(key))
        }
        guard let row = rows.first, let total = row.int("total"), let distinct = row.int("keys") else { throw SlipwayError.fault("DuckDB did not count the labels.") }
        func refuse(_ column: String, _ sentence: (Int64, String) -> String) throws {
            guard let count = row.int(column), count > 0 else { return }
            throw SlipwayError.invalid(sentence(count, row.text("\(column)_first").map { String($0.prefix(80)) } ?? ""), remedy: LabelQuery.remedy(key))
        }
        guard total > 0 else { throw SlipwayError.invalid("The labels hold no row.", remedy: LabelQuery.remedy(key)) }
        try refuse("keyless") { count, first in "\(count) of \(total) labels have no key, the first is row \(first)." }
        try refuse("unreadable") { count, first in "\(count) of \(total) labels are no number, the first has the key '\(first)'." }
        try refuse("untimed") { count, first in "\(count) of \(total) labels have an 'at' that is no time, the first has the key '\(first)'." }
        try refuse("contradictory") { count, first in "\(count) keys come with two different labels, the first is '\(first)'." }
        return LabelSummary(
            rows: distinct, firstAt: row.int("first_at").map(Timestamp.init(milliseconds:)), lastAt: row.int("last_at").map(Timestamp.init(milliseconds:)))
    }

    /// Flushes the file and puts it in its place; the row that names it comes afterwards.
    private static func move(_ file: URL, to place: URL) throws {
        for step in [file, place.deletingLastPathComponent()] {
            if step != file, rename(file.path, place.path) != 0 {
                throw SlipwayError(.unavailable, "Labels cannot be kept: \(String(cString: strerror(errno))).", remedy: "See that the disk has room.")
            }
            let descriptor = open(step.path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0, fsync(descriptor) == 0 else {
                throw SlipwayError(.unavailable, "Labels cannot be flushed: \(String(cString: strerror(errno))).", remedy: "See that the disk has room.")
            }
            close(descriptor)
        }
    }
}

/// The SQL that reads labels, whatever their shape, into one.
enum LabelQuery {
    enum Format: String { case csv = "CSV", json = "JSON" }

    /// Judged by the first byte that is no space: JSON begins with a bracket.
    static func format(of file: URL) throws -> Format {
        let handle = try FileHandle(forReadingFrom: file)
        defer { closeQuietly(handle) }
        let start = try handle.read(upToCount: 4096) ?? Data()
        let first = start.first { ![0x20, 0x09, 0x0A, 0x0D, 0xEF, 0xBB, 0xBF].contains($0) }
        return first == UInt8(ascii: "{") || first == UInt8(ascii: "[") ? .json : .csv
    }

    static func remedy(_ key: String?) -> String {
        "Send CSV with the header '\(key ?? "key"),label' (and 'at', if known), or JSON records with these names; each key once, each label a number."
    }

    static func sql(sent: URL, format: Format, kept: URL, key: String?, now: Timestamp) -> String {
        let file = DuckDB.literal(sent.path)
        let source =
            switch format {
            case .csv: "SELECT to_json(t) AS j FROM read_csv(\(file), header = true, all_varchar = true, strict_mode = true, max_line_size = 1048576) AS t"
            case .json: "SELECT json AS j FROM read_json_objects(\(file), format = 'auto', maximum_object_size = 1048576)"
            }
        let keys = [key].compactMap(\.self).filter { $0 != "key" } + ["key"]
        let read = keys.map { "json_extract_string(j, \(DuckDB.literal(TableSQL.pointer($0))))" }.joined(separator: ", ")
        return """
            CREATE TEMP TABLE raw AS
            SELECT row_number() OVER () AS line, nullif(trim(coalesce(\(read), '')), '') AS k,
                nullif(trim(json_extract_string(j, '/label')), '') AS y, nullif(trim(json_extract_string(j, '/at')), '') AS known
            FROM (\(source));
            CREATE TEMP TABLE label AS
            SELECT line, k, known IS NOT NULL AS timed, \(TableSQL.milliseconds("known")) AS at_ms,
                CASE lower(y) WHEN 'true' THEN 1.0 WHEN 'false' THEN 0.0
                    ELSE CASE WHEN isfinite(TRY_CAST(y AS DOUBLE)) THEN TRY_CAST(y AS DOUBLE) END END AS y
            FROM raw;
            COPY (
                SELECT k AS "key", min(y) AS label, CAST(\(now.milliseconds) AS BIGINT) AS arrived_ms FROM label
                WHERE k IS NOT NULL AND y IS NOT NULL GROUP BY k ORDER BY k
            ) TO \(DuckDB.literal(kept.path)) (FORMAT parquet);
            SELECT count(*) AS total, count(DISTINCT k) AS "keys",
                count(*) FILTER (k IS NULL) AS keyless, min(line) FILTER (k IS NULL) AS keyless_first,
                count(*) FILTER (y IS NULL) AS unreadable, arg_min(k, line) FILTER (y IS NULL) AS unreadable_first,
                count(*) FILTER (timed AND at_ms IS NULL) AS untimed, arg_min(k, line) FILTER (timed AND at_ms IS NULL) AS untimed_first,
                (SELECT count(*) FROM (SELECT k FROM label GROUP BY k HAVING min(y) <> max(y))) AS contradictory,
                (SELECT min(k) FROM (SELECT k FROM label GROUP BY k HAVING min(y) <> max(y))) AS contradictory_first,
                min(at_ms) AS first_at, max(at_ms) AS last_at
            FROM label
            """
    }

    private static func closeQuietly(_ handle: FileHandle) { try? handle.close() }  // it was read only
}

/// Pieces of SQL that several questions share.
enum TableSQL {
    /// A JSON pointer to a member of that name.
    static func pointer(_ name: String) -> String { "/" + name.replacing("~", with: "~0").replacing("/", with: "~1") }

    /// A text expression read as a time, in milliseconds: ISO 8601 (UTC when it names no zone), or seconds or milliseconds since 1970.
    static func milliseconds(_ text: String) -> String {
        """
        CASE WHEN TRY_CAST(\(text) AS DOUBLE) IS NULL THEN epoch_ms(TRY_CAST(\(text) AS TIMESTAMPTZ))
            WHEN abs(TRY_CAST(\(text) AS DOUBLE)) < 1e11 THEN CAST(round(TRY_CAST(\(text) AS DOUBLE) * 1000) AS BIGINT)
            WHEN abs(TRY_CAST(\(text) AS DOUBLE)) < 1e15 THEN CAST(round(TRY_CAST(\(text) AS DOUBLE)) AS BIGINT) END
        """
    }

    static func list(_ texts: [String]) -> String { "[" + texts.map(DuckDB.literal).joined(separator: ", ") + "]" }

    /// A number as SQL reads it back to the last bit.
    static func number(_ value: Double) -> String { "CAST('\(value)' AS DOUBLE)" }
}
