import Foundation
import SlipwayCore
import Synchronization

/// Bytes on their way in from somewhere slow (the network): written piece by piece off the cooperative pool, in constant memory.
package final class BlobIntake: Sendable {
    private let folder: BlobFolder
    private let writer: Mutex<BlobWriter>

    package init(_ folder: BlobFolder) throws {
        self.folder = folder
        writer = Mutex(try folder.makeWriter())
    }

    package func write(_ piece: Data) async throws {
        try await offload { try self.writer.withLock { try $0.write(piece) } }
    }

    /// Flushes and moves the bytes to their place.
    /// - Throws: `invalidArgument` when the digest is not the expected one; then nothing is kept.
    package func finish(expecting digest: ContentDigest? = nil) async throws -> (digest: ContentDigest, size: Int64) {
        try await offload {
            try self.writer.withLock { writer in (try self.folder.finish(writer, expecting: digest), writer.size) }
        }
    }

    package func discard() { writer.withLock { $0.discard() } }
}
