import SlipwayCore
import SlipwaySQL

/// Judges by experiment and name, in versions.
package struct ScorerStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    /// - Parameter id: of the scorer, when the name is new in the experiment.
    package func register(_ name: String, experiment: String, serialized: String, id: String, at: Timestamp) throws -> ScorerVersion {
        let key: [String: SQLValue] = ["experiment": .integer(Int64(experiment)), "name": .text(name)]
        let known = try tx.first(Self.byName, key)?.text("id")
        if known == nil { try tx.run(Self.insert, key.merging(["id": .text(id)]) { $1 }) }
        let scorer = known ?? id
        let version = try tx.first(Self.next, ["scorer": .text(scorer)])!.int("next")
        try tx.run(
            Self.insertVersion,
            ["scorer": .text(scorer), "version": .integer(version), "serialized": .text(serialized), "at": .integer(at.milliseconds)])
        return ScorerVersion(id: scorer, experiment: experiment, name: name, version: version, serialized: serialized, createdAt: at)
    }

    /// The newest version of each, by name.
    package func latest(in experiment: String) throws -> [ScorerVersion] {
        try tx.all(Self.list, ["experiment": .integer(Int64(experiment))]).map(Self.version)
    }

    /// The oldest first.
    package func versions(of name: String, in experiment: String) throws -> [ScorerVersion] {
        try tx.all(Self.versionsOf, ["experiment": .integer(Int64(experiment)), "name": .text(name)]).map(Self.version)
    }

    /// - Parameter version: nil for all of them, and the scorer itself.
    package func remove(_ scorer: ScorerVersion, version: Int?) throws {
        try tx.run(Self.deleteVersions, ["scorer": .text(scorer.id), "version": .integer(version.map(Int64.init))])
        try tx.run(Self.deleteEmpty, ["scorer": .text(scorer.id)])
    }

    private static func version(_ row: Row) -> ScorerVersion {
        ScorerVersion(
            id: row.text("id"), experiment: String(row.int64("experiment_id")), name: row.text("name"), version: row.int("version"), serialized: row.text("serialized"),
            createdAt: Timestamp(milliseconds: row.int64("created_at_ms")))
    }

    private static let select = "SELECT s.*, v.version, v.serialized, v.created_at_ms FROM scorer s JOIN scorer_version v ON v.scorer_id = s.id"
    private static let byName = Statement("scorer.byName", "SELECT id FROM scorer WHERE experiment_id = :experiment AND name = :name")
    private static let insert = Statement("scorer.insert", "INSERT INTO scorer (experiment_id, name, id) VALUES (:experiment, :name, :id)")
    private static let next = Statement("scorer.next", "SELECT COALESCE(MAX(version), 0) + 1 AS next FROM scorer_version WHERE scorer_id = :scorer")
    private static let insertVersion = Statement(
        "scorer.insertVersion", "INSERT INTO scorer_version (scorer_id, version, serialized, created_at_ms) VALUES (:scorer, :version, :serialized, :at)")
    private static let list = Statement(
        "scorer.latest",
        """
        \(select) WHERE s.experiment_id = :experiment AND v.version = (SELECT MAX(o.version) FROM scorer_version o WHERE o.scorer_id = s.id) ORDER BY s.name
        """)
    private static let versionsOf = Statement("scorer.versions", "\(select) WHERE s.experiment_id = :experiment AND s.name = :name ORDER BY v.version")
    private static let deleteVersions = Statement(
        "scorer.deleteVersions", "DELETE FROM scorer_version WHERE scorer_id = :scorer AND (:version IS NULL OR version = :version)")
    private static let deleteEmpty = Statement(
        "scorer.deleteEmpty", "DELETE FROM scorer WHERE id = :scorer AND NOT EXISTS (SELECT 1 FROM scorer_version v WHERE v.scorer_id = :scorer)")
}
