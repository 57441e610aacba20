import Foundation

/// How a window looks against its baseline. Ordered by how much it asks for.
package enum DriftVerdict: String, Sendable, Hashable, Codable, CaseIterable, Comparable {
    /// Nothing could be judged: too few rows, or no baseline.
    case unknown
    case ok, watch, act

    package static func < (left: Self, right: Self) -> Bool { allCases.firstIndex(of: left)! < allCases.firstIndex(of: right)! }
}

/// One column of the baseline: bins and counts, never a row.
package struct FeatureProfile: Sendable, Hashable, Codable {
    package var name: String
    package var bins: FeatureBins
    /// Rows per bin, missing values left out.
    package var counts: [Int64]
    package var missing: Int64

    package init(name: String, bins: FeatureBins, counts: [Int64], missing: Int64) {
        self.name = name
        self.bins = bins
        self.counts = counts
        self.missing = missing
    }

    package var present: Int64 { counts.reduce(0, +) }
}

/// What a release saw in training, as counts: the only thing about its data that a realm above may read.
package struct BaselineProfile: Sendable, Hashable, Codable {
    package enum Source: String, Sendable, Hashable, Codable {
        /// `monitoring/baseline.parquet`, logged to the training run by the pipeline: the features as the model saw them.
        case artifact
        /// The columns of the same names in the training snapshot.
        case snapshot
    }

    package static let artifactPath = "monitoring/baseline.parquet"
    /// The columns of that file that are no features.
    package static let predictionColumn = "prediction"
    package static let labelColumn = "label"

    package var source: Source
    /// Of the Parquet file, or of the snapshot's manifest.
    package var sourceDigest: ContentDigest
    package var rows: Int64
    package var features: [FeatureProfile]
    /// Columns left out, each with the reason.
    package var skipped: [String: String]
    package var prediction: FeatureProfile?
    /// `auc`, `log_loss`, `mean_prediction`, `base_rate` on the baseline's own rows, else the training run's metrics of those names.
    package var quality: [String: Double]

    package init(
        source: Source, sourceDigest: ContentDigest, rows: Int64, features: [FeatureProfile], skipped: [String: String] = [:],
        prediction: FeatureProfile? = nil, quality: [String: Double] = [:]
    ) {
        self.source = source
        self.sourceDigest = sourceDigest
        self.rows = rows
        self.features = features
        self.skipped = skipped
        self.prediction = prediction
        self.quality = quality
    }
}

/// One feature of a window against the baseline.
package struct FeatureDrift: Sendable, Hashable, Codable {
    package var name: String
    /// Nats; nil when the window or the baseline has no value at all.
    package var psi: Double?
    /// The index of missing against present.
    package var psiMissing: Double?
    /// Below twice this, the index says nothing.
    package var expectedByChance: Double
    package var band: DriftVerdict
    /// Share of missing values, 0…1.
    package var missingShare: Double
    package var missingShareBaseline: Double
    package var bins: FeatureBins
    package var counts: [Int64]
    package var baselineCounts: [Int64]

    package init(
        name: String, psi: Double?, psiMissing: Double?, expectedByChance: Double, band: DriftVerdict, missingShare: Double,
        missingShareBaseline: Double, bins: FeatureBins, counts: [Int64], baselineCounts: [Int64]
    ) {
        self.name = name
        self.psi = psi
        self.psiMissing = psiMissing
        self.expectedByChance = expectedByChance
        self.band = band
        self.missingShare = missingShare
        self.missingShareBaseline = missingShareBaseline
        self.bins = bins
        self.counts = counts
        self.baselineCounts = baselineCounts
    }

    /// The larger of the two indices: what features are ordered by.
    package var score: Double { max(psi ?? 0, psiMissing ?? 0) }
}

/// How the answers of the release did in the window, once labels arrived.
package struct WindowQuality: Sendable, Hashable, Codable {
    /// Answers of the release in the window, one per key.
    package var rows: Int64
    package var labelled: Int64
    /// `auc`, `log_loss`, `mean_prediction`, `base_rate`, `rmse`, `mae`; what could not be computed is absent.
    package var metrics: [String: Double]
    package var baseline: [String: Double]

    package init(rows: Int64, labelled: Int64, metrics: [String: Double], baseline: [String: Double]) {
        self.rows = rows
        self.labelled = labelled
        self.metrics = metrics
        self.baseline = baseline
    }

    /// Share of the answers with a label, 0…1.
    package var coverage: Double { rows > 0 ? Double(labelled) / Double(rows) : 0 }
}

