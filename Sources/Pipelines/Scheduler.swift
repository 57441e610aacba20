import Foundation
import Logging
import ServiceLifecycle
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import Synchronization

/// Carries out a realm's executions, a bounded number at once, oldest first, and starts those that a schedule asks for.
package struct Scheduler: Service {
    let service: ExecutionService
    let driver: ExecutionDriver
    /// Executions under way at once.
    let parallel: Int
    private let state = SchedulerState()

    package init(service: ExecutionService, driver: ExecutionDriver, parallel: Int = 2) {
        self.service = service
        self.driver = driver
        self.parallel = parallel
    }

    /// Runs until the server stops. Steps go on; the next scheduler finds them by their files.
    package func run() async throws {
        await cancelWhenGracefulShutdown { await work() }
    }

    package func work() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await sweep() }
            group.addTask { await tick() }
            for await _ in service.wakes {
                if Task.isCancelled { break }
                let next = await take()
                for id in next {
                    group.addTask { await drive(id) }
                }
            }
            group.cancelAll()
        }
    }

    /// Closes executions whose end was written by a server that did not live to clean up after them.
    private func sweep() async {
        do {
            let folder = service.realm.directory.appending(path: "executions")
            guard FileManager.default.fileExists(atPath: folder.path) else { return }
            for id in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
                guard FileManager.default.fileExists(atPath: folder.appending(path: "\(id)/inputs").path) else { continue }
                let found = try await service.realm.database.read { tx in try ExecutionStore(tx: tx).execution(id) }
                if let found, found.state.isFinal { try await driver.close(found) }
            }
        } catch is CancellationError {
        } catch {
            service.logger.error("sweep", metadata: ["environment": "\(service.environment.rawValue)", "error": "\(error)"])
        }
    }

    /// Once a second: picks up what nobody announced, and looks at the clock.
    private func tick() async {
        var round = 0
        while !Task.isCancelled {
            service.wake()
            if round % 15 == 0 { await startScheduled() }
            round += 1
            do { try await Task.sleep(for: .seconds(1)) } catch { return }
        }
    }

    private func take() async -> [String] {
        do {
            let open = try await service.realm.database.read { tx in try ExecutionStore(tx: tx).unfinished() }
            return state.take(open.map { ($0.id, isQueued: $0.state == .queued) }, parallel: parallel, now: .now)
        } catch {
            service.logger.error("scheduler", metadata: ["environment": "\(service.environment.rawValue)", "error": "\(error)"])
            return []
        }
    }

    private func drive(_ id: String) async {
        var failed = false
        do {
            try await driver.drive(id)
        } catch is CancellationError {
        } catch {
            failed = !Task.isCancelled
            service.logger.error("execution", metadata: ["id": "\(id)", "error": "\(error)"])
        }
        state.leave(id, until: failed ? .now + .seconds(5) : nil)
        service.wake()
    }

    // MARK: By the clock

    private func startScheduled() async {
        do {
            let heads = try await service.realm.database.read { tx in try ProjectFileStore(tx: tx).all() }
            for head in heads {
                guard let text = head.file.triggers.schedule[service.environment] else { continue }
                try await startIfDue(head, try CronSchedule(parsing: text))
            }
        } catch is CancellationError {
        } catch {
            service.logger.error("schedule", metadata: ["environment": "\(service.environment.rawValue)", "error": "\(error)"])
        }
    }

    private func startIfDue(_ head: StoredProjectFile, _ schedule: CronSchedule) async throws {
        let now = service.clock.now
        let isDue = try await service.realm.database.write { tx in
            let store = ExecutionStore(tx: tx)
            // What was due before the schedule was first seen is past.
            let last = try store.lastFire(of: head.project) ?? now
            try store.setLastFire(of: head.project, to: now)
            return schedule.fires(after: last, until: now)
        }
        guard isDue else { return }
        _ = try await service.begin(
            ExecutionOrder(
                project: head.project, commit: head.commit, branch: head.file.mainBranch, trigger: .schedule, requestedBy: .system("schedule"), file: head.file))
    }
}

/// Who is being driven, and who must wait after a fault.
private final class SchedulerState: Sendable {
    private struct Books { var driven: Set<String> = []; var notBefore: [String: ContinuousClock.Instant] = [:] }
    private let books = Mutex(Books())

    /// What is under way already (after a restart) has its place; queued ones wait for a free one.
    func take(_ open: [(id: String, isQueued: Bool)], parallel: Int, now: ContinuousClock.Instant) -> [String] {
        books.withLock { books in
            var taken: [String] = []
            for (id, isQueued) in open where !books.driven.contains(id) && books.notBefore[id].map({ $0 <= now }) ?? true {
                if isQueued, books.driven.count >= parallel { continue }
                books.driven.insert(id)
                books.notBefore[id] = nil
                taken.append(id)
            }
            return taken
        }
    }

    func leave(_ id: String, until: ContinuousClock.Instant?) {
        books.withLock { books in
            books.driven.remove(id)
            books.notBefore[id] = until
        }
    }
}

/// Looks after pushes whose event was not recorded or followed up, for instance because the server was killed in between.
package struct PushWatch: Service {
    let receiver: PushReceiver

    package init(receiver: PushReceiver) { self.receiver = receiver }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    try await receiver.reconcileAll()
                } catch is CancellationError {
                    return
                } catch {
                    receiver.logger.error("push", metadata: ["error": "\(error)"])
                }
                do { try await Task.sleep(for: .seconds(15)) } catch { return }
            }
        }
    }
}
