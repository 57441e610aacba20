/// Where a promotion stands. The table of transitions is `Promotion.handle`; names and meanings are those of `docs/promotion.md`.
package enum PromotionState: String, Sendable, Hashable, Codable, CaseIterable {
    case draft, checking, blocked, awaitingApproval, approved, waiting, applying, verifying, live
    case rejected, expired, withdrawn, superseded, failed, rollingBack, rolledBack, rollbackFailed, retired

    /// Nothing leaves these.
    package var isFinal: Bool {
        switch self {
        case .rejected, .expired, .withdrawn, .superseded, .failed, .rolledBack, .retired: true
        default: false
        }
    }

    /// May stay for ever, but is not an end: `live` serves, `rollbackFailed` waits for a person.
    package var isResting: Bool { self == .live || self == .rollbackFailed }

    /// Touches the endpoint; at most one promotion of a slot does (invariant 1).
    package var isInFlight: Bool { self == .applying || self == .verifying || self == .rollingBack }

    /// Has changed nothing yet, so it may be withdrawn or superseded.
    package var isPending: Bool {
        switch self {
        case .draft, .checking, .blocked, .awaitingApproval, .approved, .waiting: true
        default: false
        }
    }

    /// Holds approvals (or needs none), which a drift of the plan makes void.
    package var dependsOnPlan: Bool { self == .awaitingApproval || self == .approved || self == .waiting }
}

/// How long a promotion may stay in each state that is neither final nor resting.
package struct PromotionTimeOuts: Sendable, Hashable, Codable {
    package var draft: DurationText = "1h"
    package var checking: DurationText = "24h"
    package var blocked: DurationText = "30d"
    package var applying: DurationText = "1h"
    /// On top of the bake times of all rollout steps.
    package var verifying: DurationText = "1h"
    package var rollingBack: DurationText = "1h"

    package init() {}
}
