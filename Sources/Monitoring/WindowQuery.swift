import Foundation
import SlipwayCore
import SlipwayRuntime

/// Reads the captured requests of a window and counts them along a baseline's bins.
///
/// Two processes: the first picks the window's rows out of the capture segments (and drops lines that a crash cut short), the second
/// counts them. Between them it is known which release answered, so whose baseline is asked for.
struct WindowQuery {
    /// Capture segments.
    let segments: [URL]
    let from: Timestamp
    let to: Timestamp
    /// The request column that holds the event's time, nil for the request's arrival.
    let timeColumn: String?
    /// The request column that labels refer to, nil for the request's id.
    let keyColumn: String?
    let work: URL
    let duckdb: DuckDB

    struct Picked: Sendable {
        var rowsByRelease: [String: Int64]
        /// Rows of any time whose event time cannot be read.
        var untimed: Int64
        var rows: Int64 { rowsByRelease.values.reduce(0, +) }
        /// The release that answered most rows; the smaller id among equals.
        var release: ContentDigest? {
            rowsByRelease.max { ($0.value, $1.key) < ($1.value, $0.key) }.flatMap { ContentDigest(rawValue: $0.key) }
        }
    }

    private var window: URL { work.appending(path: "window.parquet") }

    /// Picks the window's rows into the work folder.
    func pick(folders: [URL]) async throws -> Picked {
        guard !segments.isEmpty else { return Picked(rowsByRelease: [:], untimed: 0) }
        let time = timeColumn.map { "json_extract_string(\"row\", \(DuckDB.literal(TableSQL.pointer($0))))" } ?? "\"at\""
        let sql = """
            CREATE TEMP TABLE w AS SELECT *, \(TableSQL.milliseconds("t")) AS event FROM (
                SELECT id, "at", "release", "row", prediction, \(time) AS t
                FROM read_ndjson(\(TableSQL.list(segments.map(\.path))), ignore_errors = true, maximum_object_size = 16777216,
                    columns = {id: 'VARCHAR', "at": 'VARCHAR', "release": 'VARCHAR', "row": 'JSON', prediction: 'JSON'})
                WHERE "release" IS NOT NULL AND json_type("row") = 'OBJECT'
            );
            COPY (SELECT id, "at", "release", "row", prediction FROM w WHERE event >= \(from.milliseconds) AND event < \(to.milliseconds))
                TO \(DuckDB.literal(window.path)) (FORMAT parquet);
            SELECT "release" AS rel, count(*) FILTER (event >= \(from.milliseconds) AND event < \(to.milliseconds)) AS n,
                count(*) FILTER (event IS NULL) AS untimed
            FROM w GROUP BY "release"
            """
        let rows = try await duckdb.rows(sql, in: [work] + folders)
        var picked = Picked(rowsByRelease: [:], untimed: 0)
        for row in rows {
            picked.untimed += row.int("untimed") ?? 0
            if let release = row.text("rel"), let count = row.int("n"), count > 0 { picked.rowsByRelease[release] = count }
        }
        return picked
    }

    struct Counted: Sendable {
        /// In the order of the profiles that were asked about.
        var counts: [[Int64]]
        var missing: [Int64]
        /// Answers of the release, one per key, and how many of them have a label and a readable prediction.
        var answers: Int64
        var labelled: Int64
        var metrics: [String: Double]
    }

    /// Counts what was picked.
    /// - Parameters:
    ///   - profiles: the baseline's features, and its prediction under `BaselineProfile.predictionColumn` last when there is one.
    ///   - release: whose answers the quality is about.
    ///   - labels: Parquet files, a later one wins.
    func count(
        _ features: [FeatureProfile], prediction: FeatureProfile?, release: ContentDigest, labels: [URL], folders: [URL]
    ) async throws -> Counted {
        let profiles = features + [prediction].compactMap(\.self)
        let answers = try await duckdb.answers(
            table(features) + counting(profiles, features: features.count) + labelling(release, labels), in: [work] + folders)
        guard answers.count == 4, let head = answers[0].first else { throw SlipwayError.fault("DuckDB answered \(answers.count) of 4 questions about a window.") }
        let total = head.int("n") ?? 0
        var counts: [[Int64]] = []
        var missing: [Int64] = []
        for (index, profile) in profiles.enumerated() {
            let present = head.int("n\(index)") ?? 0
            missing.append(total - present)
            switch profile.bins {
            case .numeric: counts.append(FeatureBins.counts(above: (head["a\(index)"].array ?? []).compactMap(\.int), present: present))
            case .categories(let names):
                let found = answers[1].filter { $0.int("i") == Int64(index) }
                    .compactMap { row in row.text("v").map { ($0, row.int("n") ?? 0) } }
                counts.append(FeatureBins.counts(of: Dictionary(found) { first, _ in first }, in: names, present: present))
            }
        }
        return Counted(
            counts: counts, missing: missing, answers: answers[2].first?.int("answers") ?? 0, labelled: answers[3].first?.int("scored") ?? 0,
            metrics: TableSQL.metrics(answers[3].first))
    }

