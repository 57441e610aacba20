import Foundation
import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// How a slot is, in a few words, for the board.
package struct HealthSummary: Sendable {
    package struct Freshness: Sendable {
        package var dataset: String
        /// Nil when the realm has no snapshot.
        package var age: Duration?
        package var promise: Duration
        package var isKept: Bool { age.map { $0 <= promise } ?? false }
    }

    package var slot: SlotName
    package var project: ProjectName
    package var release: ContentDigest?
    /// The latest report, nil before the first.
    package var report: DriftReport?
    package var verdict: DriftVerdict { report?.verdict ?? .unknown }
    package var worstFeature: FeatureDrift? { report?.worst }
    package var auc: Double? { report?.quality?.metrics["auc"] }
    package var aucBaseline: Double? { report?.quality?.baseline["auc"] }
    /// Share of answers with a label, 0…1.
    package var labelCoverage: Double? { report?.quality?.coverage }
    /// When the gateway captured something last.
    package var lastRequestAt: Timestamp?
    package var freshness: [Freshness]
    package var retraining: DriftRetraining?
}

extension MonitoringService {
    package func health(_ name: SlotName, by caller: Caller) async throws -> HealthSummary {
        try caller.requireSomebody()
        let watched = try await watched(name)
        try caller.require(.readMetadata, project: watched.slot.project, environment: environment)
        return try await summary(watched)
    }

    /// Of every slot that the caller may read.
    package func health(project: ProjectName? = nil, by caller: Caller) async throws -> [HealthSummary] {
        try caller.requireSomebody()
        let environment = environment
        let slots = try await realm.database.read { tx in
            try SlotStore(tx: tx).list(project: project).filter { caller.may(.readMetadata, project: $0.project, environment: environment) }
                .map { Watched(slot: $0, file: try Self.projectFile(of: $0, environment, tx)) }
        }
        var summaries: [HealthSummary] = []
        for slot in slots { summaries.append(try await summary(slot)) }
        return summaries
    }

    private func summary(_ watched: Watched) async throws -> HealthSummary {
        let slot = watched.slot
        let environment = environment
        let now = clock.now
        let captures = captures(of: slot.name)
        let lastRequestAt = try await offload { try CaptureSegments(folder: captures).lastWrite() }
        let promises = (watched.file?.data ?? [:]).compactMapValues { $0.freshness[environment] }
        return try await realm.database.read { tx in
            let freshness = try promises.sorted { $0.key < $1.key }.map { dataset, promise in
                HealthSummary.Freshness(
                    dataset: dataset, age: try SnapshotStore(tx: tx).newest(of: dataset, project: slot.project).map { now - $0.createdAt }, promise: try promise.value)
            }
            return HealthSummary(
                slot: slot.name, project: slot.project, release: slot.current, report: try DriftStore(tx: tx).latest(slot: slot.name),
                lastRequestAt: lastRequestAt, freshness: freshness, retraining: try DriftStore(tx: tx).retrainings(slot: slot.name, limit: 1).first)
        }
    }
}
