import SlipwayCore
import SlipwaySQL

/// The releases that this realm holds: sealed here, or arrived by promotion. Rows are never changed.
package struct ReleaseStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    /// - Returns: false when it is there already.
    package func insert(_ release: Release) throws -> Bool {
        try tx.run(
            Self.insert,
            [
                "id": .text(release.id.rawValue), "project": .text(release.content.project.rawValue), "commit": .text(release.content.commit),
                "model": .text(release.content.modelName), "digest": .text(release.content.modelDigest.rawValue),
                "version": .integer(release.modelVersion), "execution": .text(release.execution),
                "content": .text(try CanonicalJSON.text(release.content)), "metrics": .text(try CanonicalJSON.text(release.metrics)),
                "at": .integer(release.createdAt.milliseconds), "by": .text(release.createdBy),
            ]) > 0
    }

    package func release(_ id: ContentDigest) throws -> Release? {
        try tx.first(Self.byID, ["id": .text(id.rawValue)]).map(Self.release)
    }

    /// - Throws: `invalidArgument` for fewer than four digits or a prefix that fits several.
    package func release(prefix: String) throws -> Release? {
        guard (4...64).contains(prefix.utf8.count), prefix.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else {
            throw SlipwayError.invalid("'\(prefix.prefix(80))' is not a release.", remedy: "Write at least four digits of its id: slipway release list")
        }
        let found = try tx.all(Self.byPrefix, ["low": .text(prefix), "high": .text(prefix + "g")])
        guard found.count < 2 else { throw SlipwayError.invalid("'\(prefix)' fits several releases.", remedy: "Write more digits of its id.") }
        return try found.first.map(Self.release)
    }

    /// Newest first; continues below `before`.
    package func list(project: ProjectName? = nil, limit: Int = 100, before: ContentDigest? = nil) throws -> [Release] {
        try tx.all(
            Self.page,
            [
                "project": .text(project?.rawValue), "before": .text(before?.rawValue), "limit": .integer(min(limit, 1000)),
            ]
        ).map(Self.release)
    }

    // MARK: Marks

    /// What a release carries for ever, such as `policy:demo` or `amber:scan`.
    package func mark(_ id: ContentDigest, _ mark: String, at: Timestamp) throws {
        try tx.run(Self.insertMark, ["release": .text(id.rawValue), "mark": .text(mark), "at": .integer(at.milliseconds)])
    }

    package func marks(of id: ContentDigest) throws -> [String] {
        try tx.all(Self.marksOf, ["release": .text(id.rawValue)]).map { $0.text("mark") }
    }

    // MARK: Quarantine

    /// - Returns: false when it was quarantined already.
    package func insert(_ quarantine: Quarantine) throws -> Bool {
        try tx.run(
            Self.insertQuarantine,
            [
                "release": .text(quarantine.release.rawValue), "project": .text(quarantine.project.rawValue), "reason": .text(quarantine.reason),
                "by": .text(quarantine.by), "at": .integer(quarantine.at.milliseconds), "promoters": .text(try CanonicalJSON.text(quarantine.promoters.sorted())),
            ]) > 0
    }

    /// The open one.
    package func quarantine(of release: ContentDigest) throws -> Quarantine? {
        try tx.first(Self.openQuarantine, ["release": .text(release.rawValue)]).map { row in
            Quarantine(
                release: release, project: ProjectName(unchecked: row.text("project")), reason: row.text("reason"), by: row.text("by_principal"),
                at: Timestamp(milliseconds: row.int64("at_ms")), promoters: Set(try CanonicalJSON.decode([String].self, from: row.text("promoters"))))
        }
    }

    package func liftQuarantine(of release: ContentDigest, by: String, at: Timestamp) throws {
        try tx.run(Self.lift, ["release": .text(release.rawValue), "by": .text(by), "at": .integer(at.milliseconds)])
    }

    private static func release(_ row: Row) throws -> Release {
        let release = try Release(
            content: CanonicalJSON.decode(Release.Content.self, from: row.text("content")),
            createdAt: Timestamp(milliseconds: row.int64("created_at_ms")), createdBy: row.text("created_by"),
            modelVersion: row.int("model_version"), execution: row.text("execution"),
            metrics: CanonicalJSON.decode([String: Double].self, from: row.text("metrics")))
        guard release.id.rawValue == row.text("id") else { throw SlipwayError.fault("Release '\(row.text("id"))' does not match its digest.") }
        return release
    }

    private static let insert = Statement(
        "release.insert",
        """
        INSERT INTO release (id, project, commit_id, model_name, model_digest, model_version, execution, content, metrics, created_at_ms, created_by)
        VALUES (:id, :project, :commit, :model, :digest, :version, :execution, :content, :metrics, :at, :by)
        ON CONFLICT (id) DO NOTHING
        """)
    private static let byID = Statement("release.byID", "SELECT * FROM release WHERE id = :id")
    private static let byPrefix = Statement("release.byPrefix", "SELECT * FROM release WHERE id >= :low AND id < :high ORDER BY id LIMIT 2")
    private static let page = Statement(
        "release.page",
        """
        SELECT r.* FROM release r LEFT JOIN release b ON b.id = :before
        WHERE (:project IS NULL OR r.project = :project)
            AND (:before IS NULL OR r.created_at_ms < b.created_at_ms OR (r.created_at_ms = b.created_at_ms AND r.id < b.id))
        ORDER BY r.created_at_ms DESC, r.id DESC LIMIT :limit
        """)
    private static let insertMark = Statement(
        "release.insertMark",
        """
        INSERT INTO release_mark (release, mark, at_ms) VALUES (:release, :mark, :at) ON CONFLICT (release, mark) DO NOTHING
        """)
    private static let marksOf = Statement("release.marks", "SELECT mark FROM release_mark WHERE release = :release ORDER BY mark")
    private static let insertQuarantine = Statement(
        "release.quarantine",
        """
        INSERT INTO quarantine (release, at_ms, project, reason, by_principal, promoters) VALUES (:release, :at, :project, :reason, :by, :promoters)
        ON CONFLICT DO NOTHING
        """)
    private static let openQuarantine = Statement("release.openQuarantine", "SELECT * FROM quarantine WHERE release = :release AND lifted_at_ms IS NULL")
    private static let lift = Statement(
        "release.liftQuarantine",
        """
        UPDATE quarantine SET lifted_at_ms = :at, lifted_by = :by WHERE release = :release AND lifted_at_ms IS NULL
        """)
}
