import SlipwayCore

enum ExecutionTone {
    static func tone(_ state: Execution.State) -> Tone {
        switch state {
        case .succeeded: .good
        case .failed, .errored: .bad
        case .canceled: .idle
        case .queued, .preparing, .running, .finishing, .canceling: .busy
        }
    }

    static func tone(_ state: StepExecution.State) -> Tone {
        switch state {
        case .succeeded: .good
        case .failed, .errored: .bad
        case .running: .busy
        case .pending, .canceled, .skipped: .idle
        }
    }
}

package enum ExecutionsView {
    package static func html(_ page: ExecutionsPage) -> HTML {
        let frame = page.frame
        let rows = page.executions.map { execution -> [HTML] in
            let branch: HTML? = execution.branch.map { " <span class=\"branch\">\($0)</span>" }
            return [
                Piece.id(execution.id, .execution(frame.environment, execution.id)),
                Piece.badge(Spelled.words(execution.state.rawValue), ExecutionTone.tone(execution.state)),
                "\(execution.project.rawValue)",
                "\(Piece.id(execution.commit))\(branch)",
                "\(execution.trigger.rawValue)",
                Piece.principal(execution.requestedBy),
                frame.time(execution.createdAt),
                ExecutionView.took(execution.startedAt, execution.endedAt, frame) ?? "",
            ]
        }
        let empty = Piece.empty(
            frame.environment == .dev
                ? "Nothing ran here yet. A push of any branch starts the project's pipeline:"
                : frame.environment == .stage
                    ? "Nothing ran here yet. A push to the main line starts the project's pipeline:"
                    : "Nothing runs in prod by itself: models arrive by promotion.",
            command: frame.environment == .prod ? "slipway promotion request RELEASE --to prod" : "git push slipway main")
        let table = Piece.table("Executions", ["Execution", "State", "Project", "Commit", "Because of", "By", "Asked", .number("Took")], rows)
        return frame.page("Executions", in: .executions, "\(rows.isEmpty ? empty : table)\(Piece.older(page.older))")
    }
}

package enum ExecutionView {
    package static func html(_ page: ExecutionPage) -> HTML {
        let frame = page.frame
        let execution = page.execution
        let tone = ExecutionTone.tone(execution.state)
        let message: HTML? = execution.message.map { Piece.notice(tone == .bad ? .bad : .idle, $0, remedy: remedy(execution)) }
        let snapshots = execution.snapshots.sorted { $0.key < $1.key }.map { dataset, snapshot -> HTML in
            "\(Piece.link(dataset, .dataset(frame.environment, dataset, project: execution.project))) \(Piece.id(snapshot))"
        }
        let facts = Piece.facts([
            ("Project", "\(execution.project.rawValue)"),
            ("Commit", "\(Piece.id(execution.commit)) \(execution.branch.map { "<span class=\"branch\">\($0)</span>" as HTML })"),
            ("Because of", "\(execution.reason ?? execution.trigger.rawValue)"),
            ("Asked by", Piece.principal(execution.requestedBy)),
            ("Asked at", Piece.moment(execution.createdAt)),
            ("Took", took(execution.startedAt, execution.endedAt, frame)),
            ("Data", snapshots.isEmpty ? nil : .joined(snapshots, by: "<br>")),
            ("Run", Piece.id(execution.run, .run(frame.environment, execution.run))),
            ("Release", execution.release.map { Piece.id($0.rawValue, .release(frame.environment, $0.rawValue)) }),
            ("Python lock", execution.lockDigest.map { Piece.id($0.rawValue) }),
        ])
        return frame.page(
            Spelled.short(execution.id), kicker: "Execution", badge: Piece.badge(Spelled.words(execution.state.rawValue), tone), in: .executions,
            "\(message)\(facts)\(steps(page))\(page.tail.map(tail))\(commands(execution, frame))")
    }

    private static func remedy(_ execution: Execution) -> String? {
        switch execution.state {
        case .failed: "Mend the step and push again, or try once more: slipway execution retry \(execution.id)"
        case .errored: "Slipway itself could not run it. Try once more: slipway execution retry \(execution.id)"
        default: nil
        }
    }

    private static func steps(_ page: ExecutionPage) -> HTML {
        let rows = page.steps.map { step -> [HTML] in
            let needs: HTML? = step.step.needs.isEmpty ? nil : "<br><small>after \(step.step.needs.joined(separator: ", "))</small>"
            let message: HTML? = step.message.map { "<br><small>\($0)</small>" }
            return [
                "<b>\(step.name)</b>\(needs)",
                "\(Piece.badge(step.state.rawValue, ExecutionTone.tone(step.state)))\(message)",
                "<code>\(step.step.run)</code>",
                "\(step.attempt)",
                step.exitCode.map { "\($0)" } ?? "",
                took(step.startedAt, step.endedAt, page.frame) ?? "",
                .joined(step.outputs.sorted { $0.key < $1.key }.map { "\($0.key) \(Piece.id($0.value.rawValue))" }, by: "<br>"),
            ]
        }
        return Piece.part("Steps", Piece.table("Steps", ["Step", "State", "Command", .number("Attempt"), .number("Exit"), .number("Took"), "Outputs"], rows))
    }

    private static func tail(_ tail: ExecutionPage.Tail) -> HTML {
        Piece.part(
            "Log of \(tail.step)", note: "the last lines",
            tail.text.isEmpty
                ? "<p class=\"none\">It has written nothing yet.</p>" : "<pre class=\"log\" tabindex=\"0\" aria-label=\"Log of \(tail.step)\">\(tail.text)</pre>")
    }

    private static func commands(_ execution: Execution, _ frame: PageFrame) -> HTML {
        let end = execution.state.isFinal ? "" : "\nslipway execution cancel \(execution.id)"
        return Piece.part("In the terminal", Piece.command("slipway execution logs \(execution.id) -f\(end)"))
    }

    static func took(_ start: Timestamp?, _ end: Timestamp?, _ frame: PageFrame) -> HTML? {
        start.map { "\(Spelled.duration((end ?? frame.now) - $0))" }
    }
}
