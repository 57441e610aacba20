import SlipwayCore
import SlipwaySQL

/// The settings of MLflow's gateway: secrets, model definitions, endpoints and bindings, each a JSON object of MLflow's shape.
package struct GatewayStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    package enum Kind: String, Sendable { case secret, model, endpoint, binding }

    package struct Record: Sendable, Hashable {
        package var id: String
        package var name: String
        package var body: [String: JSONValue]
        package var createdAt: Timestamp
        package var updatedAt: Timestamp
    }

    /// The name must be free: the schema refuses a second one.
    package func insert(_ kind: Kind, id: String, name: String, body: [String: JSONValue], sealed: String? = nil, at: Timestamp) throws {
        try tx.run(
            Self.insert,
            [
                "id": .text(id), "kind": .text(kind.rawValue), "name": .text(name), "body": .text(try CanonicalJSON.text(JSONValue.object(body))),
                "sealed": .text(sealed), "at": .integer(at.milliseconds),
            ])
    }

    package func record(_ kind: Kind, id: String) throws -> Record? {
        try tx.first(Self.byID, ["kind": .text(kind.rawValue), "id": .text(id)]).map(Self.record)
    }

    package func record(_ kind: Kind, named name: String) throws -> Record? {
        try tx.first(Self.byName, ["kind": .text(kind.rawValue), "name": .text(name)]).map(Self.record)
    }

    /// Oldest first, at most 10,000.
    package func list(_ kind: Kind) throws -> [Record] { try tx.all(Self.all, ["kind": .text(kind.rawValue)]).map(Self.record) }

    /// - Parameter sealed: nil leaves it as it is.
    package func update(_ record: Record, sealed: String? = nil, at: Timestamp) throws {
        try tx.run(
            Self.update,
            [
                "id": .text(record.id), "name": .text(record.name), "body": .text(try CanonicalJSON.text(JSONValue.object(record.body))), "sealed": .text(sealed),
                "at": .integer(at.milliseconds),
            ])
    }

    package func delete(_ id: String) throws { try tx.run(Self.delete, ["id": .text(id)]) }

    private static func record(_ row: Row) throws -> Record {
        Record(
            id: row.text("id"), name: row.text("name"), body: try CanonicalJSON.decode([String: JSONValue].self, from: row.text("body")),
            createdAt: Timestamp(milliseconds: row.int64("created_at_ms")), updatedAt: Timestamp(milliseconds: row.int64("updated_at_ms")))
    }

    private static let insert = Statement(
        "gateway.insert",
        """
        INSERT INTO gateway_record (id, kind, name, body, sealed, created_at_ms, updated_at_ms) VALUES (:id, :kind, :name, :body, :sealed, :at, :at)
        """)
    private static let byID = Statement("gateway.byID", "SELECT * FROM gateway_record WHERE kind = :kind AND id = :id")
    private static let byName = Statement("gateway.byName", "SELECT * FROM gateway_record WHERE kind = :kind AND name = :name")
    private static let all = Statement("gateway.all", "SELECT * FROM gateway_record WHERE kind = :kind ORDER BY created_at_ms, id LIMIT 10000")
    private static let update = Statement(
        "gateway.update",
        """
        UPDATE gateway_record SET name = :name, body = :body, sealed = COALESCE(:sealed, sealed), updated_at_ms = :at WHERE id = :id
        """)
    private static let delete = Statement("gateway.delete", "DELETE FROM gateway_record WHERE id = :id")
}
