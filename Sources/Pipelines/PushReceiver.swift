import Foundation
import Logging
import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// Turns moved refs into durable push events, and events into what follows: project files in force, offered recipes, executions.
///
/// Truth is what the repository's refs say, compared with what the database last recorded; the hook's spool only names the pusher.
/// So a server killed at any moment between a push and its event finds the difference when it starts again.
package struct PushReceiver: Sendable {
    let realms: [EnvironmentID: Realm]
    let history: GitHistory
    let executions: [EnvironmentID: ExecutionService]
    let clock: any WallClock
    let ids: any IDGenerator
    let logger: Logger

    package init(
        realms: [EnvironmentID: Realm], history: GitHistory, executions: [EnvironmentID: ExecutionService], clock: any WallClock, ids: any IDGenerator, logger: Logger
    ) {
        self.realms = realms
        self.history = history
        self.executions = executions
        self.clock = clock
        self.ids = ids
        self.logger = logger
    }

    private struct Noted: Sendable {
        var file: URL
        var pusher: String
        /// ref → (old, new); nil for "not there".
        var moves: [(ref: String, old: String?, new: String?)]
    }

    private struct Move: Sendable {
        var ref: String
        var old: String?
        var new: String?
        var pusher: String
        var commits: [String]
    }

    /// All repositories: at the start, and now and then.
    package func reconcileAll() async throws {
        for project in try history.repositories.projects() { try await reconcile(project) }
        try await followUp()
    }

    /// Records every ref of the project that moved, then lets follow what follows.
    package func reconcile(_ project: ProjectName) async throws {
        guard let dev = realms[.dev] else { return }
        for _ in 0..<5 {
            let noted = try await offload { try readSpool(of: project) }
            let recorded = try await dev.database.read { tx in try PushStore(tx: tx).refs(of: project) }
            let actual = try await history.refs(of: project)
            var moves: [Move] = []
            for ref in Set(recorded.keys).union(actual.keys).sorted() where recorded[ref] != actual[ref] {
                moves += try await path(of: ref, from: recorded[ref], to: actual[ref], noted: noted, project: project)
            }
            if try await record(moves, of: project, ifStill: recorded, in: dev) {
                try await offload { [moves] in try sweepSpool(noted, recorded: moves) }
                break
            }
        }
        try await followUp()
    }

    /// The moves that lead from what is recorded to what is there, walked backwards through what the hook noted; the newest note of a move wins.
    private func path(of ref: String, from old: String?, to new: String?, noted: [Noted], project: ProjectName) async throws -> [Move] {
        var hops: [(old: String?, new: String?, pusher: String)] = []
        var target = new
        var rest = noted[...]
        while target != old, let index = rest.lastIndex(where: { note in note.moves.contains { $0.ref == ref && $0.new == target } }),
            let move = rest[index].moves.first(where: { $0.ref == ref && $0.new == target })
        {
            hops.append((move.old, move.new, rest[index].pusher))
            target = move.old
            rest = rest[..<index]
        }
        if target != old {
            // Somebody moved the ref without a push, or the notes are gone: one honest move by nobody known.
            hops = [(old, new, hops.first?.pusher ?? Principal.system("git").raw)]
        }
        var moves: [Move] = []
        for hop in hops.reversed() {
            let commits: [String] = if let tip = hop.new { try await history.brought(from: hop.old, to: tip, in: project) } else { [] }
            moves.append(Move(ref: ref, old: hop.old, new: hop.new, pusher: hop.pusher, commits: commits))
        }
        return moves
    }

    /// - Returns: false when another round recorded something meanwhile.
    private func record(_ moves: [Move], of project: ProjectName, ifStill recorded: [String: String], in dev: Realm) async throws -> Bool {
        if moves.isEmpty { return true }
        let now = clock.now
        let eventIDs = moves.map { _ in String(ids.hex32().suffix(12)) }
        return try await dev.database.write { tx in
            let store = PushStore(tx: tx)
            guard try store.refs(of: project) == recorded else { return false }
            for (id, move) in zip(eventIDs, moves) {
                let event = try store.insert(
                    id: id, project: project, ref: move.ref, old: move.old, new: move.new, pusher: move.pusher, commits: move.commits, at: now)
                try AuditStore(tx: tx).append(
                    "code.push", subject: "ref:\(project)/\(move.ref)", project: project, by: Principal(raw: move.pusher), at: now,
                    details: ["push": .string(event.id), "old": move.old.map { .string($0) } ?? .null, "new": move.new.map { .string($0) } ?? .null])
            }
            return true
        }
    }

    // MARK: The hook's spool

    private func spool(of project: ProjectName) -> URL { history.repositories.folder(of: project).appending(path: GitHooks.spool) }

    private func readSpool(of project: ProjectName) throws -> [Noted] {
        let folder = spool(of: project)
        guard FileManager.default.fileExists(atPath: folder.path) else { return [] }
        let zero = String(repeating: "0", count: 40)
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { !$0.hasPrefix(".") }.sorted().map { name in
            let file = folder.appending(path: name)
            let lines = String(decoding: try Data(contentsOf: file), as: UTF8.self).split(separator: "\n").map(String.init)
            let moves = lines.dropFirst().compactMap { line -> (ref: String, old: String?, new: String?)? in
                let parts = line.split(separator: " ", maxSplits: 2).map(String.init)
                return parts.count == 3 ? (parts[2], parts[0] == zero ? nil : parts[0], parts[1] == zero ? nil : parts[1]) : nil
            }
            return Noted(file: file, pusher: lines.first ?? "", moves: moves)
        }
    }

    /// Removes notes whose moves are all recorded, and those of pushes that have had an hour to happen.
    private func sweepSpool(_ noted: [Noted], recorded: [Move]) throws {
        let hourAgo = clock.now - .seconds(3600)
        for note in noted {
            let isDone = note.moves.allSatisfy { move in recorded.contains { $0.ref == move.ref && $0.old == move.old && $0.new == move.new } }
            // The name starts with the nanoseconds since 1970.
            let isOld = Int64(note.file.lastPathComponent.prefix { $0.isNumber }.dropLast(6)).map { Timestamp(milliseconds: $0) < hourAgo } ?? true
            if isDone || isOld { try FileManager.default.removeItem(at: note.file) }
        }
    }

    // MARK: What follows

    /// Works off events, oldest first. Each consequence may be performed twice with the effect of once.
    package func followUp() async throws {
        guard let dev = realms[.dev] else { return }
        let open = try await dev.database.read { tx in try PushStore(tx: tx).unhandled() }
        for event in open {
            let message: String
            do {
                message = try await follow(event)
            } catch let error as SlipwayError where [.invalidArgument, .notFound].contains(error.code) {
                message = error.description
            }
            let now = clock.now
            try await dev.database.write { tx in try PushStore(tx: tx).handled(event.id, message: message, at: now) }
        }
    }

    private func follow(_ event: PushEvent) async throws -> String {
        guard let branch = event.branch else { return "A tag starts nothing." }
        guard let commit = event.new else { return "The branch was deleted." }
        let main = try await history.mainBranch(of: event.project)
        let file = try await history.projectFile(at: commit, of: event.project)
        if branch == main { try await putInForce(file, commit, event) }
        var started: [String] = []
        for environment in PushTriggers.environments(of: branch, main: main, file) {
            guard let service = executions[environment] else { continue }
            let execution = try await service.begin(
                ExecutionOrder(
                    project: event.project, commit: commit, branch: branch, trigger: .push, requestedBy: Principal(raw: event.pusher), request: "push:\(event.id)", file: file))
            started.append("execution \(execution.id) in \(environment.rawValue)")
        }
        return started.isEmpty ? "No trigger of slipway.yaml fits '\(branch)'." : "Started \(started.joined(separator: ", "))."
    }

    private func putInForce(_ file: ProjectFile, _ commit: String, _ event: PushEvent) async throws {
        let now = clock.now
        for (environment, realm) in realms {
            try await realm.database.write { tx in
                guard try ProjectFileStore(tx: tx).move(project: event.project, to: commit, file: file, push: event.seq, at: now) else { return }
                for (dataset, entry) in file.data {
                    guard let refresh = entry.refresh[environment] else { continue }
                    try RecipeStore(tx: tx).propose(project: event.project, dataset: dataset, refresh: refresh, commit: commit, at: now)
                }
                try AuditStore(tx: tx).append(
                    "code.inForce", subject: "project:\(event.project)", project: event.project, by: Principal(raw: event.pusher), at: now,
                    details: ["commit": .string(commit), "push": .string(event.id)])
            }
        }
    }
}
