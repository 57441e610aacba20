import Foundation

/// The population stability index (PSI): how far a window's histogram is from the baseline's, over the same bins.
///
/// Conventions, the same everywhere in Slipway (docs/monitoring.md has worked examples):
/// bins are the baseline's deciles, right-closed, duplicates dropped; natural logarithm; a bin without rows counts half a
/// row; missing values (null and NaN) are left out of the index and judged by an index of their own (`ofMissing`).
package enum PopulationStability {
    /// - Parameters:
    ///   - baseline: rows per bin, at least one positive; zero bins get half a count.
    ///   - window: the same for the recent data.
    /// - Returns: nats, ≥ 0, symmetric; 0.1 and 0.25 are the customary "watch" and "act" marks, not tests of significance.
    /// - Throws: `invalidArgument` when the lengths differ, a count is negative or one side is empty.
    /// - Source: Siddiqi, Credit Risk Scorecards (2006), ch. 10 "population stability"; symmetric Kullback-Leibler divergence.
    package static func index(baseline: [Int64], window: [Int64]) throws -> Double {
        guard baseline.count == window.count else {
            throw SlipwayError.invalid("The baseline has \(baseline.count) bins and the window has \(window.count).")
        }
        let p = try shares(baseline)
        let q = try shares(window)
        return zip(p, q).reduce(0) { sum, pair in sum + (pair.1 - pair.0) * log(pair.1 / pair.0) }
    }

    /// The index over the two bins "missing" and "present": a column that starts to arrive empty is a change of its own.
    package static func ofMissing(baseline: (missing: Int64, present: Int64), window: (missing: Int64, present: Int64)) throws -> Double {
        try index(baseline: [baseline.missing, baseline.present], window: [window.missing, window.present])
    }

    /// What the index of two samples of *one* population is on average: sampling noise, not drift.
    /// - Source: Yurdakul, Statistical Properties of Population Stability Index (2018): index · nm/(n+m) is nearly χ² with bins − 1 degrees.
    package static func expectedByChance(bins: Int, baselineRows: Int64, windowRows: Int64) -> Double {
        guard baselineRows > 0, windowRows > 0 else { return .infinity }
        return Double(max(bins - 1, 0)) * (1 / Double(baselineRows) + 1 / Double(windowRows))
    }

    private static func shares(_ counts: [Int64]) throws -> [Double] {
        guard counts.allSatisfy({ $0 >= 0 }) else { throw SlipwayError.invalid("A histogram holds a negative count.") }
        guard counts.contains(where: { $0 > 0 }) else { throw SlipwayError.invalid("A histogram without rows has no shares.") }
        let adjusted = counts.map { $0 == 0 ? 0.5 : Double($0) }
        let total = adjusted.reduce(0, +)
        return adjusted.map { $0 / total }
    }
}

/// The bins of one feature, fixed by the baseline.
package enum FeatureBins: Sendable, Hashable, Codable {
    /// Inner edges, strictly ascending: bin i holds edge[i-1] < x ≤ edge[i]; the outer bins are open.
    case numeric(edges: [Double])
    /// The most frequent values; one more bin holds all others, also those never seen.
    case categories([String])

    package static let quantiles = 10
    /// Values with a bin of their own.
    package static let categoriesMax = 100

    package var count: Int {
        switch self {
        case .numeric(let edges): edges.count + 1
        case .categories(let values): values.count + 1
        }
    }

    /// Deciles as edges: duplicates of heavy values collapse, and an edge at the largest value would only make an empty bin.
    package static func edges(fromQuantiles quantiles: [Double], largest: Double) -> FeatureBins {
        var edges: [Double] = []
        for value in quantiles.sorted() where value.isFinite && value < largest && value != edges.last { edges.append(value) }
        return .numeric(edges: edges)
    }

    /// Rows per bin from how many rows lie above each edge.
    package static func counts(above: [Int64], present: Int64) -> [Int64] {
        let cumulative = [present] + above
        return cumulative.indices.map { cumulative[$0] - ($0 + 1 < cumulative.count ? cumulative[$0 + 1] : 0) }
    }

    /// Rows per bin from how often each value occurs.
    package static func counts(of values: [String: Int64], in categories: [String], present: Int64) -> [Int64] {
        let known = categories.map { values[$0] ?? 0 }
        return known + [max(0, present - known.reduce(0, +))]
    }
}

/// How predictions did against what happened.
package enum PredictionQuality {
    /// Area under the ROC curve by rank sums; ties count half.
    /// - Parameter groups: one entry per distinct score in ascending order, with how many rows of each class have it.
    /// - Returns: 0…1, or nil when one class is absent.
    /// - Source: Hanley and McNeil, Radiology 143 (1982): the area equals the Mann-Whitney statistic.
    package static func auc(_ groups: [(positives: Int64, negatives: Int64)]) -> Double? {
        var below = 0.0
        var wins = 0.0
        var positives = 0.0
        for group in groups {
            wins += Double(group.positives) * (below + Double(group.negatives) / 2)
            below += Double(group.negatives)
            positives += Double(group.positives)
        }
        return positives > 0 && below > 0 ? wins / (positives * below) : nil
    }

    /// Scores are kept this far from 0 and 1 before the logarithm, as scikit-learn does for doubles.
    package static let clip = 2.220446049250313e-16

    /// Mean negative log likelihood in nats.
    /// - Returns: nil without rows.
    package static func logLoss(_ rows: [(score: Double, label: Bool)]) -> Double? {
        guard !rows.isEmpty else { return nil }
        let sum = rows.reduce(0.0) { sum, row in
            let score = min(max(row.score, clip), 1 - clip)
            return sum - (row.label ? log(score) : log(1 - score))
        }
        return sum / Double(rows.count)
    }
}
