import Foundation
import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import Synchronization

/// A stored file, ready to be sent.
package struct ArtifactFile: Sendable {
    package var file: URL
    package var name: String
    package var size: Int64
    package var digest: ContentDigest
}

extension TrackingService {
    /// Streams a body into the blobs, hashing on the way, then names it. Memory stays constant: pieces are written a megabyte at a time.
    /// - Parameter path: as the proxy gets it, decoded: `1/<run>/artifacts/model/MLmodel`.
    package func upload<Pieces: AsyncSequence & Sendable>(_ path: String, pieces: Pieces, by caller: Caller) async throws where Pieces.Element == [UInt8] {
        try caller.requireSomebody()
        let place = try await writablePlace(path, by: caller)
        guard let file = place.path else { throw SlipwayError.invalid("Invalid path '\(path.prefix(200))'.", remedy: "A file's name is missing.") }
        let blobs = realm.blobs
        let digest = try await receive(pieces)
        let size = try await offload { try blobs.size(of: digest) ?? 0 }
        var signature: JSONValue?
        if file == MLmodelFile.name, place.loggedModel != nil, size < 16 << 20 {
            signature = try await offload { MLmodelFile.signature(in: String(decoding: try blobs.read(digest), as: UTF8.self)) }
        }
        let now = clock.now
        let found = signature
        let environment = environment
        try await realm.database.write { tx in
            let store = ArtifactStore(tx: tx)
            // Asked again: it may have been registered while the bytes came.
            try Self.checkReplaceable(place, file: file, digest: digest, store: store, in: environment)
            try store.put(file, digest: digest, size: size, under: place.root, at: now)
            if file == MLmodelFile.name, let model = place.loggedModel { try LoggedModelStore(tx: tx).setSignature(found, of: model) }
        }
    }

    private func receive<Pieces: AsyncSequence & Sendable>(_ pieces: Pieces) async throws -> ContentDigest where Pieces.Element == [UInt8] {
        let blobs = realm.blobs
        let sink = try await offload { try UploadSink(blobs.makeWriter()) }
        do {
            var waiting: [UInt8] = []
            for try await piece in pieces {
                waiting += piece
                if waiting.count >= 1 << 20 {
                    let full = waiting
                    waiting.removeAll(keepingCapacity: true)
                    try await offload { try sink.write(full) }
                }
            }
            let rest = waiting
            return try await offload {
                if !rest.isEmpty { try sink.write(rest) }
                return try sink.finish(in: blobs)
            }
        } catch {
            sink.discard()
            throw error
        }
    }

    private func writablePlace(_ path: String, by caller: Caller) async throws -> StoredArtifactPlace {
        let environment = environment
        return try await realm.database.read { tx in
            guard let place = try ArtifactStore(tx: tx).place(of: path) else {
                throw SlipwayError.notFound("No experiment keeps its artifacts at '\(path.prefix(200))'.")
            }
            try caller.require(.runWork, project: place.project, environment: environment)
            guard case .stored(let stored) = place else {
                throw SlipwayError.invalid("'\(path.prefix(200))' belongs to a registered model version, which is immutable.", remedy: "Log a new model and register it.")
            }
            if let run = stored.run { _ = try RunStore(tx: tx).existing(run) }
            if let model = stored.loggedModel { _ = try LoggedModelStore(tx: tx).existing(model) }
            return stored
        }
    }

    /// In stage and prod what was registered keeps its bytes: nothing of the logged model changes, no file of the run is replaced.
    private static func checkReplaceable(_ place: StoredArtifactPlace, file: String, digest: ContentDigest, store: ArtifactStore, in environment: EnvironmentID) throws {
        guard environment != .dev else { return }
        if let model = place.loggedModel { try Immutability.checkDeletion(ofModel: model, registry: store.registry, in: environment) }
        if let run = place.run, let old = try store.artifact(file, under: place.root), old.digest != digest {
            try Immutability.checkDeletion(ofRun: run, registry: store.registry, in: environment)
        }
    }

    /// - Throws: `notFound` for nothing, `invalidArgument` for a folder.
    package func artifact(_ path: String, by caller: Caller) async throws -> ArtifactFile {
        try caller.requireSomebody()
        let environment = environment
        let place = try await realm.database.read { tx -> ArtifactPlace in
            guard let place = try ArtifactStore(tx: tx).place(of: path) else { throw SlipwayError.notFound("There is no artifact at '\(path.prefix(200))'.") }
            try caller.require(.readMetadata, project: place.project, environment: environment)
            return place
        }
        return try await file(at: place, named: path)
    }

    /// A file of a run by its path below the run's root.
    package func artifact(_ path: String, ofRun id: String, by caller: Caller) async throws -> ArtifactFile {
        let place = try await readRun(id, by: caller) { _, run in
            ArtifactPlace.stored(StoredArtifactPlace(root: run.artifactRoot, path: path, experiment: run.experiment, project: run.project))
        }
        return try await file(at: place, named: path)
    }

    package func artifact(_ path: String, ofLoggedModel id: String, by caller: Caller) async throws -> ArtifactFile {
        let model = try await loggedModel(id, by: caller).model
        return try await file(
            at: .stored(StoredArtifactPlace(root: model.artifactRoot, path: path, experiment: model.experiment, project: model.project)), named: path)
    }

