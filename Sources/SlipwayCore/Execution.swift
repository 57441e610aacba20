/// One pass of a project's pipeline over one commit, in one realm. It has one MLflow run.
package struct Execution: Sendable, Hashable, Codable {
    package enum Trigger: String, Sendable, Hashable, Codable, CaseIterable { case push, schedule, manual, drift, evaluation }

    package enum State: String, Sendable, Hashable, Codable, CaseIterable {
        case queued
        /// Checkout, Python environment and inputs are being made.
        case preparing
        case running
        /// Every step succeeded; the version is being registered and the release sealed.
        case finishing
        /// Running steps are being ended.
        case canceling
        case succeeded
        /// A step did not succeed, or the project file asks for what is not there.
        case failed
        case canceled
        /// Our machinery could not run it.
        case errored

        package var isFinal: Bool { [.succeeded, .failed, .canceled, .errored].contains(self) }
    }

    /// 12 hexadecimal digits.
    package var id: String
    package var project: ProjectName
    package var commit: String
    package var branch: String?
    package var trigger: Trigger
    package var state: State
    /// The MLflow run's id.
    package var run: String
    /// dataset → snapshot id, chosen when it is prepared
    package var snapshots: [String: String]
    /// Of the project file at the commit.
    package var configDigest: ContentDigest
    /// Of the locked requirements' text, known once prepared.
    package var lockDigest: ContentDigest?
    /// `Principal.raw`
    package var requestedBy: String
    /// The same request twice is one execution, for ever.
    package var request: String?
    /// Why retraining was asked for.
    package var reason: String?
    package var evaluation: EvaluationRequest?
    package var createdAt: Timestamp
    package var startedAt: Timestamp?
    package var endedAt: Timestamp?
    /// The release that it sealed.
    package var release: ContentDigest?
    /// What people should know of how it ended.
    package var message: String?

    package init(
        id: String, project: ProjectName, commit: String, branch: String?, trigger: Trigger, state: State = .queued, run: String,
        snapshots: [String: String] = [:], configDigest: ContentDigest, lockDigest: ContentDigest? = nil, requestedBy: String,
        request: String? = nil, reason: String? = nil, evaluation: EvaluationRequest? = nil, createdAt: Timestamp,
        startedAt: Timestamp? = nil, endedAt: Timestamp? = nil, release: ContentDigest? = nil, message: String? = nil
    ) {
        self.id = id; self.project = project; self.commit = commit; self.branch = branch; self.trigger = trigger; self.state = state
        self.run = run; self.snapshots = snapshots; self.configDigest = configDigest; self.lockDigest = lockDigest
        self.requestedBy = requestedBy; self.request = request; self.reason = reason; self.evaluation = evaluation
        self.createdAt = createdAt; self.startedAt = startedAt; self.endedAt = endedAt; self.release = release; self.message = message
    }
}

/// One step of an execution. A repeated attempt is the same step execution with a higher `attempt`.
package struct StepExecution: Sendable, Hashable, Codable {
    package enum State: String, Sendable, Hashable, Codable, CaseIterable {
        case pending, running, succeeded, failed, canceled, errored
        /// A step that it needs did not succeed.
        case skipped
    }

    package var execution: String
    package var position: Int
    package var step: ProjectFile.Step
    package var state: State
    /// 0 before the first; grows for ever, so that every attempt has a folder of its own.
    package var attempt: Int
    /// Attempts made before a person asked for a retry; they do not count against the step's own retries.
    package var attemptsForgiven: Int
    package var startedAt: Timestamp?
    package var endedAt: Timestamp?
    package var exitCode: Int?
    package var message: String?
    /// output → digest of its `FileManifest`
    package var outputs: [String: ContentDigest]

    package var name: String { step.name }

    package init(
        execution: String, position: Int, step: ProjectFile.Step, state: State = .pending, attempt: Int = 0, attemptsForgiven: Int = 0,
        startedAt: Timestamp? = nil, endedAt: Timestamp? = nil, exitCode: Int? = nil, message: String? = nil, outputs: [String: ContentDigest] = [:]
    ) {
        self.execution = execution; self.position = position; self.step = step; self.state = state; self.attempt = attempt
        self.attemptsForgiven = attemptsForgiven; self.startedAt = startedAt; self.endedAt = endedAt; self.exitCode = exitCode; self.message = message; self.outputs = outputs
    }
}

