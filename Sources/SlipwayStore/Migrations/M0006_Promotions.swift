import SlipwaySQL

package enum M0006 {
    package static let promotions = Migration(
        "M0006_Promotions",
        """
        CREATE TABLE release (
            id TEXT PRIMARY KEY,
            project TEXT NOT NULL,
            commit_id TEXT NOT NULL,
            model_name TEXT NOT NULL,
            model_digest TEXT NOT NULL,
            model_version BIGINT NOT NULL,
            execution TEXT NOT NULL,
            content TEXT NOT NULL,
            metrics TEXT NOT NULL,
            created_at_ms BIGINT NOT NULL,
            created_by TEXT NOT NULL
        );
        CREATE INDEX release_project ON release (project, created_at_ms, id);
        CREATE TABLE release_mark (
            release TEXT NOT NULL REFERENCES release (id),
            mark TEXT NOT NULL,
            at_ms BIGINT NOT NULL,
            PRIMARY KEY (release, mark)
        );
        CREATE TABLE quarantine (
            release TEXT NOT NULL,
            at_ms BIGINT NOT NULL,
            project TEXT NOT NULL,
            reason TEXT NOT NULL,
            by_principal TEXT NOT NULL,
            promoters TEXT NOT NULL,
            lifted_at_ms BIGINT,
            lifted_by TEXT
        );
        CREATE UNIQUE INDEX quarantine_open ON quarantine (release) WHERE lifted_at_ms IS NULL;
        CREATE TABLE slot (
            name TEXT PRIMARY KEY,
            project TEXT NOT NULL,
            current_release TEXT REFERENCES release (id),
            promotion TEXT,
            fallback_release TEXT REFERENCES release (id),
            generation BIGINT NOT NULL,
            revision BIGINT NOT NULL,
            hold_reason TEXT,
            held_by TEXT,
            held_at_ms BIGINT,
            created_at_ms BIGINT NOT NULL,
            updated_at_ms BIGINT NOT NULL
        );
        CREATE INDEX slot_project ON slot (project, name);
        CREATE TABLE promotion (
            id TEXT PRIMARY KEY,
            project TEXT NOT NULL,
            slot TEXT NOT NULL REFERENCES slot (name),
            release TEXT NOT NULL REFERENCES release (id),
            state TEXT NOT NULL,
            version BIGINT NOT NULL,
            created_at_ms BIGINT NOT NULL,
            live_at_ms BIGINT,
            value TEXT NOT NULL
        );
        CREATE INDEX promotion_slot ON promotion (slot, created_at_ms, id);
        CREATE INDEX promotion_project ON promotion (project, created_at_ms, id);
        CREATE INDEX promotion_release ON promotion (release);
        CREATE INDEX promotion_state ON promotion (state);
        CREATE UNIQUE INDEX promotion_in_flight ON promotion (slot) WHERE state IN ('applying', 'verifying', 'rollingBack');
        CREATE UNIQUE INDEX promotion_live ON promotion (slot) WHERE state = 'live';
        CREATE TABLE promotion_request (
            id TEXT PRIMARY KEY,
            action TEXT NOT NULL,
            subject TEXT NOT NULL,
            actor TEXT NOT NULL,
            promotion TEXT NOT NULL,
            at_ms BIGINT NOT NULL
        );
        CREATE TABLE policy (
            project TEXT NOT NULL,
            version BIGINT NOT NULL,
            name TEXT NOT NULL,
            text TEXT NOT NULL,
            value TEXT NOT NULL,
            installed_at_ms BIGINT NOT NULL,
            installed_by TEXT NOT NULL,
            PRIMARY KEY (project, version)
        );
        CREATE TABLE freeze (
            id TEXT PRIMARY KEY,
            project TEXT NOT NULL,
            slot TEXT,
            reason TEXT NOT NULL,
            owner TEXT NOT NULL,
            created_at_ms BIGINT NOT NULL,
            expires_at_ms BIGINT,
            lifted_at_ms BIGINT,
            lifted_by TEXT
        );
        CREATE INDEX freeze_project ON freeze (project, created_at_ms);
        CREATE TABLE evidence (
            id TEXT PRIMARY KEY,
            promotion TEXT NOT NULL REFERENCES promotion (id),
            attempt BIGINT NOT NULL,
            gate TEXT NOT NULL,
            made_at_ms BIGINT NOT NULL,
            value TEXT NOT NULL
        );
        CREATE INDEX evidence_promotion ON evidence (promotion, attempt, gate, made_at_ms);
        """)
}
