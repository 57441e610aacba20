import Promotions
import SlipwayCore
import SlipwayWire

extension WireRelease {
    init(_ release: Release, in environment: EnvironmentID) {
        let content = release.content
        self.init(
            id: release.id.rawValue, environment: environment.rawValue, project: content.project.rawValue, kind: content.kind.rawValue, commit: content.commit,
            model: content.modelName, modelVersion: release.modelVersion, modelDigest: content.modelDigest.rawValue, trainingRun: content.trainingRun,
            trainingEnvironment: content.trainingEnvironment.rawValue, snapshots: content.snapshots.mapValues(\.rawValue),
            metrics: release.metrics.filter { $0.value.isFinite }, createdAt: release.createdAt.iso8601, createdBy: release.createdBy, execution: release.execution)
    }

    init(_ record: PromotionService.ReleaseRecord, in environment: EnvironmentID) {
        self.init(record.release, in: environment)
        marks = record.marks
        quarantine = record.quarantine?.reason
        promotions = record.promotions.map(\.id)
    }
}

extension WirePromotion {
    init(_ promotion: Promotion) {
        self.init(
            id: promotion.id, environment: promotion.plan.environment.rawValue, project: promotion.project.rawValue, slot: promotion.slot.rawValue,
            release: promotion.release.rawValue, state: promotion.state.rawValue, stateSince: promotion.stateSince.iso8601,
            deadline: promotion.deadline?.iso8601, opensAt: promotion.opensAt?.iso8601, plan: Plan(promotion.plan, digest: promotion.planDigest),
            requestedBy: promotion.requestedBy, createdAt: promotion.createdAt.iso8601, attempt: promotion.attempt,
            approvals: promotion.approvals.map { Approval(user: $0.user.rawValue, at: $0.at.iso8601, comment: $0.comment) },
            reasons: promotion.reasons.map { WireError.Reason(message: $0.message, remedy: $0.remedy) }, amber: promotion.amber.map(\.rawValue),
            appliedBy: promotion.appliedBy, step: promotion.state == .verifying ? promotion.rollout?.step : nil, liveAt: promotion.liveAt?.iso8601,
            change: WireChange(promotion.change))
    }
}

extension WirePromotion.Seat {
    init(_ rule: ApprovalRule) { self.init(role: rule.role.rawValue, count: rule.count) }
}

extension WirePromotion.Plan {
    init(_ plan: SlipwayCore.Plan, digest: ContentDigest) {
        self.init(
            digest: digest.rawValue, current: plan.current?.rawValue, fallback: plan.fallback?.rawValue, generation: plan.generation, policy: plan.policyName,
            policyVersion: plan.policyVersion, gates: Dictionary(uniqueKeysWithValues: plan.gates.map { ($0.key.rawValue, $0.value.mode.rawValue) }),
            approvals: plan.approvals.map(WirePromotion.Seat.init),
            steps: plan.steps.map { WirePromotion.Step(weight: $0.weight, bake: $0.bake.text, minRequests: $0.minRequests) })
    }
}

extension WireChange {
    init(_ change: ReleaseChange) {
        self.init(
            since: change.since,
            commits: change.commits.map { Commit(commit: $0.commit, author: "\($0.author) <\($0.email)>", at: $0.at.iso8601, subject: $0.subject) },
            authors: (change.authors.emails.sorted() + change.authors.pushers.sorted()),
            metrics: change.metrics.mapValues { Number(before: $0.before.flatMap { $0.isFinite ? $0 : nil }, after: $0.after.flatMap { $0.isFinite ? $0 : nil }) },
            snapshots: change.snapshots.mapValues { Text(before: $0.before?.rawValue, after: $0.after?.rawValue) }, configChanged: change.configChanged,
            lockChanged: change.lockChanged)
    }
}

extension WireEvidence {
    init(_ evidence: Evidence) throws {
        self.init(
            id: evidence.id, gate: evidence.gate.rawValue, mode: evidence.mode.rawValue, outcome: evidence.outcome.rawValue, summary: evidence.summary,
            remedy: evidence.remedy, attempt: evidence.attempt, plan: evidence.plan.rawValue, producer: evidence.producer, origin: evidence.origin.rawValue,
            snapshots: evidence.snapshots, madeAt: evidence.madeAt.iso8601, expiresAt: evidence.expiresAt?.iso8601, details: try CanonicalJSON.text(evidence.details))
    }
}

extension WireSlot {
    init(_ slot: Slot, in environment: EnvironmentID) {
        self.init(
            name: slot.name.rawValue, environment: environment.rawValue, project: slot.project.rawValue, current: slot.current?.rawValue, promotion: slot.promotion,
            fallback: slot.fallback?.rawValue, generation: slot.generation, hold: slot.hold, heldBy: slot.heldBy, heldAt: slot.heldAt?.iso8601,
            updatedAt: slot.updatedAt.iso8601)
    }
}

extension WireChapter {
    init(_ served: PromotionService.Served) {
        let chapter = served.chapter
        self.init(
            generation: chapter.generation, from: chapter.from.iso8601, until: chapter.until?.iso8601, cause: chapter.cause, release: chapter.release?.rawValue,
            fallback: chapter.fallback?.rawValue, promotion: served.promotion?.id ?? chapter.promotion)
        commit = served.release?.content.commit
        model = served.release?.content.modelName
        modelVersion = served.release?.modelVersion
        trainedOn = served.release?.content.snapshots.mapValues(\.rawValue) ?? [:]
        guard let promotion = served.promotion else { return }
        requestedBy = promotion.requestedBy
        approvedBy = promotion.approvals.map { Principal.user($0.user).raw }
        appliedBy = promotion.appliedBy
        policy = promotion.plan.policyName
        for evidence in served.evidence where evidence.plan == promotion.planDigest { checkedOn.merge(evidence.snapshots) { $1 } }
    }
}

extension WirePolicy {
    init(_ installed: InstalledPolicy, project: ProjectName) {
        self.init(
            project: project.rawValue, environment: installed.policy.environment.rawValue, name: installed.policy.name, version: installed.version,
            text: installed.text, installedAt: installed.version == 0 ? nil : installed.installedAt.iso8601, installedBy: installed.installedBy)
    }
}

extension WireFreeze {
    init(_ freeze: Freeze) {
        self.init(project: freeze.project.rawValue, slot: freeze.slot?.rawValue, reason: freeze.reason)
        id = freeze.id
        owner = freeze.owner
        createdAt = freeze.createdAt.iso8601
        expiresAt = freeze.expiresAt?.iso8601
        liftedAt = freeze.liftedAt?.iso8601
        liftedBy = freeze.liftedBy
    }
}

extension WireAuditEvent {
    init(_ event: AuditEvent) throws {
        self.init(
            seq: event.seq, at: event.at.iso8601, actor: event.actor, action: event.action, project: event.project, subject: event.subject,
            details: try CanonicalJSON.text(event.details), previousHash: event.previousHash, hash: event.hash)
    }
}
