import Foundation
import SlipwayCore
import SlipwayRuntime

/// Counts a table of training rows into a profile: columns, then quantiles and frequent values, then rows per bin.
struct BaselineQuery {
    /// How the table's files are written.
    enum Format { case parquet, csv }

    let files: [URL]
    let format: Format
    /// What the statements may read.
    let folders: [URL]
    let duckdb: DuckDB

    private var table: String {
        let paths = TableSQL.list(files.map(\.path))
        return switch format {
        case .parquet: "read_parquet(\(paths), union_by_name = true)"
        case .csv: "read_csv(\(paths), header = true, union_by_name = true)"
        }
    }

    private enum Kind { case numeric, category }

    /// - Parameter wanted: the model's input columns; nil takes every column that is no prediction and no label.
    func profile(source: BaselineProfile.Source, digest: ContentDigest, wanted: [String]?) async throws -> BaselineProfile {
        let columns = try await duckdb.rows("SELECT column_name AS name, column_type AS type FROM (DESCRIBE SELECT * FROM \(table))", in: folders)
            .compactMap { row in row.text("name").flatMap { name in row.text("type").map { (name: name, type: $0) } } }
        let types = Dictionary(columns.map { ($0.name, $0.type) }) { first, _ in first }
        let special: Set = [BaselineProfile.predictionColumn, BaselineProfile.labelColumn]
        var skipped: [String: String] = [:]
        var kept: [(name: String, kind: Kind)] = []
        for name in wanted ?? columns.map(\.name).filter({ !special.contains($0) }) {
            guard let type = types[name] else { skipped[name] = "The baseline has no such column."; continue }
            switch Self.kind(of: type) {
            case let kind?: kept.append((name, kind))
            case nil: skipped[name] = "A column of type \(type) is not compared."
            }
        }
        var scored = kept
        let hasPrediction = source == .artifact && types[BaselineProfile.predictionColumn].flatMap(Self.kind) == .numeric
        if hasPrediction { scored.append((BaselineProfile.predictionColumn, .numeric)) }
        guard !scored.isEmpty else {
            throw SlipwayError.invalid(
                "The baseline shares no column with the model's inputs.", remedy: "Log '\(BaselineProfile.artifactPath)' with the model's input columns (docs/monitoring.md).")
        }
        let (rows, profiles) = try await features(scored, skipped: &skipped)
        let prediction = hasPrediction ? profiles.last { $0.name == BaselineProfile.predictionColumn } : nil
        let features = hasPrediction ? profiles.filter { $0.name != BaselineProfile.predictionColumn } : profiles
        let hasLabel = types[BaselineProfile.labelColumn].map { Self.kind(of: $0) == .numeric || $0 == "BOOLEAN" } ?? false
        return BaselineProfile(
            source: source, sourceDigest: digest, rows: rows, features: features, skipped: skipped, prediction: prediction,
            quality: hasPrediction && hasLabel ? try await quality() : [:])
    }

    private static func kind(of type: String) -> Kind? {
        let numeric: Set = ["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE"]
        if numeric.contains(type) || type.hasPrefix("DECIMAL(") { return .numeric }
        return type == "VARCHAR" || type == "BOOLEAN" || type.hasPrefix("ENUM(") ? .category : nil
    }

    private func features(_ columns: [(name: String, kind: Kind)], skipped: inout [String: String]) async throws -> (Int64, [FeatureProfile]) {
        let numeric = columns.indices.filter { columns[$0].kind == .numeric }
        let views = columns.indices.map { index in
            let name = DuckDB.identifier(columns[index].name)
            guard columns[index].kind == .numeric else { return "CAST(\(name) AS VARCHAR) AS c\(index)" }
            let value = "CAST(\(name) AS DOUBLE)"
            return "CASE WHEN isnan(\(value)) THEN NULL ELSE \(value) END AS c\(index)"
        }
        let work = "CREATE TEMP TABLE b AS SELECT \(views.joined(separator: ", ")) FROM \(table);\n"
        let steps = (1..<FeatureBins.quantiles).map { "\(Double($0) / Double(FeatureBins.quantiles))" }.joined(separator: ", ")
        let summary =
            ["count(*) AS n"] + columns.indices.map { "count(c\($0)) AS n\($0)" }
            + numeric.flatMap { ["quantile_cont(c\($0), [\(steps)]) FILTER (isfinite(c\($0))) AS q\($0)", "max(c\($0)) AS m\($0)"] }
            + columns.indices.filter { columns[$0].kind == .category }.map { "count(DISTINCT c\($0)) AS d\($0)" }
        let frequent = columns.indices.filter { columns[$0].kind == .category }.map {
            "SELECT \($0) AS i, c\($0) AS v, count(*) AS n FROM b WHERE c\($0) IS NOT NULL GROUP BY c\($0) ORDER BY n DESC, v LIMIT \(FeatureBins.categoriesMax)"
        }.map { "SELECT * FROM (\($0))" }.joined(separator: " UNION ALL ")
        let answers = try await duckdb.answers(
            work + "SELECT \(summary.joined(separator: ", ")) FROM b;\n" + (frequent.isEmpty ? "" : frequent + ";\n"), in: folders)
        guard let head = answers.first?.first, let rows = head.int("n") else { throw SlipwayError.fault("DuckDB did not count the baseline.") }
        guard rows > 0 else { throw SlipwayError.invalid("The baseline holds no row.") }

        var bins: [Int: FeatureBins] = [:]
        var counts: [Int: [Int64]] = [:]
        for index in columns.indices {
            let name = columns[index].name
            let present = head.int("n\(index)") ?? 0
            if present == 0 { skipped[name] = "The baseline's column is empty."; continue }
            if columns[index].kind == .numeric {
                let quantiles = (head["q\(index)"].array ?? []).compactMap(\.double)
                bins[index] = FeatureBins.edges(fromQuantiles: quantiles, largest: head.double("m\(index)") ?? .infinity)
            } else if let distinct = head.int("d\(index)"), distinct > FeatureBins.categoriesMax, distinct * 2 > present {
                skipped[name] = "More than half of its values are distinct: it names rows, it does not describe them."
            } else {
                let values = (answers.count > 1 ? answers[1] : []).filter { $0.int("i") == Int64(index) }
                let names = values.compactMap { $0.text("v") }
                bins[index] = .categories(names)
                counts[index] = FeatureBins.counts(
                    of: Dictionary(values.compactMap { row in row.text("v").map { ($0, row.int("n") ?? 0) } }) { first, _ in first }, in: names, present: present)
            }
        }
        for (index, found) in try await countsPerBin(bins, after: work) { counts[index] = FeatureBins.counts(above: found, present: head.int("n\(index)") ?? 0) }
        let profiles = columns.indices.compactMap { index -> FeatureProfile? in
            guard let bins = bins[index], let counts = counts[index] else { return nil }
            return FeatureProfile(name: columns[index].name, bins: bins, counts: counts, missing: rows - (head.int("n\(index)") ?? 0))
        }
        return (rows, profiles)
    }

