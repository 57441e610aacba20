public struct WireLabelBatch: Codable, Sendable {
    public var id: String
    public var slot: String
    /// Different keys.
    public var rows: Int64
    public var digest: String
    public var receivedAt: String
    public var receivedBy: String
    public var firstAt: String?
    public var lastAt: String?
    /// False when the slot had exactly these bytes already.
    public var isNew: Bool?
    public init(
        id: String, slot: String, rows: Int64, digest: String, receivedAt: String, receivedBy: String, firstAt: String?, lastAt: String?, isNew: Bool? = nil
    ) {
        self.id = id
        self.slot = slot
        self.rows = rows
        self.digest = digest
        self.receivedAt = receivedAt
        self.receivedBy = receivedBy
        self.firstAt = firstAt
        self.lastAt = lastAt
        self.isNew = isNew
    }
}

/// Asks for a drift report.
public struct WireDriftRequest: Codable, Sendable {
    /// The first moment of the window, and the first after it.
    public var from: String
    public var to: String
    /// Whether a crossing may start a retraining; true when absent.
    public var retrain: Bool?
    public init(from: String, to: String, retrain: Bool?) {
        self.from = from
        self.to = to
        self.retrain = retrain
    }
}

public struct WireFeatureDrift: Codable, Sendable {
    public var name: String
    /// Population stability index in nats; absent when there was nothing to compare.
    public var psi: Double?
    public var psiMissing: Double?
    /// `unknown`, `ok`, `watch`, `act`
    public var band: String
    public var missingShare: Double
    public var missingShareBaseline: Double
    /// The bins' names, in order.
    public var bins: [String]
    public var counts: [Int64]
    public var baselineCounts: [Int64]
    public init(
        name: String, psi: Double?, psiMissing: Double?, band: String, missingShare: Double, missingShareBaseline: Double, bins: [String],
        counts: [Int64], baselineCounts: [Int64]
    ) {
        self.name = name
        self.psi = psi
        self.psiMissing = psiMissing
        self.band = band
        self.missingShare = missingShare
        self.missingShareBaseline = missingShareBaseline
        self.bins = bins
        self.counts = counts
        self.baselineCounts = baselineCounts
    }
}

public struct WireQuality: Codable, Sendable {
    public var rows: Int64
    public var labelled: Int64
    public var coverage: Double
    /// `auc`, `log_loss`, `mean_prediction`, `base_rate`, …, as pairs, because names of metrics are data.
    public var metrics: [WireMetric]
    public var baseline: [WireMetric]
    public init(rows: Int64, labelled: Int64, coverage: Double, metrics: [WireMetric], baseline: [WireMetric]) {
        self.rows = rows
        self.labelled = labelled
        self.coverage = coverage
        self.metrics = metrics
        self.baseline = baseline
    }
}

public struct WireMetric: Codable, Sendable {
    public var name: String
    public var value: Double
    public init(name: String, value: Double) {
        self.name = name
        self.value = value
    }
}

public struct WireDriftReport: Codable, Sendable {
    public var id: String
    public var slot: String
    public var project: String
    public var release: String?
    public var from: String
    public var to: String
    public var madeAt: String
    public var madeBy: String
    public var rows: Int64
    public var verdict: String
    public var reasons: [String]
    public var watch: Double
    public var act: Double
    /// `artifact` or `snapshot`; absent without a baseline.
    public var baseline: String?
    /// The most moved first.
    public var features: [WireFeatureDrift]
    public var prediction: WireFeatureDrift?
    public var quality: WireQuality?
    public var retraining: WireRetraining?
    /// Why nothing was retrained though the verdict is `act`.
    public var heldBack: String?
    public init(
        id: String, slot: String, project: String, release: String?, from: String, to: String, madeAt: String, madeBy: String, rows: Int64, verdict: String,
        reasons: [String], watch: Double, act: Double, baseline: String?, features: [WireFeatureDrift], prediction: WireFeatureDrift?, quality: WireQuality?,
        retraining: WireRetraining? = nil, heldBack: String? = nil
    ) {
        self.id = id
        self.slot = slot
        self.project = project
        self.release = release
        self.from = from
        self.to = to
        self.madeAt = madeAt
        self.madeBy = madeBy
        self.rows = rows
        self.verdict = verdict
        self.reasons = reasons
        self.watch = watch
        self.act = act
        self.baseline = baseline
        self.features = features
        self.prediction = prediction
        self.quality = quality
        self.retraining = retraining
        self.heldBack = heldBack
    }
}

public struct WireRetraining: Codable, Sendable {
    public var id: String
    public var report: String
    public var environment: String
    public var state: String
    public var reason: String
    public var execution: String?
    public var release: String?
    public var promotion: String?
    public var message: String?
    public var createdAt: String
    public var updatedAt: String
    public init(
        id: String, report: String, environment: String, state: String, reason: String, execution: String?, release: String?, promotion: String?,
        message: String?, createdAt: String, updatedAt: String
    ) {
        self.id = id
        self.report = report
        self.environment = environment
        self.state = state
        self.reason = reason
        self.execution = execution
        self.release = release
        self.promotion = promotion
        self.message = message
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}

public struct WireHealth: Codable, Sendable {
    public struct Freshness: Codable, Sendable {
        public var dataset: String
        public var ageSeconds: Int64?
        public var promiseSeconds: Int64
        public var isKept: Bool
        public init(dataset: String, ageSeconds: Int64?, promiseSeconds: Int64, isKept: Bool) {
            self.dataset = dataset
            self.ageSeconds = ageSeconds
            self.promiseSeconds = promiseSeconds
            self.isKept = isKept
        }
    }
    public var slot: String
    public var project: String
    public var release: String?
    public var verdict: String
    public var report: String?
    public var worstFeature: String?
    public var worstPsi: Double?
    public var auc: Double?
    public var aucBaseline: Double?
    public var labelCoverage: Double?
    public var lastRequestAt: String?
    public var freshness: [Freshness]
    public var retraining: WireRetraining?
    public init(
        slot: String, project: String, release: String?, verdict: String, report: String?, worstFeature: String?, worstPsi: Double?, auc: Double?,
        aucBaseline: Double?, labelCoverage: Double?, lastRequestAt: String?, freshness: [Freshness], retraining: WireRetraining?
    ) {
        self.slot = slot
        self.project = project
        self.release = release
        self.verdict = verdict
        self.report = report
        self.worstFeature = worstFeature
        self.worstPsi = worstPsi
        self.auc = auc
        self.aucBaseline = aucBaseline
        self.labelCoverage = labelCoverage
        self.lastRequestAt = lastRequestAt
        self.freshness = freshness
        self.retraining = retraining
    }
}
