import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import SlipwayCore

/// The prediction path's addresses: MLflow's scoring shape and the Open Inference Protocol, with and without `/{env}`.
struct GatewayRoutes: Sendable {
    let environment: EnvironmentID
    let dispatcher: GatewayDispatcher
    let gate: GatewayGate
    let capture: CaptureWriter
    let clock: any WallClock
    let ids: any IDGenerator
    let bodyMax: Int

    typealias Context = BasicRequestContext

    func router() -> Router<Context> {
        let router = Router(context: Context.self)
        router.get("healthz") { _, _ in Response.text("ok\n") }
        router.get("readyz") { _, _ in isReady ? Response.text("ok\n") : Response.text("some endpoint has no worker yet\n", status: .serviceUnavailable) }
        add(to: router)
        add(to: router.group("\(environment.rawValue)"))
        return router
    }

    private func add(to router: some RouterMethods<Context>) {
        router.post("endpoints/{name}/invocations") { try await invoke($0, $1) }
        router.get("v2") { request, _ in
            try await check(request, slot: nil)
                ?? .json(["name": "slipway", "version": "2", "extensions": []])
        }
        router.get("v2/health/live") { request, _ in try await check(request, slot: nil) ?? .json(["live": true]) }
        router.get("v2/health/ready") { request, _ in
            try await check(request, slot: nil) ?? .json(["ready": .bool(isReady)], status: isReady ? .ok : .serviceUnavailable)
        }
        router.get("v2/models/{name}") { try await metadata($0, $1) }
        router.get("v2/models/{name}/ready") { try await modelReady($0, $1) }
        router.post("v2/models/{name}/infer") { try await infer($0, $1) }
    }

    private var isReady: Bool {
        dispatcher.routing.endpoints.values.allSatisfy { endpoint in endpoint.choices.contains { $0.weight > 0 && $0.pool.isReady } }
    }

    // MARK: Predictions

    /// `POST /endpoints/{name}/invocations`: JSON (`dataframe_split`, `dataframe_records`, `instances`, `inputs`) or CSV.
    private func invoke(_ request: Request, _ context: Context) async throws -> Response {
        let type = request.headers[.contentType]?.split(separator: ";").first.map { $0.trimmingCharacters(in: .whitespaces).lowercased() }
        switch type {
        case nil, "application/json": return try await predict(request, context, .json)
        case "text/csv": return try await predict(request, context, .csv)
        case let other?:
            return GatewayRefusal(.unsupportedMediaType, "BAD_REQUEST", "Content type '\(other.prefix(80))' is not known here. Send application/json or text/csv.")
                .response(.json)
        }
    }

    private func infer(_ request: Request, _ context: Context) async throws -> Response { try await predict(request, context, .infer) }

