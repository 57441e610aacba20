import Foundation
import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// What a release saw in training: counted once, where the training data lies, and read from above as counts only.
extension MonitoringService {
    /// The release's baseline, made or fetched when it is not here yet.
    /// - Throws: `notFound` when there is nothing to count, `unavailable` when the realm below has not counted it yet.
    func baseline(of release: Release) async throws -> BaselineProfile {
        if let known = try await realm.database.read({ tx in try DriftStore(tx: tx).baseline(of: release.id) }) { return known }
        let origin = release.content.trainingEnvironment
        let profile = origin == environment ? try await count(release) : try await fetch(release)
        let now = clock.now
        try await realm.database.write { tx in
            _ = try DriftStore(tx: tx).insert(profile, of: release.id, project: release.content.project, origin: origin, at: now)
        }
        return profile
    }

    /// Only the realm below is asked, and only for its row of counts: no data row moves upward, and prod reads nothing of dev.
    private func fetch(_ release: Release) async throws -> BaselineProfile {
        let origin = release.content.trainingEnvironment.rawValue
        guard let below = environment.below, let reader = readers[below] else {
            throw SlipwayError(
                .unavailable, "Release \(release.id.short) was trained in \(origin), which \(environment.rawValue) cannot ask for its baseline.",
                remedy: "Run both environments in one server: slipway serve")
        }
        guard let profile = try await reader.database.read({ tx in try DriftStore(tx: tx).baseline(of: release.id) }) else {
            throw SlipwayError(
                .unavailable, "\(below.rawValue) has no baseline of release \(release.id.short) yet.",
                remedy: "It is counted within seconds after the release arrives there; \(below.rawValue)'s log says why it is not.")
        }
        return profile
    }

    /// Counts the table that the pipeline logged, else the training snapshot's columns of the same names.
    private func count(_ release: Release) async throws -> BaselineProfile {
        let content = release.content
        let blobFolder = realm.blobs
        let source = try await realm.database.read { tx -> (inputs: [String]?, artifact: ContentDigest?) in
            let signature = try RegistryStore(tx: tx).version(release.modelVersion, of: content.modelName)?.signature
            let run = try RunStore(tx: tx).run(content.trainingRun)
            let artifact = try run.flatMap { try ArtifactStore(tx: tx).artifact(BaselineProfile.artifactPath, under: $0.artifactRoot) }
            return (ModelInputs.names(in: signature), artifact?.digest)
        }
        let duckdb = try findDuckDB()
        if let digest = source.artifact, let file = blobFolder.file(of: digest) {
            let query = BaselineQuery(files: [file.standardizedFileURL], format: .parquet, folders: [blobs], duckdb: duckdb)
            var profile = try await query.profile(source: .artifact, digest: digest, wanted: source.inputs)
            profile.quality.merge(release.metrics.filter { ["auc", "log_loss"].contains($0.key) }) { measured, _ in measured }
            return profile
        }
        guard let inputs = source.inputs, !inputs.isEmpty else { throw Self.noBaseline(release, "its model has no signature that names its input columns") }
        for (_, manifest) in content.snapshots.sorted(by: { $0.key < $1.key }) {
            guard let (files, format) = try await offload({ try Self.tables(manifest, in: blobFolder) }) else { continue }
            let query = BaselineQuery(files: files, format: format, folders: [blobs], duckdb: duckdb)
            var profile: BaselineProfile
            do {
                profile = try await query.profile(source: .snapshot, digest: manifest, wanted: inputs)
            } catch let error as SlipwayError where error.code == .invalidArgument && content.snapshots.count > 1 {
                continue  // another dataset of the release may hold the columns
            }
            profile.quality = release.metrics.filter { ["auc", "log_loss"].contains($0.key) }
            return profile
        }
        throw Self.noBaseline(release, "no training snapshot of it holds a readable table")
    }

    private static func noBaseline(_ release: Release, _ reason: String) -> SlipwayError {
        .notFound(
            "Release \(release.id.short) has no baseline: the training run logged no '\(BaselineProfile.artifactPath)', and \(reason).",
            remedy: "Let the training step log '\(BaselineProfile.artifactPath)' with the model's input columns (docs/monitoring.md).")
    }

    /// The snapshot's Parquet files, else its CSV files. Nil when it is gone or holds neither.
    private static func tables(_ manifest: ContentDigest, in blobs: BlobFolder) throws -> (files: [URL], format: BaselineQuery.Format)? {
        guard blobs.file(of: manifest) != nil else { return nil }
        let entries = try blobs.manifest(manifest).files
        for (suffix, format): (String, BaselineQuery.Format) in [(".parquet", .parquet), (".csv", .csv)] {
            let files = entries.filter { $0.path.lowercased().hasSuffix(suffix) }.compactMap { blobs.file(of: $0.digest)?.standardizedFileURL }
            if !files.isEmpty { return (files, format) }
        }
        return nil
    }

    /// Counts what is not counted yet, newest first.
    /// - Parameter skipping: releases that failed a moment ago.
    /// - Returns: the releases that could not be counted, with why.
    package func keepBaselines(skipping: Set<ContentDigest> = []) async throws -> [ContentDigest: any Error] {
        let open = try await realm.database.read { tx in
            try DriftStore(tx: tx).releasesWithoutBaseline().filter { !skipping.contains($0) }.compactMap { try ReleaseStore(tx: tx).release($0) }
        }
        var failures: [ContentDigest: any Error] = [:]
        for release in open {
            do { _ = try await baseline(of: release) } catch is CancellationError { throw CancellationError() } catch { failures[release.id] = error }
        }
        return failures
    }
}

/// The input columns in an MLflow model signature.
enum ModelInputs {
    /// - Parameter signature: `{"inputs": […], …}`, where MLflow spells the list as an array or as a text that holds one.
    /// - Returns: nil when the signature names no columns (a tensor, or none at all).
    static func names(in signature: JSONValue?) -> [String]? {
        guard let inputs = signature?["inputs"] else { return nil }
        let list: [JSONValue]? =
            switch inputs {
            case .array(let list): list
            case .string(let text): (try? CanonicalJSON.decode(JSONValue.self, from: text))?.array  // a text that is no JSON names no columns
            default: nil
            }
        let names = (list ?? []).compactMap { $0["name"]?.string }
        return names.isEmpty ? nil : names
    }
}
