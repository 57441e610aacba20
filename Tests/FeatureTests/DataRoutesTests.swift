import Foundation
import Hummingbird
import SlipwayCore
import SlipwaySQL
import SlipwayServer
import SlipwayStore
import SlipwayTestSupport
import SlipwayWire
import Testing

@Suite("Data routes")
struct DataRoutesTests {
    private static let csv = "id,origin\n1,JFK\n2,LGA\n"
    private static let digest = ContentDigest(of: csv).rawValue

    private func server() async throws -> TestServer {
        let server = try await TestServer()
        try await server.bootstrap([
            (name: "ada", roles: [.dev: [.contributor]]),
            (name: "sam", roles: [.dev: [.steward], .stage: [.steward], .prod: [.steward]]),
            (name: "vic", roles: [.prod: [.viewer]]),
        ])
        return server
    }

    private func decode<T: Decodable>(_ type: T.Type, _ text: String) throws -> T { try WireCoder.decode(type, from: Data(text.utf8)) }

    @Test("bytes are asked for, sent, made a snapshot, shown and brought back")
    func journey() async throws {
        let server = try await server()
        let sam = try await server.token("sam")
        let base = "/api/v1/prod/data"
        let asked = try await server.send(.post, "\(base)/missing?project=flights", token: sam, body: #"{"digests":["\#(Self.digest)"]}"#)
        #expect(try decode(WireDigests.self, asked.text).digests == [Self.digest])
        let wrong = try await server.send(.put, "\(base)/blobs/\(ContentDigest(of: "x"))?project=flights", token: sam, body: Self.csv)
        #expect(wrong.status == .badRequest)
        #expect(try await server.send(.put, "\(base)/blobs/\(Self.digest)?project=flights", token: sam, body: Self.csv).status == .created)
        let again = try await server.send(.post, "\(base)/missing?project=flights", token: sam, body: #"{"digests":["\#(Self.digest)"]}"#)
        #expect(try decode(WireDigests.self, again.text).digests.isEmpty)
        let body = #"{"files":[{"path":"a/flights.csv","sha256":"\#(Self.digest)","size_bytes":\#(Self.csv.utf8.count)}],"tag":"2013-03","label":"first quarter"}"#
        let made = try await server.send(.post, "\(base)/flights/snapshots?project=flights", token: sam, body: body)
        #expect(made.status == .created)
        let snapshot = try decode(WireSnapshot.self, made.text)
        #expect(snapshot.tags == ["2013-03"])
        #expect(snapshot.tables.first?.rows == 2)
        #expect(try await server.send(.post, "\(base)/flights/snapshots?project=flights", token: sam, body: body).status == .ok)
        let shown = try await server.send(.get, "\(base)/flights/snapshots/2013-03?project=flights", token: try await server.token("vic"))
        #expect(try decode(WireSnapshot.self, shown.text).id == snapshot.id)
        let files = try decode(WirePage<WireFile>.self, try await server.send(.get, "\(base)/flights/snapshots/latest/files?project=flights", token: sam).text)
        #expect(files.items.map(\.path) == ["a/flights.csv"])
        let bytes = try await server.send(.get, "\(base)/blobs/\(Self.digest)", token: sam)
        #expect(bytes.text == Self.csv)
        for stranger in ["ada", "vic"] {
            #expect(try await server.send(.get, "\(base)/blobs/\(Self.digest)", token: try await server.token(stranger)).status == .notFound)
        }
        let manifest = try await server.send(.get, "\(base)/blobs/\(snapshot.manifest)", token: try await server.token("vic"))
        #expect(manifest.status == .notFound)
        #expect(try await server.send(.delete, "\(base)/flights/snapshots/2013-03?project=flights", token: sam).status == .forbidden)
    }

    @Test(
        "bad input is refused with what to do",
        arguments: [
            ("POST", "/api/v1/prod/data/flights/snapshots?project=flights", #"{"files":[{"path":"../x","sha256":"\#(ContentDigest(of: "x"))","size_bytes":1}]}"#, 400),
            ("POST", "/api/v1/prod/data/flights/snapshots?project=flights", #"{"files":[]}"#, 400),
            ("POST", "/api/v1/prod/data/flights/snapshots?project=flights", #"{"files":[{"path":"x","sha256":"xyz","size_bytes":1}]}"#, 400),
            ("POST", "/api/v1/prod/data/flights/snapshots?project=flights", #"{"files":[{"path":"x","sha256":"\#(ContentDigest(of: "x"))","size_bytes":1}]}"#, 409),
            ("POST", "/api/v1/prod/data/Flights/snapshots?project=flights", #"{"files":[{"path":"x","sha256":"\#(ContentDigest(of: "x"))","size_bytes":1}]}"#, 400),
            ("POST", "/api/v1/prod/data/flights/snapshots", #"{"files":[]}"#, 400),
            ("POST", "/api/v1/moon/data/flights/snapshots?project=flights", #"{"files":[]}"#, 400),
            ("GET", "/api/v1/prod/data/flights/snapshots/none?project=flights", nil, 404),
            ("GET", "/api/v1/prod/data/flights/snapshots?project=flights&limit=100000", nil, 400),
            ("POST", "/api/v1/stage/data/flights/refresh?project=flights", "{}", 404),
            ("POST", "/api/v1/stage/data/flights/recipes/0123456789/adopt?project=flights", "{}", 404),
            ("POST", "/api/v1/stage/data/missing?project=flights", #"{"digests":[]}"#, 403),
        ] as [(String, String, String?, Int)])
    func badInput(method: String, path: String, body: String?, status: Int) async throws {
        let server = try await server()
        let answer = try await server.send(.init(method)!, path, token: try await server.token("sam"), body: body)
        #expect(answer.status.code == status, "\(answer.text)")
        let error = try decode(WireError.self, answer.text).error
        #expect(!error.message.isEmpty)
    }

    @Test("a refresh runs over the API from offer to masked copy")
    func refresh() async throws {
        let server = try await server()
        let sam = try await server.token("sam")
        _ = try await server.send(.put, "/api/v1/prod/data/blobs/\(Self.digest)?project=flights", token: sam, body: Self.csv)
        let body = #"{"files":[{"path":"flights.csv","sha256":"\#(Self.digest)","size_bytes":\#(Self.csv.utf8.count)}]}"#
        _ = try await server.send(.post, "/api/v1/prod/data/flights/snapshots?project=flights", token: sam, body: body)
        try await server.foundations.realms[.stage]!.database.write { tx in
            _ = try RecipeStore(tx: tx).propose(
                project: ProjectName(unchecked: "flights"), dataset: "flights", refresh: .init(from: .prod, every: "month", mask: ["origin": .hash]), commit: "c0ffee",
                at: Timestamp(milliseconds: 1))
        }
        let base = "/api/v1/stage/data/flights"
        #expect(try await server.send(.post, "\(base)/refresh?project=flights", token: sam, body: "{}").status == .unprocessableContent)
        let recipes = try decode(WirePage<WireRecipe>.self, try await server.send(.get, "\(base)/recipes?project=flights", token: sam).text).items
        #expect(recipes.map(\.isInForce) == [false])
        #expect(recipes.first?.mask == ["origin": "hash"])
        #expect(try await server.send(.post, "\(base)/recipes/\(recipes[0].digest.prefix(12))/adopt?project=flights", token: sam, body: "{}").status == .ok)
        let done = try decode(WireRefresh.self, try await server.send(.post, "\(base)/refresh?project=flights", token: sam, body: "{}").text)
        let id = try #require(done.snapshot)
        let overview = try decode(WirePage<WireDataset>.self, try await server.send(.get, "/api/v1/stage/data?project=flights", token: sam).text).items
        #expect(overview.first?.newest?.id == id)
        #expect(overview.first?.recipe?.isInForce == true)
        #expect(overview.first?.newest?.lineage?.environment == "prod")
    }
}
