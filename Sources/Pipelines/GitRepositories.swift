import Foundation
import SlipwayCore
import SlipwayRuntime
import Synchronization

/// The bare repositories of an installation, one per project, and Git's commands on them.
///
/// Arguments are values, never a shell's text; revisions are checked to be full hexadecimal ids or full ref names before they get here.
package final class GitRepositories: Sendable {
    let root: URL
    private let git: URL
    private let opened = Mutex<Set<ProjectName>>([])

    /// - Parameter root: `<data>/git`.
    /// - Throws: `unavailable` when Git is not installed.
    package init(root: URL) throws {
        self.root = root
        git = try Programs.find("git")
    }

    package func folder(of project: ProjectName) -> URL { root.appending(path: "\(project.rawValue).git") }

    /// Finds or makes the repository, with today's hooks in it.
    package func open(_ project: ProjectName) async throws -> URL {
        let folder = folder(of: project)
        if opened.withLock({ $0.contains(project) }) { return folder }
        if !FileManager.default.fileExists(atPath: folder.path) { try await make(folder) }
        try writeHooks(in: folder)
        opened.withLock { _ = $0.insert(project) }
        return folder
    }

    /// Repositories that exist.
    package func projects() throws -> [ProjectName] {
        guard FileManager.default.fileExists(atPath: root.path) else { return [] }
        return try FileManager.default.contentsOfDirectory(atPath: root.path).filter { $0.hasSuffix(".git") }
            .compactMap { ProjectName(rawValue: String($0.dropLast(4))) }.sorted { $0.rawValue < $1.rawValue }
    }

    private func make(_ folder: URL) async throws {
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        let aside = root.appending(path: ".making-\(UUID().uuidString)")
        let made = try await run(["init", "--quiet", "--bare", "--template=", "--initial-branch=main", aside.path])
        guard made.status == 0 else { throw failure("make a repository", made) }
        for (key, value) in Self.settings {
            let set = try await run(["--git-dir=\(aside.path)", "config", key, value])
            guard set.status == 0 else { throw failure("configure a repository", set) }
        }
        // Two first pushes at once: whoever comes second finds the repository there.
        guard rename(aside.path, folder.path) == 0 || FileManager.default.fileExists(atPath: folder.path) else {
            throw SlipwayError(.unavailable, "The repository '\(folder.path)' cannot be made: \(String(cString: strerror(errno))).")
        }
        if FileManager.default.fileExists(atPath: aside.path) { try FileManager.default.removeItem(at: aside) }
    }

    private static let settings = [
        ("http.receivepack", "true"), ("receive.fsckObjects", "true"), ("receive.maxInputSize", "2147483648"), ("transfer.unpackLimit", "100"),
        ("core.fsync", "committed,loose-object"), ("core.logAllRefUpdates", "true"), ("gc.autoDetach", "false"), ("uploadpack.allowFilter", "true"),
    ]

    private func writeHooks(in folder: URL) throws {
        let hooks = folder.appending(path: "hooks")
        try FileManager.default.createDirectory(at: hooks, withIntermediateDirectories: true)
        for (name, text) in [("pre-receive", GitHooks.preReceive), ("post-receive", GitHooks.postReceive)] {
            let hook = hooks.appending(path: name)
            try Data(text.utf8).write(to: hook, options: .atomic)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: hook.path)
        }
    }

    // MARK: Commands

    /// What a Git process of ours sees: nobody's personal settings, no questions, English.
    static let variables: [String: String?] = [
        "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_DIR": nil, "GIT_WORK_TREE": nil,
        "GIT_INDEX_FILE": nil, "GIT_OBJECT_DIRECTORY": nil, "GIT_CEILING_DIRECTORIES": nil,
    ]

    private func run(_ arguments: [String], variables extra: [String: String?] = [:], input: [UInt8] = [], outputMax: Int = 16 << 20) async throws -> CommandRun.Ending {
        try await CommandRun(git, arguments, variables: Self.variables.merging(extra) { $1 }, input: input, outputMax: outputMax).run()
    }

    func ending(_ project: ProjectName, _ arguments: [String], variables: [String: String?] = [:], outputMax: Int = 16 << 20) async throws -> CommandRun.Ending {
        try await run(["--git-dir=\(try await open(project).path)"] + arguments, variables: variables, outputMax: outputMax)
    }

    /// - Throws: `unavailable` with Git's words when the command does not succeed.
    func output(_ project: ProjectName, _ arguments: [String], variables: [String: String?] = [:], outputMax: Int = 16 << 20) async throws -> CommandRun.Ending {
        let ending = try await ending(project, arguments, variables: variables, outputMax: outputMax)
        guard ending.status == 0 else { throw failure("answer 'git \(arguments.first ?? "")' for project '\(project)'", ending) }
        return ending
    }

    private func failure(_ what: String, _ ending: CommandRun.Ending) -> SlipwayError {
        SlipwayError(
            .unavailable, "Git could not \(what): \(ending.error.trimmingCharacters(in: .whitespacesAndNewlines).prefix(500))",
            remedy: "See the folder '\(root.path)' and the disk's room.")
    }

    /// The program and variables for a conversation over HTTP.
    func httpBackend(_ variables: [String: String?]) -> CommandRun {
        CommandRun(git, ["http-backend"], variables: Self.variables.merging(variables) { $1 })
    }
}
