public struct WireSlot: Codable, Sendable {
    public var name: String
    public var environment: String
    public var project: String
    public var current: String?
    public var promotion: String?
    public var fallback: String?
    public var generation: Int
    public var hold: String?
    public var heldBy: String?
    public var heldAt: String?
    public var updatedAt: String
    public init(
        name: String, environment: String, project: String, current: String?, promotion: String?, fallback: String?, generation: Int, hold: String?, heldBy: String?,
        heldAt: String?, updatedAt: String
    ) {
        self.name = name
        self.environment = environment
        self.project = project
        self.current = current
        self.promotion = promotion
        self.fallback = fallback
        self.generation = generation
        self.hold = hold
        self.heldBy = heldBy
        self.heldAt = heldAt
        self.updatedAt = updatedAt
    }
}

/// What a slot served from one moment to the next, who let it in and on which data.
public struct WireChapter: Codable, Sendable {
    public var generation: Int
    public var from: String
    /// Nil: until now.
    public var until: String?
    /// `live`, `rollback` or `retire`.
    public var cause: String
    public var release: String?
    public var fallback: String?
    /// The promotion that brought the release.
    public var promotion: String?
    public var commit: String?
    public var model: String?
    public var modelVersion: Int?
    public var requestedBy: String?
    public var approvedBy: [String]
    public var appliedBy: String?
    public var policy: String?
    /// dataset → manifest digest of the training data
    public var trainedOn: [String: String]
    /// dataset → snapshot id that the gates measured on
    public var checkedOn: [String: String]
    public init(generation: Int, from: String, until: String?, cause: String, release: String?, fallback: String?, promotion: String?) {
        self.generation = generation
        self.from = from
        self.until = until
        self.cause = cause
        self.release = release
        self.fallback = fallback
        self.promotion = promotion
        approvedBy = []
        trainedOn = [:]
        checkedOn = [:]
    }
}

public struct WirePolicy: Codable, Sendable {
    public var project: String
    public var environment: String
    public var name: String
    /// 0: the one that comes with Slipway.
    public var version: Int
    public var text: String
    public var installedAt: String?
    public var installedBy: String
    public init(project: String, environment: String, name: String, version: Int, text: String, installedAt: String?, installedBy: String) {
        self.project = project
        self.environment = environment
        self.name = name
        self.version = version
        self.text = text
        self.installedAt = installedAt
        self.installedBy = installedBy
    }
}

public struct WireNewPolicy: Codable, Sendable {
    public var project: String
    /// YAML.
    public var text: String
    public init(project: String, text: String) { self.project = project; self.text = text }
}

public struct WireFreeze: Codable, Sendable {
    public var id: String?
    public var project: String
    public var slot: String?
    public var reason: String
    public var owner: String?
    public var createdAt: String?
    public var expiresAt: String?
    public var liftedAt: String?
    public var liftedBy: String?
    /// In a request: how long, such as `4h`; nil until it is lifted.
    public var lifetime: String?
    public init(project: String, slot: String?, reason: String, lifetime: String? = nil) {
        self.project = project
        self.slot = slot
        self.reason = reason
        self.lifetime = lifetime
    }
}

public struct WireAuditEvent: Codable, Sendable {
    public var seq: Int64
    public var at: String
    public var actor: String
    public var action: String
    public var project: String
    public var subject: String
    /// Canonical JSON text: what the hash was computed over.
    public var details: String
    public var previousHash: String
    public var hash: String
    public init(seq: Int64, at: String, actor: String, action: String, project: String, subject: String, details: String, previousHash: String, hash: String) {
        self.seq = seq
        self.at = at
        self.actor = actor
        self.action = action
        self.project = project
        self.subject = subject
        self.details = details
        self.previousHash = previousHash
        self.hash = hash
    }
}

public struct WireAuditVerdict: Codable, Sendable {
    /// Events whose hashes were computed again and fit.
    public var verified: Int64
    /// The first that does not fit.
    public var broken: Int64?
    public init(verified: Int64, broken: Int64?) { self.verified = verified; self.broken = broken }
}
