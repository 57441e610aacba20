import Foundation
import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// Drift reports: made, kept, listed.
extension MonitoringService {
    package struct Made: Sendable {
        package var report: DriftReport
        /// The retraining that it started.
        package var retraining: DriftRetraining?
        /// Why it started none though the verdict is "act".
        package var heldBack: String?
    }

    package static let windowMax = Duration.seconds(366 * 86_400)

    /// Compares the window [from, to) with the baseline of the release that answered in it, and keeps the report.
    /// - Parameter acting: whether a crossing may start a retraining. The approved slipway.yaml decides what follows, so whoever may feed labels
    ///   may have the window judged; a reader's report never acts.
    /// - Throws: `notFound` when no captured request lies in the window.
    package func report(_ name: SlotName, from: Timestamp, to: Timestamp, acting: Bool, by caller: Caller) async throws -> Made {
        try caller.requireSomebody()
        let watched = try await watched(name)
        try caller.require(acting ? .importLabels : .readMetadata, project: watched.slot.project, environment: environment)
        guard from < to, to - from <= Self.windowMax else {
            throw SlipwayError.invalid(
                "The window from \(from.iso8601) to \(to.iso8601) is empty or longer than \(Self.windowMax.spelled).",
                remedy: "Name the first moment with --from and the first moment after it with --to.")
        }
        let made = try await withWorkFolder { work in try await compare(watched, from: from, to: to, work: work, by: caller) }
        return try await keep(made, watched: watched, acting: acting, by: caller)
    }

    package func report(id: String, by caller: Caller) async throws -> (report: DriftReport, retraining: DriftRetraining?) {
        try caller.requireSomebody()
        let found = try await realm.database.read { tx in
            try DriftStore(tx: tx).report(id).map { ($0, try DriftStore(tx: tx).retraining(ofReport: $0.id)) }
        }
        guard let (report, retraining) = found else {
            throw SlipwayError.notFound(
                "\(environment.rawValue) has no drift report '\(id.prefix(80))'.", remedy: "See what exists: slipway drift list \(environment.rawValue)/SLOT")
        }
        try caller.require(.readMetadata, project: report.project, environment: environment)
        return (report, retraining)
    }

    package func reports(_ name: SlotName, limit: Int, before: Int64?, by caller: Caller) async throws -> (reports: [DriftReport], next: Int64?) {
        try caller.requireSomebody()
        let watched = try await watched(name)
        try caller.require(.readMetadata, project: watched.slot.project, environment: environment)
        return try await realm.database.read { tx in try DriftStore(tx: tx).page(slot: name, limit: limit, before: before) }
    }

    // MARK: Comparing

