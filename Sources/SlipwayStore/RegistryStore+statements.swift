import SlipwaySQL

extension RegistryStore {
    static let modelByName = Statement("registry.modelByName", "SELECT * FROM registered_model WHERE name = :name")
    static let modelByNumber = Statement("registry.modelByNumber", "SELECT * FROM registered_model WHERE no = :no")
    static let insertModel = Statement(
        "registry.insertModel",
        """
        INSERT INTO registered_model (no, name, project, description, last_version, created_at_ms, updated_at_ms)
        VALUES ((SELECT COALESCE(MAX(no), 0) + 1 FROM registered_model), :name, :project, :description, 0, :at, :at)
        """)
    static let updateModel = Statement(
        "registry.updateModel",
        """
        UPDATE registered_model SET name = COALESCE(:name, name), description = COALESCE(:description, description), updated_at_ms = :at WHERE no = :no
        """)
    static let deleteModel = [
        Statement("registry.deleteModel.aliases", "DELETE FROM model_alias WHERE model_no = :no"),
        Statement("registry.deleteModel.versionTags", "DELETE FROM model_version_tag WHERE model_no = :no"),
        Statement("registry.deleteModel.versions", "DELETE FROM model_version WHERE model_no = :no"),
        Statement("registry.deleteModel.tags", "DELETE FROM registered_model_tag WHERE model_no = :no"),
        Statement("registry.deleteModel.model", "DELETE FROM registered_model WHERE no = :no"),
    ]
    static let modelTags = Statement("registry.modelTags", "SELECT key, value FROM registered_model_tag WHERE model_no = :no ORDER BY key")
    static let modelAliases = Statement("registry.modelAliases", "SELECT alias, version FROM model_alias WHERE model_no = :no ORDER BY alias")
    static let upsertModelTag = Statement(
        "registry.setModelTag",
        """
        INSERT INTO registered_model_tag (model_no, key, value) VALUES (:no, :key, :value) ON CONFLICT (model_no, key) DO UPDATE SET value = excluded.value
        """)
    static let deleteModelTag = Statement("registry.deleteModelTag", "DELETE FROM registered_model_tag WHERE model_no = :no AND key = :key")

