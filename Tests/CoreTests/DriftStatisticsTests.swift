import Foundation
import SlipwayCore
import SlipwayTestSupport
import Testing

/// The literals come from numpy and scikit-learn:
///
///     def psi(a, b):
///         a = np.where(np.array(a) == 0, .5, a); b = np.where(np.array(b) == 0, .5, b)
///         p, q = a / a.sum(), b / b.sum(); return ((q - p) * np.log(q / p)).sum()
///     y = [0,0,1,1,0,1,1,0,1,0]; s = [.1,.4,.35,.8,.4,.4,.9,.2,.7,.35]
///     roc_auc_score(y, s), log_loss(y, s)
@Suite("Drift statistics")
struct DriftStatisticsTests {
    @Test(
        "the index of the worked examples of docs/monitoring.md",
        arguments: [
            ([100, 100, 100, 100, 100, 100, 100, 100, 100, 100], [80, 90, 100, 110, 120, 100, 100, 100, 100, 100], 0.0101160091167848),
            ([50, 50], [90, 10], 0.8788898309344878),
            ([10, 0, 90], [0, 10, 90], 0.5663573452490132),
        ] as [([Int64], [Int64], Double)])
    func workedExamples(baseline: [Int64], window: [Int64], expected: Double) throws {
        #expect(abs(try PopulationStability.index(baseline: baseline, window: window) - expected) < 1e-12)
    }

    @Test("missing values have an index of their own")
    func missing() throws {
        let index = try PopulationStability.ofMissing(baseline: (missing: 0, present: 1000), window: (missing: 37, present: 963))
        #expect(abs(index - 0.15847557895345904) < 1e-12)
    }

