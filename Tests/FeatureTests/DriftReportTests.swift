import Foundation
import Monitoring
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Testing

/// DuckDB's numbers against numpy's and scikit-learn's on the rows of `MonitoringFixture`. The literals were printed by:
///
///     i = np.arange(2000); j = np.arange(1500)
///     b = dict(x=(i*7919 % 1009)/10, n=i % 7, c=np.array(list("abcd"))[i*31 % 11 % 4], s=np.where(i % 10 == 0, np.nan, i*13 % 97), p=(i*6151 % 997)/997)
///     w = dict(x=(j*7919 % 1009)/10 + 20, n=j*j % 7, c=np.array(list("abe"))[j*17 % 13 % 3], s=np.where(j % 3 == 0, np.nan, j*13 % 97), p=(j*4409 % 991)/991)
///     by = (i*6151 % 997 + i*37 % 500 > 700).astype(int); wy = (j*4409 % 991 + j*53 % 600 > 800).astype(int); k = j % 5 != 0
///     for f in "xnsp":
///         v = b[f][~np.isnan(b[f])]; e = np.unique(np.quantile(v, np.arange(1, 10)/10)); e = e[e < v.max()]
///         h = lambda q: np.bincount(np.searchsorted(e, q[~np.isnan(q)], side="left"), minlength=len(e)+1)
///         print(f, psi(h(b[f]), h(w[f])))                       # psi as in DriftStatisticsTests
///     h = lambda q: np.array([(q == v).sum() for v in "abcd"] + [(~np.isin(q, list("abcd"))).sum()]); print("c", psi(h(b["c"]), h(w["c"])))
///     m = lambda q: np.array([np.isnan(q).sum(), (~np.isnan(q)).sum()]); print("s missing", psi(m(b["s"]), m(w["s"])))
///     print(roc_auc_score(by, b["p"]), log_loss(by, b["p"]), b["p"].mean(), by.mean())
///     print(roc_auc_score(wy[k], w["p"][k]), log_loss(wy[k], w["p"][k]), w["p"][k].mean(), wy[k].mean())
@Suite("Drift reports")
struct DriftReportTests {
    private func near(_ value: Double?, _ expected: Double, _ tolerance: Double = 1e-9) -> Bool { value.map { abs($0 - expected) < tolerance } ?? false }

    @Test("a month's report holds numpy's indices and scikit-learn's AUC and log loss")
    func againstScikit() async throws {
        let fixture = try await MonitoringFixture()
        _ = try await fixture.service(fixture.stage).keepBaselines()
        try fixture.capture(MonitoringFixture.captured(release: fixture.release.id))
        let prod = fixture.service()
        _ = try await prod.importLabels(MonitoringFixture.slot, bytes: MonitoringFixture.stream(MonitoringFixture.labels()), by: MonitoringFixture.caller(.engineer))
        let made = try await prod.report(
            MonitoringFixture.slot, from: MonitoringFixture.from, to: MonitoringFixture.to, acting: false, by: MonitoringFixture.caller(.viewer))
        let report = made.report
        #expect(report.rows == 1500)
        #expect(report.release == fixture.release.id)
        #expect(report.baseline == .artifact)
        let features = Dictionary(uniqueKeysWithValues: report.features.map { ($0.name, $0) })
        #expect(near(features["x"]?.psi, 1.1418792224666374))
        #expect(features["x"]?.counts == [0, 4, 150, 150, 150, 149, 151, 149, 149, 448])
        #expect(near(features["n"]?.psi, 2.882432424078867))
        #expect(near(features["c"]?.psi, 5.195736625993651))
        #expect(features["c"]?.counts == [578, 461, 0, 0, 461].sortedLike(features["c"]!.bins))
        #expect(near(features["s"]?.psi, 8.321125020807751e-05))
        #expect(near(features["s"]?.psiMissing, 0.3509513925811306))
        #expect(near(report.prediction?.psi, 9.509040565135865e-05))
        #expect(report.worst?.name == "c")
        let quality = try #require(report.quality)
        #expect(quality.rows == 1500 && quality.labelled == 1200)
        #expect(near(quality.metrics["auc"], 0.9451225610027112))
        #expect(near(quality.metrics["log_loss"], 0.3637989423933359))
        #expect(near(quality.metrics["mean_prediction"], 0.49852926337033293))
        #expect(near(quality.metrics["base_rate"], 0.49666666666666665))
        #expect(near(quality.baseline["auc"], 0.957847522769847))
        #expect(near(quality.baseline["log_loss"], 0.35497479059676185))
        #expect(near(quality.baseline["base_rate"], 0.548))
        #expect(report.verdict == .act)
        #expect(report.reasons.first == "Feature 'c' moved: PSI 5.196.")
        #expect(report.reasons.contains { $0.contains("'s' is missing in 33 %") })
        let kept = try await prod.report(id: report.id, by: MonitoringFixture.caller(.viewer))
        #expect(kept.report == report)
    }

