package struct Person: Sendable, Hashable {
    package var name: UserName
    package var fullName: String
    package var passwordHash: String?
    package var isPlatformAdministrator: Bool
    package var isDisabled: Bool
    package var emails: [String]
    package var createdAt: Timestamp

    package init(
        name: UserName, fullName: String, passwordHash: String?, isPlatformAdministrator: Bool, isDisabled: Bool = false,
        emails: [String], createdAt: Timestamp
    ) {
        self.name = name
        self.fullName = fullName
        self.passwordHash = passwordHash
        self.isPlatformAdministrator = isPlatformAdministrator
        self.isDisabled = isDisabled
        self.emails = emails
        self.createdAt = createdAt
    }
}

package struct AccessToken: Sendable, Hashable {
    package enum Kind: String, Sendable { case personal, session, service, execution }

    package var id: String
    package var digest: ContentDigest
    package var kind: Kind
    /// A user's name, a service's name, or an execution's id.
    package var owner: String
    package var label: String
    package var project: ProjectName?
    package var environment: EnvironmentID?
    package var createdAt: Timestamp
    package var expiresAt: Timestamp
    package var revokedAt: Timestamp?

    package init(
        id: String, digest: ContentDigest, kind: Kind, owner: String, label: String, project: ProjectName?, environment: EnvironmentID?,
        createdAt: Timestamp, expiresAt: Timestamp, revokedAt: Timestamp? = nil
    ) {
        self.id = id
        self.digest = digest
        self.kind = kind
        self.owner = owner
        self.label = label
        self.project = project
        self.environment = environment
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.revokedAt = revokedAt
    }
}

package struct Project: Sendable, Hashable {
    package var name: ProjectName
    package var owner: String
    package var createdAt: Timestamp
    package var createdBy: String

    package init(name: ProjectName, owner: String, createdAt: Timestamp, createdBy: String) {
        self.name = name
        self.owner = owner
        self.createdAt = createdAt
        self.createdBy = createdBy
    }
}
