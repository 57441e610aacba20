import Foundation
import SlipwayCore

/// A whole-file lock between processes. The kernel drops it with the last copy of the descriptor, so a process that was
/// killed holds nothing.
package final class FileLock: Sendable {
    package let descriptor: Int32

    private init(descriptor: Int32) { self.descriptor = descriptor }
    deinit { close(descriptor) }

    /// - Returns: nil while somebody else holds it.
    /// - Throws: `unavailable` when the file cannot be made.
    package static func take(_ file: URL) throws -> FileLock? {
        let descriptor = open(file.path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw SlipwayError(
                .unavailable, "The lock file '\(file.path)' cannot be opened: \(String(cString: strerror(errno))).",
                remedy: "See that the folder exists and is writable.")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            return nil
        }
        return FileLock(descriptor: descriptor)
    }

    /// Waits until nobody else holds it, or the task is cancelled.
    package static func wait(for file: URL) async throws -> FileLock {
        while true {
            if let lock = try take(file) { return lock }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}
