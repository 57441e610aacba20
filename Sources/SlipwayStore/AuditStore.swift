import Foundation
import SlipwayCore
import SlipwaySQL

/// Append-only, hash-chained. Called inside the transaction of the change that it records.
package struct AuditStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    /// - Parameters:
    ///   - action: `noun.verb` in the contract's words, such as `promotion.approve`.
    ///   - subject: what it is about, such as `slot:flight-delay` or `user:ada`.
    /// - Returns: the new event's sequence number.
    @discardableResult
    package func append(
        _ action: String, subject: String, project: ProjectName = .implicit, by actor: Principal, at: Timestamp, details: JSONValue = [:]
    ) throws -> Int64 {
        let last = try tx.first(Self.last)
        let seq = (last?.int64("seq") ?? 0) + 1
        let previous = last?.text("hash") ?? String(repeating: "0", count: 64)
        let text = try CanonicalJSON.text(details)
        let hash = try Self.hash(seq: seq, at: at, actor: actor.raw, action: action, project: project.rawValue, subject: subject, details: text, previous: previous)
        try tx.run(
            Self.insert,
            [
                "seq": .integer(seq), "at": .integer(at.milliseconds), "actor": .text(actor.raw), "action": .text(action),
                "project": .text(project.rawValue), "subject": .text(subject), "details": .text(text),
                "previous": .text(previous), "hash": .text(hash),
            ])
        return seq
    }

    /// Newest first; `before` is the sequence number to continue below.
    package func list(subject: String? = nil, project: ProjectName? = nil, before: Int64? = nil, limit: Int = 100) throws -> [AuditEvent] {
        try tx.all(
            Self.page,
            [
                "subject": .text(subject), "project": .text(project?.rawValue), "before": .integer(before), "limit": .integer(min(limit, 1000)),
            ]
        ).map(Self.event)
    }

    /// A subject's events, oldest first.
    package func history(subject: String) throws -> [AuditEvent] {
        try tx.all(Self.ofSubject, ["subject": .text(subject)]).map(Self.event)
    }

    /// Hashes the whole chain again.
    /// - Returns: how many events were verified, and the first that does not fit, if any.
    package func verify() throws -> (count: Int64, broken: Int64?) {
        var previous = String(repeating: "0", count: 64)
        var count: Int64 = 0
        var broken: Int64?
        try tx.forEach(Self.whole, [:]) { row in
            guard broken == nil else { return }
            let event = try Self.event(row)
            let hash = try Self.hash(
                seq: event.seq, at: event.at, actor: event.actor, action: event.action, project: event.project,
                subject: event.subject, details: row.text("details"), previous: previous)
            if event.seq != count + 1 || event.previousHash != previous || event.hash != hash { broken = count + 1; return }
            previous = event.hash
            count += 1
        }
        return (count, broken)
    }

    private static func hash(
        seq: Int64, at: Timestamp, actor: String, action: String, project: String, subject: String, details: String, previous: String
    ) throws -> String {
        // An array of strings has one JSON spelling, so no field can run into the next.
        try CanonicalJSON.digest([String(seq), String(at.milliseconds), actor, action, project, subject, details, previous]).rawValue
    }

    private static func event(_ row: Row) throws -> AuditEvent {
        AuditEvent(
            seq: row.int64("seq"), at: Timestamp(milliseconds: row.int64("at_ms")), actor: row.text("actor"), action: row.text("action"),
            project: row.text("project"), subject: row.text("subject"),
            details: try CanonicalJSON.decode(JSONValue.self, from: row.text("details")),
            previousHash: row.text("previous_hash"), hash: row.text("hash"))
    }

    private static let last = Statement("audit.last", "SELECT seq, hash FROM audit_event ORDER BY seq DESC LIMIT 1")
    private static let insert = Statement(
        "audit.insert",
        """
        INSERT INTO audit_event (seq, at_ms, actor, action, project, subject, details, previous_hash, hash)
        VALUES (:seq, :at, :actor, :action, :project, :subject, :details, :previous, :hash)
        """)
    private static let page = Statement(
        "audit.page",
        """
        SELECT * FROM audit_event
        WHERE (:subject IS NULL OR subject = :subject) AND (:project IS NULL OR project = :project) AND (:before IS NULL OR seq < :before)
        ORDER BY seq DESC LIMIT :limit
        """)
    private static let ofSubject = Statement("audit.ofSubject", "SELECT * FROM audit_event WHERE subject = :subject ORDER BY seq")
    private static let whole = Statement("audit.whole", "SELECT * FROM audit_event ORDER BY seq")
}
