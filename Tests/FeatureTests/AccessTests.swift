import Access
import Foundation
import HTTPTypes
import Hummingbird
import SlipwayCore
import SlipwayHTTP
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import SlipwayWire
import Testing

@Suite("Access")
struct AccessTests {
    private func service(_ clock: FakeClock = FakeClock()) async throws -> (service: AccessService, control: TestControl, realms: [TestRealm], clock: FakeClock) {
        let control = try await TestControl(clock: clock)
        var realms: [TestRealm] = []
        for environment in EnvironmentID.allCases { realms.append(try await TestRealm(environment, clock: clock)) }
        let service = AccessService(
            control: control.database, realms: Dictionary(uniqueKeysWithValues: realms.map { ($0.realm.environment, $0.realm) }), clock: clock,
            ids: RandomIDs(), logger: quietLogger)
        return (service, control, realms, clock)
    }

    private static let password = "four words are long"

    private func person(_ name: String, administrator: Bool = false, _ roles: [EnvironmentID: [Role]] = [:]) -> BootstrapRequest.NewPerson {
        .init(name: name, fullName: name, password: Self.password, emails: ["\(name)@Example.org"], isPlatformAdministrator: administrator, roles: roles)
    }

    @Test("the first start's secret works once, and a wrong one never")
    func bootstrapOnce() async throws {
        let (access, _control, _realms, _) = try await service()
        let secret = try #require(try await access.firstStartSecret())
        let request = BootstrapRequest(project: "flights", people: [person("ada", administrator: true, [.dev: [.contributor]])])
        await #expect(throws: SlipwayError.self) { try await access.bootstrap(request, secret: "slp_first_guess") }
        #expect(try await access.isBootstrapped() == false)
        try await access.bootstrap(request, secret: secret)
        #expect(try await access.firstStartSecret() == nil)
        let again = await #expect(throws: SlipwayError.self) { try await access.bootstrap(request, secret: secret) }
        #expect(again?.code == .conflict)
        withExtendedLifetime((_control, _realms)) {}
    }

    @Test("a bootstrap without a platform administrator, with a short password or with the implicit project is refused")
    func bootstrapRules() async throws {
        let (access, _control, _realms, _) = try await service()
        let secret = try #require(try await access.firstStartSecret())
        var short = person("ada", administrator: true)
        short.password = "short"
        for request in [
            BootstrapRequest(project: "flights", people: [person("ada")]),
            BootstrapRequest(project: "flights", people: [short]),
            BootstrapRequest(project: "default", people: [person("ada", administrator: true)]),
            BootstrapRequest(project: "../flights", people: [person("ada", administrator: true)]),
        ] {
            let error = await #expect(throws: SlipwayError.self) { try await access.bootstrap(request, secret: secret) }
            #expect(error?.code == .invalidArgument)
        }
        #expect(try await access.isBootstrapped() == false)
        withExtendedLifetime((_control, _realms)) {}
    }

    @Test("a token is stored as its hash, ends when it expires or is revoked, and a new password ends every session")
    func tokens() async throws {
        let clock = FakeClock()
        let (access, control, _realms, _) = try await service(clock)
        let secret = try #require(try await access.firstStartSecret())
        try await access.bootstrap(BootstrapRequest(project: "flights", people: [person("ada", administrator: true)]), secret: secret)
        let session = try await access.signIn(user: "ada", password: Self.password)
        let ada = try await access.caller(token: session.secret)
        let token = try await access.createToken(label: "laptop", project: nil, lifetime: .seconds(3600), by: ada)
        let bytes = try Data(contentsOf: control.folder.url.appending(path: "control.sqlite")) + Data(contentsOf: control.folder.url.appending(path: "control.sqlite-wal"))
        #expect(bytes.range(of: Data(token.secret.utf8)) == nil)
        #expect(bytes.range(of: Data(Self.password.utf8)) == nil)

        #expect(try await access.caller(token: token.secret).principal == .user(UserName(unchecked: "ada")))
        clock.advance(by: .seconds(3601))
        await #expect(throws: SlipwayError.self) { try await access.caller(token: token.secret) }

        let second = try await access.createToken(label: "second", project: nil, lifetime: .seconds(3600), by: ada)
        let id = try #require(try await access.tokens(by: ada).first { $0.label == "second" }?.id)
        try await access.revokeToken(id, by: ada)
        await #expect(throws: SlipwayError.self) { try await access.caller(token: second.secret) }

        try await access.setPassword("another four words", of: UserName(unchecked: "ada"), by: ada)
        await #expect(throws: SlipwayError.self) { try await access.caller(token: session.secret) }
        _ = try await access.signIn(user: "ada", password: "another four words")
        withExtendedLifetime((control, _realms)) {}
    }

