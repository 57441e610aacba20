import SlipwaySQL

package enum M0005 {
    /// Executions and their steps, what Git pushes moved, and project files by digest.
    package static let pipelines = Migration(
        "M0005_Pipelines",
        """
        CREATE TABLE project_file (
            digest TEXT PRIMARY KEY,
            body TEXT NOT NULL
        );
        CREATE TABLE project_head (
            project TEXT PRIMARY KEY,
            commit_hash TEXT NOT NULL,
            digest TEXT NOT NULL REFERENCES project_file (digest),
            push_seq BIGINT NOT NULL,
            at_ms BIGINT NOT NULL
        );
        CREATE TABLE execution (
            id TEXT PRIMARY KEY,
            project TEXT NOT NULL,
            commit_hash TEXT NOT NULL,
            branch TEXT,
            trigger_kind TEXT NOT NULL CHECK (trigger_kind IN ('push', 'schedule', 'manual', 'drift', 'evaluation')),
            state TEXT NOT NULL CHECK (state IN
                ('queued', 'preparing', 'running', 'finishing', 'canceling', 'succeeded', 'failed', 'canceled', 'errored')),
            run_id TEXT NOT NULL UNIQUE,
            snapshots TEXT NOT NULL,
            config_digest TEXT NOT NULL REFERENCES project_file (digest),
            lock_digest TEXT,
            requested_by TEXT NOT NULL,
            request TEXT UNIQUE,
            reason TEXT,
            evaluation TEXT,
            created_at_ms BIGINT NOT NULL,
            started_at_ms BIGINT,
            ended_at_ms BIGINT,
            release_digest TEXT,
            message TEXT,
            CHECK ((ended_at_ms IS NULL) = (state NOT IN ('succeeded', 'failed', 'canceled', 'errored')))
        );
        CREATE INDEX execution_created ON execution (created_at_ms, id);
        CREATE INDEX execution_project ON execution (project, created_at_ms, id);
        CREATE INDEX execution_state ON execution (state, created_at_ms);
        CREATE TABLE step_execution (
            execution TEXT NOT NULL REFERENCES execution (id),
            position INTEGER NOT NULL,
            name TEXT NOT NULL,
            definition TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('pending', 'running', 'succeeded', 'failed', 'canceled', 'errored', 'skipped')),
            attempt INTEGER NOT NULL,
            attempts_forgiven INTEGER NOT NULL,
            started_at_ms BIGINT,
            ended_at_ms BIGINT,
            exit_code INTEGER,
            message TEXT,
            outputs TEXT NOT NULL,
            PRIMARY KEY (execution, name),
            UNIQUE (execution, position)
        );
        CREATE TABLE push_event (
            seq BIGINT PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            project TEXT NOT NULL,
            ref TEXT NOT NULL,
            old_commit TEXT,
            new_commit TEXT,
            pusher TEXT NOT NULL,
            at_ms BIGINT NOT NULL,
            handled_at_ms BIGINT,
            message TEXT
        );
        CREATE INDEX push_event_project ON push_event (project, seq);
        CREATE INDEX push_event_open ON push_event (handled_at_ms, seq);
        CREATE TABLE push_commit (
            project TEXT NOT NULL,
            commit_hash TEXT NOT NULL,
            push_seq BIGINT NOT NULL REFERENCES push_event (seq),
            PRIMARY KEY (project, commit_hash, push_seq)
        );
        CREATE TABLE git_ref (
            project TEXT NOT NULL,
            ref TEXT NOT NULL,
            commit_hash TEXT NOT NULL,
            PRIMARY KEY (project, ref)
        );
        CREATE TABLE schedule_fire (
            project TEXT PRIMARY KEY,
            fired_at_ms BIGINT NOT NULL
        );
        """)
}
