import SlipwayCore
import SlipwaySQL

/// The data snapshots of a realm: rows, tags, check outcomes, and which bytes they are made of.
package struct SnapshotStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    // MARK: Reading

    /// The newest snapshot that work may stand on: neither removed, nor expired by now, nor with a broken enforced check.
    package func newest(of dataset: String, project: ProjectName, at now: Timestamp? = nil) throws -> DataSnapshot? {
        try tx.first(Self.newestUsable, ["project": .text(project.rawValue), "dataset": .text(dataset), "now": .integer(now?.milliseconds)]).map(snapshot)
    }

    /// By id or an unambiguous beginning of one (at least four digits); a removed snapshot is not found.
    /// - Throws: `invalidArgument` when several snapshots begin so.
    package func snapshot(_ id: String, of dataset: String? = nil, project: ProjectName? = nil) throws -> DataSnapshot? {
        guard let record = try record(of: id, dataset: dataset, project: project), record.removedAt == nil else { return nil }
        return record
    }

    /// As `snapshot(_:)`, removed ones included: what the auditor asks.
    package func record(of id: String, dataset: String? = nil, project: ProjectName? = nil) throws -> DataSnapshot? {
        guard (4...12).contains(id.utf8.count), id.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else { return nil }
        let found = try tx.all(Self.byPrefix, ["from": .text(id), "to": .text(id + "g"), "dataset": .text(dataset), "project": .text(project?.rawValue)])
        if found.count > 1, !found.contains(where: { $0.text("id") == id }) {
            throw SlipwayError.invalid("Several snapshots begin with '\(id)'.", remedy: "Write more of the id.")
        }
        return try (found.first { $0.text("id") == id } ?? found.first).map(snapshot)
    }

    /// By tag, or by id when there is no such tag; nil for neither, and for a snapshot of another dataset.
    package func find(_ version: String?, of dataset: String, project: ProjectName) throws -> DataSnapshot? {
        guard let version else { return try newest(of: dataset, project: project) }
        let key: [String: SQLValue] = ["project": .text(project.rawValue), "dataset": .text(dataset), "tag": .text(version)]
        if let row = try tx.first(Self.byTag, key) { return try snapshot(row) }
        return try snapshot(version, of: dataset, project: project)
    }

    /// Newest first; `before` is the id of the last one of the page above. A nil dataset lists all of the project.
    package func list(
        dataset: String? = nil, project: ProjectName? = nil, limit: Int = 100, before: String? = nil, includingRemoved: Bool = false
    ) throws -> [DataSnapshot] {
        let mark = try before.flatMap { try tx.first(Self.seqOf, ["id": .text($0)])?.int64("seq") }
        return try tx.all(
            Self.page,
            [
                "dataset": .text(dataset), "project": .text(project?.rawValue), "before": .integer(mark), "removed": .bool(includingRemoved),
                "limit": .integer(min(limit, 1000)),
            ]
        ).map(snapshot)
    }

    /// Names of the project's datasets that have a snapshot.
    package func datasets(of project: ProjectName) throws -> [String] {
        try tx.all(Self.datasetNames, ["project": .text(project.rawValue)]).map { $0.text("dataset") }
    }

    /// The newest snapshot that holds this tree, alive.
    package func snapshot(withManifest digest: ContentDigest, of dataset: String, project: ProjectName) throws -> DataSnapshot? {
        try tx.first(Self.byManifest, ["digest": .text(digest.rawValue), "project": .text(project.rawValue), "dataset": .text(dataset)]).map(snapshot)
    }

    /// The newest snapshot that a refresh made, alive.
    package func newestRefreshed(of dataset: String, project: ProjectName) throws -> DataSnapshot? {
        try tx.first(Self.lastRefreshed, ["project": .text(project.rawValue), "dataset": .text(dataset)]).map(snapshot)
    }

    /// Snapshots whose time is over, oldest first.
    package func expired(at now: Timestamp, limit: Int) throws -> [DataSnapshot] {
        try tx.all(Self.pastExpiry, ["now": .integer(now.milliseconds), "limit": .integer(limit)]).map(snapshot)
    }

    package func projects() throws -> [ProjectName] { try tx.all(Self.projectNames).map { ProjectName(unchecked: $0.text("project")) } }

    // MARK: Changing

    /// - Parameter blobs: the digests of its files and of its manifest.
    package func insert(_ snapshot: DataSnapshot, blobs: Set<ContentDigest>) throws {
        try tx.run(
            Self.insertSnapshot,
            [
                "id": .text(snapshot.id), "project": .text(snapshot.project.rawValue), "dataset": .text(snapshot.dataset),
                "manifest": .text(snapshot.manifestDigest.rawValue), "size": .integer(snapshot.sizeBytes), "files": .integer(snapshot.fileCount),
                "created": .integer(snapshot.createdAt.milliseconds), "by": .text(snapshot.createdBy), "expires": .integer(snapshot.expiresAt?.milliseconds),
                "label": .text(snapshot.label), "source_environment": .text(snapshot.lineage?.environment.rawValue),
                "source_snapshot": .text(snapshot.lineage?.snapshot), "recipe": .text(snapshot.lineage?.recipe.rawValue),
                "tables": .text(try CanonicalJSON.text(snapshot.tables)), "verdict": .text(snapshot.checks.verdict.rawValue),
            ])
        for digest in blobs { try tx.run(Self.insertBlob, ["digest": .text(digest.rawValue), "snapshot": .text(snapshot.id)]) }
        if snapshot.checks.verdict != .none { try add(snapshot.checks, to: snapshot.id) }
    }

    /// A later outcome counts; earlier ones stay.
    package func add(_ outcome: CheckOutcome, to id: String) throws {
        try tx.run(
            Self.insertCheck,
            [
                "snapshot": .text(id), "at": .integer(outcome.at?.milliseconds ?? 0), "outcome": .text(try CanonicalJSON.text(outcome)),
            ])
        try tx.run(Self.setVerdict, ["id": .text(id), "verdict": .text(outcome.verdict.rawValue)])
    }

    /// Points the tag at the snapshot.
    /// - Returns: the snapshot it pointed at before, or nil when it is new.
    package func move(tag: String, of dataset: String, project: ProjectName, to id: String, by: Principal, at: Timestamp) throws -> String? {
        let key: [String: SQLValue] = ["project": .text(project.rawValue), "dataset": .text(dataset), "tag": .text(tag)]
        let previous = try tx.first(Self.tagTarget, key)?.text("snapshot")
        try tx.run(Self.upsertTag, key.merging(["snapshot": .text(id), "at": .integer(at.milliseconds), "by": .text(by.raw)]) { $1 })
        return previous
    }

    /// Marks the snapshot as removed and takes its tags away; its row stays.
    /// - Returns: false when it was removed before.
    package func remove(_ id: String, at: Timestamp) throws -> Bool {
        try tx.run(Self.deleteTags, ["id": .text(id)])
        return try tx.run(Self.setRemoved, ["id": .text(id), "at": .integer(at.milliseconds)]) > 0
    }

    // MARK: Bytes

    /// Whether the bytes belong to a living snapshot of the project.
    package func holds(_ digest: ContentDigest, project: ProjectName) throws -> Bool {
        try tx.first(Self.blobHolder, ["digest": .text(digest.rawValue), "project": .text(project.rawValue)]) != nil
    }

    /// The newest living snapshot of the project, or of any when it is nil, that holds the bytes.
    package func holder(of digest: ContentDigest, project: ProjectName?) throws -> DataSnapshot? {
        try tx.first(Self.blobHolder, ["digest": .text(digest.rawValue), "project": .text(project?.rawValue)]).map(snapshot)
    }

    package func recordUpload(_ digest: ContentDigest, size: Int64, project: ProjectName, by: Principal, at: Timestamp) throws {
        try tx.run(
            Self.upsertUpload,
            [
                "digest": .text(digest.rawValue), "project": .text(project.rawValue), "size": .integer(size), "at": .integer(at.milliseconds), "by": .text(by.raw),
            ])
    }

    package func isUploaded(_ digest: ContentDigest, project: ProjectName) throws -> Bool {
        try tx.first(Self.uploadOfProject, ["digest": .text(digest.rawValue), "project": .text(project.rawValue)]) != nil
    }

    package func forgetUploads(before: Timestamp) throws { try tx.run(Self.deleteUploads, ["before": .integer(before.milliseconds)]) }

    /// Bytes of snapshots removed before `mark` that neither a living snapshot nor an upload names.
    package func orphans(removedBefore mark: Timestamp, limit: Int) throws -> [ContentDigest] {
        try tx.all(Self.orphanBlobs, ["mark": .integer(mark.milliseconds), "limit": .integer(limit)]).compactMap { ContentDigest(rawValue: $0.text("digest")) }
    }

    /// Forgets that removed snapshots were made of these bytes.
    package func forget(orphan digest: ContentDigest) throws { try tx.run(Self.deleteBlob, ["digest": .text(digest.rawValue)]) }

    private func snapshot(_ row: Row) throws -> DataSnapshot {
        let id = row.text("id")
        var snapshot = DataSnapshot(
            id: id, dataset: row.text("dataset"), project: ProjectName(unchecked: row.text("project")),
            manifestDigest: try ContentDigest(parsing: row.text("manifest_digest")), sizeBytes: row.int64("size_bytes"), fileCount: row.int("file_count"),
            createdAt: Timestamp(milliseconds: row.int64("created_at_ms")), createdBy: row.text("created_by"),
            expiresAt: row.optionalInt("expires_at_ms").map(Timestamp.init(milliseconds:)),
            removedAt: row.optionalInt("removed_at_ms").map(Timestamp.init(milliseconds:)), label: row.optionalText("label"),
            tables: try CanonicalJSON.decode([DataTable].self, from: row.text("tables")),
            tags: try tx.all(Self.tagsOf, ["id": .text(id)]).map { $0.text("tag") })
        if let environment = row.optionalText("source_environment"), let source = row.optionalText("source_snapshot"), let recipe = row.optionalText("recipe_digest") {
            snapshot.lineage = .init(environment: try EnvironmentID(parsing: environment), snapshot: source, recipe: try ContentDigest(parsing: recipe))
        }
        if let newest = try tx.first(Self.newestCheck, ["id": .text(id)]) {
            snapshot.checks = try CanonicalJSON.decode(CheckOutcome.self, from: newest.text("outcome"))
        }
        return snapshot
    }
}

