import Foundation
import SlipwayCore
import SlipwayRuntime

/// What Git shows to the person who has just pushed: what starts, or why nothing does. Runs inside the repository's post-receive hook,
/// changes nothing, and says nothing when in doubt.
package enum PushAdvice {
    /// - Parameters:
    ///   - moves: the hook's input, `old new ref` a line.
    ///   - main: the branch that stage follows.
    package static func lines(moves: String, project: ProjectName, main: String) async throws -> [String] {
        var lines: [String] = []
        for move in moves.split(separator: "\n").prefix(10) {
            let parts = move.split(separator: " ", maxSplits: 2).map(String.init)
            guard parts.count == 3, parts[2].hasPrefix("refs/heads/"), parts[1].contains(where: { $0 != "0" }) else { continue }
            let branch = String(parts[2].dropFirst("refs/heads/".count))
            let commit = try GitHistory.check(parts[1])
            let shown = try await CommandRun(Programs.find("git"), ["cat-file", "blob", "\(commit):\(ProjectFileReader.name)"]).run()
            guard shown.status == 0 else {
                lines.append("'\(branch)' has no \(ProjectFileReader.name), so nothing starts. Make one: slipway init")
                continue
            }
            do {
                let file = try ProjectFileReader.read(shown.text)
                guard file.project == project else {
                    lines.append("Nothing starts: \(ProjectFileReader.name) names the project '\(file.project)', and this is '\(project)'.")
                    continue
                }
                let environments = PushTriggers.environments(of: branch, main: main, file)
                lines += environments.map {
                    "'\(branch)' runs in \($0.rawValue): slipway execution list --project \(project) --environment \($0.rawValue)"
                }
                if environments.isEmpty { lines.append("No trigger of \(ProjectFileReader.name) fits '\(branch)', so nothing starts.") }
            } catch let error as SlipwayError {
                lines.append("Nothing starts.")
                lines += error.description.split(separator: "\n").map(String.init)
            }
        }
        return lines
    }
}

enum PushTriggers {
    /// Where a push of the branch runs: the main line in stage (in dev when nothing is said of stage), other branches in dev.
    static func environments(of branch: String, main: String, _ file: ProjectFile) -> [EnvironmentID] {
        func fits(_ environment: EnvironmentID) -> Bool { file.triggers.push[environment].map { $0 == "*" || $0 == branch } == true }
        if branch == main, fits(.stage) { return [.stage] }
        return fits(.dev) ? [.dev] : []
    }
}
