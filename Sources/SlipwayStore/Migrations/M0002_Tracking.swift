import SlipwaySQL

package enum M0002 {
    /// Experiments, runs and what belongs to them. Long tables lie in the order of their keys (`/* clustered */`, which a
    /// driver may heed) and refer to runs and metric names by short numbers.
    package static let tracking = Migration(
        "M0002_Tracking",
        """
        CREATE TABLE experiment (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            project TEXT NOT NULL,
            artifact_location TEXT NOT NULL,
            lifecycle TEXT NOT NULL CHECK (lifecycle IN ('active', 'deleted')),
            created_at_ms BIGINT NOT NULL,
            updated_at_ms BIGINT NOT NULL
        );
        CREATE TABLE experiment_tag (
            experiment_id INTEGER NOT NULL REFERENCES experiment (id),
            key TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (experiment_id, key)
        ) /* clustered */;
        CREATE TABLE run (
            no INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            experiment_id INTEGER NOT NULL REFERENCES experiment (id),
            name TEXT NOT NULL,
            user_name TEXT NOT NULL,
            status TEXT NOT NULL CHECK (status IN ('RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED')),
            lifecycle TEXT NOT NULL CHECK (lifecycle IN ('active', 'deleted')),
            started_at_ms BIGINT NOT NULL,
            ended_at_ms BIGINT,
            artifact_root TEXT NOT NULL
        );
        CREATE INDEX run_of_experiment ON run (experiment_id, lifecycle, started_at_ms DESC, id);
        CREATE TABLE run_param (
            run_no INTEGER NOT NULL REFERENCES run (no),
            key TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (run_no, key)
        ) /* clustered */;
        CREATE TABLE run_tag (
            run_no INTEGER NOT NULL REFERENCES run (no),
            key TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (run_no, key)
        ) /* clustered */;
        CREATE TABLE metric_key (
            no INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE
        );
        CREATE TABLE metric (
            run_no INTEGER NOT NULL REFERENCES run (no),
            key_no INTEGER NOT NULL REFERENCES metric_key (no),
            step BIGINT NOT NULL,
            at_ms BIGINT NOT NULL,
            value DOUBLE PRECISION NOT NULL,
            is_nan INTEGER NOT NULL CHECK (is_nan IN (0, 1)),
            PRIMARY KEY (run_no, key_no, step, at_ms, value, is_nan)
        ) /* clustered */;
        CREATE TABLE latest_metric (
            run_no INTEGER NOT NULL REFERENCES run (no),
            key_no INTEGER NOT NULL REFERENCES metric_key (no),
            step BIGINT NOT NULL,
            at_ms BIGINT NOT NULL,
            value DOUBLE PRECISION NOT NULL,
            is_nan INTEGER NOT NULL CHECK (is_nan IN (0, 1)),
            PRIMARY KEY (run_no, key_no)
        ) /* clustered */;
        CREATE TABLE dataset (
            no INTEGER PRIMARY KEY,
            experiment_id INTEGER NOT NULL REFERENCES experiment (id),
            name TEXT NOT NULL,
            digest TEXT NOT NULL,
            source_type TEXT NOT NULL,
            source TEXT NOT NULL,
            schema_text TEXT,
            profile TEXT,
            UNIQUE (experiment_id, name, digest)
        );
        CREATE TABLE run_dataset (
            run_no INTEGER NOT NULL REFERENCES run (no),
            dataset_no INTEGER NOT NULL REFERENCES dataset (no),
            PRIMARY KEY (run_no, dataset_no)
        ) /* clustered */;
        CREATE TABLE run_dataset_tag (
            run_no INTEGER NOT NULL,
            dataset_no INTEGER NOT NULL,
            key TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (run_no, dataset_no, key),
            FOREIGN KEY (run_no, dataset_no) REFERENCES run_dataset (run_no, dataset_no)
        ) /* clustered */;
        CREATE TABLE logged_model (
            id TEXT PRIMARY KEY,
            experiment_id INTEGER NOT NULL REFERENCES experiment (id),
            name TEXT NOT NULL,
            source_run_id TEXT,
            model_type TEXT NOT NULL,
            artifact_root TEXT NOT NULL UNIQUE,
            status TEXT NOT NULL CHECK (status IN ('LOGGED_MODEL_PENDING', 'LOGGED_MODEL_READY', 'LOGGED_MODEL_UPLOAD_FAILED')),
            status_message TEXT,
            lifecycle TEXT NOT NULL CHECK (lifecycle IN ('active', 'deleted')),
            creator TEXT NOT NULL,
            signature TEXT,
            created_at_ms BIGINT NOT NULL,
            updated_at_ms BIGINT NOT NULL
        );
        CREATE INDEX logged_model_of_experiment ON logged_model (experiment_id, created_at_ms DESC, id);
        CREATE INDEX logged_model_of_run ON logged_model (source_run_id, created_at_ms);
        CREATE TABLE logged_model_param (
            model_id TEXT NOT NULL REFERENCES logged_model (id),
            key TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (model_id, key)
        ) /* clustered */;
        CREATE TABLE logged_model_tag (
            model_id TEXT NOT NULL REFERENCES logged_model (id),
            key TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (model_id, key)
        ) /* clustered */;
        CREATE TABLE logged_model_metric (
            model_id TEXT NOT NULL REFERENCES logged_model (id),
            run_no INTEGER NOT NULL REFERENCES run (no),
            key_no INTEGER NOT NULL REFERENCES metric_key (no),
            step BIGINT NOT NULL,
            at_ms BIGINT NOT NULL,
            value DOUBLE PRECISION NOT NULL,
            is_nan INTEGER NOT NULL CHECK (is_nan IN (0, 1)),
            dataset_name TEXT NOT NULL,
            dataset_digest TEXT NOT NULL,
            PRIMARY KEY (model_id, key_no, dataset_name, dataset_digest, run_no, step, at_ms, value, is_nan)
        ) /* clustered */;
        CREATE TABLE run_model (
            run_no INTEGER NOT NULL REFERENCES run (no),
            direction TEXT NOT NULL CHECK (direction IN ('input', 'output')),
            model_id TEXT NOT NULL REFERENCES logged_model (id),
            step BIGINT NOT NULL,
            PRIMARY KEY (run_no, direction, model_id)
        ) /* clustered */;
        CREATE TABLE artifact (
            root TEXT NOT NULL,
            path TEXT NOT NULL,
            digest TEXT NOT NULL,
            size_bytes BIGINT NOT NULL,
            stored_at_ms BIGINT NOT NULL,
            PRIMARY KEY (root, path)
        ) /* clustered */;
        """)
}
