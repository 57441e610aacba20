import SlipwayCore
import SlipwayWeb

/// A project in full swing, as values: what the page tests render.
enum Sample {
    static let now = Timestamp(milliseconds: 1_764_000_000_000)
    static let project = ProjectName(unchecked: "flight-delays")
    static let slotName = SlotName(unchecked: "flight-delay")
    static func ago(_ seconds: Int64) -> Timestamp { now - .seconds(seconds) }
    static func digest(_ text: String) -> ContentDigest { ContentDigest(of: text) }
    static func commit(_ text: String) -> String { String(digest(text).rawValue.prefix(40)) }
    static func frame(_ environment: EnvironmentID = .prod) -> PageFrame { PageFrame(environment, user: "olga", now: now) }

    static func release(_ version: Int, auc: Double) throws -> Release {
        try Release(
            content: Release.Content(
                project: project, kind: .model, commit: commit("c\(version)"), tree: commit("t\(version)"), lockDigest: digest("lock"), modelName: "flight-delay",
                modelDigest: digest("model \(version)"), trainingRun: String(digest("run \(version)").rawValue.prefix(32)), trainingEnvironment: .stage,
                snapshots: ["flights": digest("flights \(version)")], contracts: ["flights": digest("checks")],
                configDigests: ["stage": digest("config"), "prod": digest("config")]),
            createdAt: ago(90_000), createdBy: "user:ada", modelVersion: version, execution: String(digest("x\(version)").rawValue.prefix(12)),
            metrics: ["auc": auc, "log_loss": 1.03 - auc, "rows": 71_234, "slice.origin.JFK.auc": auc - 0.011])
    }

    static func slot() throws -> Slot {
        var slot = Slot(name: slotName, project: project, createdAt: ago(900_000))
        slot.current = try release(2, auc: 0.7011).id
        slot.fallback = try release(1, auc: 0.6932).id
        slot.generation = 2
        slot.promotion = "4f0c2a91d3be"
        return slot
    }

    static func policy() -> Policy {
        var policy = Policy(name: "demo", environment: .prod)
        policy.approvals = [ApprovalRule(role: .reviewer, count: 1), ApprovalRule(role: .operator, count: 1)]
        policy.gates = [
            .upstream: GateRule(mode: .enforce), .metrics: GateRule(mode: .enforce, conditions: ["metrics.auc >= 0.65"]), .baseline: GateRule(mode: .enforce),
            .slices: GateRule(mode: .enforce), .contract: GateRule(mode: .enforce), .traceable: GateRule(mode: .enforce), .scan: GateRule(mode: .enforce),
            .card: GateRule(mode: .warn), .parity: GateRule(mode: .warn),
        ]
        policy.rollout.kind = .canary
        policy.rollout.steps = [5, 25, 100]
        policy.rollout.bake = "20s"
        policy.rollout.minRequests = 200
        return policy
    }

    static func promotion(_ state: PromotionState) throws -> Promotion {
        let plan = Plan(release: try release(3, auc: 0.7134).id, slot: try slot(), policy: policy(), policyVersion: 3)
        var change = ReleaseChange()
        change.since = commit("c2")
        change.commits = [
            CommitSummary(commit: commit("c3"), author: "Ada Byron", email: "ada@example.org", at: ago(96_000), subject: "train: add wind gusts at departure"),
            CommitSummary(commit: commit("c25"), author: "Ada Byron", email: "ada@example.org", at: ago(99_000), subject: "prepare: join the weather of the hour before"),
        ]
        change.authors = ChangeAuthors(emails: ["ada@example.org"], pushers: ["user:ada"])
        change.metrics = [
            "auc": .init(before: 0.7011, after: 0.7134), "log_loss": .init(before: 0.4821, after: 0.4707), "rows": .init(before: 51_955, after: 71_234),
            "slice.origin.JFK.auc": .init(before: 0.68, after: 0.70),
        ]
        change.snapshots = ["flights": .init(before: digest("flights 2"), after: digest("flights 3"))]
        change.configChanged = true
        var promotion = try Promotion(id: "9b1d7e44a0c2", plan: plan, change: change, requestedBy: "user:max", at: ago(4000), timeOuts: PromotionTimeOuts())
        promotion.state = state
        promotion.stateSince = ago(1200)
        promotion.deadline = now + .seconds(600_000)
        promotion.attempt = 1
        promotion.approvals = [Approval(user: UserName(unchecked: "rita"), plan: promotion.planDigest, comment: "Slices hold; gain is on the same March days.", at: ago(600))]
        if state == .verifying { promotion.rollout = RolloutProgress(step: 1) }
        if state == .blocked {
            promotion.reasons = [
                .init("Gate 'baseline': AUC 0.6921 is below the champion's 0.7011 on the same snapshot.", remedy: "Train on newer data, or ask for a policy change.")
            ]
        }
        return promotion
    }

