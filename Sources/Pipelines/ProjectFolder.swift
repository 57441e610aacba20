import Foundation
import SlipwayCore
import SlipwayRuntime

/// A project as it lies in somebody's working folder.
package struct ProjectFolder: Sendable {
    package let root: URL
    package let file: ProjectFile
    package let lock: LockedRequirements

    /// Reads and checks everything that a push would be judged by.
    /// - Throws: `notFound` or `invalidArgument`, with every problem that can be seen at once.
    package init(_ root: URL) throws {
        self.root = root
        let path = root.appending(path: ProjectFileReader.name)
        guard FileManager.default.fileExists(atPath: path.path) else {
            throw SlipwayError.notFound("There is no \(ProjectFileReader.name) in '\(root.path)'.", remedy: "Make a project from the template: slipway init")
        }
        file = try ProjectFileReader.read(String(decoding: Data(contentsOf: path), as: UTF8.self))
        var missing: [SlipwayError.Reason] = []
        var named = file.data.values.compactMap(\.checks)
        if let card = file.model?.card { named.append(card) }
        for name in named.sorted() where !FileManager.default.fileExists(atPath: root.appending(path: name).path) {
            missing.append(.init("\(ProjectFileReader.name) names the file '\(name)', which is not there.", remedy: "Add it, or take it out."))
        }
        let requirements = root.appending(path: file.python.requirements)
        if !FileManager.default.fileExists(atPath: requirements.path) {
            missing.append(
                .init("The locked requirements '\(file.python.requirements)' are not there.", remedy: "Make them: uv pip compile requirements.in -o \(file.python.requirements)"))
        }
        guard missing.isEmpty else {
            if missing.count == 1 { throw SlipwayError.invalid(missing[0].message, remedy: missing[0].remedy) }
            throw SlipwayError(.invalidArgument, "\(missing.count) files are missing.", reasons: missing)
        }
        lock = try LockedRequirements(checking: String(decoding: Data(contentsOf: requirements), as: UTF8.self), name: file.python.requirements)
    }
}

