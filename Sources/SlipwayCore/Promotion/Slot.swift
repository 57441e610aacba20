/// A thing in an environment that can hold a release.
package struct Slot: Sendable, Hashable, Codable {
    package var name: SlotName
    package var project: ProjectName
    package var current: ContentDigest?
    /// The promotion that made `current` live, nil after a rollback.
    package var promotion: String?
    package var fallback: ContentDigest?
    /// +1 at each change of `current`.
    package var generation: Int
    /// Of the wished endpoint: +1 at each change of what should run.
    package var revision: Int64
    /// Why automation must leave the slot alone, nil when it need not.
    package var hold: String?
    package var heldBy: String?
    package var heldAt: Timestamp?
    package var createdAt: Timestamp
    package var updatedAt: Timestamp

    package init(name: SlotName, project: ProjectName, createdAt: Timestamp) {
        self.name = name
        self.project = project
        generation = 0
        revision = 0
        self.createdAt = createdAt
        updatedAt = createdAt
    }
}

/// Stop the line for a project (or one slot of it), with owner, reason and expiry.
package struct Freeze: Sendable, Hashable, Codable {
    package var id: String
    package var project: ProjectName
    /// Nil: every slot of the project.
    package var slot: SlotName?
    package var reason: String
    package var owner: String
    package var createdAt: Timestamp
    package var expiresAt: Timestamp?
    package var liftedAt: Timestamp?
    package var liftedBy: String?

    package init(id: String, project: ProjectName, slot: SlotName?, reason: String, owner: String, createdAt: Timestamp, expiresAt: Timestamp?) {
        self.id = id
        self.project = project
        self.slot = slot
        self.reason = reason
        self.owner = owner
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }

    package func isActive(at now: Timestamp) -> Bool { liftedAt == nil && (expiresAt.map { $0 > now } ?? true) }
    package func covers(_ slot: Slot) -> Bool { project == slot.project && (self.slot == nil || self.slot == slot.name) }
}

/// A release that nothing may offer again until somebody else than its promoters lifts it.
package struct Quarantine: Sendable, Hashable, Codable {
    package var release: ContentDigest
    package var project: ProjectName
    package var reason: String
    package var by: String
    package var at: Timestamp
    /// Who requested or applied it: `Principal.raw`. They cannot lift it.
    package var promoters: Set<String>
    package var liftedAt: Timestamp?
    package var liftedBy: String?

    package init(release: ContentDigest, project: ProjectName, reason: String, by: String, at: Timestamp, promoters: Set<String>) {
        self.release = release
        self.project = project
        self.reason = reason
        self.by = by
        self.at = at
        self.promoters = promoters
    }
}
