import DequeModule
import Foundation
import Logging
import NIOCore
import NIOPosix
import SlipwayCore
import Synchronization

/// Keeps the workers of one deployment alive and hands them out: first come, first served, with a bounded queue.
final class DeploymentPool: Sendable {
    /// What makes two deployments the same processes.
    struct Key: Sendable, Hashable {
        var slot: SlotName
        var release: ContentDigest
        var place: RoutedDeployment.Place
        var workers: Int
    }

    struct Bounds: Sendable {
        var queueMax = 128
        var deadline = Duration.seconds(30)
        var loadDeadline = Duration.seconds(120)
        /// A worker that fails again and again is started again ever more slowly, up to this.
        var backOffMin = Duration.milliseconds(200)
        var backOffMax = Duration.seconds(30)
    }

    let key: Key
    let deployment: RoutedDeployment
    let meter: DeploymentMeter
    private let bounds: Bounds
    private let setup: ModelWorker.Setup
    private let logger: Logger
    private let onChange: @Sendable () -> Void
    private let state = Mutex(State())

    private struct State {
        var idle: [ModelWorker] = []
        var live = 0
        var busy = 0
        var waiting: Deque<Waiter> = []
        var nextWaiter: UInt64 = 0
        var failuresInARow = 0
        var reason: String?
        var facts: ModelFacts?

        mutating func takeIdle() -> ModelWorker? {
            while let worker = idle.popLast() {
                if worker.process.hasEnded { continue }
                busy += 1
                return worker
            }
            return nil
        }
    }

    private struct Waiter {
        var id: UInt64
        var continuation: CheckedContinuation<ModelWorker, any Error>
    }

    init(
        key: Key, deployment: RoutedDeployment, meter: DeploymentMeter, bounds: Bounds, setup: ModelWorker.Setup, logger: Logger,
        onChange: @escaping @Sendable () -> Void
    ) {
        self.key = key
        self.deployment = deployment
        self.meter = meter
        self.bounds = bounds
        self.setup = setup
        self.logger = logger
        self.onChange = onChange
    }

    // MARK: Asking

    /// - Throws: `tooMuch` when the queue is full, `unavailable` when no worker lives or the deadline passes.
    func answer(_ request: WorkerRequest) async throws -> WorkerAnswer {
        let start = ContinuousClock.now
        let worker = try await acquire()
        do {
            let answer = try await worker.answer(request, within: bounds.deadline - (ContinuousClock.now - start))
            giveBack(worker)
            return answer
        } catch {
            worker.end()
            state.withLock { $0.busy -= 1 }
            if error is DeadlineExceeded {
                throw PredictionFailure.tooLate(bounds.deadline)
            }
            throw PredictionFailure.workerDied
        }
    }

