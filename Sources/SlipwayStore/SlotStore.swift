import SlipwayCore
import SlipwaySQL

/// The slots of this realm.
package struct SlotStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    package func slot(_ name: SlotName) throws -> Slot? {
        try tx.first(Self.byName, ["name": .text(name.rawValue)]).map(Self.slot)
    }

    /// At most 1000, by name.
    package func list(project: ProjectName? = nil) throws -> [Slot] {
        try tx.all(Self.all, ["project": .text(project?.rawValue)]).map(Self.slot)
    }

    /// - Returns: false when there is a slot of that name already.
    package func insert(_ slot: Slot) throws -> Bool { try tx.run(Self.insert, Self.values(slot)) > 0 }

    package func update(_ slot: Slot) throws { try tx.run(Self.update, Self.values(slot)) }

    private static func values(_ slot: Slot) -> [String: SQLValue] {
        [
            "name": .text(slot.name.rawValue), "project": .text(slot.project.rawValue), "current": .text(slot.current?.rawValue),
            "promotion": .text(slot.promotion), "fallback": .text(slot.fallback?.rawValue), "generation": .integer(slot.generation),
            "revision": .integer(slot.revision), "hold": .text(slot.hold), "heldBy": .text(slot.heldBy),
            "heldAt": .integer(slot.heldAt?.milliseconds), "created": .integer(slot.createdAt.milliseconds),
            "updated": .integer(slot.updatedAt.milliseconds),
        ]
    }

    private static func slot(_ row: Row) -> Slot {
        var slot = Slot(
            name: SlotName(unchecked: row.text("name")), project: ProjectName(unchecked: row.text("project")),
            createdAt: Timestamp(milliseconds: row.int64("created_at_ms")))
        slot.current = row.optionalText("current_release").flatMap(ContentDigest.init(rawValue:))
        slot.promotion = row.optionalText("promotion")
        slot.fallback = row.optionalText("fallback_release").flatMap(ContentDigest.init(rawValue:))
        slot.generation = row.int("generation")
        slot.revision = row.int64("revision")
        slot.hold = row.optionalText("hold_reason")
        slot.heldBy = row.optionalText("held_by")
        slot.heldAt = row.optionalInt("held_at_ms").map(Timestamp.init(milliseconds:))
        slot.updatedAt = Timestamp(milliseconds: row.int64("updated_at_ms"))
        return slot
    }

    private static let byName = Statement("slot.byName", "SELECT * FROM slot WHERE name = :name")
    private static let all = Statement("slot.all", "SELECT * FROM slot WHERE (:project IS NULL OR project = :project) ORDER BY name LIMIT 1000")
    private static let insert = Statement(
        "slot.insert",
        """
        INSERT INTO slot (name, project, current_release, promotion, fallback_release, generation, revision, hold_reason, held_by, held_at_ms, created_at_ms, updated_at_ms)
        VALUES (:name, :project, :current, :promotion, :fallback, :generation, :revision, :hold, :heldBy, :heldAt, :created, :updated)
        ON CONFLICT (name) DO NOTHING
        """)
    private static let update = Statement(
        "slot.update",
        """
        UPDATE slot SET project = :project, current_release = :current, promotion = :promotion, fallback_release = :fallback, generation = :generation,
            revision = :revision, hold_reason = :hold, held_by = :heldBy, held_at_ms = :heldAt, created_at_ms = :created, updated_at_ms = :updated
        WHERE name = :name
        """)
}
