import Foundation
import SlipwayCore
import SlipwayStore
import Synchronization

/// What the server itself says of an execution: environment, inputs, refusals. One file beside the steps' logs.
final class ExecutionLog: Sendable {
    private let handle: Mutex<FileHandle>

    static func file(in folder: URL) -> URL { folder.appending(path: "execution.log") }

    init(folder: URL) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let file = Self.file(in: folder)
        let descriptor = open(file.path, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw StepFolder.failure("open", file) }
        handle = Mutex(FileHandle(fileDescriptor: descriptor, closeOnDealloc: true))
    }

    func write(_ text: String) {
        handle.withLock { handle in
            do { try handle.write(contentsOf: Data((text + "\n").utf8)) } catch {}  // a full disk shows itself in what the log is about
        }
    }
}

extension ExecutionService {
    private static let poll = Duration.milliseconds(100)

    /// Hands over the logs of an execution: the server's own, then each step's attempts in the order they began.
    /// - Parameters:
    ///   - step: only this step.
    ///   - follow: goes on until the execution is over.
    package func readLog(
        of id: String, step: String?, follow: Bool, by caller: Caller, write: ([UInt8]) async throws -> Void
    ) async throws {
        var machine = try await self.machine(id, by: caller)
        if let step, !machine.steps.contains(where: { $0.name == step }) {
            throw SlipwayError.notFound("Execution '\(id)' has no step '\(step.prefix(80))'.", remedy: "Its steps: \(machine.steps.map(\.name).joined(separator: ", ")).")
        }
        if step == nil { machine = try await copy(ExecutionLog.file(in: folder(of: id)), id, follow, write) { ![.queued, .preparing].contains($0.execution.state) } }
        var shown: Set<Part> = []
        while true {
            if let part = Self.parts(machine, step).first(where: { !shown.contains($0) }) {
                shown.insert(part)
                if step == nil || part.attempt > 1 { try await write(Array("── \(part.step)\(part.attempt > 1 ? ", attempt \(part.attempt)" : "") ──\n".utf8)) }
                let log = folder(of: id).appending(path: "steps/\(part.step)/\(part.attempt)/log")
                machine = try await copy(log, id, follow, write) { machine in
                    machine.steps.contains { $0.name == part.step && ($0.attempt > part.attempt || $0.state != .running) }
                }
                continue
            }
            if !follow || machine.execution.state.isFinal { break }
            try await Task.sleep(for: Self.poll)
            machine = try await self.machine(id)
        }
        if step == nil, machine.execution.state.isFinal {
            let message = machine.execution.message.map { " \($0)" } ?? ""
            try await write(Array("── \(machine.execution.state.rawValue) ──\(message)\n".utf8))
        }
    }

    private struct Part: Hashable { var step: String; var attempt: Int }

    private static func parts(_ machine: ExecutionMachine, _ step: String?) -> [Part] {
        machine.steps.filter { $0.attempt > 0 && (step == nil || $0.name == step) }
            .sorted { ($0.startedAt?.milliseconds ?? 0, $0.position) < ($1.startedAt?.milliseconds ?? 0, $1.position) }
            .flatMap { step in (1...step.attempt).map { Part(step: step.name, attempt: $0) } }
    }

    /// Copies a file as it grows. The look at the state comes before the look at the file, so that nothing written before the end is missed.
    private func copy(
        _ file: URL, _ id: String, _ follow: Bool, _ write: ([UInt8]) async throws -> Void, isOver: (ExecutionMachine) -> Bool
    ) async throws -> ExecutionMachine {
        var offset: UInt64 = 0
        while true {
            let machine = try await self.machine(id)
            let isLast = !follow || isOver(machine)
            while true {
                let from = offset
                let piece = try await offload { try Self.read(file, from: from) }
                if piece.isEmpty { break }
                offset += UInt64(piece.count)
                try await write(piece)
            }
            if isLast { return machine }
            try await Task.sleep(for: Self.poll)
        }
    }

    private static func read(_ file: URL, from offset: UInt64) throws -> [UInt8] {
        guard FileManager.default.fileExists(atPath: file.path) else { return [] }
        let handle = try FileHandle(forReadingFrom: file)
        defer { do { try handle.close() } catch {} }  // read only: nothing can be lost
        try handle.seek(toOffset: offset)
        return Array(try handle.read(upToCount: 256 << 10) ?? Data())
    }
}
