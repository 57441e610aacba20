import Foundation
import Logging
import ServiceLifecycle
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import Synchronization

/// What monitoring does by itself: counts new baselines, reports on whole periods, carries retrainings on.
package final class MonitoringDriver: Service {
    let monitoring: MonitoringService
    private let pause: Duration
    private let memory = Mutex<Memory>(Memory())

    private struct Memory {
        /// Baselines that failed, until when they are left alone.
        var failed: [ContentDigest: Timestamp] = [:]
        /// Windows that held no request, by slot and start: not looked at again.
        var empty: Set<String> = []
    }

    private static let retryAfter = Duration.seconds(600)
    private static let memoryMax = 10_000

    package init(_ monitoring: MonitoringService, pause: Duration = .seconds(2)) {
        self.monitoring = monitoring
        self.pause = pause
    }

    package func run() async throws {
        do { try await monitoring.sweep() } catch { monitoring.logger.warning("sweep failed", metadata: ["error": "\(error)"]) }
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await self.pass()
                do { try await Task.sleep(for: self.pause) } catch { return }
            }
        }
    }

    /// One round of everything; what goes wrong is logged and tried again in the next.
    package func pass() async {
        let parts: [(String, @Sendable () async throws -> Void)] = [
            ("baselines", keepBaselines), ("reports", reportOnPeriods), ("retraining", monitoring.advanceRetrainings),
        ]
        for (name, part) in parts where !Task.isCancelled {
            do {
                try await part()
            } catch is CancellationError {
                return
            } catch {
                monitoring.logger.error("monitoring", metadata: ["part": "\(name)", "environment": "\(monitoring.environment.rawValue)", "error": "\(error)"])
            }
        }
    }

    private func keepBaselines() async throws {
        let now = monitoring.clock.now
        let resting = memory.withLock { memory in
            memory.failed = memory.failed.filter { $0.value > now }
            return Set(memory.failed.keys)
        }
        let failures = try await monitoring.keepBaselines(skipping: resting)
        for (release, error) in failures {
            // The realm below may need a few seconds for its own count.
            let isSoon = (error as? SlipwayError)?.code == .unavailable
            memory.withLock { memory in
                if memory.failed.count < Self.memoryMax { memory.failed[release] = now + (isSoon ? .seconds(5) : Self.retryAfter) }
            }
            if !isSoon { monitoring.logger.warning("no baseline", metadata: ["release": "\(release.short)", "error": "\(error)"]) }
        }
    }

    /// Each whole period once after it ended, and once more when its labels arrived.
    private func reportOnPeriods() async throws {
        let environment = monitoring.environment
        let slots = try await monitoring.realm.database.read { tx in
            try SlotStore(tx: tx).list().filter { $0.current != nil }
                .map { MonitoringService.Watched(slot: $0, file: try MonitoringService.projectFile(of: $0, environment, tx)) }
        }
        for watched in slots {
            guard let drift = watched.file?.monitoring?.drift else { continue }
            let now = monitoring.clock.now
            let last = try DriftRules.lastWindow(before: now, every: drift.every)
            try await reportOnce(watched, last) { $0 == nil }
            guard let labels = watched.monitoring.labels else { continue }
            let labelled = try DriftRules.lastWindow(before: now - labels.delay.value, every: drift.every)
            let newest = try await monitoring.realm.database.read { tx in try LabelStore(tx: tx).list(watched.slot.name, limit: 1).batches.first?.receivedAt }
            guard let newest else { continue }
            try await reportOnce(watched, labelled) { report in
                guard let report else { return true }
                return report.madeAt < newest && (report.quality?.coverage ?? 0) < labels.coverage
            }
        }
    }

    private func reportOnce(_ watched: MonitoringService.Watched, _ window: (from: Timestamp, to: Timestamp), when isWanted: (DriftReport?) -> Bool) async throws {
        let slot = watched.slot.name
        let key = "\(slot) \(window.from.milliseconds) \(window.to.milliseconds)"
        let caller = Caller.system("monitoring")
        guard !memory.withLock({ $0.empty.contains(key) }) else { return }
        let known = try await monitoring.realm.database.read { tx in
            try DriftStore(tx: tx).latest(slot: slot, from: window.from, to: window.to, madeBy: caller.principal)
        }
        guard isWanted(known) else { return }
        do {
            _ = try await monitoring.report(slot, from: window.from, to: window.to, acting: true, by: caller)
        } catch let error as SlipwayError where error.code == .notFound {
            memory.withLock { memory in
                if memory.empty.count >= Self.memoryMax { memory.empty.removeAll() }
                memory.empty.insert(key)
            }
        }
    }
}
