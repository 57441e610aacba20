import Synchronization

/// Wakes the driver before its next tick. Rings while nobody waits are one ring.
package final class Bell: Sendable {
    private let state = Mutex(State())

    private struct State {
        var isRung = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    package func ring() {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            defer { state.waiter = nil }
            if state.waiter == nil { state.isRung = true }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Returns when it rings or the time is over; one waits at a time.
    package func wait(atMost time: Duration) async {
        await withTaskGroup { group in
            group.addTask { await self.waitForRing() }
            group.addTask {
                do { try await Task.sleep(for: time) } catch { return }  // cancelled: it rang
            }
            await group.next()
            group.cancelAll()
            ring()
        }
        state.withLock { $0.isRung = false }
    }

    private func waitForRing() async {
        await withCheckedContinuation { continuation in
            let isRung = state.withLock { state in
                if !state.isRung { state.waiter = continuation }
                defer { state.isRung = false }
                return state.isRung
            }
            if isRung { continuation.resume() }
        }
    }
}
