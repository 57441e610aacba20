import SlipwaySQL

package enum M0001 {
    /// The hash chain, and who holds which role (roles belong to the realm they are for).
    package static let audit = Migration(
        "M0001_Audit",
        """
        CREATE TABLE audit_event (
            seq BIGINT PRIMARY KEY,
            at_ms BIGINT NOT NULL,
            actor TEXT NOT NULL,
            action TEXT NOT NULL,
            project TEXT NOT NULL,
            subject TEXT NOT NULL,
            details TEXT NOT NULL,
            previous_hash TEXT NOT NULL,
            hash TEXT NOT NULL UNIQUE
        );
        CREATE INDEX audit_event_subject ON audit_event (subject, seq);
        CREATE INDEX audit_event_project ON audit_event (project, seq);
        CREATE TABLE role_grant (
            user_name TEXT NOT NULL,
            project TEXT NOT NULL,
            role TEXT NOT NULL,
            granted_at_ms BIGINT NOT NULL,
            granted_by TEXT NOT NULL,
            PRIMARY KEY (user_name, project, role)
        );
        """)
}
