// SlipwayBlobs: bytes by digest in a folder per realm; written aside, flushed, digested, renamed.

import Crypto
import Foundation
import Glibc
import SlipwayCore

/// What another realm may be given of a blob folder.
package protocol BlobReader: Sendable {
    /// The file that holds the bytes, or nil when there is none. Read-only by convention and by file mode.
    func file(of digest: ContentDigest) -> URL?
}

extension BlobReader {
    package func size(of digest: ContentDigest) throws -> Int64? {
        guard let file = file(of: digest) else { return nil }
        return try FileManager.default.attributesOfItem(atPath: file.path)[.size] as? Int64
            ?? (try file.resourceValues(forKeys: [.fileSizeKey]).fileSize).map(Int64.init)
    }

    /// All bytes, for small blobs.
    /// - Throws: `notFound` when there is no such blob.
    package func read(_ digest: ContentDigest) throws -> Data {
        guard let file = file(of: digest) else { throw SlipwayError.notFound("There are no bytes with digest \(digest).") }
        return try Data(contentsOf: file)
    }

    /// Hashes the stored bytes again.
    package func verify(_ digest: ContentDigest) throws -> Bool {
        guard let file = file(of: digest) else { return false }
        return try ContentDigest(ofFile: file) == digest
    }
}

/// A folder of blobs: `ab/cdef…`, each file named by the SHA-256 of its bytes, mode 0444, never changed.
package struct BlobFolder: BlobReader {
    package let root: URL
    private let incoming: URL

    /// Makes the folder when it is missing.
    package init(root: URL) throws {
        self.root = root
        incoming = root.appending(path: "incoming", directoryHint: .isDirectory)
        try FileManager.default.createDirectory(at: incoming, withIntermediateDirectories: true)
    }

    /// Removes what writers of a killed process left behind. Called at the start, before anybody writes.
    /// - Returns: how many half-written files there were.
    @discardableResult
    package func sweepIncoming() throws -> Int {
        let left = try FileManager.default.contentsOfDirectory(at: incoming, includingPropertiesForKeys: nil)
        for file in left { try FileManager.default.removeItem(at: file) }
        return left.count
    }

    package func file(of digest: ContentDigest) -> URL? {
        let url = place(of: digest)
        return FileManager.default.fileExists(atPath: url.path) ? url : nil
    }

    private func place(of digest: ContentDigest) -> URL {
        root.appending(path: String(digest.rawValue.prefix(2))).appending(path: String(digest.rawValue.dropFirst(2)))
    }

    package func makeWriter() throws -> BlobWriter { try BlobWriter(file: incoming.appending(path: UUID().uuidString)) }

    package func put(_ bytes: some DataProtocol) throws -> ContentDigest {
        let writer = try makeWriter()
        try writer.write(bytes)
        return try finish(writer)
    }

    /// Copies a file in, hashing on the way.
    package func put(file: URL) throws -> ContentDigest {
        let writer = try makeWriter()
        do {
            try forEachPiece(of: file) { try writer.write($0) }
        } catch {
            writer.discard()
            throw error
        }
        return try finish(writer)
    }

    /// Flushes and moves the written bytes to their place.
    /// - Throws: `invalidArgument` when the bytes do not have the digest that was `expected`; then nothing is kept.
    package func finish(_ writer: BlobWriter, expecting expected: ContentDigest? = nil) throws -> ContentDigest {
        let digest = try writer.close()
        if let expected, expected != digest {
            writer.discard()
            throw SlipwayError.invalid("The bytes have digest \(digest), not \(expected).", remedy: "Send the file again; it may have changed meanwhile.")
        }
        let place = place(of: digest)
        if renew(digest) {
            writer.discard()
            return digest
        }
        try FileManager.default.createDirectory(at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
        guard rename(writer.file.path, place.path) == 0 else { throw storageError("move", place) }
        try flushFolder(place.deletingLastPathComponent())
        return digest
    }

    /// Brings bytes from another realm's folder, verifying the digest on the way.
    /// - Throws: `notFound` when they are not there, `internalFault` when they do not match their name.
    package func copy(_ digest: ContentDigest, from other: any BlobReader) throws {
        if renew(digest) { return }
        guard let source = other.file(of: digest) else { throw SlipwayError.notFound("There are no bytes with digest \(digest) to copy.") }
        let arrived = try put(file: source)
        guard arrived == digest else {
            throw SlipwayError.fault("The stored bytes of \(digest) have digest \(arrived).")
        }
    }

    /// Puts the bytes at `target` read-only: a hard link where the disk can, a copy elsewhere.
    package func materialise(_ digest: ContentDigest, at target: URL) throws {
        guard let source = file(of: digest) else { throw SlipwayError.notFound("There are no bytes with digest \(digest).") }
        try FileManager.default.createDirectory(at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
        if link(source.path, target.path) != 0 {
            try FileManager.default.copyItem(at: source, to: target)
        }
    }

    package func remove(_ digest: ContentDigest) throws {
        if let file = file(of: digest) { try FileManager.default.removeItem(at: file) }
    }

    /// Removes what writers that were killed have left: nothing has been written to it since `mark`.
    package func sweepIncoming(unusedSince mark: Timestamp) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: incoming.path) {
            let file = incoming.appending(path: name)
            let attributes = try? FileManager.default.attributesOfItem(atPath: file.path)  // it may have been finished meanwhile
            if let changed = attributes?[.modificationDate] as? Date, Timestamp(changed) < mark { unlink(file.path) }
        }
    }

    /// Marks the bytes as wanted just now, so that no sweep takes them away before their row is written.
    /// - Returns: false when there are none.
    @discardableResult
    package func renew(_ digest: ContentDigest) -> Bool { utimensat(AT_FDCWD, place(of: digest).path, nil, 0) == 0 }

    /// Removes the bytes unless somebody has stored or renewed them since `mark`.
    ///
    /// The file is moved away first and looked at then: who renews it before the move is seen, who comes after it stores the bytes anew.
    /// - Returns: the bytes that came free, nil when they stay (a backup holds them, too) or were not there.
    package func remove(_ digest: ContentDigest, unusedSince mark: Timestamp) throws -> Int64? {
        guard let turn = try removalTurn() else { return nil }
        defer { withExtendedLifetime(turn) {} }
        let place = place(of: digest)
        let aside = incoming.appending(path: "removed-\(UUID().uuidString)")
        guard rename(place.path, aside.path) == 0 else { return nil }
        let attributes = try FileManager.default.attributesOfItem(atPath: aside.path)
        if let changed = attributes[.modificationDate] as? Date, Timestamp(changed) >= mark {
            // Stored anew meanwhile or not, both files hold the same bytes.
            guard rename(aside.path, place.path) == 0 else { throw storageError("move back", place) }
            return nil
        }
        guard unlink(aside.path) == 0 else { throw storageError("remove", aside) }
        return attributes[.size] as? Int64 ?? 0
    }
}

