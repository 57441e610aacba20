import SlipwaySQL

package enum M0003 {
    /// Registered models and their versions. A deleted version keeps its row, so that its number is never given again.
    package static let registry = Migration(
        "M0003_Registry",
        """
        CREATE TABLE registered_model (
            no INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            project TEXT NOT NULL,
            description TEXT,
            last_version INTEGER NOT NULL,
            created_at_ms BIGINT NOT NULL,
            updated_at_ms BIGINT NOT NULL
        );
        CREATE TABLE registered_model_tag (
            model_no INTEGER NOT NULL REFERENCES registered_model (no),
            key TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (model_no, key)
        ) /* clustered */;
        CREATE TABLE model_version (
            model_no INTEGER NOT NULL REFERENCES registered_model (no),
            version INTEGER NOT NULL,
            manifest_digest TEXT,
            size_bytes BIGINT NOT NULL,
            file_count INTEGER NOT NULL,
            source TEXT NOT NULL,
            run_id TEXT,
            model_id TEXT,
            run_link TEXT,
            description TEXT,
            user_name TEXT NOT NULL,
            current_stage TEXT NOT NULL CHECK (current_stage IN ('None', 'Staging', 'Production', 'Archived')),
            signature TEXT,
            lifecycle TEXT NOT NULL CHECK (lifecycle IN ('active', 'deleted')),
            created_at_ms BIGINT NOT NULL,
            updated_at_ms BIGINT NOT NULL,
            PRIMARY KEY (model_no, version)
        );
        CREATE INDEX model_version_manifest ON model_version (manifest_digest);
        CREATE INDEX model_version_logged_model ON model_version (model_id);
        CREATE INDEX model_version_run ON model_version (run_id);
        CREATE TABLE model_version_tag (
            model_no INTEGER NOT NULL,
            version INTEGER NOT NULL,
            key TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (model_no, version, key),
            FOREIGN KEY (model_no, version) REFERENCES model_version (model_no, version)
        ) /* clustered */;
        CREATE TABLE model_alias (
            model_no INTEGER NOT NULL,
            alias TEXT NOT NULL,
            version INTEGER NOT NULL,
            PRIMARY KEY (model_no, alias),
            FOREIGN KEY (model_no, version) REFERENCES model_version (model_no, version)
        ) /* clustered */;
        """)
}