    static func evidence(_ promotion: Promotion) -> [Evidence] {
        func made(_ gate: GateName, _ outcome: GateOutcome, _ summary: String, remedy: String = "", origin: EnvironmentID = .prod, producer: String = "slipway") -> Evidence {
            Evidence(
                id: "e-\(gate.rawValue)", promotion: promotion.id, release: promotion.release, plan: promotion.planDigest, attempt: 1, gate: gate,
                mode: promotion.plan.gates[gate]?.mode ?? .enforce, outcome: outcome, summary: summary, remedy: remedy, producer: producer, origin: origin, madeAt: ago(1900),
                expiresAt: now + .seconds(86_400))
        }
        return [
            made(.upstream, .pass, "Live in stage for 2 h, verified, not quarantined.", origin: .stage),
            made(.metrics, .pass, "auc 0.7134 ≥ 0.65 on snapshot 5b2e81c0aa17.", producer: "execution:ab34cd56ef78"),
            made(.baseline, .pass, "auc 0.7134 against the champion's 0.7011, same snapshot.", producer: "execution:ab34cd56ef78"),
            made(.slices, .pass, "The weakest of 3 slices of origin is JFK with 0.7002 ≥ 0.60.", producer: "execution:ab34cd56ef78"),
            made(.contract, .pass, "Checks passed; signature compatible: 14 of 14 inputs unchanged."),
            made(.traceable, .pass, "Commit on the main line, tree clean, lock pinned, 9 files match their digests."),
            made(.scan, .pass, "1 pickle imports 6 names, all allowed; no secret in 14 files."),
            made(.card, .notAvailable, "Model cards are not built yet.", remedy: "The policy only warns."),
        ]
    }

    static func event(_ seq: Int64, _ action: String, by actor: String, _ before: Int64, _ details: JSONValue = [:], subject: String = "promotion:9b1d7e44a0c2") -> AuditEvent {
        AuditEvent(
            seq: seq, at: ago(before), actor: actor, action: action, project: project.rawValue, subject: subject, details: details,
            previousHash: digest("h\(seq - 1)").rawValue, hash: digest("h\(seq)").rawValue)
    }

    static let timeline = [
        event(81, "promotion.request", by: "user:max", 4000), event(82, "promotion.submit", by: "system:promotions", 3990),
        event(88, "promotion.checked", by: "system:promotions", 1900),
        event(91, "promotion.approve", by: "user:rita", 600, ["comment": "Slices hold; gain is on the same March days."]),
    ]

    static func execution(_ state: Execution.State) -> Execution {
        Execution(
            id: "c0ffee12ab34", project: project, commit: commit("c3"), branch: "main", trigger: .push, state: state, run: String(digest("run 3").rawValue.prefix(32)),
            snapshots: ["flights": "5b2e81c0aa17"], configDigest: digest("config"), lockDigest: digest("lock"), requestedBy: "user:ada", createdAt: ago(500),
            startedAt: ago(498), endedAt: state.isFinal ? ago(420) : nil, release: state == .succeeded ? digest("release") : nil,
            message: state == .failed ? "Step 'train' failed: python train.py exited with 3." : nil)
    }

    static func steps(_ state: Execution.State) -> [StepExecution] {
        let pipeline = [
            ProjectFile.Step(name: "prepare", run: "python prepare.py", inputs: ["flights"], outputs: ["features"]),
            ProjectFile.Step(name: "train", run: "python train.py", needs: ["prepare"], retries: 1),
            ProjectFile.Step(name: "evaluate", run: "python evaluate.py", needs: ["train"]),
        ]
        let states: [StepExecution.State] = state == .failed ? [.succeeded, .failed, .skipped] : [.succeeded, .running, .pending]
        return zip(pipeline, states).enumerated().map { index, pair in
            StepExecution(
                execution: "c0ffee12ab34", position: index, step: pair.0, state: pair.1, attempt: pair.1 == .failed ? 2 : pair.1 == .pending || pair.1 == .skipped ? 0 : 1,
                startedAt: pair.1 == .pending || pair.1 == .skipped ? nil : ago(490 - Int64(index) * 30),
                endedAt: pair.1 == .succeeded || pair.1 == .failed ? ago(462 - Int64(index) * 30) : nil, exitCode: pair.1 == .succeeded ? 0 : pair.1 == .failed ? 3 : nil,
                message: pair.1 == .failed ? "ValueError: column 'wind_gust' is missing" : nil, outputs: pair.1 == .succeeded ? ["features": digest("features")] : [:])
        }
    }