    private func file(at place: ArtifactPlace, named path: String) async throws -> ArtifactFile {
        let blobs = realm.blobs
        let missing = SlipwayError.notFound("There is no artifact at '\(path.prefix(200))'.")
        guard let below = place.path else { throw SlipwayError.invalid("'\(path.prefix(200))' is a folder.") }
        try RelativePath.check(below)
        let entry: FileManifest.Entry
        switch place {
        case .stored(let stored):
            let found = try await realm.database.read { tx -> FileManifest.Entry? in
                let store = ArtifactStore(tx: tx)
                if let artifact = try store.artifact(below, under: stored.root) {
                    return FileManifest.Entry(path: artifact.path, digest: artifact.digest, size: artifact.size)
                }
                guard try store.list(below, under: stored.root).isEmpty else { throw SlipwayError.invalid("'\(path.prefix(200))' is a folder.") }
                return nil
            }
            guard let found else { throw missing }
            entry = found
        case .frozen(let version, _):
            let manifest = try await frozenFiles(of: version)
            guard let found = manifest.entry(below) else {
                if manifest.files.contains(where: { $0.path.hasPrefix(below + "/") }) { throw SlipwayError.invalid("'\(path.prefix(200))' is a folder.") }
                throw missing
            }
            entry = found
        }
        guard let file = try await offload({ blobs.file(of: entry.digest) }) else {
            throw SlipwayError.fault("The bytes of '\(path)' (\(entry.digest)) are missing.")
        }
        return ArtifactFile(file: file, name: below.split(separator: "/").last.map(String.init) ?? below, size: entry.size, digest: entry.digest)
    }

    private func frozenFiles(of version: ModelVersion) async throws -> FileManifest {
        guard let digest = version.manifestDigest else { throw SlipwayError.notFound("The files of \(version.name) \(version.version) lie outside Slipway.") }
        let blobs = realm.blobs
        return try await offload { try blobs.manifest(digest) }
    }

    /// One level of a folder; empty for a file and for nothing.
    package func listArtifacts(_ path: String?, by caller: Caller) async throws -> [ArtifactEntry] {
        try caller.requireSomebody()
        guard let path, !path.isEmpty else { return [] }
        let environment = environment
        let found = try await realm.database.read { tx -> (ArtifactPlace, [ArtifactEntry])? in
            let store = ArtifactStore(tx: tx)
            guard let place = try store.place(of: path) else { return nil }
            try caller.require(.readMetadata, project: place.project, environment: environment)
            guard case .stored(let stored) = place else { return (place, []) }
            return (place, try store.list(stored.path, under: stored.root))
        }
        guard case .frozen(let version, let below) = found?.0 else { return found?.1 ?? [] }
        return try await frozenFiles(of: version).level(below)
    }

    package func listArtifacts(ofRun id: String, path: String?, by caller: Caller) async throws -> (root: String, entries: [ArtifactEntry]) {
        if let path { try RelativePath.check(path) }
        return try await readRun(id, by: caller) { tx, run in
            (run.artifactRoot, try ArtifactStore(tx: tx).list(path, under: run.artifactRoot))
        }
    }

    package func listArtifacts(ofLoggedModel id: String, path: String?, by caller: Caller) async throws -> (root: String, entries: [ArtifactEntry]) {
        if let path { try RelativePath.check(path) }
        let model = try await loggedModel(id, by: caller).model
        return try await realm.database.read { tx in (model.artifactRoot, try ArtifactStore(tx: tx).list(path, under: model.artifactRoot)) }
    }

    /// Removes a file or a folder; nothing there is fine. The bytes stay until nothing names them.
    package func deleteArtifacts(_ path: String, by caller: Caller) async throws {
        try caller.requireSomebody()
        let place = try await writablePlace(path, by: caller)
        let environment = environment
        try await realm.database.write { tx in
            let store = ArtifactStore(tx: tx)
            if let model = place.loggedModel { try Immutability.checkDeletion(ofModel: model, registry: store.registry, in: environment) }
            if let run = place.run { try Immutability.checkDeletion(ofRun: run, registry: store.registry, in: environment) }
            _ = try store.remove(place.path, under: place.root)
        }
    }
}

extension FileManifest {
    /// One level of a folder, sorted by name; nil is the root.
    func level(_ folder: String?) -> [ArtifactEntry] {
        let prefix = folder.map { $0 + "/" } ?? ""
        var sizes: [String: Int64?] = [:]
        for file in files where file.path.hasPrefix(prefix) {
            let rest = file.path.dropFirst(prefix.count)
            if let slash = rest.firstIndex(of: "/") { sizes[String(rest[..<slash])] = .some(nil) } else { sizes[String(rest)] = file.size }
        }
        return sizes.map { ArtifactEntry(name: $0.key, size: $0.value) }.sorted { $0.name < $1.name }
    }
}

/// The writer of one upload, handed from piece to piece.
private final class UploadSink: Sendable {
    private let writer: Mutex<BlobWriter>

    init(_ writer: sending BlobWriter) { self.writer = Mutex(writer) }

    func write(_ bytes: [UInt8]) throws { try writer.withLock { try $0.write(bytes) } }
    func finish(in blobs: BlobFolder) throws -> ContentDigest { try writer.withLock { try blobs.finish($0) } }
    func discard() { writer.withLock { $0.discard() } }
}