    @Test("ten wrong passwords lock a name for a minute, also for the right one")
    func lockOut() async throws {
        let clock = FakeClock()
        let (access, _control, _realms, _) = try await service(clock)
        let secret = try #require(try await access.firstStartSecret())
        try await access.bootstrap(BootstrapRequest(project: "flights", people: [person("ada", administrator: true)]), secret: secret)
        for _ in 0..<10 { await #expect(throws: SlipwayError.self) { try await access.signIn(user: "ada", password: "wrong wrong wrong") } }
        let locked = await #expect(throws: SlipwayError.self) { try await access.signIn(user: "ada", password: Self.password) }
        #expect(locked?.code == .tooMuch)
        clock.advance(by: .seconds(61))
        _ = try await access.signIn(user: "ada", password: Self.password)
        withExtendedLifetime((_control, _realms)) {}
    }

    @Test("a password that many requests at once were let in with stops with its change, though it was remembered")
    func rememberedPassword() async throws {
        let clock = FakeClock()
        let (access, _control, _realms, _) = try await service(clock)
        let secret = try #require(try await access.firstStartSecret())
        try await access.bootstrap(BootstrapRequest(project: "flights", people: [person("ada", administrator: true)]), secret: secret)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<400 { group.addTask { _ = try await access.caller(user: "ada", password: Self.password) } }
            try await group.waitForAll()
        }
        let ada = try await access.caller(user: "ada", password: Self.password)
        try await access.setPassword("another four words", of: UserName(unchecked: "ada"), by: ada)
        let stale = await #expect(throws: SlipwayError.self) { try await access.caller(user: "ada", password: Self.password) }
        #expect(stale?.code == .unauthenticated)
        _ = try await access.caller(user: "ada", password: "another four words")
        withExtendedLifetime((_control, _realms)) {}
    }

    @Test("invariant 13: a platform administrator without a project role may do nothing to a project's promotions")
    func administratorsHaveNoProjectRight() {
        let administrator = Caller(principal: .user(UserName(unchecked: "root")), isPlatformAdministrator: true)
        for permission in Permission.allCases {
            for environment in EnvironmentID.allCases {
                #expect(!administrator.may(permission, project: ProjectName(unchecked: "flights"), environment: environment))
            }
        }
    }

    @Test("nobody grants themselves a role in prod, and only admins of the project grant")
    func granting() async throws {
        let (access, _control, _realms, _) = try await service()
        let secret = try #require(try await access.firstStartSecret())
        let flights = ProjectName(unchecked: "flights")
        try await access.bootstrap(
            BootstrapRequest(project: "flights", people: [person("ada", administrator: true, [.prod: [.admin]]), person("grace", [.dev: [.contributor]])]), secret: secret)
        let ada = try await access.caller(user: "ada", password: Self.password)
        let grace = try await access.caller(user: "grace", password: Self.password)
        await #expect(throws: SlipwayError.self) { try await access.changeRole(.operator, of: UserName(unchecked: "ada"), in: flights, .prod, granted: true, by: ada) }
        await #expect(throws: SlipwayError.self) { try await access.changeRole(.viewer, of: UserName(unchecked: "grace"), in: flights, .prod, granted: true, by: grace) }
        try await access.changeRole(.operator, of: UserName(unchecked: "grace"), in: flights, .prod, granted: true, by: ada)
        let promoted = try await access.caller(user: "grace", password: Self.password)
        #expect(promoted.may(.approvePromotion, project: flights, environment: .prod))
        #expect(try await access.person(withEmail: "GRACE@example.ORG") == UserName(unchecked: "grace"))
        withExtendedLifetime((_control, _realms)) {}
    }

