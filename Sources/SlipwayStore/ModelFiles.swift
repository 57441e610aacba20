import SlipwayBlobs
import SlipwayCore

extension BlobReader {
    /// The signature in the tree's `MLmodel` file, nil when there is none.
    /// - Throws: when the file is named but its bytes are missing.
    package func signature(in manifest: FileManifest) throws -> JSONValue? {
        guard let entry = manifest.entry(MLmodelFile.name), entry.size < 16 << 20 else { return nil }
        return MLmodelFile.signature(in: String(decoding: try read(entry.digest), as: UTF8.self))
    }
}
