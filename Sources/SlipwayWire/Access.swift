public struct WireSignIn: Codable, Sendable {
    public var user: String
    public var password: String
    public init(user: String, password: String) {
        self.user = user
        self.password = password
    }
}

public struct WireSecret: Codable, Sendable {
    public var secret: String
    public var expiresAt: String
    public init(secret: String, expiresAt: String) {
        self.secret = secret
        self.expiresAt = expiresAt
    }
}

public struct WireBootstrap: Codable, Sendable {
    public struct Person: Codable, Sendable {
        public var name: String
        public var fullName: String?
        public var password: String
        public var emails: [String]?
        public var administrator: Bool?
        /// environment → roles, such as `{"dev": ["contributor"]}`
        public var roles: [String: [String]]?
    }
    public var secret: String?
    public var project: String
    public var people: [Person]
}

public struct WireCaller: Codable, Sendable {
    public var principal: String
    public var administrator: Bool
    public var roles: [WireRole]
    public init(principal: String, administrator: Bool, roles: [WireRole]) {
        self.principal = principal
        self.administrator = administrator
        self.roles = roles
    }
}

public struct WireRole: Codable, Sendable {
    public var user: String
    public var project: String
    public var environment: String
    public var role: String
    public var grantedAt: String?
    public init(user: String, project: String, environment: String, role: String, grantedAt: String? = nil) {
        self.user = user
        self.project = project
        self.environment = environment
        self.role = role
        self.grantedAt = grantedAt
    }
}

public struct WireUser: Codable, Sendable {
    public var name: String
    public var fullName: String?
    public var password: String?
    public var emails: [String]?
    public var administrator: Bool?
    public var createdAt: String?
    public init(name: String, fullName: String?, password: String? = nil, emails: [String]?, administrator: Bool?, createdAt: String? = nil) {
        self.name = name
        self.fullName = fullName
        self.password = password
        self.emails = emails
        self.administrator = administrator
        self.createdAt = createdAt
    }
}

public struct WireToken: Codable, Sendable {
    public var id: String
    public var label: String
    public var project: String?
    public var createdAt: String
    public var expiresAt: String
    public var revokedAt: String?
    public init(id: String, label: String, project: String?, createdAt: String, expiresAt: String, revokedAt: String?) {
        self.id = id
        self.label = label
        self.project = project
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.revokedAt = revokedAt
    }
}

public struct WireNewToken: Codable, Sendable {
    public var label: String
    public var project: String?
    /// Such as `90d`.
    public var lifetime: String?
    /// A service's name: then the token is a machine's, for one project in one environment.
    public var service: String?
    public var environment: String?
    public init(label: String, project: String?, lifetime: String?, service: String? = nil, environment: String? = nil) {
        self.label = label
        self.project = project
        self.lifetime = lifetime
        self.service = service
        self.environment = environment
    }
}

public struct WireProject: Codable, Sendable {
    public var name: String
    public var owner: String?
    public var createdAt: String?
    public init(name: String, owner: String?, createdAt: String? = nil) {
        self.name = name
        self.owner = owner
        self.createdAt = createdAt
    }
}