    static let bumpVersion = Statement(
        "registry.bumpVersion",
        """
        UPDATE registered_model SET last_version = last_version + 1, updated_at_ms = :at WHERE no = :no
        """)
    static let lastVersion = Statement("registry.lastVersion", "SELECT last_version FROM registered_model WHERE no = :no")
    static let insertVersion = Statement(
        "registry.insertVersion",
        """
        INSERT INTO model_version (model_no, version, manifest_digest, size_bytes, file_count, source, run_id, model_id, run_link, description, user_name,
            current_stage, signature, lifecycle, created_at_ms, updated_at_ms)
        VALUES (:no, :version, :manifest, :size, :files, :source, :run, :model, :link, :description, :user, 'None', :signature, 'active', :at, :at)
        """)
    static let versionByNumber = Statement(
        "registry.version",
        """
        SELECT v.*, m.name, m.project FROM model_version v JOIN registered_model m ON m.no = v.model_no
        WHERE m.name = :name AND v.version = :version AND v.lifecycle = 'active'
        """)
    static let versionsOf = Statement(
        "registry.versions",
        """
        SELECT v.*, m.name, m.project FROM model_version v JOIN registered_model m ON m.no = v.model_no
        WHERE m.name = :name AND v.lifecycle = 'active' ORDER BY v.version DESC LIMIT :limit
        """)
    static let versionsWithManifest = Statement(
        "registry.versionsWithManifest",
        """
        SELECT v.*, m.name, m.project FROM model_version v JOIN registered_model m ON m.no = v.model_no
        WHERE m.name = :name AND v.manifest_digest = :manifest AND v.lifecycle = 'active' ORDER BY v.version DESC
        """)
    static let sizeOfManifest = Statement(
        "registry.sizeOfManifest",
        """
        SELECT size_bytes, file_count FROM model_version WHERE manifest_digest = :manifest AND file_count > 0 LIMIT 1
        """)
    static let signatureOfManifest = Statement(
        "registry.signatureOfManifest",
        """
        SELECT signature FROM model_version WHERE manifest_digest = :manifest AND signature IS NOT NULL LIMIT 1
        """)
    static let anyOfModel = Statement("registry.anyOfLoggedModel", "SELECT 1 AS found FROM model_version WHERE model_id = :model AND lifecycle = 'active' LIMIT 1")
    static let anyOfRun = Statement(
        "registry.anyOfRun",
        """
        SELECT 1 AS found FROM model_version v WHERE v.lifecycle = 'active'
            AND (v.run_id = :run OR v.model_id IN (SELECT l.id FROM logged_model l WHERE l.source_run_id = :run)) LIMIT 1
        """)
    static let anyOfExperiment = Statement(
        "registry.anyOfExperiment",
        """
        SELECT 1 AS found FROM model_version v WHERE v.lifecycle = 'active'
            AND (v.run_id IN (SELECT r.id FROM run r WHERE r.experiment_id = :experiment)
                OR v.model_id IN (SELECT l.id FROM logged_model l WHERE l.experiment_id = :experiment)) LIMIT 1
        """)
    static let anyRelease = Statement("registry.anyRelease", "SELECT 1 AS found FROM release WHERE model_name = :name AND model_version = :version LIMIT 1")
    static let updateVersion = Statement(
        "registry.updateVersion",
        """
        UPDATE model_version SET description = COALESCE(:description, description), current_stage = COALESCE(:stage, current_stage), updated_at_ms = :at
        WHERE model_no = :no AND version = :version
        """)
    static let touchModel = Statement("registry.touchModel", "UPDATE registered_model SET updated_at_ms = :at WHERE no = :no")
    static let archiveVersions = Statement(
        "registry.archiveVersions",
        """
        UPDATE model_version SET current_stage = 'Archived', updated_at_ms = :at
        WHERE model_no = :no AND version <> :version AND current_stage = :stage AND lifecycle = 'active'
        """)
    static let deleteVersion = [
        Statement("registry.deleteVersion.aliases", "DELETE FROM model_alias WHERE model_no = :no AND version = :version"),
        Statement("registry.deleteVersion.tags", "DELETE FROM model_version_tag WHERE model_no = :no AND version = :version"),
    ]
    static let redactVersion = Statement(
        "registry.deleteVersion.redact",
        """
        UPDATE model_version SET lifecycle = 'deleted', source = '', run_id = NULL, model_id = NULL, run_link = NULL, description = NULL, updated_at_ms = :at
        WHERE model_no = :no AND version = :version
        """)
    static let versionTags = Statement(
        "registry.versionTags",
        """
        SELECT key, value FROM model_version_tag WHERE model_no = :no AND version = :version ORDER BY key
        """)
    static let versionAliases = Statement("registry.versionAliases", "SELECT alias FROM model_alias WHERE model_no = :no AND version = :version ORDER BY alias")
    static let upsertVersionTag = Statement(
        "registry.setVersionTag",
        """
        INSERT INTO model_version_tag (model_no, version, key, value) SELECT no, :version, :key, :value FROM registered_model WHERE name = :name
        ON CONFLICT (model_no, version, key) DO UPDATE SET value = excluded.value
        """)
    static let deleteVersionTag = Statement(
        "registry.deleteVersionTag",
        """
        DELETE FROM model_version_tag WHERE model_no = :no AND version = :version AND key = :key
        """)
    static let aliasVersion = Statement("registry.alias", "SELECT version FROM model_alias WHERE model_no = :no AND alias = :alias")
    static let upsertAlias = Statement(
        "registry.moveAlias",
        """
        INSERT INTO model_alias (model_no, alias, version) VALUES (:no, :alias, :version) ON CONFLICT (model_no, alias) DO UPDATE SET version = excluded.version
        """)
    static let deleteAlias = Statement("registry.deleteAlias", "DELETE FROM model_alias WHERE model_no = :no AND alias = :alias")
}
