import Foundation
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Testing

@Suite("What runs log")
struct TrackingStoreTests {
    private let at = Timestamp(milliseconds: 1_000)

    private func run(_ tx: any Transaction, _ name: String = "flights", id: String = String(repeating: "a", count: 32)) throws -> Run {
        let experiment = try ExperimentStore(tx: tx).ensure(name: name, project: ProjectName(unchecked: "flights"), at: at)
        return try RunStore(tx: tx).create(experiment: experiment, name: nil, user: "ada", tags: [:], at: at, id: id)
    }

    @Test("an experiment is made once per project, brought back when deleted, and never taken from another project")
    func ensure() async throws {
        let realm = try await TestRealm()
        try await realm.database.write { [at] tx in
            let store = ExperimentStore(tx: tx)
            try store.ensureDefault(at: at)
            try store.ensureDefault(at: at)
            let first = try store.ensure(name: "flights", project: ProjectName(unchecked: "flights"), at: at)
            #expect(try first == "1" && store.ensure(name: "flights", project: ProjectName(unchecked: "flights"), at: at) == "1")
            try store.setLifecycle(.deleted, of: first, at: at)
            #expect(try store.ensure(name: "flights", project: ProjectName(unchecked: "flights"), at: at) == "1")
            #expect(try store.experiment(first)?.lifecycle == .active)
            let other = try store.ensure(name: "flights", project: ProjectName(unchecked: "trains"), at: at)
            #expect(try other != first && store.experiment(other)?.name == "flights (project trains)")
            #expect(try store.experiment("0")?.project == .implicit)
        }
    }

    @Test("the latest value of a metric is the one with the greatest step, then time, then value, whatever arrives last")
    func latest() async throws {
        let realm = try await TestRealm()
        try await realm.database.write { tx in
            let run = try run(tx)
            let store = MetricStore(tx: tx)
            try store.log([MetricPoint(key: "m", value: 1, timestamp: 5, step: 2), MetricPoint(key: "m", value: 9, timestamp: 9, step: 1)], of: run)
            #expect(try RunStore(tx: tx).latestMetrics(run.id) == ["m": 1])
            try store.log([MetricPoint(key: "m", value: 3, timestamp: 5, step: 2)], of: run)
            #expect(try RunStore(tx: tx).latestMetrics(run.id) == ["m": 3])
            try store.log([MetricPoint(key: "m", value: 2, timestamp: 5, step: 2), MetricPoint(key: "m", value: -1, timestamp: 6, step: 2)], of: run)
            #expect(try RunStore(tx: tx).latestMetrics(run.id) == ["m": -1])
            #expect(try store.history(of: "m", run: run, limit: 10).samples.map(\.value) == [1, 2, 3, -1, 9])
        }
    }

    @Test("a point that is sent twice is there once; NaN and infinities come back as MLflow keeps them")
    func points() async throws {
        let realm = try await TestRealm()
        try await realm.database.write { tx in
            let run = try run(tx)
            let store = MetricStore(tx: tx)
            let points = [
                MetricPoint(key: "n", value: .nan, timestamp: 1), MetricPoint(key: "n", value: 0, timestamp: 1), MetricPoint(key: "i", value: .infinity, timestamp: 1),
                MetricPoint(key: "i", value: -.infinity, timestamp: 1, step: -3),
            ]
            try store.log(points, of: run)
            try store.log(points, of: run)
            let nan = try store.history(of: "n", run: run, limit: 10).samples
            #expect(nan.count == 2 && nan.contains { $0.value.isNaN } && nan.contains { $0.value == 0 })
            #expect(try store.history(of: "i", run: run, limit: 10).samples.map(\.value) == [-Double.greatestFiniteMagnitude, Double.greatestFiniteMagnitude])
        }
    }

    @Test("a curve keeps its ends, thins as MLflow does, and is whole where it is short", arguments: [1, 2, 3, 7, 100, 101])
    func curves(limit: Int) async throws {
        let realm = try await TestRealm()
        try await realm.database.write { tx in
            let run = try run(tx)
            let store = MetricStore(tx: tx)
            try store.log((0..<100).map { MetricPoint(key: "m", value: Double($0), timestamp: 1, step: Int64($0)) }, of: run)
            let steps = try store.curves(of: "m", runs: [run], limit: limit)[0].map(\.step)
            #expect(steps == steps.sorted() && steps.first == 0 && steps.last == 99)
            #expect(limit >= 100 ? steps.count == 100 : Array(steps.dropLast()) == Array(stride(from: 0, to: 99, by: 100 / limit)))
            #expect(try store.curves(of: "m", runs: [run], steps: 10...19, limit: 1000)[0].map(\.step) == Array(10...19))
        }
    }

