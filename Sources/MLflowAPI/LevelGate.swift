import Access
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import SlipwayCore
import SlipwayHTTP
import Synchronization
import Tracking

/// Asks for levels (`--auth basic`) before a handler runs, and keeps them in step with what it did. Only requests that came through here get a
/// contributor's rights in dev's implicit project; administrators have them anyway.
package final class LevelGate: Sendable {
    let access: AccessService
    let tracking: TrackingService
    /// A run stays in its experiment.
    private let runs = Mutex<[String: TrackingOwner]>([:])
    private static let runsMax = 20_000

    package init(access: AccessService, tracking: TrackingService) {
        self.access = access
        self.tracking = tracking
    }

    typealias Handler = @Sendable (Request, SlipwayContext) async throws -> Response

    func handle(_ request: Request, _ context: SlipwayContext, _ rule: LevelRule, _ handler: Handler) async throws -> Response {
        guard let levels = context.caller.levels else { return try await handleUnasked(request, context, rule, handler) }
        var (request, context) = (request, context)
        context.caller = AccessService.checked(context.caller)
        if rule == .anybody { return try await handler(request, context) }
        var message = try await RequestMessage(&request, parameters: context.parameters, hasBytes: rule == .artifact(.edit) || Self.carriesBytes(request.uri.path))
        guard try await isAllowed(rule, message, request, levels) else { throw AccessService.denied }
        switch rule {
        case .searching(let kind, let list, let id, let limit) where !levels.seesEverything:
            return try await search(message, request, context, handler, list: list, limit: limit) { levels.level(kind, $0[id]?.string ?? "").covers(.read) }
        case .searchingIn where !levels.seesEverything:
            let wanted = message.texts("experiment_ids")
            var readable: [String] = []
            for id in wanted where try await owned(.experiment(id, project: .implicit), tracking.owner(ofExperiment: id), by: levels, .read) { readable.append(id) }
            if readable.isEmpty { return JSON.empty.response }
            message.set("experiment_ids", .array(readable.map { .string($0) }))
            return try await handler(message.request(like: request), context)
        default: return try await handled(message, request, context, rule, handler)
        }
    }

    private static func carriesBytes(_ path: String) -> Bool { path.hasSuffix("/upload-artifact") || path.hasSuffix("/v1/traces") }

    /// Who has no levels (an administrator, a service) is asked nothing here, but manages what they make.
    private func handleUnasked(_ request: Request, _ context: SlipwayContext, _ rule: LevelRule, _ handler: Handler) async throws -> Response {
        switch rule {
        case .making, .deletingModel, .renamingModel:
            var request = request
            let message = try await RequestMessage(&request, parameters: context.parameters)
            return try await handled(message, request, context, rule, handler)
        default: return try await handler(request, context)
        }
    }

    private func handled(_ message: RequestMessage, _ request: Request, _ context: SlipwayContext, _ rule: LevelRule, _ handler: Handler) async throws -> Response {
        var response = try await handler(request, context)
        guard response.status == .ok else { return response }
        switch rule {
        case .making(let kind):
            let answer = try await response.collected()
            let id = kind == .experiment ? answer["experiment_id"]?.string : answer["registered_model"]?["name"]?.string
            if let id { try await access.made(LevelResource(kind, id), by: context.caller) }
        case .deletingModel: if let name = message.text("name") { try await access.removed(LevelResource(.registeredModel, name)) }
        case .renamingModel:
            if let name = message.text("name"), let new = message.text("new_name") { try await access.renamed(LevelResource(.registeredModel, name), to: new) }
        default: break
        }
        return response
    }

    // MARK: Asking

    private func isAllowed(_ rule: LevelRule, _ message: RequestMessage, _ request: Request, _ levels: AccessLevels) async throws -> Bool {
        switch rule {
        case .anybody, .making, .searching, .searchingIn: return true
        case .administrator: return false
        case .everything(let needed): return levels.coversEverything(needed)
        case .experiment(let needed, let field):
            let id = message.text(field) ?? "0"
            return try await owned(.experiment(id, project: .implicit), tracking.owner(ofExperiment: id), by: levels, needed)
        case .experimentNamed(let needed):
            guard let owner = try await tracking.owner(ofExperimentNamed: message.text("experiment_name") ?? "") else { return true }
            return allows(owner, by: levels, needed)
        case .experiments(let needed, let field):
            for id in message.texts(field) where try await !owned(.experiment(id, project: .implicit), tracking.owner(ofExperiment: id), by: levels, needed) { return false }
            return true
        case .run(let needed):
            // Both spellings, whichever the handler takes.
            for id in [message.text("run_id"), message.text("run_uuid")].compactMap(\.self) where try await !run(id, by: levels, needed) { return false }
            return true
        case .trace:
            let header = HTTPField.Name("x-mlflow-experiment-id").flatMap { request.headers[$0] }
            guard let id = header ?? message.traceExperiment else { return levels.coversEverything(.edit) }
            return try await owned(.experiment(id, project: .implicit), tracking.owner(ofExperiment: id), by: levels, .edit)
        case .runs(let needed, let field):
            for id in message.texts(field) where try await !run(id, by: levels, needed) { return false }
            return true
        case .loggedModel(let needed):
            guard let owner = try await tracking.owner(ofLoggedModel: message.text("model_id") ?? "") else { return true }
            return allows(owner, by: levels, needed)
        case .model(let needed): return try await model(message.text("name") ?? "", by: levels, needed)
        case .deletingModel: return try await model(message.text("name") ?? "", by: levels, .manage)
        case .renamingModel: return try await model(message.text("name") ?? "", by: levels, .edit)
        case .version: return try await version(message, by: levels)
        case .artifact(let needed): return try await artifact(message, request, by: levels, needed)
        }
    }

    /// In other projects roles decide, and the use case asks for them.
    private func allows(_ owner: TrackingOwner, by levels: AccessLevels, _ needed: AccessLevel) -> Bool {
        switch owner {
        case .experiment(let id, let project): project != .implicit || levels.level(.experiment, id).covers(needed)
        case .model(let name, let project): project != .implicit || levels.level(.registeredModel, name).covers(needed)
        }
    }

    /// What does not exist is asked for as if it belonged to nobody's project, so that a refusal does not tell.
    private func owned(_ assumed: TrackingOwner, _ owner: TrackingOwner?, by levels: AccessLevels, _ needed: AccessLevel) -> Bool {
        allows(owner ?? assumed, by: levels, needed)
    }

    private func run(_ id: String, by levels: AccessLevels, _ needed: AccessLevel) async throws -> Bool {
        if let owner = runs.withLock({ $0[id] }) { return allows(owner, by: levels, needed) }
        guard let owner = try await tracking.owner(ofRun: id) else { return true }
        runs.withLock { runs in
            if runs.count >= Self.runsMax { runs.removeAll() }
            runs[id] = owner
        }
        return allows(owner, by: levels, needed)
    }

    private func model(_ name: String, by levels: AccessLevels, _ needed: AccessLevel) async throws -> Bool {
        owned(.model(name, project: .implicit), try await tracking.owner(ofModel: name), by: levels, needed)
    }

    /// The source must be readable too, or its bytes could be had through a version of one's own.
    private func version(_ message: RequestMessage, by levels: AccessLevels) async throws -> Bool {
        guard try await model(message.text("name") ?? "", by: levels, .edit) else { return false }
        if let id = message.text("run_id"), !id.isEmpty, try await !run(id, by: levels, .read) { return false }
        var sources = [message.text("source") ?? ""]
        if let id = message.text("model_id"), !id.isEmpty { sources.append("models:/\(id)") }
        for source in sources {
            let owner: TrackingOwner?
            if source.hasPrefix("runs:/") {
                owner = try await tracking.owner(ofRun: String(source.dropFirst("runs:/".count).prefix { $0 != "/" }))
            } else if source.hasPrefix("models:/m-") {
                owner = try await tracking.owner(ofLoggedModel: String(source.dropFirst("models:/".count)))
            } else if source.hasPrefix("models:/") {
                owner = try await tracking.owner(ofModel: String(source.dropFirst("models:/".count).prefix { $0 != "/" && $0 != "@" }))
            } else if source.hasPrefix(ArtifactRoot.scheme) {
                owner = try await tracking.owner(ofArtifact: String(source.dropFirst(ArtifactRoot.scheme.count).drop { $0 == "/" }))
            } else {
                owner = nil
            }
            if let owner, !allows(owner, by: levels, .read) { return false }
        }
        return true
    }

    private func artifact(_ message: RequestMessage, _ request: Request, by levels: AccessLevels, _ needed: AccessLevel) async throws -> Bool {
        let mark = "/mlflow-artifacts/"
        var path = message.text("path") ?? ""
        if let found = request.uri.path.firstRange(of: mark) {
            // `artifacts/…`, `mpu/create/…`, `presigned/…`
            let rest = request.uri.path[found.upperBound...].split(separator: "/").map(String.init)
            let below = rest.first == "mpu" ? rest.dropFirst(2) : rest.dropFirst(1)
            if !below.isEmpty { path = below.joined(separator: "/").removingPercentEncoding ?? "" }
        }
        guard !path.isEmpty, let owner = try await tracking.owner(ofArtifact: path) else { return levels.coversEverything(needed) }
        return allows(owner, by: levels, needed)
    }

    // MARK: Searching

    /// Asks again, page after page, until the caller's page is full of what they may read.
    private func search(
        _ message: RequestMessage, _ request: Request, _ context: SlipwayContext, _ handler: Handler, list: String, limit standardLimit: Int?,
        isReadable: (JSONValue) -> Bool
    ) async throws -> Response {
        guard let wanted = message.int("max_results") ?? standardLimit, wanted > 0 else { return try await handler(request, context) }
        var message = message
        var kept: [JSONValue] = []
        var token: String?
        for _ in 0..<Self.pagesMax {
            message.set("max_results", .integer(Int64(wanted - kept.count)))
            var response = try await handler(message.request(like: request), context)
            guard response.status == .ok else { return response }
            let answer = try await response.collected()
            kept += (answer[list]?.array ?? []).filter(isReadable)
            token = answer["next_page_token"]?.string
            guard let next = token, kept.count < wanted else { break }
            message.set("page_token", .string(next))
        }
        var reply: [String: JSONValue] = [:]
        if !kept.isEmpty { reply[list] = .array(kept) }
        if let token { reply["next_page_token"] = .string(token) }
        return try .json(.object(reply))
    }

    /// A page that is still not full then goes out as it is, with its token.
    private static let pagesMax = 50
}

