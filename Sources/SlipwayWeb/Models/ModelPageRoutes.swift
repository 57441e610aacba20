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

    /// `GET /{env}/models`
    @Sendable func list(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let found = try await rooms.room(rooms.registries, environment).searchModels(filter: "", orderBy: [], limit: 200, offset: 0, by: context.caller)
        return .page(
            ModelsView.html(
                ModelsPage(
                    frame: rooms.frame(environment, context.caller), models: found.items.map(\.model), address: rooms.address)))
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
