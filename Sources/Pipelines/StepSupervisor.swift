import Foundation
import SlipwayCore
import SlipwayRuntime
import Synchronization

/// `slipway step FOLDER`: runs one command under watch, writes its bounded log and, when it and all its descendants are gone, its exit status.
///
/// It is a process of its own with no parent that matters, so the server may be killed and started again meanwhile. One thread, blocking calls.
package enum StepSupervisor {
    /// Set by the signal that asks this process to end.
    private static let isInterrupted = Atomic(false)

    package static func run(_ folder: StepFolder) throws {
        let order = try JSONDecoder().decode(StepOrder.self, from: Data(contentsOf: folder.order))
        // Started by hand nobody holds the lock yet; started by the scheduler it is our standard input.
        let lock = try FileLock.take(folder.lock)
        defer { withExtendedLifetime(lock) {} }
        signal(SIGTERM) { _ in StepSupervisor.isInterrupted.store(true, ordering: .relaxed) }
        for ignored in [SIGHUP, SIGINT, SIGPIPE] { signal(ignored, SIG_IGN) }
        try ProcessTree.adoptOrphans()
        let log = try StepLog(file: folder.log, bytesMax: order.logBytesMax)
        let started = Timestamp(Date())
        var exit: StepExit
        do {
            exit = try watch(try ShellCommand.spawn(order), order, folder, log)
        } catch let error as SlipwayError {
            exit = StepExit(reason: .notStarted, code: nil, startedAt: started, endedAt: started, outputBytes: 0, message: error.message)
        }
        exit.startedAt = started
        exit.endedAt = Timestamp(Date())
        exit.outputBytes = try log.finish()
        try StepFolder.write(exit, to: folder.exit)
    }

    private enum Phase { case running, ending(since: ContinuousClock.Instant), killing }

    /// Reads output, reaps children and looks for reasons to end, until the command and its tree are gone.
    private static func watch(_ command: ShellCommand, _ order: StepOrder, _ folder: StepFolder, _ log: StepLog) throws -> StepExit {
        let start = ContinuousClock.now
        var phase = Phase.running
        var status: Int32?
        var reason: StepExit.Reason?
        while true {
            try command.drain(into: log, waitMilliseconds: 50)
            for (pid, ended) in ProcessTree.reap() where pid == command.pid { status = ended }
            if reason == nil, status == nil {
                if FileManager.default.fileExists(atPath: folder.cancel.path) { reason = .canceled }
                if isInterrupted.load(ordering: .relaxed) { reason = .interrupted }
                if ContinuousClock.now - start >= .milliseconds(order.timeoutMilliseconds) { reason = .timedOut }
            }
            // When the command is over, what it left running goes as well.
            if reason != nil || status != nil {
                let descendants = ProcessTree.descendants()
                if descendants.isEmpty, let status {
                    try command.drain(into: log, waitMilliseconds: 0)
                    return exit(status, reason)
                }
                switch phase {
                case .running:
                    ProcessTree.signal(SIGTERM, descendants)
                    phase = .ending(since: .now)
                case .ending(let since) where ContinuousClock.now - since >= .milliseconds(order.graceMilliseconds):
                    phase = .killing
                case .ending: break
                case .killing: ProcessTree.signal(SIGKILL, descendants)
                }
            }
        }
    }

    private static func exit(_ status: Int32, _ reason: StepExit.Reason?) -> StepExit {
        let signal = status & 0x7f
        let now = Timestamp(Date())
        return StepExit(
            reason: reason ?? (signal == 0 ? .exited : .signaled), code: Int(signal == 0 ? (status >> 8) & 0xff : signal), startedAt: now, endedAt: now, outputBytes: 0)
    }
}

/// The command as a process in a group of its own, with its output in one pipe.
private struct ShellCommand {
    let pid: pid_t
    private let output: Int32

