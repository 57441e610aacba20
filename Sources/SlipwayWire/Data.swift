/// A data snapshot as the native API shows it.
public struct WireSnapshot: Codable, Sendable {
    public struct Lineage: Codable, Sendable {
        public var environment: String
        public var snapshot: String
        public var recipe: String
        public init(environment: String, snapshot: String, recipe: String) {
            self.environment = environment; self.snapshot = snapshot; self.recipe = recipe
        }
    }

    public struct Column: Codable, Sendable {
        public var name: String
        public var type: String
        public var nulls: Double?
        public var distinct: Int64?
        public var min: String?
        public var max: String?
        public init(name: String, type: String, nulls: Double?, distinct: Int64?, min: String?, max: String?) {
            self.name = name; self.type = type; self.nulls = nulls; self.distinct = distinct; self.min = min; self.max = max
        }
    }

    public struct Table: Codable, Sendable {
        public var name: String
        public var files: Int
        public var rows: Int64
        public var columns: [Column]
        public init(name: String, files: Int, rows: Int64, columns: [Column]) { self.name = name; self.files = files; self.rows = rows; self.columns = columns }
    }

    public struct Check: Codable, Sendable {
        public var name: String
        public var severity: String
        public var holds: Bool
        public var message: String
        /// Each row as JSON text; only for callers who may read the data.
        public var sample: [String]
        public init(name: String, severity: String, holds: Bool, message: String, sample: [String]) {
            self.name = name; self.severity = severity; self.holds = holds; self.message = message; self.sample = sample
        }
    }

    public var id: String
    public var environment: String
    public var project: String
    public var dataset: String
    public var manifest: String
    public var sizeBytes: Int64
    public var files: Int
    public var createdAt: String
    public var createdBy: String
    public var expiresAt: String?
    public var label: String?
    public var tags: [String]
    public var lineage: Lineage?
    public var tables: [Table]
    /// `none`, `passed`, `warned`, `failed` or `errored`
    public var verdict: String
    public var checkedAt: String?
    public var checksMessage: String?
    public var checks: [Check]
    /// In the answer to an import: false when the same tree was there already.
    public var isNew: Bool?

    public init(
        id: String, environment: String, project: String, dataset: String, manifest: String, sizeBytes: Int64, files: Int, createdAt: String, createdBy: String,
        expiresAt: String?, label: String?, tags: [String], lineage: Lineage?, tables: [Table], verdict: String, checkedAt: String?, checksMessage: String?,
        checks: [Check], isNew: Bool? = nil
    ) {
        self.id = id; self.environment = environment; self.project = project; self.dataset = dataset; self.manifest = manifest; self.sizeBytes = sizeBytes
        self.files = files; self.createdAt = createdAt; self.createdBy = createdBy; self.expiresAt = expiresAt; self.label = label; self.tags = tags
        self.lineage = lineage; self.tables = tables; self.verdict = verdict; self.checkedAt = checkedAt; self.checksMessage = checksMessage
        self.checks = checks; self.isNew = isNew
    }
}

public struct WireFile: Codable, Sendable {
    public var path: String
    public var sha256: String
    public var sizeBytes: Int64
    public init(path: String, sha256: String, sizeBytes: Int64) { self.path = path; self.sha256 = sha256; self.sizeBytes = sizeBytes }
}

public struct WireDigests: Codable, Sendable {
    public var digests: [String]
    public init(digests: [String]) { self.digests = digests }
}

public struct WireImport: Codable, Sendable {
    public var files: [WireFile]
    public var label: String?
    public var tag: String?
    /// Such as `14d`.
    public var expire: String?
    public init(files: [WireFile], label: String?, tag: String?, expire: String?) { self.files = files; self.label = label; self.tag = tag; self.expire = expire }
}

public struct WireUse: Codable, Sendable {
    public var subject: String
    public var holds: Bool
    public init(subject: String, holds: Bool) { self.subject = subject; self.holds = holds }
}

public struct WireRecipe: Codable, Sendable {
    public var dataset: String
    public var digest: String
    public var from: String
    public var every: String
    public var sample: Double
    public var mask: [String: String]
    public var commit: String
    public var proposedAt: String
    public var adoptedAt: String?
    public var adoptedBy: String?
    /// The one that refreshes follow.
    public var isInForce: Bool
    public init(
        dataset: String, digest: String, from: String, every: String, sample: Double, mask: [String: String], commit: String, proposedAt: String,
        adoptedAt: String?, adoptedBy: String?, isInForce: Bool
    ) {
        self.dataset = dataset; self.digest = digest; self.from = from; self.every = every; self.sample = sample; self.mask = mask; self.commit = commit
        self.proposedAt = proposedAt; self.adoptedAt = adoptedAt; self.adoptedBy = adoptedBy; self.isInForce = isInForce
    }
}

public struct WireRefresh: Codable, Sendable {
    public var id: String?
    public var state: String
    /// The new snapshot, nil when nothing newer was there.
    public var snapshot: String?
    public var source: String?
    public var startedAt: String?
    public var endedAt: String?
    public var by: String?
    public var message: String?
    public init(id: String?, state: String, snapshot: String?, source: String?, startedAt: String?, endedAt: String?, by: String?, message: String?) {
        self.id = id; self.state = state; self.snapshot = snapshot; self.source = source; self.startedAt = startedAt; self.endedAt = endedAt
        self.by = by; self.message = message
    }
}

public struct WireDataset: Codable, Sendable {
    public var dataset: String
    public var newest: WireSnapshot?
    /// A newer snapshot whose enforced checks do not hold.
    public var refused: WireSnapshot?
    public var recipe: WireRecipe?
    public var offered: WireRecipe?
    public var lastRefresh: WireRefresh?
    public var nextRefresh: String?
    public var isMissed: Bool
    public var freshness: String?
    public var isStale: Bool
    public init(
        dataset: String, newest: WireSnapshot?, refused: WireSnapshot?, recipe: WireRecipe?, offered: WireRecipe?, lastRefresh: WireRefresh?,
        nextRefresh: String?, isMissed: Bool, freshness: String?, isStale: Bool
    ) {
        self.dataset = dataset; self.newest = newest; self.refused = refused; self.recipe = recipe; self.offered = offered; self.lastRefresh = lastRefresh
        self.nextRefresh = nextRefresh; self.isMissed = isMissed; self.freshness = freshness; self.isStale = isStale
    }
}
