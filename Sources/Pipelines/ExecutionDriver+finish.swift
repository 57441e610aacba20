import Foundation
import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwayStore

extension ExecutionDriver {
    /// Every step succeeded: registers the model when the project file's condition holds and seals the release, in the transaction that
    /// ends the execution.
    func finish(_ machine: ExecutionMachine) async throws -> (ExecutionMachine, ExecutionEffect) {
        let execution = machine.execution
        do {
            let file = try await projectFile(of: execution)
            guard execution.trigger != .evaluation, let model = file.model, let text = model.register else {
                return try await service.transition(execution.id, .finished(release: nil, message: nil))
            }
            let metrics = try await realm.database.read { tx in try RunStore(tx: tx).latestMetrics(execution.run) }
            switch try Condition(parsing: text).verdict(metrics) {
            case .fails(let why):
                return try await service.transition(execution.id, .finished(release: nil, message: "No version was registered: \(why)"))
            case .unknown(let names):
                throw SlipwayError.notFound(
                    "No version was registered: 'model.register' is '\(text)', but the run has no metric \(names.map { "'\($0)'" }.joined(separator: ", ")).",
                    remedy: "Log it in a step: mlflow.log_metric(\"\(names.first ?? "auc")\", …)")
            case .holds:
                return try await seal(execution, file, model, metrics)
            }
        } catch let error as SlipwayError where [.invalidArgument, .notFound, .conflict].contains(error.code) {
            return try await service.transition(execution.id, .notFinished(.failed, message: error.description))
        }
    }

    private func seal(
        _ execution: Execution, _ file: ProjectFile, _ model: ProjectFile.Model, _ metrics: [String: Double]
    ) async throws -> (ExecutionMachine, ExecutionEffect) {
        let logged = try await realm.database.read { tx -> LoggedModel in
            guard let logged = try LoggedModelStore(tx: tx).newest(ofRun: execution.run) else {
                throw SlipwayError.notFound("No version was registered: the run has logged no model.", remedy: "Log it in a step: mlflow.sklearn.log_model(model, name=\"model\")")
            }
            return logged
        }
        try await realm.takeIn(logged.artifactRoot, at: service.clock.now)
        let manifest = try await realm.database.read { tx in try ArtifactStore(tx: tx).manifest(under: logged.artifactRoot) }
        let blobs = realm.blobs
        let modelDigest = try await offload { try blobs.put(manifest) }
        let content = try await content(execution, file, model, modelDigest)
        let now = service.clock.now
        let requestedBy = Principal(raw: execution.requestedBy)
        return try await service.transition(execution.id) { tx in
            let version = try RegistryStore(tx: tx).register(
                model: model.name, project: execution.project, source: .loggedModel(logged.id, run: execution.run),
                tags: ["slipway.execution": execution.id, "slipway.commit": execution.commit], at: now, by: requestedBy)
            let release = try Release(
                content: content, createdAt: now, createdBy: execution.requestedBy, modelVersion: version, execution: execution.id, metrics: metrics)
            try RegistryStore(tx: tx).setTag("slipway.release", release.id.rawValue, of: model.name, version: version)
            try AuditStore(tx: tx).append(
                "model.register", subject: "model:\(model.name)/\(version)", project: execution.project, by: requestedBy, at: now,
                details: ["execution": .string(execution.id), "manifest": .string(modelDigest.rawValue)])
            if try ReleaseStore(tx: tx).insert(release) {
                try AuditStore(tx: tx).append(
                    "release.seal", subject: "release:\(release.id)", project: execution.project, by: requestedBy, at: now,
                    details: ["execution": .string(execution.id), "commit": .string(execution.commit), "model": .string("\(model.name)/\(version)")])
            }
            return .finished(release: release.id, message: "Registered '\(model.name)' version \(version) and sealed release \(release.id.short).")
        }
    }

    private func content(
        _ execution: Execution, _ file: ProjectFile, _ model: ProjectFile.Model, _ modelDigest: ContentDigest
    ) async throws -> Release.Content {
        guard let lock = execution.lockDigest else { throw SlipwayError.fault("Execution '\(execution.id)' ends without a lock.") }
        var contracts: [String: ContentDigest] = [:]
        for dataset in execution.snapshots.keys {
            guard let path = file.data[dataset]?.checks else { continue }
            guard let bytes = try await service.history.file(path, at: execution.commit, of: execution.project) else {
                throw SlipwayError.notFound(
                    "The checks file '\(path)' of dataset '\(dataset)' is not in commit \(execution.commit.prefix(12)).", remedy: "Add it, or take 'checks' out of slipway.yaml.")
            }
            contracts[dataset] = ContentDigest(of: bytes)
        }
        let snapshots = try await realm.database.read { tx in
            try execution.snapshots.compactMapValues { try SnapshotStore(tx: tx).record(of: $0)?.manifestDigest }
        }
        return Release.Content(
            project: execution.project, kind: model.kind, commit: execution.commit,
            tree: try await service.history.tree(of: execution.commit, project: execution.project), lockDigest: lock, modelName: model.name,
            modelDigest: modelDigest, trainingRun: execution.run, trainingEnvironment: realm.environment, snapshots: snapshots, contracts: contracts,
            configDigests: Dictionary(uniqueKeysWithValues: EnvironmentID.allCases.map { ($0.rawValue, execution.configDigest) }))
    }
}
