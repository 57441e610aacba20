import SlipwayCore
import SlipwayWeb

extension Sample {
    /// Every page as the samples fill it, and as a new installation shows it.
    static func pages() throws -> [(name: String, html: HTML)] {
        try doorPages() + workPages() + assetPages() + promotionPages() + endpointPages()
    }

    private static func releases() throws -> [Release] { [try release(3, auc: 0.7134), try release(2, auc: 0.7011), try release(1, auc: 0.6932)] }

    private static func doorPages() throws -> [(name: String, html: HTML)] {
        [
            ("sign-in", SignInView.html(SignInPage(next: .board))),
            ("sign-in-wrong", SignInView.html(SignInPage(user: "ada", error: SlipwayError(.unauthenticated, "The user name or the password is wrong.")))),
            ("sign-in-first", SignInView.html(SignInPage(hasPeople: false))),
            ("error", ErrorView.html(SlipwayError(.blocked, "Promotion '9b1d' is blocked.", reasons: [.init("Gate 'scan' failed.", remedy: "Remove the import.")]), user: "olga")),
            ("board", BoardView.html(try board())),
            ("board-empty", BoardView.html(BoardPage(user: "olga", now: now, address: "http://h", projects: []))),
        ]
    }

    private static func workPages() throws -> [(name: String, html: HTML)] {
        [
            (
                "executions",
                ExecutionsView.html(
                    ExecutionsPage(
                        frame: frame(.stage), executions: [execution(.running), execution(.failed), execution(.succeeded)], older: .executions(.stage, before: "c0ffee"),
                        address: "http://h"))
            ),
            ("executions-empty", ExecutionsView.html(ExecutionsPage(frame: frame(.dev), executions: [], older: nil, address: "http://h"))),
            (
                "execution",
                ExecutionView.html(
                    ExecutionPage(
                        frame: frame(.stage), execution: execution(.failed), steps: steps(.failed),
                        tail: .init(
                            step: "train", text: "reading features\nTraceback (most recent call last):\n  File \"train.py\", line 41\nValueError: column 'wind_gust' is missing\n"))
                )
            ),
            (
                "runs",
                RunsView.html(
                    RunsPage(
                        frame: frame(.stage), rows: [.init(run: runPage().run, experiment: "flight-delays", commit: commit("c3"), metrics: ["auc": 0.7134, "log_loss": 0.4707])],
                        older: nil, address: "http://h"))
            ),
            (
                "experiments",
                ExperimentsView.html(
                    ExperimentsPage(
                        frame: frame(.dev), rows: [.init(experiment: experiment, activity: .init(runs: 10_000, running: 2, latest: ago(5)))], hasMore: true, address: "http://h"))
            ),
            ("experiments-none", ExperimentsView.html(ExperimentsPage(frame: frame(.dev), rows: [], named: "x'y", address: "http://h"))),
            ("experiments-empty", ExperimentsView.html(ExperimentsPage(frame: frame(.stage), rows: [], address: "http://h"))),
            ("run-table", RunTableView.html(runTable())),
            ("run-table-empty", RunTableView.html(runTable(runs: 0))),
            ("run-table-wrong", RunTableView.html(runTable(runs: 0, RunTableQuery(filter: "metrics.auc >"), error: .invalid("Invalid clause.", remedy: "Write it.")))),
            ("runs-empty", RunsView.html(RunsPage(frame: frame(.dev), rows: [], older: nil, address: "http://h"))),
            ("run", RunView.html(runPage())),
            ("compare", CompareView.html(compare())),
            ("traces", TracesView.html(TracesPage(frame: frame(.dev), experiment: experiment, traces: [traceRecord()], address: "http://h"))),
            ("traces-empty", TracesView.html(TracesPage(frame: frame(.dev), experiment: experiment, traces: [], address: "http://h"))),
            ("traces-wrong", TracesView.html(TracesPage(frame: frame(.dev), experiment: experiment, filter: "x", traces: [], error: .invalid("No."), address: "http://h"))),
            ("trace", TraceView.html(tracePage())),
            ("compare-none", CompareView.html(ComparePage(frame: frame(.dev), runs: []))),
            ("metric", MetricView.html(metricPage())),
            ("artifacts", ArtifactsView.html(ArtifactsPage(frame: frame(.dev), home: .loggedModel("m-1"), title: "model", back: .board, levels: [.init(path: nil, entries: [])]))),
            ("artifact-table", ArtifactsView.html(artifactsPage(.table(head: ["id", "x"], rows: [["1", "2"]], isWhole: false), path: "evaluation/a"))),
            ("artifact-page", ArtifactsView.html(artifactsPage(.page, path: "evaluation/a"))),
            ("artifact-picture", ArtifactsView.html(artifactsPage(.picture, path: "evaluation/a"))),
        ]
    }

