import SlipwayCore
import SlipwaySQL

/// Baselines, reports and the retrainings that reports started.
package struct DriftStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    // MARK: Baselines

    package func baseline(of release: ContentDigest) throws -> BaselineProfile? {
        try tx.first(Self.baselineOf, ["release": .text(release.rawValue)]).map { try CanonicalJSON.decode(BaselineProfile.self, from: $0.text("profile")) }
    }

    /// The newest releases of this realm that have no baseline yet.
    package func releasesWithoutBaseline(limit: Int = 20) throws -> [ContentDigest] {
        try tx.all(Self.unprofiled, ["limit": .integer(limit)]).compactMap { ContentDigest(rawValue: $0.text("id")) }
    }

    /// - Parameter origin: the realm whose data was counted.
    /// - Returns: false when there is one already; a baseline never changes.
    package func insert(_ baseline: BaselineProfile, of release: ContentDigest, project: ProjectName, origin: EnvironmentID, at: Timestamp) throws -> Bool {
        try tx.run(
            Self.addBaseline,
            [
                "release": .text(release.rawValue), "project": .text(project.rawValue), "origin": .text(origin.rawValue),
                "profile": .text(try CanonicalJSON.text(baseline)), "at": .integer(at.milliseconds),
            ]) > 0
    }

    // MARK: Reports

    package func insert(_ report: DriftReport) throws {
        try tx.run(
            Self.addReport,
            [
                "id": .text(report.id), "slot": .text(report.slot.rawValue), "project": .text(report.project.rawValue), "release": .text(report.release?.rawValue),
                "from": .integer(report.from.milliseconds), "to": .integer(report.to.milliseconds), "at": .integer(report.madeAt.milliseconds),
                "by": .text(report.madeBy), "rows": .integer(report.rows), "labelled": .integer(report.quality?.labelled ?? 0),
                "verdict": .text(report.verdict.rawValue), "report": .text(try CanonicalJSON.text(report)),
            ])
    }

    /// By id or by a prefix that fits one report only.
    package func report(_ id: String) throws -> DriftReport? {
        let rows = try tx.all(Self.reportByID, ["id": .text(id), "length": .integer(id.count)])
        return try rows.count == 1 ? Self.report(rows[0]) : nil
    }

    /// Newest first; `before` is the mark of the page before.
    package func page(slot: SlotName, limit: Int = 100, before: Int64? = nil) throws -> (reports: [DriftReport], next: Int64?) {
        let limit = min(max(limit, 1), 1000)
        let rows = try tx.all(Self.reportPage, ["slot": .text(slot.rawValue), "before": .integer(before), "limit": .integer(limit)])
        return (try rows.map(Self.report), rows.count == limit ? rows.last?.int64("seq") : nil)
    }

    package func reports(slot: SlotName, limit: Int = 100) throws -> [DriftReport] { try page(slot: slot, limit: limit).reports }

    /// The one made last.
    package func latest(slot: SlotName) throws -> DriftReport? { try page(slot: slot, limit: 1).reports.first }

    /// The one made last of exactly this window, by anybody or by that principal.
    package func latest(slot: SlotName, from: Timestamp, to: Timestamp, madeBy: Principal? = nil) throws -> DriftReport? {
        try tx.first(
            Self.reportOfWindow,
            [
                "slot": .text(slot.rawValue), "from": .integer(from.milliseconds), "to": .integer(to.milliseconds), "by": .text(madeBy?.raw),
            ]
        ).map(Self.report)
    }

    private static func report(_ row: Row) throws -> DriftReport { try CanonicalJSON.decode(DriftReport.self, from: row.text("report")) }

    // MARK: Retrainings

    package func insert(_ retraining: DriftRetraining) throws {
        try tx.run(Self.addRetraining, Self.values(retraining))
    }

    /// Moves a retraining on.
    /// - Returns: false when it is no longer in `state`: somebody else moved it.
    package func update(_ retraining: DriftRetraining, from state: DriftRetraining.State) throws -> Bool {
        try tx.run(
            Self.moveRetraining,
            [
                "id": .text(retraining.id), "was": .text(state.rawValue), "state": .text(retraining.state.rawValue), "execution": .text(retraining.execution),
                "release": .text(retraining.release?.rawValue), "promotion": .text(retraining.promotion), "message": .text(retraining.message),
                "updated": .integer(retraining.updatedAt.milliseconds),
            ]) > 0
    }

    package func retraining(_ id: String) throws -> DriftRetraining? { try tx.first(Self.retrainingByID, ["id": .text(id)]).map(Self.retraining) }

    package func retraining(ofReport report: String) throws -> DriftRetraining? {
        try tx.first(Self.retrainingOfReport, ["report": .text(report)]).map(Self.retraining)
    }

    /// Newest first.
    package func retrainings(slot: SlotName, limit: Int = 100) throws -> [DriftRetraining] {
        try tx.all(Self.retrainingsOfSlot, ["slot": .text(slot.rawValue), "limit": .integer(min(max(limit, 1), 1000))]).map(Self.retraining)
    }

    /// The slot's newest that did not fail: what the cool-down counts from.
    package func lastUnfailed(slot: SlotName) throws -> DriftRetraining? {
        try tx.first(Self.newestUnfailed, ["slot": .text(slot.rawValue)]).map(Self.retraining)
    }

    /// Oldest first: what the follow-up has to carry on with.
    package func openRetrainings(limit: Int = 100) throws -> [DriftRetraining] {
        try tx.all(Self.open, ["limit": .integer(limit)]).map(Self.retraining)
    }

    private static func values(_ retraining: DriftRetraining) -> [String: SQLValue] {
        [
            "id": .text(retraining.id), "slot": .text(retraining.slot.rawValue), "project": .text(retraining.project.rawValue),
            "report": .text(retraining.report), "end": .integer(retraining.windowEnd.milliseconds), "environment": .text(retraining.environment.rawValue),
            "reason": .text(retraining.reason), "state": .text(retraining.state.rawValue), "execution": .text(retraining.execution),
            "release": .text(retraining.release?.rawValue), "promotion": .text(retraining.promotion), "message": .text(retraining.message),
            "created": .integer(retraining.createdAt.milliseconds), "updated": .integer(retraining.updatedAt.milliseconds),
        ]
    }

    private static func retraining(_ row: Row) -> DriftRetraining {
        DriftRetraining(
            id: row.text("id"), slot: SlotName(unchecked: row.text("slot")), project: ProjectName(unchecked: row.text("project")), report: row.text("report"),
            windowEnd: Timestamp(milliseconds: row.int64("window_end_ms")), environment: EnvironmentID(rawValue: row.text("environment"))!,
            reason: row.text("reason"), state: DriftRetraining.State(rawValue: row.text("state"))!, execution: row.optionalText("execution"),
            release: row.optionalText("release_id").flatMap(ContentDigest.init(rawValue:)), promotion: row.optionalText("promotion"),
            message: row.optionalText("message"), createdAt: Timestamp(milliseconds: row.int64("created_at_ms")),
            updatedAt: Timestamp(milliseconds: row.int64("updated_at_ms")))
    }

    private static let baselineOf = Statement("drift.baseline", "SELECT profile FROM drift_baseline WHERE release_id = :release")
    private static let unprofiled = Statement(
        "drift.unprofiled",
        """
        SELECT r.id FROM release r WHERE NOT EXISTS (SELECT 1 FROM drift_baseline b WHERE b.release_id = r.id) ORDER BY r.created_at_ms DESC, r.id LIMIT :limit
        """)
    private static let addBaseline = Statement(
        "drift.addBaseline",
        """
        INSERT INTO drift_baseline (release_id, project, origin, profile, made_at_ms) VALUES (:release, :project, :origin, :profile, :at)
        ON CONFLICT (release_id) DO NOTHING
        """)
    private static let addReport = Statement(
        "drift.addReport",
        """
        INSERT INTO drift_report (seq, id, slot, project, release_id, from_ms, to_ms, made_at_ms, made_by, row_count, labelled_count, verdict, report)
        VALUES ((SELECT COALESCE(MAX(seq), 0) + 1 FROM drift_report), :id, :slot, :project, :release, :from, :to, :at, :by, :rows, :labelled, :verdict, :report)
        """)
    private static let reportByID = Statement("drift.report", "SELECT report FROM drift_report WHERE substr(id, 1, :length) = :id LIMIT 2")
    private static let reportPage = Statement(
        "drift.reportPage",
        """
        SELECT seq, report FROM drift_report WHERE slot = :slot AND (:before IS NULL OR seq < :before) ORDER BY seq DESC LIMIT :limit
        """)
    private static let reportOfWindow = Statement(
        "drift.reportOfWindow",
        """
        SELECT report FROM drift_report
        WHERE slot = :slot AND from_ms = :from AND to_ms = :to AND (:by IS NULL OR made_by = :by) ORDER BY seq DESC LIMIT 1
        """)
    private static let addRetraining = Statement(
        "drift.addRetraining",
        """
        INSERT INTO drift_retraining
            (seq, id, slot, project, report, window_end_ms, environment, reason, state, execution, release_id, promotion, message, created_at_ms, updated_at_ms)
        VALUES ((SELECT COALESCE(MAX(seq), 0) + 1 FROM drift_retraining),
            :id, :slot, :project, :report, :end, :environment, :reason, :state, :execution, :release, :promotion, :message, :created, :updated)
        """)
    private static let moveRetraining = Statement(
        "drift.moveRetraining",
        """
        UPDATE drift_retraining SET state = :state, execution = :execution, release_id = :release, promotion = :promotion, message = :message,
            updated_at_ms = :updated
        WHERE id = :id AND state = :was
        """)
    private static let retrainingByID = Statement("drift.retraining", "SELECT * FROM drift_retraining WHERE id = :id")
    private static let retrainingOfReport = Statement("drift.retrainingOfReport", "SELECT * FROM drift_retraining WHERE report = :report")
    private static let retrainingsOfSlot = Statement("drift.retrainingsOfSlot", "SELECT * FROM drift_retraining WHERE slot = :slot ORDER BY seq DESC LIMIT :limit")
    private static let newestUnfailed = Statement(
        "drift.lastUnfailed",
        """
        SELECT * FROM drift_retraining WHERE slot = :slot AND state <> 'failed' ORDER BY seq DESC LIMIT 1
        """)
    private static let open = Statement(
        "drift.openRetrainings",
        """
        SELECT * FROM drift_retraining WHERE state NOT IN ('requested', 'failed') ORDER BY seq LIMIT :limit
        """)
}
