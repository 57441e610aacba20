import Foundation
import SlipwayBlobs
import SlipwayCore
import SlipwayRuntime
import SlipwaySQL
import SlipwayStore

/// What every step of an execution stands on: locked packages, the Python environment, the datasets' snapshots. May be done twice.
struct Preparation: Sendable {
    let driver: ExecutionDriver
    let execution: Execution
    let steps: [StepExecution]
    let log: ExecutionLog

    struct Outcome: Sendable {
        var snapshots: [String: DataSnapshot]
        var lock: ContentDigest
    }

    private var realm: Realm { driver.realm }

    func run() async throws -> Outcome {
        log.write("Execution \(execution.id) of \(execution.project) in \(realm.environment.rawValue), commit \(execution.commit.prefix(12)).")
        try FileManager.default.createDirectory(at: driver.service.folder(of: execution.id).appending(path: "inputs"), withIntermediateDirectories: true)
        let file = try await driver.projectFile(of: execution)
        let lock = try await lock(file)
        let snapshots = try await snapshots(file)
        try await materialise(snapshots)
        _ = try await driver.environments.environment(python: file.python.version, lock: lock) { log.write($0) }
        log.write("Ready to run \(steps.count) step\(steps.count == 1 ? "" : "s").")
        return Outcome(snapshots: snapshots, lock: lock.digest)
    }

    private func lock(_ file: ProjectFile) async throws -> LockedRequirements {
        let name = file.python.requirements
        guard let bytes = try await driver.service.history.file(name, at: execution.commit, of: execution.project) else {
            throw SlipwayError.notFound(
                "Commit \(execution.commit.prefix(12)) has no '\(name)'.", remedy: "Lock the packages and commit the file: uv pip compile requirements.in -o \(name)")
        }
        let lock = try LockedRequirements(checking: String(decoding: bytes, as: UTF8.self), name: name)
        let blobs = realm.blobs
        _ = try await offload { try blobs.put(Data(lock.text.utf8)) }
        return lock
    }

    /// Those of an evaluation are given; those of a retried execution stay; else the newest.
    private func snapshots(_ file: ProjectFile) async throws -> [String: DataSnapshot] {
        let datasets = Set(steps.flatMap(\.step.inputs))
        let given = execution.evaluation?.snapshots ?? execution.snapshots
        let now = driver.service.clock.now
        let environment = realm.environment
        return try await realm.database.read { [execution] tx in
            let store = SnapshotStore(tx: tx)
            var found: [String: DataSnapshot] = [:]
            for dataset in datasets {
                let snapshot = if let id = given[dataset] { try store.snapshot(id) } else { try store.newest(of: dataset, project: execution.project, at: now) }
                guard let snapshot else {
                    throw SlipwayError.notFound(
                        given[dataset].map { "The snapshot '\($0)' of dataset '\(dataset)' is gone from \(environment.rawValue)." }
                            ?? "Dataset '\(dataset)' has no usable snapshot in \(environment.rawValue).",
                        remedy: "See: slipway data list \(environment.rawValue)/\(dataset) --project \(execution.project)")
                }
                found[dataset] = snapshot
            }
            return found
        }
    }

    private func materialise(_ snapshots: [String: DataSnapshot]) async throws {
        for (dataset, snapshot) in snapshots.sorted(by: { $0.key < $1.key }) {
            log.write("Input \(dataset): snapshot \(snapshot.id), \(snapshot.fileCount) files, \(snapshot.sizeBytes) bytes.")
            try await driver.materialise(snapshot.manifestDigest, as: dataset, of: execution.id)
        }
    }
}

extension ExecutionDriver {
    func projectFile(of execution: Execution) async throws -> ProjectFile {
        let file = try await realm.database.read { tx in try ProjectFileStore(tx: tx).file(digest: execution.configDigest) }
        guard let file else { throw SlipwayError.fault("The project file \(execution.configDigest) of execution '\(execution.id)' is not stored.") }
        return file
    }

    func input(_ name: String, of execution: String) -> URL { service.folder(of: execution).appending(path: "inputs").appending(path: name) }

    /// Puts a tree read-only where steps find it, built aside, so that a folder that is there is whole.
    func materialise(_ manifest: ContentDigest, as name: String, of execution: String) async throws {
        let place = input(name, of: execution)
        let blobs = realm.blobs
        try await offload {
            if FileManager.default.fileExists(atPath: place.path) { return }
            let aside = place.deletingLastPathComponent().appending(path: ".\(name)-aside")
            try ReadOnlyTree.remove(aside)
            try blobs.materialise(try blobs.manifest(manifest), at: aside)
            guard rename(aside.path, place.path) == 0 else { throw StepFolder.failure("move", place) }
            try ReadOnlyTree.close(place)
        }
    }
}

/// The start of one attempt of one step. May be done twice; the second time finds what the first has made.
struct StepStart: Sendable {
    let driver: ExecutionDriver
    let machine: ExecutionMachine
    let step: StepExecution
    let folder: StepFolder

    private var execution: Execution { machine.execution }

