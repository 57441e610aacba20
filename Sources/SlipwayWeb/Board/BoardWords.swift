import SlipwayCore

/// The board's one sentence per project, for somebody who owns the business and not the models.
enum BoardWords {
    struct Sentence: Equatable {
        var tone: Tone
        /// `Well`, `Needs a look`, `Not well`, `Not live yet`
        var verdict: String
        var text: String
    }

    static func sentence(_ project: BoardPage.ProjectPart, now: Timestamp) -> Sentence {
        guard let place = project.places.last(where: { !$0.live.isEmpty }), let live = place.live.first else { return nothingLive(project) }
        let since = live.since.map { ", for \(Spelled.roughly(now - $0))" } ?? ""
        var text = "\(live.model) version \(live.version) answers in \(place.environment.rawValue)\(since)."
        var tone = Tone.good
        if let health = place.health {
            text += answered(health)
            if !health.isAnswering || health.requests > 0 && Double(health.errors) / Double(health.requests) > 0.01 { tone = .bad }
            if let drift = health.drift {
                text += driftWords(drift)
                if tone == .good, drift.act > 0 || drift.watch > 0 { tone = .watch }
            }
        }
        for dataset in place.data where dataset.isLate(now) {
            text += " Its data '\(dataset.name)' is \(Spelled.roughly(now - dataset.at)) old, older than promised."
            if tone == .good { tone = .watch }
        }
        let waiting = project.places.flatMap(\.open).count { $0.state == PromotionState.awaitingApproval.rawValue }
        if waiting > 0 { text += waiting == 1 ? " One change waits for a decision." : " \(waiting) changes wait for a decision." }
        let verdict =
            switch tone {
            case .good: "Well"
            case .watch: "Needs a look"
            case .bad: "Not well"
            case .busy, .idle: "Not live yet"
            }
        return Sentence(tone: tone, verdict: verdict, text: text)
    }

    private static func nothingLive(_ project: BoardPage.ProjectPart) -> Sentence {
        let text =
            if project.places.contains(where: { $0.registered != nil }) {
                "A model is registered, but nothing answers requests yet. Next: request a promotion of its release."
            } else if project.places.contains(where: { $0.code != nil }) {
                "Code has arrived, but no model came out of it yet. Next: look at the executions."
            } else {
                "An empty project. Next: push code to it."
            }
        return Sentence(tone: .idle, verdict: "Not live yet", text: text)
    }

    private static func answered(_ health: BoardPage.Health) -> String {
        guard health.isAnswering else { return " It does not answer at the moment." }
        guard health.requests > 0 else { return " Nobody has asked it yet." }
        let errors = health.errors == 0 ? "without an error" : "with \(Spelled.count(Int(health.errors), "error"))"
        return " \(Spelled.count(Int(health.requests), "request")) answered \(errors), 19 of 20 within \(Spelled.milliseconds(health.latencyP95))."
    }

    private static func driftWords(_ drift: (watch: Int, act: Int)) -> String {
        if drift.act > 0 { return " What comes in differs clearly from what it learned on (\(Spelled.count(drift.act, "feature")))." }
        if drift.watch > 0 { return " What comes in begins to differ from what it learned on (\(Spelled.count(drift.watch, "feature")))." }
        return " What comes in looks like what it learned on."
    }
}