/// How one attempt of a step ended.
package enum StepOutcome: Sendable, Hashable {
    case succeeded(outputs: [String: ContentDigest])
    case failed(exitCode: Int?, message: String)
    case canceled
    /// The supervisor was lost, or could not start the command.
    case errored(message: String)
}

package enum ExecutionEvent: Sendable, Hashable {
    /// The scheduler takes it up, for the first time or after a restart.
    case resume
    case prepared(snapshots: [String: String], lockDigest: ContentDigest)
    case notPrepared(Execution.State, message: String)
    case ended(step: String, attempt: Int, StepOutcome)
    case cancel(by: Principal)
    case finished(release: ContentDigest?, message: String?)
    case notFinished(Execution.State, message: String)
    case retry(by: Principal)
}

/// What the shell must do next. Every effect may be performed again after a crash.
package enum ExecutionEffect: Sendable, Hashable {
    case none
    case prepare
    /// These steps run: start those that do not, and wait until one of them ends.
    case attend([String])
    /// End these steps and wait until each has ended.
    case stop([String])
    case finish
    /// It is over: revoke tokens, remove what is not kept.
    case close
}

/// The execution's state machine, a pure value. `handle` changes the state and says what follows from it; since every effect can be
/// derived from the state alone (`.resume`), a new scheduler continues where a killed one stopped.
package struct ExecutionMachine: Sendable, Hashable {
    package private(set) var execution: Execution
    /// In the order of the project file.
    package private(set) var steps: [StepExecution]

    /// Attempts beyond a step's own retries after our machinery failed.
    package static let machineryRetries = 2

    package init(execution: Execution, steps: [StepExecution]) {
        self.execution = execution
        self.steps = steps.sorted { $0.position < $1.position }
    }

    /// - Throws: `conflict` for an event that the state cannot take.
    package mutating func handle(_ event: ExecutionEvent, at now: Timestamp) throws -> ExecutionEffect {
        switch event {
        case .resume:
            if execution.state == .queued {
                execution.state = .preparing
                execution.startedAt = execution.startedAt ?? now
            }
        case .prepared(let snapshots, let lockDigest):
            if execution.state == .canceling { break }
            try expect([.preparing], event)
            execution.snapshots = snapshots
            execution.lockDigest = lockDigest
            execution.state = .running
        case .notPrepared(let state, let message):
            if execution.state == .canceling { break }
            try expect([.preparing], event)
            end(as: state, message, at: now)
        case .ended(let name, let attempt, let outcome):
            try expect([.running, .canceling], event)
            try end(step: name, attempt: attempt, outcome, at: now)
        case .cancel(let principal):
            try expect([.queued, .preparing, .running, .canceling], event)
            if execution.state != .canceling {
                execution.state = .canceling
                execution.message = "Canceled by \(principal.raw)."
            }
        case .finished(let release, let message):
            try expect([.finishing], event)
            execution.release = release
            end(as: .succeeded, message, at: now)
        case .notFinished(let state, let message):
            try expect([.finishing], event)
            end(as: state, message, at: now)
        case .retry:
            try expect([.failed, .canceled, .errored], event)
            reset()
        }
        return settle(at: now)
    }

    private func expect(_ states: [Execution.State], _ event: ExecutionEvent) throws {
        if states.contains(execution.state) { return }
        let verb =
            switch event {
            case .cancel: "canceled"
            case .retry: "retried"
            default: "moved on"
            }
        throw SlipwayError(
            .conflict, "Execution '\(execution.id)' is \(execution.state.rawValue) and cannot be \(verb).",
            remedy: "See it: slipway execution show \(execution.id)")
    }

    /// Derives what follows from the state alone.
    private mutating func settle(at now: Timestamp) -> ExecutionEffect {
        switch execution.state {
        case .queued: return .none
        case .preparing: return .prepare
        case .finishing: return .finish
        case .running: return advance(at: now)
        case .canceling:
            let running = names(.running)
            if !running.isEmpty { return .stop(running) }
            end(as: .canceled, execution.message, at: now)
            return .close
        case .succeeded, .failed, .canceled, .errored: return .close
        }
    }

    private mutating func advance(at now: Timestamp) -> ExecutionEffect {
        if let broken = steps.first(where: { [.failed, .errored, .canceled].contains($0.state) }) {
            let running = names(.running)
            if !running.isEmpty { return .stop(running) }
            let worst = steps.first { $0.state == .failed } ?? steps.first { $0.state == .errored } ?? broken
            end(as: worst.state == .failed ? .failed : worst.state == .errored ? .errored : .canceled, worst.message, at: now)
            return .close
        }
        let done = Set(names(.succeeded))
        for index in steps.indices where steps[index].state == .pending && done.isSuperset(of: steps[index].step.needs) {
            steps[index].state = .running
            steps[index].attempt += 1
            steps[index].startedAt = now
            steps[index].endedAt = nil
            steps[index].exitCode = nil
            steps[index].message = nil
        }
        let running = names(.running)
        if !running.isEmpty { return .attend(running) }
        guard steps.allSatisfy({ $0.state == .succeeded }) else {
            end(as: .errored, "No step can run: the steps wait for each other.", at: now)
            return .close
        }
        execution.state = .finishing
        return .finish
    }

    private mutating func end(step name: String, attempt: Int, _ outcome: StepOutcome, at now: Timestamp) throws {
        guard let index = steps.firstIndex(where: { $0.name == name && $0.state == .running && $0.attempt == attempt }) else {
            throw SlipwayError(.conflict, "Step '\(name)' of execution '\(execution.id)' has no running attempt \(attempt).")
        }
        steps[index].endedAt = now
        var allowed = 1 + steps[index].step.retries + steps[index].attemptsForgiven
        switch outcome {
        case .succeeded(let outputs):
            steps[index].state = .succeeded
            steps[index].outputs = outputs
            steps[index].exitCode = 0
            return
        case .canceled:
            steps[index].state = .canceled
            return
        case .failed(let code, let message):
            steps[index].state = .failed
            steps[index].exitCode = code
            steps[index].message = message
        case .errored(let message):
            steps[index].state = .errored
            steps[index].message = message
            allowed += Self.machineryRetries
        }
        // A step that others' failure or a person is ending anyway is not tried again.
        if steps[index].attempt < allowed, execution.state == .running, !steps.contains(where: { $0.state == .failed && $0.name != name }) {
            steps[index].state = .pending
        }
    }

    private mutating func end(as state: Execution.State, _ message: String?, at now: Timestamp) {
        precondition(state.isFinal)
        execution.state = state
        execution.message = message
        execution.endedAt = now
        for index in steps.indices where steps[index].state == .pending {
            steps[index].state = state == .canceled ? .canceled : .skipped
        }
    }

    private mutating func reset() {
        execution.state = .queued
        execution.endedAt = nil
        execution.message = nil
        for index in steps.indices where steps[index].state != .succeeded {
            steps[index].state = .pending
            steps[index].attemptsForgiven = steps[index].attempt
            steps[index].startedAt = nil
            steps[index].endedAt = nil
            steps[index].exitCode = nil
            steps[index].message = nil
        }
    }

    private func names(_ state: StepExecution.State) -> [String] { steps.filter { $0.state == state }.map(\.name) }
}