    static func runPage() -> RunPage {
        let run = Run(
            id: String(digest("run 3").rawValue.prefix(32)), experiment: "3", project: project, name: "push c3a91f · main", user: "execution:c0ffee12ab34", status: .finished,
            lifecycle: .active, startedAt: ago(498), endedAt: ago(420), artifactRoot: "mlflow-artifacts:/3/x/artifacts", number: 12)
        var details = RunDetails()
        details.metrics = [
            ("auc", 0.7134), ("log_loss", 0.4707), ("champion.auc", 0.7011), ("slice.origin.EWR.auc", 0.7162), ("slice.origin.JFK.auc", 0.7002), ("train.log_loss", 0.4519),
        ]
        .map { MetricPoint(key: $0.0, value: $0.1, timestamp: now.milliseconds, step: $0.0 == "train.log_loss" ? 200 : 0) }
        details.params = ["learning_rate": "0.08", "max_leaf_nodes": "31", "max_iter": "200", "validation": "2013-03", "features": "14"]
        details.tags = [
            "mlflow.source.git.commit": commit("c3"), "slipway.execution": "c0ffee12ab34", "slipway.snapshot.flights": "5b2e81c0aa17", "mlflow.user": "ada",
            "mlflow.log-model.history": "[{…}]",
        ]
        details.datasets = [DatasetInput(name: "flights", digest: "5b2e81c0aa17", sourceType: "slipway", source: "slipway", tags: ["mlflow.data.context": "training"])]
        return RunPage(
            frame: frame(.stage), run: run, experiment: "flight-delays", details: details,
            artifacts: [.init(path: "roc.png", sizeBytes: 34_120), .init(path: "monitoring/baseline.parquet", sizeBytes: 8213), .init(path: "MODEL_CARD.md", sizeBytes: 1402)],
            models: [
                LoggedModel(
                    id: "m-\(digest("m").rawValue.prefix(32))", name: "model", experiment: "3", project: project, sourceRun: run.id, modelType: "", artifactRoot: "x",
                    status: .ready,
                    creator: "ada", signature: ["inputs": .array(Array(repeating: ["name": "x"], count: 14))], createdAt: now, updatedAt: now)
            ])
    }

    static func metricPage() -> MetricPage {
        var generator = 17.0
        let points = (0...80).map { step in
            generator = (generator * 16_807).truncatingRemainder(dividingBy: 2_147_483_647)
            let value = step == 80 ? 0.4519 : 0.44 + 0.17 / (1 + Double(step) / 9) + generator / 2_147_483_647 * 0.006
            return MetricSample(step: Int64(step), timestamp: now.milliseconds, value: value)
        }
        return MetricPage(frame: frame(.prod), run: runPage().run, key: "train.log_loss", points: points, hasMore: true)
    }

    static func artifactsPage(_ preview: ArtifactsPage.Preview, path: String) -> ArtifactsPage {
        ArtifactsPage(
            frame: frame(.dev), home: .run(runPage().run.id), title: "push", back: .run(.dev, runPage().run.id),
            levels: [
                .init(path: nil, entries: [ArtifactEntry(name: "evaluation", size: nil), ArtifactEntry(name: "notes.txt", size: 12)]),
                .init(path: "evaluation", entries: [ArtifactEntry(name: "a", size: 3)]),
            ], file: .init(path: path, sizeBytes: 3, digest: digest("a").rawValue, preview: preview))
    }

