/// The roles of `promotion.md`, held per project and environment.
package enum Role: String, Sendable, Hashable, Codable, CaseIterable {
    case viewer, contributor, engineer, reviewer, `operator`, steward, auditor, admin, service
}

/// What a use case asks for. `Role.may` says who has it where.
package enum Permission: String, Sendable, Hashable, CaseIterable {
    case readMetadata, readAudit, readData
    case runWork, registerModel
    case pushCode
    case requestPromotion, approvePromotion, applyPromotion, rollBack, freeze, liftHold, breakGlass, retireSlot
    case importData, refreshData, adoptRecipe, deleteData
    case editPolicy, grantRoles
    case importLabels, predict
}

extension Role {
    /// The table of roles in `promotion.md`. Written as one table so that it can be compared with the contract line by line.
    package func may(_ permission: Permission, in environment: EnvironmentID) -> Bool {
        switch permission {
        case .readMetadata: return true
        case .predict: return self != .auditor
        case .readAudit: return self == .auditor || self == .admin || self == .operator || self == .reviewer
        case .pushCode: return environment == .dev && [.contributor, .engineer].contains(self)
        default: break
        }
        switch (self, environment) {
        case (.contributor, .dev): return [.runWork, .registerModel, .readData, .requestPromotion, .importLabels].contains(permission)
        case (.contributor, .stage): return permission == .requestPromotion
        case (.engineer, .dev):
            return [.runWork, .registerModel, .readData, .requestPromotion, .applyPromotion, .rollBack, .retireSlot, .editPolicy, .importLabels]
                .contains(permission)
        case (.engineer, .stage):
            return [.runWork, .registerModel, .readData, .requestPromotion, .approvePromotion, .applyPromotion, .rollBack, .retireSlot, .importLabels]
                .contains(permission)
        case (.engineer, .prod): return [.requestPromotion, .importLabels].contains(permission)
        case (.reviewer, .stage), (.reviewer, .prod): return [.approvePromotion, .liftHold].contains(permission)
        case (.operator, .dev): return [.requestPromotion, .applyPromotion, .rollBack].contains(permission)
        case (.operator, .stage):
            return [.requestPromotion, .applyPromotion, .rollBack, .freeze, .liftHold, .retireSlot].contains(permission)
        case (.operator, .prod):
            return [.requestPromotion, .approvePromotion, .applyPromotion, .rollBack, .freeze, .breakGlass, .retireSlot, .liftHold].contains(permission)
        case (.steward, .dev): return [.importData, .readData, .refreshData, .adoptRecipe, .deleteData, .importLabels].contains(permission)
        case (.steward, .stage): return [.adoptRecipe, .refreshData, .importLabels].contains(permission)
        case (.steward, .prod): return [.importData, .readData, .adoptRecipe, .importLabels].contains(permission)
        case (.admin, _): return [.grantRoles, .editPolicy].contains(permission)
        case (.service, .dev), (.service, .stage): return [.runWork, .registerModel, .readData, .requestPromotion, .importLabels].contains(permission)
        case (.service, .prod): return [.runWork, .registerModel, .readData, .importLabels].contains(permission)
        default: return false
        }
    }
}

/// Who acts. The raw form (`user:ada`, `service:ci`, `execution:…`, `system`) is what audit events carry.
package enum Principal: Sendable, Hashable {
    case anonymous
    case user(UserName)
    case service(String)
    /// A step of an execution, by its short-lived token.
    case execution(String)
    /// Slipway itself: the scheduler, the promotion driver.
    case system(String)

    package var raw: String {
        switch self {
        case .anonymous: "anonymous"
        case .user(let name): "user:\(name.rawValue)"
        case .service(let name): "service:\(name)"
        case .execution(let id): "execution:\(id)"
        case .system(let name): "system:\(name)"
        }
    }

    /// Reads what `raw` wrote.
    package init(raw: String) {
        let parts = raw.split(separator: ":", maxSplits: 1).map(String.init)
        switch (parts.first, parts.count) {
        case ("user", 2): self = .user(UserName(unchecked: parts[1]))
        case ("service", 2): self = .service(parts[1])
        case ("execution", 2): self = .execution(parts[1])
        case ("system", 2): self = .system(parts[1])
        default: self = .anonymous
        }
    }

    package var userName: UserName? { if case .user(let name) = self { name } else { nil } }
}

/// One role of one principal. `grantedAt` counts against the policy's `roleAge`.
package struct RoleGrant: Sendable, Hashable, Codable {
    package var project: ProjectName
    package var environment: EnvironmentID
    package var role: Role
    package var grantedAt: Timestamp

    package init(project: ProjectName, environment: EnvironmentID, role: Role, grantedAt: Timestamp) {
        self.project = project
        self.environment = environment
        self.role = role
        self.grantedAt = grantedAt
    }
}