/// A request's fields, which can be changed and sent on.
struct RequestMessage: Sendable {
    private var values: [String: JSONValue]
    private var parameters: [String: JSONValue] = [:]

    /// Reads what the handler will read, and nothing else (`Fields`): the query of a GET that has one, else the body, which is put back.
    /// - Parameter hasBytes: the body is a file's bytes, and the names are in the query.
    init(_ request: inout Request, parameters: Parameters, hasBytes: Bool = false) async throws {
        for (name, value) in parameters { self.parameters[String(name)] = .string(String(value).removingPercentEncoding ?? "") }
        let query = request.uri.query ?? ""
        values = [:]
        if hasBytes || (request.method == .get && !query.isEmpty) {
            values = Fields.query(query)
            return
        }
        let body = try await request.bodyBytes(upTo: Fields.bodyMax)
        request.body = .init(buffer: ByteBuffer(bytes: body))
        guard !body.isEmpty else { return }
        var value = try? JSONCursor.parse(body)  // a broken body counts as an empty one
        if case .string(let inner) = value { value = try? JSONCursor.parse(Array(inner.utf8)) }
        if case .object(let members) = value { values = members }
    }

    private subscript(name: String) -> JSONValue? {
        if let value = parameters[name] ?? values[name] { return value }
        let parts = name.split(separator: "_")
        return values[parts.dropFirst().reduce(String(parts.first ?? "")) { $0 + $1.prefix(1).uppercased() + $1.dropFirst() }]
    }