    @Test(
        "a long curve keeps its spikes, wherever they are and however it came", arguments: [2_000, 5_000, 30_000, 100_001],
        ["in one order", "with steps that went back"])
    func spikes(count: Int, order: String) async throws {
        let realm = try await TestRealm()
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        var points = (0..<count).map { MetricPoint(key: "loss", value: sin(Double($0) / 500), timestamp: Int64($0 / 10), step: Int64($0)) }
        let spikes = (0..<5).map { _ in Int.random(in: 1..<(count - 1), using: &random) }
        for spike in spikes { points[spike].value = spike.isMultiple(of: 2) ? 50 + Double(spike) : -50 - Double(spike) }
        let ends = [points[0], points[count - 1]]
        if order != "in one order" { points.swapAt(3, count / 2) }
        let sent = points
        try await realm.database.write { tx in
            let run = try run(tx)
            let store = MetricStore(tx: tx)
            for start in stride(from: 0, to: count, by: 1000) { try store.log(Array(sent[start..<min(start + 1000, count)]), of: run) }
            for range in [nil, 0...Int64.max, Int64(count / 5)...Int64(count * 4 / 5)] as [ClosedRange<Int64>?] {
                let curve = try store.curves(of: "loss", runs: [run], steps: range, limit: 320)[0]
                let places = curve.map { [$0.step, $0.timestamp] }
                #expect(places == places.sorted { $0.lexicographicallyPrecedes($1) } && Set(places).count == places.count, "seed \(seed)")
                #expect(curve.count <= 3 * 640 + 3, "\(curve.count) points, seed \(seed)")
                for spike in spikes where range?.contains(Int64(spike)) ?? true {
                    let isKept = curve.contains { $0.step == Int64(spike) }
                    // Of two in one gap the greater one speaks for both.
                    let isCovered = spikes.contains { $0 != spike && abs($0 - spike) <= count / 100 }
                    #expect(isKept || isCovered, "spike at \(spike) of \(spikes), \(String(describing: range)), seed \(seed)")
                }
                if range == nil { #expect(curve.first?.step == ends[0].step && curve.last?.step == ends[1].step, "seed \(seed)") }
            }
        }
    }

    @Test("a history is read page by page to its end, in order, whatever order it was written in", arguments: [true, false])
    func pages(isOrdered: Bool) async throws {
        let realm = try await TestRealm()
        try await realm.database.write { tx in
            let run = try run(tx)
            let store = MetricStore(tx: tx)
            // Many points at one step, at one time, and NaN among them.
            var points = (0..<500).map { (index: Int) -> MetricPoint in
                MetricPoint(key: "m", value: index == 250 ? Double.nan : Double(index % 7), timestamp: Int64(index / 20), step: Int64(index / 50))
            }
            if !isOrdered { points.reverse() }
            for point in points { try store.log([point], of: run) }
            let whole = try store.history(of: "m", run: run, limit: 1000)
            #expect(whole.next == nil && whole.samples.map(\.timestamp) == whole.samples.map(\.timestamp).sorted())
            var pages: [MetricSample] = []
            var mark: MetricHistoryMark? = MetricHistoryMark()
            while let from = mark {
                let page = try store.history(of: "m", run: run, limit: 33, from: from)
                pages += page.samples
                mark = page.next
            }
            #expect(pages.map(String.init(describing:)) == whole.samples.map(String.init(describing:)))
        }
    }

    @Test("a param stands as it was written first")
    func params() async throws {
        let realm = try await TestRealm()
        try await realm.database.write { tx in
            let run = try run(tx)
            let store = RunStore(tx: tx)
            #expect(try store.logParam("p", "1", of: run) == "1")
            #expect(try store.logParam("p", "2", of: run) == "1")
            #expect(try store.params(run.id) == ["p": "1"])
        }
    }

    @Test("the run's name and its tag are one")
    func names() async throws {
        let realm = try await TestRealm()
        try await realm.database.write { tx in
            let run = try run(tx)
            let store = RunStore(tx: tx)
            #expect(try !run.name.isEmpty && store.tags(run.id)["mlflow.runName"] == run.name)
            try store.setTag("mlflow.runName", "new", of: run)
            #expect(try store.run(run.id)?.name == "new")
            try store.update(run, status: nil, endedAt: nil, name: "newer")
            #expect(try store.tags(run.id)["mlflow.runName"] == "newer")
        }
    }

    @Test("filters mean the same in SQL as in words")
    func filters() async throws {
        let realm = try await TestRealm()
        try await realm.database.write { tx in
            let ids = (0..<6).map { String(repeating: String($0), count: 32) }
            for (index, id) in ids.enumerated() {
                let run = try run(tx, id: id)
                let store = RunStore(tx: tx)
                if index != 5 { try store.log([MetricPoint(key: "m", value: index == 4 ? .nan : Double(index), timestamp: 1)], of: run) }
                _ = try store.logParam("name", index % 2 == 0 ? "Even" : "odd", of: run)
                if index == 3 { try store.setTag("special", "100%_x", of: run) }
                try store.update(run, status: index == 0 ? .finished : nil, endedAt: nil, name: "r\(index)")
            }
            func found(_ filter: String, _ order: [String] = []) throws -> [String] {
                try RunStore(tx: tx).search(
                    SearchFilter(parsing: filter, for: .runs), orderBy: SearchOrder.list(parsing: order, for: .runs), experiments: ["1"], limit: 100
                ).items.map(\.name)
            }
            #expect(try found("metrics.m >= 2", ["metrics.m ASC"]) == ["r2", "r3"])
            #expect(try found("metrics.m != 2", ["metrics.m DESC"]) == ["r3", "r1", "r0"])
            #expect(try found("", ["metrics.m DESC"]) == ["r3", "r2", "r1", "r0", "r4", "r5"])
            #expect(try found("params.name = 'even'").isEmpty)
            #expect(try found("params.name LIKE 'e%'").isEmpty && found("params.name ILIKE 'e%'").count == 3)
            #expect(try found("tags.special IS NULL").count == 5 && found("tags.special = '100%_x'") == ["r3"])
            #expect(try found("tags.special != 'x'") == ["r3"])
            #expect(try found("status = 'FINISHED' AND run_name != 'x'") == ["r0"])
            #expect(try found("run_id IN ('\(ids[1])', '\(ids[2])')", ["run_name DESC"]) == ["r2", "r1"])
            #expect(try found("tags.x = ''' OR 1=1 --'").isEmpty)
        }
    }

    @Test("runs are listed page by page without a gap, newest first")
    func pages() async throws {
        let realm = try await TestRealm()
        try await realm.database.write { [at] tx in
            for index in 0..<23 {
                let experiment = try ExperimentStore(tx: tx).ensure(name: "flights", project: ProjectName(unchecked: "flights"), at: at)
                // Several start in the same millisecond.
                try RunStore(tx: tx).create(
                    experiment: experiment, name: nil, user: "ada", tags: [:], at: Timestamp(milliseconds: Int64(index / 4)), id: CountingIDs().hex32() + "\(index)")
            }
            var seen: [Int64] = []
            var mark: (startedAt: Int64, number: Int64)?
            while true {
                let page = try RunStore(tx: tx).list(projects: [ProjectName(unchecked: "flights")], before: mark, limit: 5)
                seen += page.items.map(\.number)
                guard page.hasMore, let last = page.items.last else { break }
                mark = (last.startedAt.milliseconds, last.number)
            }
            #expect(seen == (1...23).reversed().map(Int64.init))
            #expect(try RunStore(tx: tx).list(projects: [.implicit], limit: 5).items.isEmpty)
        }
    }

    @Test("details of more runs than one batch all arrive")
    func batches() async throws {
        let realm = try await TestRealm()
        try await realm.database.write { tx in
            let runs = try (0..<423).map { index in
                let run = try run(tx, id: "run\(index)")
                try RunStore(tx: tx).setTag("index", "\(index)", of: run)
                return run
            }
            let details = try RunStore(tx: tx).details(of: runs)
            #expect(runs.enumerated().allSatisfy { details[$1.number]?.tags["index"] == "\($0)" })
        }
    }
}

@Suite("Artifacts")
struct ArtifactStoreTests {
    private let at = Timestamp(milliseconds: 1)
    private let digest = ContentDigest(of: "bytes")

