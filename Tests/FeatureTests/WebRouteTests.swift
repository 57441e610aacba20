import Access
import Foundation
import HTTPTypes
import Hummingbird
import SlipwayCore
import SlipwayHTTP
import SlipwaySQL
import SlipwayServer
import SlipwayStore
import SlipwayWeb
import Testing

@Suite("Page routes") struct WebRouteTests {
    static let ownOrigin = "http://localhost"
    static let html: HTTPFields = [.accept: "text/html,application/xhtml+xml"]

    /// A house with people and a promotion of `flight-delays` in prod.
    static func house() async throws -> TestServer {
        let server = try await TestServer()
        let secret = try await server.foundations.access.firstStartSecret() ?? ""
        func person(_ name: String, _ roles: [EnvironmentID: [Role]]) -> BootstrapRequest.NewPerson {
            .init(name: name, fullName: name, password: TestServer.password, emails: ["\(name)@example.org"], isPlatformAdministrator: name == "root", roles: roles)
        }
        try await server.foundations.access.bootstrap(
            BootstrapRequest(
                project: Sample.project.rawValue,
                people: [
                    person("root", [:]), person("rita", [.dev: [.viewer], .stage: [.reviewer], .prod: [.reviewer]]),
                    person("olga", [.dev: [.viewer], .stage: [.operator], .prod: [.operator]]),
                    person("vera", [.dev: [.viewer], .stage: [.viewer], .prod: [.viewer]]), person("dan", [.dev: [.contributor]]),
                ]), secret: secret)
        let releases = [try Sample.release(3, auc: 0.7134), try Sample.release(2, auc: 0.7011), try Sample.release(1, auc: 0.6932)]
        var promotion = try Sample.promotion(.awaitingApproval)
        promotion.approvals = []
        let slot = try Sample.slot()
        let stored = promotion
        for environment in EnvironmentID.allCases {
            try await server.foundations.realms[environment]!.database.write { tx in
                for release in releases { _ = try ReleaseStore(tx: tx).insert(release) }
                guard environment == .prod else { return }
                var slot = slot
                slot.promotion = nil
                _ = try SlotStore(tx: tx).insert(slot)
                try PromotionStore(tx: tx).insert(stored)
                try AuditStore(tx: tx).append(
                    "promotion.request", subject: "promotion:\(stored.id)", project: Sample.project, by: .user(UserName(unchecked: "max")), at: Sample.now)
            }
        }
        return server
    }

    static func cookie(_ server: TestServer, _ user: String) async throws -> HTTPFields {
        var headers = html
        headers[.cookie] = "slipway_session=\(try await server.token(user))"
        return headers
    }

    static let addresses = [
        "/", "/prod/executions", "/prod/executions/c0ffee12ab34", "/prod/runs", "/prod/runs/\(String(repeating: "0", count: 32))",
        "/prod/runs/\(String(repeating: "0", count: 32))/artifact?path=roc.png", "/prod/runs/\(String(repeating: "0", count: 32))/artifacts",
        "/prod/runs/\(String(repeating: "0", count: 32))/metric?key=auc",
        "/prod/experiments", "/prod/experiments/1", "/prod/data", "/prod/data/flights?project=flight-delays", "/prod/models",
        "/prod/models/flight-delay", "/prod/models/flight-delay/versions/2", "/prod", "/prod/experiments/1/complete", "/prod/compare", "/prod/experiments/1/traces",
        "/prod/traces/tr-0",
        "/prod/releases", "/prod/releases/abcdef012345", "/prod/promotions", "/prod/promotions/9b1d7e44a0c2", "/prod/endpoints", "/prod/endpoints/flight-delay",
        "/prod/slots/flight-delay/rollback",
        "/prod/slots/flight-delay/history", "/prod/audit",
    ]

