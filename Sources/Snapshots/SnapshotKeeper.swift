import Logging
import ServiceLifecycle
import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// What a realm's data needs while nobody looks: due refreshes, expiry, and checks that changed. Everything it does follows from the
/// database, so a restart continues where it stopped.
package struct SnapshotKeeper: Service {
    let snapshots: SnapshotService
    let refreshes: RefreshService
    let pause: Duration

    package init(snapshots: SnapshotService, refreshes: RefreshService, pause: Duration = .seconds(5)) {
        self.snapshots = snapshots
        self.refreshes = refreshes
        self.pause = pause
    }

    package func run() async throws {
        do {
            try await cancelWhenGracefulShutdown {
                try await recover()
                while true {
                    await tick()
                    try await Task.sleep(for: pause)
                }
            }
        } catch is CancellationError {}
        refreshes.cancelAll()
    }

    /// Ends attempts that a killed server left, and removes what they had lying about.
    package func recover() async throws {
        let realm = snapshots.realm
        let now = snapshots.clock.now
        try await offload { try TableFolder.sweep(realm) }
        try await realm.database.write { tx in
            let store = RecipeStore(tx: tx)
            for attempt in try store.running() {
                try store.end(attempt.id, .failed, source: nil, snapshot: nil, message: "The server stopped during the refresh; it is tried again.", at: now)
            }
        }
    }

    /// One round. What goes wrong in one dataset is on its record and stops no other.
    package func tick() async {
        await attempt("refresh") { try await refreshDue() }
        await attempt("checks") { try await checkAgain() }
        await attempt("sweep") {
            let sweep = try await snapshots.sweep()
            if !sweep.removed.isEmpty || sweep.bytesFreed > 0 {
                snapshots.logger.notice(
                    "data swept", metadata: ["environment": "\(snapshots.environment.rawValue)", "removed": "\(sweep.removed.count)", "bytes": "\(sweep.bytesFreed)"])
            }
        }
    }

    private func attempt(_ what: String, _ body: () async throws -> Void) async {
        do {
            try await body()
        } catch is CancellationError {
        } catch {
            snapshots.logger.error("data keeper", metadata: ["environment": "\(snapshots.environment.rawValue)", "work": "\(what)", "error": "\(error)"])
        }
    }

    private func refreshDue() async throws {
        let now = snapshots.clock.now
        let due = try await snapshots.realm.database.read { tx in
            let store = RecipeStore(tx: tx)
            return try store.allAdopted().filter { recipe in
                try RefreshSchedule.isDue(recipe, try store.attempts(of: recipe.dataset, project: recipe.project, limit: 100), at: now)
            }
        }
        for recipe in due {
            try Task.checkCancellation()
            await attempt("refresh of \(recipe.project)/\(recipe.dataset)") {
                _ = try await refreshes.refresh(dataset: recipe.dataset, project: recipe.project, by: .system("data-refresh"))
            }
        }
    }

    /// The newest snapshot answers to the main line's checks, also when they came after it.
    private func checkAgain() async throws {
        for project in try await snapshots.realm.database.read({ tx in try SnapshotStore(tx: tx).projects() }) {
            let latest = try await snapshots.realm.database.read { tx in
                let store = SnapshotStore(tx: tx)
                return try store.datasets(of: project).compactMap { try store.list(dataset: $0, project: project, limit: 1).first }
            }
            for snapshot in latest {
                guard let text = try await snapshots.checksFile(snapshot.dataset, project) else { continue }
                if snapshot.checks.checksDigest == ContentDigest(of: text) { continue }
                try await snapshots.check(snapshot, by: .system("data-checks"))
            }
        }
    }
}
