import Access
import Foundation
import Pipelines
import SlipwayBlobs
import SlipwayCore
import SlipwayRuntime
import SlipwaySQL
import SlipwayStore
import SlipwayTestSupport
import Synchronization

/// Git hosting and executions over real repositories and processes, with the realms dev and stage. The Python environment is a folder
/// with the system's Python in it, so that no test needs uv or the network.
final class PipelineHouse: Sendable {
    let control: TestControl
    let dev: TestRealm
    let stage: TestRealm
    let clock = FakeClock()
    let ids = RandomIDs()
    let project = ProjectName(unchecked: "flights")
    let folder: TemporaryFolder
    let history: GitHistory
    let host: GitHost
    let receiver: PushReceiver
    let services: [EnvironmentID: ExecutionService]
    let environments: EnvironmentBuilder
    private let schedulers = Mutex<[Task<Void, Never>]>([])

    static let requirements = "# nothing\n"
    static let pusher = Caller(
        principal: .user(UserName(unchecked: "ada")),
        grants: [
            .init(project: ProjectName(unchecked: "flights"), environment: .dev, role: .contributor, grantedAt: Timestamp(milliseconds: 0)),
            .init(project: ProjectName(unchecked: "flights"), environment: .stage, role: .engineer, grantedAt: Timestamp(milliseconds: 0)),
        ])

    init() async throws {
        control = try await TestControl()
        dev = try await TestRealm(.dev)
        stage = try await TestRealm(.stage)
        folder = try TemporaryFolder()
        let clock = clock, ids = ids, project = project
        let repositories = try GitRepositories(root: folder.url.appending(path: "git"))
        history = GitHistory(repositories: repositories, pushes: dev.database, heads: [stage.database, dev.database])
        var services: [EnvironmentID: ExecutionService] = [:]
        for realm in [dev.realm, stage.realm] {
            services[realm.environment] = ExecutionService(realm: realm, history: history, clock: clock, ids: ids, logger: quietLogger)
        }
        self.services = services
        receiver = PushReceiver(realms: [.dev: dev.realm, .stage: stage.realm], history: history, executions: services, clock: clock, ids: ids, logger: quietLogger)
        host = GitHost(control: control.database, repositories: repositories, history: history, receiver: receiver, logger: quietLogger)
        environments = EnvironmentBuilder(root: folder.url.appending(path: "environments"))
        try await control.database.write { tx in
            try IdentityStore(tx: tx).insert(Project(name: project, owner: "ada", createdAt: clock.now, createdBy: "test"))
        }
        // What a finished environment looks like.
        let lock = ContentDigest(of: Self.requirements)
        let python = environments.folder(python: "3.11", lock: lock)
        try FileManager.default.createDirectory(at: python.appending(path: "bin"), withIntermediateDirectories: true)
        try Data("{}".utf8).write(to: python.appending(path: "slipway-environment.json"))
    }

    deinit { schedulers.withLock { $0.forEach { $0.cancel() } } }

    func driver(_ environment: EnvironmentID, tokens: any StepTokens = NoTokens()) throws -> ExecutionDriver {
        ExecutionDriver(
            service: services[environment]!, launcher: try StepLauncher.find(), environments: environments, tokens: tokens,
            trackingURI: "http://127.0.0.1:1/\(environment.rawValue)")
    }

    /// - Returns: the scheduler's task; canceling it is what a stop of the server does.
    @discardableResult
    func startScheduler(_ environment: EnvironmentID) throws -> Task<Void, Never> {
        let scheduler = Scheduler(service: services[environment]!, driver: try driver(environment))
        let task = Task { await scheduler.work() }
        schedulers.withLock { $0.append(task) }
        return task
    }

    // MARK: A person's clone

    var clone: URL { folder.url.appending(path: "clone") }