    /// Numbers are read as the handlers read them.
    func text(_ name: String) -> String? {
        switch self[name] {
        case .string(let text): text
        case .integer(let number): String(number)
        case .array(let all): all.last?.string
        default: nil
        }
    }

    func texts(_ name: String) -> [String] {
        switch self[name] {
        case .array(let all): all.compactMap { $0.string ?? $0.int.map { String($0) } }
        case .string(let text): [text]
        default: []
        }
    }

    /// `trace.trace_info.trace_location.mlflow_experiment.experiment_id`, or the older `experiment_id`.
    var traceExperiment: String? {
        guard let info = self["trace"]?["trace_info"] ?? self["trace"]?["traceInfo"] else { return text("experiment_id") }
        let location = info["trace_location"] ?? info["traceLocation"]
        let experiment = location?["mlflow_experiment"] ?? location?["mlflowExperiment"]
        return (experiment?["experiment_id"] ?? experiment?["experimentId"])?.string
    }

    func int(_ name: String) -> Int? { text(name).flatMap(Int.init) }

    mutating func set(_ name: String, _ value: JSONValue) { values[name] = value }

    func request(like request: Request) throws -> Request {
        var head = request.head
        guard request.method == .get, request.uri.query?.isEmpty == false else {
            let text = try CanonicalJSON.text(JSONValue.object(values))
            head.headerFields[.contentLength] = String(text.utf8.count)
            return Request(head: head, body: .init(buffer: ByteBuffer(string: text)))
        }
        let encode = { (text: String) in text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "" }
        let pairs = values.flatMap { name, value in (value.array ?? [value]).map { "\(encode(name))=\(encode($0.string ?? $0.int.map { String($0) } ?? ""))" } }
        head.path = request.uri.path + "?" + pairs.joined(separator: "&")
        return Request(head: head, body: request.body)
    }
}

extension Response {
    static func json(_ value: JSONValue) throws -> Response {
        Response(status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: ByteBuffer(string: try CanonicalJSON.text(value))))
    }

    /// Reads the body, which stays there to be sent.
    mutating func collected() async throws -> JSONValue {
        let buffer = CollectedBody()
        try await body.write(CollectingWriter(target: buffer))
        let bytes = buffer.bytes
        body = .init(byteBuffer: bytes)
        return try JSONCursor.parse(Array(bytes.readableBytesView))
    }
}

private final class CollectedBody: Sendable {
    private let buffer = Mutex(ByteBuffer())
    var bytes: ByteBuffer { buffer.withLock { $0 } }
    func append(_ piece: ByteBuffer) { buffer.withLock { _ = $0.writeImmutableBuffer(piece) } }
}

private struct CollectingWriter: ResponseBodyWriter {
    let target: CollectedBody
    mutating func write(_ buffer: ByteBuffer) async throws { target.append(buffer) }
    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
