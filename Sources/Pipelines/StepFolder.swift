import Foundation
import SlipwayCore
import SlipwayRuntime

/// What a supervisor is told: everything, so that it needs nobody afterwards.
package struct StepOrder: Sendable, Hashable, Codable {
    /// A shell command line.
    package var command: String
    package var folder: String
    /// The step's whole environment; nothing is inherited.
    package var variables: [String: String]
    package var timeoutMilliseconds: Int64
    /// Between the request to end and the end.
    package var graceMilliseconds: Int64
    /// Private memory of each process.
    package var memoryBytes: Int64?
    package var logBytesMax: Int

    package init(
        command: String, folder: String, variables: [String: String], timeout: Duration, grace: Duration = .seconds(5), memoryBytes: Int64? = nil, logBytesMax: Int = 64 << 20
    ) {
        self.command = command
        self.folder = folder
        self.variables = variables
        timeoutMilliseconds = timeout.milliseconds
        graceMilliseconds = grace.milliseconds
        self.memoryBytes = memoryBytes
        self.logBytesMax = logBytesMax
    }
}

/// What a supervisor leaves behind when the command and all its descendants are gone.
package struct StepExit: Sendable, Hashable, Codable {
    package enum Reason: String, Sendable, Hashable, Codable { case exited, signaled, timedOut, canceled, interrupted, notStarted }
    package var reason: Reason
    /// Exit status or signal.
    package var code: Int?
    package var startedAt: Timestamp
    package var endedAt: Timestamp
    /// Bytes that the command wrote, kept or not.
    package var outputBytes: Int64
    package var message: String?
}

/// The files of one attempt of one step, through which scheduler and supervisor speak. They outlive both.
///
/// `lock` is held by the supervisor from before its start to its end (inherited from the scheduler), so whether it lives is a
/// question to the kernel and no matter of process numbers.
package struct StepFolder: Sendable, Hashable {
    package let root: URL

    package init(root: URL) { self.root = root }

    package var order: URL { root.appending(path: "order.json") }
    package var lock: URL { root.appending(path: "lock") }
    package var log: URL { root.appending(path: "log") }
    package var exit: URL { root.appending(path: "exit.json") }
    package var cancel: URL { root.appending(path: "cancel") }
    /// What the supervisor itself complains about.
    package var complaints: URL { root.appending(path: "supervisor.log") }

    package enum State: Sendable, Hashable {
        case notStarted
        case running
        case ended(StepExit)
        /// It was started, nobody holds its lock, and it left no exit status.
        case lost
    }

    package func state() throws -> State {
        if let exit = try readExit() { return .ended(exit) }
        guard FileManager.default.fileExists(atPath: lock.path) else { return .notStarted }
        guard try FileLock.take(lock) != nil else { return .running }
        // It may have ended between the two looks.
        if let exit = try readExit() { return .ended(exit) }
        return FileManager.default.fileExists(atPath: complaints.path) ? .lost : .notStarted
    }

    private func readExit() throws -> StepExit? {
        guard FileManager.default.fileExists(atPath: exit.path) else { return nil }
        return try JSONDecoder().decode(StepExit.self, from: Data(contentsOf: exit))
    }

    /// Asks the supervisor to end the step.
    package func requestCancel() throws {
        guard FileManager.default.fileExists(atPath: root.path) else { return }
        try Data().write(to: cancel)
    }

    /// The last lines of the log, at most 4 KiB.
    package func tail(lines: Int = 20) throws -> [String] {
        guard FileManager.default.fileExists(atPath: log.path) else { return [] }
        let handle = try FileHandle(forReadingFrom: log)
        defer { do { try handle.close() } catch {} }  // read only: nothing can be lost
        let size = try handle.seekToEnd()
        try handle.seek(toOffset: size > 4096 ? size - 4096 : 0)
        let text = String(decoding: try handle.readToEnd() ?? Data(), as: UTF8.self)
        let all = text.split(omittingEmptySubsequences: true, whereSeparator: \.isNewline).map(String.init)
        return Array((size > 4096 ? all.dropFirst() : all[...]).suffix(lines))
    }

    /// Writes aside, flushes and renames, so that a reader sees all or nothing.
    static func write(_ value: some Encodable, to file: URL) throws {
        let aside = file.deletingLastPathComponent().appending(path: ".\(file.lastPathComponent).\(getpid())")
        let descriptor = open(aside.path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("write", file) }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        try handle.write(contentsOf: Data(CanonicalJSON.text(value).utf8))
        try handle.synchronize()
        try handle.close()
        guard rename(aside.path, file.path) == 0 else { throw failure("move", file) }
    }

    static func failure(_ verb: String, _ file: URL) -> SlipwayError {
        SlipwayError(
            .unavailable, "Cannot \(verb) '\(file.path)': \(String(cString: strerror(errno))).", remedy: "See that the disk has room and the folder is writable.")
    }
}
