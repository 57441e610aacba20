import SlipwaySQL

package enum M0007 {
    /// What each endpoint is wanted to be. The promotion that wished it wrote the audit event; this is the gateway's instruction.
    package static let serving = Migration(
        "M0007_Serving",
        """
        CREATE TABLE endpoint (
            slot TEXT PRIMARY KEY,
            project TEXT NOT NULL,
            generation BIGINT NOT NULL,
            revision BIGINT NOT NULL,
            wish TEXT NOT NULL,
            wanted_at_ms BIGINT NOT NULL
        );
        CREATE INDEX endpoint_project ON endpoint (project, slot);
        """)
}