    static let experiment = Experiment(
        id: "3", name: "flight-delays", project: project, artifactLocation: "mlflow-artifacts:/3", lifecycle: .active, createdAt: ago(900_000), updatedAt: ago(5),
        tags: ["mlflow.note.content": "Late by more than 15 minutes?"])

    static func runTable(runs: Int = 3, _ query: RunTableQuery = RunTableQuery(), error: SlipwayError? = nil) -> RunTablePage {
        let rows = (0..<runs).map { index in
            var (run, details) = (runPage().run, runPage().details)
            run.id = String(digest("row \(index)").rawValue.prefix(32))
            run.status = index == 0 ? .running : .finished
            details.params["learning_rate"] = "0.0\(index)"
            return (run, details)
        }
        return RunTablePage(
            frame: frame(.dev), experiment: experiment, query: query, runs: rows, found: runs == 0 ? 0 : 10_000,
            keys: [.metric: ["auc", "log_loss"], .param: ["learning_rate", "max_iter"], .tag: ["mlflow.user"]], error: error, address: "http://h")
    }

    static func version(_ version: ModelVersion, beside other: ModelVersion) throws -> VersionPage {
        let page = runPage()
        let origin = VersionPage.Origin(environment: .stage, run: page.run, details: page.details)
        return VersionPage(
            frame: frame(), version: version, origin: origin,
            carriers: [.init(environment: .prod, release: try release(2, auc: 0.7011), promotions: [try promotion(.live)], slots: [try slot()])],
            files: try FileManifest(files: [.init(path: "MLmodel", digest: digest("a"), size: 812), .init(path: "model.pkl", digest: digest("b"), size: 811_000)]), others: [3, 1],
            other: .init(version: other, files: try FileManifest(files: [.init(path: "MLmodel", digest: digest("a"), size: 812)])))
    }

    static func traceRecord() -> TraceRecord {
        TraceRecord(
            trace: Trace(
                id: "tr-1f", experiment: "3", project: project, requestedAt: ago(60), duration: 1234, state: .error, requestPreview: "why?", responsePreview: "because"),
            metadata: [TraceKey.tokenUsage: "{\"total_tokens\": 4200}", TraceKey.session: "s1"], tags: [TraceKey.name: "answer", "team": "ops"],
            assessments: [
                Assessment(
                    id: "a-1", trace: "tr-1f", name: "correct", kind: .feedback, value: .number(0.5), sourceType: "HUMAN", sourceID: "ada", rationale: "Half of it.",
                    createdAt: now,
                    updatedAt: now)
            ])
    }

    static func tracePage(named name: String = "answer") -> TracePage {
        func span(_ id: String, _ parent: String?, _ from: Int64, _ status: SpanStatus) -> StoredSpan {
            StoredSpan(
                id: id, parent: parent, name: name, status: status, statusMessage: "late", startedAt: from, endedAt: from + 5_000_000,
                attributes: "{\"mlflow.spanType\": \"LLM\", \"mlflow.spanInputs\": {\"q\": [1]}}", events: "[]")
        }
        return TracePage(
            frame: frame(.dev), record: traceRecord(), experiment: "flight-delays",
            // The last two name each other as parents, which no client should do and any client can.
            spans: [span("b", "a", 2_000_000, .error), span("a", nil, 0, .ok), span("c", "gone", 1, .ok), span("d", "e", 3, .ok), span("e", "d", 4, .ok)])
    }