    private func countsPerBin(_ bins: [Int: FeatureBins], after work: String) async throws -> [Int: [Int64]] {
        let edges = bins.compactMapValues { if case .numeric(let edges) = $0 { edges } else { nil } }
        guard !edges.isEmpty else { return [:] }
        let selections = edges.sorted { $0.key < $1.key }.map { index, edges in "\(TableSQL.countsAbove("c\(index)", edges)) AS a\(index)" }
        guard let row = try await duckdb.rows(work + "SELECT \(selections.joined(separator: ", ")) FROM b", in: folders).first else {
            throw SlipwayError.fault("DuckDB did not count the baseline's bins.")
        }
        return Dictionary(uniqueKeysWithValues: edges.keys.map { ($0, (row["a\($0)"].array ?? []).compactMap(\.int)) })
    }

    private func quality() async throws -> [String: Double] {
        let columns = "CAST(\(BaselineProfile.predictionColumn) AS DOUBLE) AS p, CAST(\(BaselineProfile.labelColumn) AS DOUBLE) AS y"
        let sql = "CREATE TEMP TABLE q AS SELECT \(columns) FROM \(table);\n" + TableSQL.quality("q")
        return TableSQL.metrics(try await duckdb.rows(sql, in: folders).first)
    }
}

extension TableSQL {
    /// How many values lie above each edge, as a list; empty for no edges.
    static func countsAbove(_ column: String, _ edges: [Double]) -> String {
        "[" + edges.map { "count(*) FILTER (\(column) > \(number($0)))" }.joined(separator: ", ") + "]"
    }

    /// Quality over a table with columns `p` (prediction) and `y` (label): one row.
    ///
    /// AUC by rank sums over distinct scores (ties half), log loss with `PredictionQuality.clip`; both only where every label is 0 or 1,
    /// log loss also only where every prediction is a probability.
    static func quality(_ table: String) -> String {
        let clipped = "least(greatest(p, \(number(PredictionQuality.clip))), \(number(1 - PredictionQuality.clip)))"
        return """
            WITH s AS (SELECT p, y FROM \(table) WHERE isfinite(p) AND isfinite(y)),
            g AS (SELECT p, count(*) FILTER (y = 1) AS pos, count(*) FILTER (y <> 1) AS neg FROM s GROUP BY p),
            r AS (SELECT pos, neg, sum(neg) OVER (ORDER BY p) - neg AS below FROM g),
            a AS (
                SELECT sum(CAST(pos AS DOUBLE) * (below + neg / 2.0)) AS wins, CAST(sum(pos) AS DOUBLE) AS pos, CAST(sum(neg) AS DOUBLE) AS neg FROM r
            ),
            m AS (
                SELECT count(*) AS scored, bool_and(y IN (0, 1)) AS binary_labels, bool_and(p BETWEEN 0 AND 1) AS probabilities,
                    avg(p) AS mean_prediction, avg(y) AS base_rate, sqrt(avg((p - y) * (p - y))) AS rmse, avg(abs(p - y)) AS mae,
                    -avg(CASE WHEN y = 1 THEN ln(\(clipped)) ELSE ln(1 - \(clipped)) END) AS log_loss
                FROM s
            )
            SELECT scored, mean_prediction, base_rate, rmse, mae,
                CASE WHEN binary_labels AND probabilities THEN log_loss END AS log_loss,
                CASE WHEN binary_labels AND pos > 0 AND neg > 0 THEN wins / (pos * neg) END AS auc
            FROM m, a
            """
    }

    /// The metrics of a row that `quality` answered with.
    static func metrics(_ row: DuckRow?) -> [String: Double] {
        guard let row else { return [:] }
        return ["auc", "log_loss", "mean_prediction", "base_rate", "rmse", "mae"].reduce(into: [:]) { metrics, name in
            if let value = row.double(name), value.isFinite { metrics[name] = value }
        }
    }
}
