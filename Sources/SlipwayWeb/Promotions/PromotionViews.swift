import SlipwayCore

package enum PromotionsView {
    package static func html(_ page: PromotionsPage) -> HTML {
        let frame = page.frame
        let rows = page.promotions.map { promotion -> [HTML] in
            [
                Piece.id(promotion.id, .promotion(frame.environment, promotion.id)),
                "\(Piece.badge(Spelled.words(promotion.state.rawValue), PromotionTone.tone(promotion.state.rawValue))) <small>\(frame.time(promotion.stateSince))</small>",
                Piece.link(promotion.slot.rawValue, .endpoint(frame.environment, promotion.slot.rawValue)), "\(promotion.project.rawValue)",
                Piece.id(promotion.release.rawValue, .release(frame.environment, promotion.release.rawValue)), Piece.principal(promotion.requestedBy),
                "\(promotion.plan.policyName)", frame.time(promotion.createdAt),
            ]
        }
        let empty = Piece.empty(
            "No promotion yet. Everything that changes what \(frame.environment.rawValue) runs goes through one:",
            command: "slipway promotion request RELEASE --to \(frame.environment.rawValue)")
        return frame.page(
            "Promotions", in: .promotions,
            "\(rows.isEmpty ? empty : Piece.table("Promotions", ["Promotion", "State", "Slot", "Project", "Release", "By", "Policy", "Asked"], rows))\(Piece.older(page.older))")
    }
}

