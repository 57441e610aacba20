import Access
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import ServiceLifecycle
import SlipwayBlobs
import SlipwayCore
import SlipwayRuntime
import SlipwayServer
import SlipwayStore
import SlipwayTestSupport
import Testing

@testable import Serving

/// A wish becomes a running process, end to end: the house's own supervisor, gateway binary, worker and forwarding.
@Suite("Endpoints", .serialized) struct EndpointTests {
    private static let slot = SlotName(unchecked: "late")
    private static let rows = #"{"dataframe_records":[{"a":2,"b":2.5}]}"#

    /// A wish for the steady model, whose bytes and lock are put into the realm.
    private static func wish(_ server: TestServer, model: URL, revision: Int64 = 1, release: String = "first") async throws -> WantedEndpoint {
        let realm = try #require(server.foundations.realms[.dev])
        let manifest = try realm.blobs.put(folder: model)
        let text = "mlflow-skinny==3.17.2\n"
        let lock = try realm.blobs.put(Data(text.utf8))
        // An environment that is there already, so that no network is used.
        let builder = EnvironmentBuilder(root: server.foundations.folder.appending(path: "environments"))
        let environment = builder.folder(python: "3.11", lock: lock)
        try FileManager.default.createDirectory(at: environment.appending(path: "bin"), withIntermediateDirectories: true)
        try Data("{}".utf8).write(to: environment.appending(path: "slipway-environment.json"))
        let python = environment.appending(path: "bin/python")
        try Data("#!/bin/sh\nexec '\(TestPython.path)' \"$@\"\n".utf8).write(to: python)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: python.path)
        return WantedEndpoint(
            slot: slot, project: ProjectName(unchecked: "flights"), generation: 1, revision: revision,
            deployments: [
                EndpointDeployment(
                    release: ContentDigest(of: release), modelName: "late", modelVersion: 3, modelDigest: try manifest.digest(), lockDigest: lock,
                    pythonVersion: "3.11", weight: 100)
            ], workers: 1, capture: 1)
    }

    private static func running(_ server: TestServer, _ body: @escaping @Sendable (EndpointService) async throws -> Void) async throws {
        let service = try #require(server.endpointServices[.dev])
        let group = ServiceGroup(configuration: .init(services: [service.supervisor], logger: quietLogger))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            var failure: (any Error)?
            do { try await body(service) } catch { failure = error }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            _ = try await Gateway.stop(realm: service.realm.directory)
            if let failure { throw failure }
        }
    }

    @Test(
        "a wish answers on the server's own port, survives kill -9 of its gateway, and is found again by the next server",
        .enabled(if: TestPython.isThere, "SLIPWAY_TEST_PYTHON names no interpreter"))
    func endToEnd() async throws {
        let server = try await TestServer(port: 0)
        try await server.bootstrap([("ada", [.dev: [.contributor]]), ("eve", [:])])
        let (ada, eve) = (try await server.token("ada"), try await server.token("eve"))
        let models = try await TestModels.shared.folder()
        let wish = try await Self.wish(server, model: models.appending(path: "steady"))
        let path = "/dev/endpoints/late/invocations"
        try await Self.running(server) { service in
            #expect(try await service.status(of: Self.slot).deployments.isEmpty)
            #expect(try await server.send(.post, path, token: ada, body: Self.rows).status == .notFound)
            try await service.want(wish)
            #expect(try await service.status(of: Self.slot).deployments.first?.state == .loading)
            try await eventually("it is taken over") { try await service.status(of: Self.slot).revision == 1 }
            let answer = try await server.send(.post, path, token: ada, body: Self.rows)
            #expect(answer.status == .ok, "\(answer.text)")
            #expect(answer.text.hasPrefix(#"{"predictions":[0.9"#))
            #expect(answer.headers[HTTPField.Name("x-slipway-model-version")!] == "3")
            #expect(try await server.send(.get, "/dev/v2/models/late/ready", token: ada).text.contains("true"))
            #expect(try await server.send(.post, path, body: Self.rows).status == .unauthorized)
            #expect(try await server.send(.post, path, token: eve, body: Self.rows).status == .notFound)
            #expect(try await server.send(.post, "/dev/endpoints/late/invocations", token: ada, body: "{").status == .badRequest)
            let page = try await server.send(.get, "/api/v1/dev/endpoints", token: ada).text
            #expect(page.contains(#""state":"ready""#) && page.contains(#""requests":1"#), "\(page)")
            #expect(try await !server.send(.get, "/api/v1/dev/endpoints", token: eve).text.contains("late"))

            let first = try #require(ServingFolder(realm: service.realm.directory).gatewayState())
            kill(first.pid, SIGKILL)
            try await eventually("another gateway answers") {
                try await server.send(.post, path, token: ada, body: Self.rows).status == .ok
            }
            let second = try #require(ServingFolder(realm: service.realm.directory).gatewayState())
            #expect(second.pid != first.pid)
        }
    }

    @Test(
        "the gateway keeps answering while its server is gone, and the next one takes it as it is",
        .enabled(if: TestPython.isThere, "SLIPWAY_TEST_PYTHON names no interpreter"))
    func outlives() async throws {
        let server = try await TestServer(port: 0)
        let models = try await TestModels.shared.folder()
        let wish = try await Self.wish(server, model: models.appending(path: "steady"))
        let realm = try #require(server.foundations.realms[.dev])
        let supervise = { (body: @escaping @Sendable (EndpointService) async throws -> Void) in
            let service = try #require(server.endpointServices[.dev])
            let fresh = try GatewaySupervisor(realm: realm, setup: service.supervisor.setup, logger: quietLogger) { _, _, _ in URL(filePath: TestPython.path) }
            let group = ServiceGroup(configuration: .init(services: [fresh], logger: quietLogger))
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await group.run() }
                var failure: (any Error)?
                do { try await body(EndpointService(realm: realm, supervisor: fresh, clock: FakeClock())) } catch { failure = error }
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
                if let failure { throw failure }
            }
        }
        try await supervise { service in
            try await service.want(wish)
            try await eventually("it is taken over") { try await service.status(of: Self.slot).revision == 1 }
        }
        let pid = try #require(ServingFolder(realm: realm.directory).gatewayState()).pid
        #expect(kill(pid, 0) == 0)
        try await supervise { service in
            try await eventually("it is found") { try await service.status(of: Self.slot).revision == 1 }
            try await service.remove(Self.slot)
            try await eventually("it is drained") { await service.supervisor.gatewayStatus()?.isEmpty == true }
        }
        #expect(ServingFolder(realm: realm.directory).gatewayState()?.pid == pid)
        #expect(try await Gateway.stop(realm: realm.directory))
        try await eventually("it has ended") { kill(pid, 0) != 0 }
    }

    @Test("a model that cannot be prepared fails with its reason and what to do")
    func unprepared() async throws {
        let server = try await TestServer(port: 0)
        let folder = try TemporaryFolder()
        try Data("x".utf8).write(to: folder.url.appending(path: "README"))
        let wish = try await Self.wish(server, model: folder.url)
        try await Self.running(server) { service in
            try await service.want(wish)
            try await eventually("it has failed") { try await service.status(of: Self.slot).deployments.first?.state == .failed }
            let reason = try await service.status(of: Self.slot).deployments.first?.reason
            #expect(reason?.contains("MLmodel") == true, "\(String(describing: reason))")
            // A gateway that is still starting could not be ended yet.
            try await eventually("the gateway answers") { await service.supervisor.gatewayStatus() != nil }
        }
    }

    @Test("wishes that cannot be are refused", arguments: [(weights: [50, 40], workers: 1, capture: 1.0), ([100], 0, 1), ([100], 1, 1.5), ([-10, 110], 1, 1)])
    func refused(weights: [Int], workers: Int, capture: Double) async throws {
        let server = try await TestServer(port: 0)
        let service = try #require(server.endpointServices[.dev])
        let deployments = weights.enumerated().map { index, weight in
            EndpointDeployment(
                release: ContentDigest(of: "\(index)"), modelName: "m", modelVersion: 1, modelDigest: ContentDigest(of: "m"), lockDigest: ContentDigest(of: "l"),
                pythonVersion: "3.11", weight: weight)
        }
        await #expect(throws: SlipwayError.self) {
            try await service.want(
                WantedEndpoint(
                    slot: Self.slot, project: ProjectName(unchecked: "flights"), generation: 1, revision: 1, deployments: deployments, workers: workers, capture: capture))
        }
    }
}