    @Test("a folder lists one level, and a file is no folder")
    func levels() async throws {
        let realm = try await TestRealm()
        try await realm.database.write { [at, digest] tx in
            let store = ArtifactStore(tx: tx)
            for path in ["a/b/c.txt", "a/b-d.txt", "a-b", "a/z", "m/MLmodel"] { try store.put(path, digest: digest, size: 5, under: "r", at: at) }
            try store.put("other", digest: digest, size: 5, under: "r2", at: at)
            #expect(try store.list(nil, under: "r").map(\.name) == ["a", "a-b", "m"])
            #expect(try store.list("a", under: "r") == [ArtifactEntry(name: "b", size: nil), ArtifactEntry(name: "b-d.txt", size: 5), ArtifactEntry(name: "z", size: 5)])
            #expect(try store.list("a-b", under: "r").isEmpty && store.list("nothing", under: "r").isEmpty)
            #expect(try store.manifest(under: "r", path: "a").files.map(\.path) == ["b-d.txt", "b/c.txt", "z"])
            #expect(throws: SlipwayError.self) { try store.put("a", digest: digest, size: 5, under: "r", at: at) }
            #expect(throws: SlipwayError.self) { try store.put("a-b/x", digest: digest, size: 5, under: "r", at: at) }
            #expect(throws: SlipwayError.self) { try store.put("../x", digest: digest, size: 5, under: "r", at: at) }
            #expect(try store.remove("a", under: "r") == 3 && store.list(nil, under: "r").map(\.name) == ["a-b", "m"])
        }
    }

