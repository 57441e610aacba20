import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// What the pages ask besides MLflow's own questions.
extension RegistryService {
    /// The frozen files of a version; nil when they lie outside Slipway.
    package func files(of number: Int, model name: String, by caller: Caller) async throws -> FileManifest? {
        let version = try await version(number, of: name, by: caller)
        guard let digest = version.manifestDigest else { return nil }
        let blobs = realm.blobs
        return try await offload { try blobs.manifest(digest) }
    }
}