extension SnapshotStore {
    private static let newestUsable = Statement(
        "snapshot.newest",
        """
        SELECT * FROM data_snapshot
        WHERE project = :project AND dataset = :dataset AND removed_at_ms IS NULL AND verdict <> 'failed'
            AND (:now IS NULL OR expires_at_ms IS NULL OR expires_at_ms > :now)
        ORDER BY seq DESC LIMIT 1
        """)
    private static let byPrefix = Statement(
        "snapshot.byPrefix",
        """
        SELECT * FROM data_snapshot
        WHERE id >= :from AND id < :to AND (:dataset IS NULL OR dataset = :dataset) AND (:project IS NULL OR project = :project)
        ORDER BY id LIMIT 2
        """)
    private static let byTag = Statement(
        "snapshot.byTag",
        """
        SELECT s.* FROM data_tag t JOIN data_snapshot s ON s.id = t.snapshot
        WHERE t.project = :project AND t.dataset = :dataset AND t.tag = :tag AND s.removed_at_ms IS NULL
        """)
    private static let seqOf = Statement("snapshot.seqOf", "SELECT seq FROM data_snapshot WHERE id = :id")
    private static let page = Statement(
        "snapshot.page",
        """
        SELECT * FROM data_snapshot
        WHERE (:project IS NULL OR project = :project) AND (:dataset IS NULL OR dataset = :dataset) AND (:before IS NULL OR seq < :before)
            AND (:removed = 1 OR removed_at_ms IS NULL)
        ORDER BY seq DESC LIMIT :limit
        """)
    private static let datasetNames = Statement(
        "snapshot.datasets",
        """
        SELECT DISTINCT dataset FROM data_snapshot WHERE project = :project AND removed_at_ms IS NULL ORDER BY dataset LIMIT 1000
        """)
    private static let projectNames = Statement("snapshot.projects", "SELECT DISTINCT project FROM data_snapshot ORDER BY project LIMIT 10000")
    private static let byManifest = Statement(
        "snapshot.byManifest",
        """
        SELECT * FROM data_snapshot
        WHERE manifest_digest = :digest AND project = :project AND dataset = :dataset AND removed_at_ms IS NULL ORDER BY seq DESC LIMIT 1
        """)
    private static let lastRefreshed = Statement(
        "snapshot.lastRefreshed",
        """
        SELECT * FROM data_snapshot
        WHERE project = :project AND dataset = :dataset AND removed_at_ms IS NULL AND recipe_digest IS NOT NULL ORDER BY seq DESC LIMIT 1
        """)
    private static let pastExpiry = Statement(
        "snapshot.expired",
        """
        SELECT * FROM data_snapshot WHERE expires_at_ms <= :now AND removed_at_ms IS NULL ORDER BY expires_at_ms LIMIT :limit
        """)
    private static let insertSnapshot = Statement(
        "snapshot.insert",
        """
        INSERT INTO data_snapshot (
            id, seq, project, dataset, manifest_digest, size_bytes, file_count, created_at_ms, created_by, expires_at_ms, label,
            source_environment, source_snapshot, recipe_digest, tables, verdict)
        VALUES (
            :id, (SELECT COALESCE(MAX(seq), 0) + 1 FROM data_snapshot), :project, :dataset, :manifest, :size, :files, :created, :by, :expires, :label,
            :source_environment, :source_snapshot, :recipe, :tables, :verdict)
        """)
    private static let insertBlob = Statement("snapshot.insertBlob", "INSERT INTO data_snapshot_blob (digest, snapshot) VALUES (:digest, :snapshot)")
    private static let insertCheck = Statement(
        "snapshot.insertCheck",
        """
        INSERT INTO data_check (snapshot, seq, at_ms, outcome)
        VALUES (:snapshot, (SELECT COALESCE(MAX(seq), 0) + 1 FROM data_check WHERE snapshot = :snapshot), :at, :outcome)
        """)
    private static let setVerdict = Statement("snapshot.setVerdict", "UPDATE data_snapshot SET verdict = :verdict WHERE id = :id")
    private static let newestCheck = Statement("snapshot.newestCheck", "SELECT outcome FROM data_check WHERE snapshot = :id ORDER BY seq DESC LIMIT 1")
    private static let tagTarget = Statement(
        "snapshot.tagTarget",
        """
        SELECT snapshot FROM data_tag WHERE project = :project AND dataset = :dataset AND tag = :tag
        """)
    private static let upsertTag = Statement(
        "snapshot.upsertTag",
        """
        INSERT INTO data_tag (project, dataset, tag, snapshot, at_ms, by_principal) VALUES (:project, :dataset, :tag, :snapshot, :at, :by)
        ON CONFLICT (project, dataset, tag) DO UPDATE SET snapshot = excluded.snapshot, at_ms = excluded.at_ms, by_principal = excluded.by_principal
        """)
    private static let tagsOf = Statement("snapshot.tagsOf", "SELECT tag FROM data_tag WHERE snapshot = :id ORDER BY tag")
    private static let deleteTags = Statement("snapshot.deleteTags", "DELETE FROM data_tag WHERE snapshot = :id")
    private static let setRemoved = Statement("snapshot.remove", "UPDATE data_snapshot SET removed_at_ms = :at WHERE id = :id AND removed_at_ms IS NULL")
    private static let blobHolder = Statement(
        "snapshot.blobHolder",
        """
        SELECT s.* FROM data_snapshot_blob b JOIN data_snapshot s ON s.id = b.snapshot
        WHERE b.digest = :digest AND (:project IS NULL OR s.project = :project) AND s.removed_at_ms IS NULL ORDER BY s.seq DESC LIMIT 1
        """)
    private static let upsertUpload = Statement(
        "snapshot.recordUpload",
        """
        INSERT INTO data_upload (digest, project, size_bytes, at_ms, by_principal) VALUES (:digest, :project, :size, :at, :by)
        ON CONFLICT (digest, project) DO UPDATE SET at_ms = excluded.at_ms, by_principal = excluded.by_principal
        """)
    private static let uploadOfProject = Statement("snapshot.upload", "SELECT 1 AS found FROM data_upload WHERE digest = :digest AND project = :project")
    private static let deleteUploads = Statement("snapshot.forgetUploads", "DELETE FROM data_upload WHERE at_ms < :before")
    private static let orphanBlobs = Statement(
        "snapshot.orphans",
        """
        SELECT DISTINCT b.digest FROM data_snapshot_blob b JOIN data_snapshot s ON s.id = b.snapshot
        WHERE s.removed_at_ms < :mark
            AND NOT EXISTS (
                SELECT 1 FROM data_snapshot_blob b2 JOIN data_snapshot s2 ON s2.id = b2.snapshot
                WHERE b2.digest = b.digest AND (s2.removed_at_ms IS NULL OR s2.removed_at_ms >= :mark))
            AND NOT EXISTS (SELECT 1 FROM data_upload u WHERE u.digest = b.digest)
        LIMIT :limit
        """)
    private static let deleteBlob = Statement("snapshot.forgetOrphan", "DELETE FROM data_snapshot_blob WHERE digest = :digest")
}
