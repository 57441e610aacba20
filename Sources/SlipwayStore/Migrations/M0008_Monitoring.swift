import SlipwaySQL

package enum M0008 {
    /// Labels (the rows lie in files), what releases saw in training (counts only), drift reports, and the retrainings they started.
    package static let monitoring = Migration(
        "M0008_Monitoring",
        """
        CREATE TABLE label_batch (
            seq BIGINT PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            slot TEXT NOT NULL,
            project TEXT NOT NULL,
            digest TEXT NOT NULL,
            row_count BIGINT NOT NULL CHECK (row_count >= 0),
            size_bytes BIGINT NOT NULL,
            file TEXT NOT NULL UNIQUE,
            first_at_ms BIGINT,
            last_at_ms BIGINT,
            received_at_ms BIGINT NOT NULL,
            received_by TEXT NOT NULL,
            UNIQUE (slot, digest)
        );
        CREATE TABLE drift_baseline (
            release_id TEXT PRIMARY KEY,
            project TEXT NOT NULL,
            origin TEXT NOT NULL CHECK (origin IN ('dev', 'stage', 'prod')),
            profile TEXT NOT NULL,
            made_at_ms BIGINT NOT NULL
        );
        CREATE TABLE drift_report (
            seq BIGINT PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            slot TEXT NOT NULL,
            project TEXT NOT NULL,
            release_id TEXT,
            from_ms BIGINT NOT NULL,
            to_ms BIGINT NOT NULL CHECK (to_ms > from_ms),
            made_at_ms BIGINT NOT NULL,
            made_by TEXT NOT NULL,
            row_count BIGINT NOT NULL,
            labelled_count BIGINT NOT NULL,
            verdict TEXT NOT NULL CHECK (verdict IN ('unknown', 'ok', 'watch', 'act')),
            report TEXT NOT NULL
        );
        CREATE INDEX drift_report_slot ON drift_report (slot, seq);
        CREATE INDEX drift_report_window ON drift_report (slot, from_ms, to_ms, seq);
        CREATE TABLE drift_retraining (
            seq BIGINT PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            slot TEXT NOT NULL,
            project TEXT NOT NULL,
            report TEXT NOT NULL UNIQUE REFERENCES drift_report (id),
            window_end_ms BIGINT NOT NULL,
            environment TEXT NOT NULL CHECK (environment IN ('dev', 'stage', 'prod')),
            reason TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('wanted', 'started', 'sealed', 'requested', 'failed')),
            execution TEXT,
            release_id TEXT,
            promotion TEXT,
            message TEXT,
            created_at_ms BIGINT NOT NULL,
            updated_at_ms BIGINT NOT NULL
        );
        CREATE INDEX drift_retraining_slot ON drift_retraining (slot, seq);
        CREATE INDEX drift_retraining_state ON drift_retraining (state, seq);
        """)
}
