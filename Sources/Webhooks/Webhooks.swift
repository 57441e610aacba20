// Webhooks: tells other systems, signed and retried, what happens in a realm's registry.

import Foundation
import Logging
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import Synchronization

/// Who is told what happens in one realm's registry. Whoever registers models of a project decides where its news go.
package final class WebhookService: Sendable {
    let realm: Realm
    let settings: WebhookSettings
    let seal: WebhookSeal
    let post: any WebhookPost
    let clock: any WallClock
    let ids: any IDGenerator
    let logger: Logger
    let lanes = WebhookLanes()
    /// Every webhook of the realm; nil after a change.
    private let known = Mutex<[Webhook]?>(nil)
    let events: AsyncStream<RegistryEvent>
    private let continuation: AsyncStream<RegistryEvent>.Continuation

    /// What waits to be told; the oldest news are told, the newest dropped with a line in the log.
    static let waitingMax = 10_000

    package init(
        realm: Realm, settings: WebhookSettings, seal: WebhookSeal, post: any WebhookPost = HTTPWebhookPost(), clock: any WallClock, ids: any IDGenerator, logger: Logger
    ) {
        self.realm = realm
        self.settings = settings
        self.seal = seal
        self.post = post
        self.clock = clock
        self.ids = ids
        self.logger = logger
        (events, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.waitingMax))
    }

    package var environment: EnvironmentID { realm.environment }

    // MARK: Use cases

    package struct New: Sendable {
        package var name: String
        package var url: String
        package var events: [RegistryEvent.Kind]
        package var description: String?
        package var secret: String?
        package var status: Webhook.Status?

        package init(name: String, url: String, events: [RegistryEvent.Kind], description: String?, secret: String?, status: Webhook.Status?) {
            self.name = name
            self.url = url
            self.events = events
            self.description = description
            self.secret = secret
            self.status = status
        }
    }

    /// It belongs to the caller's home project (`HomeProject`) and is told about that project's models.
    package func create(_ new: New, by caller: Caller) async throws -> Webhook {
        try caller.requireSomebody()
        let project = try HomeProject.choose(for: caller, in: environment, named: new.name, tags: [:], permission: .registerModel)
        try caller.require(.registerModel, project: project, environment: environment)
        try WebhookRules.check(name: new.name)
        try WebhookRules.check(events: new.events)
        _ = try await target(of: new.url)
        let now = clock.now
        let webhook = Webhook(
            id: Self.uuid(ids.hex32()), project: project, name: new.name, description: new.description, url: new.url, events: new.events,
            sealedSecret: try new.secret.map(seal.seal), status: new.status ?? .active, createdAt: now, updatedAt: now, createdBy: caller.principal.raw)
        try await realm.database.write { tx in
            let store = WebhookStore(tx: tx)
            guard try store.count() < WebhookStore.max else {
                throw SlipwayError.invalid("There are \(WebhookStore.max) webhooks, which is as many as can be.", remedy: "Delete one first.")
            }
            try store.insert(webhook)
            try AuditStore(tx: tx).append(
                "webhook.create", subject: "webhook:\(webhook.id)", project: project, by: caller.principal, at: now,
                details: ["name": .string(webhook.name), "url": .string(webhook.url)])
        }
        forgetKnown()
        return webhook
    }

    package func webhook(_ id: String, by caller: Caller) async throws -> Webhook {
        try caller.requireSomebody()
        return try await realm.database.read { [environment] tx in try WebhookStore(tx: tx).existing(id, for: caller, in: environment) }
    }

    /// Newest first.
    package func webhooks(limit: Int, offset: Int, by caller: Caller) async throws -> SearchPage<Webhook> {
        try caller.requireSomebody()
        let all = try await realm.database.read { tx in try WebhookStore(tx: tx).all() }
        let visible = all.filter { caller.may(.registerModel, project: $0.project, environment: environment) }
        return SearchPage(items: Array(visible.dropFirst(offset).prefix(limit)), hasMore: visible.count > offset + limit)
    }

    package struct Change: Sendable {
        package var name: String?
        package var url: String?
        package var events: [RegistryEvent.Kind]?
        package var description: String?
        package var secret: String?
        package var status: Webhook.Status?

        package init(name: String?, url: String?, events: [RegistryEvent.Kind]?, description: String?, secret: String?, status: Webhook.Status?) {
            self.name = name
            self.url = url
            self.events = events
            self.description = description
            self.secret = secret
            self.status = status
        }
    }

    /// What is nil stays.
    package func update(_ id: String, _ change: Change, by caller: Caller) async throws -> Webhook {
        try caller.requireSomebody()
        // Who may not see it learns nothing from what is wrong with the change.
        _ = try await webhook(id, by: caller)
        if let name = change.name { try WebhookRules.check(name: name) }
        if let events = change.events { try WebhookRules.check(events: events) }
        if let url = change.url { _ = try await target(of: url) }
        let secret = try change.secret.map(seal.seal)
        let now = clock.now
        let updated = try await realm.database.write { [environment] tx in
            let store = WebhookStore(tx: tx)
            var webhook = try store.existing(id, for: caller, in: environment)
            webhook.name = change.name ?? webhook.name
            webhook.url = change.url ?? webhook.url
            webhook.events = change.events ?? webhook.events
            webhook.description = change.description ?? webhook.description
            webhook.sealedSecret = secret ?? webhook.sealedSecret
            webhook.status = change.status ?? webhook.status
            webhook.updatedAt = now
            try store.update(webhook)
            try AuditStore(tx: tx).append(
                "webhook.update", subject: "webhook:\(id)", project: webhook.project, by: caller.principal, at: now,
                details: ["name": .string(webhook.name), "url": .string(webhook.url), "status": .string(webhook.status.rawValue)])
            return webhook
        }
        forgetKnown()
        return updated
    }

    package func delete(_ id: String, by caller: Caller) async throws {
        try caller.requireSomebody()
        let now = clock.now
        try await realm.database.write { [environment] tx in
            let store = WebhookStore(tx: tx)
            let webhook = try store.existing(id, for: caller, in: environment)
            try store.delete(id)
            try AuditStore(tx: tx).append(
                "webhook.delete", subject: "webhook:\(id)", project: webhook.project, by: caller.principal, at: now, details: ["name": .string(webhook.name)])
        }
        forgetKnown()
    }

    /// Sends a sample of `kind` (or of the first event it is subscribed to) now and says what came back.
    package func test(_ id: String, kind: RegistryEvent.Kind?, by caller: Caller) async throws -> WebhookTest {
        let webhook = try await webhook(id, by: caller)
        guard let kind = kind ?? webhook.events.first else { throw SlipwayError.invalid("The webhook '\(webhook.name)' has no events.") }
        do {
            let event = RegistryEvent(kind.entity, kind.action, project: webhook.project, data: WebhookSamples.data(of: kind))
            let answer = try await send(event, to: webhook)
            return WebhookTest(succeeded: answer.status < 300, status: answer.status, body: answer.body, error: nil)
        } catch {
            return WebhookTest(succeeded: false, status: nil, body: nil, error: "Failed to test webhook: \(Self.sentence(error))")
        }
    }

    // MARK: What happened

    /// The active webhooks that `event` is for.
    func listeners(of event: RegistryEvent) async throws -> [Webhook] {
        let all: [Webhook]
        if let remembered = known.withLock({ $0 }) {
            all = remembered
        } else {
            all = try await realm.database.read { tx in try WebhookStore(tx: tx).all() }
            known.withLock { $0 = all }
        }
        return all.filter { $0.status == .active && $0.project == event.project && $0.events.contains(event.kind) }
    }

    private func forgetKnown() { known.withLock { $0 = nil } }

    static func sentence(_ error: any Error) -> String { (error as? SlipwayError)?.message ?? "\(error)" }

    /// Hexadecimal digits as a random UUID is written.
    static func uuid(_ hex: String) -> String {
        var digits = Array(hex)
        digits[12] = "4"
        digits[16] = "8"
        let parts = [digits[0..<8], digits[8..<12], digits[12..<16], digits[16..<20], digits[20..<32]]
        return parts.map { String($0) }.joined(separator: "-")
    }
}

extension WebhookService: RegistryNotices {
    package func happened(_ event: RegistryEvent) {
        if case .dropped = continuation.yield(event) {
            logger.warning("webhooks are behind; an event is not told", metadata: ["event": "\(event.kind.entity.rawValue).\(event.kind.action.rawValue)"])
        }
    }
}

/// What a sample event brought back.
package struct WebhookTest: Sendable, Hashable {
    package var succeeded: Bool
    package var status: Int?
    package var body: String?
    package var error: String?
}

extension WebhookStore {
    /// - Throws: `notFound` also for one that the caller may not see.
    func existing(_ id: String, for caller: Caller, in environment: EnvironmentID) throws -> Webhook {
        guard let webhook = try webhook(id), caller.may(.registerModel, project: webhook.project, environment: environment) else {
            throw SlipwayError.notFound("Webhook with ID \(id.prefix(80)) not found.")
        }
        return webhook
    }
}
