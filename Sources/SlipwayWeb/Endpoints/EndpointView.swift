import SlipwayCore

enum DriftTone {
    static func badge(_ verdict: DriftVerdict) -> HTML {
        switch verdict {
        case .unknown: Piece.badge("cannot tell", .idle)
        case .ok: Piece.badge("no drift", .good)
        case .watch: Piece.badge("watch", .watch)
        case .act: Piece.badge("act", .bad)
        }
    }
}

package enum EndpointsView {
    package static func html(_ page: EndpointsPage) -> HTML {
        let frame = page.frame
        let rows = page.rows.map { row -> [HTML] in
            let requests = row.deployments.reduce(0) { $0 + $1.requests }
            let errors = row.deployments.reduce(0) { $0 + $1.errors }
            let current = row.deployments.first { $0.release == row.slot.current }
            let hold: HTML? = row.slot.hold == nil ? nil : " \(Piece.badge("hold", .watch))"
            return [
                "\(Piece.link(row.slot.name.rawValue, .endpoint(frame.environment, row.slot.name.rawValue)))\(hold)", "\(row.slot.project.rawValue)",
                row.live.map { Piece.link("\($0.content.modelName) v\($0.modelVersion)", .release(frame.environment, $0.id.rawValue)) }
                    ?? "<span class=\"none\">nothing live</span>",
                current.map(EndpointView.state) ?? (row.slot.current == nil ? "" : Piece.badge("not answering", .bad)),
                "\(Spelled.count(requests))", "\(Spelled.count(errors))", current.map { $0.requests > 0 ? "\(Spelled.milliseconds($0.latencyP95))" : "" } ?? "",
                row.verdict.map(DriftTone.badge) ?? "<span class=\"none\">no report</span>",
            ]
        }
        let columns: [Piece.Column] = ["Endpoint", "Project", "Live", "State", .number("Requests"), .number("Errors"), .number("p95"), "Drift"]
        let empty = Piece.empty(
            "No endpoint yet. The first promotion into a slot makes it:", command: "slipway promotion request RELEASE --to \(frame.environment.rawValue)")
        return frame.page("Endpoints", in: .endpoints, rows.isEmpty ? empty : Piece.table("Endpoints", columns, rows))
    }
}

