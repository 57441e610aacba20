import Foundation
import Logging
import SlipwayBlobs
import SlipwayCore
import SlipwayStore
import Synchronization

/// Makes ready what a worker needs: the model's files in a read-only folder and an interpreter with the locked packages.
final class ModelPreparation: Sendable {
    /// The interpreter of an environment made from a lock's text. Implemented by the runtime's environment builder.
    package typealias Python = @Sendable (_ lock: ContentDigest, _ text: String, _ version: String) async throws -> URL

    enum Outcome: Sendable, Hashable {
        case preparing
        case ready(RoutedDeployment.Place)
        case failed(String)
    }

    private struct Key: Hashable {
        var model: ContentDigest
        var lock: ContentDigest
        var python: String
    }

    private struct Entry {
        var outcome: Outcome
        var task: Task<Void, Never>?
        var retryAt: ContinuousClock.Instant?
        var failures = 0
    }

    private let realm: Realm
    private let folder: ServingFolder
    private let python: Python
    private let logger: Logger
    private let entries = Mutex<[Key: Entry]>([:])

    init(realm: Realm, folder: ServingFolder, python: @escaping Python, logger: Logger) {
        self.realm = realm
        self.folder = folder
        self.python = python
        self.logger = logger
    }

    /// How far the deployment is; starts the work when nobody has, and again some time after it failed.
    func outcome(of deployment: EndpointDeployment, onChange: @escaping @Sendable () -> Void) -> Outcome {
        let key = Key(model: deployment.modelDigest, lock: deployment.lockDigest, python: deployment.pythonVersion)
        return entries.withLock { entries in
            var entry = entries[key] ?? Entry(outcome: .preparing)
            if entry.task != nil { return entry.outcome }
            if case .ready = entry.outcome { return entry.outcome }
            if let retryAt = entry.retryAt, .now < retryAt { return entry.outcome }
            entry.task = Task { await self.prepare(deployment, key, onChange) }
            entries[key] = entry
            return entry.outcome
        }
    }

    private func prepare(_ deployment: EndpointDeployment, _ key: Key, _ onChange: @Sendable () -> Void) async {
        let outcome: Outcome
        do {
            let (model, text) = try await offload { [realm] in
                (try self.materialise(deployment.modelDigest), String(decoding: try realm.blobs.read(deployment.lockDigest), as: UTF8.self))
            }
            let interpreter = try await python(deployment.lockDigest, text, deployment.pythonVersion)
            outcome = .ready(RoutedDeployment.Place(model: model.path, python: interpreter.path))
        } catch {
            logger.warning("model not prepared", metadata: ["model": "\(deployment.modelName)", "error": "\(error)"])
            outcome = .failed((error as? SlipwayError)?.description ?? "\(error)")
        }
        entries.withLock { entries in
            let failures = (entries[key]?.failures ?? 0) + 1
            switch outcome {
            case .failed:
                entries[key] = Entry(outcome: outcome, task: nil, retryAt: .now + min(.seconds(60), .seconds(1) * (1 << min(failures, 6))), failures: failures)
            default: entries[key] = Entry(outcome: outcome)
            }
        }
        onChange()
    }

    /// The model's files at `serving/models/<digest12>`, built aside and renamed, so that a half-made folder is never used.
    private func materialise(_ digest: ContentDigest) throws -> URL {
        let place = folder.models.appending(path: digest.short)
        if FileManager.default.fileExists(atPath: place.path) { return place }
        let manifest = try realm.blobs.manifest(digest)
        guard manifest.entry("MLmodel") != nil else {
            throw SlipwayError.invalid("The model \(digest.short) has no MLmodel file.", remedy: "Log it with an MLflow flavour, such as mlflow.sklearn.log_model.")
        }
        let aside = folder.models.appending(path: ".\(digest.short)-\(RandomIDs().hex32().prefix(8))")
        try realm.blobs.materialise(manifest, at: aside)
        guard rename(aside.path, place.path) == 0 else {
            let wasFirst = FileManager.default.fileExists(atPath: place.path)
            try FileManager.default.removeItem(at: aside)
            if wasFirst { return place }
            throw fileError("move", place)
        }
        return place
    }

    /// Removes folders of models that no endpoint wants, and half-made ones. Called at the start, when nothing is being made.
    func sweep(keeping wanted: [WantedEndpoint]) throws {
        let needed = Set(wanted.flatMap { $0.deployments.map(\.modelDigest.short) })
        for folder in try FileManager.default.contentsOfDirectory(at: folder.models, includingPropertiesForKeys: nil)
        where !needed.contains(folder.lastPathComponent) {
            try FileManager.default.removeItem(at: folder)
        }
    }
}