    /// - Throws: `unavailable` when the system cannot start it.
    static func spawn(_ order: StepOrder) throws -> ShellCommand {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw problem("make a pipe", errno) }
        defer { close(ends[1]) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 2)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var all = sigset_t(), none = sigset_t()
        sigfillset(&all)
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

        // Bounds first, then the line itself as a value. RLIMIT_DATA counts private writable memory, unlike RLIMIT_AS, which counts
        // address space that numerical libraries merely reserve.
        let wrapper = #"cd -- "$3" || exit 126; ulimit -c 0; [ -z "$1" ] || ulimit -d "$1"; exec /bin/sh -e -c "$2""#
        let memory = order.memoryBytes.map { String($0 >> 10) } ?? ""
        let words: [String] = ["sh", "-c", wrapper, "sh", memory, order.command, order.folder]
        let arguments: [UnsafeMutablePointer<CChar>?] = words.map { word in strdup(word) } + [nil]
        let variables: [UnsafeMutablePointer<CChar>?] = order.variables.sorted { $0.key < $1.key }.map { entry in strdup("\(entry.key)=\(entry.value)") } + [nil]
        defer { for pointer in arguments + variables { free(pointer) } }
        var pid: pid_t = 0
        let result = posix_spawn(&pid, "/bin/sh", &actions, &attributes, arguments, variables)
        guard result == 0 else {
            close(ends[0])
            throw problem("start '\(order.command)' in '\(order.folder)'", result)
        }
        return ShellCommand(pid: pid, output: ends[0])
    }

    private static func problem(_ what: String, _ code: Int32) -> SlipwayError {
        SlipwayError(.unavailable, "The system could not \(what): \(String(cString: strerror(code))).")
    }

    /// Moves what is there into the log; at most 4 MiB, so that other duties get their turn.
    func drain(into log: StepLog, waitMilliseconds: Int32) throws {
        var watched = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
        let ready = poll(&watched, 1, waitMilliseconds)
        guard ready > 0 else { return }
        var bytes = [UInt8](repeating: 0, count: 256 << 10)
        for _ in 0..<16 {
            let count = read(output, &bytes, bytes.count)
            if count > 0 { try log.write(bytes[..<count]); continue }
            // At the end of the pipe `poll` answers at once for ever: wait for the processes instead.
            if count == 0, waitMilliseconds > 0 { usleep(useconds_t(waitMilliseconds) * 200) }
            return
        }
    }
}

/// A log file with a bound. Past it only the last 64 KiB are remembered, and written at the end behind a note of what was left out.
private final class StepLog {
    private let handle: FileHandle
    private let bytesMax: Int
    private var kept = 0
    private var total: Int64 = 0
    private var tail: [UInt8] = []
    private static let tailMax = 64 << 10

    init(file: URL, bytesMax: Int) throws {
        let descriptor = open(file.path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw StepFolder.failure("make", file) }
        handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        self.bytesMax = bytesMax
    }

    func write(_ bytes: ArraySlice<UInt8>) throws {
        total += Int64(bytes.count)
        let room = bytesMax - kept
        if room > 0 {
            let part = bytes.prefix(room)
            try handle.write(contentsOf: part)
            kept += part.count
        }
        guard bytes.count > room else { return }
        tail += bytes.dropFirst(max(room, 0)).suffix(Self.tailMax)
        if tail.count > 2 * Self.tailMax { tail.removeFirst(tail.count - Self.tailMax) }
    }

    /// - Returns: bytes that were written to it, kept or not.
    func finish() throws -> Int64 {
        let last = tail.suffix(Self.tailMax)
        let left = total - Int64(kept) - Int64(last.count)
        if total > Int64(kept) {
            try handle.write(contentsOf: Data("\n[slipway: the log is longer than \(bytesMax) bytes; \(left) bytes are left out here]\n".utf8))
            try handle.write(contentsOf: last)
        }
        try handle.synchronize()
        try handle.close()
        return total
    }
}
