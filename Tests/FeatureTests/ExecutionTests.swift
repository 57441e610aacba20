import Foundation
import Pipelines
import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct ExecutionTests {
    @Test("a push runs the pipeline: inputs read-only, outputs by digest, variables as promised, one run")
    func whole() async throws {
        let house = try await PipelineHouse()
        let raw = house.folder.url.appending(path: "raw")
        try FileManager.default.createDirectory(at: raw, withIntermediateDirectories: true)
        try Data("1\n2\n".utf8).write(to: raw.appending(path: "rows.csv"))
        let manifest = try house.dev.realm.blobs.put(folder: raw)
        let snapshot = DataSnapshot(
            id: "aaaaaaaaaaaa", dataset: "my-data", project: house.project, manifestDigest: try manifest.digest(), sizeBytes: manifest.size, fileCount: 1,
            createdAt: house.clock.now, createdBy: "test")
        try await house.dev.database.write { tx in try SnapshotStore(tx: tx).insert(snapshot, blobs: Set(manifest.files.map(\.digest))) }

        let begun = try await house.begin(
            """
              prepare: { run: sh prepare.sh, inputs: [my-data], outputs: [features] }
              train: { run: 'env | sort; cat $SLIPWAY_INPUT_FEATURES/sum.txt', needs: [prepare] }
            """, rest: "data: { my-data: {} }",
            files: ["prepare.sh": "cat $SLIPWAY_INPUT_MY_DATA/rows.csv | wc -l > $SLIPWAY_OUTPUT_FEATURES/sum.txt\n"])
        try house.startScheduler(.dev)
        let machine = try await house.end(begun.id)
        #expect(machine.execution.state == .succeeded, "\(machine.execution.message ?? "")")
        #expect(machine.execution.snapshots == ["my-data": "aaaaaaaaaaaa"])
        #expect(machine.execution.requestedBy == "user:ada")
        let features = try #require(machine.steps[0].outputs["features"])
        let tree = try house.dev.realm.blobs.manifest(features)
        #expect(tree.files.map(\.path) == ["sum.txt"])
        #expect(String(decoding: try house.dev.realm.blobs.read(tree.files[0].digest), as: UTF8.self).contains("2"))
        let log = String(decoding: try Data(contentsOf: house.stepFolder(begun.id, "train").log), as: UTF8.self)
        for line in ["MLFLOW_TRACKING_URI=http://127.0.0.1:1/dev", "MLFLOW_RUN_ID=\(machine.execution.run)", "MLFLOW_TRACKING_TOKEN=slp_test", "SLIPWAY_ENVIRONMENT=dev"] {
            #expect(log.contains(line), "\(log)")
        }
        let run = try await house.dev.database.read { tx in (try RunStore(tx: tx).run(begun.run), try RunStore(tx: tx).tags(begun.run)) }
        #expect(run.0?.status == .finished)
        #expect(run.1["mlflow.source.git.commit"] == begun.commit)
        #expect(run.1["slipway.snapshot.my-data"] == "aaaaaaaaaaaa")
        // What can be had again is gone, what cannot is there.
        _ = try await until("the clean-up") { FileManager.default.fileExists(atPath: house.stepFolder(begun.id, "train").order.path) ? nil : true }
    }

    @Test("a failed step says which command failed, with its last lines, and the steps after it are skipped")
    func failure() async throws {
        let house = try await PipelineHouse()
        let begun = try await house.begin(
            """
              train: { run: 'echo loading; echo the column is missing >&2; exit 3' }
              evaluate: { run: 'true', needs: [train] }
            """)
        try house.startScheduler(.dev)
        let machine = try await house.end(begun.id)
        #expect(machine.execution.state == .failed)
        let message = machine.execution.message ?? ""
        for words in ["Step 'train' failed", "exited with status 3", "  loading", "  the column is missing"] { #expect(message.contains(words), "\(message)") }
        #expect(machine.steps.map(\.state) == [.failed, .skipped])
        #expect(machine.steps[0].exitCode == 3)
        let run = try await house.dev.database.read { tx in try RunStore(tx: tx).run(begun.run) }
        #expect(run?.status == .failed)
    }

    @Test("a step is tried again as often as it says, each attempt in a clean folder")
    func retries() async throws {
        let house = try await PipelineHouse()
        let begun = try await house.begin(
            "  flaky: { run: 'test ! -e dirt; touch dirt; test -e \(house.folder.url.path)/second || { touch \(house.folder.url.path)/second; exit 1; }', retries: 1 }")
        try house.startScheduler(.dev)
        let machine = try await house.end(begun.id)
        #expect(machine.execution.state == .succeeded, "\(machine.execution.message ?? "")")
        #expect(machine.steps[0].attempt == 2)
    }

    @Test("a scheduler that dies mid-step leaves the step running, and the next one finishes it")
    func adoption() async throws {
        let house = try await PipelineHouse()
        let gate = house.folder.url.appending(path: "gate").path
        let begun = try await house.begin(
            """
              train: { run: 'echo $PPID > \(gate).up; while [ ! -e \(gate) ]; do sleep 0.01; done; echo done', outputs: [] }
              evaluate: { run: 'true', needs: [train] }
            """)
        let first = try house.startScheduler(.dev)
        _ = try await until("the step") { FileManager.default.fileExists(atPath: gate + ".up") ? true : nil }
        first.cancel()
        await first.value
        #expect(try await house.machine(begun.id).execution.state == .running)
        #expect(try house.stepFolder(begun.id, "train").state() == .running)
        try Data().write(to: URL(filePath: gate))
        _ = try await until("the step's end without a scheduler") { if case .ended = try house.stepFolder(begun.id, "train").state() { true } else { nil } }
        #expect(try await house.machine(begun.id).execution.state == .running)
        // A new process has a new service.
        let service = ExecutionService(realm: house.dev.realm, history: house.history, clock: house.clock, ids: house.ids, logger: quietLogger)
        let driver = ExecutionDriver(
            service: service, launcher: try StepLauncher.find(), environments: house.environments, tokens: NoTokens(), trackingURI: "http://127.0.0.1:1/dev")
        let second = Task { await Scheduler(service: service, driver: driver).work() }
        defer { second.cancel() }
        let machine = try await house.end(begun.id)
        #expect(machine.execution.state == .succeeded, "\(machine.execution.message ?? "")")
        #expect(machine.steps[0].attempt == 1)
    }

    @Test("a step whose supervisor was killed is tried again")
    func lostSupervisor() async throws {
        let house = try await PipelineHouse()
        let gate = house.folder.url.appending(path: "gate").path
        let begun = try await house.begin("  train: { run: 'test -e \(gate) && exit 0; echo $PPID > \(gate); exec sleep 600' }")
        try house.startScheduler(.dev)
        let supervisor = try await until("the step") {
            FileManager.default.fileExists(atPath: gate) ? pid_t(try String(contentsOfFile: gate, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)) : nil
        }
        kill(supervisor, SIGKILL)
        let machine = try await house.end(begun.id)
        #expect(machine.execution.state == .succeeded, "\(machine.execution.message ?? "")")
        #expect(machine.steps[0].attempt == 2)
    }

    @Test("cancel ends the running step, retry runs what did not succeed")
    func cancelAndRetry() async throws {
        let house = try await PipelineHouse()
        let gate = house.folder.url.appending(path: "gate").path
        let begun = try await house.begin(
            """
              prepare: { run: 'echo once >> \(gate).prepared; echo x > $SLIPWAY_OUTPUT_ROWS/x', outputs: [rows] }
              train: { run: 'test -e \(gate) && cat $SLIPWAY_INPUT_ROWS/x && exit 0; echo $$ > \(gate); exec sleep 600', needs: [prepare] }
            """)
        try house.startScheduler(.dev)
        let pid = try await until("the step") {
            FileManager.default.fileExists(atPath: gate) ? pid_t(try String(contentsOfFile: gate, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)) : nil
        }
        _ = try await house.services[.dev]!.cancel(begun.id, by: PipelineHouse.pusher)
        var machine = try await house.end(begun.id)
        #expect(machine.execution.state == .canceled)
        #expect(machine.execution.message == "Canceled by user:ada.")
        #expect(kill(pid, 0) != 0)
        _ = try await house.services[.dev]!.retry(begun.id, by: PipelineHouse.pusher)
        machine = try await house.end(begun.id)
        #expect(machine.execution.state == .succeeded, "\(machine.execution.message ?? "")")
        #expect(try String(contentsOfFile: gate + ".prepared", encoding: .utf8) == "once\n")
    }

    @Test("an execution is canceled before it has begun, and refused to strangers")
    func cancelQueued() async throws {
        let house = try await PipelineHouse()
        let begun = try await house.begin("  train: { run: 'true' }")
        let stranger = Caller(principal: .user(UserName(unchecked: "eve")))
        await #expect(throws: SlipwayError.self) { try await house.services[.dev]!.cancel(begun.id, by: stranger) }
        await #expect(throws: SlipwayError.self) { try await house.services[.dev]!.machine(begun.id, by: .anonymous) }
        let machine = try await house.services[.dev]!.cancel(begun.id, by: PipelineHouse.pusher)
        #expect(machine.execution.state == .canceled)
    }

    @Test("a missing dataset fails with what to do")
    func missing() async throws {
        let house = try await PipelineHouse()
        let begun = try await house.begin("  train: { run: 'true', inputs: [rows] }", rest: "data: { rows: {} }")
        try house.startScheduler(.dev)
        let machine = try await house.end(begun.id)
        #expect(machine.execution.state == .failed)
        #expect(machine.execution.message?.contains("Dataset 'rows' has no usable snapshot in dev.") == true)
        #expect(machine.execution.message?.contains("slipway data list") == true)
    }

    @Test("the log is followed from the first line to the last, over all steps")
    func follow() async throws {
        let house = try await PipelineHouse()
        let begun = try await house.begin(
            """
              one: { run: 'for i in 1 2 3 4 5; do echo one $i; sleep 0.05; done' }
              two: { run: 'echo two; exit 1', needs: [one] }
            """)
        let collected = Collected()
        let service = house.services[.dev]!
        async let reading: Void = service.readLog(of: begun.id, step: nil, follow: true, by: PipelineHouse.pusher) { await collected.add($0) }
        try house.startScheduler(.dev)
        try await reading
        let text = await collected.text
        var rest = text[...]
        for words in ["Execution \(begun.id)", "── one ──\none 1\n", "one 5\n── two ──\ntwo\n", "── failed ── Step 'two' failed"] {
            let range = try #require(rest.range(of: words), "\(text)")
            rest = rest[range.upperBound...]
        }
    }

    actor Collected {
        private var bytes: [UInt8] = []
        func add(_ piece: [UInt8]) { bytes += piece }
        var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    @Test("the same evaluation asked twice is one execution of the evaluate step alone, and its metrics come back")
    func evaluation() async throws {
        let house = try await PipelineHouse()
        let commit = try await house.begin(
            """
              prepare: { run: 'echo x > $SLIPWAY_OUTPUT_ROWS/x', outputs: [rows] }
              train: { run: 'exit 9', needs: [prepare] }
              evaluate: { run: 'cat $SLIPWAY_INPUT_ROWS/x; echo $SLIPWAY_MODEL_URI $SLIPWAY_CHAMPION_URI', needs: [train] }
            """
        ).commit
        try house.startScheduler(.stage)
        let service = house.services[.stage]!
        let request = EvaluationRequest(id: "p1.1", project: house.project, commit: commit, modelName: "delay", candidateVersion: 4, championVersion: 2, snapshots: [:])
        let id = try await service.start(request)
        #expect(try await service.start(request) == id)
        let machine = try await house.end(id, .stage)
        #expect(machine.steps.map(\.name) == ["prepare", "evaluate"])
        #expect(machine.execution.state == .succeeded, "\(machine.execution.message ?? "")")
        #expect(try house.stepFolder(id, "evaluate", .stage).tail() == ["x", "models:/delay/4 models:/delay/2"])
        guard case .measured(let run, _)? = try await service.outcome(of: id) else { Issue.record("not measured"); return }
        #expect(run == machine.execution.run)
    }
}
