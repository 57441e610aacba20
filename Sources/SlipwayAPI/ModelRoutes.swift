import Hummingbird
import Registry
import SlipwayCore
import SlipwayHTTP
import SlipwayWire

/// Registered models, their versions and aliases.
package struct ModelRoutes: Sendable {
    let services: [EnvironmentID: RegistryService]

    package init(services: [EnvironmentID: RegistryService]) { self.services = services }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get("{env}/models", use: list)
        router.get("{env}/models/{name}", use: show)
        router.get("{env}/models/{name}/versions", use: versions)
        router.put("{env}/models/{name}/aliases/{alias}", use: moveAlias)
        router.delete("{env}/models/{name}/aliases/{alias}", use: deleteAlias)
    }

    /// `GET /api/v1/{env}/models?project=&limit=&next=`: by name.
    @Sendable func list(_ request: Request, context: SlipwayContext) async throws -> Response {
        let page = try await context.service(of: services).models(
            project: request.query("project").map(ProjectName.init(parsing:)), after: request.query("next"), limit: request.pageLimit(), by: context.caller)
        let environment = try context.environment()
        return try .wire(WirePage(items: page.items.map { $0.wire(environment) }, next: page.hasMore ? page.items.last?.model.name : nil))
    }

    @Sendable func show(_ request: Request, context: SlipwayContext) async throws -> Response {
        let page = try await context.service(of: services).model(context.parameter("name"), by: context.caller)
        return try .wire(page.wire(context.environment()))
    }

    /// `GET /api/v1/{env}/models/{name}/versions?limit=`: newest first.
    @Sendable func versions(_ request: Request, context: SlipwayContext) async throws -> Response {
        let versions = try await context.service(of: services).versions(of: context.parameter("name"), limit: request.pageLimit(), by: context.caller)
        return try .wire(WirePage(items: versions.map(\.wire)))
    }

    /// `PUT /api/v1/{env}/models/{name}/aliases/{alias}`: points it at a version, from wherever it pointed before.
    @Sendable func moveAlias(_ request: Request, context: SlipwayContext) async throws -> Response {
        let body = try await request.decoded(WireAlias.self)
        try await context.service(of: services).move(
            alias: context.parameter("alias"), of: context.parameter("name"), to: body.version, by: context.caller)
        return try .wire(WireNothing())
    }

    @Sendable func deleteAlias(_ request: Request, context: SlipwayContext) async throws -> Response {
        try await context.service(of: services).delete(alias: context.parameter("alias"), of: context.parameter("name"), by: context.caller)
        return try .wire(WireNothing())
    }
}

extension RegistryPage {
    func wire(_ environment: EnvironmentID) -> WireModel {
        WireModel(
            name: model.name, environment: environment.rawValue, project: model.project.rawValue, description: model.description,
            newestVersion: latest.map(\.version).max(),
            aliases: model.aliases.sorted { $0.key < $1.key }.map { WireModel.Alias(alias: $0.key, version: $0.value) },
            createdAt: model.createdAt.iso8601, updatedAt: model.updatedAt.iso8601)
    }
}

extension ModelVersion {
    var wire: WireModelVersion {
        WireModelVersion(
            name: name, version: version, manifest: manifestDigest?.rawValue, sizeBytes: sizeBytes, files: fileCount, source: source, run: run,
            loggedModel: loggedModel, user: user, description: description, aliases: aliases, tags: tags.wirePairs, createdAt: createdAt.iso8601)
    }
}
