import SlipwayCore
import SlipwaySQL

/// Who stopped the line, why and until when.
package struct FreezeStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    package func insert(_ freeze: Freeze) throws {
        try tx.run(
            Self.insert,
            [
                "id": .text(freeze.id), "project": .text(freeze.project.rawValue), "slot": .text(freeze.slot?.rawValue), "reason": .text(freeze.reason),
                "owner": .text(freeze.owner), "created": .integer(freeze.createdAt.milliseconds), "expires": .integer(freeze.expiresAt?.milliseconds),
            ])
    }

    package func freeze(_ id: String) throws -> Freeze? { try tx.first(Self.byID, ["id": .text(id)]).map(Self.freeze) }

    /// Newest first, at most 1000, those that ended included.
    package func list(project: ProjectName? = nil) throws -> [Freeze] {
        try tx.all(Self.all, ["project": .text(project?.rawValue)]).map(Self.freeze)
    }

    package func active(on slot: Slot, at now: Timestamp) throws -> [Freeze] {
        try tx.all(Self.open, ["project": .text(slot.project.rawValue), "now": .integer(now.milliseconds)])
            .map(Self.freeze).filter { $0.covers(slot) }
    }

    package func lift(_ id: String, by: String, at: Timestamp) throws {
        try tx.run(Self.lift, ["id": .text(id), "by": .text(by), "at": .integer(at.milliseconds)])
    }

    private static func freeze(_ row: Row) -> Freeze {
        var freeze = Freeze(
            id: row.text("id"), project: ProjectName(unchecked: row.text("project")), slot: row.optionalText("slot").map { SlotName(unchecked: $0) },
            reason: row.text("reason"), owner: row.text("owner"), createdAt: Timestamp(milliseconds: row.int64("created_at_ms")),
            expiresAt: row.optionalInt("expires_at_ms").map(Timestamp.init(milliseconds:)))
        freeze.liftedAt = row.optionalInt("lifted_at_ms").map(Timestamp.init(milliseconds:))
        freeze.liftedBy = row.optionalText("lifted_by")
        return freeze
    }

    private static let insert = Statement(
        "freeze.insert",
        """
        INSERT INTO freeze (id, project, slot, reason, owner, created_at_ms, expires_at_ms) VALUES (:id, :project, :slot, :reason, :owner, :created, :expires)
        """)
    private static let byID = Statement("freeze.byID", "SELECT * FROM freeze WHERE id = :id")
    private static let all = Statement(
        "freeze.all",
        """
        SELECT * FROM freeze WHERE (:project IS NULL OR project = :project) ORDER BY created_at_ms DESC, id LIMIT 1000
        """)
    private static let open = Statement(
        "freeze.open",
        """
        SELECT * FROM freeze WHERE project = :project AND lifted_at_ms IS NULL AND (expires_at_ms IS NULL OR expires_at_ms > :now) ORDER BY created_at_ms
        """)
    private static let lift = Statement("freeze.lift", "UPDATE freeze SET lifted_at_ms = :at, lifted_by = :by WHERE id = :id AND lifted_at_ms IS NULL")
}
