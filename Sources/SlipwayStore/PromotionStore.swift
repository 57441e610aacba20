import SlipwayCore
import SlipwaySQL

/// Promotions of this realm, and which requests were done.
package struct PromotionStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    package func promotion(_ id: String) throws -> Promotion? {
        try tx.first(Self.byID, ["id": .text(id)]).map(Self.promotion)
    }

    /// Newest first; continues below `before`.
    package func list(
        project: ProjectName? = nil, slot: SlotName? = nil, release: ContentDigest? = nil, limit: Int = 100, before: String? = nil
    ) throws -> [Promotion] {
        try tx.all(
            Self.page,
            [
                "project": .text(project?.rawValue), "slot": .text(slot?.rawValue), "release": .text(release?.rawValue), "before": .text(before),
                "limit": .integer(min(limit, 1000)),
            ]
        ).map(Self.promotion)
    }

    /// What the driver has to look at: every promotion that is neither at an end nor resting, oldest first.
    package func unfinished() throws -> [Promotion] { try tx.all(Self.open).map(Self.promotion) }

    package func pending(slot: SlotName) throws -> [Promotion] {
        try tx.all(Self.openOfSlot, ["slot": .text(slot.rawValue)]).map(Self.promotion).filter(\.state.isPending)
    }

    package func inFlight(slot: SlotName) throws -> Promotion? {
        try tx.first(Self.inFlightOfSlot, ["slot": .text(slot.rawValue)]).map(Self.promotion)
    }

    package func live(slot: SlotName) throws -> Promotion? {
        try tx.first(Self.liveOfSlot, ["slot": .text(slot.rawValue)]).map(Self.promotion)
    }

    /// When the release was live here last and had not been rolled back, nil when it never was.
    package func verifiedAt(release: ContentDigest) throws -> Timestamp? {
        try tx.first(Self.verified, ["release": .text(release.rawValue)])?.optionalInt("live_at_ms").map(Timestamp.init(milliseconds:))
    }

    /// Releases that were live in the slot and not rolled back, newest first.
    package func formerReleases(slot: SlotName) throws -> [ContentDigest] {
        try tx.all(Self.former, ["slot": .text(slot.rawValue)]).compactMap { ContentDigest(rawValue: $0.text("release")) }
    }

    package func insert(_ promotion: Promotion) throws {
        try tx.run(Self.insert, try Self.values(promotion))
    }

    /// Stores the value with its next version.
    /// - Throws: `conflict` when somebody stored a newer one since it was read.
    package func update(_ promotion: Promotion) throws {
        var next = promotion
        next.version += 1
        var values = try Self.values(next)
        values["readVersion"] = .integer(promotion.version)
        guard try tx.run(Self.update, values) == 1 else {
            throw SlipwayError(.conflict, "Promotion '\(promotion.id)' has changed meanwhile.", remedy: "Read it again and repeat.")
        }
    }

    // MARK: Requests

    package struct DoneRequest: Sendable, Hashable {
        package var action: String
        package var subject: String
        package var actor: String
        package var promotion: String
        package init(action: String, subject: String, actor: String, promotion: String) {
            self.action = action
            self.subject = subject
            self.actor = actor
            self.promotion = promotion
        }
    }

    package func request(_ id: String) throws -> DoneRequest? {
        try tx.first(Self.requestByID, ["id": .text(id)]).map {
            DoneRequest(action: $0.text("action"), subject: $0.text("subject"), actor: $0.text("actor"), promotion: $0.text("promotion"))
        }
    }

    package func record(_ id: String, _ request: DoneRequest, at: Timestamp) throws {
        try tx.run(
            Self.insertRequest,
            [
                "id": .text(id), "action": .text(request.action), "subject": .text(request.subject), "actor": .text(request.actor),
                "promotion": .text(request.promotion), "at": .integer(at.milliseconds),
            ])
    }

    private static func values(_ promotion: Promotion) throws -> [String: SQLValue] {
        [
            "id": .text(promotion.id), "project": .text(promotion.project.rawValue), "slot": .text(promotion.slot.rawValue),
            "release": .text(promotion.release.rawValue), "state": .text(promotion.state.rawValue), "version": .integer(promotion.version),
            "created": .integer(promotion.createdAt.milliseconds), "live": .integer(promotion.liveAt?.milliseconds),
            "value": .text(try CanonicalJSON.text(promotion)),
        ]
    }

    private static func promotion(_ row: Row) throws -> Promotion { try CanonicalJSON.decode(Promotion.self, from: row.text("value")) }

    private static let byID = Statement("promotion.byID", "SELECT * FROM promotion WHERE id = :id")
    private static let page = Statement(
        "promotion.page",
        """
        SELECT p.* FROM promotion p LEFT JOIN promotion b ON b.id = :before
        WHERE (:project IS NULL OR p.project = :project) AND (:slot IS NULL OR p.slot = :slot) AND (:release IS NULL OR p.release = :release)
            AND (:before IS NULL OR p.created_at_ms < b.created_at_ms OR (p.created_at_ms = b.created_at_ms AND p.id < b.id))
        ORDER BY p.created_at_ms DESC, p.id DESC LIMIT :limit
        """)
    private static let open = Statement(
        "promotion.unfinished",
        """
        SELECT * FROM promotion
        WHERE state IN ('draft', 'checking', 'blocked', 'awaitingApproval', 'approved', 'waiting', 'applying', 'verifying', 'rollingBack')
        ORDER BY created_at_ms, id LIMIT 10000
        """)
    private static let openOfSlot = Statement(
        "promotion.unfinishedOfSlot",
        """
        SELECT * FROM promotion
        WHERE slot = :slot AND state IN ('draft', 'checking', 'blocked', 'awaitingApproval', 'approved', 'waiting')
        ORDER BY created_at_ms, id
        """)
    private static let inFlightOfSlot = Statement(
        "promotion.inFlight",
        """
        SELECT * FROM promotion WHERE slot = :slot AND state IN ('applying', 'verifying', 'rollingBack')
        """)
    private static let liveOfSlot = Statement("promotion.live", "SELECT * FROM promotion WHERE slot = :slot AND state = 'live'")
    private static let verified = Statement(
        "promotion.verified",
        """
        SELECT live_at_ms FROM promotion WHERE release = :release AND state IN ('live', 'retired') AND live_at_ms IS NOT NULL
        ORDER BY live_at_ms DESC LIMIT 1
        """)
    private static let former = Statement(
        "promotion.former",
        """
        SELECT release FROM promotion WHERE slot = :slot AND state IN ('live', 'retired') AND live_at_ms IS NOT NULL
        ORDER BY live_at_ms DESC, id DESC LIMIT 1000
        """)
    private static let insert = Statement(
        "promotion.insert",
        """
        INSERT INTO promotion (id, project, slot, release, state, version, created_at_ms, live_at_ms, value)
        VALUES (:id, :project, :slot, :release, :state, :version, :created, :live, :value)
        """)
    private static let update = Statement(
        "promotion.update",
        """
        UPDATE promotion SET state = :state, version = :version, live_at_ms = :live, value = :value, release = :release
        WHERE id = :id AND version = :readVersion AND project = :project AND slot = :slot AND created_at_ms = :created
        """)
    private static let requestByID = Statement("promotion.request", "SELECT * FROM promotion_request WHERE id = :id")
    private static let insertRequest = Statement(
        "promotion.insertRequest",
        """
        INSERT INTO promotion_request (id, action, subject, actor, promotion, at_ms) VALUES (:id, :action, :subject, :actor, :promotion, :at)
        """)
}
