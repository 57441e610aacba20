import Foundation
import SlipwayCore
import SlipwayRuntime
import Subprocess
import SystemPackage

/// Starts supervisors so that they outlive whoever started them.
package struct StepLauncher: Sendable {
    /// The `slipway` binary.
    package let program: URL

    package init(program: URL) { self.program = program }

    /// The running binary, or the one beside it when this is a test.
    package static func find() throws -> StepLauncher {
        let own = try Programs.ownBinary()
        if own.pathExtension != "xctest" { return StepLauncher(program: own) }
        return StepLauncher(program: own.deletingLastPathComponent().appending(path: "slipway"))
    }

    /// Starts `slipway step` in a session of its own, no child of ours. Does nothing when one lives.
    package func start(_ order: StepOrder, in folder: StepFolder) async throws {
        try FileManager.default.createDirectory(at: folder.root, withIntermediateDirectories: true)
        guard let lock = try FileLock.take(folder.lock) else { return }
        defer { withExtendedLifetime(lock) {} }
        try StepFolder.write(order, to: folder.order)
        var options = PlatformOptions()
        options.createSession = true
        // The shell ends at once and leaves the supervisor to the system, with the lock as its standard input: the lock is held
        // from before the start until the supervisor's end, whatever becomes of this process.
        let script = #"exec 3<&0; "$0" step "$1" <&3 3<&- >>"$1/supervisor.log" 2>&1 &"#
        do {
            let result = try await Subprocess.run(
                .path("/bin/sh"), arguments: ["-c", script, program.path, folder.root.path], platformOptions: options,
                input: .fileDescriptor(FileDescriptor(rawValue: lock.descriptor), closeAfterSpawningProcess: false), output: .discarded, error: .discarded)
            guard result.terminationStatus.isSuccess else { throw SlipwayError(.unavailable, "The shell ended with \(result.terminationStatus).") }
        } catch let error as SubprocessError {
            throw SlipwayError(.unavailable, "A step's supervisor could not be started: \(error).", remedy: "See that the machine has memory and processes left.")
        }
    }
}
