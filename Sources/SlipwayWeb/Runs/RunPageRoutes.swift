import Foundation
import HTTPTypes
import Hummingbird
import SlipwayCore
import SlipwayHTTP
import Tracking

/// `/{env}/runs`
package struct RunPageRoutes: Sendable {
    let rooms: WebRooms

    private static let rowsMax = 50
    private static let curvesMax = 12
    private static let artifactsMax = 100

    package init(rooms: WebRooms) { self.rooms = rooms }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get(.init(SitePattern.runs.rawValue), use: list)
        router.get(.init(SitePattern.run.rawValue), use: show)
        router.get(.init(SitePattern.runArtifact.rawValue), use: artifact)
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
        var curves: [String: [MetricPoint]] = [:]
        for metric in record.details.metrics.filter({ $0.step > 0 }).prefix(Self.curvesMax) {
            let points = try await service.samples(of: metric.key, runs: [record.run.id], steps: nil, limit: Chart.pointsMax, by: caller).map(\.point)
            if points.count > 1 { curves[metric.key] = points }
        }
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
        return .page(
            RunView.html(
                RunPage(
                    frame: rooms.frame(environment, caller), run: record.run, experiment: try await service.experiment(record.run.experiment, by: caller).name,
                    details: record.details, curves: curves, artifacts: Array(artifacts.prefix(Self.artifactsMax)), hasMoreArtifacts: artifacts.count > Self.artifactsMax,
                    models: models)))
    }

    private static let pictures = ["png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp", "svg": "image/svg+xml"]
    private static let texts: Set<String> = ["txt", "md", "json", "yaml", "yml", "csv", "log", "py", "mlmodel"]

    /// `GET /{env}/runs/{id}/artifact?path=`: pictures and plain texts to look at, everything else to save.
    @Sendable func artifact(_ request: Request, context: SlipwayContext) async throws -> Response {
        let service = try rooms.room(rooms.tracking, context.environment())
        let found = try await service.artifact(request.query("path") ?? "", ofRun: context.parameter("id"), by: context.caller)
        let ending = URL(filePath: found.name).pathExtension.lowercased()
        var headers = HTTPFields.ofPage
        // Whatever somebody logged is shown without any right: no script, no form, no request, not even as a document of this site.
        headers[.contentSecurityPolicy] = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
        headers[.contentLength] = String(found.size)
        headers[.eTag] = "\"\(found.tag)\""
        if let kind = Self.pictures[ending] {
            headers[.contentType] = kind
        } else if Self.texts.contains(ending) || found.name == "MLmodel" {
            headers[.contentType] = "text/plain; charset=utf-8"
        } else {
            headers[.contentType] = "application/octet-stream"
            headers[.contentDisposition] = "attachment"
        }
        return Response(status: .ok, headers: headers, body: try await FileIO().loadFile(path: found.file.path, context: context))
    }
}
