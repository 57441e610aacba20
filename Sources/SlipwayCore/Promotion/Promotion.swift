/// One attempt of one plan: the state machine at the heart of Slipway. A pure value: `handle` changes it and says what else
/// must change in the same transaction; the shell (`PromotionService`) reads the facts, stores the value and performs the effects.
package struct Promotion: Sendable, Hashable, Codable {
    package let id: String
    package let createdAt: Timestamp
    /// `Principal.raw`
    package let requestedBy: String
    package var plan: Plan
    package var planDigest: ContentDigest
    package var change: ReleaseChange
    package var state: PromotionState = .draft
    package var stateSince: Timestamp
    /// When the state times out, nil when it does not.
    package var deadline: Timestamp?
    /// Counts checks, 1…; 0 before the first.
    package var attempt = 0
    package var approvals: [Approval] = []
    /// Why it is blocked, waiting, failed or ended.
    package var reasons: [SlipwayError.Reason] = []
    /// When the next opening is, while it waits.
    package var opensAt: Timestamp?
    /// Gates in `warn` mode that did not pass.
    package var amber: [GateName] = []
    package var appliedBy: String?
    /// What was live when it was applied.
    package var previous: ContentDigest?
    /// The endpoint was asked to change, so an end that is not `live` restores it.
    package var hasTouchedEndpoint = false
    package var rollout: RolloutProgress?
    package var liveAt: Timestamp?
    package var rollback: RollbackCourse?
    /// Stored beside the value; a writer that read an older one is refused.
    package var version = 0

    package init(id: String, plan: Plan, change: ReleaseChange, requestedBy: String, at: Timestamp, timeOuts: PromotionTimeOuts) throws {
        self.id = id
        self.plan = plan
        self.change = change
        self.requestedBy = requestedBy
        planDigest = try plan.digest()
        createdAt = at
        stateSince = at
        deadline = at + timeOuts.draft.duration
    }

    package var slot: SlotName { plan.slot }
    package var project: ProjectName { plan.project }
    package var release: ContentDigest { plan.release }
    /// Started by no person, so a hold stops it (invariant 7).
    package var isAutomatic: Bool { !requestedBy.hasPrefix("user:") }
}

/// Where a rollback goes and why.
package struct RollbackCourse: Sendable, Hashable, Codable {
    /// What the endpoint returns to; nil: to nothing (the first release of the slot failed).
    package var target: ContentDigest?
    /// `current` was the release already, so restoring changes the slot.
    package var fromLive: Bool
    /// Decided by a check, an alarm or a time-out rather than a person.
    package var isAutomatic: Bool
    package var reason: String
}

/// What may happen to a promotion; the words are those of the contract's table.
package enum PromotionEvent: Sendable, Hashable {
    case submit
    /// The gates have run; the facts' evidence says with what result.
    case checked
    /// A new check under a plan that fits what is true now.
    case recheck(Plan, ReleaseChange)
    case approve(UserName, plan: ContentDigest, comment: String)
    case reject(reason: String)
    /// The plan may no longer be true; the facts say.
    case drift
    case timeOut
    case withdraw
    case supersede(by: String)
    /// A freeze or the window keeps an approved promotion from being applied.
    case wait
    case apply
    case stepFailed(reason: String)
    case stepsDone
    /// The gateway took the rollout's step over; its bake clock starts.
    case stepTaken(RequestCounts)
    case nextStep(RequestCounts)
    case verificationFailed(reason: String)
    case verified(RequestCounts)
    /// Another release is live now.
    case displaced(by: String)
    case retire(reason: String)
    case rollBack(reason: String)
    case abort(reason: String)
    case restored
    case cannotRestore(reason: String)

    /// For messages and audit events: `promotion.<name>`.
    package var name: String {
        switch self {
        case .submit: "submit"
        case .checked: "checked"
        case .recheck: "recheck"
        case .approve: "approve"
        case .reject: "reject"
        case .drift: "drift"
        case .timeOut: "timeOut"
        case .withdraw: "withdraw"
        case .supersede: "supersede"
        case .wait: "wait"
        case .apply: "apply"
        case .stepFailed: "stepFailed"
        case .stepsDone: "stepsDone"
        case .stepTaken: "stepTaken"
        case .nextStep: "nextStep"
        case .verificationFailed: "verificationFailed"
        case .verified: "verified"
        case .displaced: "displaced"
        case .retire: "retire"
        case .rollBack: "rollBack"
        case .abort: "abort"
        case .restored: "restored"
        case .cannotRestore: "cannotRestore"
        }
    }
}

/// What is true when an event is handled, read in the same transaction wherever the facts live in it.
package struct PromotionFacts: Sendable {
    package var now: Timestamp
    package var slot: Slot
    package var policy: Policy
    package var policyVersion: Int
    /// Another promotion of the slot is in flight.
    package var isSlotBusy = false
    package var isQuarantined = false
    package var isFallbackQuarantined = false
    /// Active, and covering the slot.
    package var freezes: [Freeze] = []
    /// The newest of each gate for this plan and attempt.
    package var evidence: [GateName: Evidence] = [:]
    /// Everybody who approved, and who is about to.
    package var approvers: [UserName: Approver] = [:]
    /// The stored bytes of the release (`apply`) or of the fallback (`rollBack`) were hashed again and fit.
    package var bytesVerified = false
    /// The next older release of the slot that was live, is not quarantined and is not what a rollback returns to.
    package var olderFallback: ContentDigest?

    package init(now: Timestamp, slot: Slot, policy: Policy, policyVersion: Int) {
        self.now = now
        self.slot = slot
        self.policy = policy
        self.policyVersion = policyVersion
    }
}

/// What else must change with the promotion, in the same transaction.
package enum PromotionEffect: Sendable, Hashable {
    /// `current` changes, generation + 1; whatever was live retires.
    case moveSlot(to: ContentDigest?, fallback: ContentDigest?, cause: String)
    /// What the endpoint should be has changed.
    case changeEndpoint
    case holdSlot(reason: String)
    case freezeSlot(reason: String)
    case quarantine(reason: String)
    case supersedeOlder
    /// Stays on the release for ever.
    case mark(String)
}
