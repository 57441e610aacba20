import SlipwayCore
import SlipwayTestSupport
import Testing

@Suite struct ExecutionMachineTests {
    static func machine(_ steps: [ProjectFile.Step]) -> ExecutionMachine {
        let execution = Execution(
            id: "e", project: .implicit, commit: String(repeating: "a", count: 40), branch: "main", trigger: .push, run: "r",
            configDigest: ContentDigest(of: "c"), requestedBy: "user:ada", createdAt: Timestamp(milliseconds: 0))
        return ExecutionMachine(execution: execution, steps: steps.enumerated().map { StepExecution(execution: "e", position: $0, step: $1) })
    }

    static func step(_ name: String, needs: [String] = [], retries: Int = 0) -> ProjectFile.Step {
        ProjectFile.Step(name: name, run: "true", needs: needs, retries: retries)
    }

    let now = Timestamp(milliseconds: 1)
    let lock = ContentDigest(of: "lock")

    @Test("steps run in the order of their needs, side by side where they can, and the execution finishes")
    func order() throws {
        var machine = Self.machine([Self.step("a"), Self.step("b", needs: ["a"]), Self.step("c", needs: ["a"]), Self.step("d", needs: ["b", "c"])])
        #expect(try machine.handle(.resume, at: now) == .prepare)
        #expect(try machine.handle(.prepared(snapshots: ["x": "s"], lockDigest: lock), at: now) == .attend(["a"]))
        #expect(try machine.handle(.ended(step: "a", attempt: 1, .succeeded(outputs: ["o": lock])), at: now) == .attend(["b", "c"]))
        #expect(try machine.handle(.ended(step: "c", attempt: 1, .succeeded(outputs: [:])), at: now) == .attend(["b"]))
        #expect(try machine.handle(.ended(step: "b", attempt: 1, .succeeded(outputs: [:])), at: now) == .attend(["d"]))
        #expect(try machine.handle(.ended(step: "d", attempt: 1, .succeeded(outputs: [:])), at: now) == .finish)
        #expect(try machine.handle(.finished(release: lock, message: "sealed"), at: now) == .close)
        #expect(machine.execution.state == .succeeded)
        #expect(machine.execution.release == lock)
        #expect(machine.steps[0].outputs == ["o": lock])
    }

    @Test("a failing step is tried again as often as it says, then the others are stopped and skipped")
    func retries() throws {
        var machine = Self.machine([Self.step("a", retries: 1), Self.step("b"), Self.step("c", needs: ["a"])])
        _ = try machine.handle(.resume, at: now)
        #expect(try machine.handle(.prepared(snapshots: [:], lockDigest: lock), at: now) == .attend(["a", "b"]))
        #expect(try machine.handle(.ended(step: "a", attempt: 1, .failed(exitCode: 3, message: "first")), at: now) == .attend(["a", "b"]))
        #expect(machine.steps[0].attempt == 2)
        #expect(try machine.handle(.ended(step: "a", attempt: 2, .failed(exitCode: 3, message: "second")), at: now) == .stop(["b"]))
        #expect(try machine.handle(.ended(step: "b", attempt: 1, .canceled), at: now) == .close)
        #expect(machine.execution.state == .failed)
        #expect(machine.execution.message == "second")
        #expect(machine.steps.map(\.state) == [.failed, .canceled, .skipped])
    }

    @Test("a lost supervisor is our fault: the step is tried again even without retries, a bounded number of times")
    func machinery() throws {
        var machine = Self.machine([Self.step("a")])
        _ = try machine.handle(.resume, at: now)
        _ = try machine.handle(.prepared(snapshots: [:], lockDigest: lock), at: now)
        for attempt in 1...ExecutionMachine.machineryRetries {
            #expect(try machine.handle(.ended(step: "a", attempt: attempt, .errored(message: "lost")), at: now) == .attend(["a"]))
        }
        #expect(try machine.handle(.ended(step: "a", attempt: 1 + ExecutionMachine.machineryRetries, .errored(message: "lost")), at: now) == .close)
        #expect(machine.execution.state == .errored)
    }