    static func reports() throws -> [DriftReport] {
        let features: [(String, Double)] = [
            ("temp", 0.31), ("dep_hour", 0.02), ("carrier", 0.04), ("origin", 0.01), ("distance", 0.03), ("humid", 0.12), ("wind_speed", 0.07), ("visib", 0.05),
            ("month_day", 0.01),
        ]
        return (4...12).map { month in
            let from = Timestamp(
                milliseconds: [
                    0, 1, 2, 3, 1_364_774_400, 1_367_366_400, 1_370_044_800, 1_372_636_800, 1_375_315_200, 1_377_993_600, 1_380_585_600, 1_383_264_000, 1_385_856_000,
                    1_388_534_400,
                ][month] * 1000)
            let to = Timestamp(
                milliseconds: [
                    0, 1, 2, 3, 1_364_774_400, 1_367_366_400, 1_370_044_800, 1_372_636_800, 1_375_315_200, 1_377_993_600, 1_380_585_600, 1_383_264_000, 1_385_856_000,
                    1_388_534_400,
                ][month + 1] * 1000)
            let summer = 1 - abs(Double(month) - 7.5) / 6
            let drifted = features.map { name, base in
                let psi = base * (0.3 + summer * 2)
                return FeatureDrift(
                    name: name, psi: psi, psiMissing: nil, expectedByChance: 0.001, band: psi >= 0.25 ? .act : psi >= 0.1 ? .watch : .ok, missingShare: 0, missingShareBaseline: 0,
                    bins: .categories([]), counts: [], baselineCounts: [])
            }
            let auc = 0.713 - summer * 0.045
            let worst = drifted.map(\.band).max() ?? .ok
            return DriftReport(
                id: "r\(month)", slot: slotName, project: project, release: digest("x"), from: from, to: to, madeAt: ago(Int64(100 * (13 - month))), madeBy: "system:monitoring",
                rows: 27_000 + Int64(month) * 93,
                rowsByRelease: [:], watch: 0.1, act: 0.25, baseline: .snapshot, features: drifted, prediction: nil,
                quality: WindowQuality(rows: 28_000, labelled: 27_310, metrics: ["auc": auc, "log_loss": 1.17 - auc], baseline: ["auc": 0.7011, "log_loss": 0.4821]),
                verdict: worst, reasons: worst == .ok ? [] : ["temp moved: index \(0.6) is past the act mark of 0.25.", "AUC \(auc) against 0.7011 in training."])
        }
    }

    static func board() throws -> BoardPage {
        var dev = BoardPage.Place(.dev)
        dev.code = .init(commit: commit("d"), branch: "gusts", subject: "train: try a deeper tree", pusher: "user:ada", at: ago(900))
        dev.work = .init(execution: "77aa88bb99cc", state: "running", tone: .busy)
        dev.registered = .init(model: "flight-delay", version: 5, at: ago(4000))
        dev.data = [.init(name: "flights", snapshot: "11ab22cd33ef", at: ago(80_000), sizeBytes: 1_400_000, freshness: nil, expiresAt: now + .seconds(1_100_000), checks: "passed")]
        dev.policy = "demo"
        dev.roles = [("contributor", 3), ("engineer", 2), ("steward", 1)]
        var stage = BoardPage.Place(.stage)
        stage.code = .init(commit: commit("c3"), branch: "main", subject: "train: add wind gusts at departure", pusher: "user:ada", at: ago(90_000))
        stage.live = [
            .init(
                slot: "flight-delay", model: "flight-delay", version: 3, release: digest("r3").rawValue, since: ago(7400), promotion: "1", policy: "demo", hasFallback: true,
                hold: nil)
        ]
        stage.data = [.init(name: "flights", snapshot: "5b2e81c0aa17", at: ago(70_000), sizeBytes: 28_000_000, freshness: nil, expiresAt: nil, checks: "passed")]
        stage.health = .init(requests: 1204, errors: 0, latencyP95: 6.2, isAnswering: true, drift: (0, 0))
        stage.policy = "demo"
        stage.roles = [("engineer", 2), ("reviewer", 2), ("operator", 1)]
        var prod = BoardPage.Place(.prod)
        prod.code = .init(commit: commit("c2"), branch: "main", subject: "evaluate: slices by origin", pusher: "user:ada", at: ago(900_000))
        prod.live = [
            .init(
                slot: "flight-delay", model: "flight-delay", version: 2, release: digest("r2").rawValue, since: ago(800_000), promotion: "1", policy: "demo", hasFallback: true,
                hold: nil)
        ]
        prod.data = [.init(name: "flights", snapshot: "e0e1e2e3e4e5", at: ago(60_000), sizeBytes: 28_000_000, freshness: .seconds(36 * 3600), expiresAt: nil, checks: "passed")]
        prod.health = .init(requests: 253_411, errors: 12, latencyP95: 7.4, isAnswering: true, drift: (2, 1))
        prod.open = [("9b1d7e44a0c2", "awaitingApproval")]
        prod.policy = "demo"
        prod.roles = [("reviewer", 1), ("operator", 1), ("auditor", 1)]
        let empty = EnvironmentID.allCases.map { environment in
            var place = BoardPage.Place(environment)
            place.roles = [("admin", 1)]
            return place
        }
        var hidden = BoardPage.Place(.prod)
        hidden.isVisible = false
        return BoardPage(
            user: "olga", now: now, address: "http://127.0.0.1:5080",
            projects: [
                .init(name: project, owner: "ops-analytics", places: [dev, stage, prod]),
                .init(name: ProjectName(unchecked: "baggage"), owner: "max", places: [empty[0], empty[1], hidden]),
            ])
    }
}