    @Test("the index is never negative, nothing on itself, the same both ways, and does not see how large a sample is")
    func properties() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let bins = Int.random(in: 1...20, using: &random)
            let a = (0..<bins).map { _ in Int64.random(in: 0...1000, using: &random) } + [1]
            let b = (0..<bins).map { _ in Int64.random(in: 0...1000, using: &random) } + [1]
            let index = try PopulationStability.index(baseline: a, window: b)
            #expect(index >= 0, "seed \(seed)")
            #expect(abs(index - (try PopulationStability.index(baseline: b, window: a))) < 1e-12, "seed \(seed)")
            #expect(try PopulationStability.index(baseline: a, window: a) == 0, "seed \(seed)")
            let full = a.map { $0 + 1 }
            #expect(abs(try PopulationStability.index(baseline: full, window: full.map { $0 * 7 })) < 1e-12, "seed \(seed)")
        }
    }

    @Test("histograms that cannot be compared are refused", arguments: [([1, 2], [1]), ([0, 0], [1, 1]), ([1, 1], [0, 0]), ([1, -1], [1, 1])] as [([Int64], [Int64])])
    func refused(baseline: [Int64], window: [Int64]) {
        #expect(throws: SlipwayError.self) { try PopulationStability.index(baseline: baseline, window: window) }
    }

    @Test("two samples of one population stay out of the bands, however few rows they have")
    func chance() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        var crossings = 0
        var withoutTheRule = 0
        for _ in 0..<1000 {
            let rows = Int.random(in: 50...300, using: &random)
            var counts = [Int64](repeating: 0, count: 10)
            for _ in 0..<rows { counts[Int.random(in: 0..<10, using: &random)] += 1 }
            let profile = FeatureProfile(name: "x", bins: .numeric(edges: (1...9).map(Double.init)), counts: .init(repeating: 1000, count: 10), missing: 0)
            let drift = try DriftRules.compare(profile, counts: counts, missing: 0, watch: 0.1, act: 0.25)
            if drift.band >= .watch { crossings += 1 }
            if drift.psi! >= 0.1 { withoutTheRule += 1 }
        }
        // χ² with 9 degrees exceeds twice its mean in 3.5 % of large samples, a little more in small ones.
        #expect(crossings < 100 && crossings * 2 < withoutTheRule, "seed \(seed): \(crossings) of 1000, \(withoutTheRule) without the rule")
    }

    @Test("edges are deciles without duplicates and below the largest value")
    func edges() {
        #expect(FeatureBins.edges(fromQuantiles: [0, 0, 0, 1, 2, 2, 3, 5, 5], largest: 5) == .numeric(edges: [0, 1, 2, 3]))
        #expect(FeatureBins.edges(fromQuantiles: [.nan, 1, .infinity], largest: .infinity) == .numeric(edges: [1]))
        #expect(FeatureBins.edges(fromQuantiles: [4, 4, 4], largest: 4).count == 1)
    }

    @Test("rows above each edge become rows per bin, and unknown values the last one")
    func counts() {
        #expect(FeatureBins.counts(above: [70, 30, 5], present: 100) == [30, 40, 25, 5])
        #expect(FeatureBins.counts(above: [], present: 9) == [9])
        #expect(FeatureBins.counts(of: ["a": 3, "z": 9], in: ["a", "b"], present: 12) == [3, 0, 9])
    }

    @Test("AUC with ties and log loss are scikit-learn's")
    func quality() {
        let labels = [false, false, true, true, false, true, true, false, true, false]
        let scores = [0.1, 0.4, 0.35, 0.8, 0.4, 0.4, 0.9, 0.2, 0.7, 0.35]
        let rows = Array(zip(scores, labels)).map { (score: $0, label: $1) }
        let groups = Set(scores).sorted().map { score in
            (positives: Int64(rows.count { $0.score == score && $0.label }), negatives: Int64(rows.count { $0.score == score && !$0.label }))
        }
        #expect(abs(PredictionQuality.auc(groups)! - 0.86) < 1e-12)
        #expect(abs(PredictionQuality.logLoss(rows)! - 0.44322300978800727) < 1e-12)
        #expect(abs(PredictionQuality.logLoss([(0, true), (1, false)])! - 36.04365338911715) < 1e-9)
        #expect(PredictionQuality.auc([(positives: 3, negatives: 0)]) == nil)
        #expect(PredictionQuality.logLoss([]) == nil)
    }

    // MARK: Judging

    private func feature(_ name: String, psi: Double, band: DriftVerdict) -> FeatureDrift {
        FeatureDrift(
            name: name, psi: psi, psiMissing: 0, expectedByChance: 0, band: band, missingShare: 0, missingShareBaseline: 0, bins: .numeric(edges: []),
            counts: [], baselineCounts: [])
    }

    @Test("the weightiest feature gives the verdict and the first reason")
    func verdict() {
        let judged = DriftRules.judge(
            features: [feature("a", psi: 0.15, band: .watch), feature("b", psi: 0.01, band: .ok), feature("c", psi: 3, band: .act)], prediction: nil,
            quality: nil, conditions: [], coverage: 0.8)
        #expect(judged.verdict == .act)
        #expect(judged.reasons == ["Feature 'c' moved: PSI 3.000.", "Feature 'a' moved: PSI 0.150."])
    }

    @Test("quality is judged once enough labels are there, and decay alone asks for action")
    func decay() throws {
        let condition = try Condition(bound: ">= 0.62", on: "auc")
        var quality = WindowQuality(rows: 100, labelled: 79, metrics: ["auc": 0.5], baseline: ["auc": 0.75])
        func judge() -> DriftRules.Judgement {
            DriftRules.judge(features: [feature("a", psi: 0, band: .ok)], prediction: nil, quality: quality, conditions: [condition], coverage: 0.8)
        }
        #expect(judge().verdict == .ok)
        #expect(judge().reasons == ["Quality is not judged yet: 79 % of the answers have a label, 80 % are wanted."])
        quality.labelled = 80
        #expect(judge().verdict == .act)
        #expect(judge().reasons == ["Quality: metrics.auc >= 0.62 does not hold: auc = 0.5. In training auc = 0.750."])
        quality.metrics = ["auc": 0.62]
        #expect(judge().verdict == .ok && judge().reasons.isEmpty)
    }

    @Test("one crossing starts one retraining: an open one and the cool-down hold the next back")
    func coolDown() throws {
        let end = try Timestamp(parsing: "2013-05-01")
        var last = DriftRetraining(
            id: "r1", slot: SlotName(unchecked: "s"), project: ProjectName(unchecked: "p"), report: "x", windowEnd: end, environment: .stage, reason: "",
            state: .started, createdAt: end, updatedAt: end)
        let month = end + .seconds(31 * 86_400)
        #expect(DriftRules.holdsBack(windowEnd: month, last: nil) == nil)
        #expect(DriftRules.holdsBack(windowEnd: month, last: last)?.contains("still under way") == true)
        last.state = .requested
        #expect(DriftRules.holdsBack(windowEnd: month, last: last) == nil)
        #expect(DriftRules.holdsBack(windowEnd: end + .seconds(86_400), last: last) != nil)
        #expect(DriftRules.holdsBack(windowEnd: end - .seconds(86_400), last: last) != nil)
        #expect(DriftRules.holdsBack(windowEnd: end + DriftRules.coolDown, last: last) == nil)
    }

    @Test(
        "the last whole period before a moment",
        arguments: [
            ("hour", "2026-11-24T13:00:00Z", "2026-11-24T14:00:00Z"), ("day", "2026-11-23", "2026-11-24"), ("week", "2026-11-16", "2026-11-23"),
            ("month", "2026-10-01", "2026-11-01"), ("quarter", "2026-07-01", "2026-10-01"), ("6h", "2026-11-24T06:00:00Z", "2026-11-24T12:00:00Z"),
        ])
    func windows(every: String, from: String, to: String) throws {
        let window = try DriftRules.lastWindow(before: Timestamp(parsing: "2026-11-24T14:20:00Z"), every: every)
        #expect(window.from.iso8601 == (try Timestamp(parsing: from)).iso8601)
        #expect(window.to.iso8601 == (try Timestamp(parsing: to)).iso8601)
        #expect(throws: SlipwayError.self) { try DriftRules.lastWindow(before: Timestamp(milliseconds: 0), every: "fortnight") }
    }
}
