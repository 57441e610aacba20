/// One record of the chain. `details` is canonical JSON.
package struct AuditEvent: Sendable, Hashable, Codable {
    package var seq: Int64
    package var at: Timestamp
    package var actor: String
    package var action: String
    package var project: String
    package var subject: String
    package var details: JSONValue
    package var previousHash: String
    package var hash: String

    package init(
        seq: Int64, at: Timestamp, actor: String, action: String, project: String, subject: String, details: JSONValue, previousHash: String, hash: String
    ) {
        self.seq = seq
        self.at = at
        self.actor = actor
        self.action = action
        self.project = project
        self.subject = subject
        self.details = details
        self.previousHash = previousHash
        self.hash = hash
    }
}
