import SlipwayCore
import SlipwaySQL

/// Which files of labels a slot has.
package struct LabelStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    /// - Returns: false when the slot has a batch of the same bytes already; nothing is changed then.
    package func insert(_ batch: LabelBatch) throws -> Bool {
        try tx.run(
            Self.add,
            [
                "id": .text(batch.id), "slot": .text(batch.slot.rawValue), "project": .text(batch.project.rawValue), "digest": .text(batch.digest.rawValue),
                "rows": .integer(batch.rows), "size": .integer(batch.sizeBytes), "file": .text(batch.file), "first": .integer(batch.firstAt?.milliseconds),
                "last": .integer(batch.lastAt?.milliseconds), "at": .integer(batch.receivedAt.milliseconds), "by": .text(batch.receivedBy),
            ]) > 0
    }

    package func batch(_ slot: SlotName, digest: ContentDigest) throws -> LabelBatch? {
        try tx.first(Self.byDigest, ["slot": .text(slot.rawValue), "digest": .text(digest.rawValue)]).map(Self.batch)
    }

    /// Newest first; `before` is the mark of the page before.
    package func list(_ slot: SlotName, limit: Int = 100, before: Int64? = nil) throws -> (batches: [LabelBatch], next: Int64?) {
        let limit = min(max(limit, 1), 1000)
        let rows = try tx.all(Self.page, ["slot": .text(slot.rawValue), "before": .integer(before), "limit": .integer(limit)])
        return (rows.map(Self.batch), rows.count == limit ? rows.last?.int64("seq") : nil)
    }

    /// Files of the slot, oldest first, relative to the realm's folder.
    package func files(of slot: SlotName) throws -> [String] {
        try tx.all(Self.paths, ["slot": .text(slot.rawValue)]).map { $0.text("file") }
    }

    private static func batch(_ row: Row) -> LabelBatch {
        LabelBatch(
            id: row.text("id"), slot: SlotName(unchecked: row.text("slot")), project: ProjectName(unchecked: row.text("project")),
            digest: ContentDigest(rawValue: row.text("digest"))!, rows: row.int64("row_count"), sizeBytes: row.int64("size_bytes"), file: row.text("file"),
            firstAt: row.optionalInt("first_at_ms").map(Timestamp.init(milliseconds:)), lastAt: row.optionalInt("last_at_ms").map(Timestamp.init(milliseconds:)),
            receivedAt: Timestamp(milliseconds: row.int64("received_at_ms")), receivedBy: row.text("received_by"))
    }

    private static let add = Statement(
        "label.insert",
        """
        INSERT INTO label_batch (seq, id, slot, project, digest, row_count, size_bytes, file, first_at_ms, last_at_ms, received_at_ms, received_by)
        VALUES ((SELECT COALESCE(MAX(seq), 0) + 1 FROM label_batch), :id, :slot, :project, :digest, :rows, :size, :file, :first, :last, :at, :by)
        ON CONFLICT (slot, digest) DO NOTHING
        """)
    private static let byDigest = Statement("label.byDigest", "SELECT * FROM label_batch WHERE slot = :slot AND digest = :digest")
    private static let page = Statement(
        "label.page",
        """
        SELECT * FROM label_batch WHERE slot = :slot AND (:before IS NULL OR seq < :before) ORDER BY seq DESC LIMIT :limit
        """)
    private static let paths = Statement("label.files", "SELECT file FROM label_batch WHERE slot = :slot ORDER BY seq")
}
