import Foundation
import SlipwayCore

extension BlobFolder {
    /// Stores every regular file below `folder` and the manifest itself.
    /// - Parameter progress: called with the bytes stored so far.
    /// - Throws: `invalidArgument` for a link, a device or a name that is no text.
    package func put(folder: URL, progress: (Int64) -> Void = { _ in }) throws -> FileManifest {
        var entries: [FileManifest.Entry] = []
        var stored: Int64 = 0
        let base = folder.resolvingSymlinksInPath().path
        let keys: Set<URLResourceKey> = [.isRegularFileKey, .isDirectoryKey, .isSymbolicLinkKey]
        guard let walk = FileManager.default.enumerator(at: URL(filePath: base), includingPropertiesForKeys: Array(keys)) else {
            throw SlipwayError.notFound("There is no folder '\(folder.path)'.")
        }
        for case let file as URL in walk {
            let values = try file.resourceValues(forKeys: keys)
            if values.isDirectory == true, values.isSymbolicLink != true { continue }
            let path = String(file.path.dropFirst(base.count + 1))
            guard values.isRegularFile == true, values.isSymbolicLink != true else {
                throw SlipwayError.invalid("'\(path)' is not a regular file.", remedy: "Copy what it points to into the folder.")
            }
            let digest = try put(file: file)
            let size = try size(of: digest) ?? 0
            entries.append(.init(path: path, digest: digest, size: size))
            stored += size
            progress(stored)
        }
        let manifest = try FileManifest(files: entries)
        try put(manifest)
        return manifest
    }

    /// Stores the manifest as a blob; its digest names the tree.
    @discardableResult
    package func put(_ manifest: FileManifest) throws -> ContentDigest { try put(try manifest.bytes()) }

    /// Builds the manifest's tree at `folder`, which must not exist: files are read-only hard links where the disk can, copies elsewhere.
    package func materialise(_ manifest: FileManifest, at folder: URL) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for entry in manifest.files { try materialise(entry.digest, at: folder.appending(path: entry.path)) }
    }

    /// Brings a whole tree from another realm; what is here already is not copied again.
    package func copy(_ manifest: FileManifest, from other: any BlobReader) throws {
        for entry in manifest.files { try copy(entry.digest, from: other) }
        try put(manifest)
    }
}

extension BlobReader {
    /// - Throws: `notFound` when the manifest is not stored, `internalFault` when it is damaged.
    package func manifest(_ digest: ContentDigest) throws -> FileManifest {
        let bytes = try read(digest)
        guard ContentDigest(of: bytes) == digest else { throw SlipwayError.fault("The manifest \(digest) does not match its name.") }
        return try JSONDecoder().decode(FileManifest.self, from: bytes)
    }

    /// Hashes every file of the tree again; the first path that does not match, or nil.
    package func firstDamage(in manifest: FileManifest) throws -> String? {
        for entry in manifest.files where try !verify(entry.digest) { return entry.path }
        return nil
    }
}
