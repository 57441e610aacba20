import HTTPTypes
import SlipwayCore
import SlipwayHTTP
import Testing

@Suite("The layer between browsers and the server")
struct SecurityTests {
    @Test(
        "a server on loopback answers to this machine's names and private addresses only",
        arguments: [
            ("localhost", true), ("localhost:5080", true), ("127.0.0.1:1", true), ("[::1]:5080", true), ("10.1.2.3", true), ("172.31.0.9:80", true), ("192.168.0.7", true),
            ("evil.example", false), ("10.evil.example", false), ("172.32.0.1", false), ("192.168.0.7.evil.example", false), ("8.8.8.8", false), ("", false),
        ])
    func nearby(host: String, isAnswered: Bool) {
        let rules = SecurityRules(settings: [:], listensNearbyOnly: true)
        #expect(rules.answers(host: host) == isAnswered)
        #expect(SecurityRules(settings: [:], listensNearbyOnly: false).answers(host: host))
    }

    @Test("a list of hosts and origins replaces the rule, with stars")
    func lists() {
        let rules = SecurityRules(
            settings: ["MLFLOW_SERVER_ALLOWED_HOSTS": "slipway.example, *.lab.example:*", "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": "https://*.lab.example"], listensNearbyOnly: true)
        #expect(rules.answers(host: "slipway.example") && rules.answers(host: "a.lab.example:5080"))
        #expect(!rules.answers(host: "localhost") && !rules.answers(host: "lab.example"))
        #expect(rules.mayChange(from: "https://a.lab.example") && rules.mayChange(from: "http://localhost:3000"))
        #expect(!rules.mayChange(from: "https://evil.example") && !rules.mayChange(from: "null"))
    }

    @Test("another site's page may read nothing into a change, and every answer says how it may be shown")
    func origins() async throws {
        let server = try await TestServer()
        try await server.bootstrap([("ada", [.dev: [.contributor]])])
        let token = try await server.token("ada")
        let path = "/api/2.0/mlflow/experiments/create"
        let foreign = try await server.send(.post, path, token: token, body: #"{"name":"a"}"#, headers: [.origin: "https://evil.example"])
        #expect(foreign.status == .forbidden && foreign.text == "Cross-origin request blocked")
        let near = try await server.send(.post, path, token: token, body: #"{"name":"a"}"#, headers: [.origin: "http://localhost:3000"])
        #expect(near.status == .ok)
        for headers in [foreign.headers, near.headers] {
            #expect(headers[.xContentTypeOptions] == "nosniff" && headers[HTTPField.Name("X-Frame-Options")!] == "SAMEORIGIN")
        }
    }
}
