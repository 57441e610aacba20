import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import SlipwayCore
import SlipwayHTTP
import SlipwayServer
import SlipwayTestSupport
import Testing

@Suite("Artifacts in plain folders")
struct MLflowPlacesTests {
    private let folder: TemporaryFolder
    private let responder: RouterResponder<SlipwayContext>

    init() async throws {
        folder = try TemporaryFolder()
        let house = try await Server.assemble(
            ServerConfiguration(
                data: folder.url.appending(path: "data"), port: 1, anonymousInDev: true, artifactRoot: "mlflow-artifacts:/",
                artifactsDestination: folder.url.appending(path: "artifacts").path), logger: quietLogger)
        responder = house.router.buildResponder()
    }

    private func call(_ method: HTTPRequest.Method, _ path: String, _ body: String? = nil) async throws -> (status: HTTPResponse.Status, text: String) {
        try await Application(responder: responder, logger: quietLogger).test(.router) { client in
            let response = try await client.execute(
                uri: "/api/2.0/\(path)", method: method, headers: body == nil ? [:] : [.contentType: "application/json"], body: body.map { ByteBuffer(string: $0) })
            return (response.status, String(buffer: response.body))
        }
    }

    @Test("a run's artifact lies in the folder under its name, and what another program puts there is listed and served")
    func plain() async throws {
        let created = try await call(.post, "mlflow/runs/create", #"{"experiment_id":"0","start_time":5}"#)
        let run = try CanonicalJSON.decode(JSONValue.self, from: created.text)["run"]?["info"]?["run_id"]?.string ?? ""
        #expect(try await call(.put, "mlflow-artifacts/artifacts/0/\(run)/artifacts/m/a.txt", "hello").status == .ok)
        let place = folder.url.appending(path: "artifacts/0/\(run)/artifacts/m")
        #expect(try String(contentsOf: place.appending(path: "a.txt"), encoding: .utf8) == "hello")
        try Data("there".utf8).write(to: place.appending(path: "b.txt"))
        #expect(try await call(.get, "mlflow-artifacts/artifacts/0/\(run)/artifacts/m/b.txt").text == "there")
        #expect(try await call(.get, "mlflow/artifacts/list?run_id=\(run)&path=m").text.contains(#""path":"m/b.txt""#))
        #expect(try await call(.get, "mlflow-artifacts/artifacts").text == #"{"files":[{"path":"0","is_dir":true}]}"#)
    }

    @Test("registering takes the bytes in, so that a later write to the folder does not change the version")
    func frozen() async throws {
        let created = try await call(.post, "mlflow/runs/create", #"{"experiment_id":"0","start_time":5}"#)
        let run = try CanonicalJSON.decode(JSONValue.self, from: created.text)["run"]?["info"]?["run_id"]?.string ?? ""
        try await _ = call(.put, "mlflow-artifacts/artifacts/0/\(run)/artifacts/m/MLmodel", "first")
        try await _ = call(.post, "mlflow/registered-models/create", #"{"name":"m"}"#)
        let version = try await call(.post, "mlflow/model-versions/create", #"{"name":"m","source":"runs:/\#(run)/m","run_id":"\#(run)"}"#)
        #expect(version.status == .ok, "\(version.text)")
        try Data("second".utf8).write(to: folder.url.appending(path: "artifacts/0/\(run)/artifacts/m/MLmodel"))
        let root =
            try CanonicalJSON.decode(JSONValue.self, from: try await call(.get, "mlflow/model-versions/get-download-uri?name=m&version=1").text)["artifact_uri"]?.string ?? ""
        #expect(try await call(.get, "mlflow-artifacts/artifacts/\(root.dropFirst("mlflow-artifacts:/".count))/MLmodel").text == "first")
        #expect(try await call(.put, "mlflow-artifacts/artifacts/\(root.dropFirst("mlflow-artifacts:/".count))/MLmodel", "third").status == .badRequest)
    }

    @Test(
        "a path that leaves the folder is refused, however it is spelled",
        arguments: [
            "../x", "%2e%2e/x", "%252e%252e/x", "a/%2e%2e/%2e%2e/x", "/etc/passwd", "%2Fetc/passwd", "a%00b", "a%5C..%5Cb", "C:/x", "file:///etc/passwd", "a//b",
        ])
    func hostile(_ path: String) async throws {
        for method in [HTTPRequest.Method.get, .put, .delete] {
            let answer = try await call(method, "mlflow-artifacts/artifacts/\(path)", method == .put ? "x" : nil)
            #expect(answer.status == .badRequest || answer.status == .notFound, "\(method) \(path): \(answer.text)")
            #expect(!answer.text.contains("root:"))
        }
        #expect(!FileManager.default.fileExists(atPath: folder.url.appending(path: "x").path))
    }
}
