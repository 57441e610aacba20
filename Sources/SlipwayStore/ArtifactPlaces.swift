import Foundation
import SlipwayBlobs
import SlipwayCore
import SlipwaySQL

/// Where a realm's artifacts are kept when not in its blobs: `serve --artifact-root` and `--artifacts-destination`.
package struct ArtifactPlaces: Sendable {
    /// A new experiment's artifacts lie at this address with its id; no `/` at the end.
    package let root: String
    /// The plain folder behind the artifact proxy.
    package let destination: PlainFolder?
    /// The folder of a local `root`, which clients on this machine write to themselves.
    package let local: PlainFolder?

    package static let standard = "mlflow-artifacts:/"

    /// - Parameters:
    ///   - root: an address, or a path on this machine.
    ///   - destination: a path on this machine, or a `file:` address of one.
    /// - Throws: `invalidArgument` for a destination elsewhere.
    package init(root: String? = nil, destination: String? = nil) throws {
        var root = root ?? Self.standard
        let folder = Self.localPath(of: root)
        if let folder, !root.hasPrefix("file:") { root = folder.standardizedFileURL.path }
        local = folder.map(PlainFolder.init)
        while root.hasSuffix("/") { root.removeLast() }
        self.root = root
        self.destination = try destination.map { text in
            guard let folder = Self.localPath(of: text) else {
                throw SlipwayError.invalid(
                    "--artifacts-destination '\(text)' is not a folder on this machine.", remedy: "Name a path, or leave it out: artifacts then lie in the data folder.")
            }
            return PlainFolder(root: folder)
        }
    }

    private init() {
        root = "mlflow-artifacts:"
        destination = nil
        local = nil
    }

    /// Everything in the realm's blobs.
    package static let blobs = ArtifactPlaces()

    /// Nil for an address of another kind.
    package static func localPath(of text: String) -> URL? {
        if text.hasPrefix("file:") {
            guard let url = URL(string: text), [nil, "", "localhost"].contains(url.host()), !url.path.isEmpty else { return nil }
            return URL(filePath: url.path)
        }
        if let colon = text.firstIndex(of: ":"), text[..<colon].allSatisfy({ $0.isLetter || $0.isNumber || "+-.".contains($0) }), text[..<colon].count > 1 { return nil }
        return text.isEmpty ? nil : URL(filePath: text)
    }

    /// The plain folder that holds what lies at an address of artifacts, and the path of the address in it (nil for all of it).
    package func plain(at address: String) -> (folder: PlainFolder, path: String?)? {
        if let path = ArtifactRoot.proxiedPath(of: address) {
            guard let destination, !ArtifactRoot.isFrozen(path) else { return nil }
            return (destination, path.isEmpty ? nil : path)
        }
        guard let local, let path = Self.localPath(of: address)?.standardizedFileURL.path else { return nil }
        let base = local.root.path
        if path == base { return (local, nil) }
        guard path.hasPrefix(base.hasSuffix("/") ? base : base + "/") else { return nil }
        return (local, String(path.dropFirst(base.hasSuffix("/") ? base.count : base.count + 1)))
    }

    /// Like `plain(at:)`, for a path below an artifact root.
    package func plain(at root: String, path: String?) -> (folder: PlainFolder, path: String?)? {
        guard let found = plain(at: root) else { return nil }
        let whole = [found.path, path].compactMap(\.self).joined(separator: "/")
        return (found.folder, whole.isEmpty ? nil : whole)
    }
}

extension Realm {
    /// Takes what lies in a plain folder below an artifact root into the blobs, as it is now, so that it can be frozen, measured or
    /// promoted like everything else. Nothing to do where artifacts lie in the blobs anyway.
    package func takeIn(_ root: String, path: String? = nil, at: Timestamp) async throws {
        guard let plain = places.plain(at: root, path: path) else { return }
        let blobs = blobs
        let files = try await offload { () -> [FileManifest.Entry] in
            if case .file(let file) = try plain.folder.entry(plain.path) {
                return [FileManifest.Entry(path: path ?? "", digest: try blobs.put(file: file.url), size: file.size)]
            }
            let prefix = path.map { $0 + "/" } ?? ""
            return try plain.folder.tree(plain.path).map { FileManifest.Entry(path: prefix + $0.path, digest: try blobs.put(file: $0.file.url), size: $0.file.size) }
        }
        try await database.write { tx in
            let store = ArtifactStore(tx: tx)
            _ = try store.remove(path, under: root)
            for file in files where !file.path.isEmpty { try store.put(file.path, digest: file.digest, size: file.size, under: root, at: at) }
        }
    }
}
