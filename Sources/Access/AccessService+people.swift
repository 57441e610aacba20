import Crypto
import Foundation
import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// The first people and the first project's roles, asked for once with the secret of the first start.
package struct BootstrapRequest: Sendable {
    package struct NewPerson: Sendable {
        package var name: String
        package var fullName: String
        package var password: String
        package var emails: [String]
        package var isPlatformAdministrator: Bool
        /// environment → roles
        package var roles: [EnvironmentID: [Role]]

        package init(
            name: String, fullName: String, password: String, emails: [String], isPlatformAdministrator: Bool, roles: [EnvironmentID: [Role]]
        ) {
            self.name = name
            self.fullName = fullName
            self.password = password
            self.emails = emails
            self.isPlatformAdministrator = isPlatformAdministrator
            self.roles = roles
        }
    }

    package var project: String
    package var people: [NewPerson]

    package init(project: String, people: [NewPerson]) {
        self.project = project
        self.people = people
    }
}

extension AccessService {
    static let secretSetting = "bootstrap.secret"
    static let doneSetting = "bootstrap.done"

    /// Makes the one-time secret of a first start.
    /// - Returns: the secret, or nil when the installation has its people already.
    package func firstStartSecret() async throws -> String? {
        let secret = "slp_first_" + SymmetricKey(size: .bits128).withUnsafeBytes { Array($0) }.hexadecimal
        return try await control.write { tx in
            let store = IdentityStore(tx: tx)
            if try store.setting(Self.doneSetting) != nil { return nil }
            // A lost secret is replaced by starting again: who can start the server on this folder owns it anyway.
            try store.set(Self.secretSetting, to: ContentDigest(of: secret).rawValue)
            return secret
        }
    }

    package func isBootstrapped() async throws -> Bool {
        try await control.read { tx in try IdentityStore(tx: tx).setting(Self.doneSetting) != nil }
    }

    /// The one audited act of `promotion.md`: people, the first project and its roles in all environments; then the secret is void.
    package func bootstrap(_ request: BootstrapRequest, secret: String) async throws {
        let project = try ProjectName(parsing: request.project)
        guard project != .implicit else { throw SlipwayError.invalid("'default' is the implicit project of dev.", remedy: "Choose another name.") }
        guard !request.people.isEmpty, request.people.count <= 1000 else { throw SlipwayError.invalid("A bootstrap names 1 to 1000 people.") }
        guard request.people.contains(where: \.isPlatformAdministrator) else {
            throw SlipwayError.invalid("Nobody would be platform administrator.", remedy: "Set 'administrator: true' for at least one person.")
        }
        let now = clock.now
        var people: [(Person, [EnvironmentID: [Role]])] = []
        for new in request.people {
            try PasswordHash.check(new.password)
            let password = new.password
            people.append(
                (
                    Person(
                        name: try UserName(parsing: new.name), fullName: new.fullName, passwordHash: try await offload { try PasswordHash.make(password) },
                        isPlatformAdministrator: new.isPlatformAdministrator, emails: new.emails, createdAt: now),
                    new.roles
                ))
        }
        let arrived = people
        // Roles first: they are void without people, and a crash between the two leaves the secret valid for another try.
        for (environment, realm) in realms {
            try await realm.database.write { tx in
                for (person, roles) in arrived {
                    for role in roles[environment] ?? [] where try GrantStore(tx: tx).grant(role, of: project, to: person.name, by: .system("bootstrap"), at: now) {
                        try AuditStore(tx: tx).append(
                            "role.grant", subject: "user:\(person.name)", project: project, by: .system("bootstrap"), at: now, details: ["role": .string(role.rawValue)])
                    }
                }
            }
        }
        try await control.write { tx in
            let store = IdentityStore(tx: tx)
            guard try store.setting(Self.doneSetting) == nil else {
                throw SlipwayError(.conflict, "This installation has its people already; the first secret is void.", remedy: "Sign in: slipway login")
            }
            guard try store.setting(Self.secretSetting) == ContentDigest(of: secret).rawValue else {
                throw SlipwayError(
                    .unauthenticated, "You are not authenticated. The first-start secret is wrong.", remedy: "It is in the file 'first-start-secret' of the data folder.")
            }
            for (person, _) in arrived { try store.insert(person) }
            try store.insert(Project(name: project, owner: arrived[0].0.name.rawValue, createdAt: now, createdBy: "system:bootstrap"))
            try store.endBootstrap(at: now)
            try AuditStore(tx: tx).append(
                "installation.bootstrap", subject: "project:\(project)", project: project, by: .system("bootstrap"), at: now,
                details: ["people": .array(arrived.map { .string($0.0.name.rawValue) })])
        }
        forgetCallers()
    }

    // MARK: People

    package func people(by caller: Caller) async throws -> [Person] {
        try caller.requireNamed()
        return try await control.read { tx in try IdentityStore(tx: tx).people() }
    }

    package func createPerson(
        name: String, fullName: String, password: String, emails: [String], isPlatformAdministrator: Bool, by caller: Caller
    ) async throws {
        try caller.requirePlatformAdministrator()
        try PasswordHash.check(password)
        let now = clock.now
        let person = Person(
            name: try UserName(parsing: name), fullName: fullName, passwordHash: try await offload { try PasswordHash.make(password) },
            isPlatformAdministrator: isPlatformAdministrator, emails: emails, createdAt: now)
        try await control.write { tx in
            guard try IdentityStore(tx: tx).person(person.name) == nil else {
                throw SlipwayError(.alreadyExists, "There is a user '\(person.name)' already.", remedy: "See who is: slipway user list")
            }
            try IdentityStore(tx: tx).insert(person)
            try AuditStore(tx: tx).append("user.create", subject: "user:\(person.name)", by: caller.principal, at: now)
        }
    }

