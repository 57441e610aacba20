import AsyncHTTPClient
import Foundation
import NIOCore
import SlipwayWire

extension APIClient {
    /// Sends a file's bytes, in constant memory.
    /// - Parameter progress: called with the number of bytes that went since the last call.
    public func upload(file: URL, size: Int64, to path: String, progress: @escaping @Sendable (Int64) -> Void = { _ in }) async throws {
        let pieces = FilePieces(file: file, progress: progress)
        _ = try await open("PUT", path, body: .stream(pieces, length: .known(size)), contentType: "application/octet-stream").body.collect(upTo: 1 << 20)
    }

    /// Hands over an answer's bytes piece by piece.
    public func download(_ path: String, _ body: (Data) throws -> Void) async throws {
        for try await piece in try await open("GET", path).body { try body(Data(piece.readableBytesView)) }
    }
}

/// A file as pieces of 256 KiB.
struct FilePieces: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    let file: URL
    let progress: @Sendable (Int64) -> Void

    struct AsyncIterator: AsyncIteratorProtocol {
        let file: URL
        let progress: @Sendable (Int64) -> Void
        var handle: FileHandle?

        mutating func next() async throws -> ByteBuffer? {
            let handle = try handle ?? FileHandle(forReadingFrom: file)
            self.handle = handle
            guard let piece = try handle.read(upToCount: 256 << 10), !piece.isEmpty else {
                try handle.close()
                return nil
            }
            progress(Int64(piece.count))
            return ByteBuffer(bytes: piece)
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(file: file, progress: progress) }
}