    /// The window as columns: `c0…` features, `p` the prediction, `k` the key.
    private func table(_ features: [FeatureProfile]) -> String {
        let pointers = TableSQL.list(features.map { TableSQL.pointer($0.name) } + [keyColumn].compactMap { $0.map(TableSQL.pointer) })
        let columns = features.enumerated().map { index, profile in
            guard case .numeric = profile.bins else { return "x[\(index + 1)] AS c\(index)" }
            let value = "TRY_CAST(x[\(index + 1)] AS DOUBLE)"
            return "CASE WHEN isnan(\(value)) THEN NULL ELSE \(value) END AS c\(index)"
        }
        let key = keyColumn == nil ? "id" : "x[\(features.count + 1)]"
        // A model answers with a number, with one number per class (the last is the positive one's), or with a named one.
        let prediction = """
            TRY_CAST(CASE json_type(prediction) WHEN 'ARRAY' THEN prediction ->> '$[#-1]'
                WHEN 'OBJECT' THEN coalesce(prediction ->> '/probability', prediction ->> '/prediction') ELSE prediction ->> '$' END AS DOUBLE)
            """
        return """
            CREATE TEMP TABLE w AS
            SELECT \((columns + ["\(key) AS k", "CASE WHEN isnan(pr) THEN NULL ELSE pr END AS p"]).joined(separator: ", ")), "at", "release", seq
            FROM (
                SELECT id, "at", "release", json_extract_string("row", \(pointers)) AS x, \(prediction) AS pr, row_number() OVER () AS seq
                FROM read_parquet(\(DuckDB.literal(window.path)))
            );

            """
    }

    private func counting(_ profiles: [FeatureProfile], features: Int) -> String {
        func column(_ index: Int) -> String { index < features ? "c\(index)" : "p" }
        var wide = ["count(*) AS n"]
        var long: [String] = []
        for (index, profile) in profiles.enumerated() {
            wide.append("count(\(column(index))) AS n\(index)")
            switch profile.bins {
            case .numeric(let edges):
                if !edges.isEmpty { wide.append("\(TableSQL.countsAbove(column(index), edges)) AS a\(index)") }
            case .categories(let names):
                long.append(
                    "SELECT \(index) AS i, \(column(index)) AS v, count(*) AS n FROM w WHERE \(column(index)) IN (\(names.isEmpty ? "NULL" : names.map(DuckDB.literal).joined(separator: ", "))) GROUP BY 2"
                )
            }
        }
        return "SELECT \(wide.joined(separator: ", ")) FROM w;\n" + (long.isEmpty ? "SELECT 1 WHERE false" : long.joined(separator: " UNION ALL ")) + ";\n"
    }

    /// Each answer of the release once per key (the last one), with the newest label of that key.
    private func labelling(_ release: ContentDigest, _ labels: [URL]) -> String {
        let known =
            labels.isEmpty
            ? "SELECT CAST(NULL AS VARCHAR) AS k, CAST(NULL AS DOUBLE) AS y WHERE false"
            : "SELECT \"key\" AS k, arg_max(label, arrived_ms) AS y FROM read_parquet(\(TableSQL.list(labels.map(\.path)))) GROUP BY \"key\""
        return """
            CREATE TEMP TABLE a AS
            SELECT k, arg_max(p, seq) AS p FROM (SELECT k, p, seq FROM w WHERE "release" = \(DuckDB.literal(release.rawValue)) AND k IS NOT NULL) GROUP BY k;
            CREATE TEMP TABLE q AS SELECT a.p, l.y FROM a JOIN (\(known)) AS l ON l.k = a.k;
            SELECT count(*) AS answers FROM a;
            \(TableSQL.quality("q"));
            """
    }
}
