import SlipwayCore

package enum BoardView {
    package static func html(_ page: BoardPage) -> HTML {
        let content = page.projects.isEmpty ? empty(page) : page.projects.html { part($0, page) }
        return ShellView.html(Shell("Board", user: page.user), content)
    }

    private static func empty(_ page: BoardPage) -> HTML {
        Piece.empty(
            "You hold no role in any project yet. An admin of a project can give you one:",
            command: "slipway role grant \(page.user ?? "USER") contributor --project PROJECT --environment dev")
    }

    private static func part(_ project: BoardPage.ProjectPart, _ page: BoardPage) -> HTML {
        let words = BoardWords.sentence(project, now: page.now)
        return """
            <section class="project" aria-labelledby="p-\(project.name.rawValue)">
            <header><h2 id="p-\(project.name.rawValue)">\(project.name.rawValue)</h2><span class="owner">\(project.owner)</span>
            <p class="words">\(Piece.badge(words.verdict, words.tone)) <span>\(words.text)</span></p></header>
            <div class="board">\(project.places.html { place($0, project, page) })</div>
            </section>

            """
    }

    private static func place(_ place: BoardPage.Place, _ project: BoardPage.ProjectPart, _ page: BoardPage) -> HTML {
        let name = place.environment.rawValue
        let policy: HTML? = place.policy.map { "<span class=\"policy\">policy \($0)</span>" }
        let head: HTML = "<h3><a class=\"env \(name)\" href=\"\(SitePath.executions(place.environment, project: project.name))\">\(name)</a>\(policy)</h3>"
        guard place.isVisible else {
            return """
                <section class="place \(name) closed">\(head)<div class="asset"><p class="none">You hold no role here.</p></div></section>
                """
        }
        return """
            <section class="place \(name)">\(head)
            \(asset("Code", code(place, project, page)))
            \(asset("Model", model(place, project, page)))
            \(asset("Data", data(place, project, page)))
            \(asset("Health", health(place)))
            \(asset("People", people(place)))
            </section>

            """
    }

    private static func asset(_ title: String, _ content: HTML) -> HTML { "<div class=\"asset\"><h4>\(title)</h4>\(content)</div>" }
    private static func none(_ text: String, _ command: String? = nil) -> HTML {
        let command: HTML? = command.map { "<code class=\"next\">\($0)</code>" }
        return "<p class=\"none\">\(text)</p>\(command)"
    }

    private static func code(_ place: BoardPage.Place, _ project: BoardPage.ProjectPart, _ page: BoardPage) -> HTML {
        let work: HTML? = place.work.map { work in
            "<p>\(Piece.link(Piece.badge(Spelled.words(work.state), work.tone), .execution(place.environment, work.execution))) execution \(Piece.id(work.execution))</p>"
        }
        guard let code = place.code else {
            switch place.environment {
            case .dev: return none("No push yet.", "git push \(page.address)/git/\(project.name.rawValue).git")
            case .stage: return none("Nothing on the main line yet.", "git push origin main")
            case .prod: return none("Arrives with a release.")
            }
        }
        let branch: HTML? = code.branch.map { "<span class=\"branch\">\($0)</span>" }
        let subject: HTML? = code.subject.map { "<p class=\"subject\">\($0)</p>" }
        let by: HTML? = code.pusher.map { " by \(Piece.principal($0))" }
        return """
            <p>\(Piece.id(code.commit)) \(branch)</p>\(subject)<p class="small">\(Piece.time(code.at, now: page.now))\(by)</p>\(work)
            """
    }

    private static func model(_ place: BoardPage.Place, _ project: BoardPage.ProjectPart, _ page: BoardPage) -> HTML {
        let open = place.open.html { promotion in
            "<p>\(Piece.link(Piece.badge(Spelled.words(promotion.state), PromotionTone.tone(promotion.state)), .promotion(place.environment, promotion.id))) promotion \(Piece.id(promotion.id))</p>"
        }
        if !place.live.isEmpty { return "\(place.live.html { live($0, place, page) })\(open)" }
        if let registered = place.registered {
            let name = Piece.link("\(registered.model) v\(registered.version)", .model(place.environment, registered.model))
            return "<p>\(name)</p><p class=\"small\">registered \(Piece.time(registered.at, now: page.now)), not live</p>\(open)"
        }
        return place.environment == .dev
            ? "\(none("No model yet. Every MLflow client may track to", "\(page.address)/dev"))\(open)"
            : "\(none("Nothing live yet.", "slipway promotion request RELEASE --to \(place.environment.rawValue)"))\(open)"
    }

    private static func live(_ live: BoardPage.Live, _ place: BoardPage.Place, _ page: BoardPage) -> HTML {
        let since: HTML? = live.since.map { "<span title=\"since \(Spelled.time($0)) UTC\">live for \(Spelled.roughly(page.now - $0))</span>" }
        let hold: HTML? = live.hold.map { "<p>\(Piece.badge("hold", .watch)) <span class=\"small\">\($0)</span></p>" }
        let fallback: HTML = live.hasFallback ? "fallback ready" : "no fallback"
        let policy: HTML? = live.policy.map { " · promoted under \($0)" }
        return """
            <p><strong>\(Piece.link("\(live.model) v\(live.version)", .model(place.environment, live.model)))</strong> at \(Piece.link(live.slot, .endpoint(place.environment, live.slot)))</p>
            <p class="small">\(since) · release \(Piece.id(live.release, .release(place.environment, live.release)))</p>
            <p class="small">\(fallback)\(policy)</p>\(hold)
            """
    }

    private static func data(_ place: BoardPage.Place, _ project: BoardPage.ProjectPart, _ page: BoardPage) -> HTML {
        if place.data.isEmpty {
            return none("No snapshot yet.", place.environment == .prod ? "slipway data import prod/DATASET FOLDER" : "slipway data refresh \(place.environment.rawValue)/DATASET")
        }
        return place.data.html { dataset in
            let promise: HTML =
                if let freshness = dataset.freshness {
                    dataset.isLate(page.now) ? Piece.badge("late, promised \(freshness.spelled)", .bad) : Piece.badge("fresh, promised \(freshness.spelled)", .good)
                } else if let expires = dataset.expiresAt {
                    "<span class=\"small\">expires \(Spelled.ago(expires, now: page.now))</span>"
                } else {
                    ""
                }
            let checks: HTML? = dataset.checks.map { "checks \($0) · " }
            return """
                <p>\(Piece.link(dataset.name, .dataset(place.environment, dataset.name, project: project.name))) \(Piece.id(dataset.snapshot)) \(promise)</p>
                <p class="small">\(checks)\(Spelled.size(bytes: dataset.sizeBytes)) · \(Piece.time(dataset.at, now: page.now))</p>
                """
        }
    }

    private static func health(_ place: BoardPage.Place) -> HTML {
        guard let health = place.health else { return none("No endpoint.") }
        let state = health.isAnswering ? Piece.badge("answering", .good) : Piece.badge("not answering", .bad)
        let drift: HTML? = health.drift.map { drift in
            drift.act > 0 ? Piece.badge("drift: act on \(drift.act)", .bad) : drift.watch > 0 ? Piece.badge("drift: watch \(drift.watch)", .watch) : Piece.badge("no drift", .good)
        }
        let traffic: HTML =
            health.requests == 0
            ? "nobody has asked it yet"
            : "\(Spelled.count(health.requests)) requests · \(Spelled.count(health.errors)) errors · p95 \(Spelled.milliseconds(health.latencyP95))"
        return "<p>\(state) \(drift)</p><p class=\"small\">\(traffic)</p>"
    }

    private static func people(_ place: BoardPage.Place) -> HTML {
        if place.roles.isEmpty { return none("Nobody.") }
        return "<ul class=\"roles\">\(place.roles.html { "<li><b>\($0.people)</b> \($0.role)</li>" })</ul>"
    }
}
