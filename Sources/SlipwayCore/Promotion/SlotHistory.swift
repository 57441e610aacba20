/// What a slot held from one moment to the next.
package struct SlotChapter: Sendable, Hashable, Codable {
    package var generation: Int
    package var release: ContentDigest?
    package var fallback: ContentDigest?
    /// The promotion that caused it.
    package var promotion: String?
    /// `live`, `rollback` or `retire`.
    package var cause: String
    package var from: Timestamp
    /// Nil: until now.
    package var until: Timestamp?

    package init(
        generation: Int, release: ContentDigest?, fallback: ContentDigest?, promotion: String?, cause: String, from: Timestamp, until: Timestamp? = nil
    ) {
        self.generation = generation
        self.release = release
        self.fallback = fallback
        self.promotion = promotion
        self.cause = cause
        self.from = from
        self.until = until
    }
}

/// Rebuilds a slot from the audit log: the time machine.
package struct SlotHistory: Sendable, Hashable {
    package private(set) var chapters: [SlotChapter] = []
    package private(set) var hold: String?

    /// - Parameter events: of the subject `slot:<name>`, oldest first.
    /// - Throws: `internalFault` when an event cannot be understood.
    package init(replaying events: [AuditEvent]) throws {
        for event in events {
            switch event.action {
            case "slot.move": try move(event)
            case "slot.hold": hold = event.details["reason"]?.string
            case "slot.lift": hold = nil
            default: break
            }
        }
    }

    private mutating func move(_ event: AuditEvent) throws {
        guard let generation = event.details["generation"]?.int, let cause = event.details["cause"]?.string else {
            throw SlipwayError.fault("Audit event \(event.seq) lacks its generation or cause.")
        }
        if !chapters.isEmpty { chapters[chapters.count - 1].until = event.at }
        chapters.append(
            SlotChapter(
                generation: Int(generation), release: event.details["release"]?.string.flatMap(ContentDigest.init(rawValue:)),
                fallback: event.details["fallback"]?.string.flatMap(ContentDigest.init(rawValue:)),
                promotion: event.details["promotion"]?.string, cause: cause, from: event.at))
    }

    /// What the slot held at that time, nil before its first release.
    package func chapter(at time: Timestamp) -> SlotChapter? { chapters.last { $0.from <= time } }
}
