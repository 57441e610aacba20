import SlipwaySQL

package enum M0009 {
    /// Metrics for a hundred million points: points refer to nothing, since a reference would be looked up for each of them; the latest
    /// point of a metric knows its experiment, so that a search by value is one walk along an index; and every 256 points of a metric
    /// leave one row with their extremes, so that a curve is drawn without reading its points.
    package static let metrics = Migration(
        "M0009_Metrics",
        """
        CREATE TABLE metric_new (
            run_no INTEGER NOT NULL,
            key_no INTEGER NOT NULL,
            step BIGINT NOT NULL,
            at_ms BIGINT NOT NULL,
            value DOUBLE PRECISION NOT NULL,
            is_nan INTEGER NOT NULL CHECK (is_nan IN (0, 1)),
            PRIMARY KEY (run_no, key_no, step, at_ms, value, is_nan)
        ) /* clustered */;
        INSERT INTO metric_new (run_no, key_no, step, at_ms, value, is_nan)
            SELECT run_no, key_no, step, at_ms, value, is_nan FROM metric ORDER BY run_no, key_no, step, at_ms, value, is_nan;
        CREATE TABLE latest_metric_new (
            run_no INTEGER NOT NULL,
            key_no INTEGER NOT NULL,
            experiment_id INTEGER NOT NULL,
            step BIGINT NOT NULL,
            at_ms BIGINT NOT NULL,
            value DOUBLE PRECISION NOT NULL,
            is_nan INTEGER NOT NULL CHECK (is_nan IN (0, 1)),
            points BIGINT NOT NULL,
            is_ordered INTEGER NOT NULL CHECK (is_ordered IN (0, 1)),
            PRIMARY KEY (run_no, key_no)
        ) /* clustered */;
        INSERT INTO latest_metric_new (run_no, key_no, experiment_id, step, at_ms, value, is_nan, points, is_ordered)
            SELECT l.run_no, l.key_no, r.experiment_id, l.step, l.at_ms, l.value, l.is_nan,
                (SELECT COUNT(*) FROM metric m WHERE m.run_no = l.run_no AND m.key_no = l.key_no), 0
            FROM latest_metric l JOIN run r ON r.no = l.run_no;
        DROP TABLE metric;
        DROP TABLE latest_metric;
        ALTER TABLE metric_new RENAME TO metric;
        ALTER TABLE latest_metric_new RENAME TO latest_metric;
        CREATE INDEX latest_metric_by_value ON latest_metric (experiment_id, key_no, is_nan, value);
        CREATE TABLE metric_chunk (
            run_no INTEGER NOT NULL,
            key_no INTEGER NOT NULL,
            chunk BIGINT NOT NULL,
            first_step BIGINT NOT NULL,
            low_step BIGINT NOT NULL,
            low_at_ms BIGINT NOT NULL,
            low DOUBLE PRECISION NOT NULL,
            high_step BIGINT NOT NULL,
            high_at_ms BIGINT NOT NULL,
            high DOUBLE PRECISION NOT NULL,
            last_step BIGINT NOT NULL,
            last_at_ms BIGINT NOT NULL,
            last DOUBLE PRECISION NOT NULL,
            last_is_nan INTEGER NOT NULL,
            PRIMARY KEY (run_no, key_no, chunk)
        ) /* clustered */;
        """)
}
