import SlipwayCore
import SlipwaySQL

/// The policies of this realm, a version per installation and project; nothing is overwritten.
package struct PolicyStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    /// Nil when the project never installed one: then the shipped policy counts.
    package func newest(of project: ProjectName) throws -> InstalledPolicy? {
        try tx.first(Self.newest, ["project": .text(project.rawValue)]).map(Self.policy)
    }

    package func policy(_ version: Int, of project: ProjectName) throws -> InstalledPolicy? {
        try tx.first(Self.byVersion, ["project": .text(project.rawValue), "version": .integer(version)]).map(Self.policy)
    }

    /// Newest first, at most 1000.
    package func versions(of project: ProjectName) throws -> [InstalledPolicy] {
        try tx.all(Self.all, ["project": .text(project.rawValue)]).map(Self.policy)
    }

    package func insert(_ installed: InstalledPolicy) throws {
        try tx.run(
            Self.insert,
            [
                "project": .text(installed.project.rawValue), "version": .integer(installed.version), "name": .text(installed.policy.name),
                "text": .text(installed.text), "value": .text(try CanonicalJSON.text(installed.policy)),
                "at": .integer(installed.installedAt.milliseconds), "by": .text(installed.installedBy),
            ])
    }

    private static func policy(_ row: Row) throws -> InstalledPolicy {
        InstalledPolicy(
            project: ProjectName(unchecked: row.text("project")), version: row.int("version"),
            policy: try CanonicalJSON.decode(Policy.self, from: row.text("value")), text: row.text("text"),
            installedAt: Timestamp(milliseconds: row.int64("installed_at_ms")), installedBy: row.text("installed_by"))
    }

    private static let newest = Statement("policy.newest", "SELECT * FROM policy WHERE project = :project ORDER BY version DESC LIMIT 1")
    private static let byVersion = Statement("policy.byVersion", "SELECT * FROM policy WHERE project = :project AND version = :version")
    private static let all = Statement("policy.all", "SELECT * FROM policy WHERE project = :project ORDER BY version DESC LIMIT 1000")
    private static let insert = Statement(
        "policy.insert",
        """
        INSERT INTO policy (project, version, name, text, value, installed_at_ms, installed_by)
        VALUES (:project, :version, :name, :text, :value, :at, :by)
        """)
}