    @discardableResult
    func git(_ arguments: String..., in directory: URL? = nil) async throws -> CommandRun.Ending {
        let variables: [String: String?] = [
            "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "Ada@Example.org", "GIT_COMMITTER_NAME": "Grace", "GIT_COMMITTER_EMAIL": "grace@example.org",
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "SLIPWAY_PUSHER": "user:ada",
        ]
        return try await CommandRun(try Programs.find("git"), arguments, variables: variables, folder: directory ?? clone).run()
    }

    /// Commits the files in the clone (made when missing).
    /// - Returns: the commit.
    func commit(_ files: [String: String], branch: String = "main") async throws -> String {
        if !FileManager.default.fileExists(atPath: clone.path) {
            try FileManager.default.createDirectory(at: clone, withIntermediateDirectories: true)
            try await git("init", "--quiet", "--initial-branch=main", clone.path)
        }
        if try await git("symbolic-ref", "--short", "HEAD").text != "\(branch)\n" { try await git("checkout", "--quiet", "-B", branch) }
        for (path, text) in files {
            let file = clone.appending(path: path)
            try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        try await git("add", "--all")
        try await git("commit", "--quiet", "--allow-empty", "-m", "work on \(branch)")
        return try await git("rev-parse", "HEAD").text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Pushes over the file system: the same hook, without HTTP and without the reconciliation that follows there.
    func push(_ refspec: String..., force: Bool = false) async throws -> CommandRun.Ending {
        let repository = try await history.repositories.open(project)
        let arguments = ["push", "--quiet"] + (force ? ["--force"] : []) + [repository.path] + refspec
        let variables: [String: String?] = ["SLIPWAY_PUSHER": "user:ada", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C"]
        return try await CommandRun(try Programs.find("git"), arguments, variables: variables, folder: clone).run()
    }

    static func yaml(_ pipeline: String, rest: String = "") -> String {
        """
        project: flights
        owner: team@example.org
        python: { version: "3.11", requirements: requirements.txt }
        triggers: { push: { dev: "*", stage: main } }
        \(rest)
        pipeline:
        \(pipeline)
        """
    }

    /// Commits a pipeline, pushes it and begins what follows.
    /// - Returns: the execution in dev.
    func begin(_ pipeline: String, rest: String = "", files: [String: String] = [:]) async throws -> Execution {
        _ = try await commit(files.merging(["slipway.yaml": Self.yaml(pipeline, rest: rest), "requirements.txt": Self.requirements]) { $1 }, branch: "work")
        let pushed = try await push("work")
        guard pushed.status == 0 else { throw SlipwayError.fault(pushed.error) }
        try await receiver.reconcile(project)
        let list = try await dev.database.read { tx in try ExecutionStore(tx: tx).list(project: nil, limit: 1) }
        guard let newest = list.first else { throw SlipwayError.fault("the push started nothing") }
        return newest
    }

    func machine(_ id: String, _ environment: EnvironmentID = .dev) async throws -> ExecutionMachine {
        try await services[environment]!.machine(id, by: .system("test"))
    }

    /// Waits until the execution is over.
    func end(_ id: String, _ environment: EnvironmentID = .dev) async throws -> ExecutionMachine {
        try await until("execution \(id)") {
            let machine = try await machine(id, environment)
            return machine.execution.state.isFinal ? machine : nil
        }
    }

    func stepFolder(_ id: String, _ step: String, attempt: Int = 1, _ environment: EnvironmentID = .dev) -> StepFolder {
        let realm = environment == .dev ? dev.realm : stage.realm
        return StepFolder(root: realm.directory.appending(path: "executions/\(id)/steps/\(step)/\(attempt)"))
    }
}

struct NoTokens: StepTokens {
    func executionToken(execution: String, project: ProjectName, environment: EnvironmentID, lifetime: Duration) async throws -> String { "slp_test" }
    func revokeExecutionTokens(_ execution: String) async throws {}
}

enum CommandRunForTests {
    static func git(_ arguments: [String], pusher: String, in folder: URL) async throws -> CommandRun.Ending {
        let variables: [String: String?] = ["SLIPWAY_PUSHER": pusher, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C"]
        return try await CommandRun(try Programs.find("git"), arguments, variables: variables, folder: folder).run()
    }
}
