import Foundation
import Logging
import SlipwayBlobs
import SlipwayCore
import SlipwayRuntime
import SlipwaySQL
import SlipwayStore

/// Performs the effects of one execution's state machine until it is over. Nothing it knows is lost with it: a new driver asks the
/// database and the steps' folders, and continues.
package struct ExecutionDriver: Sendable {
    let service: ExecutionService
    let launcher: StepLauncher
    let environments: EnvironmentBuilder
    let tokens: any StepTokens
    /// Such as `http://127.0.0.1:5080/dev`.
    let trackingURI: String

    package init(service: ExecutionService, launcher: StepLauncher, environments: EnvironmentBuilder, tokens: any StepTokens, trackingURI: String) {
        self.service = service
        self.launcher = launcher
        self.environments = environments
        self.tokens = tokens
        self.trackingURI = trackingURI
    }

    var realm: Realm { service.realm }
    private static let poll = Duration.milliseconds(50)

    /// - Throws: `CancellationError` when the server stops; the execution goes on with the next one.
    package func drive(_ id: String) async throws {
        var (machine, effect) = try await service.transition(id, .resume)
        while true {
            switch effect {
            case .none: return
            case .close: return try await close(machine.execution)
            case .prepare: (machine, effect) = try await prepare(machine)
            case .attend(let names): (machine, effect) = try await attend(machine, names)
            case .stop(let names): (machine, effect) = try await stop(machine, names)
            case .finish: (machine, effect) = try await finish(machine)
            }
        }
    }

    func folder(_ step: StepExecution) -> StepFolder {
        StepFolder(root: service.folder(of: step.execution).appending(path: "steps").appending(path: step.name).appending(path: "\(step.attempt)"))
    }

    // MARK: Preparing

    private func prepare(_ machine: ExecutionMachine) async throws -> (ExecutionMachine, ExecutionEffect) {
        let id = machine.execution.id
        let log = try ExecutionLog(folder: service.folder(of: id))
        do {
            let prepared = try await untilEnding(id) { try await Preparation(driver: self, execution: machine.execution, steps: machine.steps, log: log).run() }
            guard let prepared else { return try await service.transition(id, .resume) }
            return try await service.transition(id, .prepared(snapshots: prepared.snapshots.mapValues(\.id), lockDigest: prepared.lock)) { tx in
                try Self.tag(machine.execution.run, with: prepared.snapshots, tx)
            }
        } catch let error as SlipwayError {
            log.write(error.description)
            let state: Execution.State = [.invalidArgument, .notFound, .conflict].contains(error.code) ? .failed : .errored
            return try await service.transition(id, .notPrepared(state, message: error.description))
        }
    }

    /// The run names its snapshots, as tags for people and as MLflow's dataset inputs.
    private static func tag(_ run: String, with snapshots: [String: DataSnapshot], _ tx: any Transaction) throws {
        let store = RunStore(tx: tx)
        guard let run = try store.run(run) else { return }
        for (dataset, snapshot) in snapshots {
            try store.setTag("slipway.snapshot.\(dataset)", snapshot.id, of: run)
            try store.logInput(
                DatasetInput(
                    name: dataset, digest: snapshot.id, sourceType: "slipway",
                    source: try CanonicalJSON.text(["snapshot": snapshot.id, "manifest": snapshot.manifestDigest.rawValue]),
                    tags: ["mlflow.data.context": "training"]), of: run)
        }
    }

    /// Runs `body` and gives up when a person ends the execution.
    /// - Returns: nil in that case.
    private func untilEnding<T: Sendable>(_ id: String, _ body: @escaping @Sendable () async throws -> T) async throws -> T? {
        try await withThrowingTaskGroup(of: T?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                while !service.isEnding(id) { try await Task.sleep(for: Self.poll) }
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }

    // MARK: Steps

    /// Starts what does not run yet and waits until one of the steps has ended.
    private func attend(_ machine: ExecutionMachine, _ names: [String]) async throws -> (ExecutionMachine, ExecutionEffect) {
        let id = machine.execution.id
        while !service.isEnding(id) {
            for step in machine.steps where names.contains(step.name) {
                guard let outcome = try await look(step, machine) else { continue }
                return try await service.transition(id, .ended(step: step.name, attempt: step.attempt, outcome))
            }
            try await Task.sleep(for: Self.poll)
        }
        return try await service.transition(id, .resume)
    }

    /// - Returns: nil while it runs.
    private func look(_ step: StepExecution, _ machine: ExecutionMachine) async throws -> StepOutcome? {
        let folder = folder(step)
        switch try folder.state() {
        case .running: return nil
        case .ended(let exit): return try await outcome(of: step, exit, folder)
        case .lost:
            return .errored(message: "The supervisor of step '\(step.name)' is gone without an exit status; the machine was restarted, or somebody killed it.")
        case .notStarted:
            do {
                try await StepStart(driver: self, machine: machine, step: step, folder: folder).run()
                return nil
            } catch let error as SlipwayError {
                return .errored(message: "Step '\(step.name)' could not be started: \(error.description)")
            }
        }
    }

    private func stop(_ machine: ExecutionMachine, _ names: [String]) async throws -> (ExecutionMachine, ExecutionEffect) {
        while true {
            for step in machine.steps where names.contains(step.name) {
                let folder = folder(step)
                let outcome: StepOutcome
                switch try folder.state() {
                case .running:
                    try folder.requestCancel()
                    continue
                case .ended(let exit): outcome = exit.reason == .exited ? try await self.outcome(of: step, exit, folder) : .canceled
                case .notStarted, .lost: outcome = .canceled
                }
                return try await service.transition(machine.execution.id, .ended(step: step.name, attempt: step.attempt, outcome))
            }
            try await Task.sleep(for: Self.poll)
        }
    }

    /// Says which command failed, and shows the end of its log.
    private func outcome(of step: StepExecution, _ exit: StepExit, _ folder: StepFolder) async throws -> StepOutcome {
        let what: String
        switch (exit.reason, exit.code ?? 0) {
        case (.exited, 0): return try await collect(step, folder)
        case (.canceled, _): return .canceled
        case (.interrupted, _): return .errored(message: "Step '\(step.name)' was interrupted: its supervisor was asked to end.")
        case (.notStarted, _): return .errored(message: "Step '\(step.name)' could not be started: \(exit.message ?? "")")
        case (.exited, let code): what = "exited with status \(code)"
        case (.signaled, let signal): what = "was ended by signal \(signal)\(signal == 9 ? " (perhaps for lack of memory)" : "")"
        case (.timedOut, _): what = "ran longer than \(try Self.timeout(of: step.step).spelled) and was ended"
        }
        let tail = try folder.tail()
        let lines = tail.isEmpty ? "It wrote nothing." : "Its last lines:\n" + tail.map { "  " + $0 }.joined(separator: "\n")
        return .failed(exitCode: exit.reason == .exited ? exit.code : nil, message: "Step '\(step.name)' failed: '\(step.step.run)' \(what). \(lines)")
    }

    /// Puts the step's outputs into the realm's bytes.
    private func collect(_ step: StepExecution, _ folder: StepFolder) async throws -> StepOutcome {
        do {
            let blobs = realm.blobs
            let names = step.step.outputs
            let outputs = try await offload {
                var outputs: [String: ContentDigest] = [:]
                for name in names {
                    let manifest = try blobs.put(folder: folder.root.appending(path: "outputs").appending(path: name))
                    guard !manifest.files.isEmpty else {
                        let variable = StepVariables.name("SLIPWAY_OUTPUT_", name)
                        throw SlipwayError.invalid("Step '\(step.name)' left its output '\(name)' empty.", remedy: "Write files into the folder that \(variable) names.")
                    }
                    outputs[name] = try manifest.digest()
                }
                return outputs
            }
            return .succeeded(outputs: outputs)
        } catch let error as SlipwayError where [.invalidArgument, .notFound].contains(error.code) {
            return .failed(exitCode: 0, message: error.description)
        }
    }

    static func timeout(of step: ProjectFile.Step) throws -> Duration { try step.timeout?.value ?? .seconds(24 * 3600) }

    // MARK: The end

    /// Keeps logs and exit statuses, removes what can be had again, ends the tokens. The folder `inputs` goes last: it says that this is still to do.
    func close(_ execution: Execution) async throws {
        try await tokens.revokeExecutionTokens(execution.id)
        let folder = service.folder(of: execution.id)
        try await offload {
            let steps = folder.appending(path: "steps")
            let names = FileManager.default.fileExists(atPath: steps.path) ? try FileManager.default.contentsOfDirectory(at: steps, includingPropertiesForKeys: nil) : []
            for step in names {
                for attempt in try FileManager.default.contentsOfDirectory(at: step, includingPropertiesForKeys: nil) {
                    for part in ["source", "outputs", "tmp", "home", "order.json"] { try ReadOnlyTree.remove(attempt.appending(path: part)) }
                }
            }
            try ReadOnlyTree.remove(folder.appending(path: "inputs"))
        }
    }
}

/// Folders whose files nobody may write, and their removal.
enum ReadOnlyTree {
    static func close(_ folder: URL) throws { try each(folder) { chmod($0, 0o555) } }

    static func remove(_ item: URL) throws {
        guard FileManager.default.fileExists(atPath: item.path) else { return }
        try each(item) { chmod($0, 0o755) }
        try FileManager.default.removeItem(at: item)
    }

    private static func each(_ root: URL, _ change: (String) -> Int32) throws {
        guard let walk = FileManager.default.enumerator(at: root, includingPropertiesForKeys: [.isDirectoryKey, .isSymbolicLinkKey]) else { return }
        _ = change(root.path)
        for case let item as URL in walk {
            let values = try item.resourceValues(forKeys: [.isDirectoryKey, .isSymbolicLinkKey])
            if values.isDirectory == true, values.isSymbolicLink != true { _ = change(item.path) }
        }
    }
}