    @Test("a service's token works in its project and environment only, and never approves")
    func serviceTokens() async throws {
        let (access, _control, _realms, _) = try await service()
        let secret = try #require(try await access.firstStartSecret())
        let flights = ProjectName(unchecked: "flights")
        try await access.bootstrap(BootstrapRequest(project: "flights", people: [person("ada", administrator: true, [.dev: [.admin]])]), secret: secret)
        let ada = try await access.caller(user: "ada", password: Self.password)
        let token = try await access.createServiceToken(UserName(unchecked: "ci"), label: "ci", project: flights, environment: .dev, lifetime: .seconds(60), by: ada)
        let machine = try await access.caller(token: token.secret)
        #expect(machine.may(.runWork, project: flights, environment: .dev))
        #expect(!machine.may(.runWork, project: flights, environment: .stage))
        for environment in EnvironmentID.allCases { #expect(!machine.may(.approvePromotion, project: flights, environment: environment)) }
        await #expect(throws: SlipwayError.self) {
            try await access.createServiceToken(UserName(unchecked: "ci"), label: "ci", project: flights, environment: .prod, lifetime: .seconds(60), by: ada)
        }
        withExtendedLifetime((_control, _realms)) {}
    }

    @Test("the laptop's anonymous caller tracks in dev's implicit project and sees neither people nor other realms")
    func laptop() async throws {
        let (access, _control, _realms, _) = try await service()
        let laptop = Caller.laptop
        try laptop.require(.runWork, project: .implicit, environment: .dev)
        #expect(!laptop.may(.runWork, project: ProjectName(unchecked: "flights"), environment: .dev))
        for environment in [EnvironmentID.stage, .prod] { #expect(!laptop.may(.readMetadata, project: .implicit, environment: environment)) }
        await #expect(throws: SlipwayError.self) { try await access.people(by: laptop) }
        #expect(throws: SlipwayError.self) { try Caller.anonymous.requireSomebody() }
        withExtendedLifetime((_control, _realms)) {}
    }
}

@Suite("Every door")
struct DoorTests {
    @Test("every route refuses an anonymous caller, except a short written list")
    func anonymous() async throws {
        let server = try await TestServer()
        for (method, path) in server.routes {
            let address = path.replacing(/\{[^}]*\}/, with: "x").replacing("**", with: "x").replacing("*", with: "x")
            let expected = AuthenticationMiddleware.open.contains(path) || path.hasPrefix("/assets/")
            if expected { continue }
            let answer = try await server.send(method, address.hasPrefix("/") ? address : "/\(address)")
            #expect(answer.status == .unauthorized || answer.status == .seeOther, "\(method) \(path) answered \(answer.status) to nobody")
        }
        #expect(server.routes.count > 10)
    }

    @Test("errors are JSON that ends in what to do")
    func errors() async throws {
        let server = try await TestServer()
        try await server.bootstrap([("ada", [.dev: [.contributor]])])
        let token = try await server.token("ada")
        let missing = try await server.send(.get, "/api/v1/nothing-here", token: token)
        #expect(missing.status == .notFound)
        let unknown = try await server.send(
            .post, "/api/v1/projects/flights/roles", token: token, body: #"{"user":"ada","project":"flights","environment":"moon","role":"viewer"}"#)
        #expect(unknown.status == .badRequest && unknown.text.contains("Use dev, stage or prod."))
        let broken = try await server.send(.post, "/api/v1/tokens", token: token, body: "{")
        #expect(broken.status == .badRequest)
        let huge = try await server.send(.post, "/api/v1/tokens", token: token, body: String(repeating: "x", count: 5 << 20))
        #expect(huge.status == .tooManyRequests)
        let forged = try await server.send(
            .post, "/api/v1/tokens", body: #"{"label":"x"}"#, headers: [.cookie: "slipway_session=\(token)", .origin: "https://evil.example"])
        #expect(forged.status == .forbidden)
    }
}
