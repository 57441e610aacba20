import Foundation
import Logging
import NIOCore
import NIOPosix
import SlipwayCore
import Synchronization

/// One running worker process with its connection. Answers one request at a time; its owner sees to that.
final class ModelWorker: Sendable {
    struct Setup: Sendable {
        var script: URL
        var folder: ServingFolder
        var sockets: SocketFolder
        var python: String
        var model: String
        var modelName: String
        var modelVersion: Int
        var log: URL
        /// Bytes of address space.
        var memoryMax: Int
        var loadDeadline: Duration
    }

    let process: ChildProcess
    let facts: ModelFacts
    private let channel: any Channel
    private let handler: NIOLoopBound<WorkerAnswerHandler>

    private init(process: ChildProcess, facts: ModelFacts, channel: any Channel, handler: NIOLoopBound<WorkerAnswerHandler>) {
        self.process = process
        self.facts = facts
        self.channel = channel
        self.handler = handler
    }

    /// Starts the process and waits until the model is loaded.
    /// - Throws: `unavailable` with the last line of the worker's log when it ends first or takes too long.
    static func start(_ setup: Setup) async throws -> ModelWorker {
        let socket = "w-\(RandomIDs().hex32().prefix(12)).sock"
        let process = try await ChildProcess.start(launch(setup, socket: socket))
        let late = Atomic(false)
        let timer = MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: .milliseconds(setup.loadDeadline.milliseconds)) {
            late.store(true, ordering: .relaxed)
            process.signal(SIGKILL)
        }
        defer { timer.cancel() }
        do {
            return try await withTaskCancellationHandler {
                try await connect(setup, process: process, socket: socket)
            } onCancel: {
                process.signal(SIGKILL)
            }
        } catch {
            process.signal(SIGKILL)
            let ending = await process.ending()
            unlink(setup.folder.workers.appending(path: socket).path)
            try Task.checkCancellation()
            if late.load(ordering: .relaxed) {
                throw SlipwayError(.unavailable, "The model did not load within \(setup.loadDeadline.spelled).", remedy: "The worker's log: \(setup.log.path)")
            }
            let line = try await offload { lastLines(of: setup.log) }
            throw SlipwayError(.unavailable, "The worker \(ending). \(line ?? "")", remedy: "The worker's log: \(setup.log.path)")
        }
    }

    private static func launch(_ setup: Setup, socket: String) -> ChildProcess.Launch {
        var environment = ProcessInfo.processInfo.environment.filter { ["PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH"].contains($0.key) }
        environment.merge([
            // Parallel answers come from several workers, so one request keeps to one thread.
            "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
            // The model's folder is shared and read-only.
            "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "PYTHONNOUSERSITE": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true",
        ]) { $1 }
        return ChildProcess.Launch(
            program: setup.python,
            arguments: [
                setup.script.path, "--model", setup.model, "--folder", setup.folder.workers.path, "--socket", socket, "--name", setup.modelName, "--version",
                String(setup.modelVersion),
                "--parent", String(getpid()), "--memory", String(setup.memoryMax),
            ],
            environment: environment, log: setup.log)
    }

    private static func connect(_ setup: Setup, process: ChildProcess, socket: String) async throws -> ModelWorker {
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let place = setup.folder.workers.appending(path: socket).path
        while !process.hasEnded {
            try Task.checkCancellation()
            if FileManager.default.fileExists(atPath: place) {
                if let (channel, handler) = try? await open(setup.sockets.path(socket), on: loop) {  // bound, but not listening yet
                    let hello = try await next(channel, handler).get()
                    let facts = try JSONDecoder().decode(ModelFacts.self, from: Data(hello.body.readableBytesView))
                    return ModelWorker(process: process, facts: facts, channel: channel, handler: handler)
                }
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw WorkerGone()
    }

    private static func open(_ path: String, on loop: any EventLoop) async throws -> (any Channel, NIOLoopBound<WorkerAnswerHandler>) {
        try await ClientBootstrap(group: loop).connect(unixDomainSocketPath: path) { channel in
            channel.eventLoop.makeCompletedFuture {
                let handler = WorkerAnswerHandler()
                try channel.pipeline.syncOperations.addHandler(handler)
                return (channel, NIOLoopBound(handler, eventLoop: channel.eventLoop))
            }
        }
    }

    private static func next(_ channel: any Channel, _ handler: NIOLoopBound<WorkerAnswerHandler>) -> EventLoopFuture<WorkerAnswer> {
        let promise = channel.eventLoop.makePromise(of: WorkerAnswer.self)
        channel.eventLoop.execute { handler.value.wait(promise) }
        return promise.futureResult
    }

    /// Sends the request and waits for its answer.
    /// - Throws: `WorkerGone` when the process ended, `DeadlineExceeded` when it took too long; it is killed then, because it
    ///   may never come back.
    func answer(_ request: WorkerRequest, within deadline: Duration) async throws -> WorkerAnswer {
        let (channel, handler, process) = (channel, handler, process)
        let late = Atomic(false)
        let promise = channel.eventLoop.makePromise(of: WorkerAnswer.self)
        channel.eventLoop.execute {
            handler.value.wait(promise)
            let timer = channel.eventLoop.scheduleTask(in: .milliseconds(deadline.milliseconds)) {
                late.store(true, ordering: .relaxed)
                process.signal(SIGKILL)
            }
            promise.futureResult.whenComplete { _ in timer.cancel() }
            var head = channel.allocator.buffer(capacity: 16)
            request.write(to: &head)
            channel.write(head, promise: nil)
            channel.writeAndFlush(request.body, promise: nil)
        }
        return try await promise.futureResult.flatMapErrorThrowing { error in
            throw late.load(ordering: .relaxed) ? DeadlineExceeded() : error
        }.get()
    }

    /// Ends the process; a worker has nothing to save.
    func end() { process.signal(SIGKILL) }
}

struct DeadlineExceeded: Error {}

/// What a worker says of its model once it is loaded: the model metadata of the Open Inference Protocol.
struct ModelFacts: Sendable, Hashable, Codable {
    struct Tensor: Sendable, Hashable, Codable {
        var name: String
        var datatype: String
        var shape: [String]
    }

    /// `predict`, `predict_proba[:,1]`, …
    var method: String
    var inputs: [Tensor]
    var outputs: [Tensor]
}
