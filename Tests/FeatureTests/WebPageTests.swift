import Foundation
import SlipwayCore
import SlipwayWeb
import Testing

@Suite("Pages") struct WebPageTests {
    @Test("every page keeps to the content security policy, has one first heading, labelled fields and only links of this site")
    func wellFormed() throws {
        for (name, html) in try Sample.pages() {
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
        run.details.metrics.append(MetricPoint(key: evil, value: 1, timestamp: 1, step: 7))
        let files = ArtifactsPage(
            frame: Sample.frame(), home: .run("0"), title: evil, back: .board, levels: [.init(path: nil, entries: [ArtifactEntry(name: evil, size: 1)])],
            file: .init(path: evil, sizeBytes: 1, digest: evil, preview: .table(head: [evil], rows: [[evil]], isWhole: true)))
        var promotion = try Sample.promotion(.blocked)
        promotion.reasons = [.init(evil, remedy: evil)]
        promotion.change.commits[0].subject = evil
        promotion.approvals[0].comment = evil
        let pages = [
            ExecutionView.html(ExecutionPage(frame: Sample.frame(), execution: execution, steps: steps, tail: .init(step: evil, text: evil))),
            TraceView.html(Sample.tracePage(named: evil)), RunView.html(run), ArtifactsView.html(files),
            CompareView.html(ComparePage(frame: Sample.frame(), runs: [(run.run, run.details), (run.run, RunDetails())])),
            PromotionView.html(
                PromotionPage(
                    frame: Sample.frame(), promotion: promotion, release: nil, current: nil, evidence: [], missing: [], timeline: [], decisions: [.approve], error: .invalid(evil))),
            SignInView.html(SignInPage(user: evil)),
            AuditView.html(
                AuditPage(frame: Sample.frame(), events: [Sample.event(1, evil, by: evil, 1, [evil: .string(evil)], subject: evil)], project: Sample.project, subject: evil)),
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
        #expect(run.matches(of: /<figure class="chart curve"/).count == 1)
        let table = try #require(run.firstMatch(of: /href="([^"]+)">as a table</)).1
        #expect(table == "/stage/runs/\(Sample.runPage().run.id)/metric?key=train.log_loss")
        let metric = MetricView.html(Sample.metricPage()).markup
        #expect(metric.contains("0.4519") && metric.matches(of: /<tr><th scope="row" class="n">/).count == 81)
    }

    @Test("a trace's steps stand below their parents, each once, whatever the client wrote")
    func steps() throws {
        let text = TraceView.html(Sample.tracePage()).markup
        #expect(text.matches(of: /id="span-([a-e])"/).map { String($0.1) } == ["a", "b", "c", "d", "e"])
        #expect(text.contains("&quot;q&quot;: [") && text.contains("4,200") && text.contains("Half of it."))
    }

    @Test("a decided plan travels with the form, and a caller without rights sees no button")
    func decisions() throws {
        let promotion = try Sample.promotion(.awaitingApproval)
        func page(_ decisions: Set<PromotionPage.Decision>) -> String {
            PromotionView.html(
                PromotionPage(
                    frame: Sample.frame(), promotion: promotion, release: nil, current: nil, evidence: [], missing: [ApprovalRule(role: .operator, count: 1)], timeline: [],
                    decisions: decisions)
            ).markup
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

    @Test(
        "only paths of this site are returned to after signing in",
        arguments: [
            "https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\r\nset-cookie: x=1", "", "prod/runs",
        ])
    func returning(text: String) { #expect(SitePath(returningTo: text) == nil) }

    @Test("every link has a route")
    func routed() throws {
        let patterns = SitePattern.allCases.map { $0.rawValue.split(separator: "/") }
        for (name, html) in try Sample.pages() {
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
        for (name, html) in try Sample.pages() { try Data(html.markup.utf8).write(to: folder.appending(path: "\(name).html")) }
    }
}
