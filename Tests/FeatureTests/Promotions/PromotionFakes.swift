import Foundation
import Promotions
import SlipwayCore
import SlipwaySQL
import SlipwayStore
import Synchronization

/// Commits in a line, oldest first, each with an author and a pusher.
struct FakeCode: CodeHistory {
    struct Commit: Sendable { var id: String; var author: String; var pusher: String }
    var commits: [Commit]

    static func id(_ number: Int) -> String { String(format: "%040x", number + 1) }
    static func treeID(_ commit: String) -> String { String(commit.reversed()) }

    private func range(_ commit: String, _ since: String?) throws -> ArraySlice<Commit> {
        guard let end = commits.firstIndex(where: { $0.id == commit }) else { throw SlipwayError.notFound("no commit '\(commit)'") }
        let start = since.flatMap { since in commits.firstIndex { $0.id == since } }.map { $0 + 1 } ?? 0
        return start <= end ? commits[start...end] : []
    }

    func authors(of project: ProjectName, commit: String, since: String?) async throws -> ChangeAuthors {
        let range = try range(commit, since)
        return ChangeAuthors(emails: Set(range.map { "\($0.author)@example.org" }), pushers: Set(range.map { "user:\($0.pusher)" }))
    }
    func commits(of project: ProjectName, commit: String, since: String?, limit: Int) async throws -> [CommitSummary] {
        try range(commit, since).reversed().prefix(limit).map {
            CommitSummary(commit: $0.id, author: $0.author, email: "\($0.author)@example.org", at: Timestamp(milliseconds: 0), subject: "change")
        }
    }
    func isOnMainLine(_ commit: String, of project: ProjectName) async throws -> Bool { commits.contains { $0.id == commit } }
    func tree(of commit: String, project: ProjectName) async throws -> String { _ = try range(commit, nil); return Self.treeID(commit) }
    func file(_ path: String, at commit: String, of project: ProjectName) async throws -> [UInt8]? { nil }
    func checkOut(_ commit: String, of project: ProjectName, to folder: String) async throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }
}

/// The machinery broke: what a crash looks like from inside.
struct Broken: Error {}

/// An evaluation whose metrics follow from the model's version; remembers what it was asked.
final class FakeEvaluations: Evaluations {
    struct State { var requests: [EvaluationRequest] = []; var auc: [String: Double] = [:]; var breaks = false; var hangs = false }
    let state = Mutex(State())

    func start(_ request: EvaluationRequest) async throws -> String {
        try state.withLock { state in
            if state.breaks { throw Broken() }
            if !state.requests.contains(where: { $0.id == request.id }) { state.requests.append(request) }
            return request.id
        }
    }

    func outcome(of execution: String) async throws -> EvaluationOutcome? {
        state.withLock { state in
            guard !state.hangs, let request = state.requests.first(where: { $0.id == execution }) else { return nil }
            var metrics = ["auc": state.auc["\(request.commit)"] ?? 0.7]
            if request.championVersion != nil { metrics["champion.auc"] = 0.7 }
            return .measured(run: "run-\(execution)", metrics: metrics)
        }
    }
}

/// A gateway that takes wishes over at once and loads at its own pace.
final class FakeEndpoints: EndpointControl {
    struct State {
        var wishes: [SlotName: WantedEndpoint] = [:]
        var history: [WantedEndpoint] = []
        var loaded: Set<ContentDigest> = []
        var failing: Set<ContentDigest> = []
        var requests: [ContentDigest: Int64] = [:]
        var errors: [ContentDigest: Int64] = [:]
        var latencyP95 = 5.0
        /// Answered by each weighted deployment between two looks.
        var traffic: Int64 = 100
        var isStuck = false
        var breaks = false
    }
    let state = Mutex(State())

    func want(_ endpoint: WantedEndpoint) async throws {
        try state.withLock { state in
            if state.breaks { throw Broken() }
            if let known = state.wishes[endpoint.slot], known.revision >= endpoint.revision { return }
            state.wishes[endpoint.slot] = endpoint
            state.history.append(endpoint)
        }
    }

    func status(of slot: SlotName) async throws -> (revision: Int64, deployments: [DeploymentStatus]) {
        try state.withLock { state in
            if state.breaks { throw Broken() }
            guard let wish = state.wishes[slot] else { return (0, []) }
            if state.isStuck { return (0, wish.deployments.map { DeploymentStatus(release: $0.release, state: .loading, weight: 0) }) }
            return (wish.revision, wish.deployments.map { status($0, &state) })
        }
    }

    private func status(_ deployment: EndpointDeployment, _ state: inout State) -> DeploymentStatus {
        let release = deployment.release
        if state.failing.contains(release) {
            return DeploymentStatus(release: release, state: .failed, weight: 0, reason: "The worker left with exit code 1.")
        }
        // The first look finds it loading, the next one ready.
        guard !state.loaded.insert(release).inserted else { return DeploymentStatus(release: release, state: .loading, weight: 0) }
        if deployment.weight > 0 { state.requests[release, default: 0] += state.traffic }
        return DeploymentStatus(
            release: release, state: .ready, weight: deployment.weight, requests: state.requests[release] ?? 0, errors: state.errors[release] ?? 0,
            latencyP95: state.latencyP95)
    }

    func remove(_ slot: SlotName) async throws {
        try state.withLock { state in
            if state.breaks { throw Broken() }
            state.wishes[slot] = nil
        }
    }
}

/// A gate that says what it was told.
final class ScriptedGate: Gate {
    let name: GateName
    let outcome: Mutex<GateOutcome>
    init(_ name: GateName, _ outcome: GateOutcome = .pass) { self.name = name; self.outcome = Mutex(outcome) }

    func run(_ input: GateInput) async throws -> GateResult {
        let said = outcome.withLock { $0 }
        if said == .errored { throw Broken() }
        return .done(GateFinding(said, "scripted", remedy: "wait"))
    }
}