    private func predict(_ request: Request, _ context: Context, _ kind: WorkerRequest.Kind) async throws -> Response {
        let start = ContinuousClock.now
        let at = clock.now
        let id = requestID(of: request)
        let name = context.parameters.get("name") ?? ""
        guard let slot = SlotName(rawValue: name) else { return GatewayRefusal.noEndpoint(name).response(kind, id: id) }
        if let refused = await refusal(request, slot: slot) { return refused.response(kind, id: id) }
        guard let endpoint = dispatcher.routing.endpoints[slot] else { return GatewayRefusal.noEndpoint(name).response(kind, id: id) }
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: bodyMax)
        } catch is NIOTooManyBytesError {
            return GatewayRefusal(.contentTooLarge, "BAD_REQUEST", "The request's body is larger than \(bodyMax) bytes. Send fewer rows at once.").response(kind, id: id)
        }
        let captures = endpoint.capture >= 1 || (endpoint.capture > 0 && Double(dispatcher.draw() >> 11) * 0x1p-53 < endpoint.capture)
        do {
            let (pool, answer) = try await ask(endpoint, WorkerRequest(kind: kind, body: body, wantsRows: captures))
            let milliseconds = Double((ContinuousClock.now - start) / .microseconds(1)) / 1000
            if answer.status == 200 || answer.status >= 500 {
                pool.meter.record(at: at, milliseconds: milliseconds, rows: answer.rows, notANumber: answer.notANumber, failed: answer.status >= 500)
            }
            if captures, answer.status == 200 {
                capture.offer(
                    CapturedRequest(
                        slot: slot, release: pool.deployment.release, version: pool.deployment.modelVersion, generation: endpoint.generation, id: id, at: at,
                        milliseconds: milliseconds, request: body, answer: answer))
            }
            return response(answer, of: pool.deployment, id: id)
        } catch let failure as PredictionFailure {
            return GatewayRefusal(failure, slot: slot).response(kind, id: id)
        }
    }

    /// Asks the chosen deployment; another one when it went away between the choice and the question.
    private func ask(_ endpoint: LiveEndpoint, _ request: WorkerRequest) async throws -> (DeploymentPool, WorkerAnswer) {
        var endpoint = endpoint
        for attempt in 0..<2 {
            guard let pool = endpoint.choose(draw: dispatcher.draw()) else { break }
            let start = ContinuousClock.now
            do {
                return (pool, try await pool.answer(request))
            } catch PredictionFailure.notReady where attempt == 0 {
                endpoint = dispatcher.routing.endpoints[endpoint.slot] ?? endpoint
            } catch let failure as PredictionFailure {
                if failure.isTheDeployments {
                    pool.meter.record(
                        at: clock.now, milliseconds: Double((ContinuousClock.now - start) / .microseconds(1)) / 1000, rows: 0, notANumber: 0, failed: true)
                }
                throw failure
            }
        }
        throw PredictionFailure.notReady(endpoint.choices.lazy.compactMap { $0.pool.condition.reason }.first)
    }

    private func response(_ answer: WorkerAnswer, of deployment: RoutedDeployment, id: String) -> Response {
        var headers: HTTPFields = [.contentType: "application/json"]
        headers[.requestID] = id
        headers[.release] = deployment.release.rawValue
        headers[.modelVersion] = String(deployment.modelVersion)
        return Response(status: HTTPResponse.Status(code: answer.status), headers: headers, body: .init(byteBuffer: answer.body))
    }

    /// The caller's `x-request-id` when it is short and printable, else a new one.
    private func requestID(of request: Request) -> String {
        if let given = request.headers[.requestID], (1...128).contains(given.utf8.count), given.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) { return given }
        return ids.hex32()
    }

    // MARK: Models

    private func metadata(_ request: Request, _ context: Context) async throws -> Response {
        let name = context.parameters.get("name") ?? ""
        guard let slot = SlotName(rawValue: name) else { return GatewayRefusal.noEndpoint(name).response(.infer) }
        if let refused = await refusal(request, slot: slot) { return refused.response(.infer) }
        guard let endpoint = dispatcher.routing.endpoints[slot] else { return GatewayRefusal.noEndpoint(name).response(.infer) }
        let facts = endpoint.choices.lazy.filter { $0.weight > 0 }.compactMap(\.pool.facts).first
        let tensors = { (list: [ModelFacts.Tensor]) in
            JSONValue.array(
                list.map { tensor in
                    ["name": .string(tensor.name), "datatype": .string(tensor.datatype), "shape": .array(tensor.shape.map { .integer(Int64($0) ?? -1) })]
                })
        }
        return .json([
            "name": .string(name), "platform": "mlflow_pyfunc",
            "versions": .array(endpoint.choices.filter { $0.weight > 0 }.map { .string(String($0.pool.deployment.modelVersion)) }),
            "inputs": tensors(facts?.inputs ?? []), "outputs": tensors(facts?.outputs ?? []),
        ])
    }

    private func modelReady(_ request: Request, _ context: Context) async throws -> Response {
        let name = context.parameters.get("name") ?? ""
        guard let slot = SlotName(rawValue: name) else { return GatewayRefusal.noEndpoint(name).response(.infer) }
        if let refused = await refusal(request, slot: slot) { return refused.response(.infer) }
        guard let endpoint = dispatcher.routing.endpoints[slot] else { return GatewayRefusal.noEndpoint(name).response(.infer) }
        let ready = endpoint.choices.contains { $0.weight > 0 && $0.pool.isReady }
        return .json(["name": .string(name), "ready": .bool(ready)], status: ready ? .ok : .serviceUnavailable)
    }

    // MARK: Access

    private func check(_ request: Request, slot: SlotName?) async throws -> Response? { await refusal(request, slot: slot)?.response(.infer) }

    private func refusal(_ request: Request, slot: SlotName?) async -> GatewayRefusal? {
        switch await gate.check(authorization: request.headers[.authorization], forwarded: request.headers[.gatewaySecret], slot: slot) {
        case .allowed: nil
        case .refused(let status, let message):
            switch status {
            case 401: GatewayRefusal(.unauthorized, "UNAUTHENTICATED", message)
            case 404: GatewayRefusal(.notFound, "RESOURCE_DOES_NOT_EXIST", message)
            default: GatewayRefusal(.forbidden, "PERMISSION_DENIED", message)
            }
        case .away:
            GatewayRefusal(
                .serviceUnavailable, "TEMPORARILY_UNAVAILABLE", "The control plane is away, and this token was not seen here before. Try again soon.", retry: true)
        }
    }
}

