import Crypto
import Foundation
import Logging
import ServiceLifecycle
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import Synchronization

/// Tells what happens, one receiver never waiting for another: each has its own queue and few deliveries under way.
/// What is not delivered when the server stops is not delivered later.
package struct WebhookDelivery: Service {
    let service: WebhookService

    package init(_ service: WebhookService) { self.service = service }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                for await event in service.events {
                    for webhook in await listeners(of: event) where service.lanes.enter(event, for: webhook.id, logger: service.logger) {
                        group.addTask { await work(webhook.id) }
                    }
                }
                group.cancelAll()
            }
        }
    }

    private func listeners(of event: RegistryEvent) async -> [Webhook] {
        do {
            return try await service.listeners(of: event)
        } catch {
            service.logger.error("webhooks cannot be read", metadata: ["error": "\(error)"])
            return []
        }
    }

    private func work(_ id: String) async {
        while let event = service.lanes.next(of: id) {
            do {
                // Read again: it may be gone, disabled or elsewhere by now.
                let current = try await service.realm.database.read { tx in try WebhookStore(tx: tx).webhook(id) }
                guard let current, current.status == .active else { continue }
                let answer = try await service.send(event, to: current)
                if answer.status >= 300 {
                    service.logger.warning("webhook refused", metadata: ["webhook": "\(current.name)", "status": "\(answer.status)"])
                }
            } catch {
                service.logger.warning("webhook not delivered", metadata: ["webhook": "\(id)", "error": "\(WebhookService.sentence(error))"])
            }
        }
    }
}

extension WebhookService {
    /// Sends the event until it is taken or the retries are used up (429, 5xx and lost connections are tried again). Every try says the same delivery id.
    func send(_ event: RegistryEvent, to webhook: Webhook) async throws -> WebhookAnswer {
        let message = try message(event, to: webhook)
        var attempt = 0
        while true {
            let target = try await target(of: webhook.url)
            var wait = settings.backOff * (1 << attempt)
            do {
                let answer = try await post.send(message, host: target.host, address: target.address, timeout: settings.timeout)
                guard answer.asksForAnother, attempt < settings.retriesMax else { return answer }
                wait = max(wait, answer.retryAfter ?? .zero)
            } catch {
                guard attempt < settings.retriesMax, !(error is CancellationError) else { throw error }
            }
            attempt += 1
            // Up to a quarter more, so that receivers do not get everything at once when they are back.
            try await Task.sleep(for: wait + wait / 4 * Double.random(in: 0...1))
        }
    }

    func message(_ event: RegistryEvent, to webhook: Webhook) throws -> WebhookMessage {
        let now = clock.now
        let body = try CanonicalJSON.text(
            [
                "entity": .string(event.kind.entity.rawValue), "action": .string(event.kind.action.rawValue), "timestamp": .string(now.iso8601), "data": event.data,
            ] as JSONValue)
        let delivery = Self.uuid(ids.hex32())
        let seconds = String(now.milliseconds / 1000)
        var headers = [("Content-Type", "application/json"), ("X-MLflow-Delivery-Id", delivery), ("X-MLflow-Timestamp", seconds)]
        if let sealed = webhook.sealedSecret {
            headers.append(("X-MLflow-Signature", Self.signature(secret: try seal.open(sealed), delivery: delivery, timestamp: seconds, body: body)))
        }
        return WebhookMessage(url: webhook.url, headers: headers.map { (name: $0.0, value: $0.1) }, body: body)
    }

    /// `v1,` and the base64 of HMAC-SHA256 over `delivery.timestamp.body`.
    static func signature(secret: String, delivery: String, timestamp: String, body: String) -> String {
        let code = HMAC<SHA256>.authenticationCode(for: Data("\(delivery).\(timestamp).\(body)".utf8), using: SymmetricKey(data: Data(secret.utf8)))
        return "v1," + Data(code).base64EncodedString()
    }
}

/// What waits for each receiver.
final class WebhookLanes: Sendable {
    static let atOnceMax = 4
    static let waitingMax = 1000

    private struct Lane { var waiting: [RegistryEvent] = []; var workers = 0 }
    private let lanes = Mutex<[String: Lane]>([:])

    /// - Returns: true when one more worker shall run for this receiver.
    func enter(_ event: RegistryEvent, for id: String, logger: Logger) -> Bool {
        lanes.withLock { lanes in
            var lane = lanes[id] ?? Lane()
            guard lane.waiting.count < Self.waitingMax else {
                logger.warning("a webhook is too slow; an event is not told", metadata: ["webhook": "\(id)"])
                return false
            }
            lane.waiting.append(event)
            let isWanted = lane.workers < Self.atOnceMax
            if isWanted { lane.workers += 1 }
            lanes[id] = lane
            return isWanted
        }
    }

    /// Nil when nothing waits; the worker then ends.
    func next(of id: String) -> RegistryEvent? {
        lanes.withLock { lanes in
            guard var lane = lanes[id] else { return nil }
            guard !lane.waiting.isEmpty else {
                lane.workers -= 1
                lanes[id] = lane.workers > 0 ? lane : nil
                return nil
            }
            let event = lane.waiting.removeFirst()
            lanes[id] = lane
            return event
        }
    }
}