    @Test("cancel ends what runs, and retry keeps what succeeded")
    func cancelAndRetry() throws {
        var machine = Self.machine([Self.step("a"), Self.step("b", needs: ["a"])])
        _ = try machine.handle(.resume, at: now)
        _ = try machine.handle(.prepared(snapshots: [:], lockDigest: lock), at: now)
        _ = try machine.handle(.ended(step: "a", attempt: 1, .succeeded(outputs: [:])), at: now)
        #expect(try machine.handle(.cancel(by: .system("t")), at: now) == .stop(["b"]))
        #expect(try machine.handle(.resume, at: now) == .stop(["b"]))
        #expect(try machine.handle(.ended(step: "b", attempt: 1, .canceled), at: now) == .close)
        #expect(machine.execution.state == .canceled)
        #expect(throws: SlipwayError.self) { try machine.handle(.cancel(by: .system("t")), at: now) }
        #expect(try machine.handle(.retry(by: .system("t")), at: now) == .none)
        #expect(machine.execution.state == .queued)
        #expect(try machine.handle(.resume, at: now) == .prepare)
        #expect(try machine.handle(.prepared(snapshots: [:], lockDigest: lock), at: now) == .attend(["b"]))
        #expect(machine.steps[1].attempt == 2)
    }

    @Test("over random events every execution ends, an attempt ends once, and resume changes nothing in a running state")
    func random() throws {
        for seed in UInt64(0)..<300 {
            var generator = SeededGenerator(seed: seed)
            var machine = Self.machine([
                Self.step("a", retries: 1), Self.step("b", needs: ["a"]), Self.step("c", needs: ["a"], retries: 2), Self.step("d", needs: ["b", "c"]),
            ])
            var effect = try machine.handle(.resume, at: now)
            var rounds = 0
            while effect != .close {
                rounds += 1
                try #require(rounds < 100, "seed \(seed) does not end")
                if UInt64.random(in: 0..<5, using: &generator) == 0 {
                    let before = machine
                    let again = try machine.handle(.resume, at: now)
                    #expect(again == effect && machine == before, "seed \(seed)")
                }
                if UInt64.random(in: 0..<25, using: &generator) == 0, machine.execution.state != .finishing {
                    effect = try machine.handle(.cancel(by: .system("t")), at: now)
                    continue
                }
                switch effect {
                case .prepare: effect = try machine.handle(.prepared(snapshots: [:], lockDigest: lock), at: now)
                case .attend(let names), .stop(let names):
                    let name = names.randomElement(using: &generator)!
                    let step = machine.steps.first { $0.name == name }!
                    let outcomes: [StepOutcome] = [
                        .succeeded(outputs: [:]), .succeeded(outputs: [:]), .failed(exitCode: 1, message: "m"), .errored(message: "e"), .canceled,
                    ]
                    effect = try machine.handle(.ended(step: name, attempt: step.attempt, outcomes.randomElement(using: &generator)!), at: now)
                    #expect(throws: SlipwayError.self, "seed \(seed)") {
                        var copy = machine
                        _ = try copy.handle(.ended(step: name, attempt: step.attempt, .canceled), at: now)
                    }
                case .finish: effect = try machine.handle(.finished(release: nil, message: nil), at: now)
                case .none, .close: break
                }
                for step in machine.steps where step.state == .running {
                    #expect(step.step.needs.allSatisfy { need in machine.steps.contains { $0.name == need && $0.state == .succeeded } }, "seed \(seed)")
                }
            }
            #expect(machine.execution.state.isFinal, "seed \(seed)")
            #expect(!machine.steps.contains { $0.state == .running || $0.state == .pending }, "seed \(seed)")
        }
    }
}
