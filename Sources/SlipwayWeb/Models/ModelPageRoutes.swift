import Hummingbird
import Registry
import SlipwayCore
import SlipwayHTTP

/// `/{env}/models`
package struct ModelPageRoutes: Sendable {
    let rooms: WebRooms

    package init(rooms: WebRooms) { self.rooms = rooms }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get(.init(SitePattern.models.rawValue), use: list)
        router.get(.init(SitePattern.model.rawValue), use: show)
    }

    /// `GET /{env}/models?named=&from=`
    @Sendable func list(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let fields = QueryFields(request)
        let filter = fields["named"].map { "name ILIKE '%\($0.prefix(200).replacing("'", with: "''"))%'" } ?? ""
        let found = try await rooms.room(rooms.registries, environment).searchModels(
            filter: filter, orderBy: [], limit: ModelsPage.rowsMax, offset: fields.count("from"), by: context.caller)
        return .page(
            ModelsView.html(
                ModelsPage(
                    frame: rooms.frame(environment, context.caller), models: found.items.map(\.model), named: fields["named"], from: fields.count("from"), hasMore: found.hasMore,
                    address: rooms.address)))
    }

    /// `GET /{env}/models/{name}`
    @Sendable func show(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let service = try rooms.room(rooms.registries, environment)
        let name = try context.parameter("name")
        return .page(
            ModelView.html(
                ModelPage(
                    frame: rooms.frame(environment, context.caller), model: try await service.model(name, by: context.caller).model,
                    versions: try await service.versions(of: name, limit: 200, by: context.caller))))
    }
}