package enum EndpointView {
    package static func html(_ page: EndpointPage) -> HTML {
        let frame = page.frame
        let slot = page.slot
        let hold: HTML? = slot.hold.map {
            Piece.notice(
                .watch, "On hold: \($0)", remedy: "Automation leaves this slot alone until somebody lifts it: slipway slot lift \(frame.environment.rawValue)/\(slot.name.rawValue)"
            )
        }
        let silence: HTML? = page.silence.map { Piece.notice(.bad, "The gateway could not be asked how it is.", remedy: $0) }
        let facts = Piece.facts([
            ("Project", "\(slot.project.rawValue)"),
            (
                "Live",
                page.live.map {
                    "\(Piece.link("\($0.content.modelName) v\($0.modelVersion)", .model(frame.environment, $0.content.modelName))), release \(Piece.id($0.id.rawValue, .release(frame.environment, $0.id.rawValue)))"
                } ?? "<span class=\"none\">nothing</span>"
            ),
            (
                "Fallback",
                page.fallback.map { "v\($0.modelVersion), release \(Piece.id($0.id.rawValue, .release(frame.environment, $0.id.rawValue)))" } ?? "<span class=\"none\">none</span>"
            ),
            ("Let in by", slot.promotion.map { "promotion \(Piece.id($0, .promotion(frame.environment, $0)))" }),
            ("Generation", "\(slot.generation), \(Piece.link("history", .history(frame.environment, slot.name.rawValue)))"),
        ])
        let back: HTML? =
            page.mayRollBack && page.fallback != nil
            ? "<a class=\"button danger\" href=\"\(SitePath.rollback(frame.environment, slot.name.rawValue))\">Roll back…</a>" : nil
        let state: HTML? = page.deployments.first { $0.release == slot.current }.map(state)
        return frame.page(
            slot.name.rawValue, kicker: "Endpoint", badge: "\(state)\(back)", in: .endpoints, hasCharts: page.reports.count > 1 || page.minutes.count > 1,
            "\(hold)\(silence)\(facts)\(traffic(page))\(QualityView.html(page))\(DriftView.html(page))\(retrainings(page))\(ask(page))")
    }

    static func state(_ deployment: DeploymentStatus) -> HTML {
        switch deployment.state {
        case .ready: Piece.badge("answering", .good)
        case .loading: Piece.badge("loading", .busy)
        case .failed: Piece.badge("failed", .bad)
        }
    }

    private static func traffic(_ page: EndpointPage) -> HTML {
        let rows = page.deployments.map { deployment -> [HTML] in
            let version = page.versions[deployment.release.rawValue].map { "v\($0) " } ?? ""
            let role = deployment.release == page.slot.current ? "live" : deployment.weight > 0 ? "canary" : "warm"
            let reason: HTML? = deployment.reason.map { "<br><small>\($0)</small>" }
            let errors: HTML =
                deployment.errors == 0 ? "0" : "\(Spelled.count(deployment.errors)) (\(Spelled.percent(Double(deployment.errors) / Double(max(1, deployment.requests)))))"
            return [
                "\(version)\(Piece.id(deployment.release.rawValue, .release(page.frame.environment, deployment.release.rawValue))) <small>\(role)</small>",
                "\(state(deployment))\(reason)", Piece.meter(Double(deployment.weight) / 100, "Share of requests"),
                "\(Spelled.count(deployment.requests))", errors, "\(Spelled.count(deployment.notANumber))",
                deployment.requests > 0 ? "\(Spelled.milliseconds(deployment.latencyP50))" : "–", deployment.requests > 0 ? "\(Spelled.milliseconds(deployment.latencyP95))" : "–",
            ]
        }
        let columns: [Piece.Column] = ["Deployment", "State", "Traffic", .number("Requests"), .number("Errors"), .number("NaN"), .number("p50"), .number("p95")]
        let captured: HTML? = page.captured.map { captured in
            "; \(Spelled.count(captured.kept)) rows captured\(captured.dropped > 0 ? ", \(Spelled.count(captured.dropped)) dropped because the buffer was full" : "")"
        }
        let table = rows.isEmpty ? Piece.empty("Nothing runs behind this endpoint.") : Piece.table("Traffic", columns, rows)
        return Piece.part("Traffic", note: "since each was first wanted\(captured)", "\(table)\(minutes(page))")
    }

    private static func minutes(_ page: EndpointPage) -> HTML? {
        if page.minutes.count < 2 { return nil }
        func points(_ value: (EndpointPage.Minute) -> Double) -> [Chart.Point] {
            page.minutes.suffix(Chart.pointsMax).map { Chart.Point(x: Double($0.at.milliseconds), label: Spelled.clock($0.at), values: [value($0)]) }
        }
        var requests = Chart("Requests per minute", axis: .time("Minute (UTC)"), series: ["requests"], points: points { Double($0.requests) })
        requests.startsAtZero = true
        var latency = Chart("Latency, 95th percentile", axis: .time("Minute (UTC)"), series: ["milliseconds"], points: points(\.latencyP95))
        latency.startsAtZero = true
        return "<div class=\"charts\">\(Piece.chart(requests))\(Piece.chart(latency))</div>"
    }

    private static func retrainings(_ page: EndpointPage) -> HTML? {
        if page.retrainings.isEmpty { return nil }
        let rows = page.retrainings.map { retraining -> [HTML] in
            let tone: Tone = retraining.state == .failed ? .bad : retraining.state == .requested ? .good : .busy
            let execution = retraining.execution.map { "execution \(Piece.id($0, .execution(retraining.environment, $0)))" as HTML }
            let promotion = retraining.promotion.map { "promotion \(Piece.id($0, .promotion(retraining.environment, $0)))" as HTML }
            return [
                "\(Spelled.day(retraining.windowEnd))", Piece.badge(retraining.state.rawValue, tone), "\(retraining.reason)",
                .joined([execution, promotion].compactMap(\.self), by: "<br>"), "\(retraining.message)",
            ]
        }
        return Piece.part("Retraining", note: "started by drift or decay; gates decide", Piece.table("Retraining", ["Window until", "State", "Because", "Led to", "Note"], rows))
    }

    private static func ask(_ page: EndpointPage) -> HTML {
        let address = "\(page.address)/\(page.frame.environment.rawValue)/endpoints/\(page.slot.name.rawValue)/invocations"
        return Piece.part("Ask it", Piece.command("curl \(address) -H \"authorization: Bearer $SLIPWAY_TOKEN\" -H 'content-type: application/json' -d @rows.json"))
    }
}