    private func compare(_ watched: Watched, from: Timestamp, to: Timestamp, work: URL, by caller: Caller) async throws -> DriftReport {
        let slot = watched.slot
        let monitoring = watched.monitoring
        let drift = monitoring.drift ?? ProjectFile.Monitoring.Drift()
        let captures = captures(of: slot.name)
        let segments = try await offload { try CaptureSegments(folder: captures).files(copyingOpenOnesTo: work) }
        let query = WindowQuery(
            segments: segments, from: from, to: to, timeColumn: monitoring.labels?.time, keyColumn: monitoring.labels?.key, work: work, duckdb: try findDuckDB())
        let picked = try await query.pick(folders: [captures])
        guard picked.rows > 0, let release = picked.release else {
            let untimed = picked.untimed > 0 ? " \(picked.untimed) captured rows have no readable '\(monitoring.labels?.time ?? "at")'." : ""
            throw SlipwayError.notFound(
                "\(environment.rawValue)/\(slot.name) has no captured request from \(from.iso8601) to \(to.iso8601).\(untimed)",
                remedy: "See 'monitoring.capture' and 'monitoring.labels.time' in slipway.yaml, and the window's ends.")
        }
        let labels = try await realm.database.read { tx in try LabelStore(tx: tx).files(of: slot.name) }.map { directory.appending(path: $0) }
        let (baseline, missingBaseline) = try await baselineOrReason(release)
        let counted = try await query.count(
            baseline?.features ?? [], prediction: baseline?.prediction, release: release, labels: labels, folders: labels.isEmpty ? [] : [self.labels(of: slot.name)])

        let compared = try (baseline.map { $0.features + [$0.prediction].compactMap(\.self) } ?? []).enumerated().map { index, profile in
            try DriftRules.compare(profile, counts: counted.counts[index], missing: counted.missing[index], watch: drift.watch, act: drift.act)
        }
        let prediction = baseline?.prediction == nil ? nil : compared.last
        let features = prediction == nil ? compared : Array(compared.dropLast())
        let quality =
            monitoring.labels == nil && labels.isEmpty
            ? nil
            : WindowQuality(
                rows: counted.answers, labelled: counted.labelled, metrics: counted.metrics, baseline: baseline?.quality ?? [:])
        let judgement = DriftRules.judge(
            features: features, prediction: prediction, quality: quality,
            conditions: try monitoring.quality.sorted { $0.key < $1.key }.map { try Condition(bound: $0.value, on: $0.key) },
            coverage: monitoring.labels?.coverage ?? 0.8)
        return DriftReport(
            id: newID(), slot: slot.name, project: slot.project, release: release, from: from, to: to, madeAt: clock.now, madeBy: caller.principal.raw,
            rows: picked.rows, rowsByRelease: picked.rowsByRelease, watch: drift.watch, act: drift.act, baseline: baseline?.source,
            features: features.sorted { ($0.score, $1.name) > ($1.score, $0.name) }, prediction: prediction, quality: quality, verdict: judgement.verdict,
            reasons: judgement.reasons + [missingBaseline].compactMap(\.self))
    }

    /// A report without a baseline still says how the answers did; why there is none stands among its reasons.
    private func baselineOrReason(_ id: ContentDigest) async throws -> (BaselineProfile?, String?) {
        guard let release = try await realm.database.read({ tx in try ReleaseStore(tx: tx).release(id) }) else {
            return (nil, "Release \(id.short) is not recorded in \(environment.rawValue), so its features are not compared.")
        }
        do {
            return (try await baseline(of: release), nil)
        } catch let error as SlipwayError where [.notFound, .unavailable, .invalidArgument].contains(error.code) {
            return (nil, "Features are not compared. \(error.message)")
        }
    }

    // MARK: Keeping

    private func keep(_ report: DriftReport, watched: Watched, acting: Bool, by caller: Caller) async throws -> Made {
        let retrainingID = newID()
        let environment = environment
        return try await realm.database.write { tx in
            let store = DriftStore(tx: tx)
            try store.insert(report)
            try AuditStore(tx: tx).append(
                "drift.report", subject: "slot:\(report.slot)", project: report.project, by: caller.principal, at: report.madeAt,
                details: [
                    "report": .string(report.id), "verdict": .string(report.verdict.rawValue), "release": .string(report.release?.rawValue ?? ""),
                    "from": .string(report.from.iso8601), "to": .string(report.to.iso8601),
                ])
            guard report.verdict == .act, acting else { return Made(report: report) }
            guard let target = watched.file?.triggers.drift else {
                return Made(report: report, heldBack: "slipway.yaml names no environment in 'triggers.drift', so nothing is retrained.")
            }
            if let reason = DriftRules.holdsBack(windowEnd: report.to, last: try store.lastUnfailed(slot: report.slot)) {
                return Made(report: report, heldBack: reason)
            }
            let retraining = DriftRetraining(
                id: retrainingID, slot: report.slot, project: report.project, report: report.id, windowEnd: report.to, environment: target,
                reason: "drift report \(report.id) of \(environment.rawValue)/\(report.slot): \(report.reasons.first ?? "")", state: .wanted,
                createdAt: report.madeAt, updatedAt: report.madeAt)
            try store.insert(retraining)
            try AuditStore(tx: tx).append(
                "drift.act", subject: "slot:\(report.slot)", project: report.project, by: caller.principal, at: report.madeAt,
                details: ["report": .string(report.id), "retraining": .string(retrainingID), "environment": .string(target.rawValue)])
            return Made(report: report, retraining: retraining)
        }
    }
}
