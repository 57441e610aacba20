import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import ServiceLifecycle
import SlipwayCore
import SlipwayTestSupport
import Synchronization
import Testing

@testable import Serving

/// The interpreter with mlflow and scikit-learn; tests that need it are skipped, visibly, without it.
enum TestPython {
    static let path = ProcessInfo.processInfo.environment["SLIPWAY_TEST_PYTHON"] ?? ""
    static let isThere = FileManager.default.isExecutableFile(atPath: path)
    static let resources = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().appending(path: "Resources")
}

/// Two tiny models, made once per run: a real scikit-learn pipeline, and one that sleeps, hangs, dies or raises when told.
actor TestModels {
    static let shared = TestModels()
    private var making: Task<TemporaryFolder, any Error>?

    func folder() async throws -> URL {
        if making == nil { making = Task { try await Self.make() } }
        return try await making!.value.url
    }

    private static func make() async throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try await offload {
            let process = Process()
            process.executableURL = URL(filePath: TestPython.path)
            process.arguments = ["-W", "ignore", "-c", script, folder.url.path]
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            guard process.terminationStatus == 0 else { throw SlipwayError.fault("the test models were not made") }
        }
        return folder
    }

    private static let script = """
        import os, sys
        import mlflow, numpy, pandas
        from mlflow.models import infer_signature
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        root = sys.argv[1]
        rng = numpy.random.default_rng(7)
        x = pandas.DataFrame({"a": rng.normal(size=200), "b": rng.normal(size=200)})
        y = (x.a + x.b > 0).astype(int)
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
        mlflow.sklearn.save_model(model, root + "/steady", signature=infer_signature(x, model.predict(x)), serialization_format="cloudpickle")
        os.makedirs(root + "/moody/code")
        open(root + "/moody/code/moody.py", "w").write('''
        import os, time
        class Moody:
            def predict(self, data, params=None):
                mood = str(data["mood"].iloc[0])
                if mood.startswith("sleep"): time.sleep(float(mood[5:]))
                if mood == "hang": time.sleep(3600)
                if mood == "die": os._exit(3)
                if mood == "raise": raise RuntimeError("a mood")
                return [float("nan") if mood == "nan" else 1.0] * len(data)
        def _load_pyfunc(path):
            return Moody()
        ''')
        open(root + "/moody/MLmodel", "w").write('''
        flavors:
          python_function:
            loader_module: moody
            code: code
            python_version: 3.11.0
        utc_time_created: "2026-01-01 00:00:00"
        ''')
        """
}

/// Polls until the condition holds; processes have no clock that a test could move.
func eventually(_ what: String, within limit: Duration = .seconds(60), _ condition: () async throws -> Bool) async throws {
    let end = ContinuousClock.now + limit
    while .now < end {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(20))
    }
    throw SlipwayError.fault("waited too long until \(what)")
}

/// A gateway in this process on a temporary realm, with a control plane made of a closure.
final class GatewayFixture: Sendable {
    let folder: TemporaryFolder
    let serving: ServingFolder
    let controlPlaneIsAway = Mutex(false)
    let link: GatewayLink

    init() throws {
        folder = try TemporaryFolder()
        serving = ServingFolder(realm: folder.url)
        try serving.prepare()
        link = try GatewayLink(folder: serving)
    }

    struct Answer: Sendable {
        var status: Int
        var headers: HTTPHeaders
        var text: String
        var json: JSONValue { (try? JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))) ?? .null }  // shown as null in a failed expectation
    }

    static let slot = SlotName(unchecked: "late")

    static func deployment(_ release: String, model: URL, weight: Int = 100) -> RoutedDeployment {
        RoutedDeployment(
            release: ContentDigest(of: release), modelName: "late", modelVersion: release == "new" ? 2 : 1, weight: weight,
            place: .init(model: model.path, python: TestPython.path))
    }

    func route(_ deployments: [RoutedDeployment], revision: Int64 = 1, workers: Int = 1, capture: Double = 1) async throws {
        try RoutingTable(
            environment: .dev, controlPlane: "http://127.0.0.1:1",
            endpoints: [
                RoutedEndpoint(
                    slot: Self.slot, project: ProjectName(unchecked: "flights"), generation: 1, revision: revision, workers: workers, capture: capture,
                    deployments: deployments)
            ]
        ).write(to: serving.routing)
        if serving.gatewayState() != nil { try await link.reload() }
    }

    /// Runs the gateway while `body` does.
    func run(
        seed: UInt64? = nil, change: (inout GatewayConfiguration) -> Void = { _ in }, _ body: @Sendable @escaping () async throws -> Void
    ) async throws {
        var configuration = GatewayConfiguration(realm: folder.url, environment: .dev, port: 0, resources: TestPython.resources, seed: seed)
        change(&configuration)
        var gateway = Gateway(configuration, logger: quietLogger)
        gateway.ask = { [weak self] authorization, slot in
            guard let self, !self.controlPlaneIsAway.withLock({ $0 }) else { return .away }
            return authorization == "Bearer good" ? .allowed : .refused(status: authorization == "Bearer weak" ? 403 : 401, message: "Not you.")
        }
        let group = try gateway.group(signals: [])
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            do {
                try await eventually("the gateway listens") { (try? await self.link.state()) != nil && self.serving.gatewayState() != nil }
                try await body()
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    func untilReady(_ revision: Int64 = 1) async throws {
        try await eventually("revision \(revision) is taken over") { try await self.link.status().first?.revision == revision }
    }

    func status() async throws -> GatewayEndpointStatus { try #require(try await link.status().first) }

    func ask(
        _ path: String = "/endpoints/late/invocations", _ body: String? = nil, method: HTTPMethod = .POST, token: String? = "good", type: String = "application/json",
        id: String? = nil
    ) async throws -> Answer {
        let port = try #require(serving.gatewayState()?.port)
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = method
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if let id { request.headers.add(name: "x-request-id", value: id) }
        if let body {
            request.headers.add(name: "Content-Type", value: type)
            request.body = .bytes(ByteBuffer(string: body))
        }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        return Answer(status: Int(response.status.code), headers: response.headers, text: String(buffer: try await response.body.collect(upTo: 1 << 24)))
    }

    func captured() throws -> [JSONValue] {
        let place = serving.captures.appending(path: Self.slot.rawValue)
        guard FileManager.default.fileExists(atPath: place.path) else { return [] }
        return try FileManager.default.contentsOfDirectory(at: place, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "ndjson" }.sorted { $0.path < $1.path }
            .flatMap { try String(contentsOf: $0, encoding: .utf8).split(separator: "\n").map { try JSONDecoder().decode(JSONValue.self, from: Data($0.utf8)) } }
    }
}
