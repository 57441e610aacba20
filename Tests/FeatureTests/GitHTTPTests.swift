import Foundation
import Hummingbird
import HummingbirdTesting
import SlipwayCore
import SlipwayRuntime
import SlipwaySQL
import SlipwayServer
import SlipwayStore
import SlipwayTestSupport
import Testing

/// The real Git client against the real routes on a port of the system's choice.
@Suite(.timeLimit(.minutes(2))) struct GitHTTPTests {
    private func git(_ arguments: [String], in folder: URL) async throws -> CommandRun.Ending {
        let variables: [String: String?] = [
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "/bin/true", "LC_ALL": "C",
            "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org",
        ]
        return try await CommandRun(try Programs.find("git"), arguments, variables: variables, folder: folder).run()
    }

    /// A clone with one commit that is larger than a buffer.
    private func clone(_ folder: TemporaryFolder) async throws -> URL {
        let clone = folder.url.appending(path: "clone")
        _ = try await git(["init", "--quiet", "--initial-branch=main", clone.path], in: folder.url)
        var generator = SeededGenerator(seed: 7)
        try Data((0..<(3 << 20)).map { _ in UInt8.random(in: 0...255, using: &generator) }).write(to: clone.appending(path: "large.bin"))
        try Data(PipelineHouse.yaml("  train: { run: 'true' }").utf8).write(to: clone.appending(path: "slipway.yaml"))
        try Data(PipelineHouse.requirements.utf8).write(to: clone.appending(path: "requirements.txt"))
        _ = try await git(["add", "--all"], in: clone)
        _ = try await git(["commit", "--quiet", "-m", "first"], in: clone)
        return clone
    }

    @Test("a contributor pushes and everybody with a role clones the same bytes; others are refused with a sentence")
    func roundTrip() async throws {
        let server = try await TestServer()
        try await server.bootstrap([("ada", [.dev: [.contributor]]), ("vera", [.dev: [.viewer]]), ("eve", [:])])
        let folder = try TemporaryFolder()
        let clone = try await clone(folder)
        try await Application(responder: server.responder, configuration: .init(address: .hostname("127.0.0.1", port: 0)), logger: quietLogger).test(.live) { client in
            let port = try #require(client.port)
            let password = TestServer.password.replacing(" ", with: "%20")
            func address(_ user: String) -> String { "http://\(user)@127.0.0.1:\(port)/git/flights.git" }

            let anonymous = try await git(["push", "http://127.0.0.1:\(port)/git/flights.git", "main"], in: clone)
            #expect(anonymous.status != 0)
            #expect(anonymous.error.contains("Authentication failed") || anonymous.error.contains("could not read Username"), "\(anonymous.error)")

            for user in ["vera", "eve"] {
                let refused = try await git(["push", address("\(user):\(password)"), "main"], in: clone)
                #expect(refused.status != 0)
                #expect(refused.error.contains("remote: user:\(user) may not do this (pushCode) for project 'flights' in dev."), "\(refused.error)")
            }
            let pushed = try await git(["push", address("ada:\(password)"), "main"], in: clone)
            #expect(pushed.status == 0, "\(pushed.error)")
            // The event is durable before the client has its answer.
            let dev = server.foundations.realms[.dev]!
            let events = try await dev.database.read { tx in try PushStore(tx: tx).list(project: ProjectName(unchecked: "flights"), limit: 10) }
            #expect(events.map(\.pusher) == ["user:ada"])
            #expect(events.first?.handledAt != nil)

            let token = try await server.token("vera")
            let copy = folder.url.appending(path: "copy")
            let cloned = try await git(["clone", "--quiet", address("token:\(token)"), copy.path], in: folder.url)
            #expect(cloned.status == 0, "\(cloned.error)")
            #expect(try Data(contentsOf: copy.appending(path: "large.bin")) == Data(contentsOf: clone.appending(path: "large.bin")))

            _ = try await git(["commit", "--quiet", "--amend", "-m", "rewritten"], in: clone)
            let forced = try await git(["push", "--force", address("ada:\(password)"), "main"], in: clone)
            #expect(forced.error.contains("remote: slipway: The main line only moves forward"), "\(forced.error)")

            let unknown = try await git(["ls-remote", "http://ada:\(password)@127.0.0.1:\(port)/git/nothing.git"], in: clone)
            #expect(unknown.status != 0)
        }
    }

    @Test("executions are listed, shown, followed, started, canceled and retried over HTTP by those who may")
    func executions() async throws {
        let server = try await TestServer()
        try await server.bootstrap([("ada", [.dev: [.contributor]]), ("vera", [.dev: [.viewer]])])
        let folder = try TemporaryFolder()
        let clone = try await clone(folder)
        let ada = try await server.token("ada"), vera = try await server.token("vera")
        try await Application(responder: server.responder, configuration: .init(address: .hostname("127.0.0.1", port: 0)), logger: quietLogger).test(.live) { client in
            let port = try #require(client.port)
            let pushed = try await git(["push", "http://token:\(ada)@127.0.0.1:\(port)/git/flights.git", "main:work"], in: clone)
            #expect(pushed.status == 0, "\(pushed.error)")
        }
        let list = try await server.send(.get, "/api/v1/dev/executions?project=flights", token: vera)
        #expect(list.status == .ok)
        let page = try JSONDecoder().decode(JSONValue.self, from: Data(list.text.utf8))
        let first = try #require(page["items"]?.array?.first)
        #expect(first["state"] == "queued" && first["trigger"] == "push" && first["requested_by"] == "user:ada")
        let id = try #require(first["id"]?.string)
        #expect(try await server.send(.post, "/api/v1/dev/executions/\(id)/cancel", token: vera).status == .forbidden)
        #expect(try await server.send(.post, "/api/v1/dev/executions/\(id)/cancel", token: ada).status == .accepted)
        #expect(try await server.send(.post, "/api/v1/dev/executions/\(id)/cancel", token: ada).status == .conflict)
        #expect(try await server.send(.post, "/api/v1/dev/executions/\(id)/retry", token: ada).status == .accepted)
        #expect(try await server.send(.get, "/api/v1/dev/executions/nothing", token: ada).status == .notFound)
        #expect(try await server.send(.get, "/api/v1/dev/executions/\(id)/log", token: vera).status == .ok)
        let started = try await server.send(.post, "/api/v1/dev/executions", token: ada, body: #"{"project": "flights", "branch": "work"}"#)
        #expect(started.status == .accepted, "\(started.text)")
        let elsewhere = try await server.send(.post, "/api/v1/stage/executions", token: ada, body: #"{"project": "flights", "branch": "work"}"#)
        #expect(elsewhere.status == .forbidden)
    }
}
