/// Lets a bounded number in at once; who comes later waits in order. An actor, because it lives as long as the process and talks while others work.
actor Turns {
    private var free: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ count: Int) { free = count }

    /// Waits for a turn. A cancelled task gets its turn too, and gives it back at once when its work throws.
    func take() async {
        if free > 0 { free -= 1; return }
        await withCheckedContinuation { waiting.append($0) }
    }

    func give() {
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
}
