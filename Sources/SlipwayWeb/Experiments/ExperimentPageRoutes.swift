import HTTPTypes
import Hummingbird
import NIOCore
import SlipwayCore
import SlipwayHTTP
import Tracking

/// `/{env}/experiments`
package struct ExperimentPageRoutes: Sendable {
    let rooms: WebRooms

    package init(rooms: WebRooms) { self.rooms = rooms }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get(.init(SitePattern.experiments.rawValue), use: list)
        router.get(.init(SitePattern.experiment.rawValue), use: show)
        router.get(.init(SitePattern.completions.rawValue), use: complete)
    }

    /// `GET /{env}/experiments?named=&from=`
    @Sendable func list(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let service = try rooms.room(rooms.tracking, environment)
        let fields = QueryFields(request)
        let filter = fields["named"].map { "name ILIKE '%\($0.prefix(200).replacing("'", with: "''"))%'" } ?? ""
        let found = try await service.searchExperiments(
            filter: filter, orderBy: [], view: .active, limit: ExperimentsPage.rowsMax, offset: fields.count("from"), by: context.caller)
        let activity = try await service.activity(of: found.items.map(\.id), by: context.caller)
        return .page(
            ExperimentsView.html(
                ExperimentsPage(
                    frame: rooms.frame(environment, context.caller),
                    rows: found.items.map { .init(experiment: $0, activity: activity[$0.id] ?? ExperimentActivity()) }, named: fields["named"], from: fields.count("from"),
                    hasMore: found.hasMore, address: rooms.address)))
    }

    /// `GET /{env}/experiments/{id}?filter=&sort=&order=&column=&view=&from=`: 400 with the page when the filter cannot be read.
    @Sendable func show(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let service = try rooms.room(rooms.tracking, environment)
        let caller = context.caller
        let experiment = try await service.experiment(context.parameter("id"), by: caller)
        let query = RunTableQuery(QueryFields(request))
        var page = RunTablePage(
            frame: rooms.frame(environment, caller), experiment: experiment, query: query, runs: [], found: 0,
            keys: try await service.runKeys(ofExperiment: experiment.id, by: caller), address: rooms.address)
        do {
            page.runs = try await service.searchRuns(
                filter: query.filter, orderBy: query.orderBy, experiments: [experiment.id], view: query.view, limit: RunTableQuery.rowsMax, offset: query.from,
                by: caller
            ).items.map { ($0.run, $0.details) }
            page.found = try await service.countRuns(
                filter: query.filter, experiments: [experiment.id], view: query.view, atMost: RunTablePage.countMax, by: caller)
        } catch let error as SlipwayError where error.code == .invalidArgument {
            page.error = error
        }
        return .page(RunTableView.html(page), status: page.error == nil ? .ok : .badRequest)
    }

    /// `GET /{env}/experiments/{id}/complete`: names to filter by. With `of=params.model&starts=tr`: values of one.
    @Sendable func complete(_ request: Request, context: SlipwayContext) async throws -> Response {
        let service = try rooms.room(rooms.tracking, context.environment())
        let id = try context.parameter("id")
        let fields = QueryFields(request)
        if let column = fields["of"].flatMap(RunColumn.init) {
            let values: [String]
            switch column.kind {
            case .param, .tag:
                values = try await service.runValues(
                    of: column.key, column.kind == .param ? .param : .tag, ofExperiment: id, prefix: String((fields["starts"] ?? "").prefix(200)), by: context.caller)
            case .attribute where column == .status: values = RunStatus.allCases.map(\.rawValue)
            case .attribute, .metric: values = []
            }
            return try .json(["values": .array(values.map { .string($0) })])
        }
        let keys = try await service.runKeys(ofExperiment: id, by: context.caller)
        let spelled = [(SearchEntity.metric, "metrics"), (.param, "params"), (.tag, "tags")].flatMap { entity, prefix in
            (keys[entity] ?? []).map { "\(prefix).\(Self.isPlain($0) ? $0 : "`\($0)`")" }
        }
        let attributes = SearchSubject.runs.attributes.keys.sorted().map { "attributes.\($0)" } + ["datasets.name", "datasets.digest", "datasets.context"]
        return try .json(["keys": .array((spelled + attributes).map { .string($0) })])
    }

    /// Whether the grammar reads the key without backquotes.
    private static func isPlain(_ key: String) -> Bool {
        key.unicodeScalars.allSatisfy { $0.properties.isAlphabetic || $0.properties.numericType != nil || "_./".unicodeScalars.contains($0) }
    }
}

extension Response {
    /// For a page's own script.
    static func json(_ value: JSONValue) throws -> Response {
        var headers = HTTPFields.ofPage
        headers[.contentType] = "application/json; charset=utf-8"
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(string: try CanonicalJSON.text(value))))
    }
}