    @Test("without a logged baseline the training snapshot's columns of the same names serve")
    func snapshotBaseline() async throws {
        let fixture = try await MonitoringFixture(baseline: .snapshot)
        try fixture.capture(MonitoringFixture.captured(release: fixture.release.id), realm: fixture.stage)
        let made = try await fixture.service(fixture.stage).report(
            MonitoringFixture.slot, from: MonitoringFixture.from, to: MonitoringFixture.to, acting: false, by: MonitoringFixture.caller(.viewer, .stage))
        #expect(made.report.baseline == .snapshot)
        #expect(made.report.prediction == nil)
        #expect(near(made.report.features.first { $0.name == "x" }?.psi, 1.1418792224666374))
        #expect(made.report.quality?.baseline == ["auc": 0.9])
    }

    @Test("a report without a baseline says why and still measures quality")
    func withoutBaseline() async throws {
        let fixture = try await MonitoringFixture(baseline: .none)
        try fixture.capture(MonitoringFixture.captured(release: fixture.release.id))
        _ = try await fixture.service().importLabels(
            MonitoringFixture.slot, bytes: MonitoringFixture.stream(MonitoringFixture.labels()), by: MonitoringFixture.caller(.engineer))
        let report = try await fixture.service().report(
            MonitoringFixture.slot, from: MonitoringFixture.from, to: MonitoringFixture.to, acting: false, by: MonitoringFixture.caller(.viewer)
        ).report
        #expect(report.features.isEmpty)
        #expect(near(report.quality?.metrics["auc"], 0.9451225610027112))
        #expect(report.reasons.contains { $0.hasPrefix("Features are not compared.") })
    }

    @Test("prod gets counts from stage and not one row: no training bytes reach its folder")
    func noRowsCrossRealms() async throws {
        let fixture = try await MonitoringFixture()
        try fixture.capture(MonitoringFixture.captured(release: fixture.release.id))
        let prod = fixture.service()
        // Before stage has counted, prod has nothing to compare with: it does not reach for the table itself.
        let early = try await prod.report(
            MonitoringFixture.slot, from: MonitoringFixture.from, to: MonitoringFixture.to, acting: false, by: MonitoringFixture.caller(.viewer)
        ).report
        #expect(early.features.isEmpty)
        #expect(early.reasons.contains { $0.contains("stage has no baseline of release") })
        _ = try await fixture.service(fixture.stage).keepBaselines()
        let report = try await prod.report(
            MonitoringFixture.slot, from: MonitoringFixture.from, to: MonitoringFixture.to, acting: false, by: MonitoringFixture.caller(.viewer)
        ).report
        #expect(report.features.count == 4)
        let blobs = fixture.prod.folder.url.appending(path: "blobs")
        let files = FileManager.default.enumerator(at: blobs, includingPropertiesForKeys: nil)?.allObjects as? [URL] ?? []
        #expect(files.allSatisfy { $0.lastPathComponent == "incoming" })
        let left = try FileManager.default.contentsOfDirectory(atPath: fixture.prod.folder.url.appending(path: "monitoring/work").path)
        #expect(left.isEmpty)
    }

    @Test("half-written, foreign and hostile lines cost themselves only")
    func hostileCaptures() async throws {
        let fixture = try await MonitoringFixture()
        _ = try await fixture.service(fixture.stage).keepBaselines()
        let lines = MonitoringFixture.captured(release: fixture.release.id)
        try fixture.capture(Array(lines[..<700]), segment: "20261124T100000-1.ndjson")
        try fixture.capture(Array(lines[700..<1400]) + ["{\"id\":\"cut", "not json", "[]", "{\"release\":\"x\",\"row\":\"text\"}"], segment: "20261124T110000-2.ndjson")
        let half = String(lines[1499].prefix(40))
        try fixture.capture(Array(lines[1400..<1499]) + [half], segment: "20261124T120000-3.ndjson.open", terminated: false)
        let id = fixture.release.id
        let at = MonitoringFixture.from.iso8601
        try fixture.capture(
            [
                // Wrong types, NaN, an infinite number, a column that is a list, keys that differ in case only, no event time, other keys.
                #"{"id":"h1","at":"x","release":"\#(id)","row":{"scheduled_arrival":"\#(at)","x":"many","n":[1,2],"c":{"a":1},"s":NaN},"prediction":NaN}"#,
                #"{"id":"h2","at":"x","release":"\#(id)","row":{"scheduled_arrival":"\#(at)","x":1e999,"X":3,"n":true,"c":"'; DROP TABLE w; --","s":""},"prediction":[0.1,0.9]}"#,
                #"{"id":"h3","at":"x","release":"\#(id)","row":{"x":1},"prediction":0.5}"#,
            ], segment: "20261124T130000-4.ndjson")
        let report = try await fixture.service().report(
            MonitoringFixture.slot, from: MonitoringFixture.from, to: MonitoringFixture.to, acting: false, by: MonitoringFixture.caller(.viewer)
        ).report
        #expect(report.rows == 1501)
        let x = try #require(report.features.first { $0.name == "x" })
        #expect(x.counts.reduce(0, +) == 1500)
        #expect(near(x.missingShare, 1.0 / 1501))
    }

