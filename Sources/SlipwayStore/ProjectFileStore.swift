import SlipwayCore
import SlipwaySQL

/// Project files by digest, and which one is in force in this realm.
package struct ProjectFileStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    /// Stores the file's canonical JSON; the same file twice is one row.
    package func put(_ file: ProjectFile) throws -> ContentDigest {
        let body = try CanonicalJSON.text(file)
        let digest = ContentDigest(of: body)
        try tx.run(Self.insert, ["digest": .text(digest.rawValue), "body": .text(body)])
        return digest
    }

    package func file(digest: ContentDigest) throws -> ProjectFile? {
        try tx.first(Self.byDigest, ["digest": .text(digest.rawValue)]).map { try CanonicalJSON.decode(ProjectFile.self, from: $0.text("body")) }
    }

    /// The file of the newest main-line commit that this realm knows.
    package func current(of project: ProjectName) throws -> StoredProjectFile? {
        try tx.first(Self.head, ["project": .text(project.rawValue)]).map(Self.stored)
    }

    package func all() throws -> [StoredProjectFile] { try tx.all(Self.heads).map(Self.stored) }

    /// Puts the file of a main-line commit in force; an older push than the known one changes nothing.
    /// - Returns: false when nothing changed.
    package func move(project: ProjectName, to commit: String, file: ProjectFile, push: Int64, at: Timestamp) throws -> Bool {
        let digest = try put(file)
        return try tx.run(
            Self.upsertHead,
            [
                "project": .text(project.rawValue), "commit": .text(commit), "digest": .text(digest.rawValue), "push": .integer(push),
                "at": .integer(at.milliseconds),
            ]) > 0
    }

    private static func stored(_ row: Row) throws -> StoredProjectFile {
        StoredProjectFile(
            project: ProjectName(unchecked: row.text("project")), commit: row.text("commit_hash"), digest: try ContentDigest(parsing: row.text("digest")),
            file: try CanonicalJSON.decode(ProjectFile.self, from: row.text("body")))
    }

    private static let insert = Statement(
        "projectFile.insert",
        """
        INSERT INTO project_file (digest, body) VALUES (:digest, :body) ON CONFLICT (digest) DO NOTHING
        """)
    private static let byDigest = Statement("projectFile.byDigest", "SELECT body FROM project_file WHERE digest = :digest")
    private static let head = Statement(
        "projectFile.head",
        """
        SELECT h.*, f.body FROM project_head h JOIN project_file f ON f.digest = h.digest WHERE h.project = :project
        """)
    private static let heads = Statement(
        "projectFile.heads",
        """
        SELECT h.*, f.body FROM project_head h JOIN project_file f ON f.digest = h.digest ORDER BY h.project LIMIT 1000
        """)
    private static let upsertHead = Statement(
        "projectFile.upsertHead",
        """
        INSERT INTO project_head (project, commit_hash, digest, push_seq, at_ms) VALUES (:project, :commit, :digest, :push, :at)
        ON CONFLICT (project) DO UPDATE SET commit_hash = excluded.commit_hash, digest = excluded.digest, push_seq = excluded.push_seq, at_ms = excluded.at_ms
        WHERE project_head.push_seq < excluded.push_seq
        """)
}
