import Hummingbird
import SlipwayCore
import SlipwayHTTP
import Snapshots

/// `/{env}/data`
package struct DataPageRoutes: Sendable {
    let rooms: WebRooms

    private static let rowsMax = 50

    package init(rooms: WebRooms) { self.rooms = rooms }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get(.init(SitePattern.datasets.rawValue), use: list)
        router.get(.init(SitePattern.dataset.rawValue), use: show)
    }

    /// `GET /{env}/data`
    @Sendable func list(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let service = try rooms.room(rooms.snapshots, environment)
        var rows: [DatasetsPage.Row] = []
        for project in try context.caller.projects(asked: request.query("project"), in: environment) {
            rows += try await service.overview(project: project, by: context.caller).compactMap { overview in
                overview.newest.map { DatasetsPage.Row(newest: $0, freshness: overview.freshness) }
            }
        }
        return .page(DatasetsView.html(DatasetsPage(frame: rooms.frame(environment, context.caller), rows: rows)))
    }

    /// `GET /{env}/data/{dataset}?project=&before=`
    @Sendable func show(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let service = try rooms.room(rooms.snapshots, environment)
        let dataset = try context.parameter("dataset")
        guard let project = try request.query("project").map(ProjectName.init(parsing:)) else {
            throw SlipwayError.invalid("The address lacks its 'project'.", remedy: "Open the dataset from the list of data.")
        }
        let snapshots = try await service.list(dataset: dataset, project: project, limit: Self.rowsMax, before: request.query("before"), by: context.caller)
        let overview = try await service.overview(project: project, by: context.caller).first { $0.dataset == dataset }
        let recipes = try await rooms.refreshes[environment]?.recipes(project: project, dataset: dataset, by: context.caller) ?? []
        guard !snapshots.isEmpty || overview != nil else {
            throw SlipwayError.notFound(
                "Project '\(project)' has no dataset '\(dataset.prefix(80))' in \(environment.rawValue).", remedy: "See what exists: slipway data list \(environment.rawValue)")
        }
        return .page(
            DatasetView.html(
                DatasetPage(
                    frame: rooms.frame(environment, context.caller), project: project, dataset: dataset, snapshots: snapshots,
                    older: snapshots.count == Self.rowsMax ? snapshots.last.map { .dataset(environment, dataset, project: project, before: $0.id) } : nil,
                    freshness: overview?.freshness, recipes: recipes)))
    }
}
