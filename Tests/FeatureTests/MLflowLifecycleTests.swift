import Access
import Foundation
import HTTPTypes
import SlipwayCore
import SlipwaySQL
import SlipwayServer
import SlipwayStore
import SlipwayTestSupport
import Testing

@Suite("The life of runs, artifacts and versions")
struct MLflowLifecycleTests {
    @Test("a deleted run takes no more, a restored one does")
    func runs() async throws {
        let server = try await MLflowTestServer()
        let experiment = try await server.experiment()
        let run = try await server.run(in: experiment)
        let body = #"{"run_id":"\#(run)","key":"a","value":1,"timestamp":1}"#
        for _ in 0..<2 { try await server.call(.post, "mlflow/runs/delete", #"{"run_id":"\#(run)"}"#) }
        for (path, text) in [("log-metric", body), ("set-tag", #"{"run_id":"\#(run)","key":"a"}"#), ("update", #"{"run_id":"\#(run)","status":"FINISHED"}"#)] {
            let refused = try await server.call(.post, "mlflow/runs/\(path)", text)
            #expect(refused.status == .badRequest && refused.text.contains("must be in the 'active' state"), "\(path)")
        }
        let view = { (view: String) in try await server.call(.post, "mlflow/runs/search", #"{"experiment_ids":["\#(experiment)"],"run_view_type":"\#(view)"}"#).text }
        #expect(try await view("ACTIVE_ONLY") == "{}")
        #expect(try await view("DELETED_ONLY").contains(run))
        #expect(try await view("ALL").contains(run))
        try await server.call(.post, "mlflow/runs/restore", #"{"run_id":"\#(run)"}"#)
        #expect(try await server.call(.post, "mlflow/runs/log-metric", body).status == .ok)
    }

    @Test("an experiment takes its runs along, and its name stays taken")
    func experiments() async throws {
        let server = try await MLflowTestServer()
        let experiment = try await server.experiment()
        let run = try await server.run(in: experiment)
        let id = #"{"experiment_id":"\#(experiment)"}"#
        #expect(try await server.call(.post, "mlflow/experiments/delete", id).status == .ok)
        #expect(try await server.call(.post, "mlflow/experiments/delete", id).status == .notFound)
        #expect(try await server.call(.get, "mlflow/runs/get?run_id=\(run)").text.contains(#""lifecycle_stage":"deleted""#))
        #expect(try await server.call(.post, "mlflow/runs/create", id).status == .badRequest)
        #expect(try await server.call(.post, "mlflow/experiments/create", #"{"name":"flights"}"#).text.contains("RESOURCE_ALREADY_EXISTS"))
        #expect(try await server.call(.get, "mlflow/experiments/get-by-name?experiment_name=flights").text.contains("deleted"))
        #expect(try await server.call(.post, "mlflow/experiments/restore", id).status == .ok)
        #expect(try await server.call(.get, "mlflow/runs/get?run_id=\(run)").text.contains(#""lifecycle_stage":"active""#))
        let chain = try await server.server.foundations.realms[.dev]!.database.read { tx in
            (try AuditStore(tx: tx).history(subject: "experiment:\(experiment)").map(\.action), try AuditStore(tx: tx).verify().broken)
        }
        #expect(chain.0 == ["experiment.create", "experiment.delete", "experiment.restore"] && chain.1 == nil)
    }

    @Test("in prod what was registered can be neither deleted nor changed")
    func immutable() async throws {
        let server = try await MLflowTestServer(.prod, people: true)
        // People hold no right to log in prod; an execution's token does.
        let token = try await server.server.foundations.access.executionToken(
            execution: "e1", project: ProjectName(unchecked: "flights"), environment: .prod, lifetime: .seconds(60))
        func call(_ method: HTTPRequest.Method, _ path: String, _ body: String? = nil) async throws -> (status: HTTPResponse.Status, text: String) {
            let answer = try await server.call(method, path, body, token: token)
            return (answer.status, answer.text)
        }
        func field(_ text: String, _ path: [String]) throws -> String {
            var value = try CanonicalJSON.decode(JSONValue.self, from: text)
            for key in path { value = try #require(value[key], "\(text)") }
            return try #require(value.string)
        }
        #expect(try await server.call(.post, "mlflow/experiments/create", #"{"name":"by hand"}"#).status == .forbidden)
        let experiment = try await field(call(.post, "mlflow/experiments/create", #"{"name":"flights"}"#).text, ["experiment_id"])
        let run = try await field(call(.post, "mlflow/runs/create", #"{"experiment_id":"\#(experiment)"}"#).text, ["run", "info", "run_id"])
        let model = try await field(
            call(.post, "mlflow/logged-models", #"{"experiment_id":"\#(experiment)","name":"model","source_run_id":"\#(run)"}"#).text, ["model", "info", "model_id"])
        let root = "mlflow-artifacts/artifacts/\(experiment)/models/\(model)/artifacts"
        #expect(try await call(.put, "\(root)/MLmodel", "first").status == .ok)
        #expect(try await call(.put, "\(root)/MLmodel", "second").status == .ok, "not registered yet")
        #expect(try await call(.post, "mlflow/registered-models/create", #"{"name":"m"}"#).status == .ok)
        let version = try await call(.post, "mlflow/model-versions/create", #"{"name":"m","source":"models:/\#(model)","model_id":"\#(model)","run_id":"\#(run)"}"#)
        #expect(version.status == .ok, "\(version.text)")
        let refused: [(HTTPRequest.Method, String, String?)] = [
            (.put, "\(root)/MLmodel", "third"), (.put, "\(root)/new", "file"), (.delete, "\(root)/MLmodel", nil), (.delete, root, nil),
            (.delete, "mlflow/model-versions/delete", #"{"name":"m","version":"1"}"#), (.delete, "mlflow/registered-models/delete", #"{"name":"m"}"#),
            (.post, "mlflow/registered-models/rename", #"{"name":"m","new_name":"n"}"#), (.delete, "mlflow/logged-models/\(model)", nil),
            (.post, "mlflow/runs/delete", #"{"run_id":"\#(run)"}"#), (.post, "mlflow/experiments/delete", #"{"experiment_id":"\#(experiment)"}"#),
            (.post, "mlflow/model-versions/create", #"{"name":"m","source":"s3://bucket/elsewhere"}"#),
        ]
        for (method, path, body) in refused {
            let answer = try await call(method, path, body)
            #expect(answer.status == .badRequest && answer.text.contains("INVALID_PARAMETER_VALUE"), "\(method) \(path): \(answer.status) \(answer.text)")
        }
        #expect(try await call(.get, "\(root)/MLmodel").text == "second")
        let uri = try await field(call(.get, "mlflow/model-versions/get-download-uri?name=m&version=1").text, ["artifact_uri"])
        let address = uri.replacing("mlflow-artifacts:/", with: "mlflow-artifacts/artifacts/")
        #expect(try await call(.get, "\(address)/MLmodel").text == "second")
        #expect(try await call(.put, "\(address)/MLmodel", "fourth").status == .badRequest)
    }

    @Test("in dev a version can go, unless it is live or released; its number does not come back")
    func devVersions() async throws {
        let server = try await MLflowTestServer()
        let experiment = try await server.experiment()
        let run = try await server.run(in: experiment)
        let model = try await server.model(in: experiment, run: run)
        try await server.call(.post, "mlflow/registered-models/create", #"{"name":"m"}"#)
        let create = { try await server.json(.post, "mlflow/model-versions/create", #"{"name":"m","source":"models:/\#(model)"}"#)["model_version"]?["version"]?.string }
        #expect(try await create() == "1")
        #expect(try await create() == "2")
        try await server.call(.post, "mlflow/registered-models/alias", #"{"name":"m","alias":"live","version":"2"}"#)
        let delete = #"{"name":"m","version":"2"}"#
        let refused = try await server.call(.delete, "mlflow/model-versions/delete", delete)
        #expect(refused.status == .badRequest && refused.text.contains("live"))
        try await server.call(.delete, "mlflow/registered-models/alias", #"{"name":"m","alias":"live"}"#)
        #expect(try await server.call(.delete, "mlflow/model-versions/delete", delete).status == .ok)
        #expect(try await create() == "3")
        let sources = [
            "models:/m-none", "mlflow-artifacts:/\(experiment)/models/\(model)/artifacts/../../x", "models:/m/9", "file:///etc", "relative/path",
        ]
        for source in sources {
            let answer = try await server.call(.post, "mlflow/model-versions/create", #"{"name":"m","source":"\#(source)"}"#)
            #expect([.badRequest, .notFound].contains(answer.status), "\(source): \(answer.status)")
        }
        #expect(try await server.json(.post, "mlflow/model-versions/create", #"{"name":"m","source":"models:/m/1"}"#)["model_version"]?["version"]?.string == "4")
        // As in MLflow a version may be made before there are files; it has no frozen ones.
        let early = try await server.json(.post, "mlflow/model-versions/create", #"{"name":"m","source":"runs:/\#(run)/nothing"}"#)["model_version"]
        #expect(early?["version"]?.string == "5" && early?["source"]?.string == "runs:/\(run)/nothing")
    }

    static let hostilePaths = [
        "../../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "..%2f..%2fetc%2fpasswd", "%252e%252e/x", "/etc/passwd", "C:/windows", "a//b", "a/./b", "a%00b",
        "a%5c..%5cb", "EXP/RUN/artifacts/../../x", "EXP/RUN/artifacts/%2e%2e/x", "EXP/RUN/artifacts/..", "file:x", String(repeating: "a/", count: 600) + "b",
    ]

    @Test("hostile paths leave nothing and read nothing")
    func hostile() async throws {
        let server = try await MLflowTestServer()
        let experiment = try await server.experiment()
        let run = try await server.run(in: experiment)
        for pattern in Self.hostilePaths {
            let path = pattern.replacing("EXP", with: experiment).replacing("RUN", with: run)
            for method in [HTTPRequest.Method.get, .put, .delete] {
                let answer = try await server.call(method, "mlflow-artifacts/artifacts/\(path)", method == .put ? "x" : nil)
                #expect([.badRequest, .notFound].contains(answer.status), "\(method) \(path): \(answer.status) \(answer.text)")
            }
            let query = path.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
            let listed = try await server.call(.get, "mlflow-artifacts/artifacts?path=\(query)")
            #expect(listed.status == .badRequest || listed.text == "{}", "\(path): \(listed.text)")
            let ofRun = try await server.call(.get, "mlflow/artifacts/list?run_id=\(run)&path=\(query)")
            #expect(ofRun.status == .badRequest || !ofRun.text.contains("files"), "\(path): \(ofRun.text)")
        }
        let folder = server.server.folder.url
        let names = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []
        #expect(!names.contains { $0.hasSuffix("passwd") || $0.contains("windows") })
        #expect(!names.contains { $0.contains("/incoming/") }, "nothing half-written is left: \(names)")
    }

    @Test("a file is sent whole, in part, or not at all")
    func downloads() async throws {
        let server = try await MLflowTestServer()
        let experiment = try await server.experiment()
        let run = try await server.run(in: experiment)
        let root = "mlflow-artifacts/artifacts/\(experiment)/\(run)/artifacts"
        #expect(try await server.call(.put, "\(root)/folder/some%20text.txt", "0123456789").status == .ok)
        let whole = try await server.call(.get, "\(root)/folder/some%20text.txt")
        #expect(whole.text == "0123456789" && whole.headers[.contentType] == "text/plain")
        #expect(whole.headers[.contentDisposition]?.hasPrefix("attachment") == true && whole.headers[HTTPField.Name("X-Content-Type-Options")!] == "nosniff")
        let part = try await server.call(.get, "\(root)/folder/some%20text.txt", headers: [.range: "bytes=2-4"])
        #expect(part.status == .partialContent && part.text == "234" && part.headers[.contentRange] == "bytes 2-4/10")
        #expect(try await server.call(.get, "\(root)/folder/some%20text.txt", headers: [.range: "bytes=10-"]).status == .rangeNotSatisfiable)
        #expect(try await server.call(.get, "\(root)/folder").status == .badRequest)
        #expect(try await server.call(.get, "\(root)/nothing").status == .notFound)
        #expect(try await server.call(.put, "\(root)/folder", "x").status == .badRequest)
        #expect(try await server.call(.put, "\(experiment)/none/artifacts/x", "x").status == .notFound)
        #expect(try await server.call(.put, "mlflow-artifacts/artifacts/\(experiment)/\(String(repeating: "f", count: 32))/artifacts/x", "x").status == .notFound)
        let listed = try await server.json(.get, "mlflow-artifacts/artifacts?path=\(experiment)/\(run)/artifacts/folder")
        #expect(listed["files"] == [["path": "some text.txt", "is_dir": false, "file_size": 10]])
        let page = try await server.server.send(.get, "/dev/get-artifact?run_id=\(run)&path=folder%2Fsome%20text.txt", token: server.token)
        #expect(page.text == "0123456789")
        #expect(try await server.call(.delete, "\(root)/folder").status == .ok)
        #expect(try await server.call(.delete, "\(root)/folder").status == .ok)
        #expect(try await server.call(.get, "mlflow/artifacts/list?run_id=\(run)").text.contains("files") == false)
    }

    @Test("many writers at once lose nothing")
    func concurrent() async throws {
        let server = try await MLflowTestServer()
        let experiment = try await server.experiment()
        let run = try await server.run(in: experiment)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<16 {
                group.addTask {
                    for step in 0..<10 {
                        let metric = #"{"run_id":"\#(run)","key":"m\#(writer % 4)","value":\#(writer),"timestamp":\#(step),"step":\#(writer * 10 + step)}"#
                        #expect(try await server.call(.post, "mlflow/runs/log-metric", metric).status == .ok)
                        let param = #"{"run_id":"\#(run)","params":[{"key":"p\#(writer).\#(step)","value":"x"}],"tags":[{"key":"t","value":"\#(writer)"}]}"#
                        #expect(try await server.call(.post, "mlflow/runs/log-batch", param).status == .ok)
                    }
                    _ = try await server.run(in: experiment)
                }
            }
            try await group.waitForAll()
        }
        let record = try await server.json(.get, "mlflow/runs/get?run_id=\(run)")
        #expect(record["run"]?["data"]?["params"]?.array?.count == 160 && record["run"]?["data"]?["metrics"]?.array?.count == 4)
        for key in 0..<4 {
            let history = try await server.json(.get, "mlflow/metrics/get-history?run_id=\(run)&metric_key=m\(key)")
            #expect(history["metrics"]?.array?.count == 40)
        }
        #expect(try await server.json(.post, "mlflow/runs/search", #"{"experiment_ids":["\#(experiment)"]}"#)["runs"]?.array?.count == 17)
    }

    @Test("an execution's token works in its project and nowhere else")
    func executionToken() async throws {
        let server = try await MLflowTestServer()
        let token = try await server.server.foundations.access.executionToken(
            execution: "e1", project: ProjectName(unchecked: "flights"), environment: .stage, lifetime: .seconds(60))
        let made = try await server.server.send(.post, "/stage/api/2.0/mlflow/experiments/create", token: token, body: #"{"name":"any"}"#)
        #expect(made.status == .ok, "\(made.text)")
        for prefix in ["/dev", "", "/prod"] {
            let refused = try await server.server.send(.post, "\(prefix)/api/2.0/mlflow/experiments/create", token: token, body: #"{"name":"any"}"#)
            #expect(refused.status == .forbidden, "\(prefix): \(refused.text)")
        }
        let other = try await server.server.send(
            .post, "/stage/api/2.0/mlflow/experiments/create", token: token, body: #"{"name":"x","tags":[{"key":"slipway.project","value":"trains"}]}"#)
        #expect(other.status == .forbidden)
        let inDefault = try await server.server.send(.post, "/api/2.0/mlflow/runs/create", token: token, body: #"{"experiment_id":"0"}"#)
        #expect(inDefault.status == .forbidden)
        let native = try await server.server.send(.get, "/api/v1/stage/runs?project=flights", token: token)
        #expect(native.status == .ok && native.text.contains("items"))
    }

    @Test("runs, models and aliases are read natively")
    func native() async throws {
        let server = try await MLflowTestServer()
        let experiment = try await server.experiment()
        let run = try await server.run(in: experiment)
        try await server.call(.post, "mlflow/runs/log-metric", #"{"run_id":"\#(run)","key":"auc","value":0.7,"timestamp":1}"#)
        let model = try await server.model(in: experiment, run: run)
        try await server.call(.post, "mlflow/registered-models/create", #"{"name":"flights"}"#)
        for _ in 0..<2 { try await server.call(.post, "mlflow/model-versions/create", #"{"name":"flights","source":"models:/\#(model)"}"#) }
        let get = { (path: String) in
            let answer = try await server.server.send(.get, "/api/v1/dev/\(path)", token: server.token)
            #expect(answer.status == .ok, "\(path): \(answer.text)")
            return try CanonicalJSON.decode(JSONValue.self, from: answer.text)
        }
        let list = try await get("runs?project=flights&filter=metrics.auc%20%3E%200.5")
        #expect(list["items"]?.array?.first?["id"]?.string == run && list["items"]?.array?.first?["metrics"]?.array?.first?["value"]?.double == 0.7)
        #expect(try await get("runs/\(run)")["project"]?.string == "flights")
        #expect(try await get("runs/\(run)/metrics/auc")["items"]?.array?.count == 1)
        let put = try await server.server.send(.put, "/api/v1/dev/models/flights/aliases/best", token: server.token, body: #"{"version":2}"#)
        #expect(put.status == .ok, "\(put.text)")
        let models = try await get("models")
        #expect(models["items"]?.array?.first?["newest_version"]?.int == 2 && models["items"]?.array?.first?["aliases"] == [["alias": "best", "version": 2]])
        #expect(try await get("models/flights/versions?limit=1")["items"]?.array?.map { $0["version"]?.int } == [2])
        #expect(try await server.server.send(.get, "/api/v1/dev/runs?limit=0", token: server.token).status == .badRequest)
        #expect(try await server.server.send(.get, "/api/v1/dev/models/none", token: server.token).status == .notFound)
    }
}