/// Runs a project's steps in order in the working folder, with the variables a server would set and without one.
package struct LocalRun: Sendable {
    let project: ProjectFolder
    /// dataset → folder
    let inputs: [String: URL]
    /// What people are told.
    let say: @Sendable (String) -> Void

    package init(project: ProjectFolder, inputs: [String: URL], say: @escaping @Sendable (String) -> Void) {
        self.project = project
        self.inputs = inputs
        self.say = say
    }

    /// Steps leave their outputs, runs and temporary files below `.slipway/local`.
    private var scratch: URL { project.root.appending(path: ".slipway/local") }

    /// - Parameter line: each line that a step writes.
    /// - Throws: `conflict` naming the command that failed.
    package func run(line: @escaping @Sendable (String) -> Void) async throws {
        for step in project.file.pipeline {
            for input in step.inputs where inputs[input] == nil {
                throw SlipwayError.invalid("Step '\(step.name)' reads the dataset '\(input)'.", remedy: "Say where it is: slipway run --local --input \(input)=FOLDER")
            }
        }
        for folder in inputs.values where !FileManager.default.fileExists(atPath: folder.path) {
            throw SlipwayError.notFound("There is no folder '\(folder.path)'.")
        }
        for part in ["tmp", "home", "outputs", "mlruns"] {
            try FileManager.default.createDirectory(at: scratch.appending(path: part), withIntermediateDirectories: true)
        }
        let python = try await EnvironmentBuilder(root: Self.environments).environment(python: project.file.python.version, lock: project.lock, progress: say)
        let run = try await startRun(python)
        for step in project.file.pipeline { try await self.run(step, python, run, line) }
        say("All \(project.file.pipeline.count) steps succeeded. Outputs and runs lie in \(scratch.path).")
    }

    /// Shared by all projects of a person.
    private static var environments: URL {
        let environment = ProcessInfo.processInfo.environment
        let cache = environment["XDG_CACHE_HOME"].map { URL(filePath: $0) } ?? FileManager.default.homeDirectoryForCurrentUser.appending(path: ".cache")
        return cache.appending(path: "slipway/environments")
    }

    private var trackingURI: String { "file://\(scratch.appending(path: "mlruns").path)" }

    private func variables(_ python: URL) -> [String: String] {
        var variables = StepVariables.common(python: python, scratch: scratch, environment: "local", cores: project.file.pipeline.map(\.resources.cpu).max() ?? 1)
        variables["HOME"] = ProcessInfo.processInfo.environment["HOME"]
        variables["MLFLOW_TRACKING_URI"] = trackingURI
        variables["MLFLOW_ALLOW_FILE_STORE"] = "true"
        variables["MLFLOW_EXPERIMENT_NAME"] = project.file.project.rawValue
        return variables
    }

    /// One run for all steps, in a folder of this machine; nil when the project does not use MLflow.
    private func startRun(_ python: URL) async throws -> String? {
        let script = """
            import mlflow, sys
            client = mlflow.MlflowClient()
            experiment = client.get_experiment_by_name(sys.argv[1])
            identifier = experiment.experiment_id if experiment else client.create_experiment(sys.argv[1])
            sys.stdout.write(client.create_run(identifier).info.run_id)
            """
        var command = CommandRun(python.appending(path: "bin/python"), ["-c", script, project.file.project.rawValue], variables: variables(python))
        command.inherits = false
        let ending = try await command.run()
        if ending.status == 0 { return ending.text.trimmingCharacters(in: .whitespacesAndNewlines) }
        say("Without tracking: \(ending.error.split(separator: "\n").last ?? "MLflow did not start a run").")
        return nil
    }

    private func run(_ step: ProjectFile.Step, _ python: URL, _ run: String?, _ line: @escaping @Sendable (String) -> Void) async throws {
        say("── \(step.name): \(step.run)")
        var variables = variables(python)
        variables["MLFLOW_RUN_ID"] = run
        for (name, folder) in inputs { variables[StepVariables.name("SLIPWAY_INPUT_", name)] = folder.path }
        for other in project.file.pipeline.prefix(while: { $0.name != step.name }) {
            for name in other.outputs { variables[StepVariables.name("SLIPWAY_INPUT_", name)] = output(name).path }
        }
        for name in step.outputs {
            try? FileManager.default.removeItem(at: output(name))  // of an earlier run; there may be none
            try FileManager.default.createDirectory(at: output(name), withIntermediateDirectories: true)
            variables[StepVariables.name("SLIPWAY_OUTPUT_", name)] = output(name).path
        }
        if !step.needs.isEmpty, let model = try newestModel() { variables["SLIPWAY_MODEL_URI"] = "models:/\(model)" }
        var command = CommandRun(URL(filePath: "/bin/sh"), ["-e", "-c", step.run], variables: variables, folder: project.root)
        command.inherits = false
        let ending = try await command.run(line: line)
        guard ending.status == 0 else {
            throw SlipwayError(.conflict, "Step '\(step.name)' failed: '\(step.run)' exited with status \(ending.status).", remedy: "Its output stands above.")
        }
    }

    private func output(_ name: String) -> URL { scratch.appending(path: "outputs").appending(path: name) }

    /// The logged model that MLflow's folder store wrote last: `mlruns/<experiment>/models/m-…`.
    private func newestModel() throws -> String? {
        let store = scratch.appending(path: "mlruns")
        var newest: (name: String, at: Date)?
        for experiment in try FileManager.default.contentsOfDirectory(at: store, includingPropertiesForKeys: nil) {
            let models = experiment.appending(path: "models")
            guard FileManager.default.fileExists(atPath: models.path) else { continue }
            for model in try FileManager.default.contentsOfDirectory(at: models, includingPropertiesForKeys: [.contentModificationDateKey]) {
                let at = try model.resourceValues(forKeys: [.contentModificationDateKey]).contentModificationDate ?? .distantPast
                if model.lastPathComponent.hasPrefix("m-"), at > newest?.at ?? .distantPast { newest = (model.lastPathComponent, at) }
            }
        }
        return newest?.name
    }
}