    static func compare(isDifferingOnly: Bool = false) -> ComparePage {
        let table = runTable()
        return ComparePage(frame: table.frame, runs: table.runs, isDifferingOnly: isDifferingOnly)
    }

    private static func assetPages() throws -> [(name: String, html: HTML)] {
        let promotion = try promotion(.awaitingApproval)
        let releases = try releases()
        let model = RegisteredModel(
            name: "flight-delay", project: project, description: "Arrives more than 15 minutes late?", createdAt: ago(900_000), updatedAt: ago(7000), aliases: ["live": 2],
            number: 1)
        let versions = (1...3).reversed().map { number in
            ModelVersion(
                name: "flight-delay", project: project, version: number, manifestDigest: digest("model \(number)"), sizeBytes: 812_000, fileCount: 9, source: "models:/m-1",
                run: String(digest("run \(number)").rawValue.prefix(32)), loggedModel: nil, runLink: nil, description: nil, user: "execution:c0ffee12ab34", currentStage: "None",
                signature: [
                    "inputs": [["name": "carrier", "type": "string", "required": true], ["name": "temp", "type": "double", "required": false]], "outputs": [["type": "double"]],
                ],
                createdAt: ago(Int64(400_000 / number)), updatedAt: ago(7000), tags: ["auc": "0.71"], aliases: number == 2 ? ["live"] : [], modelNumber: 1)
        }
        return [
            ("datasets", DatasetsView.html(DatasetsPage(frame: frame(.prod), rows: [.init(newest: snapshot, freshness: .seconds(36 * 3600))]))),
            (
                "dataset",
                DatasetView.html(
                    DatasetPage(
                        frame: frame(.stage), project: project, dataset: "flights", snapshots: [snapshot],
                        recipes: [
                            try RefreshRecipe(
                                project: project, dataset: "flights", refresh: .init(from: .prod, every: "month", mask: ["tailnum": .hash]), commit: commit("c3"),
                                proposedAt: ago(9000))
                        ]))
            ),
            ("models", ModelsView.html(ModelsPage(frame: frame(), models: [model], address: "http://h"))),
            ("model", ModelView.html(ModelPage(frame: frame(), model: model, versions: versions))),
            ("version", VersionView.html(try version(versions[1], beside: versions[0]))),
            ("version-alone", VersionView.html(VersionPage(frame: frame(.dev), version: versions[2]))),
            ("releases", ReleasesView.html(ReleasesPage(frame: frame(), releases: releases))),
            ("release", ReleaseView.html(ReleasePage(frame: frame(), release: releases[0], marks: ["policy: demo"], promotions: [promotion]))),
        ]
    }

    private static func promotionPages() throws -> [(name: String, html: HTML)] {
        let awaiting = try promotion(.awaitingApproval)
        let verifying = try promotion(.verifying)
        let blocked = try promotion(.blocked)
        let releases = try releases()
        return [
            ("promotions", PromotionsView.html(PromotionsPage(frame: frame(), promotions: try PromotionState.allCases.map { try promotion($0) }))),
            (
                "promotion",
                PromotionView.html(
                    PromotionPage(
                        frame: frame(), promotion: awaiting, release: releases[0], current: releases[1], evidence: evidence(awaiting),
                        missing: [ApprovalRule(role: .operator, count: 1)], timeline: timeline, decisions: [.approve, .reject, .withdraw]))
            ),
            (
                "promotion-verifying",
                PromotionView.html(
                    PromotionPage(
                        frame: frame(), promotion: verifying, release: releases[0], current: releases[1], evidence: evidence(verifying), missing: [], timeline: timeline,
                        decisions: [.abort]))
            ),
            (
                "promotion-blocked",
                PromotionView.html(
                    PromotionPage(
                        frame: frame(), promotion: blocked, release: releases[0], current: releases[1], evidence: evidence(awaiting), missing: [], timeline: timeline,
                        decisions: [.recheck]))
            ),
        ]
    }

