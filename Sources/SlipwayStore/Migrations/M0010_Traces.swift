import SlipwaySQL

package enum M0010 {
    /// Traces with their spans and assessments, and what is measured with them: evaluation datasets, scorers, issues.
    ///
    /// Links name traces by their ids, since clients make them before the trace arrives. A span's attributes are one JSON object with plain values: `attributes ->> name` means the same to every database.
    package static let traces = Migration(
        "M0010_Traces",
        """
        CREATE TABLE trace (
            no INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            experiment_id INTEGER NOT NULL REFERENCES experiment (id),
            requested_at_ms BIGINT NOT NULL,
            duration_ms BIGINT,
            state TEXT NOT NULL CHECK (state IN ('STATE_UNSPECIFIED', 'OK', 'ERROR', 'IN_PROGRESS')),
            client_request_id TEXT,
            request_preview TEXT,
            response_preview TEXT,
            otel_id TEXT
        );
        CREATE INDEX trace_of_experiment ON trace (experiment_id, requested_at_ms DESC, id);
        CREATE TABLE trace_tag (
            trace_no INTEGER NOT NULL REFERENCES trace (no),
            key TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (trace_no, key)
        ) /* clustered */;
        CREATE TABLE trace_metadata (
            trace_no INTEGER NOT NULL REFERENCES trace (no),
            key TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (trace_no, key)
        ) /* clustered */;
        CREATE INDEX trace_of_run ON trace_metadata (value, trace_no) WHERE key = 'mlflow.sourceRun';
        CREATE INDEX trace_of_session ON trace_metadata (value, trace_no) WHERE key = 'mlflow.trace.session';
        CREATE TABLE trace_metric (
            trace_no INTEGER NOT NULL REFERENCES trace (no),
            key TEXT NOT NULL,
            value DOUBLE PRECISION NOT NULL,
            PRIMARY KEY (trace_no, key)
        ) /* clustered */;
        CREATE TABLE trace_run (
            run_id TEXT NOT NULL,
            trace_id TEXT NOT NULL,
            PRIMARY KEY (run_id, trace_id)
        ) /* clustered */;
        CREATE INDEX trace_run_of_trace ON trace_run (trace_id);
        CREATE TABLE trace_prompt (
            prompt TEXT NOT NULL,
            trace_id TEXT NOT NULL,
            PRIMARY KEY (prompt, trace_id)
        ) /* clustered */;
        CREATE INDEX trace_prompt_of_trace ON trace_prompt (trace_id);
        CREATE TABLE span (
            trace_no INTEGER NOT NULL REFERENCES trace (no),
            id TEXT NOT NULL,
            parent_id TEXT,
            name TEXT NOT NULL,
            type TEXT NOT NULL,
            status TEXT NOT NULL CHECK (status IN ('UNSET', 'OK', 'ERROR')),
            status_message TEXT,
            started_at_ns BIGINT NOT NULL,
            ended_at_ns BIGINT,
            attributes JSON NOT NULL,
            events JSON NOT NULL,
            PRIMARY KEY (trace_no, id)
        ) /* clustered */;
        CREATE TABLE span_metric (
            trace_no INTEGER NOT NULL,
            span_id TEXT NOT NULL,
            key TEXT NOT NULL,
            value DOUBLE PRECISION NOT NULL,
            PRIMARY KEY (trace_no, span_id, key),
            FOREIGN KEY (trace_no, span_id) REFERENCES span (trace_no, id)
        ) /* clustered */;
        CREATE TABLE assessment (
            id TEXT PRIMARY KEY,
            trace_no INTEGER NOT NULL REFERENCES trace (no),
            name TEXT NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('feedback', 'expectation', 'issue')),
            value TEXT NOT NULL,
            number DOUBLE PRECISION,
            error TEXT,
            source_type TEXT NOT NULL,
            source_id TEXT,
            run_id TEXT,
            span_id TEXT,
            rationale TEXT,
            overrides TEXT,
            is_valid INTEGER NOT NULL CHECK (is_valid IN (0, 1)),
            metadata TEXT NOT NULL,
            is_of_session INTEGER NOT NULL CHECK (is_of_session IN (0, 1)),
            created_at_ms BIGINT NOT NULL,
            updated_at_ms BIGINT NOT NULL
        );
        CREATE INDEX assessment_of_trace ON assessment (trace_no, created_at_ms, id);
        CREATE INDEX assessment_by_name ON assessment (kind, name, trace_no);
        CREATE TABLE evaluation_dataset (
            id TEXT PRIMARY KEY,
            project TEXT NOT NULL,
            name TEXT NOT NULL,
            schema_text TEXT,
            profile TEXT,
            digest TEXT NOT NULL,
            created_by TEXT,
            updated_by TEXT,
            created_at_ms BIGINT NOT NULL,
            updated_at_ms BIGINT NOT NULL
        );
        CREATE INDEX evaluation_dataset_by_name ON evaluation_dataset (name);
        CREATE TABLE evaluation_dataset_tag (
            dataset_id TEXT NOT NULL REFERENCES evaluation_dataset (id),
            key TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (dataset_id, key)
        ) /* clustered */;
        CREATE TABLE evaluation_dataset_experiment (
            experiment_id INTEGER NOT NULL REFERENCES experiment (id),
            dataset_id TEXT NOT NULL REFERENCES evaluation_dataset (id),
            PRIMARY KEY (experiment_id, dataset_id)
        ) /* clustered */;
        CREATE INDEX evaluation_dataset_experiment_of_dataset ON evaluation_dataset_experiment (dataset_id);
        CREATE TABLE evaluation_record (
            dataset_id TEXT NOT NULL REFERENCES evaluation_dataset (id),
            id TEXT NOT NULL,
            input_digest TEXT NOT NULL,
            inputs TEXT NOT NULL,
            outputs TEXT,
            expectations TEXT,
            tags TEXT,
            source TEXT,
            source_id TEXT,
            source_type TEXT,
            created_by TEXT,
            updated_by TEXT,
            created_at_ms BIGINT NOT NULL,
            updated_at_ms BIGINT NOT NULL,
            PRIMARY KEY (dataset_id, id)
        ) /* clustered */;
        CREATE UNIQUE INDEX evaluation_record_of_input ON evaluation_record (dataset_id, input_digest);
        CREATE TABLE scorer (
            experiment_id INTEGER NOT NULL REFERENCES experiment (id),
            name TEXT NOT NULL,
            id TEXT NOT NULL UNIQUE,
            PRIMARY KEY (experiment_id, name)
        ) /* clustered */;
        CREATE TABLE scorer_version (
            scorer_id TEXT NOT NULL REFERENCES scorer (id),
            version INTEGER NOT NULL,
            serialized TEXT NOT NULL,
            created_at_ms BIGINT NOT NULL,
            PRIMARY KEY (scorer_id, version)
        ) /* clustered */;
        CREATE TABLE issue (
            id TEXT PRIMARY KEY,
            experiment_id INTEGER NOT NULL REFERENCES experiment (id),
            name TEXT NOT NULL,
            description TEXT NOT NULL,
            status TEXT NOT NULL,
            severity TEXT,
            root_causes TEXT NOT NULL,
            categories TEXT NOT NULL,
            source_run_id TEXT,
            created_by TEXT,
            created_at_ms BIGINT NOT NULL,
            updated_at_ms BIGINT NOT NULL
        );
        CREATE INDEX issue_of_experiment ON issue (experiment_id, created_at_ms DESC, id);
        """)
}
