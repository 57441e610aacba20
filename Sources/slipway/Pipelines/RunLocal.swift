import ArgumentParser
import Foundation
import Pipelines
import SlipwayCore

/// `slipway run --local`
struct RunLocal: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "local", abstract: "Run a project's steps here, without a server.",
        discussion: """
            Makes the Python environment from the lock, sets the variables that a server would set, and runs the steps in order.
            Example: slipway run --local --input flights=./data/flights
            """)
    @Flag(help: "Run on this machine (the only way so far to run without a server; pushes run on it).") var local = false
    @Option(name: .customLong("input"), help: "A dataset's folder, as NAME=FOLDER; repeat for several.") var inputs: [String] = []
    @Argument(help: "The folder that holds slipway.yaml.") var path = "."

    func run() async throws {
        guard local else { throw ValidationError("Say 'slipway run --local' to run the steps here, or 'slipway run list' to see tracked runs.") }
        var folders: [String: URL] = [:]
        for input in inputs {
            let parts = input.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw ValidationError("--input takes NAME=FOLDER.") }
            folders[parts[0]] = URL(filePath: parts[1])
        }
        let project = try ProjectFolder(URL(filePath: path))
        try await LocalRun(project: project, inputs: folders) { Output.note($0) }.run { Output.line($0) }
    }
}
