import Foundation
import SlipwayCore
import SlipwayRuntime
import SlipwaySQL
import SlipwayStore

/// What Git says of commits. Pushers come from the realm that code arrives in.
package struct GitHistory: CodeHistory {
    package let repositories: GitRepositories
    let pushes: any DatabaseReader
    /// Where the project file in force says which branch is the main line.
    let heads: [any DatabaseReader]

    /// - Parameters:
    ///   - pushes: dev's database.
    ///   - heads: databases to look for the project's file in force, first found wins.
    package init(repositories: GitRepositories, pushes: any DatabaseReader, heads: [any DatabaseReader]) {
        self.repositories = repositories
        self.pushes = pushes
        self.heads = heads
    }

    static let commitsMax = 10_000

    /// - Throws: `invalidArgument` unless it is a full commit id.
    static func check(_ commit: String) throws -> String {
        guard commit.utf8.count == 40, commit.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else {
            throw SlipwayError.invalid("'\(commit.prefix(80))' is not a commit.", remedy: "Write all 40 digits: git rev-parse HEAD")
        }
        return commit
    }

    private func existing(_ commit: String, of project: ProjectName) async throws -> String {
        let commit = try Self.check(commit)
        let found = try await repositories.ending(project, ["cat-file", "-e", "\(commit)^{commit}"])
        guard found.status == 0 else {
            throw SlipwayError.notFound("The repository of '\(project)' has no commit \(commit.prefix(12)).", remedy: "Push it: git push")
        }
        return commit
    }

    private func range(_ commit: String, since: String?, of project: ProjectName) async throws -> [String] {
        var range = [try await existing(commit, of: project)]
        if let since { range.append("^" + (try await existing(since, of: project))) }
        return range
    }

    package func authors(of project: ProjectName, commit: String, since: String?) async throws -> ChangeAuthors {
        let range = try await range(commit, since: since, of: project)
        let log = try await repositories.output(project, ["log", "--no-show-signature", "--format=%H%x00%aE%x00%cE"] + range + ["--"], outputMax: 256 << 20)
        var emails: Set<String> = []
        var commits: [String] = []
        for line in log.text.split(separator: "\n") {
            let parts = line.split(separator: "\0", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 3 else { continue }
            commits.append(parts[0])
            emails.formUnion(parts[1...].map { $0.lowercased() }.filter { !$0.isEmpty })
        }
        let pushers = try await pushes.read { [commits] tx in try PushStore(tx: tx).pushers(of: commits, project: project) }
        return ChangeAuthors(emails: emails, pushers: pushers)
    }

    package func commits(of project: ProjectName, commit: String, since: String?, limit: Int) async throws -> [CommitSummary] {
        let range = try await range(commit, since: since, of: project)
        let log = try await repositories.output(
            project, ["log", "--no-show-signature", "--max-count=\(max(0, min(limit, 1000)))", "--format=%H%x00%aN%x00%aE%x00%ct%x00%s"] + range + ["--"])
        return log.text.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: "\0", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 5, let seconds = Int64(parts[3]) else { return nil }
            return CommitSummary(commit: parts[0], author: parts[1], email: parts[2], at: Timestamp(milliseconds: seconds * 1000), subject: parts[4])
        }
    }

    package func isOnMainLine(_ commit: String, of project: ProjectName) async throws -> Bool {
        let commit = try await existing(commit, of: project)
        guard let head = try await head(of: try await mainBranch(of: project), in: project) else { return false }
        return try await repositories.ending(project, ["merge-base", "--is-ancestor", commit, head]).status == 0
    }

    package func tree(of commit: String, project: ProjectName) async throws -> String {
        let commit = try await existing(commit, of: project)
        return try await repositories.output(project, ["rev-parse", "--verify", "\(commit)^{tree}"]).text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    package func file(_ path: String, at commit: String, of project: ProjectName) async throws -> [UInt8]? {
        try RelativePath.check(path)
        let commit = try await existing(commit, of: project)
        let kind = try await repositories.ending(project, ["cat-file", "-t", "\(commit):\(path)"])
        guard kind.status == 0, kind.text.hasPrefix("blob") else { return nil }
        return try await repositories.output(project, ["cat-file", "blob", "\(commit):\(path)"], outputMax: 64 << 20).output
    }

    package func checkOut(_ commit: String, of project: ProjectName, to folder: String) async throws {
        let commit = try await existing(commit, of: project)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let index = FileManager.default.temporaryDirectory.appending(path: "slipway-index-\(UUID().uuidString)")
        defer { unlink(index.path) }
        // An index of its own, so that checkouts of the same bare repository do not meet. Filters and hooks of the tree do not run in a bare one.
        let variables = ["GIT_INDEX_FILE": index.path, "GIT_WORK_TREE": folder]
        _ = try await repositories.output(project, ["read-tree", commit], variables: variables)
        _ = try await repositories.output(project, ["-c", "core.symlinks=true", "checkout-index", "--all", "--force"], variables: variables)
    }

    // MARK: Branches

    /// The branch that stage follows: by the project file in force, `main` before there is one. A branch's own file cannot say it is the main line.
    package func mainBranch(of project: ProjectName) async throws -> String {
        for database in heads {
            if let current = try await database.read({ tx in try ProjectFileStore(tx: tx).current(of: project) }) { return current.file.mainBranch }
        }
        return "main"
    }

    /// The commit at the tip of a branch, nil when there is no such branch.
    package func head(of branch: String, in project: ProjectName) async throws -> String? {
        let branch = try BranchName.check(branch)
        let found = try await repositories.ending(project, ["rev-parse", "--verify", "--quiet", "refs/heads/\(branch)^{commit}"])
        return found.status == 0 ? found.text.trimmingCharacters(in: .whitespacesAndNewlines) : nil
    }

    /// Every branch and tag with the object it names.
    func refs(of project: ProjectName) async throws -> [String: String] {
        let list = try await repositories.output(project, ["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags"])
        return list.text.split(separator: "\n").reduce(into: [:]) { refs, line in
            let parts = line.split(separator: " ", maxSplits: 1)
            if parts.count == 2 { refs[String(parts[1])] = String(parts[0]) }
        }
    }

    /// Commits that a move of a branch brought, the newest `commitsMax` of them.
    func brought(from old: String?, to new: String, in project: ProjectName) async throws -> [String] {
        var arguments = ["rev-list", "--max-count=\(Self.commitsMax)", new]
        if let old, try await repositories.ending(project, ["cat-file", "-e", "\(old)^{commit}"]).status == 0 { arguments.append("^\(old)") }
        let list = try await repositories.ending(project, arguments + ["--"])
        // A tag may name a tree or a file: then it brings no commits.
        return list.status == 0 ? list.text.split(separator: "\n").map(String.init) : []
    }

    /// The project file at a commit.
    /// - Throws: `notFound` when the commit has none, `invalidArgument` when it has mistakes.
    package func projectFile(at commit: String, of project: ProjectName) async throws -> ProjectFile {
        guard let bytes = try await file(ProjectFileReader.name, at: commit, of: project) else {
            throw SlipwayError.notFound("Commit \(commit.prefix(12)) of '\(project)' has no \(ProjectFileReader.name).", remedy: "Make one: slipway init")
        }
        let file = try ProjectFileReader.read(String(decoding: bytes, as: UTF8.self))
        guard file.project == project else {
            throw SlipwayError.invalid(
                "\(ProjectFileReader.name) names the project '\(file.project)', but this is the repository of '\(project)'.", remedy: "Write: project: \(project)")
        }
        return file
    }
}