    @Test("a path of the proxy leads to its run, its model, its version or nowhere")
    func places() async throws {
        let realm = try await TestRealm()
        try await realm.database.write { [at, digest] tx in
            let project = ProjectName(unchecked: "flights")
            let experiment = try ExperimentStore(tx: tx).ensure(name: "x", project: project, at: at)
            _ = try ExperimentStore(tx: tx).create(name: "elsewhere", project: project, location: "mlflow-artifacts:/team/area", tags: [:], at: at)
            let store = ArtifactStore(tx: tx)
            guard case .stored(let run)? = try store.place(of: "\(experiment)/r1/artifacts/a/b") else { Issue.record("no place"); return }
            #expect(run.run == "r1" && run.root == "mlflow-artifacts:/1/r1/artifacts" && run.path == "a/b" && run.project == project)
            guard case .stored(let model)? = try store.place(of: "1/models/m-1/artifacts") else { Issue.record("no place"); return }
            #expect(model.loggedModel == "m-1" && model.path == nil)
            guard case .stored(let custom)? = try store.place(of: "team/area/r1/artifacts/x") else { Issue.record("no place"); return }
            #expect(custom.run == "r1" && custom.root == "mlflow-artifacts:/team/area/r1/artifacts")
            #expect(try store.place(of: "99/r1/artifacts/x") == nil && store.place(of: "registry/1/1/x") == nil && store.place(of: "registry/x") == nil)
            let version = try RegistryStore(tx: tx).register(
                model: "m", project: project, source: .manifest(digest, origin: "stage"), tags: [:], at: at, by: .system("test"))
            guard case .frozen(let found, let path)? = try store.place(of: "registry/1/\(version)/MLmodel") else { Issue.record("no place"); return }
            #expect(found.version == 1 && path == "MLmodel")
            #expect(try store.place(ofAddress: "mlflow-artifacts://host:5000/1/r1/artifacts/a")?.path == "a")
            #expect(try store.place(ofAddress: "s3://bucket/x") == nil)
            for hostile in ["", "/etc/passwd", "1/../2", "1//x", "./1", "1/r1/artifacts/..", "a\u{0}b", "1\\2"] {
                #expect(throws: SlipwayError.self) { try store.place(of: hostile) }
            }
        }
    }
}

@Suite("The registry's store")
struct RegistryStoreTests {
    private let at = Timestamp(milliseconds: 1)
    private let project = ProjectName(unchecked: "flights")

    private func loggedModel(_ tx: any Transaction, id: String = "m-1", files: [String] = ["MLmodel", "model.pkl"]) throws -> LoggedModel {
        let experiment = try ExperimentStore(tx: tx).ensure(name: "x", project: project, at: at)
        let model = LoggedModel(
            id: id, name: "model", experiment: experiment, project: project, sourceRun: "r1", modelType: "", artifactRoot: "mlflow-artifacts:/1/models/\(id)/artifacts",
            status: .pending, creator: "user:ada", createdAt: at, updatedAt: at)
        try LoggedModelStore(tx: tx).insert(model, params: [:], tags: [:])
        for file in files { try ArtifactStore(tx: tx).put(file, digest: ContentDigest(of: file), size: 4, under: model.artifactRoot, at: at) }
        return model
    }

