import Foundation
import SlipwayCore
import SlipwayWeb
import Testing

@Suite("Pages") struct WebPageTests {
    /// Every page as the samples fill it, and as a new installation shows it.
    static func pages() throws -> [(name: String, html: HTML)] {
        let promotion = try Sample.promotion(.awaitingApproval)
        let verifying = try Sample.promotion(.verifying)
        let releases = [try Sample.release(3, auc: 0.7134), try Sample.release(2, auc: 0.7011), try Sample.release(1, auc: 0.6932)]
        let slot = try Sample.slot()
        let snapshot = Self.snapshot
        let model = RegisteredModel(name: "flight-delay", project: Sample.project, description: "Arrives more than 15 minutes late?", createdAt: Sample.ago(900_000), updatedAt: Sample.ago(7000), aliases: ["live": 2], number: 1)
        let versions = (1...3).reversed().map { number in
            ModelVersion(
                name: "flight-delay", project: Sample.project, version: number, manifestDigest: Sample.digest("model \(number)"), sizeBytes: 812_000, fileCount: 9, source: "models:/m-1",
                run: String(Sample.digest("run \(number)").rawValue.prefix(32)), loggedModel: nil, runLink: nil, description: nil, user: "execution:c0ffee12ab34", currentStage: "None",
                signature: ["inputs": [["name": "carrier", "type": "string", "required": true], ["name": "temp", "type": "double", "required": false]], "outputs": [["type": "double"]]],
                createdAt: Sample.ago(Int64(400_000 / number)), updatedAt: Sample.ago(7000), tags: ["auc": "0.71"], aliases: number == 2 ? ["live"] : [], modelNumber: 1)
        }
        let chapters = [
            SlotChapter(generation: 1, release: releases[2].id, fallback: nil, promotion: "aaaaaaaaaaaa", cause: "live", from: Sample.ago(900_000), until: Sample.ago(800_000)),
            SlotChapter(generation: 2, release: releases[1].id, fallback: releases[2].id, promotion: "4f0c2a91d3be", cause: "live", from: Sample.ago(800_000), until: nil),
        ]
        let deployments = [
            DeploymentStatus(release: releases[1].id, state: .ready, weight: 75, requests: 253_411, errors: 12, latencyP50: 2.8, latencyP95: 7.4),
            DeploymentStatus(release: releases[0].id, state: .ready, weight: 25, requests: 1832, latencyP50: 2.9, latencyP95: 7.1),
        ]
        return [
            ("sign-in", SignInView.html(SignInPage(next: .board))),
            ("sign-in-wrong", SignInView.html(SignInPage(user: "ada", error: SlipwayError(.unauthenticated, "The user name or the password is wrong.")))),
            ("sign-in-first", SignInView.html(SignInPage(hasPeople: false))),
            ("error", ErrorView.html(SlipwayError(.blocked, "Promotion '9b1d' is blocked.", reasons: [.init("Gate 'scan' failed.", remedy: "Remove the import.")]), user: "olga")),
            ("board", BoardView.html(try Sample.board())),
            ("board-empty", BoardView.html(BoardPage(user: "olga", now: Sample.now, address: "http://h", projects: []))),
            ("executions", ExecutionsView.html(ExecutionsPage(frame: Sample.frame(.stage), executions: [Sample.execution(.running), Sample.execution(.failed), Sample.execution(.succeeded)], older: .executions(.stage, before: "c0ffee"), address: "http://h"))),
            ("executions-empty", ExecutionsView.html(ExecutionsPage(frame: Sample.frame(.dev), executions: [], older: nil, address: "http://h"))),
            ("execution", ExecutionView.html(ExecutionPage(frame: Sample.frame(.stage), execution: Sample.execution(.failed), steps: Sample.steps(.failed), tail: .init(step: "train", text: "reading features\nTraceback (most recent call last):\n  File \"train.py\", line 41\nValueError: column 'wind_gust' is missing\n")))),
            ("runs", RunsView.html(RunsPage(frame: Sample.frame(.stage), rows: [.init(run: Sample.runPage().run, experiment: "flight-delays", commit: Sample.commit("c3"), metrics: ["auc": 0.7134, "log_loss": 0.4707])], older: nil, address: "http://h"))),
            ("runs-empty", RunsView.html(RunsPage(frame: Sample.frame(.dev), rows: [], older: nil, address: "http://h"))),
            ("run", RunView.html(Sample.runPage())),
            ("datasets", DatasetsView.html(DatasetsPage(frame: Sample.frame(.prod), rows: [.init(newest: snapshot, freshness: .seconds(36 * 3600))]))),
            ("dataset", DatasetView.html(DatasetPage(
                frame: Sample.frame(.stage), project: Sample.project, dataset: "flights", snapshots: [snapshot],
                recipes: [try RefreshRecipe(project: Sample.project, dataset: "flights", refresh: .init(from: .prod, every: "month", mask: ["tailnum": .hash]), commit: Sample.commit("c3"), proposedAt: Sample.ago(9000))]))),
            ("models", ModelsView.html(ModelsPage(frame: Sample.frame(), models: [model], address: "http://h"))),
            ("model", ModelView.html(ModelPage(frame: Sample.frame(), model: model, versions: versions))),
            ("releases", ReleasesView.html(ReleasesPage(frame: Sample.frame(), releases: releases))),
            ("release", ReleaseView.html(ReleasePage(frame: Sample.frame(), release: releases[0], marks: ["policy: demo"], promotions: [promotion]))),
            ("promotions", PromotionsView.html(PromotionsPage(frame: Sample.frame(), promotions: try PromotionState.allCases.map(Sample.promotion)))),
            ("promotion", PromotionView.html(PromotionPage(
                frame: Sample.frame(), promotion: promotion, release: releases[0], current: releases[1], evidence: Sample.evidence(promotion),
                missing: [ApprovalRule(role: .operator, count: 1)], timeline: Sample.timeline, decisions: [.approve, .reject, .withdraw]))),
            ("promotion-verifying", PromotionView.html(PromotionPage(
                frame: Sample.frame(), promotion: verifying, release: releases[0], current: releases[1], evidence: Sample.evidence(verifying), missing: [], timeline: Sample.timeline, decisions: [.abort]))),
            ("promotion-blocked", PromotionView.html(PromotionPage(
                frame: Sample.frame(), promotion: try Sample.promotion(.blocked), release: releases[0], current: releases[1], evidence: Sample.evidence(promotion), missing: [], timeline: Sample.timeline, decisions: [.recheck]))),
            ("endpoints", EndpointsView.html(EndpointsPage(frame: Sample.frame(), rows: [.init(slot: slot, live: releases[1], deployments: deployments, verdict: .watch)]))),
            ("endpoint", EndpointView.html(EndpointPage(
                frame: Sample.frame(), slot: slot, live: releases[1], fallback: releases[2], deployments: deployments, versions: [releases[0].id.rawValue: 3, releases[1].id.rawValue: 2],
                reports: try Sample.reports(), mayRollBack: true, address: "http://127.0.0.1:5080"))),
            ("rollback", RollbackView.html(RollbackPage(frame: Sample.frame(), slot: slot, live: releases[1], fallback: releases[2]))),
            ("history", HistoryView.html(HistoryPage(frame: Sample.frame(), slot: "flight-delay", chapters: chapters, at: "2025-11-20T14:05:00Z", answer: chapters[1], answerRelease: releases[1], answerPromotion: promotion))),
            ("audit", AuditView.html(AuditPage(frame: Sample.frame(), events: Sample.timeline.reversed()))),
        ]
    }

