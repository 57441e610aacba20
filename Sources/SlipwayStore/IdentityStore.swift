import SlipwayCore
import SlipwaySQL

/// People, tokens, projects and settings of the installation (the control database).
package struct IdentityStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    // MARK: People

    package func person(_ name: UserName) throws -> Person? {
        try tx.first(Self.personByName, ["name": .text(name.rawValue)]).map(person)
    }

    package func people() throws -> [Person] { try tx.all(Self.allPeople).map(person) }

    package func insert(_ person: Person) throws {
        try tx.run(
            Self.insertPerson,
            [
                "name": .text(person.name.rawValue), "full": .text(person.fullName), "hash": .text(person.passwordHash),
                "admin": .bool(person.isPlatformAdministrator), "at": .integer(person.createdAt.milliseconds),
            ])
        for email in person.emails {
            try tx.run(Self.insertEmail, ["email": .text(email.lowercased()), "name": .text(person.name.rawValue)])
        }
    }

    package func setPassword(_ hash: String, of name: UserName) throws {
        try tx.run(Self.updatePassword, ["name": .text(name.rawValue), "hash": .text(hash)])
    }

    package func setAdministrator(_ isAdministrator: Bool, of name: UserName) throws {
        try tx.run(Self.updateAdministrator, ["name": .text(name.rawValue), "admin": .bool(isAdministrator)])
    }

    /// Takes the person away for good; what they did stays in the audit chain under their name.
    package func delete(_ name: UserName) throws {
        try tx.run(Self.deleteEmails, ["name": .text(name.rawValue)])
        try tx.run(Self.deletePerson, ["name": .text(name.rawValue)])
    }

    package func person(withEmail email: String) throws -> UserName? {
        try tx.first(Self.nameByEmail, ["email": .text(email.lowercased())]).map { UserName(unchecked: $0.text("user_name")) }
    }

    private func person(_ row: Row) throws -> Person {
        Person(
            name: UserName(unchecked: row.text("name")), fullName: row.text("full_name"), passwordHash: row.optionalText("password_hash"),
            isPlatformAdministrator: row.bool("is_platform_administrator"), isDisabled: row.bool("disabled"),
            emails: try tx.all(Self.emailsOf, ["name": .text(row.text("name"))]).map { $0.text("email") },
            createdAt: Timestamp(milliseconds: row.int64("created_at_ms")))
    }

    // MARK: Tokens

    package func token(_ digest: ContentDigest) throws -> AccessToken? {
        try tx.first(Self.tokenByDigest, ["digest": .text(digest.rawValue)]).flatMap(Self.token)
    }

    package func tokens(of owner: String) throws -> [AccessToken] {
        try tx.all(Self.tokensOf, ["owner": .text(owner)]).compactMap(Self.token)
    }

    package func insert(_ token: AccessToken) throws {
        try tx.run(
            Self.insertToken,
            [
                "digest": .text(token.digest.rawValue), "id": .text(token.id), "kind": .text(token.kind.rawValue), "owner": .text(token.owner),
                "label": .text(token.label), "project": .text(token.project?.rawValue), "environment": .text(token.environment?.rawValue),
                "created": .integer(token.createdAt.milliseconds), "expires": .integer(token.expiresAt.milliseconds),
            ])
    }

    /// - Returns: false when the owner has no such live token.
    package func revokeToken(_ id: String, of owner: String, at: Timestamp) throws -> Bool {
        try tx.run(Self.revoke, ["id": .text(id), "owner": .text(owner), "at": .integer(at.milliseconds)]) > 0
    }

    package func revokeTokens(of owner: String, at: Timestamp) throws {
        try tx.run(Self.revokeAll, ["owner": .text(owner), "at": .integer(at.milliseconds)])
    }

    private static func token(_ row: Row) -> AccessToken? {
        guard let digest = ContentDigest(rawValue: row.text("digest")), let kind = AccessToken.Kind(rawValue: row.text("kind")) else { return nil }
        return AccessToken(
            id: row.text("id"), digest: digest, kind: kind, owner: row.text("owner"), label: row.text("label"),
            project: row.optionalText("project").map { ProjectName(unchecked: $0) },
            environment: row.optionalText("environment").flatMap(EnvironmentID.init(rawValue:)),
            createdAt: Timestamp(milliseconds: row.int64("created_at_ms")), expiresAt: Timestamp(milliseconds: row.int64("expires_at_ms")),
            revokedAt: row.optionalInt("revoked_at_ms").map(Timestamp.init(milliseconds:)))
    }

    // MARK: Projects and settings

    package func project(_ name: ProjectName) throws -> Project? {
        try tx.first(Self.projectByName, ["name": .text(name.rawValue)]).map(Self.project)
    }

    package func projects() throws -> [Project] { try tx.all(Self.allProjects).map(Self.project) }

    package func insert(_ project: Project) throws {
        try tx.run(
            Self.insertProject,
            [
                "name": .text(project.name.rawValue), "owner": .text(project.owner), "at": .integer(project.createdAt.milliseconds), "by": .text(project.createdBy),
            ])
    }

    private static func project(_ row: Row) -> Project {
        Project(
            name: ProjectName(unchecked: row.text("name")), owner: row.text("owner"),
            createdAt: Timestamp(milliseconds: row.int64("created_at_ms")), createdBy: row.text("created_by"))
    }

    package func setting(_ name: String) throws -> String? {
        try tx.first(Self.settingByName, ["name": .text(name)])?.text("value")
    }

    package func set(_ name: String, to value: String) throws {
        try tx.run(Self.upsertSetting, ["name": .text(name), "value": .text(value)])
    }

    package func removeSetting(_ name: String) throws { try tx.run(Self.deleteSetting, ["name": .text(name)]) }

    private static let personByName = Statement("person.byName", "SELECT * FROM person WHERE name = :name")
    private static let allPeople = Statement("person.all", "SELECT * FROM person ORDER BY name")
    private static let insertPerson = Statement(
        "person.insert",
        """
        INSERT INTO person (name, full_name, password_hash, is_platform_administrator, created_at_ms) VALUES (:name, :full, :hash, :admin, :at)
        """)
    private static let insertEmail = Statement("person.insertEmail", "INSERT INTO person_email (email, user_name) VALUES (:email, :name)")
    private static let updatePassword = Statement("person.updatePassword", "UPDATE person SET password_hash = :hash WHERE name = :name")
    private static let updateAdministrator = Statement("person.updateAdministrator", "UPDATE person SET is_platform_administrator = :admin WHERE name = :name")
    private static let deleteEmails = Statement("person.deleteEmails", "DELETE FROM person_email WHERE user_name = :name")
    private static let deletePerson = Statement("person.delete", "DELETE FROM person WHERE name = :name")
    private static let nameByEmail = Statement("person.byEmail", "SELECT user_name FROM person_email WHERE email = :email")
    private static let emailsOf = Statement("person.emails", "SELECT email FROM person_email WHERE user_name = :name ORDER BY email")
    private static let tokenByDigest = Statement("token.byDigest", "SELECT * FROM access_token WHERE digest = :digest")
    private static let tokensOf = Statement(
        "token.ofOwner",
        """
        SELECT * FROM access_token WHERE owner = :owner AND kind IN ('personal', 'service') ORDER BY created_at_ms DESC LIMIT 1000
        """)
    private static let insertToken = Statement(
        "token.insert",
        """
        INSERT INTO access_token (digest, id, kind, owner, label, project, environment, created_at_ms, expires_at_ms)
        VALUES (:digest, :id, :kind, :owner, :label, :project, :environment, :created, :expires)
        """)
    private static let revoke = Statement(
        "token.revoke",
        """
        UPDATE access_token SET revoked_at_ms = :at WHERE id = :id AND owner = :owner AND revoked_at_ms IS NULL
        """)
    private static let revokeAll = Statement("token.revokeAll", "UPDATE access_token SET revoked_at_ms = :at WHERE owner = :owner AND revoked_at_ms IS NULL")
    private static let projectByName = Statement("project.byName", "SELECT * FROM project WHERE name = :name")
    private static let allProjects = Statement("project.all", "SELECT * FROM project ORDER BY name LIMIT 1000")
    private static let insertProject = Statement("project.insert", "INSERT INTO project (name, owner, created_at_ms, created_by) VALUES (:name, :owner, :at, :by)")
    private static let settingByName = Statement("setting.byName", "SELECT value FROM setting WHERE name = :name")
    private static let upsertSetting = Statement(
        "setting.upsert",
        """
        INSERT INTO setting (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value
        """)
    private static let deleteSetting = Statement("setting.delete", "DELETE FROM setting WHERE name = :name")
}
