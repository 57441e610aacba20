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
    /// Changes when the bytes change: their digest, or size and time where they lie in a plain folder.
    package var tag: String
}

extension TrackingService {
    /// Streams a body into the blobs, hashing on the way, then names it. Memory stays constant: pieces are written a megabyte at a time.
    /// - Parameter path: as the proxy gets it, decoded: `1/<run>/artifacts/model/MLmodel`.
    package func upload<Pieces: AsyncSequence & Sendable>(_ path: String, pieces: Pieces, by caller: Caller) async throws where Pieces.Element == [UInt8] {
        try caller.requireSomebody()
        let place = try await writablePlace(path, by: caller)
        try await upload(to: place, named: path, pieces: pieces)
    }

    /// A file of a run by its path below the run's root.
    package func upload<Pieces: AsyncSequence & Sendable>(
        _ path: String, ofRun id: String, pieces: Pieces, by caller: Caller
    ) async throws where Pieces.Element == [UInt8] {
        let run = try await changeRun(id, by: caller) { _, run in run }
        guard ArtifactRoot.proxiedPath(of: run.artifactRoot) != nil || realm.places.plain(at: run.artifactRoot) != nil else {
            throw SlipwayError.invalid("The run keeps its artifacts outside Slipway.")
        }
        let place = StoredArtifactPlace(root: run.artifactRoot, path: path, experiment: run.experiment, project: run.project, run: run.id)
        try await upload(to: place, named: path, pieces: pieces)
    }

