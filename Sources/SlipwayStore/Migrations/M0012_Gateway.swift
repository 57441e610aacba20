import SlipwaySQL

package enum M0012 {
    /// The settings of MLflow's gateway, kept for its clients as they sent them; a secret's value is sealed.
    package static let gateway = Migration(
        "M0012_Gateway",
        """
        CREATE TABLE gateway_record (
            id TEXT PRIMARY KEY,
            kind TEXT NOT NULL CHECK (kind IN ('secret', 'model', 'endpoint', 'binding')),
            name TEXT NOT NULL,
            body TEXT NOT NULL,
            sealed TEXT,
            created_at_ms BIGINT NOT NULL,
            updated_at_ms BIGINT NOT NULL,
            UNIQUE (kind, name)
        );
        """)
}