package enum PromotionView {
    package static func html(_ page: PromotionPage) -> HTML {
        let frame = page.frame
        let promotion = page.promotion
        let error = page.error.map { Piece.notice(.bad, $0.message, remedy: $0.remedy, reasons: $0.reasons) }
        let reasons: HTML? =
            promotion.reasons.isEmpty
            ? nil
            : Piece.notice(
                promotion.state == .retired ? .idle : PromotionTone.tone(promotion.state.rawValue) == .bad ? .bad : .watch, headline(promotion), reasons: promotion.reasons)
        let model = page.release.map { "\($0.content.modelName) v\($0.modelVersion)" } ?? "release \(promotion.release.short)"
        let left = "\(PromotionChangeView.html(page))\(gates(page))" as HTML
        let right = "\(PromotionDecisionView.html(page))\(rollout(page))\(timeline(page))" as HTML
        return frame.page(
            "\(model) → \(frame.environment.rawValue)/\(promotion.slot.rawValue)", kicker: "Promotion \(promotion.id.prefix(12))",
            badge: Piece.badge(Spelled.words(promotion.state.rawValue), PromotionTone.tone(promotion.state.rawValue)), in: .promotions,
            "\(path(promotion))\(error)\(reasons)<div class=\"columns\"><div>\(left)</div><div>\(right)</div></div>")
    }

    private static func headline(_ promotion: Promotion) -> String {
        switch promotion.state {
        case .blocked: "Blocked. Nothing was changed."
        case .waiting: "Approved; it waits."
        case .failed: "Failed before anything was changed."
        case .rolledBack, .rollingBack: "Rolled back."
        case .rollbackFailed: "The rollback failed. Only a person may act now."
        case .rejected: "Rejected."
        default: "What to know"
        }
    }

    /// The way a promotion goes when all is well, and where this one stands or left it.
    private static func path(_ promotion: Promotion) -> HTML {
        let states: [PromotionState] = [.draft, .checking, .awaitingApproval, .approved, .applying, .verifying, .live]
        let stand = states.firstIndex(of: position(promotion.state)) ?? 0
        let left = ![.live, .retired].contains(promotion.state) && !states.contains(promotion.state)
        let items = states.enumerated().map { index, state -> HTML in
            let mark: HTML = index < stand || promotion.state == .retired ? " class=\"done\"" : index == stand && !left ? " class=\"now\" aria-current=\"step\"" : ""
            return "<li\(mark)>\(Spelled.words(state.rawValue))</li>"
        }
        let end: HTML? = left || promotion.state == .retired ? "<li class=\"now\" aria-current=\"step\">\(Spelled.words(promotion.state.rawValue))</li>" : nil
        let shown = left ? Array(items.prefix(stand + 1)) : items
        return "<ol class=\"steps\" aria-label=\"Course\">\(shown)\(end)</ol>"
    }

    private static func position(_ state: PromotionState) -> PromotionState {
        switch state {
        case .blocked: .checking
        case .waiting: .approved
        case .rejected, .expired, .withdrawn, .superseded: .awaitingApproval
        case .failed: .applying
        case .rollingBack, .rolledBack, .rollbackFailed: .verifying
        case .retired: .live
        default: state
        }
    }

    private static func gates(_ page: PromotionPage) -> HTML {
        let promotion = page.promotion
        let newest = Dictionary(page.evidence.map { ($0.gate, $0) }) { first, second in first.madeAt >= second.madeAt ? first : second }
        let rows = GateName.allCases.filter { promotion.plan.gates[$0] != nil || newest[$0] != nil }.map { gate -> [HTML] in
            let mode: HTML? = promotion.plan.gates[gate].map { "\($0.mode.rawValue)" }
            guard let found = newest[gate] else {
                return ["<b>\(gate.rawValue)</b>", Piece.badge("not measured yet", .idle), mode ?? "", "", ""]
            }
            let stale: HTML? = found.isStale(at: page.frame.now) ? " \(Piece.badge("stale", .watch))" : nil
            let remedy: HTML? = found.outcome == .pass || found.remedy.isEmpty ? nil : "<br><span class=\"remedy\">\(found.remedy)</span>"
            let from: HTML? = found.origin == page.frame.environment ? nil : " from \(found.origin.rawValue)"
            let execution = found.producer.hasPrefix("execution:") ? String(found.producer.dropFirst("execution:".count)) : nil
            let producer: HTML = execution.map { "execution \(Piece.id($0, .execution(found.origin, $0)))" } ?? "\(found.producer)"
            return [
                "<b>\(gate.rawValue)</b>", "\(outcome(found))\(stale)", mode ?? "", "\(found.summary)\(remedy)",
                "\(page.frame.time(found.madeAt))<br><small>\(producer)\(from)</small>",
            ]
        }
        let earlier = page.evidence.count - newest.count
        let note: HTML? = earlier > 0 ? "the newest of each; \(earlier) earlier kept" : "measured on this environment's data"
        return Piece.part(
            "Gates", note: note, rows.isEmpty ? Piece.empty("The policy asks for none.") : Piece.table("Gates", ["Gate", "Outcome", "Mode", "What was found", "When"], rows))
    }

    private static func outcome(_ evidence: Evidence) -> HTML {
        switch evidence.outcome {
        case .pass: Piece.badge("pass", .good)
        case .fail: Piece.badge("fail", evidence.mode == .enforce ? .bad : .watch)
        case .errored: Piece.badge("errored", .watch)
        case .notAvailable: Piece.badge("not available", evidence.mode == .enforce ? .bad : .idle)
        }
    }

    private static func rollout(_ page: PromotionPage) -> HTML {
        let promotion = page.promotion
        let rows = promotion.plan.steps.enumerated().map { index, step -> [HTML] in
            let state: HTML =
                if promotion.state == .live || promotion.state == .retired {
                    Piece.badge("done", .good)
                } else if let at = promotion.rollout?.step {
                    index < at
                        ? Piece.badge("done", .good)
                        : index > at
                            ? Piece.badge("to come", .idle)
                            : promotion.state == .verifying || promotion.state == .applying ? Piece.badge("now", .busy) : Piece.badge("stopped here", .watch)
                } else {
                    Piece.badge("to come", .idle)
                }
            return ["<b>\(step.weight) %</b>", state, "at least \(step.bake.text)", step.minRequests == 0 ? "" : "\(Spelled.count(step.minRequests)) answered"]
        }
        return Piece.part("Rollout", Piece.table("Rollout", ["Traffic", "State", "Bake", "Requests"], rows))
    }

    /// `promotion.approve` → `Approved`
    private static func done(_ action: String) -> String {
        let verb = action.split(separator: ".").last.map(String.init) ?? action
        let spelled = [
            "request": "Requested", "submit": "Submitted", "checked": "Gates ran", "recheck": "Asked to check again", "approve": "Approved", "reject": "Rejected",
            "drift": "The plan was no longer true",
            "timeOut": "Timed out", "withdraw": "Withdrawn", "supersede": "Superseded", "wait": "Waits", "apply": "Applied", "stepFailed": "A step failed",
            "stepsDone": "Steps done",
            "stepTaken": "Traffic moved", "nextStep": "Next step", "verificationFailed": "Verification failed", "verified": "Verified, live",
            "displaced": "Another release is live", "retire": "Retired",
            "rollBack": "Rolled back", "abort": "Aborted", "restored": "Restored", "cannotRestore": "Could not be restored",
        ]
        return spelled[verb] ?? Spelled.words(verb)
    }

    private static func timeline(_ page: PromotionPage) -> HTML {
        // The gates' table shows evidence already.
        let events = page.timeline.filter { $0.action.hasPrefix("promotion.") }
        let items = events.html { event in
            let words = done(event.action)
            let note: HTML? = (event.details["comment"]?.string ?? event.details["reason"]?.string).flatMap { $0.isEmpty ? nil : "<span class=\"small\">\($0)</span>" }
            return "<li><b>\(words)</b> by \(Piece.principal(event.actor)) <span class=\"small\">\(Piece.moment(event.at))</span>\(note)</li>"
        }
        let link = Piece.link("in the audit log", .audit(page.frame.environment, subject: "promotion:\(page.promotion.id)", project: page.promotion.project))
        return Piece.part("Timeline", note: link, events.isEmpty ? "<p class=\"none\">Nothing yet.</p>" : "<ol class=\"timeline\">\(items)</ol>")
    }
}
