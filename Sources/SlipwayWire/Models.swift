/// A registered model.
public struct WireModel: Codable, Sendable {
    public struct Alias: Codable, Sendable {
        public var alias: String
        public var version: Int
        public init(alias: String, version: Int) {
            self.alias = alias
            self.version = version
        }
    }

    public var name: String
    public var environment: String
    public var project: String
    public var description: String?
    public var newestVersion: Int?
    public var aliases: [Alias]
    public var createdAt: String
    public var updatedAt: String

    public init(
        name: String, environment: String, project: String, description: String?, newestVersion: Int?, aliases: [Alias], createdAt: String, updatedAt: String
    ) {
        self.name = name
        self.environment = environment
        self.project = project
        self.description = description
        self.newestVersion = newestVersion
        self.aliases = aliases
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}

/// A version of a registered model. Its files never change: `manifest` is the digest that names them all.
public struct WireModelVersion: Codable, Sendable {
    public var name: String
    public var version: Int
    /// Nil when the files lie outside Slipway.
    public var manifest: String?
    public var sizeBytes: Int64
    public var files: Int
    public var source: String
    public var run: String?
    public var loggedModel: String?
    public var user: String
    public var description: String?
    public var aliases: [String]
    public var tags: [WireRun.Pair]
    public var createdAt: String

    public init(
        name: String, version: Int, manifest: String?, sizeBytes: Int64, files: Int, source: String, run: String?, loggedModel: String?, user: String,
        description: String?, aliases: [String], tags: [WireRun.Pair], createdAt: String
    ) {
        self.name = name
        self.version = version
        self.manifest = manifest
        self.sizeBytes = sizeBytes
        self.files = files
        self.source = source
        self.run = run
        self.loggedModel = loggedModel
        self.user = user
        self.description = description
        self.aliases = aliases
        self.tags = tags
        self.createdAt = createdAt
    }
}

/// Where an alias is to point.
public struct WireAlias: Codable, Sendable {
    public var version: Int
    public init(version: Int) { self.version = version }
}
