import SlipwayCore
import SlipwaySQL

/// Who is told what happens in this realm's registry.
package struct WebhookStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    /// A realm has at most this many.
    package static let max = 1000

    package func insert(_ webhook: Webhook) throws {
        try tx.run(
            Self.insertWebhook,
            [
                "id": .text(webhook.id), "project": .text(webhook.project.rawValue), "name": .text(webhook.name), "description": .text(webhook.description),
                "url": .text(webhook.url), "secret": .text(webhook.sealedSecret), "status": .text(webhook.status.rawValue),
                "created": .integer(webhook.createdAt.milliseconds), "updated": .integer(webhook.updatedAt.milliseconds), "by": .text(webhook.createdBy),
            ])
        try insertEvents(webhook)
    }

    package func update(_ webhook: Webhook) throws {
        try tx.run(
            Self.updateWebhook,
            [
                "id": .text(webhook.id), "name": .text(webhook.name), "description": .text(webhook.description), "url": .text(webhook.url),
                "secret": .text(webhook.sealedSecret), "status": .text(webhook.status.rawValue), "updated": .integer(webhook.updatedAt.milliseconds),
            ])
        try tx.run(Self.deleteEvents, ["id": .text(webhook.id)])
        try insertEvents(webhook)
    }

    package func delete(_ id: String) throws {
        try tx.run(Self.deleteEvents, ["id": .text(id)])
        try tx.run(Self.deleteWebhook, ["id": .text(id)])
    }

    package func webhook(_ id: String) throws -> Webhook? { try tx.first(Self.byID, ["id": .text(id)]).map(webhook) }

    package func count() throws -> Int { try tx.first(Self.howMany)?.int("n") ?? 0 }

    /// Newest first, at most `max`.
    package func all() throws -> [Webhook] { try tx.all(Self.list, ["limit": .integer(Self.max)]).map(webhook) }

    private func insertEvents(_ webhook: Webhook) throws {
        for (position, kind) in webhook.events.enumerated() {
            try tx.run(
                Self.insertEvent,
                ["id": .text(webhook.id), "position": .integer(position), "entity": .text(kind.entity.rawValue), "action": .text(kind.action.rawValue)])
        }
    }

    private func webhook(_ row: Row) throws -> Webhook {
        let events = try tx.all(Self.eventsOf, ["id": .text(row.text("id"))]).compactMap { event -> RegistryEvent.Kind? in
            guard let entity = RegistryEvent.Entity(rawValue: event.text("entity")), let action = RegistryEvent.Action(rawValue: event.text("action")) else { return nil }
            return RegistryEvent.Kind(entity, action)
        }
        return Webhook(
            id: row.text("id"), project: ProjectName(unchecked: row.text("project")), name: row.text("name"), description: row.optionalText("description"),
            url: row.text("url"), events: events, sealedSecret: row.optionalText("sealed_secret"), status: Webhook.Status(rawValue: row.text("status")) ?? .disabled,
            createdAt: Timestamp(milliseconds: row.int64("created_at_ms")), updatedAt: Timestamp(milliseconds: row.int64("updated_at_ms")),
            createdBy: row.text("created_by"))
    }

    private static let insertWebhook = Statement(
        "webhook.insert",
        """
        INSERT INTO webhook (id, project, name, description, url, sealed_secret, status, created_at_ms, updated_at_ms, created_by)
        VALUES (:id, :project, :name, :description, :url, :secret, :status, :created, :updated, :by)
        """)
    private static let updateWebhook = Statement(
        "webhook.update",
        """
        UPDATE webhook SET name = :name, description = :description, url = :url, sealed_secret = :secret, status = :status, updated_at_ms = :updated
        WHERE id = :id
        """)
    private static let deleteWebhook = Statement("webhook.delete", "DELETE FROM webhook WHERE id = :id")
    private static let byID = Statement("webhook.byID", "SELECT * FROM webhook WHERE id = :id")
    private static let list = Statement("webhook.list", "SELECT * FROM webhook ORDER BY created_at_ms DESC, id LIMIT :limit")
    private static let howMany = Statement("webhook.count", "SELECT COUNT(*) AS n FROM webhook")
    private static let insertEvent = Statement(
        "webhookEvent.insert",
        """
        INSERT INTO webhook_event (webhook_id, position, entity, action) VALUES (:id, :position, :entity, :action)
        ON CONFLICT (webhook_id, entity, action) DO NOTHING
        """)
    private static let deleteEvents = Statement("webhookEvent.delete", "DELETE FROM webhook_event WHERE webhook_id = :id")
    private static let eventsOf = Statement("webhookEvent.of", "SELECT entity, action FROM webhook_event WHERE webhook_id = :id ORDER BY position")
}
