import SlipwayCore
import SlipwaySQL

/// What each endpoint of the realm is wanted to be. At most one wish per slot: the newest revision.
package struct EndpointStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    /// Records the wish.
    /// - Returns: false when a wish of the same or a newer revision is recorded already; then nothing changes.
    @discardableResult
    package func want(_ endpoint: WantedEndpoint, at: Timestamp) throws -> Bool {
        try tx.run(
            Self.upsert,
            [
                "slot": .text(endpoint.slot.rawValue), "project": .text(endpoint.project.rawValue), "generation": .integer(endpoint.generation),
                "revision": .integer(endpoint.revision), "wish": .text(try CanonicalJSON.text(endpoint)), "at": .integer(at.milliseconds),
            ]) > 0
    }

    package func wanted(_ slot: SlotName) throws -> WantedEndpoint? {
        try tx.first(Self.bySlot, ["slot": .text(slot.rawValue)]).map(Self.endpoint)
    }

    /// By slot name; an environment has at most `max` endpoints.
    package func all() throws -> [WantedEndpoint] { try tx.all(Self.list, ["limit": .integer(Self.max)]).map(Self.endpoint) }

    /// - Returns: false when there was none.
    @discardableResult
    package func remove(_ slot: SlotName) throws -> Bool { try tx.run(Self.delete, ["slot": .text(slot.rawValue)]) > 0 }

    package func count() throws -> Int { try tx.first(Self.howMany)?.int("n") ?? 0 }

    package static let max = 1000

    private static func endpoint(_ row: Row) throws -> WantedEndpoint { try CanonicalJSON.decode(WantedEndpoint.self, from: row.text("wish")) }

    private static let upsert = Statement(
        "endpoint.upsert",
        """
        INSERT INTO endpoint (slot, project, generation, revision, wish, wanted_at_ms) VALUES (:slot, :project, :generation, :revision, :wish, :at)
        ON CONFLICT (slot) DO UPDATE SET project = excluded.project, generation = excluded.generation, revision = excluded.revision,
            wish = excluded.wish, wanted_at_ms = excluded.wanted_at_ms
        WHERE excluded.revision > endpoint.revision
        """)
    private static let bySlot = Statement("endpoint.bySlot", "SELECT wish FROM endpoint WHERE slot = :slot")
    private static let list = Statement("endpoint.list", "SELECT wish FROM endpoint ORDER BY slot LIMIT :limit")
    private static let delete = Statement("endpoint.delete", "DELETE FROM endpoint WHERE slot = :slot")
    private static let howMany = Statement("endpoint.count", "SELECT COUNT(*) AS n FROM endpoint")
}