    static let snapshot = DataSnapshot(
        id: "5b2e81c0aa17", dataset: "flights", project: Sample.project, manifestDigest: Sample.digest("m"), sizeBytes: 28_412_000, fileCount: 3, createdAt: Sample.ago(70_000),
        createdBy: "user:dora", lineage: .init(environment: .prod, snapshot: "e0e1e2e3e4e5", recipe: Sample.digest("recipe")),
        tables: [DataTable(name: "flights", files: ["flights.parquet"], rows: 80_789, columns: [
            .init(name: "flight_id", type: "BIGINT", nulls: 0, distinct: 80_789, min: "1", max: "80789"), .init(name: "tailnum", type: "VARCHAR", nulls: 0.0031, distinct: 3521),
        ])],
        checks: CheckOutcome(results: [.init(name: "nulls", severity: .warn, holds: false, message: "nulls of 'tailnum': 3.2 % (at most 1 %)")], at: Sample.now, checksDigest: Sample.digest("c")), tags: ["latest"])

    @Test("every page keeps to the content security policy, has one first heading, labelled fields and only links of this site")
    func wellFormed() throws {
        for (name, html) in try Self.pages() {
            let text = html.markup
            #expect(text.hasPrefix("<!doctype html>"), "\(name)")
            #expect(!text.contains(" style="), "inline style in \(name)")
            #expect(text.firstMatch(of: /<script(?![^>]*src=)/) == nil, "inline script in \(name)")
            #expect(text.firstMatch(of: /\son[a-z]+=/) == nil, "inline handler in \(name)")
            #expect(text.matches(of: /<h1>/).count == 1, "\(name)")
            for match in text.matches(of: /(?:href|src|action|formaction)="([^"]*)"/) {
                #expect(match.1.hasPrefix("/") && !match.1.hasPrefix("//") || match.1 == "#main", "\(match.1) in \(name)")
            }
            // A field stands in its label, so that a screen reader says what it is.
            for match in text.matches(of: /<(?:input|textarea|select)(?![^>]*type="hidden")[^>]*>/) {
                let before = text[..<match.range.lowerBound]
                let opened = before.ranges(of: "<label").count
                #expect(opened == before.ranges(of: "</label>").count + 1, "a field without a label in \(name): \(match.0)")
            }
            // No heading skips a level on the way down.
            let levels = text.matches(of: /<h([1-6])/).compactMap { Int($0.1) }
            for (upper, lower) in zip(levels, levels.dropFirst()) { #expect(lower <= upper + 1, "h\(upper) then h\(lower) in \(name)") }
            for match in text.matches(of: /<img(?![^>]*alt=)/) { Issue.record("a picture without words in \(name): \(match.0)") }
            try Self.balanced(text, name)
        }
    }

    /// Every tag that is opened is closed, in order.
    static func balanced(_ text: String, _ name: String) throws {
        let void: Set<Substring> = ["meta", "link", "input", "img", "br", "hr"]
        var open: [Substring] = []
        for match in text.matches(of: /<(\/?)([a-z][a-z0-9]*)[^>]*>/) where !void.contains(match.2) {
            if match.1.isEmpty { open.append(match.2); continue }
            try #require(open.last == match.2, "</\(match.2)> closes <\(open.last ?? "nothing")> in \(name)")
            open.removeLast()
        }
        #expect(open.isEmpty, "\(open) in \(name)")
    }

    @Test("hostile names are shown as text and never become markup")
    func hostile() throws {
        let evil = "\"><script>alert(1)</script><img src=x onerror=alert(2)> ' & \u{202e}"
        var execution = Sample.execution(.failed)
        execution.branch = evil
        execution.message = evil
        execution.requestedBy = "user:\(evil)"
        execution.snapshots = [evil: evil]
        var steps = Sample.steps(.failed)
        steps[0].message = evil
        steps[0].step.run = evil
        var run = Sample.runPage()
        run.run.name = evil
        run.details.params = [evil: evil]
        run.details.tags[evil] = evil
        run.artifacts = [.init(path: "\(evil).png", sizeBytes: 1)]
        run.curves = [evil: run.curves["valid.auc"]!]
        var promotion = try Sample.promotion(.blocked)
        promotion.reasons = [.init(evil, remedy: evil)]
        promotion.change.commits[0].subject = evil
        promotion.approvals[0].comment = evil
        let pages = [
            ExecutionView.html(ExecutionPage(frame: Sample.frame(), execution: execution, steps: steps, tail: .init(step: evil, text: evil))),
            RunView.html(run),
            PromotionView.html(PromotionPage(frame: Sample.frame(), promotion: promotion, release: nil, current: nil, evidence: [], missing: [], timeline: [], decisions: [.approve], error: .invalid(evil))),
            SignInView.html(SignInPage(user: evil)),
            AuditView.html(AuditPage(frame: Sample.frame(), events: [Sample.event(1, evil, by: evil, 1, [evil: .string(evil)], subject: evil)], subject: evil)),
        ]
        for page in pages {
            #expect(!page.markup.contains("<script>alert"))
            #expect(!page.markup.contains("<img src=x"))
            #expect(!page.markup.contains("\u{202e}"))
            #expect(page.markup.contains("&lt;script&gt;"))
        }
    }

    @Test("every page reads without JavaScript: what a chart draws stands in a table")
    func withoutScript() throws {
        let run = RunView.html(Sample.runPage()).markup
        #expect(run.matches(of: /<figure class="chart"/).count == 2)
        #expect(run.contains("<details open>"))
        #expect(run.matches(of: /<td data-v="/).count == 162)
    }

    @Test("a decided plan travels with the form, and a caller without rights sees no button")
    func decisions() throws {
        let promotion = try Sample.promotion(.awaitingApproval)
        func page(_ decisions: Set<PromotionPage.Decision>) -> String {
            PromotionView.html(PromotionPage(
                frame: Sample.frame(), promotion: promotion, release: nil, current: nil, evidence: [], missing: [ApprovalRule(role: .operator, count: 1)], timeline: [], decisions: decisions)).markup
        }
        #expect(page([.approve]).contains("name=\"plan\" value=\"\(promotion.planDigest.rawValue)\""))
        #expect(page([.approve]).contains("missing</span> 1 operator"))
        #expect(!page([]).contains("<button class=\"primary\""))
        #expect(!page([]).contains("<textarea"))
    }

    @Test("the board says in one sentence how a project is")
    func words() throws {
        let board = BoardView.html(try Sample.board()).markup
        #expect(board.contains("Needs a look"))
        #expect(board.contains("flight-delay version 2 answers in prod, for 9 days."))
        #expect(board.contains("One change waits for a decision."))
        #expect(board.contains("An empty project. Next: push code to it."))
        #expect(board.contains("You hold no role here."))
    }

    @Test("only paths of this site are returned to after signing in", arguments: [
        "https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\r\nset-cookie: x=1", "", "prod/runs",
    ])
    func returning(text: String) { #expect(SitePath(returningTo: text) == nil) }

    @Test("every link has a route")
    func routed() throws {
        let patterns = SitePattern.allCases.map { $0.rawValue.split(separator: "/") }
        for (name, html) in try Self.pages() {
            for match in html.markup.matches(of: /(?:href|src|action|formaction)="\/([^"?#]*)/) {
                let parts = match.1.split(separator: "/")
                let fits = patterns.contains { pattern in
                    if pattern.last == "**" { return parts.count >= pattern.count && parts.first == pattern.first }
                    return pattern.count == parts.count && zip(pattern, parts).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
                }
                #expect(fits, "/\(match.1) in \(name)")
            }
        }
    }

    @Test("pages are written to the folder that SLIPWAY_PAGES names, for looking at them", .enabled(if: ProcessInfo.processInfo.environment["SLIPWAY_PAGES"] != nil))
    func written() throws {
        let folder = URL(filePath: ProcessInfo.processInfo.environment["SLIPWAY_PAGES"] ?? "")
        for (name, html) in try Self.pages() { try Data(html.markup.utf8).write(to: folder.appending(path: "\(name).html")) }
    }
}
