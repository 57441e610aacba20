// Access: who may do what: people, tokens, sessions, roles and the bootstrap.

import Crypto
import CryptoExtras
import Foundation
import Logging
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import Synchronization

/// Identities of the installation and roles of its realms.
///
/// Callers are resolved from a secret (token, session, password) and remembered for a moment (`CallerCache`), because every request
/// asks; any change of identities or roles in this process forgets them all at once.
package final class AccessService: Sendable {
    let control: any Database
    let realms: [EnvironmentID: Realm]
    let clock: any WallClock
    let ids: any IDGenerator
    let logger: Logger
    /// With `--auth basic`: what everybody may do in dev's implicit project where nothing else is granted. Nil without.
    package let standardLevel: AccessLevel?
    let callers = CallerCache()
    private let failures = Mutex<[String: Failures]>([:])
    private let passwordTurns = PasswordTurns(2, waitingMax: 1024)

    private struct Failures { var count: Int; var since: Timestamp }

    private static let rememberFor = Duration.seconds(30)
    /// Longer, because the check itself is dear.
    private static let rememberPasswordFor = Duration.seconds(600)
    private static let failingNamesMax = 10_000
    private static let failuresMax = 10
    private static let lockOut = Duration.seconds(60)

    package init(
        control: any Database, realms: [EnvironmentID: Realm], clock: any WallClock, ids: any IDGenerator, logger: Logger, standardLevel: AccessLevel? = nil
    ) {
        self.standardLevel = standardLevel
        self.control = control
        self.realms = realms
        self.clock = clock
        self.ids = ids
        self.logger = logger
    }

    // MARK: Who is calling

    /// - Parameter secret: a token as it was shown once (`slp_…`).
    /// - Throws: `unauthenticated` when it is unknown, expired or revoked.
    package func caller(token secret: String) async throws -> Caller {
        let key = callers.key(token: secret)
        let now = clock.now
        if let caller = callers.caller(key, at: now) { return caller }
        let epoch = callers.epoch
        let digest = ContentDigest(of: secret)
        let found = try await control.read { tx -> (AccessToken, Person?)? in
            let store = IdentityStore(tx: tx)
            guard let token = try store.token(digest) else { return nil }
            let person: Person? =
                switch token.kind {
                case .personal, .session: try store.person(UserName(unchecked: token.owner))
                case .service, .execution: nil
                }
            return (token, person)
        }
        guard let (token, person) = found, token.revokedAt == nil, token.expiresAt > now else {
            throw SlipwayError(.unauthenticated, "You are not authenticated. The token is unknown, expired or revoked.", remedy: "Make a new one: slipway token create")
        }
        let caller: Caller
        switch token.kind {
        case .personal, .session:
            guard let person, !person.isDisabled else { throw SlipwayError(.unauthenticated, "You are not authenticated. The account is disabled.") }
            caller = try await self.caller(for: person, home: token.project)
        case .service:
            caller = Caller(principal: .service(token.owner), grants: scopedGrants(token), homeProject: token.project ?? .implicit)
        case .execution:
            caller = Caller(principal: .execution(token.owner), grants: scopedGrants(token), homeProject: token.project ?? .implicit)
        }
        callers.remember(caller, for: key, since: epoch, until: min(now + Self.rememberFor, token.expiresAt), now: now)
        return caller
    }

    /// For Basic authentication (Git, MLflow's user name and password). The password may also be a token.
    /// - Throws: `unauthenticated`, or `tooMuch` after too many failures.
    package func caller(user: String, password: String) async throws -> Caller {
        if password.hasPrefix("slp_") { return try await caller(token: password) }
        let key = callers.key(user: user, password: password)
        if let caller = callers.caller(key, at: clock.now) { return caller }
        // Of many requests that come at once, the first verifies and the others find what it found.
        return try await passwordTurns.inTurn { try await self.verified(user: user, password: password, key: key) }
    }

    private func verified(user: String, password: String, key: CallerCache.Key) async throws -> Caller {
        if let caller = callers.caller(key, at: clock.now) { return caller }
        let epoch = callers.epoch
        let person = try await checkPassword(user: user, password: password)
        let caller = try await caller(for: person, home: nil)
        let now = clock.now
        callers.remember(caller, for: key, since: epoch, until: now + Self.rememberPasswordFor, now: now)
        return caller
    }

    private func scopedGrants(_ token: AccessToken) -> [RoleGrant] {
        guard let project = token.project, let environment = token.environment else { return [] }
        return [RoleGrant(project: project, environment: environment, role: .service, grantedAt: token.createdAt)]
    }

    private func caller(for person: Person, home: ProjectName?) async throws -> Caller {
        var grants: [RoleGrant] = []
        for (environment, realm) in realms {
            grants += try await realm.database.read { tx in try GrantStore(tx: tx).grants(of: person.name, in: environment) }
        }
        let caller = Caller(
            principal: .user(person.name), grants: grants, isPlatformAdministrator: person.isPlatformAdministrator, homeProject: home ?? .implicit)
        return try await withLevels(caller, of: person)
    }

    func forgetCallers() { callers.forgetAll() }

    // MARK: Signing in

    /// A browser's or terminal's session, twelve hours.
    package func signIn(user: String, password: String) async throws -> (secret: String, expiresAt: Timestamp) {
        let person = try await signInCheck(user: user, password: password)
        return try await makeToken(kind: .session, owner: person.name.rawValue, label: "session", project: nil, environment: nil, lifetime: .seconds(12 * 3600))
    }

    package func signOut(secret: String) async throws {
        let digest = ContentDigest(of: secret)
        let now = clock.now
        try await control.write { tx in
            let store = IdentityStore(tx: tx)
            guard let token = try store.token(digest) else { return }
            _ = try store.revokeToken(token.id, of: token.owner, at: now)
        }
        forgetCallers()
    }

    /// - Throws: as a sign-in would.
    func signInCheck(user: String, password: String) async throws -> Person {
        try await passwordTurns.inTurn { try await self.checkPassword(user: user, password: password) }
    }

    private func checkPassword(user: String, password: String) async throws -> Person {
        let now = clock.now
        let locked = failures.withLock { failures in
            if failures.count > Self.failingNamesMax { failures.removeAll() }
            guard let entry = failures[user], now - entry.since < Self.lockOut else { return false }
            return entry.count >= Self.failuresMax
        }
        if locked {
            throw SlipwayError(.tooMuch, "Too many failed sign-ins for '\(user.prefix(80))'.", remedy: "Wait a minute, then try again.")
        }
        let person = try await control.read { tx in
            try IdentityStore(tx: tx).person(UserName(unchecked: user))
        }
        // An unknown name costs as much time as a wrong password, so that names cannot be found out.
        let hash = person?.passwordHash ?? Self.decoyHash
        let matches = try await offload { try PasswordHash.verify(password, against: hash) }
        guard matches, let person, person.passwordHash != nil, !person.isDisabled else {
            failures.withLock { failures in
                var entry = failures[user] ?? Failures(count: 0, since: now)
                if now - entry.since >= Self.lockOut { entry = Failures(count: 0, since: now) }
                entry.count += 1
                failures[user] = entry
            }
            throw SlipwayError(
                .unauthenticated, "You are not authenticated. The user name or the password is wrong.",
                remedy: "On the server's own machine 'slipway user reset-password NAME --data FOLDER' sets a new one.")
        }
        failures.withLock { _ = $0.removeValue(forKey: user) }
        return person
    }

    private static let decoyHash = "scrypt$15$8$1$" + String(repeating: "0", count: 32) + "$" + String(repeating: "0", count: 64)

    // MARK: Tokens

    package static let lifetimeMax = Duration.seconds(366 * 86_400)

    /// - Returns: the secret, shown this once, and when it ends.
    func makeToken(
        kind: AccessToken.Kind, owner: String, label: String, project: ProjectName?, environment: EnvironmentID?, lifetime: Duration
    ) async throws -> (secret: String, expiresAt: Timestamp) {
        guard lifetime <= Self.lifetimeMax else {
            throw SlipwayError.invalid("A token lives \(Self.lifetimeMax.spelled) at most.", remedy: "Ask for less, such as 90d.")
        }
        let secret = "slp_" + SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) }.hexadecimal
        let now = clock.now
        let token = AccessToken(
            id: String(ids.hex32().prefix(12)), digest: ContentDigest(of: secret), kind: kind, owner: owner, label: label,
            project: project, environment: environment, createdAt: now, expiresAt: now + lifetime)
        try await control.write { tx in
            try IdentityStore(tx: tx).insert(token)
            if kind == .personal || kind == .service {
                try AuditStore(tx: tx).append(
                    "token.create", subject: "token:\(token.id)", project: project ?? .implicit, by: kind == .service ? .service(owner) : .user(UserName(unchecked: owner)),
                    at: now, details: ["label": .string(label), "expires": .string(token.expiresAt.iso8601)])
            }
        }
        return (secret, token.expiresAt)
    }

    package func createToken(label: String, project: ProjectName?, lifetime: Duration, by caller: Caller) async throws -> (secret: String, expiresAt: Timestamp) {
        try caller.requireNamed()
        guard let user = caller.principal.userName else {
            throw SlipwayError(.notAllowed, "Only people make personal tokens.", remedy: "Sign in as a person: slipway login")
        }
        return try await makeToken(kind: .personal, owner: user.rawValue, label: label, project: project, environment: nil, lifetime: lifetime)
    }

    /// A token for a machine, with the role `service` of one project in one environment. It never approves.
    package func createServiceToken(
        _ name: UserName, label: String, project: ProjectName, environment: EnvironmentID, lifetime: Duration, by caller: Caller
    ) async throws -> (secret: String, expiresAt: Timestamp) {
        try caller.require(.grantRoles, project: project, environment: environment)
        guard caller.principal.userName != nil else { throw SlipwayError(.notAllowed, "Only people make tokens for services.") }
        return try await makeToken(kind: .service, owner: name.rawValue, label: label, project: project, environment: environment, lifetime: lifetime)
    }

    /// A short-lived secret for one step: it may track, register and read data of its project in its environment.
    package func executionToken(execution: String, project: ProjectName, environment: EnvironmentID, lifetime: Duration) async throws -> String {
        try await makeToken(kind: .execution, owner: execution, label: "step", project: project, environment: environment, lifetime: lifetime).secret
    }

    /// Ends every token of an execution that is over.
    package func revokeExecutionTokens(_ execution: String) async throws {
        let now = clock.now
        try await control.write { tx in try IdentityStore(tx: tx).revokeTokens(of: execution, at: now) }
        forgetCallers()
    }

    package func tokens(by caller: Caller) async throws -> [AccessToken] {
        try caller.requireNamed()
        guard let user = caller.principal.userName else { return [] }
        return try await control.read { tx in try IdentityStore(tx: tx).tokens(of: user.rawValue) }
    }

    package func revokeToken(_ id: String, by caller: Caller) async throws {
        try caller.requireNamed()
        guard let user = caller.principal.userName else { throw SlipwayError(.notAllowed, "Only people revoke tokens.", remedy: "Sign in as a person: slipway login") }
        let now = clock.now
        let revoked = try await control.write { tx in
            guard try IdentityStore(tx: tx).revokeToken(id, of: user.rawValue, at: now) else { return false }
            try AuditStore(tx: tx).append("token.revoke", subject: "token:\(id)", by: caller.principal, at: now)
            return true
        }
        guard revoked else { throw SlipwayError.notFound("You have no live token '\(id)'.", remedy: "See yours: slipway token list") }
        forgetCallers()
    }
}

extension AccessService: StepTokens {}
