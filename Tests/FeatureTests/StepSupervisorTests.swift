import Foundation
import Pipelines
import SlipwayCore
import SlipwayRuntime
import SlipwayTestSupport
import Testing

/// Real supervisors, real processes, real signals.
@Suite(.timeLimit(.minutes(2))) struct StepSupervisorTests {
    let temporary: TemporaryFolder
    let folder: StepFolder
    let launcher: StepLauncher

    init() throws {
        temporary = try TemporaryFolder()
        folder = StepFolder(root: temporary.url.appending(path: "attempt"))
        launcher = try StepLauncher.find()
    }

    private func order(_ command: String, timeout: Duration = .seconds(60), grace: Duration = .milliseconds(300), logBytesMax: Int = 64 << 20) -> StepOrder {
        StepOrder(
            command: command, folder: temporary.url.path, variables: ["PATH": "/usr/local/bin:/usr/bin:/bin", "HERE": temporary.url.path], timeout: timeout,
            grace: grace, logBytesMax: logBytesMax)
    }

    /// Waits for the exit file, as the scheduler does.
    private func exit() async throws -> StepExit {
        try await until("the step's end") { if case .ended(let exit) = try folder.state() { exit } else { nil } }
    }

    private func pid(_ name: String) async throws -> pid_t {
        let file = temporary.url.appending(path: name)
        return try await until("the file \(name)") {
            FileManager.default.fileExists(atPath: file.path) ? pid_t(try String(contentsOf: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)) : nil
        }
    }

    private func lives(_ pid: pid_t) -> Bool { kill(pid, 0) == 0 }

    @Test("a command's status, output and whole environment are its own")
    func plain() async throws {
        try await launcher.start(order("echo out; echo err >&2; env | sort; exit 3"), in: folder)
        let exit = try await exit()
        #expect(exit.reason == .exited && exit.code == 3)
        let lines = try folder.tail()
        #expect(lines.starts(with: ["out", "err"]))
        #expect(lines.contains("HERE=\(temporary.url.path)"))
        #expect(!lines.contains { $0.hasPrefix("HOME=") || $0.hasPrefix("USER=") })
    }

    @Test("a hundred megabytes of output are bounded, with a note and the last lines")
    func flood() async throws {
        try await launcher.start(order("head -c 100000000 /dev/zero | tr '\\0' 'x' | fold -w 100; echo; echo the end", logBytesMax: 1 << 20), in: folder)
        let exit = try await exit()
        #expect(exit.code == 0)
        #expect(exit.outputBytes > 100_000_000)
        let size = try #require(try folder.log.resourceValues(forKeys: [.fileSizeKey]).fileSize)
        #expect(size < (1 << 20) + (70 << 10))
        #expect(try folder.tail().last == "the end")
        #expect(String(decoding: try Data(contentsOf: folder.log), as: UTF8.self).contains("bytes are left out here]"))
    }

    @Test("children that ignore SIGTERM and leave their session are ended with the step")
    func stubbornChildren() async throws {
        let child = "trap \"\" TERM; echo $$ > $HERE/child; exec sleep 600"
        try await launcher.start(order("setsid sh -c '\(child)' & trap '' TERM; echo $$ > $HERE/main; wait"), in: folder)
        let main = try await pid("main"), stubborn = try await pid("child")
        #expect(lives(main) && lives(stubborn))
        try folder.requestCancel()
        let exit = try await exit()
        #expect(exit.reason == .canceled)
        #expect(!lives(main) && !lives(stubborn))
    }

    @Test("what a finished command leaves running in the background is ended before the step counts as over")
    func leftovers() async throws {
        try await launcher.start(
            order("(trap '' TERM; echo $$ > $HERE/ignored; sh -c 'echo $PPID > $HERE/child'; while :; do sleep 1; done) & while [ ! -s $HERE/child ]; do sleep 0.01; done; exit 0"),
            in: folder)
        let exit = try await exit()
        #expect(exit.reason == .exited && exit.code == 0)
        #expect(try await !lives(pid("child")))
    }

    @Test("a step that hangs is ended at its time-out")
    func hang() async throws {
        try await launcher.start(order("echo $$ > $HERE/main; exec sleep 600", timeout: .milliseconds(300)), in: folder)
        let exit = try await exit()
        #expect(exit.reason == .timedOut)
        #expect(try await !lives(pid("main")))
    }

    @Test("a signal is told apart from a status")
    func signaled() async throws {
        try await launcher.start(order("kill -9 $$"), in: folder)
        let exit = try await exit()
        #expect(exit.reason == .signaled && exit.code == 9)
    }

    @Test("a supervisor that is killed leaves a lost step, not a running one")
    func lost() async throws {
        try await launcher.start(order("echo $PPID > $HERE/supervisor; echo $$ > $HERE/main; exec sleep 600"), in: folder)
        let supervisor = try await pid("supervisor"), main = try await pid("main")
        #expect(try folder.state() == .running)
        kill(supervisor, SIGKILL)
        _ = try await until("the loss to show") { try folder.state() == .lost ? true : nil }
        kill(main, SIGKILL)
    }

    @Test("a step starts once, however often it is started")
    func once() async throws {
        let order = order("echo again >> $HERE/count; while [ ! -e $HERE/go ]; do sleep 0.01; done")
        try await launcher.start(order, in: folder)
        try await launcher.start(order, in: folder)
        _ = try await until("the start") { FileManager.default.fileExists(atPath: temporary.url.appending(path: "count").path) ? true : nil }
        try await launcher.start(order, in: folder)
        try Data().write(to: temporary.url.appending(path: "go"))
        _ = try await exit()
        #expect(try String(contentsOf: temporary.url.appending(path: "count"), encoding: .utf8) == "again\n")
    }

    @Test("a process may not take more private memory than its step says")
    func memory() async throws {
        var order = order("python3 -c 'x = bytearray(400 << 20); print(len(x))'")
        order.memoryBytes = 200 << 20
        try await launcher.start(order, in: folder)
        let exit = try await exit()
        #expect(exit.code != 0)
        #expect(try folder.tail().contains { $0.contains("MemoryError") })
    }
}

/// Asks again until there is an answer; fails after a minute.
func until<T>(_ what: String, _ ask: () async throws -> T?) async throws -> T {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
        if let answer = try await ask() { return answer }
        try await Task.sleep(for: .milliseconds(10))
    }
    throw SlipwayError(.unavailable, "Waited a minute for \(what).")
}
