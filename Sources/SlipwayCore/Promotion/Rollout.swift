/// How traffic moves to a new release.
package struct Rollout: Sendable, Hashable, Codable {
    package enum Kind: String, Sendable, Hashable, Codable, CaseIterable { case canary, direct }

    /// Crossing one of these while verifying means rolling back; nil: not looked at.
    package struct Limits: Sendable, Hashable, Codable {
        /// Share of answered requests, 0…1.
        package var errorRate: Double?
        package var latencyP95: DurationText?
        /// Share of predictions that were NaN, 0…1.
        package var nanRate: Double?
        package init(errorRate: Double? = nil, latencyP95: DurationText? = nil, nanRate: Double? = nil) {
            self.errorRate = errorRate
            self.latencyP95 = latencyP95
            self.nanRate = nanRate
        }
    }

    package var kind: Kind = .direct
    /// Shares in per cent, rising to 100.
    package var steps: [Int] = [100]
    /// Per step.
    package var bake: DurationText = "0s"
    /// Really answered requests per step.
    package var minRequests: Int = 0
    package var rollbackOn = Limits()

    package init() {}

    /// - Parameter isFirst: nothing is live, so nothing can be compared and nobody asks yet: all traffic as soon as it is ready.
    package func planned(isFirst: Bool) -> [RolloutStep] {
        if isFirst || kind == .direct { return [RolloutStep(weight: 100, bake: isFirst ? "0s" : bake, minRequests: 0)] }
        return steps.map { RolloutStep(weight: $0, bake: bake, minRequests: minRequests) }
    }
}

package struct RolloutStep: Sendable, Hashable, Codable {
    /// Share of requests in per cent.
    package var weight: Int
    package var bake: DurationText
    package var minRequests: Int
    package init(weight: Int, bake: DurationText, minRequests: Int) {
        self.weight = weight
        self.bake = bake
        self.minRequests = minRequests
    }
}

/// What an endpoint says of itself.
package struct EndpointReading: Sendable, Hashable, Codable {
    /// The wish that the gateway has taken over.
    package var revision: Int64
    package var deployments: [DeploymentStatus]
    package init(revision: Int64, deployments: [DeploymentStatus]) { self.revision = revision; self.deployments = deployments }
    package func deployment(_ release: ContentDigest) -> DeploymentStatus? { deployments.first { $0.release == release } }
}

/// Counts of one deployment.
package struct RequestCounts: Sendable, Hashable, Codable {
    package var requests: Int64 = 0
    package var errors: Int64 = 0
    package var notANumber: Int64 = 0
    package init() {}
    package init(_ status: DeploymentStatus) {
        requests = status.requests
        errors = status.errors
        notANumber = status.notANumber
    }

    /// What came since `base`; a gateway that started anew counts from zero.
    package func since(_ base: RequestCounts) -> RequestCounts {
        if requests < base.requests { return self }
        var difference = RequestCounts()
        difference.requests = requests - base.requests
        difference.errors = max(0, errors - base.errors)
        difference.notANumber = max(0, notANumber - base.notANumber)
        return difference
    }
}

/// Where a rollout stands; lives in the promotion's row, so a crash forgets nothing.
package struct RolloutProgress: Sendable, Hashable, Codable {
    /// Index into the plan's steps.
    package var step: Int
    /// When the gateway had taken the step over; its bake clock.
    package var startedAt: Timestamp?
    /// Counts when the step started.
    package var base = RequestCounts()
    package init(step: Int) { self.step = step }
}

extension Rollout.Limits {
    /// The sentence that says what is crossed, or nil. Rates are judged once there is something to judge.
    package func crossed(by counts: RequestCounts, latencyP95 milliseconds: Double) -> String? {
        guard counts.requests > 0 else { return nil }
        let answered = Double(counts.requests)
        if let limit = errorRate, Double(counts.errors) / answered > limit {
            return "\(counts.errors) of \(counts.requests) requests failed; the limit is \(limit * 100) %."
        }
        if let limit = nanRate, Double(counts.notANumber) / answered > limit {
            return "\(counts.notANumber) of \(counts.requests) predictions were NaN; the limit is \(limit * 100) %."
        }
        if let limit = latencyP95, milliseconds > Double(limit.duration.milliseconds) {
            return "The 95th percentile of latency is \(Int(milliseconds)) ms; the limit is \(limit.text)."
        }
        return nil
    }
}
