import SlipwaySQL

package enum M0011 {
    /// Webhooks of the registry; and, for `--auth basic`, levels of single experiments and models with their bundles (MLflow's roles).
    package static let people = Migration(
        "M0011_People",
        """
        CREATE TABLE webhook (
            id TEXT PRIMARY KEY,
            project TEXT NOT NULL,
            name TEXT NOT NULL,
            description TEXT,
            url TEXT NOT NULL,
            sealed_secret TEXT,
            status TEXT NOT NULL CHECK (status IN ('ACTIVE', 'DISABLED')),
            created_at_ms BIGINT NOT NULL,
            updated_at_ms BIGINT NOT NULL,
            created_by TEXT NOT NULL
        );
        CREATE INDEX webhook_age ON webhook (created_at_ms, id);
        CREATE TABLE webhook_event (
            webhook_id TEXT NOT NULL REFERENCES webhook (id),
            position BIGINT NOT NULL,
            entity TEXT NOT NULL,
            action TEXT NOT NULL,
            PRIMARY KEY (webhook_id, entity, action)
        );
        CREATE TABLE level_grant (
            id BIGINT PRIMARY KEY,
            user_name TEXT,
            bundle_id BIGINT,
            resource_type TEXT NOT NULL,
            resource_id TEXT NOT NULL,
            level TEXT NOT NULL CHECK (level IN ('READ', 'USE', 'EDIT', 'MANAGE', 'NO_PERMISSIONS', 'DENY')),
            granted_at_ms BIGINT NOT NULL,
            granted_by TEXT NOT NULL,
            CHECK ((user_name IS NULL) <> (bundle_id IS NULL)),
            UNIQUE (user_name, resource_type, resource_id),
            UNIQUE (bundle_id, resource_type, resource_id)
        );
        CREATE INDEX level_grant_resource ON level_grant (resource_type, resource_id);
        CREATE TABLE level_bundle (
            id BIGINT PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            description TEXT,
            created_at_ms BIGINT NOT NULL,
            created_by TEXT NOT NULL
        );
        CREATE TABLE level_bundle_member (
            id BIGINT PRIMARY KEY,
            bundle_id BIGINT NOT NULL REFERENCES level_bundle (id),
            user_name TEXT NOT NULL,
            UNIQUE (bundle_id, user_name)
        );
        CREATE INDEX level_bundle_member_user ON level_bundle_member (user_name);
        """)
}
