import Monitoring
import SlipwayCore
import SlipwayWire

extension WireLabelBatch {
    init(_ batch: LabelBatch, isNew: Bool? = nil) {
        self.init(
            id: batch.id, slot: batch.slot.rawValue, rows: batch.rows, digest: batch.digest.rawValue, receivedAt: batch.receivedAt.iso8601,
            receivedBy: batch.receivedBy, firstAt: batch.firstAt?.iso8601, lastAt: batch.lastAt?.iso8601, isNew: isNew)
    }
}

extension WireFeatureDrift {
    init(_ feature: FeatureDrift) {
        self.init(
            name: feature.name, psi: feature.psi, psiMissing: feature.psiMissing, band: feature.band.rawValue, missingShare: feature.missingShare,
            missingShareBaseline: feature.missingShareBaseline, bins: feature.bins.names, counts: feature.counts, baselineCounts: feature.baselineCounts)
    }
}

extension FeatureBins {
    /// `≤ 10`, `10 – 20`, `> 20`; the values, then `other`.
    fileprivate var names: [String] {
        switch self {
        case .categories(let values): return values + ["other"]
        case .numeric(let edges):
            guard let first = edges.first, let last = edges.last else { return ["all"] }
            let inner = zip(edges, edges.dropFirst()).map { "\(DriftRules.number($0)) – \(DriftRules.number($1))" }
            return ["≤ \(DriftRules.number(first))"] + inner + ["> \(DriftRules.number(last))"]
        }
    }
}

extension WireQuality {
    init(_ quality: WindowQuality) {
        func pairs(_ metrics: [String: Double]) -> [WireMetric] { metrics.sorted { $0.key < $1.key }.map { WireMetric(name: $0.key, value: $0.value) } }
        self.init(
            rows: quality.rows, labelled: quality.labelled, coverage: quality.coverage, metrics: pairs(quality.metrics), baseline: pairs(quality.baseline))
    }
}

extension WireDriftReport {
    init(_ report: DriftReport, retraining: DriftRetraining? = nil, heldBack: String? = nil) {
        self.init(
            id: report.id, slot: report.slot.rawValue, project: report.project.rawValue, release: report.release?.rawValue, from: report.from.iso8601,
            to: report.to.iso8601, madeAt: report.madeAt.iso8601, madeBy: report.madeBy, rows: report.rows, verdict: report.verdict.rawValue,
            reasons: report.reasons, watch: report.watch, act: report.act, baseline: report.baseline?.rawValue,
            features: report.features.map(WireFeatureDrift.init), prediction: report.prediction.map(WireFeatureDrift.init),
            quality: report.quality.map(WireQuality.init), retraining: retraining.map(WireRetraining.init), heldBack: heldBack)
    }
}

extension WireRetraining {
    init(_ retraining: DriftRetraining) {
        self.init(
            id: retraining.id, report: retraining.report, environment: retraining.environment.rawValue, state: retraining.state.rawValue,
            reason: retraining.reason, execution: retraining.execution, release: retraining.release?.rawValue, promotion: retraining.promotion,
            message: retraining.message, createdAt: retraining.createdAt.iso8601, updatedAt: retraining.updatedAt.iso8601)
    }
}

extension WireHealth {
    init(_ health: HealthSummary) {
        self.init(
            slot: health.slot.rawValue, project: health.project.rawValue, release: health.release?.rawValue, verdict: health.verdict.rawValue,
            report: health.report?.id, worstFeature: health.worstFeature?.name, worstPsi: health.worstFeature?.score, auc: health.auc,
            aucBaseline: health.aucBaseline, labelCoverage: health.labelCoverage, lastRequestAt: health.lastRequestAt?.iso8601,
            freshness: health.freshness.map {
                Freshness(
                    dataset: $0.dataset, ageSeconds: $0.age.map { $0.milliseconds / 1000 }, promiseSeconds: $0.promise.milliseconds / 1000, isKept: $0.isKept)
            },
            retraining: health.retraining.map(WireRetraining.init))
    }
}
