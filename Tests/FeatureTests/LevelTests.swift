import Access
import Foundation
import HTTPTypes
import SlipwayCore
import SlipwayServer
import SlipwayTestSupport
import Testing

@testable import MLflowAPI

@Suite("MLflow's permissions")
struct LevelTests {
    @Test("grants on the thing, on all of its kind and on the workspace count together, and a denial wins")
    func folding() {
        let one = LevelResource(.experiment, "1")
        let levels = { (granted: [(LevelResource, AccessLevel)]) in AccessLevels(standard: .read, granted: granted).level(.experiment, "1") }
        #expect(levels([]) == .read)
        #expect(levels([(one, .none)]) == .none)
        #expect(levels([(one, .read), (LevelResource(.experiment, "*"), .edit)]) == .edit)
        #expect(levels([(one, .deny), (LevelResource(.workspace, "*"), .manage)]) == .deny)
        #expect(levels([(LevelResource(.workspace, "*"), .manage)]) == .manage)
        #expect(levels([(LevelResource(.registeredModel, "1"), .manage)]) == .read)
        #expect(AccessLevels(standard: .read, granted: [(LevelResource(.prompt, "p"), .edit)]).level(.registeredModel, "p") == .edit)
        for level in [AccessLevel.none, .deny] { for needed in AccessLevel.allCases { #expect(!level.covers(needed)) } }
    }

    @Test("doors without levels show everything only to those from whom nothing is hidden")
    func everything() {
        #expect(AccessLevels(standard: .read).seesEverything)
        #expect(!AccessLevels(standard: .none).seesEverything)
        #expect(!AccessLevels(standard: .read, granted: [(LevelResource(.experiment, "1"), .none)]).seesEverything)
        #expect(!AccessLevels(standard: .manage, granted: [(LevelResource(.experiment, "1"), .deny)]).coversEverything(.read))
    }

    @Test("every route of dev that changes something asks a reader for more than reading")
    func table() async throws {
        let server = try await TestServer()
        let prefix = "/api/2.0/"
        var asked = 0
        for (method, path) in server.routes where path.hasPrefix(prefix) && method != .get {
            let rule = LevelRule.rule(method, String(path.dropFirst(prefix.count)))
            let isSearch = path.hasSuffix("search") || path.hasSuffix("search-datasets") || path.hasSuffix("get-latest-versions")
            switch rule {
            case .experiment(let needed, _), .experimentNamed(let needed), .experiments(let needed, _), .run(let needed), .runs(let needed, _), .loggedModel(let needed),
                .model(let needed), .artifact(let needed), .everything(let needed):
                if !isSearch, !path.hasSuffix("presigned-download-url") { #expect(needed.covers(.edit), "\(method) \(path) asks for \(needed)") }
                asked += 1
            case .anybody: #expect(path.contains("/permissions/") || path.contains("/users/") || path.contains("/roles/"), "\(method) \(path) asks nothing")
            default: asked += 1
            }
        }
        #expect(asked > 40)
    }

    @Test("a workspace header leads to its environment, and one that contradicts the address is refused")
    func workspaces() async throws {
        let server = try await TestServer()
        try await server.bootstrap([("ada", [.dev: [.contributor], .stage: [.engineer]])])
        let token = try await server.token("ada")
        let header = HTTPField.Name("X-MLFLOW-WORKSPACE")!
        let made = try await server.send(
            .post, "/api/2.0/mlflow/experiments/create", token: token, body: #"{"name":"s","tags":[{"key":"slipway.project","value":"flights"}]}"#, headers: [header: "stage"])
        #expect(made.status == .ok, "\(made.text)")
        let query = "mlflow/experiments/get-by-name?experiment_name=s"
        #expect(try await server.send(.get, "/stage/api/2.0/\(query)", token: token).status == .ok)
        #expect(try await server.send(.get, "/api/2.0/\(query)", token: token).status == .notFound)
        #expect(try await server.send(.get, "/api/2.0/\(query)", token: token, headers: [header: " stage "]).status == .ok)
        #expect(try await server.send(.get, "/stage/api/2.0/\(query)", token: token, headers: [header: "default"]).status == .ok)
        #expect(try await server.send(.get, "/dev/api/2.0/\(query)", token: token, headers: [header: "stage"]).status == .badRequest)
        #expect(try await server.send(.get, "/api/2.0/\(query)", token: token, headers: [header: "moon"]).status == .notFound)
    }

    @Test("a level that is taken away stops with the answer, without asking for the password again")
    func revocation() async throws {
        let folder = try TemporaryFolder()
        let house = try await Server.assemble(
            ServerConfiguration(data: folder.url, port: 1, basic: BasicAuthentication(administrator: "root", password: "four words are long", standardLevel: .none)),
            logger: quietLogger)
        let access = house.foundations.access
        let root = try await access.caller(user: "root", password: "four words are long")
        _ = try await access.createAccount("Ann@example.org", password: "four other long words", by: root)
        let ask = { try await access.caller(user: "Ann@example.org", password: "four other long words").levels?.level(.experiment, "7") }
        #expect(try await ask() == AccessLevel.none)
        try await access.setLevel(.edit, of: "Ann@example.org", on: LevelResource(.experiment, "7"), by: root)
        #expect(try await ask() == .edit)
        try await access.removeLevel(of: "Ann@example.org", on: LevelResource(.experiment, "7"), by: root)
        #expect(try await ask() == AccessLevel.none)
        let ann = try await access.caller(user: "Ann@example.org", password: "four other long words")
        await #expect(throws: SlipwayError.self) { try await access.setLevel(.manage, of: "Ann@example.org", on: LevelResource(.experiment, "7"), by: ann) }
        #expect(!ann.may(.readMetadata, project: .implicit, environment: .dev))
        await #expect(throws: SlipwayError.self) { try await access.deleteAccount("root", by: root) }
        await #expect(throws: SlipwayError.self) { try await access.createAccount("a:b", password: "four words are long", by: root) }
        #expect(try await access.firstStartSecret() == nil)
    }
}