    @Test("a version freezes the files as they were and inherits the signature")
    func freezes() async throws {
        let realm = try await TestRealm()
        try await realm.database.write { [at, project] tx in
            let model = try loggedModel(tx)
            try LoggedModelStore(tx: tx).setSignature(["inputs": [["name": "x"]]], of: model.id)
            let manifest = try ArtifactStore(tx: tx).manifest(under: model.artifactRoot)
            let store = RegistryStore(tx: tx)
            let number = try store.register(model: "m", project: project, source: .loggedModel("m-1", run: nil), tags: ["a": "b"], at: at, by: .system("test"))
            try ArtifactStore(tx: tx).put("model.pkl", digest: ContentDigest(of: "changed"), size: 9, under: model.artifactRoot, at: at)
            let version = try #require(try store.version(number, of: "m"))
            #expect(try version.manifestDigest == manifest.digest() && version.sizeBytes == 8 && version.fileCount == 2)
            #expect(version.run == "r1" && version.loggedModel == "m-1" && version.tags == ["a": "b"])
            #expect(version.signature?["inputs"]?.array?.count == 1)
            #expect(try store.versions(withManifest: manifest.digest(), of: "m").map(\.version) == [1])
            // The same files by digest, as a promotion brings them, are known with their signature and size.
            let copy = try store.register(model: "copy", project: project, source: .manifest(manifest.digest(), origin: "dev"), tags: [:], at: at, by: .system("test"))
            #expect(try store.version(copy, of: "copy")?.signature != nil && store.version(copy, of: "copy")?.sizeBytes == 8)
        }
    }

    @Test("numbers are not given again, and a name belongs to one project")
    func numbers() async throws {
        let realm = try await TestRealm()
        try await realm.database.write { [at, project] tx in
            _ = try loggedModel(tx)
            let store = RegistryStore(tx: tx)
            let register = { try store.register(model: "m", project: project, source: .loggedModel("m-1", run: nil), tags: [:], at: at, by: .system("test")) }
            #expect(try register() == 1 && register() == 2)
            try store.move(alias: "a", of: "m", to: 2)
            try store.delete(try #require(try store.version(2, of: "m")), at: at)
            #expect(try store.version(2, of: "m") == nil && store.alias("a", of: "m") == nil && register() == 3)
            #expect(throws: SlipwayError.self) {
                try store.register(model: "m", project: ProjectName(unchecked: "trains"), source: .loggedModel("m-1", run: nil), tags: [:], at: at, by: .system("test"))
            }
            #expect(throws: SlipwayError.self) { try store.register(model: "n", project: project, source: .loggedModel("m-9", run: nil), tags: [:], at: at, by: .system("test")) }
            _ = try loggedModel(tx, id: "m-2", files: [])
            #expect(throws: SlipwayError.self) { try store.register(model: "n", project: project, source: .loggedModel("m-2", run: nil), tags: [:], at: at, by: .system("test")) }
        }
    }

    @Test("an alias moves and tells where it was; an unknown version is refused")
    func aliases() async throws {
        let realm = try await TestRealm()
        try await realm.database.write { [at, project] tx in
            _ = try loggedModel(tx)
            let store = RegistryStore(tx: tx)
            for _ in 0..<2 { _ = try store.register(model: "m", project: project, source: .loggedModel("m-1", run: nil), tags: [:], at: at, by: .system("test")) }
            #expect(try store.move(alias: "live", of: "m", to: 1) == nil)
            #expect(try store.move(alias: "live", of: "m", to: 2) == 1)
            #expect(try store.alias("live", of: "m") == 2 && store.version(2, of: "m")?.aliases == ["live"])
            #expect(throws: SlipwayError.self) { try store.move(alias: "live", of: "m", to: 9) }
        }
    }

    @Test("prompts are hidden unless they are asked for")
    func prompts() async throws {
        let realm = try await TestRealm()
        try await realm.database.write { [at, project] tx in
            let store = RegistryStore(tx: tx)
            try store.create(model: "plain", project: project, at: at)
            try store.create(model: "prompt", project: project, tags: ["mlflow.prompt.is_prompt": "true"], at: at)
            let names = { (filter: String) in
                try store.searchModels(SearchFilter(parsing: filter, for: .registeredModels), projects: nil, limit: 10).items.map(\.name)
            }
            #expect(try names("") == ["plain"] && names("tags.`mlflow.prompt.is_prompt` = 'true'") == ["prompt"])
            #expect(try names("tags.`mlflow.prompt.is_prompt` != 'true' AND name ILIKE 'P%'") == ["plain"])
            #expect(try store.searchModels(SearchFilter(), projects: [.implicit], limit: 10).items.isEmpty)
        }
    }
}
