import HTTPTypes
import SlipwayCore
import Tracking
import Webhooks

/// `mlflow/webhooks/…`
struct WebhookRoutes: Sendable {
    let webhooks: WebhookService

    func add(to router: MLflowRouter<some Any>) {
        router.on(.post, "mlflow/webhooks", create)
        router.on(.get, "mlflow/webhooks", list)
        router.on(.get, "mlflow/webhooks/{webhook_id}", get)
        router.on(.patch, "mlflow/webhooks/{webhook_id}", update)
        router.on(.delete, "mlflow/webhooks/{webhook_id}", delete)
        router.on(.post, "mlflow/webhooks/{webhook_id}/test", test)
    }

    private func reply(_ webhook: Webhook) -> JSON { .object { $0.field("webhook") { $0.webhook(webhook) } } }

    @Sendable private func create(_ fields: Fields, caller: Caller) async throws -> JSON {
        let name = try fields.required("name")
        // A blank address is told apart from a missing one.
        guard let url = try fields.string("url"), !url.isEmpty else { throw TrackingRules.missing("url") }
        guard let events = try fields.webhookEvents() else { throw TrackingRules.missing("events") }
        return reply(
            try await webhooks.create(
                .init(
                    name: name, url: url, events: events, description: fields.nonEmpty("description"), secret: fields.nonEmpty("secret"), status: fields.webhookStatus()),
                by: caller))
    }

    @Sendable private func list(_ fields: Fields, caller: Caller) async throws -> JSON {
        let asked = try fields.int("max_results") ?? 0
        let limit = asked == 0 ? 100 : asked
        guard (1...1000).contains(limit) else { throw SlipwayError.invalid("max_results must be between 1 and 1000.") }
        let offset = try fields.offset()
        let page = try await webhooks.webhooks(limit: Int(limit), offset: offset, by: caller)
        return .object { json in
            json.list("webhooks", page.items) { $0.webhook($1) }
            if page.hasMore { json.field("next_page_token", PageToken.make(offset + Int(limit))) }
        }
    }

    @Sendable private func get(_ fields: Fields, caller: Caller) async throws -> JSON {
        reply(try await webhooks.webhook(fields.required("webhook_id"), by: caller))
    }

    @Sendable private func update(_ fields: Fields, caller: Caller) async throws -> JSON {
        let change = WebhookService.Change(
            name: try fields.nonEmpty("name"), url: try fields.nonEmpty("url"), events: try fields.webhookEvents(), description: try fields.nonEmpty("description"),
            secret: try fields.nonEmpty("secret"), status: try fields.webhookStatus())
        return reply(try await webhooks.update(fields.required("webhook_id"), change, by: caller))
    }

    @Sendable private func delete(_ fields: Fields, caller: Caller) async throws -> JSON {
        try await webhooks.delete(fields.required("webhook_id"), by: caller)
        return .empty
    }

    @Sendable private func test(_ fields: Fields, caller: Caller) async throws -> JSON {
        let kind = try fields.message("event").map { try $0.webhookEvent() }
        let test = try await webhooks.test(fields.required("webhook_id"), kind: kind, by: caller)
        return .object { json in
            json.field("result") { json in
                json.field("success", test.succeeded)
                json.field("response_status", test.status.map(Int64.init))
                json.field("response_body", test.body)
                json.field("error_message", test.error)
            }
        }
    }
}

extension Fields {
    func nonEmpty(_ name: String) throws -> String? { try string(name).flatMap { $0.isEmpty ? nil : $0 } }

    /// Nil when the field is absent or empty, as protobuf has it.
    fileprivate func webhookEvents() throws -> [RegistryEvent.Kind]? {
        let events = try messages("events").map { try $0.webhookEvent() }
        return events.isEmpty ? nil : events
    }

    fileprivate func webhookEvent() throws -> RegistryEvent.Kind {
        let (entity, action) = (try required("entity"), try required("action"))
        guard let entityKind = RegistryEvent.Entity(rawValue: entity.lowercased()) else { throw wrong("entity", .string(entity)) }
        guard let actionKind = RegistryEvent.Action(rawValue: action.lowercased()) else { throw wrong("action", .string(action)) }
        return RegistryEvent.Kind(entityKind, actionKind)
    }

    fileprivate func webhookStatus() throws -> Webhook.Status? {
        guard let text = try nonEmpty("status") else { return nil }
        guard let status = Webhook.Status(rawValue: text) else { throw wrong("status", .string(text)) }
        return status
    }
}

extension JSON {
    fileprivate mutating func webhook(_ webhook: Webhook) {
        field("webhook_id", webhook.id)
        field("name", webhook.name)
        field("description", webhook.description)
        field("url", webhook.url)
        list("events", webhook.events) { json, kind in
            json.field("entity", kind.entity.rawValue.uppercased())
            json.field("action", kind.action.rawValue.uppercased())
        }
        field("status", webhook.status.rawValue)
        field("creation_timestamp", webhook.createdAt.milliseconds)
        field("last_updated_timestamp", webhook.updatedAt.milliseconds)
    }
}
