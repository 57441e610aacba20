import Foundation
import SlipwayCore
import SlipwaySQL
import SlipwaySQLite
import SlipwayStore
import SlipwayTestSupport
import Testing

@Suite("Metrics of an older data folder")
struct MetricMigrationTests {
    @Test("they are all there after the upgrade, in order, with their latest values, and go on being written")
    func upgrade() async throws {
        let folder = try TemporaryFolder()
        let database = try SQLiteDatabase(path: folder.url.appending(path: "realm.sqlite").path, logger: quietLogger)
        let now = Timestamp(milliseconds: 1)
        let older = Migrations.realm.prefix { !$0.name.hasPrefix("M0009") }
        try await Migrator(Array(older)).migrate(database, now: now)
        try await database.write { tx in
            try tx.script(
                """
                INSERT INTO experiment VALUES (7, 'old', 'default', 'mlflow-artifacts:/7', 'active', 1, 1);
                INSERT INTO run VALUES (1, 'aa', 7, 'old run', 'ada', 'FINISHED', 'active', 1, 2, 'mlflow-artifacts:/7/aa/artifacts');
                INSERT INTO metric_key VALUES (1, 'loss');
                INSERT INTO metric VALUES (1, 1, 0, 10, 0.5, 0), (1, 1, 1, 11, 0, 1), (1, 1, 2, 12, 0.25, 0);
                INSERT INTO latest_metric VALUES (1, 1, 2, 12, 0.25, 0);
                """)
        }
        try await Migrator(Migrations.realm).migrate(database, now: now)
        try await database.write { tx in
            let store = RunStore(tx: tx)
            let run = try #require(try store.run("aa"))
            try store.log([MetricPoint(key: "loss", value: 0.125, timestamp: 13, step: 3)], of: run)
            let samples = try MetricStore(tx: tx).history(of: "loss", run: run, limit: 10).samples
            #expect(samples.map(\.step) == [0, 1, 2, 3] && samples.map(\.timestamp) == [10, 11, 12, 13])
            #expect(samples[0].value == 0.5 && samples[1].value.isNaN && samples[2].value == 0.25 && samples[3].value == 0.125)
            #expect(try store.latestMetrics("aa") == ["loss": 0.125])
            let found = try store.search(
                SearchFilter(parsing: "metrics.loss < 0.2", for: .runs), orderBy: SearchOrder.list(parsing: ["metrics.loss"], for: .runs), experiments: ["7"], limit: 10)
            #expect(found.items.map(\.id) == ["aa"])
        }
        try await database.close()
        #expect(try SQLiteFile.damage(in: folder.url.appending(path: "realm.sqlite")) == nil)
        withExtendedLifetime(folder) {}
    }
}
