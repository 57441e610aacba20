import ArgumentParser
import Foundation
import Pipelines
import SlipwayCore

/// Called by the post-receive hook of the repositories that Slipway hosts.
struct PushAdviceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "push-advice", abstract: "Say what a push starts (Git's hook calls this).", shouldDisplay: false)
    @Argument(help: "The project.") var project: String
    @Argument(help: "The main line.") var main: String

    func run() async throws {
        let moves = String(decoding: try FileHandle.standardInput.read(upToCount: 1 << 20) ?? Data(), as: UTF8.self)
        for line in try await PushAdvice.lines(moves: moves, project: ProjectName(parsing: project), main: main) { Output.line("slipway: \(line)") }
    }
}
