import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// MLflow's permissions (`--auth basic`): people have levels on single experiments and registered models of dev's implicit project. Projects, and
/// stage and prod, keep Slipway's roles.
extension AccessService {
    /// - Throws: `unavailable` in a process without dev.
    func levelRealm() throws -> Realm {
        guard let realm = realms[.dev] else { throw SlipwayError(.unavailable, "dev does not run in this process, and levels belong to it.") }
        return realm
    }

    func withLevels(_ caller: Caller, of person: Person) async throws -> Caller {
        guard let standardLevel, let realm = realms[.dev] else { return caller }
        var caller = caller
        if person.isPlatformAdministrator {
            // MLflow's administrator may do everything where MLflow's clients are.
            caller.grants.append(Self.implicit(.contributor))
            return caller
        }
        let grants = try await realm.database.read { tx in try LevelStore(tx: tx).all(of: person.name) }
        Self.set(AccessLevels(standard: standardLevel, granted: grants.map { ($0.resource, $0.level) }), of: &caller)
        return caller
    }

    private static func implicit(_ role: Role) -> RoleGrant {
        RoleGrant(project: .implicit, environment: .dev, role: role, grantedAt: Timestamp(milliseconds: 0))
    }

    /// Doors that know no levels show the implicit project to those who may see all of it.
    private static func set(_ levels: AccessLevels, of caller: inout Caller) {
        caller.levels = levels
        caller.grants.removeAll { $0.project == .implicit && $0.environment == .dev }
        if levels.seesEverything { caller.grants.append(implicit(.viewer)) }
    }

    /// What the caller may do with requests whose levels were checked.
    package static func checked(_ caller: Caller) -> Caller {
        var caller = caller
        caller.grants.append(implicit(.contributor))
        return caller
    }

    /// Looks a person's levels up again, after a change.
    func refresh(_ user: UserName) async throws {
        guard let standardLevel else { return }
        let grants = try await levelRealm().database.read { tx in try LevelStore(tx: tx).all(of: user) }
        callers.replace(user, with: AccessLevels(standard: standardLevel, granted: grants.map { ($0.resource, $0.level) })) { caller, levels in
            Self.set(levels, of: &caller)
        }
    }

    // MARK: Asking

    /// - Throws: `notAllowed` for everybody but administrators and those whom `levels` lets manage it.
    func requireManaging(_ resource: LevelResource, by caller: Caller) throws {
        try caller.requireNamed()
        if caller.isPlatformAdministrator { return }
        let isManager = caller.levels.map { resource.kind == .workspace ? $0.managesWorkspace : $0.level(resource.kind, resource.id).covers(.manage) } ?? false
        guard isManager else { throw Self.denied }
    }

    package static let denied = SlipwayError(.notAllowed, "Permission denied")

    func existing(_ name: String) async throws -> Person {
        let found = try await control.read { tx in try IdentityStore(tx: tx).person(UserName(unchecked: name)) }
        guard let found else { throw SlipwayError.notFound("User with username=\(name.prefix(255)) not found") }
        return found
    }

    // MARK: A person's levels

    /// - Parameter isNew: an existing one is refused; otherwise it is replaced.
    package func setLevel(_ level: AccessLevel, of name: String, on resource: LevelResource, isNew: Bool = false, by caller: Caller) async throws {
        try requireManaging(resource, by: caller)
        let user = try await existing(name).name
        let now = clock.now
        let added = try await levelRealm().database.write { tx in
            let store = LevelStore(tx: tx)
            if isNew, try store.own(of: user, on: resource) != nil { return false }
            try store.set(level, of: user, on: resource, by: caller.principal, at: now)
            try AuditStore(tx: tx).append(
                "level.grant", subject: "user:\(user)", by: caller.principal, at: now,
                details: ["level": .string(level.rawValue), "on": .string("\(resource.kind.rawValue):\(resource.id)")])
            return true
        }
        guard added else { throw SlipwayError(.alreadyExists, "\(resource.sentence(of: name)) already exists.") }
        try await refresh(user)
    }

