import SlipwaySQL

package enum C0001 {
    package static let identities = Migration(
        "C0001_Identities",
        """
        CREATE TABLE person (
            name TEXT PRIMARY KEY,
            full_name TEXT NOT NULL,
            password_hash TEXT,
            is_platform_administrator INTEGER NOT NULL CHECK (is_platform_administrator IN (0, 1)),
            disabled INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
            created_at_ms BIGINT NOT NULL
        );
        CREATE TABLE person_email (
            email TEXT PRIMARY KEY,
            user_name TEXT NOT NULL REFERENCES person (name)
        );
        CREATE TABLE access_token (
            digest TEXT PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            kind TEXT NOT NULL CHECK (kind IN ('personal', 'session', 'service', 'execution')),
            owner TEXT NOT NULL,
            label TEXT NOT NULL,
            project TEXT,
            environment TEXT,
            created_at_ms BIGINT NOT NULL,
            expires_at_ms BIGINT NOT NULL,
            revoked_at_ms BIGINT
        );
        CREATE INDEX access_token_owner ON access_token (owner, created_at_ms);
        CREATE TABLE project (
            name TEXT PRIMARY KEY,
            owner TEXT NOT NULL,
            created_at_ms BIGINT NOT NULL,
            created_by TEXT NOT NULL
        );
        CREATE TABLE setting (
            name TEXT PRIMARY KEY,
            value TEXT NOT NULL
        );
        """)
}