/// The caller with resolved roles: made by `Access`, asked by each use case in its first statement.
package struct Caller: Sendable {
    package var principal: Principal
    package var grants: [RoleGrant]
    package var isPlatformAdministrator: Bool
    /// The project that new MLflow experiments of this caller belong to: the token's scope, else the implicit one.
    package var homeProject: ProjectName
    /// Under `--auth basic`: what the caller may do with single experiments and models of dev's implicit project, in place of roles there.
    /// Nil for administrators and without `--auth basic`.
    package var levels: AccessLevels?

    package init(principal: Principal, grants: [RoleGrant] = [], isPlatformAdministrator: Bool = false, homeProject: ProjectName = .implicit) {
        self.principal = principal
        self.grants = grants
        self.isPlatformAdministrator = isPlatformAdministrator
        self.homeProject = homeProject
    }

    package static let anonymous = Caller(principal: .anonymous)
    /// Whoever sits at this machine, under `--anonymous dev`: an MLflow user's rights, nothing outside dev's implicit project.
    package static let laptop = Caller(
        principal: .anonymous, grants: [RoleGrant(project: .implicit, environment: .dev, role: .contributor, grantedAt: Timestamp(milliseconds: 0))])
    /// Slipway's own work. Never an approver, since it is nobody.
    package static func system(_ name: String) -> Caller { Caller(principal: .system(name)) }

    package var isSystem: Bool { if case .system = principal { true } else { false } }

    package func roles(in project: ProjectName, _ environment: EnvironmentID) -> Set<Role> {
        let roles = Set(grants.lazy.filter { $0.project == project && $0.environment == environment }.map(\.role))
        guard project == .implicit, environment == .dev, levels == nil else { return roles }
        // Nobody is granted a role in the implicit project: whoever works in any project in dev works there too, everybody else of dev may look.
        let elsewhere = Set(grants.lazy.filter { $0.environment == .dev }.map(\.role))
        let workers: Set<Role> = [.contributor, .engineer]
        if !elsewhere.isDisjoint(with: workers) { return roles.union(elsewhere.intersection(workers)) }
        return elsewhere.isDisjoint(with: Set(Role.allCases).subtracting([.service])) ? roles : roles.union([.viewer])
    }

    package func may(_ permission: Permission, project: ProjectName, environment: EnvironmentID) -> Bool {
        isSystem || roles(in: project, environment).contains { $0.may(permission, in: environment) }
    }

    /// - Throws: `unauthenticated` for nobody, `notAllowed` for somebody without the role; both say what to do.
    package func require(_ permission: Permission, project: ProjectName, environment: EnvironmentID) throws {
        if may(permission, project: project, environment: environment) { return }
        try requireSomebody()
        let holders = Role.allCases.filter { $0.may(permission, in: environment) }.map(\.rawValue)
        throw SlipwayError(
            .notAllowed,
            "\(principal.raw) may not do this (\(permission.rawValue)) for project '\(project)' in \(environment.rawValue).",
            remedy: holders.isEmpty
                ? "Nobody may do this in \(environment.rawValue); changes get there by promotion."
                : "It needs the role \(holders.joined(separator: " or ")): an admin can grant it with "
                    + "'slipway role grant \(principal.userName?.rawValue ?? "USER") \(holders[0]) --project \(project) --environment \(environment.rawValue)'.")
    }

    /// Somebody is a caller with a name, or one without who was let in by `--anonymous dev`.
    package func requireSomebody() throws {
        if grants.isEmpty { try requireNamed() }
    }

    package func requireNamed() throws {
        if case .anonymous = principal {
            throw SlipwayError(
                .unauthenticated, "You are not authenticated.",
                remedy: "Sign in with 'slipway login', or send a token: 'slipway token create' makes one.")
        }
    }

    package func requirePlatformAdministrator() throws {
        try requireSomebody()
        guard isPlatformAdministrator || isSystem else {
            throw SlipwayError(.notAllowed, "\(principal.raw) is not a platform administrator.", remedy: "Ask one: 'slipway user list' shows who is.")
        }
    }

    /// Projects in which the caller may read anything, in this environment.
    package func readableProjects(in environment: EnvironmentID) -> Set<ProjectName> {
        let projects = Set(grants.lazy.filter { $0.environment == environment }.map(\.project))
        return roles(in: .implicit, environment).isEmpty ? projects : projects.union([.implicit])
    }
}
