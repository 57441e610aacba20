import ArgumentParser
import Foundation
import Pipelines
import SlipwayCore
import SlipwayRuntime
import SlipwayWire

struct ProjectValidate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Check a project folder as a push would be judged; needs no server.",
        discussion: "Example: slipway project validate ./churn")
    @Argument(help: "The folder that holds slipway.yaml.") var path = "."
    @Flag(help: "Answer in JSON, for programs.") var json = false

    private struct Answer: Encodable { var project: String; var steps: [String]; var lock: String }

    func run() throws {
        var root = URL(filePath: path)
        if root.lastPathComponent == ProjectFileReader.name { root = root.deletingLastPathComponent() }
        let project = try ProjectFolder(root)
        let steps = project.file.pipeline.map(\.name)
        if json { return try Output.json(Answer(project: project.file.project.rawValue, steps: steps, lock: project.lock.digest.rawValue)) }
        Output.line("Project '\(project.file.project)' is fine: \(steps.joined(separator: " → ")), lock \(project.lock.digest.short).")
    }
}