    private func upload<Pieces: AsyncSequence & Sendable>(
        to place: StoredArtifactPlace, named path: String, pieces: Pieces
    ) async throws where Pieces.Element == [UInt8] {
        guard let file = place.path else { throw SlipwayError.invalid("Invalid path '\(path.prefix(200))'.", remedy: "A file's name is missing.") }
        if let plain = realm.places.plain(at: place.root, path: file), let below = plain.path {
            return try await uploadPlainly(to: plain.folder, below, place: place, pieces: pieces)
        }
        let blobs = realm.blobs
        let digest = try await receive(pieces, into: { try blobs.makeWriter() }, finish: { try blobs.finish($0) })
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

    private func uploadPlainly<Pieces: AsyncSequence & Sendable>(
        to folder: PlainFolder, _ path: String, place: StoredArtifactPlace, pieces: Pieces
    ) async throws where Pieces.Element == [UInt8] {
        try await receive(pieces, into: { try folder.makeWriter() }, finish: { try folder.finish($0, at: path) })
        guard place.path == MLmodelFile.name, let model = place.loggedModel else { return }
        let signature = try await offload { () -> JSONValue? in
            guard case .file(let file) = try folder.entry(path), file.size < 16 << 20 else { return nil }
            return MLmodelFile.signature(in: String(decoding: try Data(contentsOf: file.url), as: UTF8.self))
        }
        try await realm.database.write { tx in try LoggedModelStore(tx: tx).setSignature(signature, of: model) }
    }

    private func receive<Pieces: AsyncSequence & Sendable, Result: Sendable>(
        _ pieces: Pieces, into makeWriter: @escaping @Sendable () throws -> sending BlobWriter, finish: @escaping @Sendable (BlobWriter) throws -> Result
    ) async throws -> Result where Pieces.Element == [UInt8] {
        let sink = try await offload { try UploadSink(makeWriter()) }
        // One megabyte is written (and hashed) while the next one comes in.
        var writing: Task<Void, any Error>?
        do {
            var waiting: [UInt8] = []
            for try await piece in pieces {
                waiting += piece
                if waiting.count >= Self.writeBytes {
                    try await writing?.value
                    let full = waiting
                    writing = Task { try await offload { try sink.write(full) } }
                    waiting = []
                    waiting.reserveCapacity(Self.writeBytes + Self.writeBytes / 8)
                }
            }
            try await writing?.value
            let rest = waiting
            return try await offload {
                if !rest.isEmpty { try sink.write(rest) }
                return try sink.finish(finish)
            }
        } catch {
            _ = await writing?.result
            sink.discard()
            throw error
        }
    }

    private static let writeBytes = 1 << 20

    private func writablePlace(_ path: String, by caller: Caller) async throws -> StoredArtifactPlace {
        let environment = environment
        let takesAnywhere = takesAnywhere
        return try await realm.database.read { tx in
            guard let place = try ArtifactStore(tx: tx).place(of: path) ?? (takesAnywhere ? Self.anywhere(path) : nil) else {
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

    /// MLflow's proxy takes any path; so do dev's, and a plain folder.
    private var takesAnywhere: Bool { environment == .dev || realm.places.destination != nil }

    /// A place that belongs to no experiment; it is everybody's in the implicit project.
    private static func anywhere(_ path: String?) -> ArtifactPlace? {
        if let path, ArtifactRoot.isFrozen(path) { return nil }
        return .stored(StoredArtifactPlace(root: ArtifactPlaces.standard, path: path, experiment: "", project: .implicit))
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
        let takesAnywhere = takesAnywhere
        let place = try await realm.database.read { tx -> ArtifactPlace in
            guard let place = try ArtifactStore(tx: tx).place(of: path) ?? (takesAnywhere ? Self.anywhere(path) : nil) else {
                throw SlipwayError.notFound("There is no artifact at '\(path.prefix(200))'.")
            }
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
            if let plain = realm.places.plain(at: stored.root, path: below), let entry = try await offload({ try plain.folder.entry(plain.path) }) {
                guard case .file(let file) = entry else { throw SlipwayError.invalid("'\(path.prefix(200))' is a folder.") }
                return ArtifactFile(file: file.url, name: Self.name(of: below), size: file.size, tag: "\(file.size)-\(file.modifiedAt.milliseconds)")
            }
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
        return ArtifactFile(file: file, name: Self.name(of: below), size: entry.size, tag: entry.digest.rawValue)
    }

    private static func name(of path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

    private func frozenFiles(of version: ModelVersion) async throws -> FileManifest {
        guard let digest = version.manifestDigest else { throw SlipwayError.notFound("The files of \(version.name) \(version.version) lie outside Slipway.") }
        let blobs = realm.blobs
        return try await offload { try blobs.manifest(digest) }
    }

    /// One level of a folder; empty for a file and for nothing.
    /// - Parameter path: nil for the proxy's root, which has something to list only where a plain folder lies behind it.
    package func listArtifacts(_ path: String?, by caller: Caller) async throws -> [ArtifactEntry] {
        try caller.requireSomebody()
        let path = path.flatMap { $0.isEmpty ? nil : $0 }
        let environment = environment
        let isPlain = realm.places.destination != nil
        let found = try await realm.database.read { tx -> ArtifactPlace? in
            guard let place = try path.flatMap({ try ArtifactStore(tx: tx).place(of: $0) }) ?? (isPlain ? Self.anywhere(path) : nil) else { return nil }
            try caller.require(.readMetadata, project: place.project, environment: environment)
            return place
        }
        switch found {
        case .frozen(let version, let below): return try await frozenFiles(of: version).level(below)
        case .stored(let place): return try await level(place.path, under: place.root)
        case nil: return []
        }
    }

    /// What lies in the plain folder, and what was stored before there was one.
    private func level(_ path: String?, under root: String) async throws -> [ArtifactEntry] {
        let stored = try await realm.database.read { tx in try ArtifactStore(tx: tx).list(path, under: root) }
        guard let plain = realm.places.plain(at: root, path: path) else { return stored }
        let listed = try await offload { try plain.folder.list(plain.path) }
        let names = Set(listed.map(\.name))
        return (listed + stored.filter { !names.contains($0.name) }).sorted { $0.name < $1.name }
    }

    package func listArtifacts(ofRun id: String, path: String?, by caller: Caller) async throws -> (root: String, entries: [ArtifactEntry]) {
        if let path { try RelativePath.check(path) }
        let root = try await readRun(id, by: caller) { _, run in run.artifactRoot }
        return (root, try await level(path, under: root))
    }

    package func listArtifacts(ofLoggedModel id: String, path: String?, by caller: Caller) async throws -> (root: String, entries: [ArtifactEntry]) {
        if let path { try RelativePath.check(path) }
        let model = try await loggedModel(id, by: caller).model
        return (model.artifactRoot, try await level(path, under: model.artifactRoot))
    }

    /// Removes a file or a folder; nothing there is fine. The bytes stay until nothing names them.
    package func deleteArtifacts(_ path: String, by caller: Caller) async throws {
        try caller.requireSomebody()
        let place = try await writablePlace(path, by: caller)
        let environment = environment
        if let plain = realm.places.plain(at: place.root, path: place.path), let below = plain.path { try await offload { try plain.folder.remove(below) } }
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
    func finish<Result: Sendable>(_ body: (BlobWriter) throws -> Result) throws -> Result { try writer.withLock { try body($0) } }
    func discard() { writer.withLock { $0.discard() } }
}