/// The comparison of one window of a slot with the baseline of the release that answered in it. Immutable.
package struct DriftReport: Sendable, Hashable, Codable {
    package var id: String
    package var slot: SlotName
    package var project: ProjectName
    /// The one that answered most of the window's rows.
    package var release: ContentDigest?
    /// The window [from, to) in event time, or in the requests' arrival time when the project names no event time.
    package var from: Timestamp
    package var to: Timestamp
    package var madeAt: Timestamp
    /// `Principal.raw`
    package var madeBy: String
    package var rows: Int64
    /// Rows per release that answered.
    package var rowsByRelease: [String: Int64]
    package var watch: Double
    package var act: Double
    package var baseline: BaselineProfile.Source?
    package var features: [FeatureDrift]
    package var prediction: FeatureDrift?
    package var quality: WindowQuality?
    package var verdict: DriftVerdict
    /// One sentence each, the weightiest first.
    package var reasons: [String]

    package init(
        id: String, slot: SlotName, project: ProjectName, release: ContentDigest?, from: Timestamp, to: Timestamp, madeAt: Timestamp, madeBy: String,
        rows: Int64, rowsByRelease: [String: Int64], watch: Double, act: Double, baseline: BaselineProfile.Source?, features: [FeatureDrift],
        prediction: FeatureDrift?, quality: WindowQuality?, verdict: DriftVerdict, reasons: [String]
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
        self.rowsByRelease = rowsByRelease
        self.watch = watch
        self.act = act
        self.baseline = baseline
        self.features = features
        self.prediction = prediction
        self.quality = quality
        self.verdict = verdict
        self.reasons = reasons
    }

    package var worst: FeatureDrift? { features.max { $0.score < $1.score } }
}

/// Labels that arrived together, kept as one Parquet file.
package struct LabelBatch: Sendable, Hashable, Codable {
    package var id: String
    package var slot: SlotName
    package var project: ProjectName
    /// Of the bytes as they were sent: the same bytes twice are one batch.
    package var digest: ContentDigest
    package var rows: Int64
    package var sizeBytes: Int64
    /// Relative to the realm's folder.
    package var file: String
    /// When the labels became known, where the sender says so.
    package var firstAt: Timestamp?
    package var lastAt: Timestamp?
    package var receivedAt: Timestamp
    /// `Principal.raw`
    package var receivedBy: String

    package init(
        id: String, slot: SlotName, project: ProjectName, digest: ContentDigest, rows: Int64, sizeBytes: Int64, file: String, firstAt: Timestamp?,
        lastAt: Timestamp?, receivedAt: Timestamp, receivedBy: String
    ) {
        self.id = id
        self.slot = slot
        self.project = project
        self.digest = digest
        self.rows = rows
        self.sizeBytes = sizeBytes
        self.file = file
        self.firstAt = firstAt
        self.lastAt = lastAt
        self.receivedAt = receivedAt
        self.receivedBy = receivedBy
    }
}

/// One retraining that a report started, followed until its release is requested.
package struct DriftRetraining: Sendable, Hashable, Codable {
    package enum State: String, Sendable, Hashable, Codable, CaseIterable {
        /// Decided together with the report; nothing was started yet.
        case wanted
        /// The execution runs.
        case started
        /// The execution sealed a release.
        case sealed
        /// The release's promotion is requested: the end of the good way.
        case requested
        case failed

        package var isOpen: Bool { self != .requested && self != .failed }
    }

    package var id: String
    package var slot: SlotName
    package var project: ProjectName
    package var report: String
    /// The end of the window that asked for it, in event time.
    package var windowEnd: Timestamp
    /// Where it is retrained.
    package var environment: EnvironmentID
    package var reason: String
    package var state: State
    package var execution: String?
    package var release: ContentDigest?
    package var promotion: String?
    /// Why it failed, or what it waits for.
    package var message: String?
    package var createdAt: Timestamp
    package var updatedAt: Timestamp

    package init(
        id: String, slot: SlotName, project: ProjectName, report: String, windowEnd: Timestamp, environment: EnvironmentID, reason: String, state: State,
        execution: String? = nil, release: ContentDigest? = nil, promotion: String? = nil, message: String? = nil, createdAt: Timestamp, updatedAt: Timestamp
    ) {
        self.id = id
        self.slot = slot
        self.project = project
        self.report = report
        self.windowEnd = windowEnd
        self.environment = environment
        self.reason = reason
        self.state = state
        self.execution = execution
        self.release = release
        self.promotion = promotion
        self.message = message
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}
