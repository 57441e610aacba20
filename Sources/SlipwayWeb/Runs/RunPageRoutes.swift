import Hummingbird
import Registry
import SlipwayCore
import SlipwayHTTP
import Tracking

/// `/{env}/runs`
package struct RunPageRoutes: Sendable {
    let rooms: WebRooms

    private static let rowsMax = 50
    private static let artifactsMax = 100

    package init(rooms: WebRooms) { self.rooms = rooms }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get(.init(SitePattern.runs.rawValue), use: list)
        router.get(.init(SitePattern.run.rawValue), use: show)
    }

    /// `GET /{env}/runs?project=&before=`
    @Sendable func list(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let service = try rooms.room(rooms.tracking, environment)
        let project = try request.query("project").map(ProjectName.init(parsing:))
        let page = try await service.runs(
            project: project, experiment: nil, filter: "", before: request.query("before").flatMap(Self.mark), limit: Self.rowsMax, by: context.caller)
        let shown = page.items
        var names: [String: String] = [:]
        for experiment in Set(shown.map(\.run.experiment)) { names[experiment] = try await service.experiment(experiment, by: context.caller).name }
        let rows = shown.map { record in
            RunsPage.Row(
                run: record.run, experiment: names[record.run.experiment] ?? record.run.experiment, commit: record.details.tags["mlflow.source.git.commit"],
                metrics: Dictionary(record.details.metrics.map { ($0.key, $0.value) }) { $1 })
        }
        let older: SitePath? =
            page.hasMore
            ? shown.last.map {
                .runs(environment, project: project, before: "\($0.run.startedAt.milliseconds)-\($0.run.number)")
            } : nil
        return .page(RunsView.html(RunsPage(frame: rooms.frame(environment, context.caller), rows: rows, older: older, address: rooms.address)))
    }

    private static func mark(_ text: String) -> (startedAt: Int64, number: Int64)? {
        let parts = text.split(separator: "-").compactMap { Int64($0) }
        return parts.count == 2 ? (parts[0], parts[1]) : nil
    }

    /// `GET /{env}/runs/{id}`
    @Sendable func show(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let service = try rooms.room(rooms.tracking, environment)
        let caller = context.caller
        let record = try await service.run(context.parameter("id"), by: caller)
        var artifacts: [RunPage.Artifact] = []
        var open: [String?] = [nil]
        while let folder = open.popLast(), artifacts.count <= Self.artifactsMax {
            for entry in try await service.listArtifacts(ofRun: record.run.id, path: folder, by: caller).entries {
                let path = folder.map { "\($0)/\(entry.name)" } ?? entry.name
                if let size = entry.size { artifacts.append(.init(path: path, sizeBytes: size)) } else { open.append(path) }
            }
        }
        artifacts.sort { $0.path < $1.path }
        var models: [LoggedModel] = []
        for link in record.details.outputs.prefix(10) { models.append(try await service.loggedModel(link.model, by: caller).model) }
        var versions: [ModelVersion] = []
        if let registry = rooms.registries[environment] {
            versions = try await registry.searchVersions(filter: "run_id = '\(record.run.id)'", orderBy: [], limit: 20, offset: 0, by: caller).items
        }
        return .page(
            RunView.html(
                RunPage(
                    frame: rooms.frame(environment, caller), run: record.run, experiment: try await service.experiment(record.run.experiment, by: caller).name,
                    details: record.details, artifacts: Array(artifacts.prefix(Self.artifactsMax)), hasMoreArtifacts: artifacts.count > Self.artifactsMax, models: models,
                    versions: versions)))
    }
}
