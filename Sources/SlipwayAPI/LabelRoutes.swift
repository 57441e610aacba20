import Foundation
import Hummingbird
import Monitoring
import NIOCore
import SlipwayCore
import SlipwayHTTP
import SlipwayWire

/// Ground truth that arrives later, under `/api/v1/{env}/labels` and, for senders that know predictions only, `/{env}/labels`.
package struct LabelRoutes: Sendable {
    let monitoring: [EnvironmentID: MonitoringService]

    package init(monitoring: [EnvironmentID: MonitoringService]) { self.monitoring = monitoring }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.post("{env}/labels", use: importLabels)
        router.get("{env}/labels", use: list)
    }

    /// `POST …/labels?slot=NAME` with CSV, JSON records or one record per line: 201, or 200 when exactly these bytes are known.
    @Sendable func importLabels(_ request: Request, context: SlipwayContext) async throws -> Response {
        let service = try monitoring.of(context)
        let slot = try request.slot()
        let taken = try await service.importLabels(slot, bytes: BodyPieces(body: request.body), by: context.caller)
        return try .wire(WireLabelBatch(taken.batch, isNew: taken.isNew), status: taken.isNew ? .created : .ok)
    }

    /// `GET …/labels?slot=NAME&limit=&before=`: batches, newest first.
    @Sendable func list(_ request: Request, context: SlipwayContext) async throws -> Response {
        let service = try monitoring.of(context)
        let page = try await service.labelBatches(request.slot(), limit: request.limit(), before: request.mark(), by: context.caller)
        return try .wire(WirePage(items: page.batches.map { WireLabelBatch($0) }, next: page.next.map(String.init)))
    }
}

/// A request's body as plain bytes.
private struct BodyPieces: AsyncSequence, Sendable {
    let body: RequestBody

    struct AsyncIterator: AsyncIteratorProtocol {
        var pieces: RequestBody.AsyncIterator
        mutating func next() async throws -> Data? { try await pieces.next().map { Data($0.readableBytesView) } }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(pieces: body.makeAsyncIterator()) }
}

extension [EnvironmentID: MonitoringService] {
    func of(_ context: SlipwayContext) throws -> MonitoringService {
        let environment = try context.environment()
        guard let service = self[environment] else {
            throw SlipwayError.notFound("This server does not run '\(environment.rawValue)'.", remedy: "Ask the server that does, with --server.")
        }
        return service
    }
}

extension Request {
    fileprivate func slot() throws -> SlotName {
        guard let name = query("slot") else { throw SlipwayError.invalid("The address lacks '?slot='.", remedy: "Name the slot: /prod/labels?slot=flight-delay") }
        return try SlotName(parsing: name)
    }

    func limit() throws -> Int {
        guard let text = query("limit") else { return 100 }
        guard let limit = Int(text), (1...1000).contains(limit) else { throw SlipwayError.invalid("'limit' is '\(text.prefix(80))'.", remedy: "Use 1 to 1000.") }
        return limit
    }

    /// The mark of the page before.
    func mark() throws -> Int64? {
        guard let text = query("before") else { return nil }
        guard let mark = Int64(text) else { throw SlipwayError.invalid("'before' is '\(text.prefix(80))'.", remedy: "Use the 'next' of the page before.") }
        return mark
    }
}