extension HTTPField.Name {
    static let requestID = Self("x-request-id")!
    static let release = Self("x-slipway-release")!
    static let modelVersion = Self("x-slipway-model-version")!
    /// Shown by the control plane when it forwards.
    package static let gatewaySecret = Self("x-slipway-gateway-secret")!
}

/// A request that got no prediction, worded as its protocol words errors.
struct GatewayRefusal: Sendable {
    var status: HTTPResponse.Status
    var code: String
    var message: String
    var retry = false

    init(_ status: HTTPResponse.Status, _ code: String, _ message: String, retry: Bool = false) {
        self.status = status
        self.code = code
        self.message = message
        self.retry = retry
    }

    init(_ failure: PredictionFailure, slot: SlotName) {
        switch failure {
        case .queueFull(let count):
            self.init(.tooManyRequests, "REQUEST_LIMIT_EXCEEDED", "\(count) requests wait for endpoint '\(slot)' already. Try again soon.", retry: true)
        case .notReady(let reason):
            self.init(
                .serviceUnavailable, "TEMPORARILY_UNAVAILABLE", "Endpoint '\(slot)' has no running worker just now. \(reason ?? "It is being loaded.")", retry: true)
        case .tooLate(let deadline):
            self.init(.gatewayTimeout, "DEADLINE_EXCEEDED", "Endpoint '\(slot)' did not answer within \(deadline.spelled).", retry: true)
        case .workerDied:
            self.init(.badGateway, "INTERNAL_ERROR", "The worker of endpoint '\(slot)' that held this request died. It is being started again.", retry: true)
        }
    }

    static func noEndpoint(_ name: String) -> Self {
        Self(.notFound, "RESOURCE_DOES_NOT_EXIST", "There is no endpoint '\(name.prefix(80))' here. See what exists: slipway endpoint list")
    }

    func response(_ kind: WorkerRequest.Kind, id: String? = nil) -> Response {
        let body: JSONValue = kind == .infer ? ["error": .string(message)] : ["error_code": .string(code), "message": .string(message)]
        var response = Response.json(body, status: status)
        if let id { response.headers[.requestID] = id }
        if retry { response.headers[.retryAfter] = "1" }
        if status == .unauthorized { response.headers[.wwwAuthenticate] = "Bearer realm=\"slipway\"" }
        return response
    }
}

extension PredictionFailure {
    /// Whether it counts against the deployment.
    var isTheDeployments: Bool {
        switch self {
        case .tooLate, .workerDied: true
        case .queueFull, .notReady: false
        }
    }
}

extension Response {
    static func text(_ text: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(status: status, headers: [.contentType: "text/plain; charset=utf-8"], body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok) -> Response {
        let text = (try? CanonicalJSON.text(value)) ?? "{}"  // JSON values without NaN always encode
        return Response(status: status, headers: [.contentType: "application/json"], body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}
