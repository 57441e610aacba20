import Access
import Foundation
import Hummingbird
import SlipwayCore
import SlipwayHTTP
import SlipwayWire

/// Sign-in, people, tokens, projects and roles.
package struct AccessRoutes: Sendable {
    let access: AccessService
    /// Called once the first people are there.
    let bootstrapped: @Sendable () throws -> Void

    package init(access: AccessService, bootstrapped: @escaping @Sendable () throws -> Void) {
        self.access = access
        self.bootstrapped = bootstrapped
    }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.post("bootstrap", use: bootstrap)
        router.post("sign-in", use: signIn)
        router.post("sign-out", use: signOut)
        router.get("me", use: me)
        router.get("users", use: users)
        router.post("users", use: createUser)
        router.put("users/{name}/password", use: setPassword)
        router.get("tokens", use: tokens)
        router.post("tokens", use: createToken)
        router.delete("tokens/{id}", use: revokeToken)
        router.get("projects", use: projects)
        router.post("projects", use: createProject)
        router.get("projects/{project}/roles", use: roles)
        router.post("projects/{project}/roles", use: grant)
        router.delete("projects/{project}/roles", use: revoke)
    }

    /// `POST /api/v1/bootstrap`: 401 wrong secret; 409 when it was done before.
    @Sendable func bootstrap(_ request: Request, context: SlipwayContext) async throws -> Response {
        let body = try await request.decoded(WireBootstrap.self)
        let people = try body.people.map { person in
            BootstrapRequest.NewPerson(
                name: person.name, fullName: person.fullName ?? person.name, password: person.password, emails: person.emails ?? [],
                isPlatformAdministrator: person.administrator ?? false,
                roles: Dictionary(
                    uniqueKeysWithValues: try (person.roles ?? [:]).map { environment, roles in
                        (try EnvironmentID(parsing: environment), try roles.map(role))
                    }))
        }
        try await access.bootstrap(BootstrapRequest(project: body.project, people: people), secret: body.secret ?? "")
        try bootstrapped()
        return try .wire(WireNothing(), status: .created)
    }

    @Sendable func signIn(_ request: Request, context: SlipwayContext) async throws -> Response {
        let body = try await request.decoded(WireSignIn.self)
        let session = try await access.signIn(user: body.user, password: body.password)
        return try .wire(WireSecret(secret: session.secret, expiresAt: session.expiresAt.iso8601), status: .created)
    }

    @Sendable func signOut(_ request: Request, context: SlipwayContext) async throws -> Response {
        if let header = request.headers[.authorization], header.lowercased().hasPrefix("bearer ") {
            try await access.signOut(secret: String(header.dropFirst("bearer ".count)))
        }
        return try .wire(WireNothing())
    }

    @Sendable func me(_ request: Request, context: SlipwayContext) async throws -> Response {
        let caller = context.caller
        let roles = caller.grants.map {
            WireRole(user: caller.principal.raw, project: $0.project.rawValue, environment: $0.environment.rawValue, role: $0.role.rawValue, grantedAt: $0.grantedAt.iso8601)
        }
        return try .wire(WireCaller(principal: caller.principal.raw, administrator: caller.isPlatformAdministrator, roles: roles))
    }

    @Sendable func users(_ request: Request, context: SlipwayContext) async throws -> Response {
        let people = try await access.people(by: context.caller)
        return try .wire(
            WirePage(
                items: people.map {
                    WireUser(name: $0.name.rawValue, fullName: $0.fullName, emails: $0.emails, administrator: $0.isPlatformAdministrator, createdAt: $0.createdAt.iso8601)
                }))
    }

    @Sendable func createUser(_ request: Request, context: SlipwayContext) async throws -> Response {
        let body = try await request.decoded(WireUser.self)
        guard let password = body.password else { throw SlipwayError.invalid("'password' is missing.") }
        try await access.createPerson(
            name: body.name, fullName: body.fullName ?? body.name, password: password, emails: body.emails ?? [],
            isPlatformAdministrator: body.administrator ?? false, by: context.caller)
        return try .wire(WireNothing(), status: .created)
    }

    @Sendable func setPassword(_ request: Request, context: SlipwayContext) async throws -> Response {
        let body = try await request.decoded(WireSignIn.self)
        try await access.setPassword(body.password, of: UserName(parsing: context.parameter("name")), by: context.caller)
        return try .wire(WireNothing())
    }

    @Sendable func tokens(_ request: Request, context: SlipwayContext) async throws -> Response {
        let tokens = try await access.tokens(by: context.caller)
        return try .wire(
            WirePage(
                items: tokens.map {
                    WireToken(
                        id: $0.id, label: $0.label, project: $0.project?.rawValue, createdAt: $0.createdAt.iso8601, expiresAt: $0.expiresAt.iso8601,
                        revokedAt: $0.revokedAt?.iso8601)
                }))
    }

    @Sendable func createToken(_ request: Request, context: SlipwayContext) async throws -> Response {
        let body = try await request.decoded(WireNewToken.self)
        let lifetime = try Duration(parsing: body.lifetime ?? "90d")
        let project = try body.project.map(ProjectName.init(parsing:))
        let token: (secret: String, expiresAt: Timestamp)
        if let service = body.service {
            guard let project, let environment = body.environment else {
                throw SlipwayError.invalid("A service's token is for one project in one environment.", remedy: "Name both: --project PROJECT --environment ENVIRONMENT")
            }
            token = try await access.createServiceToken(
                UserName(parsing: service), label: body.label, project: project, environment: EnvironmentID(parsing: environment), lifetime: lifetime, by: context.caller)
        } else {
            token = try await access.createToken(label: body.label, project: project, lifetime: lifetime, by: context.caller)
        }
        return try .wire(WireSecret(secret: token.secret, expiresAt: token.expiresAt.iso8601), status: .created)
    }

    @Sendable func revokeToken(_ request: Request, context: SlipwayContext) async throws -> Response {
        try await access.revokeToken(context.parameter("id"), by: context.caller)
        return try .wire(WireNothing())
    }

    @Sendable func projects(_ request: Request, context: SlipwayContext) async throws -> Response {
        let projects = try await access.projects(by: context.caller)
        return try .wire(WirePage(items: projects.map { WireProject(name: $0.name.rawValue, owner: $0.owner, createdAt: $0.createdAt.iso8601) }))
    }

    @Sendable func createProject(_ request: Request, context: SlipwayContext) async throws -> Response {
        let body = try await request.decoded(WireProject.self)
        guard let admin = body.owner ?? context.caller.principal.userName?.rawValue else { throw SlipwayError.invalid("'owner' is missing.") }
        try await access.createProject(ProjectName(parsing: body.name), admin: UserName(parsing: admin), by: context.caller)
        return try .wire(WireNothing(), status: .created)
    }

    @Sendable func roles(_ request: Request, context: SlipwayContext) async throws -> Response {
        let project = try ProjectName(parsing: context.parameter("project"))
        let holders = try await access.holders(of: project, by: context.caller)
        return try .wire(
            WirePage(
                items: holders.map {
                    WireRole(
                        user: $0.user.rawValue, project: project.rawValue, environment: $0.grant.environment.rawValue, role: $0.grant.role.rawValue,
                        grantedAt: $0.grant.grantedAt.iso8601)
                }))
    }

    @Sendable func grant(_ request: Request, context: SlipwayContext) async throws -> Response {
        try await change(request, context, granted: true)
    }

    @Sendable func revoke(_ request: Request, context: SlipwayContext) async throws -> Response {
        try await change(request, context, granted: false)
    }

    private func change(_ request: Request, _ context: SlipwayContext, granted: Bool) async throws -> Response {
        let body = try await request.decoded(WireRole.self)
        try await access.changeRole(
            role(body.role), of: UserName(parsing: body.user), in: ProjectName(parsing: context.parameter("project")),
            EnvironmentID(parsing: body.environment), granted: granted, by: context.caller)
        return try .wire(WireNothing(), status: granted ? .created : .ok)
    }

    private func role(_ text: String) throws -> Role {
        guard let role = Role(rawValue: text) else {
            throw SlipwayError.invalid("There is no role '\(text.prefix(80))'.", remedy: "Roles: \(Role.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        return role
    }
}