    @Test("every page sends a browser without a session to the sign-in page, and back afterwards")
    func anonymous() async throws {
        let server = try await Self.house()
        for address in Self.addresses {
            let (status, _, headers) = try await server.send(.get, address, headers: Self.html)
            #expect(status == .seeOther, "\(address)")
            let location = headers[.location] ?? ""
            #expect(location.hasPrefix("/sign-in?next="), "\(address)")
            #expect(location.dropFirst("/sign-in?next=".count).removingPercentEncoding == address)
        }
        let (status, _, headers) = try await server.send(.post, "/prod/promotions/9b1d7e44a0c2/approve", body: "plan=x", headers: Self.html)
        #expect(status == .seeOther && headers[.location] == "/sign-in")
    }

    @Test("every page carries the content security policy and answers somebody with a role")
    func policy() async throws {
        let server = try await Self.house()
        let headers = try await Self.cookie(server, "rita")
        for address in Self.addresses {
            let (status, text, answer) = try await server.send(.get, address, headers: headers)
            let policy = answer[.contentSecurityPolicy] ?? ""
            #expect(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"), "\(address)")
            #expect(!policy.contains("unsafe"), "\(address)")
            #expect(text.hasPrefix("<!doctype html>"), "\(address) answered \(status)")
            #expect([.ok, .notFound, .forbidden].contains(status), "\(address) answered \(status): \(text.prefix(2000))")
        }
        let board = try await server.send(.get, "/", headers: headers).text
        #expect(board.contains("flight-delay v2") && board.contains("1</b> reviewer") && board.contains("awaiting approval"))
    }

    @Test("whoever holds no role in an environment reads nothing of it")
    func noRole() async throws {
        let server = try await Self.house()
        let headers = try await Self.cookie(server, "dan")
        for address in Self.addresses.dropFirst() {
            let (status, text, _) = try await server.send(.get, address, headers: headers)
            #expect(!text.contains("9b1d7e44a0c2") || status == .notFound, "\(address) answered \(status)")
            #expect(!text.contains("flight-delay v"), "\(address)")
        }
        #expect(try await server.send(.get, "/", headers: headers).text.contains("You hold no role here."))
    }

    @Test("signing in sets a cookie that scripts and other sites never see, and goes back to where one came from")
    func signIn() async throws {
        let server = try await Self.house()
        var headers = Self.html
        headers[.origin] = Self.ownOrigin
        headers[.contentType] = "application/x-www-form-urlencoded"
        let password = TestServer.password.replacing(" ", with: "+")
        let (status, _, answer) = try await server.send(.post, "/sign-in", body: "user=rita&password=\(password)&next=%2Fprod%2Faudit", headers: headers)
        #expect(status == .seeOther && answer[.location] == "/prod/audit")
        let cookie = try #require(answer[.setCookie])
        #expect(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("Path=/"))
        var session = Self.html
        session[.cookie] = String(cookie.prefix { $0 != ";" })
        #expect(try await server.send(.get, "/", headers: session).status == .ok)
        #expect(try await server.send(.get, "/sign-in", headers: session).status == .seeOther)

        let elsewhere = try await server.send(.post, "/sign-in", body: "user=rita&password=\(password)&next=https%3A%2F%2Fevil.example", headers: headers)
        #expect(elsewhere.headers[.location] == "/")
        let wrong = try await server.send(.post, "/sign-in", body: "user=rita&password=wrong", headers: headers)
        #expect(wrong.status == .unauthorized && wrong.text.contains("value=\"rita\"") && wrong.headers[.setCookie] == nil)

        session[.origin] = Self.ownOrigin
        let out = try await server.send(.post, "/sign-out", body: "", headers: session)
        #expect(out.status == .seeOther && out.headers[.setCookie]?.contains("Max-Age=0") == true)
        #expect(try await server.send(.get, "/", headers: session).status == .seeOther)
    }

    @Test("forms from another site, or from nowhere, change nothing", arguments: ["https://evil.example", "http://localhost.evil.example", "null", nil])
    func foreignOrigin(origin: String?) async throws {
        let server = try await Self.house()
        var headers = try await Self.cookie(server, "rita")
        headers[.origin] = origin
        let plan = try Sample.promotion(.awaitingApproval).planDigest.rawValue
        for (path, body) in [
            ("/prod/promotions/9b1d7e44a0c2/approve", "plan=\(plan)&comment=x"), ("/prod/slots/flight-delay/rollback", "generation=2&reason=x"), ("/sign-out", ""),
            ("/sign-in", "user=rita&password=\(TestServer.password.replacing(" ", with: "+"))"),
        ] {
            let (status, text, answer) = try await server.send(.post, path, body: body, headers: headers)
            #expect(status == .forbidden, "\(path): \(text.prefix(500))")
            #expect(answer[.setCookie] == nil)
        }
        let stored = try await server.foundations.realms[.prod]!.database.read { tx in try PromotionStore(tx: tx).promotion("9b1d7e44a0c2") }
        #expect(stored?.approvals.isEmpty == true)
    }

