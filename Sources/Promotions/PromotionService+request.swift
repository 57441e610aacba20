import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// What somebody wants promoted.
package struct PromotionRequest: Sendable, Hashable {
    /// The release's id or an unambiguous beginning of it.
    package var release: String
    /// Nil: the endpoint that the project's file names.
    package var slot: SlotName?
    /// The gates start at once.
    package var submits = true
    package var requestID: String?

    package init(release: String, slot: SlotName? = nil, submits: Bool = true, requestID: String? = nil) {
        self.release = release
        self.slot = slot
        self.submits = submits
        self.requestID = requestID
    }
}

extension PromotionService {
    /// Brings the release into this realm if it is not here yet, plans its way into the slot and starts its gates.
    ///
    /// - Throws: `notFound` for an unknown release, `blocked` when it is not eligible (each reason says what to do), `conflict` for a slot of another project.
    package func request(_ request: PromotionRequest, by caller: Caller) async throws -> Promotion {
        try caller.requireSomebody()
        let mark = try RequestMark(request.requestID, action: "request", subject: request.release)
        let found = try await find(request.release)
        let project = found.release.content.project
        try caller.require(.requestPromotion, project: project, environment: environment)
        if let done = try await realm.database.read({ tx in try Self.done(mark, by: caller.principal, tx) }) { return done }
        try await requireEligible(found.release)
        let file = try await projectFile(of: found)
        if !found.isHere { try await arrive(found, file: file, by: caller) }
        let slot = try request.slot ?? Self.defaultSlot(file, release: found.release)
        return try await plan(found.release.id, into: slot, submits: request.submits, mark: mark, by: caller)
    }

    struct Found: Sendable {
        var release: Release
        /// False: it was found in the realm below.
        var isHere: Bool
    }

    private func find(_ prefix: String) async throws -> Found {
        if let here = try await realm.database.read({ tx in try ReleaseStore(tx: tx).release(prefix: prefix) }) { return Found(release: here, isHere: true) }
        if let below, let there = try await below.database.read({ tx in try ReleaseStore(tx: tx).release(prefix: prefix) }) {
            return Found(release: there, isHere: false)
        }
        let places = [environment, environment.below].compactMap { $0?.rawValue }.joined(separator: " nor in ")
        throw SlipwayError.notFound(
            "There is no release '\(prefix.prefix(80))' in \(places).", remedy: "See them: slipway release list \((environment.below ?? environment).rawValue)")
    }

    /// - Throws: `blocked` with every reason.
    private func requireEligible(_ release: Release) async throws {
        var reasons: [SlipwayError.Reason] = []
        let id = release.id
        if release.content.kind == .code {
            reasons.append(.init("Releases of kind 'code' cannot be promoted yet.", remedy: "Set 'model.kind: model' in slipway.yaml."))
        }
        for (place, reader) in [(environment, realm.database as any DatabaseReader)] + (below.map { [($0.environment, $0.database)] } ?? []) {
            guard let open = try await reader.read({ tx in try ReleaseStore(tx: tx).quarantine(of: id) }) else { continue }
            reasons.append(
                .init(
                    "It is quarantined in \(place.rawValue): \(open.reason)",
                    remedy: "Somebody other than its promoters may lift it: slipway release lift \(place.rawValue)/\(id.short)"))
        }
        if environment != .dev, !(try await code.isOnMainLine(release.content.commit, of: release.content.project)) {
            reasons.append(
                .init("Its commit \(release.content.commit.prefix(12)) is not on the main line.", remedy: "Merge it into the main branch; the push makes a release there."))
        }
        let policy = try await policyInForce(for: release.content.project).policy
        if let from = policy.from, from.verified, try await verifiedAt(id) == nil {
            reasons.append(
                .init(
                    "It was never live in \(from.environment.rawValue).", remedy: "Promote it there first: slipway promotion request \(id.short) --to \(from.environment.rawValue)")
            )
        }
        guard reasons.isEmpty else { throw SlipwayError(.blocked, "Release \(id.short) cannot be promoted to \(environment.rawValue).", reasons: reasons) }
    }

    func verifiedAt(_ release: ContentDigest) async throws -> Timestamp? {
        guard let below else {
            throw SlipwayError(.unavailable, "The environment below \(environment.rawValue) does not run in this process.", remedy: "Start it too: slipway serve")
        }
        return try await below.database.read { tx in try PromotionStore(tx: tx).verifiedAt(release: release) }
    }

    private func projectFile(of found: Found) async throws -> ProjectFile? {
        guard let digest = found.release.content.configDigests[environment.rawValue] ?? found.release.content.configDigests.values.first else { return nil }
        if let here = try await realm.database.read({ tx in try ProjectFileStore(tx: tx).file(digest: digest) }) { return here }
        guard let below else { return nil }
        return try await below.database.read { tx in try ProjectFileStore(tx: tx).file(digest: digest) }
    }

