import Dispatch

/// Runs blocking work (files, processes, C libraries) on Dispatch's threads, so that the cooperative pool never waits.
package func offload<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue.global(qos: .userInitiated).async {
            continuation.resume(with: Result(catching: body))
        }
    }
}