    package func level(of name: String, on resource: LevelResource, by caller: Caller) async throws -> AccessLevel {
        try requireManaging(resource, by: caller)
        let user = try await existing(name).name
        let found = try await levelRealm().database.read { tx in try LevelStore(tx: tx).own(of: user, on: resource) }
        guard let found else { throw SlipwayError.notFound("\(resource.sentence(of: name)) not found") }
        return found.level
    }

    /// - Throws: `notFound` when there is none.
    package func removeLevel(of name: String, on resource: LevelResource, by caller: Caller) async throws {
        try requireManaging(resource, by: caller)
        let user = try await existing(name).name
        let now = clock.now
        let removed = try await levelRealm().database.write { tx in
            guard try LevelStore(tx: tx).remove(of: user, on: resource) else { return false }
            try AuditStore(tx: tx).append(
                "level.revoke", subject: "user:\(user)", by: caller.principal, at: now, details: ["on": .string("\(resource.kind.rawValue):\(resource.id)")])
            return true
        }
        guard removed else { throw SlipwayError.notFound("\(resource.sentence(of: name)) not found") }
        try await refresh(user)
    }

    /// What a request of that person would be let do.
    package func effectiveLevel(of name: String, on resource: LevelResource, by caller: Caller) async throws -> AccessLevel {
        try caller.requireNamed()
        if caller.principal.userName?.rawValue != name { try requireManaging(resource, by: caller) }
        let person = try await existing(name)
        if person.isPlatformAdministrator { return .manage }
        let grants = try await levelRealm().database.read { tx in try LevelStore(tx: tx).all(of: person.name) }
        let levels = AccessLevels(standard: standardLevel ?? .none, granted: grants.map { ($0.resource, $0.level) })
        return resource.kind == .workspace ? (levels.managesWorkspace ? .manage : .use) : levels.level(resource.kind, resource.id)
    }

    /// A person's own grants. - Returns: also whether they are an administrator.
    package func levels(of name: String, by caller: Caller) async throws -> (isAdministrator: Bool, grants: [LevelGrant], bundles: [LevelBundle]) {
        try caller.requireNamed()
        guard caller.isPlatformAdministrator || caller.principal.userName?.rawValue == name else { throw Self.denied }
        let person = try await existing(name)
        let (grants, bundles) = try await levelRealm().database.read { tx in
            (try LevelStore(tx: tx).own(of: person.name), try LevelStore(tx: tx).bundles(of: person.name))
        }
        return (person.isPlatformAdministrator, grants, bundles)
    }

    // MARK: What happens to things

    /// Who made something manages it.
    package func made(_ resource: LevelResource, by caller: Caller) async throws {
        guard let user = caller.principal.userName else { return }
        let now = clock.now
        try await levelRealm().database.write { tx in try LevelStore(tx: tx).set(.manage, of: user, on: resource, by: caller.principal, at: now) }
        try await refresh(user)
    }

    package func removed(_ resource: LevelResource) async throws {
        try await levelRealm().database.write { tx in try LevelStore(tx: tx).removeAll(on: resource) }
        callers.forgetAll()
    }

    package func renamed(_ resource: LevelResource, to id: String) async throws {
        try await levelRealm().database.write { tx in
            // Levels of an earlier model of that name are void.
            try LevelStore(tx: tx).removeAll(on: LevelResource(resource.kind, id))
            try LevelStore(tx: tx).rename(resource, to: id)
        }
        callers.forgetAll()
    }
}

extension LevelResource {
    /// As MLflow's errors name it.
    func sentence(of user: String) -> String {
        switch kind {
        case .experiment: "Experiment permission with experiment_id=\(id.prefix(200)) and username=\(user.prefix(255))"
        case .registeredModel: "Registered model permission with workspace=default, name=\(id.prefix(200)) and username=\(user.prefix(255))"
        default: "Permission with resource_type=\(kind.rawValue), resource_id=\(id.prefix(200)) and username=\(user.prefix(255))"
        }
    }
}