    func run() async throws {
        let file = try await driver.projectFile(of: execution)
        try await checkOut()
        let produced = ancestors().flatMap { $0.outputs }
        for (name, digest) in produced { try await driver.materialise(digest, as: name, of: execution.id) }
        for part in ["tmp", "home"] + step.step.outputs.map({ "outputs/\($0)" }) {
            try FileManager.default.createDirectory(at: folder.root.appending(path: part), withIntermediateDirectories: true)
        }
        let timeout = try ExecutionDriver.timeout(of: step.step)
        var variables = try await places(file, inputs: step.step.inputs + produced.map(\.key))
        variables["MLFLOW_TRACKING_TOKEN"] = try await driver.tokens.executionToken(
            execution: execution.id, project: execution.project, environment: driver.realm.environment, lifetime: timeout + .seconds(600))
        variables.merge(try await models(file)) { $1 }
        let order = StepOrder(
            command: step.step.run, folder: source.path, variables: variables, timeout: timeout, memoryBytes: try step.step.resources.memory.map(ByteCount.parse))
        try await driver.launcher.start(order, in: folder)
    }

    private var source: URL { folder.root.appending(path: "source") }

    private func checkOut() async throws {
        if FileManager.default.fileExists(atPath: source.path) { return }
        let aside = folder.root.appending(path: ".source-aside")
        try ReadOnlyTree.remove(aside)
        try await driver.service.history.checkOut(execution.commit, of: execution.project, to: aside.path)
        guard rename(aside.path, source.path) == 0 else { throw StepFolder.failure("move", source) }
    }

    /// Steps that this one stands on, directly or not.
    private func ancestors() -> [StepExecution] {
        var wanted = Set(step.step.needs)
        for other in machine.steps.reversed() where wanted.contains(other.name) { wanted.formUnion(other.step.needs) }
        return machine.steps.filter { wanted.contains($0.name) }
    }

    private func places(_ file: ProjectFile, inputs: [String]) async throws -> [String: String] {
        guard let lock = execution.lockDigest else { throw SlipwayError.fault("Execution '\(execution.id)' runs without a lock.") }
        let python = driver.environments.folder(python: file.python.version, lock: lock)
        var variables = StepVariables.common(
            python: python, scratch: folder.root, environment: driver.realm.environment.rawValue, cores: step.step.resources.cpu)
        variables["MLFLOW_TRACKING_URI"] = driver.trackingURI
        variables["MLFLOW_RUN_ID"] = execution.run
        variables["MLFLOW_EXPERIMENT_NAME"] = execution.project.rawValue
        variables["SLIPWAY_EXECUTION"] = execution.id
        variables["SLIPWAY_COMMIT"] = execution.commit
        for name in inputs { variables[StepVariables.name("SLIPWAY_INPUT_", name)] = driver.input(name, of: execution.id).path }
        for name in step.step.outputs { variables[StepVariables.name("SLIPWAY_OUTPUT_", name)] = folder.root.appending(path: "outputs/\(name)").path }
        return variables
    }

    /// The candidate and what is live.
    private func models(_ file: ProjectFile) async throws -> [String: String] {
        var variables: [String: String] = [:]
        if let evaluation = execution.evaluation {
            variables["SLIPWAY_MODEL_URI"] = "models:/\(evaluation.modelName)/\(evaluation.candidateVersion)"
            variables["SLIPWAY_CHAMPION_URI"] = evaluation.championVersion.map { "models:/\(evaluation.modelName)/\($0)" }
            return variables
        }
        let run = execution.run
        let hasNeeds = !step.step.needs.isEmpty
        let (logged, champion) = try await driver.realm.database.read { tx -> (LoggedModel?, Release?) in
            let logged = hasNeeds ? try LoggedModelStore(tx: tx).newest(ofRun: run) : nil
            let current = try file.serving.flatMap { SlotName(rawValue: $0.endpoint) }.flatMap { try SlotStore(tx: tx).slot($0)?.current }
            return (logged, try current.flatMap { try ReleaseStore(tx: tx).release($0) })
        }
        if let logged { variables["SLIPWAY_MODEL_URI"] = "models:/\(logged.id)" }
        if let champion { variables["SLIPWAY_CHAMPION_URI"] = "models:/\(champion.content.modelName)/\(champion.modelVersion)" }
        return variables
    }
}

extension StepVariables {
    /// What every step gets, on the server and on a laptop.
    /// - Parameter cores: what the step asked for; numerical libraries otherwise take the whole machine, and spin against each other.
    static func common(python: URL, scratch: URL, environment: String, cores: Double) -> [String: String] {
        let threads = String(max(1, Int(cores.rounded(.up))))
        return [
            "PATH": "\(python.appending(path: "bin").path):/usr/local/bin:/usr/bin:/bin", "VIRTUAL_ENV": python.path, "HOME": scratch.appending(path: "home").path,
            "TMPDIR": scratch.appending(path: "tmp").path, "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1",
            // No telemetry, no questions, no progress bars in logs.
            "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false", "GIT_PYTHON_REFRESH": "quiet",
            "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "MKL_NUM_THREADS": threads,
            "SLIPWAY_ENVIRONMENT": environment,
        ]
    }
}