/// Bytes on their way in. One writer, one thread at a time.
package final class BlobWriter {
    package let file: URL
    private let handle: FileHandle
    private var hasher = SHA256()
    package private(set) var size: Int64 = 0

    init(file: URL) throws {
        self.file = file
        let descriptor = open(file.path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o444)
        guard descriptor >= 0 else { throw storageError("create", file) }
        handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    package func write(_ bytes: some DataProtocol) throws {
        hasher.update(data: bytes)
        for region in bytes.regions { try region.withUnsafeBytes { try append($0) } }
    }

    private func append(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while let start = rest.baseAddress, !rest.isEmpty {
            let count = Glibc.write(handle.fileDescriptor, start, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw storageError("write", file) }
            size += Int64(count)
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    func close() throws -> ContentDigest {
        do {
            try handle.synchronize()
            try handle.close()
        } catch {
            throw storageError("flush", file)
        }
        return ContentDigest(hasher.finalize())
    }

    /// Forgets the bytes; what is left of a crash lies in `incoming` and is swept at the next start.
    package func discard() {
        unlink(file.path)
    }
}

extension ContentDigest {
    /// Streams a file through SHA-256.
    package init(ofFile file: URL) throws {
        var hasher = SHA256()
        try forEachPiece(of: file) { hasher.update(data: $0) }
        self.init(hasher.finalize())
    }
}

func forEachPiece(of file: URL, _ body: (Data) throws -> Void) throws {
    let handle = try FileHandle(forReadingFrom: file)
    while let piece = try handle.read(upToCount: 1 << 20), !piece.isEmpty { try body(piece) }
    try handle.close()
}

func flushFolder(_ folder: URL) throws {
    let descriptor = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw storageError("open", folder) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw storageError("flush", folder) }
}

func storageError(_ verb: String, _ file: URL) -> SlipwayError {
    SlipwayError(
        .unavailable, "Cannot \(verb) '\(file.lastPathComponent)' in the data folder: \(String(cString: strerror(errno))).",
        remedy: "See that the disk has room and the folder is writable; nothing was changed.")
}