    @Test("a key asked twice counts once in quality, with its last answer; the newest file's label wins")
    func duplicates() async throws {
        let fixture = try await MonitoringFixture()
        _ = try await fixture.service(fixture.stage).keepBaselines()
        let id = fixture.release.id
        func line(_ key: String, _ prediction: Double) -> String {
            #"{"id":"q","at":"2026-11-24T10:00:00Z","release":"\#(id)","row":{"flight_id":"\#(key)","scheduled_arrival":"2013-04-02 10:00:00"},"prediction":\#(prediction)}"#
        }
        try fixture.capture([line("a", 0.9), line("b", 0.5), line("a", 0.2)])
        let engineer = MonitoringFixture.caller(.engineer)
        let prod = fixture.service()
        _ = try await prod.importLabels(MonitoringFixture.slot, bytes: MonitoringFixture.stream("flight_id,label\na,1\nb,1\n"), by: engineer)
        fixture.clock.advance(by: .seconds(60))
        _ = try await prod.importLabels(MonitoringFixture.slot, bytes: MonitoringFixture.stream("flight_id,label\na,0\n"), by: engineer)
        let report = try await prod.report(MonitoringFixture.slot, from: MonitoringFixture.from, to: MonitoringFixture.to, acting: false, by: engineer).report
        #expect(report.rows == 3)
        #expect(report.quality?.rows == 2 && report.quality?.labelled == 2)
        #expect(report.quality?.metrics["auc"] == 1)
        #expect(near(report.quality?.metrics["mean_prediction"], 0.35))
    }

    @Test("the release that answered most of the window is the one reported on")
    func majority() async throws {
        let fixture = try await MonitoringFixture()
        _ = try await fixture.service(fixture.stage).keepBaselines()
        let other = ContentDigest(of: "older release")
        try fixture.capture(MonitoringFixture.captured(0..<1000, release: fixture.release.id) + MonitoringFixture.captured(1000..<1500, release: other))
        let report = try await fixture.service().report(
            MonitoringFixture.slot, from: MonitoringFixture.from, to: MonitoringFixture.to, acting: false, by: MonitoringFixture.caller(.viewer)
        ).report
        #expect(report.release == fixture.release.id)
        #expect(report.rowsByRelease == [fixture.release.id.rawValue: 1000, other.rawValue: 500])
        #expect(report.quality?.rows == 1000)
    }

    @Test("an empty window is refused with what to look at, and nothing is kept")
    func emptyWindow() async throws {
        let fixture = try await MonitoringFixture()
        let prod = fixture.service()
        let nothing = await #expect(throws: SlipwayError.self) {
            try await prod.report(MonitoringFixture.slot, from: MonitoringFixture.from, to: MonitoringFixture.to, acting: false, by: MonitoringFixture.caller(.viewer))
        }
        #expect(nothing?.code == .notFound)
        let turned = await #expect(throws: SlipwayError.self) {
            try await prod.report(MonitoringFixture.slot, from: MonitoringFixture.to, to: MonitoringFixture.from, acting: false, by: MonitoringFixture.caller(.viewer))
        }
        #expect(turned?.code == .invalidArgument)
        #expect(try await prod.reports(MonitoringFixture.slot, limit: 10, before: nil, by: MonitoringFixture.caller(.viewer)).reports.isEmpty)
    }

    @Test("strangers see nothing; a viewer reports but starts no retraining")
    func roles() async throws {
        let fixture = try await MonitoringFixture()
        let prod = fixture.service()
        let (from, to, slot) = (MonitoringFixture.from, MonitoringFixture.to, MonitoringFixture.slot)
        let stranger = MonitoringFixture.caller(.admin, project: ProjectName(unchecked: "other"))
        for caller in [Caller.anonymous, stranger] {
            await #expect(throws: SlipwayError.self) { try await prod.report(slot, from: from, to: to, acting: false, by: caller) }
            await #expect(throws: SlipwayError.self) { try await prod.reports(slot, limit: 1, before: nil, by: caller) }
            await #expect(throws: SlipwayError.self) { try await prod.retrainings(slot, by: caller) }
            await #expect(throws: SlipwayError.self) { try await prod.health(slot, by: caller) }
            await #expect(throws: SlipwayError.self) { try await prod.labelBatches(slot, limit: 1, before: nil, by: caller) }
            await #expect(throws: SlipwayError.self) { try await prod.importLabels(slot, bytes: MonitoringFixture.stream("key,label\na,1\n"), by: caller) }
        }
        let refused = await #expect(throws: SlipwayError.self) { try await prod.report(slot, from: from, to: to, acting: true, by: MonitoringFixture.caller(.viewer)) }
        #expect(refused?.code == .notAllowed)
        #expect(try await prod.health(by: stranger).isEmpty)
    }
}

extension [Int64] {
    /// Categories are ordered by how frequent they are in the baseline; the literals are ordered a, b, c, d, other.
    fileprivate func sortedLike(_ bins: FeatureBins) -> [Int64] {
        guard case .categories(let names) = bins else { return self }
        return names.map { self[["a", "b", "c", "d"].firstIndex(of: $0)!] } + [self[4]]
    }
}
