import SlipwaySQL

package enum M0004 {
    /// Data snapshots with what they are made of, refresh recipes and attempts. A removed snapshot leaves its row for the auditor.
    package static let snapshots = Migration(
        "M0004_Snapshots",
        """
        CREATE TABLE data_snapshot (
            id TEXT PRIMARY KEY,
            seq BIGINT NOT NULL UNIQUE,
            project TEXT NOT NULL,
            dataset TEXT NOT NULL,
            manifest_digest TEXT NOT NULL,
            size_bytes BIGINT NOT NULL CHECK (size_bytes >= 0),
            file_count BIGINT NOT NULL CHECK (file_count >= 0),
            created_at_ms BIGINT NOT NULL,
            created_by TEXT NOT NULL,
            expires_at_ms BIGINT,
            removed_at_ms BIGINT,
            label TEXT,
            source_environment TEXT,
            source_snapshot TEXT,
            recipe_digest TEXT,
            tables TEXT NOT NULL,
            verdict TEXT NOT NULL CHECK (verdict IN ('none', 'passed', 'warned', 'failed', 'errored')),
            CHECK ((source_environment IS NULL) = (source_snapshot IS NULL)),
            CHECK ((source_environment IS NULL) = (recipe_digest IS NULL))
        );
        CREATE INDEX data_snapshot_dataset ON data_snapshot (project, dataset, seq);
        CREATE INDEX data_snapshot_expiry ON data_snapshot (expires_at_ms);
        CREATE INDEX data_snapshot_manifest ON data_snapshot (manifest_digest);
        CREATE TABLE data_snapshot_blob (
            digest TEXT NOT NULL,
            snapshot TEXT NOT NULL REFERENCES data_snapshot (id),
            PRIMARY KEY (digest, snapshot)
        );
        CREATE INDEX data_snapshot_blob_snapshot ON data_snapshot_blob (snapshot);
        CREATE TABLE data_upload (
            digest TEXT NOT NULL,
            project TEXT NOT NULL,
            size_bytes BIGINT NOT NULL,
            at_ms BIGINT NOT NULL,
            by_principal TEXT NOT NULL,
            PRIMARY KEY (digest, project)
        );
        CREATE TABLE data_check (
            snapshot TEXT NOT NULL REFERENCES data_snapshot (id),
            seq BIGINT NOT NULL,
            at_ms BIGINT NOT NULL,
            outcome TEXT NOT NULL,
            PRIMARY KEY (snapshot, seq)
        );
        CREATE TABLE data_tag (
            project TEXT NOT NULL,
            dataset TEXT NOT NULL,
            tag TEXT NOT NULL,
            snapshot TEXT NOT NULL REFERENCES data_snapshot (id),
            at_ms BIGINT NOT NULL,
            by_principal TEXT NOT NULL,
            PRIMARY KEY (project, dataset, tag)
        );
        CREATE INDEX data_tag_snapshot ON data_tag (snapshot);
        CREATE TABLE data_recipe (
            project TEXT NOT NULL,
            dataset TEXT NOT NULL,
            digest TEXT NOT NULL,
            refresh TEXT NOT NULL,
            commit_id TEXT NOT NULL,
            proposed_seq BIGINT NOT NULL,
            proposed_at_ms BIGINT NOT NULL,
            adopted_seq BIGINT,
            adopted_at_ms BIGINT,
            adopted_by TEXT,
            PRIMARY KEY (project, dataset, digest),
            CHECK ((adopted_seq IS NULL) = (adopted_by IS NULL))
        );
        CREATE TABLE data_refresh (
            id TEXT PRIMARY KEY,
            seq BIGINT NOT NULL UNIQUE,
            project TEXT NOT NULL,
            dataset TEXT NOT NULL,
            recipe_digest TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('running', 'succeeded', 'unchanged', 'failed')),
            started_at_ms BIGINT NOT NULL,
            ended_at_ms BIGINT,
            by_principal TEXT NOT NULL,
            source_snapshot TEXT,
            snapshot TEXT,
            message TEXT
        );
        CREATE INDEX data_refresh_dataset ON data_refresh (project, dataset, seq);
        """)
}
