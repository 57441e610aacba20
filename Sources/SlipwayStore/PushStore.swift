import SlipwayCore
import SlipwaySQL

/// What Git pushes moved, who pushed it, and where every ref was last seen. Kept in the realm that code arrives in, `dev`.
package struct PushStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    /// The ref's commit as last recorded, by full name.
    package func refs(of project: ProjectName) throws -> [String: String] {
        try tx.all(Self.allRefs, ["project": .text(project.rawValue)]).reduce(into: [:]) { $0[$1.text("ref")] = $1.text("commit_hash") }
    }

    /// Records one move of one ref together with the ref's new place.
    /// - Parameter commits: those that the push brought, for finding their pushers.
    package func insert(
        id: String, project: ProjectName, ref: String, old: String?, new: String?, pusher: String, commits: [String], at: Timestamp
    ) throws -> PushEvent {
        let seq = (try tx.first(Self.lastSeq)?.optionalInt("seq") ?? 0) + 1
        try tx.run(
            Self.insert,
            [
                "seq": .integer(seq), "id": .text(id), "project": .text(project.rawValue), "ref": .text(ref), "old": .text(old), "new": .text(new),
                "pusher": .text(pusher), "at": .integer(at.milliseconds),
            ])
        for commit in commits {
            try tx.run(Self.insertCommit, ["project": .text(project.rawValue), "commit": .text(commit), "seq": .integer(seq)])
        }
        if let new {
            try tx.run(Self.upsertRef, ["project": .text(project.rawValue), "ref": .text(ref), "commit": .text(new)])
        } else {
            try tx.run(Self.deleteRef, ["project": .text(project.rawValue), "ref": .text(ref)])
        }
        return PushEvent(id: id, seq: seq, project: project, ref: ref, old: old, new: new, pusher: pusher, at: at)
    }

    /// Events that nothing has followed from yet, oldest first.
    package func unhandled(limit: Int = 100) throws -> [PushEvent] { try tx.all(Self.open, ["limit": .integer(min(limit, 1000))]).map(Self.event) }

    package func handled(_ id: String, message: String, at: Timestamp) throws {
        try tx.run(Self.handle, ["id": .text(id), "message": .text(message), "at": .integer(at.milliseconds)])
    }

    /// Newest first; `before` is the sequence number to continue below.
    package func list(project: ProjectName, limit: Int, before: Int64? = nil) throws -> [PushEvent] {
        try tx.all(Self.page, ["project": .text(project.rawValue), "before": .integer(before), "limit": .integer(min(limit, 1000))]).map(Self.event)
    }

    /// `Principal.raw` of everyone who pushed one of the commits.
    package func pushers(of commits: [String], project: ProjectName) throws -> Set<String> {
        var found: Set<String> = []
        for commit in commits {
            for row in try tx.all(Self.pushersOf, ["project": .text(project.rawValue), "commit": .text(commit)]) { found.insert(row.text("pusher")) }
        }
        return found
    }

    private static func event(_ row: Row) -> PushEvent {
        PushEvent(
            id: row.text("id"), seq: row.int64("seq"), project: ProjectName(unchecked: row.text("project")), ref: row.text("ref"),
            old: row.optionalText("old_commit"), new: row.optionalText("new_commit"), pusher: row.text("pusher"),
            at: Timestamp(milliseconds: row.int64("at_ms")), handledAt: row.optionalInt("handled_at_ms").map(Timestamp.init(milliseconds:)),
            message: row.optionalText("message"))
    }

    private static let allRefs = Statement("push.refs", "SELECT ref, commit_hash FROM git_ref WHERE project = :project")
    private static let lastSeq = Statement("push.lastSeq", "SELECT MAX(seq) AS seq FROM push_event")
    private static let insert = Statement(
        "push.insert",
        """
        INSERT INTO push_event (seq, id, project, ref, old_commit, new_commit, pusher, at_ms)
        VALUES (:seq, :id, :project, :ref, :old, :new, :pusher, :at)
        """)
    private static let insertCommit = Statement(
        "push.insertCommit",
        """
        INSERT INTO push_commit (project, commit_hash, push_seq) VALUES (:project, :commit, :seq)
        """)
    private static let upsertRef = Statement(
        "push.upsertRef",
        """
        INSERT INTO git_ref (project, ref, commit_hash) VALUES (:project, :ref, :commit)
        ON CONFLICT (project, ref) DO UPDATE SET commit_hash = excluded.commit_hash
        """)
    private static let deleteRef = Statement("push.deleteRef", "DELETE FROM git_ref WHERE project = :project AND ref = :ref")
    private static let open = Statement("push.open", "SELECT * FROM push_event WHERE handled_at_ms IS NULL ORDER BY seq LIMIT :limit")
    private static let handle = Statement(
        "push.handle",
        """
        UPDATE push_event SET handled_at_ms = :at, message = :message WHERE id = :id AND handled_at_ms IS NULL
        """)
    private static let page = Statement(
        "push.page",
        """
        SELECT * FROM push_event WHERE project = :project AND (:before IS NULL OR seq < :before) ORDER BY seq DESC LIMIT :limit
        """)
    private static let pushersOf = Statement(
        "push.pushersOf",
        """
        SELECT DISTINCT e.pusher FROM push_commit c JOIN push_event e ON e.seq = c.push_seq WHERE c.project = :project AND c.commit_hash = :commit
        """)
}
