import Foundation
import SlipwayCore

/// While it lives, no process takes bytes out of the folder.
package final class BlobHold: Sendable {
    private let descriptor: Int32
    init(descriptor: Int32) { self.descriptor = descriptor }
    deinit { close(descriptor) }
}

extension BlobFolder {
    private func lockFile() throws -> Int32 {
        let file = root.appending(path: "hold")
        let descriptor = open(file.path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw SlipwayError(
                .unavailable, "'\(file.path)' cannot be opened: \(String(cString: strerror(errno))).", remedy: "See that the folder belongs to this user and the disk has room.")
        }
        return descriptor
    }

    /// Keeps all bytes where they are, for a backup. Waits for a removal that is under way, which is one file long.
    package func hold() throws -> BlobHold {
        let descriptor = try lockFile()
        guard flock(descriptor, LOCK_SH) == 0 else {
            close(descriptor)
            throw SlipwayError(.unavailable, "The bytes in '\(root.path)' cannot be held: \(String(cString: strerror(errno))).", remedy: "Repeat.")
        }
        return BlobHold(descriptor: descriptor)
    }

    /// The right to take bytes away, nil while somebody holds them.
    package func removalTurn() throws -> BlobHold? {
        let descriptor = try lockFile()
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            return nil
        }
        return BlobHold(descriptor: descriptor)
    }

    /// Every digest that the folder has bytes of, in no order.
    package func forEachDigest(_ body: (ContentDigest) throws -> Void) throws {
        let digits = Array("0123456789abcdef")
        for first in digits {
            for second in digits {
                let shelf = root.appending(path: "\(first)\(second)")
                guard FileManager.default.fileExists(atPath: shelf.path) else { continue }
                for name in try FileManager.default.contentsOfDirectory(atPath: shelf.path) {
                    if let digest = ContentDigest(rawValue: "\(first)\(second)\(name)") { try body(digest) }
                }
            }
        }
    }
}
