import SlipwayCore

/// What requests see: a value made anew whenever a wish or a worker changes, and swapped whole.
struct LiveRouting: Sendable {
    var controlPlane: String?
    var endpoints: [SlotName: LiveEndpoint] = [:]
}

/// An endpoint with the deployments that answer now.
struct LiveEndpoint: Sendable {
    var slot: SlotName
    var project: ProjectName
    var generation: Int
    /// The newest revision that has been taken over.
    var revision: Int64
    var capture: Double
    var choices: [Choice]

    struct Choice: Sendable {
        var pool: DeploymentPool
        var weight: Int
    }

    /// Picks among the deployments that are ready, by weight.
    func choose(draw: UInt64) -> DeploymentPool? {
        let weights = choices.map { $0.pool.isReady ? $0.weight : 0 }
        return WeightedChoice.index(weights: weights, draw: draw).map { choices[$0].pool }
    }
}

/// When a new wish takes over from the one that answers now.
enum TakeOver {
    /// The new wish takes over once everything in it that shall answer is ready, or at once when nothing of the present one
    /// is (then whatever gets ready first answers). Until then the present one goes on.
    /// - Parameters:
    ///   - wanted: weight and readiness of each deployment of the new wish.
    ///   - present: the same of those that answer now.
    static func isDue(wanted: [(weight: Int, isReady: Bool)], present: [(weight: Int, isReady: Bool)]) -> Bool {
        if wanted.allSatisfy({ $0.weight == 0 || $0.isReady }) { return true }
        return !present.contains { $0.weight > 0 && $0.isReady }
    }
}
