import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import SlipwayCore
import SlipwayHTTP
import SlipwayWire
import Snapshots

/// Data snapshots, their bytes, and refreshes: `/api/v1/{env}/data/…?project=`.
package struct DataRoutes: Sendable {
    let snapshots: [EnvironmentID: SnapshotService]
    let refreshes: [EnvironmentID: RefreshService]

    package init(snapshots: [EnvironmentID: SnapshotService], refreshes: [EnvironmentID: RefreshService]) {
        self.snapshots = snapshots
        self.refreshes = refreshes
    }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        let data = router.group("{env}/data")
        data.get("", use: overview)
        data.post("missing", use: missing)
        data.put("blobs/{sha256}", use: putBlob)
        data.get("blobs/{sha256}", use: getBlob)
        data.get("{dataset}/snapshots", use: list)
        data.post("{dataset}/snapshots", use: make)
        data.get("{dataset}/snapshots/{version}", use: show)
        data.delete("{dataset}/snapshots/{version}", use: remove)
        data.get("{dataset}/snapshots/{version}/files", use: files)
        data.get("{dataset}/snapshots/{version}/uses", use: uses)
        data.post("{dataset}/snapshots/{version}/check", use: check)
        data.put("{dataset}/snapshots/{version}/tags/{tag}", use: tag)
        data.get("{dataset}/recipes", use: recipes)
        data.post("{dataset}/recipes/{digest}/adopt", use: adopt)
        data.get("{dataset}/refresh", use: attempts)
        data.post("{dataset}/refresh", use: refresh)
    }

    // MARK: Bytes

    /// `POST …/data/missing`: which of these digests have to be sent.
    @Sendable func missing(_ request: Request, context: SlipwayContext) async throws -> Response {
        let body = try await request.decoded(WireDigests.self)
        let missing = try await snapshots(context).missing(body.digests.map { try ContentDigest(parsing: $0) }, project: request.project(), by: context.caller)
        return try .wire(WireDigests(digests: missing.map(\.rawValue)))
    }

    /// `PUT …/data/blobs/{sha256}`: 201; 400 when the bytes have another digest, and nothing is kept.
    @Sendable func putBlob(_ request: Request, context: SlipwayContext) async throws -> Response {
        try await snapshots(context).receive(
            ContentDigest(parsing: context.parameter("sha256")), project: request.project(), pieces: request.body.map { Data($0.readableBytesView) },
            by: context.caller)
        return try .wire(WireNothing(), status: .created)
    }

    /// `GET …/data/blobs/{sha256}`: 404 also for bytes that the caller may not read.
    @Sendable func getBlob(_ request: Request, context: SlipwayContext) async throws -> Response {
        let file = try await snapshots(context).file(of: ContentDigest(parsing: context.parameter("sha256")), by: context.caller)
        return Response(
            status: .ok, headers: [.contentType: "application/octet-stream", .contentDisposition: "attachment", .cacheControl: "private, no-store"],
            body: try await FileIO().loadFile(path: file.path, context: context))
    }

    // MARK: Snapshots

    @Sendable func overview(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let datasets = try await snapshots(context).overview(project: request.project(), by: context.caller)
        return try .wire(WirePage(items: datasets.map { WireDataset($0, in: environment) }))
    }

    @Sendable func list(_ request: Request, context: SlipwayContext) async throws -> Response {
        let limit = try request.limit()
        let environment = try context.environment()
        let found = try await snapshots(context).list(
            dataset: DatasetName.checked(context.parameter("dataset")), project: request.project(), limit: limit, before: request.query("before"), by: context.caller)
        return try .wire(WirePage(items: found.map { WireSnapshot($0, in: environment) }, next: found.count == limit ? found.last?.id : nil))
    }

    /// `POST …/{dataset}/snapshots`: 201 with the snapshot, 200 when the latest one is the same; 409 when bytes were not sent.
    @Sendable func make(_ request: Request, context: SlipwayContext) async throws -> Response {
        let body = try await request.decoded(WireImport.self, upTo: 64 << 20)
        let environment = try context.environment()
        let made = try await snapshots(context).importSnapshot(
            ImportRequest(
                dataset: context.parameter("dataset"), project: request.project(),
                files: body.files.map { .init(path: $0.path, digest: try ContentDigest(parsing: $0.sha256), size: $0.sizeBytes) },
                label: body.label, tag: body.tag, expire: body.expire.map { try Duration(parsing: $0) }),
            by: context.caller)
        var wire = WireSnapshot(made.snapshot, in: environment)
        wire.isNew = made.isNew
        return try .wire(wire, status: made.isNew ? .created : .ok)
    }

    @Sendable func show(_ request: Request, context: SlipwayContext) async throws -> Response {
        let (version, dataset, environment) = try named(context)
        return try .wire(WireSnapshot(try await snapshots(context).snapshot(version, of: dataset, project: request.project(), by: context.caller), in: environment))
    }

    /// `DELETE …/snapshots/{version}`: 422 with every use that forbids it.
    @Sendable func remove(_ request: Request, context: SlipwayContext) async throws -> Response {
        let (version, dataset, environment) = try named(context)
        let removed = try await snapshots(context).remove(version, of: dataset, project: request.project(), by: context.caller)
        return try .wire(WireSnapshot(removed, in: environment))
    }

    @Sendable func files(_ request: Request, context: SlipwayContext) async throws -> Response {
        let (version, dataset, _) = try named(context)
        let manifest = try await snapshots(context).manifest(of: version, dataset: dataset, project: request.project(), by: context.caller)
        return try .wire(WirePage(items: manifest.files.map { WireFile(path: $0.path, sha256: $0.digest.rawValue, sizeBytes: $0.size) }))
    }

    @Sendable func uses(_ request: Request, context: SlipwayContext) async throws -> Response {
        let (version, dataset, _) = try named(context)
        let uses = try await snapshots(context).uses(of: version, dataset: dataset, project: request.project(), by: context.caller)
        return try .wire(WirePage(items: uses.map { WireUse(subject: $0.subject, holds: $0.holds) }))
    }

    @Sendable func check(_ request: Request, context: SlipwayContext) async throws -> Response {
        let (version, dataset, environment) = try named(context)
        return try .wire(WireSnapshot(try await snapshots(context).check(version, of: dataset, project: request.project(), by: context.caller), in: environment))
    }

    /// `PUT …/tags/{tag}?move=true`: 409 when the tag points elsewhere and `move` is missing.
    @Sendable func tag(_ request: Request, context: SlipwayContext) async throws -> Response {
        let (version, dataset, environment) = try named(context)
        let tagged = try await snapshots(context).tag(
            version, of: dataset, project: request.project(), as: context.parameter("tag"), moving: request.query("move") == "true", by: context.caller)
        return try .wire(WireSnapshot(tagged, in: environment))
    }

    // MARK: Refreshes

    @Sendable func recipes(_ request: Request, context: SlipwayContext) async throws -> Response {
        let dataset = try context.parameter("dataset")
        let project = try request.project()
        let recipes = try await refreshes(context).recipes(project: project, dataset: dataset, by: context.caller)
        let inForce = try await snapshots(context).overview(project: project, by: context.caller).first { $0.dataset == dataset }?.recipe?.digest
        return try .wire(WirePage(items: recipes.map { WireRecipe($0, isInForce: $0.digest == inForce) }))
    }

    @Sendable func adopt(_ request: Request, context: SlipwayContext) async throws -> Response {
        let recipe = try await refreshes(context).adopt(
            context.parameter("digest"), of: context.parameter("dataset"), project: request.project(), by: context.caller)
        return try .wire(WireRecipe(recipe, isInForce: true))
    }

    @Sendable func attempts(_ request: Request, context: SlipwayContext) async throws -> Response {
        let attempts = try await refreshes(context).attempts(dataset: context.parameter("dataset"), project: request.project(), by: context.caller)
        return try .wire(WirePage(items: attempts.map(WireRefresh.init)))
    }

    /// `POST …/{dataset}/refresh`: waits until it is done; 422 while the recipe is not adopted. Going away does not end the work.
    @Sendable func refresh(_ request: Request, context: SlipwayContext) async throws -> Response {
        let snapshot = try await refreshes(context).refresh(dataset: context.parameter("dataset"), project: request.project(), by: context.caller)
        return try .wire(
            WireRefresh(
                id: nil, state: snapshot == nil ? "unchanged" : "succeeded", snapshot: snapshot, source: nil, startedAt: nil, endedAt: nil, by: nil, message: nil))
    }

    // MARK: Reading addresses

    private func snapshots(_ context: SlipwayContext) throws -> SnapshotService { try context.service(snapshots) }
    private func refreshes(_ context: SlipwayContext) throws -> RefreshService { try context.service(refreshes) }

    private func named(_ context: SlipwayContext) throws -> (version: String, dataset: String, environment: EnvironmentID) {
        (try context.parameter("version"), try DatasetName.checked(context.parameter("dataset")), try context.environment())
    }
}

extension SlipwayContext {
    /// The service of the address's environment.
    func service<Service>(_ services: [EnvironmentID: Service]) throws -> Service {
        let environment = try environment()
        guard let service = services[environment] else {
            throw SlipwayError(.unavailable, "\(environment.rawValue) does not run in this process.", remedy: "Ask the server that runs it.")
        }
        return service
    }
}

extension Request {
    /// The `project` of the query.
    func project() throws -> ProjectName {
        guard let name = query("project") else { throw SlipwayError.invalid("The address lacks '?project='.", remedy: "Name the project: ?project=NAME") }
        return try ProjectName(parsing: name)
    }

    /// The `limit` of the query, 100 when it is missing.
    func limit(_ standard: Int = 100) throws -> Int {
        guard let text = query("limit") else { return standard }
        guard let limit = Int(text), (1...1000).contains(limit) else { throw SlipwayError.invalid("'\(text.prefix(80))' is not a limit.", remedy: "Use 1 to 1000.") }
        return limit
    }
}
