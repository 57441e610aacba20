import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// Accounts as MLflow's user endpoints make them. They are Slipway's own people.
extension AccessService {
    /// Makes the administrator of `--auth basic` on a first start; an account of that name stays as it is.
    package func seedAdministrator(_ name: String, password: String?) async throws {
        let user = try Self.accountName(name)
        if try await control.read({ tx in try IdentityStore(tx: tx).person(user) }) != nil { return }
        guard let password, !password.isEmpty else {
            throw SlipwayError.invalid(
                "There is no administrator '\(name)' yet, and no password to make one with.",
                remedy: "Say --admin-password, or set MLFLOW_AUTH_ADMIN_PASSWORD (12 characters or more).")
        }
        try PasswordHash.check(password)
        let hash = try await offload { try PasswordHash.make(password) }
        let now = clock.now
        try await control.write { tx in
            let store = IdentityStore(tx: tx)
            try store.insert(Person(name: user, fullName: name, passwordHash: hash, isPlatformAdministrator: true, emails: [], createdAt: now))
            try store.endBootstrap(at: now)
            try AuditStore(tx: tx).append("user.create", subject: "user:\(user)", by: .system("serve"), at: now, details: ["administrator": true])
        }
        forgetCallers()
    }

    /// MLflow's user names are any text; Basic authentication ends them at the first colon.
    static func accountName(_ name: String) throws -> UserName {
        let isClean = name.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F && $0 != ":" && $0 != "\u{0}" }
        guard isClean, (1...255).contains(name.utf8.count), name.first != " ", name.last != " " else {
            throw SlipwayError.invalid("Invalid username '\(name.prefix(80))'.", remedy: "Use 1 to 255 bytes without colons and control characters.")
        }
        return UserName(unchecked: name)
    }

    package func createAccount(_ name: String, password: String, by caller: Caller) async throws -> Person {
        try requireAdministrator(caller)
        let user = try Self.accountName(name)
        try PasswordHash.check(password)
        let hash = try await offload { try PasswordHash.make(password) }
        let now = clock.now
        let person = Person(name: user, fullName: name, passwordHash: hash, isPlatformAdministrator: false, emails: [], createdAt: now)
        try await control.write { tx in
            guard try IdentityStore(tx: tx).person(user) == nil else { throw SlipwayError(.alreadyExists, "User (username=\(name.prefix(255))) already exists.") }
            try IdentityStore(tx: tx).insert(person)
            try AuditStore(tx: tx).append("user.create", subject: "user:\(user)", by: caller.principal, at: now)
        }
        return person
    }

    /// Oneself, or anybody for an administrator.
    package func account(_ name: String, by caller: Caller) async throws -> Person {
        try caller.requireNamed()
        guard caller.isPlatformAdministrator || caller.principal.userName?.rawValue == name else { throw Self.denied }
        return try await existing(name)
    }

    package func accounts(by caller: Caller) async throws -> [Person] {
        try requireAdministrator(caller)
        return try await people(by: caller)
    }

    /// - Parameter current: asked of somebody who changes their own, so that a stolen session cannot.
    package func changePassword(of name: String, to password: String, current: String?, by caller: Caller) async throws {
        try caller.requireNamed()
        let isOwn = caller.principal.userName?.rawValue == name
        guard isOwn || caller.isPlatformAdministrator else { throw Self.denied }
        let person = try await existing(name)
        if isOwn {
            guard let current, !current.isEmpty else { throw SlipwayError.invalid("Current password is required when changing your own password.") }
            do {
                _ = try await signInCheck(user: name, password: current)
            } catch let error as SlipwayError where error.code == .unauthenticated {
                throw SlipwayError.invalid("Current password does not match.")
            }
            guard password != current else { throw SlipwayError.invalid("New password must differ from the current password.") }
        }
        try await setPassword(password, of: person.name, by: caller)
    }

    package func setAdministrator(_ isAdministrator: Bool, of name: String, by caller: Caller) async throws {
        try requireAdministrator(caller)
        let user = try await existing(name).name
        let now = clock.now
        try await control.write { tx in
            let store = IdentityStore(tx: tx)
            if !isAdministrator { try store.checkAnotherAdministrator(than: user) }
            try store.setAdministrator(isAdministrator, of: user)
            try AuditStore(tx: tx).append("user.setAdministrator", subject: "user:\(user)", by: caller.principal, at: now, details: ["administrator": .bool(isAdministrator)])
        }
        forgetCallers()
    }

    /// Takes the account, its tokens, roles and levels away. What it did stays on record.
    package func deleteAccount(_ name: String, by caller: Caller) async throws {
        try requireAdministrator(caller)
        let user = try await existing(name).name
        let now = clock.now
        try await control.write { tx in
            let store = IdentityStore(tx: tx)
            try store.checkAnotherAdministrator(than: user)
            try store.revokeTokens(of: user.rawValue, at: now)
            try store.delete(user)
            try AuditStore(tx: tx).append("user.delete", subject: "user:\(user)", by: caller.principal, at: now)
        }
        // Without the account none of this says anything; it goes so that a later account of that name starts with nothing.
        for realm in realms.values {
            try await realm.database.write { tx in
                try GrantStore(tx: tx).revokeAll(of: user)
                try LevelStore(tx: tx).removeAll(of: user)
            }
        }
        forgetCallers()
    }

    private func requireAdministrator(_ caller: Caller) throws {
        try caller.requireNamed()
        guard caller.isPlatformAdministrator else { throw Self.denied }
    }

    // MARK: Bundles (MLflow's roles)

    package func bundles(by caller: Caller) async throws -> [LevelBundle] {
        try requireAdministrator(caller)
        return try await levelRealm().database.read { tx in try LevelStore(tx: tx).bundles() }
    }

    package func bundle(_ id: Int64, by caller: Caller) async throws -> LevelBundle {
        try requireAdministrator(caller)
        return try await levelRealm().database.read { tx in try LevelStore(tx: tx).existing(bundle: id) }
    }

    package func createBundle(_ name: String, description: String?, by caller: Caller) async throws -> LevelBundle {
        try await changeBundles("bundle.create", name, by: caller) { store, now in
            guard try store.bundle(named: name) == nil else { throw SlipwayError(.alreadyExists, "Role with name=\(name.prefix(200)) already exists in workspace=default") }
            return try store.insert(bundle: name, description: description, by: caller.principal, at: now)
        }
    }

    package func updateBundle(_ id: Int64, name: String?, description: String?, by caller: Caller) async throws -> LevelBundle {
        try await changeBundles("bundle.update", String(id), by: caller) { store, _ in
            _ = try store.existing(bundle: id)
            if let name, let other = try store.bundle(named: name), other.id != id {
                throw SlipwayError(.alreadyExists, "Role with name=\(name.prefix(200)) already exists in workspace=default")
            }
            try store.update(bundle: id, name: name, description: description)
            return try store.existing(bundle: id)
        }
    }

    package func deleteBundle(_ id: Int64, by caller: Caller) async throws {
        try await changeBundles("bundle.delete", String(id), by: caller) { store, _ in
            _ = try store.existing(bundle: id)
            try store.delete(bundle: id)
        }
    }

    package func addLevel(_ level: AccessLevel, on resource: LevelResource, to bundle: Int64, by caller: Caller) async throws -> LevelGrant {
        try await changeBundles("bundle.grant", String(bundle), by: caller) { store, now in
            _ = try store.existing(bundle: bundle)
            guard let grant = try store.insert(level, on: resource, bundle: bundle, by: caller.principal, at: now) else {
                throw SlipwayError(
                    .alreadyExists, "Role permission (role_id=\(bundle), resource_type=\(resource.kind.rawValue), resource_pattern=\(resource.id.prefix(200))) already exists.")
            }
            return grant
        }
    }

    package func updateLevel(_ id: Int64, to level: AccessLevel, by caller: Caller) async throws -> LevelGrant {
        try await changeBundles("bundle.grant", "permission \(id)", by: caller) { store, _ in
            _ = try store.existing(grant: id)
            try store.set(level, grant: id)
            return try store.existing(grant: id)
        }
    }

    package func removeLevel(_ id: Int64, by caller: Caller) async throws {
        try await changeBundles("bundle.revoke", "permission \(id)", by: caller) { store, _ in
            _ = try store.existing(grant: id)
            try store.remove(grant: id)
        }
    }

    package func assign(_ bundle: Int64, to name: String, by caller: Caller) async throws -> LevelMember {
        try requireAdministrator(caller)
        let user = try await existing(name).name
        return try await changeBundles("bundle.assign", "\(bundle) to \(name)", by: caller) { store, _ in
            _ = try store.existing(bundle: bundle)
            return try store.add(user, to: bundle)
        }
    }

    package func unassign(_ bundle: Int64, from name: String, by caller: Caller) async throws {
        try requireAdministrator(caller)
        let user = try await existing(name).name
        try await changeBundles("bundle.unassign", "\(bundle) from \(name)", by: caller) { store, _ in
            guard try store.remove(user, from: bundle) else {
                throw SlipwayError.notFound("Role assignment with username=\(name.prefix(255)) and role_id=\(bundle) not found")
            }
        }
    }

    package func members(of bundle: Int64, by caller: Caller) async throws -> [LevelMember] {
        try requireAdministrator(caller)
        return try await levelRealm().database.read { tx in
            _ = try LevelStore(tx: tx).existing(bundle: bundle)
            return try LevelStore(tx: tx).members(of: bundle)
        }
    }

    private func changeBundles<T: Sendable>(
        _ action: String, _ what: String, by caller: Caller, _ body: @escaping @Sendable (LevelStore, Timestamp) throws -> T
    ) async throws -> T {
        try requireAdministrator(caller)
        let now = clock.now
        let result = try await levelRealm().database.write { tx in
            let result = try body(LevelStore(tx: tx), now)
            try AuditStore(tx: tx).append(action, subject: "bundle:\(what.prefix(200))", by: caller.principal, at: now)
            return result
        }
        forgetCallers()
        return result
    }
}

extension IdentityStore {
    /// - Throws: `invalidArgument` when nobody else could administer the installation.
    func checkAnotherAdministrator(than name: UserName) throws {
        guard try people().contains(where: { $0.name != name && $0.isPlatformAdministrator && !$0.isDisabled }) else {
            throw SlipwayError.invalid("'\(name)' is the last administrator.", remedy: "Make somebody else an administrator first.")
        }
    }
}

extension LevelStore {
    func existing(bundle id: Int64) throws -> LevelBundle {
        guard let found = try bundle(id) else { throw SlipwayError.notFound("Role with id=\(id) not found") }
        return found
    }

    /// A grant of a bundle; people's own are changed by person and resource.
    func existing(grant id: Int64) throws -> LevelGrant {
        guard let found = try grant(id), found.bundle != nil else { throw SlipwayError.notFound("Role permission with id=\(id) not found") }
        return found
    }
}