    private func acquire() async throws -> ModelWorker {
        if let worker = state.withLock({ $0.takeIdle() }) { return worker }
        return try await withCheckedThrowingContinuation { continuation in
            let outcome: Result<ModelWorker?, any Error> = state.withLock { state in
                Result {
                    if let worker = state.takeIdle() { return worker }
                    guard state.live > 0 else { throw PredictionFailure.notReady(state.reason) }
                    guard state.waiting.count < bounds.queueMax else { throw PredictionFailure.queueFull(bounds.queueMax) }
                    state.nextWaiter += 1
                    let id = state.nextWaiter
                    state.waiting.append(Waiter(id: id, continuation: continuation))
                    MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: .milliseconds(bounds.deadline.milliseconds)) { [weak self] in
                        self?.giveUp(waiter: id)
                    }
                    return nil
                }
            }
            switch outcome {
            case .success(let worker?): continuation.resume(returning: worker)
            case .success(nil): break
            case .failure(let error): continuation.resume(throwing: error)
            }
        }
    }

    private func giveUp(waiter id: UInt64) {
        let waiter = state.withLock { state -> Waiter? in
            guard let index = state.waiting.firstIndex(where: { $0.id == id }) else { return nil }
            return state.waiting.remove(at: index)
        }
        waiter?.continuation.resume(throwing: PredictionFailure.tooLate(bounds.deadline))
    }

    private func giveBack(_ worker: ModelWorker) {
        let next = state.withLock { state -> Waiter? in
            state.failuresInARow = 0
            if let waiter = state.waiting.popFirst() { return waiter }
            state.busy -= 1
            state.idle.append(worker)
            return nil
        }
        next?.continuation.resume(returning: worker)
    }

    // MARK: State

    var isReady: Bool { state.withLock { $0.live > 0 } }
    var facts: ModelFacts? { state.withLock { $0.facts } }
    var inFlight: Int { state.withLock { $0.busy + $0.waiting.count } }

    /// Failed means that it cannot load: twice in a row without a living worker. It is tried again all the same.
    var condition: (state: DeploymentStatus.State, reason: String?) {
        state.withLock { state in
            if state.live > 0 { return (.ready, nil) }
            return state.failuresInARow >= 2 ? (.failed, state.reason) : (.loading, state.reason)
        }
    }

    // MARK: Keeping workers alive

    /// Runs until cancelled, then ends every worker.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<max(1, key.workers) { group.addTask { await self.keepWorker() } }
        }
        let waiting = state.withLock { state in
            defer { state.waiting.removeAll() }
            return state.waiting
        }
        for waiter in waiting { waiter.continuation.resume(throwing: PredictionFailure.notReady(nil)) }
    }

    private func keepWorker() async {
        while !Task.isCancelled {
            do {
                let worker = try await ModelWorker.start(setup)
                await withTaskCancellationHandler {
                    admit(worker)
                    let ending = await worker.process.ending()
                    dismiss(worker, ending)
                } onCancel: {
                    worker.end()
                }
            } catch {
                if Task.isCancelled { return }
                note(failure: (error as? SlipwayError)?.description ?? "\(error)")
            }
            let failures = state.withLock { $0.failuresInARow }
            let pause = min(bounds.backOffMax, bounds.backOffMin * (1 << min(failures, 10)))
            try? await Task.sleep(for: pause)  // cancelled: the loop ends
        }
    }

    private func admit(_ worker: ModelWorker) {
        let next = state.withLock { state -> Waiter? in
            state.live += 1
            state.facts = worker.facts
            state.reason = nil
            if let waiter = state.waiting.popFirst() {
                state.busy += 1
                return waiter
            }
            state.idle.append(worker)
            return nil
        }
        next?.continuation.resume(returning: worker)
        onChange()
    }

    private func dismiss(_ worker: ModelWorker, _ ending: ChildProcess.Ending) {
        let stranded = state.withLock { state -> Deque<Waiter> in
            state.live -= 1
            state.idle.removeAll { $0 === worker }
            state.failuresInARow += 1
            state.reason = "The worker \(ending)."
            guard state.live == 0 else { return [] }
            defer { state.waiting.removeAll() }
            return state.waiting
        }
        // They wait for any worker and were with none: this is no failure of theirs or of the model with them.
        for waiter in stranded { waiter.continuation.resume(throwing: PredictionFailure.notReady("The worker \(ending).")) }
        if !Task.isCancelled { logger.warning("worker ended", metadata: ["slot": "\(key.slot)", "release": "\(key.release.short)", "ending": "\(ending)"]) }
        onChange()
    }

    private func note(failure: String) {
        state.withLock { state in
            state.failuresInARow += 1
            state.reason = failure
        }
        logger.warning("worker did not start", metadata: ["slot": "\(key.slot)", "release": "\(key.release.short)", "reason": "\(failure)"])
        onChange()
    }
}

/// Why a request got no prediction; each has its own status at the edge.
enum PredictionFailure: Error {
    case queueFull(Int)
    case notReady(String?)
    case tooLate(Duration)
    case workerDied
}