/// One ref that one push moved. Durable before anything follows from it.
package struct PushEvent: Sendable, Hashable, Codable {
    /// 12 hexadecimal digits.
    package var id: String
    package var seq: Int64
    package var project: ProjectName
    /// Full name, such as `refs/heads/main`.
    package var ref: String
    /// Nil when the ref is new.
    package var old: String?
    /// Nil when the ref was deleted.
    package var new: String?
    /// `Principal.raw`
    package var pusher: String
    package var at: Timestamp
    package var handledAt: Timestamp?
    /// What followed, or why nothing did.
    package var message: String?

    package var branch: String? { ref.hasPrefix("refs/heads/") ? String(ref.dropFirst("refs/heads/".count)) : nil }

    package init(
        id: String, seq: Int64, project: ProjectName, ref: String, old: String?, new: String?, pusher: String, at: Timestamp,
        handledAt: Timestamp? = nil, message: String? = nil
    ) {
        self.id = id; self.seq = seq; self.project = project; self.ref = ref; self.old = old; self.new = new
        self.pusher = pusher; self.at = at; self.handledAt = handledAt; self.message = message
    }
}

/// The project file of the newest main-line commit that a realm knows.
package struct StoredProjectFile: Sendable, Hashable, Codable {
    package var project: ProjectName
    package var commit: String
    package var digest: ContentDigest
    package var file: ProjectFile
    package init(project: ProjectName, commit: String, digest: ContentDigest, file: ProjectFile) {
        self.project = project; self.commit = commit; self.digest = digest; self.file = file
    }
}