    private static func endpointPages() throws -> [(name: String, html: HTML)] {
        let promotion = try promotion(.awaitingApproval)
        let releases = try releases()
        let slot = try slot()
        let chapters = [
            SlotChapter(generation: 1, release: releases[2].id, fallback: nil, promotion: "aaaaaaaaaaaa", cause: "live", from: ago(900_000), until: ago(800_000)),
            SlotChapter(generation: 2, release: releases[1].id, fallback: releases[2].id, promotion: "4f0c2a91d3be", cause: "live", from: ago(800_000), until: nil),
        ]
        let deployments = [
            DeploymentStatus(release: releases[1].id, state: .ready, weight: 75, requests: 253_411, errors: 12, latencyP50: 2.8, latencyP95: 7.4),
            DeploymentStatus(release: releases[0].id, state: .ready, weight: 25, requests: 1832, latencyP50: 2.9, latencyP95: 7.1),
        ]
        var minutes: [EndpointPage.Minute] = []
        for index in 0..<50 {
            let requests: Int = 400 + (index * 37) % 90
            let latency: Double = 6 + Double((index * 13) % 7) / 3
            minutes.append(EndpointPage.Minute(at: ago(3000 - Int64(index) * 60), requests: Int64(requests), errors: 0, latencyP95: latency))
        }
        return [
            ("endpoints", EndpointsView.html(EndpointsPage(frame: frame(), rows: [.init(slot: slot, live: releases[1], deployments: deployments, verdict: .watch)]))),
            (
                "endpoint",
                EndpointView.html(
                    EndpointPage(
                        frame: frame(), slot: slot, live: releases[1], fallback: releases[2], deployments: deployments,
                        versions: [releases[0].id.rawValue: 3, releases[1].id.rawValue: 2],
                        minutes: minutes,
                        captured: (251_000, 0), reports: try reports(), mayRollBack: true, address: "http://127.0.0.1:5080"))
            ),
            ("rollback", RollbackView.html(RollbackPage(frame: frame(), slot: slot, live: releases[1], fallback: releases[2]))),
            (
                "history",
                HistoryView.html(
                    HistoryPage(
                        frame: frame(), slot: "flight-delay", chapters: chapters, at: "2025-11-20T14:05:00Z", answer: chapters[1], answerRelease: releases[1],
                        answerPromotion: promotion))
            ),
            ("audit", AuditView.html(AuditPage(frame: frame(), events: timeline.reversed(), project: project))),
        ]
    }

    static let snapshot = DataSnapshot(
        id: "5b2e81c0aa17", dataset: "flights", project: project, manifestDigest: digest("m"), sizeBytes: 28_412_000, fileCount: 3, createdAt: ago(70_000),
        createdBy: "user:dora", lineage: .init(environment: .prod, snapshot: "e0e1e2e3e4e5", recipe: digest("recipe")),
        tables: [
            DataTable(
                name: "flights", files: ["flights.parquet"], rows: 80_789,
                columns: [
                    .init(name: "flight_id", type: "BIGINT", nulls: 0, distinct: 80_789, min: "1", max: "80789"),
                    .init(name: "tailnum", type: "VARCHAR", nulls: 0.0031, distinct: 3521),
                ])
        ],
        checks: CheckOutcome(
            results: [.init(name: "nulls", severity: .warn, holds: false, message: "nulls of 'tailnum': 3.2 % (at most 1 %)")], at: now, checksDigest: digest("c")),
        tags: ["latest"])
}
