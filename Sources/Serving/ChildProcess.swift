import Foundation
import SlipwayCore
import Synchronization

/// A child process with a thread of its own that starts it and waits for its end.
///
/// The thread matters: Linux delivers a child's parent-death signal when the *thread* that made it ends, so a child made
/// on a pool's thread would be killed when the pool shrinks.
final class ChildProcess: Sendable {
    struct Launch: Sendable {
        var program: String
        var arguments: [String]
        var environment: [String: String]
        /// Standard output and error are appended to it.
        var log: URL
        /// A session of its own: the child outlives this process and its terminal.
        var detached = false
    }

    /// How a process ended.
    enum Ending: Sendable, Hashable {
        case exited(Int32)
        case signalled(Int32)
    }

    let pid: pid_t
    private let state = Mutex<State>(.running([]))

    private enum State {
        case running([CheckedContinuation<Ending, Never>])
        case ended(Ending)
    }

    private init(pid: pid_t) { self.pid = pid }

    /// - Throws: `unavailable` when the program cannot be started.
    static func start(_ launch: Launch) async throws -> ChildProcess {
        try await withCheckedThrowingContinuation { continuation in
            let thread = Thread {
                do {
                    let child = ChildProcess(pid: try spawn(launch))
                    continuation.resume(returning: child)
                    child.waitForEnd()
                } catch {
                    continuation.resume(throwing: error)
                }
            }
            thread.stackSize = 256 << 10
            thread.start()
        }
    }

    /// Returns when the process has ended; any number may wait.
    func ending() async -> Ending {
        await withCheckedContinuation { continuation in
            let ended: Ending? = state.withLock { state in
                switch state {
                case .running(let waiting):
                    state = .running(waiting + [continuation])
                    return nil
                case .ended(let ending):
                    return ending
                }
            }
            if let ended { continuation.resume(returning: ended) }
        }
    }

    var hasEnded: Bool { state.withLock { if case .ended = $0 { true } else { false } } }

    /// Signals the process and its group, unless it has ended.
    func signal(_ number: Int32) {
        state.withLock { state in
            if case .running = state { kill(-pid, number) }
        }
    }

    private func waitForEnd() {
        // The end is noticed without reaping first, so that `signal` never meets a process id that belongs to somebody else.
        var info = siginfo_t()
        while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        let waiting: ([CheckedContinuation<Ending, Never>], Ending) = state.withLock { state in
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            let ending: Ending = status & 0x7f == 0 ? .exited((status >> 8) & 0xff) : .signalled(status & 0x7f)
            guard case .running(let waiting) = state else { return ([], ending) }
            state = .ended(ending)
            return (waiting, ending)
        }
        for continuation in waiting.0 { continuation.resume(returning: waiting.1) }
    }

    /// Sockets of the server are not close-on-exec by themselves; a gateway that had the listening one would hold the server's port
    /// after the server's end.
    private static func keepOpenFilesToOneself() {
        // Without /proc nothing is marked, which costs a port at the worst.
        let open = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []  // see above
        for descriptor in open.compactMap({ Int32($0) }) where descriptor > 2 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    }

    private static func spawn(_ launch: Launch) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, launch.log.path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        keepOpenFilesToOneself()

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A server ignores some signals; its children start as if nobody had.
        var all = sigset_t(), none = sigset_t()
        sigfillset(&all)
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setpgroup(&attributes, 0)
        let newSession: Int32 = 0x80  // POSIX_SPAWN_SETSID, which Glibc's module does not export
        let group = launch.detached ? newSession : Int32(POSIX_SPAWN_SETPGROUP)
        posix_spawnattr_setflags(&attributes, Int16(group | Int32(POSIX_SPAWN_SETSIGDEF) | Int32(POSIX_SPAWN_SETSIGMASK)))

        let arguments = ([launch.program] + launch.arguments).map { strdup($0) }
        let variables = launch.environment.map { strdup("\($0.key)=\($0.value)") }
        defer { (arguments + variables).forEach { free($0) } }
        var pid: pid_t = 0
        let failure = posix_spawn(&pid, launch.program, &actions, &attributes, arguments + [nil], variables + [nil])
        guard failure == 0 else {
            throw SlipwayError(
                .unavailable, "Cannot start '\(launch.program)': \(String(cString: strerror(failure))).", remedy: "See that it exists and may be run.")
        }
        return pid
    }
}

extension ChildProcess.Ending: CustomStringConvertible {
    var description: String {
        switch self {
        case .exited(let code): "ended with exit code \(code)"
        case .signalled(let number): "was ended by signal \(number)"
        }
    }
}

/// The last lines of a log, for reasons that people read.
func lastLines(of file: URL, count: Int = 1, limit: Int = 4096) -> String? {
    guard let handle = try? FileHandle(forReadingFrom: file) else { return nil }  // nothing was logged
    defer { try? handle.close() }  // it was only read
    let size = (try? handle.seekToEnd()) ?? 0  // an unreadable log has no last line
    try? handle.seek(toOffset: size > limit ? size - UInt64(limit) : 0)  // then the whole tail is read from where it stands
    guard let data = try? handle.readToEnd() else { return nil }  // same
    let lines = String(decoding: data, as: UTF8.self).split(separator: "\n").filter { !$0.trimmingCharacters(in: .whitespaces).isEmpty }
    return lines.isEmpty ? nil : lines.suffix(count).joined(separator: " ").prefix(600).description
}
