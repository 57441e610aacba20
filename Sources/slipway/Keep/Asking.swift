import Foundation
import SlipwayCore
import SlipwayServer
import Synchronization

/// Asks before something cannot be undone.
enum Confirmation {
    /// - Throws: `invalidArgument` when the answer is not yes, or nobody can answer.
    static func ask(_ question: String, yes: Bool) throws {
        if yes { return }
        guard isatty(STDIN_FILENO) == 1 else {
            throw SlipwayError.invalid("\(question) Nobody can answer here.", remedy: "Add --yes.")
        }
        FileHandle.standardError.write(Data("\(question) [y/N] ".utf8))
        guard let answer = readLine()?.lowercased(), ["y", "yes"].contains(answer) else { throw SlipwayError.invalid("Nothing was done.") }
    }
}

/// A bar that is begun anew when the phase changes.
final class PhaseBar: Sendable {
    private let state = Mutex<(phase: String, bar: ProgressBar?)>(("", nil))

    @Sendable func report(_ progress: KeepProgress) {
        let bar = state.withLock { state -> ProgressBar? in
            if state.phase != progress.phase {
                state.bar?.finish()
                state = (progress.phase, ProgressBar(progress.phase, total: progress.total))
            }
            return state.bar
        }
        bar?.update(progress.done, progress.detail)
    }

    func finish() { state.withLock { $0.bar?.finish() } }
}