    /// Sets a password and ends the person's sessions and tokens. The way back for a lost password is this call with a system
    /// caller, which only the machine's own shell can make (`slipway user reset-password --data`).
    package func setPassword(_ password: String, of name: UserName, by caller: Caller) async throws {
        try caller.requireNamed()
        guard caller.principal.userName == name || caller.isSystem || caller.isPlatformAdministrator else {
            throw SlipwayError(.notAllowed, "Only '\(name)' or a platform administrator may do this.")
        }
        try PasswordHash.check(password)
        let hash = try await offload { try PasswordHash.make(password) }
        let now = clock.now
        try await control.write { tx in
            let store = IdentityStore(tx: tx)
            guard try store.person(name) != nil else { throw SlipwayError.notFound("There is no user '\(name)'.", remedy: "See who is: slipway user list") }
            try store.setPassword(hash, of: name)
            try store.revokeTokens(of: name.rawValue, at: now)
            try AuditStore(tx: tx).append("user.setPassword", subject: "user:\(name)", by: caller.principal, at: now)
        }
        forgetCallers()
    }

    /// Which user an e-mail of a commit belongs to.
    package func person(withEmail email: String) async throws -> UserName? {
        try await control.read { tx in try IdentityStore(tx: tx).person(withEmail: email) }
    }

    // MARK: Projects and roles

    package func projects(by caller: Caller) async throws -> [Project] {
        try caller.requireSomebody()
        let all = try await control.read { tx in try IdentityStore(tx: tx).projects() }
        return all.filter { project in
            caller.isSystem || caller.isPlatformAdministrator || caller.grants.contains { $0.project == project.name }
        }
    }

    /// - Throws: `notFound` for a name that does not exist or that the caller may not know about.
    package func project(_ name: ProjectName, by caller: Caller) async throws -> Project {
        guard let project = try await projects(by: caller).first(where: { $0.name == name }) else {
            throw SlipwayError.notFound("There is no project '\(name)' that you can see.", remedy: "See yours: slipway project list")
        }
        return project
    }

    package func createProject(_ name: ProjectName, admin: UserName, by caller: Caller) async throws {
        try caller.requirePlatformAdministrator()
        guard name != .implicit else { throw SlipwayError.invalid("'default' is the implicit project of dev.", remedy: "Choose another name.") }
        let now = clock.now
        try await control.write { tx in
            let store = IdentityStore(tx: tx)
            guard try store.project(name) == nil else {
                throw SlipwayError(.alreadyExists, "There is a project '\(name)' already.", remedy: "See them: slipway project list")
            }
            guard try store.person(admin) != nil else { throw SlipwayError.notFound("There is no user '\(admin)'.", remedy: "See who is: slipway user list") }
            try store.insert(Project(name: name, owner: admin.rawValue, createdAt: now, createdBy: caller.principal.raw))
            try AuditStore(tx: tx).append("project.create", subject: "project:\(name)", project: name, by: caller.principal, at: now, details: ["admin": .string(admin.rawValue)])
        }
        for realm in realms.values {
            try await realm.database.write { tx in
                _ = try GrantStore(tx: tx).grant(.admin, of: name, to: admin, by: caller.principal, at: now)
                try AuditStore(tx: tx).append("role.grant", subject: "user:\(admin)", project: name, by: caller.principal, at: now, details: ["role": "admin"])
            }
        }
        forgetCallers()
    }

    package struct RoleHolder: Sendable {
        package var user: UserName
        package var grant: RoleGrant
    }

    package func holders(of project: ProjectName, by caller: Caller) async throws -> [RoleHolder] {
        _ = try await self.project(project, by: caller)
        var holders: [RoleHolder] = []
        for environment in EnvironmentID.allCases {
            guard let realm = realms[environment] else { continue }
            holders += try await realm.database.read { tx in
                try GrantStore(tx: tx).holders(in: project, environment).map { RoleHolder(user: $0.user, grant: $0.grant) }
            }
        }
        return holders
    }

    package func changeRole(_ role: Role, of user: UserName, in project: ProjectName, _ environment: EnvironmentID, granted: Bool, by caller: Caller) async throws {
        try caller.require(.grantRoles, project: project, environment: environment)
        guard let realm = realms[environment] else { throw SlipwayError(.unavailable, "\(environment.rawValue) does not run in this process.") }
        guard role != .service else {
            throw SlipwayError.invalid(
                "'service' is for service accounts.", remedy: "Make a token: slipway token create LABEL --service NAME --project PROJECT --environment ENVIRONMENT")
        }
        let known = try await control.read { tx in try IdentityStore(tx: tx).person(user) != nil }
        guard known else { throw SlipwayError.notFound("There is no user '\(user)'.", remedy: "See who is: slipway user list") }
        if environment == .prod, granted, caller.principal.userName == user {
            throw SlipwayError(.notAllowed, "Nobody grants themselves a role in prod.", remedy: "Ask another admin of project '\(project)'.")
        }
        let now = clock.now
        try await realm.database.write { tx in
            let store = GrantStore(tx: tx)
            let changed =
                granted
                ? try store.grant(role, of: project, to: user, by: caller.principal, at: now)
                : try store.revoke(role, of: project, from: user)
            guard changed else { return }
            try AuditStore(tx: tx).append(
                granted ? "role.grant" : "role.revoke", subject: "user:\(user)", project: project, by: caller.principal, at: now, details: ["role": .string(role.rawValue)])
        }
        forgetCallers()
    }
}

extension IdentityStore {
    /// There are people now: the first start's secret is void.
    func endBootstrap(at now: Timestamp) throws {
        try set(AccessService.doneSetting, to: now.iso8601)
        try removeSetting(AccessService.secretSetting)
    }
}
