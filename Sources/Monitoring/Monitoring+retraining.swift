import Foundation
import Logging
import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// From a crossing to a requested release, one durable step after the other: every step may be repeated after a crash.
extension MonitoringService {
    /// Machinery that cannot run just now is asked again for this long.
    static let patience = Duration.seconds(86_400)

    package func retrainings(_ name: SlotName, limit: Int = 100, by caller: Caller) async throws -> [DriftRetraining] {
        try caller.requireSomebody()
        let watched = try await watched(name)
        try caller.require(.readMetadata, project: watched.slot.project, environment: environment)
        return try await realm.database.read { tx in try DriftStore(tx: tx).retrainings(slot: name, limit: limit) }
    }

    /// Carries every open retraining as far as it gets now.
    package func advanceRetrainings() async throws {
        for retraining in try await realm.database.read({ tx in try DriftStore(tx: tx).openRetrainings() }) {
            var current = retraining
            // Three steps lead to the end; a step that has to wait returns its own state.
            for _ in 0..<3 where current.state.isOpen {
                let next = try await step(current)
                if next.state == current.state { break }
                current = next
            }
        }
    }

    private func step(_ retraining: DriftRetraining) async throws -> DriftRetraining {
        var next = retraining
        do {
            switch retraining.state {
            case .wanted:
                next.execution = try await start(retraining)
                next.state = .started
            case .started:
                guard let ended = try await ending(of: retraining) else { return retraining }
                next.release = ended.release
                next.state = ended.release == nil ? .failed : .sealed
                next.message = ended.message
            case .sealed:
                next.promotion = try await request(retraining)
                next.state = .requested
            case .requested, .failed:
                return retraining
            }
        } catch is CancellationError {
            throw CancellationError()
        } catch let error as SlipwayError where [.unavailable, .tooMuch, .conflict].contains(error.code) && clock.now < retraining.createdAt + Self.patience {
            return try await wait(retraining, error.message)
        } catch {
            logger.error("retraining failed", metadata: ["retraining": "\(retraining.id)", "error": "\(error)"])
            let shown = error as? SlipwayError ?? .fault("Something broke inside Slipway; the server's log names the cause.")
            next.state = .failed
            next.message = ([shown.message] + shown.reasons.map(\.message) + [shown.remedy].compactMap(\.self)).joined(separator: " ")
        }
        return try await move(retraining, to: next)
    }

    private func move(_ old: DriftRetraining, to new: DriftRetraining) async throws -> DriftRetraining {
        var new = new
        new.updatedAt = clock.now
        if new.state != .failed && new.state != .sealed { new.message = nil }
        let moved = new
        try await realm.database.write { tx in
            guard try DriftStore(tx: tx).update(moved, from: old.state) else { return }
            let action =
                switch moved.state {
                case .wanted, .started: "drift.retrain"
                case .sealed: "drift.seal"
                case .requested: "drift.request"
                case .failed: "drift.fail"
                }
            try AuditStore(tx: tx).append(
                action, subject: "slot:\(moved.slot)", project: moved.project, by: .system("monitoring"), at: moved.updatedAt,
                details: [
                    "retraining": .string(moved.id), "environment": .string(moved.environment.rawValue), "execution": .string(moved.execution ?? ""),
                    "release": .string(moved.release?.rawValue ?? ""), "promotion": .string(moved.promotion ?? ""), "message": .string(moved.message ?? ""),
                ])
        }
        return moved
    }

    /// Says what it waits for, once.
    private func wait(_ retraining: DriftRetraining, _ message: String) async throws -> DriftRetraining {
        guard retraining.message != message else { return retraining }
        var waiting = retraining
        waiting.message = message
        waiting.updatedAt = clock.now
        let written = waiting
        try await realm.database.write { tx in _ = try DriftStore(tx: tx).update(written, from: retraining.state) }
        return written
    }

    // MARK: The steps

    /// Brings the realm's data up to date, then runs the main line there.
    private func start(_ retraining: DriftRetraining) async throws -> String {
        let target = retraining.environment
        guard let pipelines = self.retraining[target], let reader = readers[target] else { throw Self.elsewhere(target) }
        if let known = try await execution(of: retraining, in: reader) { return known }
        let file = try await realm.database.read { tx in try SlotStore(tx: tx).slot(retraining.slot).flatMap { try Self.projectFile(of: $0, realm.environment, tx) } }
        let datasets = (file?.data ?? [:]).filter { $0.value.refresh[target] != nil }.keys.sorted()
        for dataset in datasets {
            guard let refresh = dataRefresh[target] else { throw Self.elsewhere(target) }
            // Nil: nothing newer is there, and what is there will do.
            let snapshot = try await refresh.refresh(dataset: dataset, project: retraining.project, by: .system("monitoring"))
            logger.info("refreshed before retraining", metadata: ["dataset": "\(dataset)", "snapshot": "\(snapshot ?? "nothing newer")"])
        }
        return try await pipelines.retrain(project: retraining.project, reason: retraining.reason)
    }

    /// The execution that a start before a crash left behind, also when it is over already. The reason names the report, so it is unique.
    private func execution(of retraining: DriftRetraining, in reader: RealmReader) async throws -> String? {
        try await reader.database.read { tx in
            try ExecutionStore(tx: tx).list(project: retraining.project, limit: 100).first { $0.reason == retraining.reason }?.id
        }
    }

    private func ending(of retraining: DriftRetraining) async throws -> (release: ContentDigest?, message: String?)? {
        guard let reader = readers[retraining.environment], let id = retraining.execution else { throw Self.elsewhere(retraining.environment) }
        guard let execution = try await reader.database.read({ tx in try ExecutionStore(tx: tx).execution(id) }) else {
            throw SlipwayError.notFound("\(retraining.environment.rawValue) has no execution '\(id)'.", remedy: "See what ran: slipway execution list")
        }
        guard execution.state.isFinal else { return nil }
        if let release = execution.release { return (release, execution.message) }
        let message =
            execution.state == .succeeded
            ? "Execution \(id) sealed no release: \(execution.message ?? "'model.register' does not hold on its metrics.")"
            : "Execution \(id) ended \(execution.state.rawValue): \(execution.message ?? "see its log.")"
        return (nil, message)
    }

    private func request(_ retraining: DriftRetraining) async throws -> String {
        guard let requestPromotion, let release = retraining.release else { throw Self.elsewhere(retraining.environment) }
        return try await requestPromotion(retraining.environment, release, retraining.project, "drift-\(retraining.id)")
    }

    private static func elsewhere(_ environment: EnvironmentID) -> SlipwayError {
        SlipwayError(
            .unavailable, "\(environment.rawValue) is not run by this server, so it cannot be retrained there from here.",
            remedy: "Run both environments in one server, or start it by hand: slipway execution start")
    }
}
