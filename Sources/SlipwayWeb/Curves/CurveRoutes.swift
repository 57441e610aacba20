import HTTPTypes
import Hummingbird
import NIOCore
import SlipwayCore
import SlipwayHTTP
import Tracking

/// `/{env}/curves` and `/{env}/runs/{id}/metric`: points of metrics, for a page's script and for reading.
package struct CurveRoutes: Sendable {
    let rooms: WebRooms

    /// Of one run; several share them, so that an answer stays of one size.
    private static let pointsMax = 1000
    private static let runsMax = 100
    private static let rowsMax = 500

    package init(rooms: WebRooms) { self.rooms = rooms }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get(.init(SitePattern.curves.rawValue), use: curves)
        router.get(.init(SitePattern.metric.rawValue), use: metric)
    }

    /// `GET /{env}/curves?metric=&run=&run=…&from=&to=`: per run its points, sampled; `from` and `to` are steps.
    ///
    /// Answers `{"series": [{"run", "step": […], "time": […], "value": […], "isWhole"}]}`; a value is null where it is not a number.
    @Sendable func curves(_ request: Request, context: SlipwayContext) async throws -> Response {
        let service = try rooms.room(rooms.tracking, context.environment())
        let fields = QueryFields(request)
        guard let key = fields["metric"] else { throw SlipwayError.invalid("The address lacks its 'metric'.") }
        let runs = Array(fields.all("run").prefix(Self.runsMax))
        var steps: ClosedRange<Int64>?
        if let from = fields["from"].flatMap(Int64.init), let to = fields["to"].flatMap(Int64.init), from <= to { steps = from...to }
        let limit = max(100, Self.pointsMax / max(1, min(runs.count, 5)))
        let found = try await service.curves(of: key, runs: runs, steps: steps, limit: limit, by: context.caller)
        // A thinned curve has about as many points as were asked for: with far fewer nothing was left out.
        let isWhole = steps == nil && found.allSatisfy { $0.samples.count < limit / 2 }
        let series = found.map { CurveText.series($0.run, $0.samples, isWhole: isWhole) }
        var headers = HTTPFields.ofPage
        headers[.contentType] = "application/json; charset=utf-8"
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(string: "{\"series\":[\(series.joined(separator: ","))]}")))
    }

    /// `GET /{env}/runs/{id}/metric?key=&from=`: every point, in the order of time.
    @Sendable func metric(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let service = try rooms.room(rooms.tracking, environment)
        let fields = QueryFields(request)
        guard let key = fields["key"] else { throw SlipwayError.invalid("The address lacks its 'key'.") }
        let record = try await service.run(context.parameter("id"), by: context.caller)
        let mark = MetricHistoryMark(offset: fields.count("from"))
        let found = try await service.history(of: key, run: record.run.id, limit: Self.rowsMax, from: mark, by: context.caller)
        return .page(
            MetricView.html(
                MetricPage(
                    frame: rooms.frame(environment, context.caller), run: record.run, key: key, points: found.samples, from: mark.offset, hasMore: found.next != nil)))
    }
}

/// Points as JSON text. Written by hand, since a page may ask for a hundred thousand numbers.
enum CurveText {
    static func series(_ run: String, _ points: [MetricSample], isWhole: Bool) -> String {
        let steps = points.map { String($0.step) }.joined(separator: ",")
        let times = points.map { String($0.timestamp) }.joined(separator: ",")
        let values = points.map { number($0.value) }.joined(separator: ",")
        // A run's id is hexadecimal; what is not was refused before.
        let id = String(run.unicodeScalars.filter { $0.properties.isAlphabetic || $0.properties.numericType != nil || $0 == "-" || $0 == "_" }.map(Character.init))
        return "{\"run\":\"\(id)\",\"step\":[\(steps)],\"time\":[\(times)],\"value\":[\(values)],\"isWhole\":\(isWhole)}"
    }

    /// Infinities are stored as the greatest numbers; on an axis they would flatten everything else.
    private static func number(_ value: Double) -> String {
        value.isFinite && abs(value) < Double.greatestFiniteMagnitude ? String(value) : "null"
    }
}
