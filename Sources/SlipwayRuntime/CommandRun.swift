import Foundation
import SlipwayCore
import Subprocess
import SystemPackage

/// One program run to its end: arguments as values, never through a shell; output bounded; ended with its group when the task is cancelled.
package struct CommandRun: Sendable {
    package var program: URL
    package var arguments: [String]
    /// Changes to the inherited variables; nil removes one.
    package var variables: [String: String?]
    /// Off: the program sees `variables` and nothing else.
    package var inherits = true
    package var folder: URL?
    package var input: [UInt8]
    /// Bytes of standard output that are kept.
    package var outputMax: Int

    package struct Ending: Sendable {
        /// The exit status; 128 + the signal when a signal ended it.
        package var status: Int32
        package var output: [UInt8]
        package var error: String
        package var text: String { String(decoding: output, as: UTF8.self) }
    }

    package init(
        _ program: URL, _ arguments: [String], variables: [String: String?] = [:], folder: URL? = nil, input: [UInt8] = [], outputMax: Int = 16 << 20
    ) {
        self.program = program
        self.arguments = arguments
        self.variables = variables
        self.folder = folder
        self.input = input
        self.outputMax = outputMax
    }

    /// - Throws: `unavailable` when the program cannot be started, `tooMuch` when it says more than `outputMax`.
    package func run() async throws -> Ending {
        do {
            let result = try await Subprocess.run(
                .path(FilePath(program.path)), arguments: Arguments(arguments), environment: environment,
                workingDirectory: folder.map { FilePath($0.path) }, platformOptions: Self.options,
                input: .array(input), output: .bytes(limit: outputMax), error: .bytes(limit: 1 << 20))
            return Ending(
                status: Self.status(result.terminationStatus), output: result.standardOutput, error: String(decoding: result.standardError, as: UTF8.self))
        } catch let error as SubprocessError {
            throw failure(error)
        }
    }

    /// Runs it and hands over each line of output and errors as it comes.
    /// - Returns: the status and the last lines.
    package func run(line handle: @Sendable (String) -> Void) async throws -> (status: Int32, tail: [String]) {
        do {
            let result = try await Subprocess.run(
                .path(FilePath(program.path)), arguments: Arguments(arguments), environment: environment,
                workingDirectory: folder.map { FilePath($0.path) }, platformOptions: Self.options,
                input: .none, output: .sequence, error: .combinedWithOutput
            ) { execution in
                var tail: [String] = []
                for try await line in execution.standardOutput.strings() {
                    let line = line.trimmingCharacters(in: .newlines)
                    handle(line)
                    tail.append(line)
                    if tail.count > Self.tailMax { tail.removeFirst() }
                }
                return tail
            }
            return (Self.status(result.terminationStatus), result.closureResult)
        } catch let error as SubprocessError {
            throw failure(error)
        }
    }

    private static let tailMax = 40

    private var environment: Subprocess.Environment {
        let changes = Dictionary(uniqueKeysWithValues: variables.map { (Subprocess.Environment.Key(stringLiteral: $0.key), $0.value) })
        return inherits ? .inherit.updating(changes) : .custom(changes.compactMapValues(\.self))
    }

    private static var options: PlatformOptions {
        var options = PlatformOptions()
        options.createSession = true
        options.teardownSequence = [.gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: .seconds(2))]
        return options
    }

    private static func status(_ status: TerminationStatus) -> Int32 {
        switch status {
        case .exited(let code): Int32(code)
        case .signaled(let signal): 128 + Int32(signal)
        }
    }

    private func failure(_ error: SubprocessError) -> SlipwayError {
        if error.code == .outputLimitExceeded {
            return SlipwayError(.tooMuch, "'\(program.lastPathComponent)' says more than \(outputMax) bytes.")
        }
        return SlipwayError(
            .unavailable, "'\(program.path)' could not be run: \(error).", remedy: "See that the program is installed and there is memory for it.")
    }
}
