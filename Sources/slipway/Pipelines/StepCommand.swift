import ArgumentParser
import Foundation
import Pipelines

/// Started by the scheduler, never by people.
struct StepCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "step", abstract: "Supervise one step of a pipeline (the scheduler starts this).", shouldDisplay: false)
    @Argument(help: "The attempt's folder.") var folder: String

    func run() throws { try StepSupervisor.run(StepFolder(root: URL(filePath: folder))) }
}