    @Test("an approval on the page is one; a caller without the role is told why on the same page")
    func approve() async throws {
        let server = try await Self.house()
        let plan = try Sample.promotion(.awaitingApproval).planDigest.rawValue
        var headers = try await Self.cookie(server, "vera")
        headers[.origin] = Self.ownOrigin
        let page = try await server.send(.get, "/prod/promotions/9b1d7e44a0c2", headers: headers)
        #expect(page.status == .ok && !page.text.contains("Approve this plan"))
        let refused = try await server.send(.post, "/prod/promotions/9b1d7e44a0c2/approve", body: "plan=\(plan)", headers: headers)
        #expect(refused.status == .forbidden && refused.text.contains("It needs the role") && refused.text.contains("What changes"))
    }

    @Test("a rollback asks first, and refuses a page that is out of date")
    func rollback() async throws {
        let server = try await Self.house()
        var headers = try await Self.cookie(server, "olga")
        let page = try await server.send(.get, "/prod/slots/flight-delay/rollback", headers: headers)
        #expect(page.status == .ok && page.text.contains("Roll back now") && page.text.contains("name=\"generation\" value=\"2\""))
        headers[.origin] = Self.ownOrigin
        let late = try await server.send(.post, "/prod/slots/flight-delay/rollback", body: "generation=1&reason=late", headers: headers)
        #expect(late.status == .conflict && late.text.contains("has changed since you opened this page"))
        let viewer = try await server.send(.get, "/prod/slots/flight-delay/rollback", headers: Self.cookie(server, "vera"))
        #expect(viewer.status == .forbidden)
    }

    @Test("errors are pages for browsers and JSON for programs")
    func errors() async throws {
        let server = try await Self.house()
        let headers = try await Self.cookie(server, "rita")
        let page = try await server.send(.get, "/prod/nothing", headers: headers)
        #expect(page.status == .notFound && page.text.hasPrefix("<!doctype html>") && page.text.contains("Sign out"))
        #expect(page.headers[.contentSecurityPolicy] != nil)
        let json = try await server.send(.get, "/prod/nothing", token: try await server.token("rita"))
        #expect(json.status == .notFound && json.text.hasPrefix("{"))
        #expect(try await server.send(.get, "/nowhere/runs", headers: headers).status != .ok)
    }

    @Test("styles are served without signing in, once; nothing outside their folder is")
    func assets() async throws {
        let server = try await Self.house()
        let first = try await server.send(.get, "/assets/slipway.css")
        #expect(first.status == .ok && first.headers[.contentType] == "text/css; charset=utf-8")
        let again = try await server.send(.get, "/assets/slipway.css", headers: [.ifNoneMatch: first.headers[.eTag] ?? ""])
        #expect(again.status == .notModified && again.text.isEmpty)
        for path in ["/assets/../Package.swift", "/assets/%2e%2e/%2e%2e/Package.swift", "/assets/", "/assets/nothing.css"] {
            #expect(try await server.send(.get, path).status == .notFound, "\(path)")
        }
        #expect(!first.text.contains("url("), "styles fetch nothing")
    }

    @Test("no page hides another room's address")
    func coexist() async throws {
        let server = try await Self.house()
        let token = try await server.token("rita")
        for path in ["/dev/api/2.0/mlflow/experiments/get-by-name?experiment_name=none", "/prod/v2/models/flight-delay"] {
            let (_, text, _) = try await server.send(.get, path, token: token)
            #expect(!text.contains("There is nothing at this address."), "\(path): \(text)")
        }
    }
}