    private static func defaultSlot(_ file: ProjectFile?, release: Release) throws -> SlotName {
        guard let endpoint = file?.serving?.endpoint else {
            throw SlipwayError.invalid(
                "The project file of release \(release.id.short) names no endpoint.", remedy: "Name the slot: --slot NAME, or set 'serving.endpoint' in slipway.yaml.")
        }
        return try SlotName(parsing: endpoint)
    }

    /// Copies the model's bytes and the lock, then, in one transaction, registers the version and the record. No data travels.
    private func arrive(_ found: Found, file: ProjectFile?, by caller: Caller) async throws {
        guard let below else { return }
        let content = found.release.content
        let blobs = realm.blobs
        let (manifest, signature) = try await offload { () throws -> (FileManifest, JSONValue?) in
            let manifest = try below.blobs.manifest(content.modelDigest)
            try blobs.copy(manifest, from: below.blobs)
            try blobs.copy(content.lockDigest, from: below.blobs)
            return (manifest, try blobs.signature(in: manifest))
        }
        let now = clock.now
        let origin = "slipway:/\(below.environment.rawValue)/releases/\(found.release.id)"
        try await realm.database.write { tx in
            guard try ReleaseStore(tx: tx).release(found.release.id) == nil else { return }
            if let file { _ = try ProjectFileStore(tx: tx).put(file) }
            let version = try RegistryStore(tx: tx).register(
                model: content.modelName, project: content.project, source: .manifest(content.modelDigest, origin: origin),
                tags: ["slipway.release": found.release.id.rawValue, "slipway.origin": below.environment.rawValue], at: now, by: caller.principal,
                signature: signature, files: manifest)
            var record = found.release
            record.modelVersion = version
            _ = try ReleaseStore(tx: tx).insert(record)
            try AuditStore(tx: tx).append(
                "release.arrive", subject: "release:\(record.id)", project: content.project, by: caller.principal, at: now,
                details: ["from": .string(below.environment.rawValue), "version": .integer(Int64(version))])
        }
    }

    /// How often a plan is made anew because the slot moved while it was made.
    private static let planAttempts = 3

    private func plan(_ release: ContentDigest, into name: SlotName, submits: Bool, mark: RequestMark?, by caller: Caller) async throws -> Promotion {
        for _ in 1..<Self.planAttempts {
            do {
                return try await open(plan(release: release, slot: name), submits: submits, mark: mark, by: caller)
            } catch let error as SlipwayError where error.code == .conflict && error.message == Self.movedMessage { continue }
        }
        return try await open(plan(release: release, slot: name), submits: submits, mark: mark, by: caller)
    }

    private static let movedMessage = "The slot or the policy changed while the plan was made."

    private func open(_ planned: Planned, submits: Bool, mark: RequestMark?, by caller: Caller) async throws -> Promotion {
        let ledger = ledger(caller.principal)
        let plan = planned.plan
        let id = String(ids.hex32().suffix(12))
        let opened = try await realm.database.write { tx -> Promotion in
            if let done = try Self.done(mark, by: caller.principal, tx) { return done }
            let slot = try Self.slot(for: plan, by: caller, at: ledger.now, tx)
            let policy = try PolicyStore(tx: tx).newest(of: plan.project) ?? shipped
            guard slot.generation == plan.generation, policy.version == plan.policyVersion else {
                throw SlipwayError(.conflict, Self.movedMessage, remedy: "Request again.")
            }
            let promotion = try Promotion(
                id: id, plan: plan, change: planned.change, requestedBy: caller.principal.raw, at: ledger.now, timeOuts: policy.policy.timeOuts)
            try PromotionStore(tx: tx).insert(promotion)
            try AuditStore(tx: tx).append(
                "promotion.request", subject: "promotion:\(id)", project: plan.project, by: caller.principal, at: ledger.now,
                details: [
                    "to": "draft", "slot": .string(plan.slot.rawValue), "release": .string(plan.release.rawValue), "plan": .string(promotion.planDigest.rawValue),
                ])
            let opened = submits ? try ledger.perform(.submit, on: id, tx) : promotion
            try Self.record(mark, opened, by: caller.principal, at: ledger.now, tx)
            return opened
        }
        bell.ring()
        return opened
    }

    private static func slot(for plan: Plan, by caller: Caller, at now: Timestamp, _ tx: any Transaction) throws -> Slot {
        if let slot = try SlotStore(tx: tx).slot(plan.slot) {
            guard slot.project == plan.project else {
                throw SlipwayError(
                    .conflict, "Slot '\(plan.slot)' belongs to project '\(slot.project)'.", remedy: "Name another: --slot NAME, or change 'serving.endpoint' in slipway.yaml.")
            }
            return slot
        }
        let slot = Slot(name: plan.slot, project: plan.project, createdAt: now)
        _ = try SlotStore(tx: tx).insert(slot)
        try AuditStore(tx: tx).append("slot.open", subject: "slot:\(slot.name)", project: slot.project, by: caller.principal, at: now)
        return slot
    }
}
