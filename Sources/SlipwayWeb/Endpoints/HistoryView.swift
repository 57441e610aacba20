import SlipwayCore

package enum HistoryView {
    package static func html(_ page: HistoryPage) -> HTML {
        let frame = page.frame
        let environment = frame.environment
        let error = page.error.map { Piece.notice(.bad, $0.message, remedy: $0.remedy) }
        let rows = page.chapters.reversed().map { chapter -> [HTML] in
            [
                "\(chapter.generation)", chapter.release.map { Piece.id($0.rawValue, .release(environment, $0.rawValue)) } ?? "<span class=\"none\">nothing</span>",
                cause(chapter), chapter.promotion.map { Piece.id($0, .promotion(environment, $0)) } ?? "", Piece.moment(chapter.from),
                chapter.until.map(Piece.moment) ?? Piece.badge("now", .good), "\(Spelled.duration((chapter.until ?? frame.now) - chapter.from))",
            ]
        }
        let table = Piece.table("History", ["Generation", "Release", "Came by", "Promotion", "From", "Until", .number("For")], rows)
        return frame.page(
            page.slot, kicker: "History of a slot", in: .endpoints,
            """
            <p class="lead">Rebuilt from the audit log, which is hash-chained: what answered at any moment, who let it in, and on what data.</p>
            \(error)<form class="inline" method="get" action="\(SitePath.history(environment, page.slot))">
            <label>What answered at (UTC)<input name="at" value="\(page.at ?? "")" placeholder="2026-03-03T14:05:00Z" spellcheck="false"></label><button>Look</button></form>
            \(answer(page))
            \(Piece.part("Chapters", rows.isEmpty ? Piece.empty("Nothing was ever live in this slot.") : table))
            """)
    }

    private static func cause(_ chapter: SlotChapter) -> HTML {
        switch chapter.cause {
        case "rollback": Piece.badge("rollback", .watch)
        case "retire": Piece.badge("retired", .idle)
        default: Piece.badge(chapter.cause, .good)
        }
    }

    private static func answer(_ page: HistoryPage) -> HTML? {
        guard let at = page.at, page.error == nil else { return nil }
        let environment = page.frame.environment
        guard let chapter = page.answer, let release = chapter.release else {
            return Piece.part("At \(at)", Piece.empty("Nothing answered then."))
        }
        let approvals = page.answerPromotion.map { promotion -> HTML in
            promotion.approvals.isEmpty ? "nobody had to" : .joined(promotion.approvals.map { Piece.principal(Principal.user($0.user).raw) }, by: ", ")
        }
        let data = page.answerRelease.map { known in
            HTML.joined(known.content.snapshots.sorted { $0.key < $1.key }.map { "\($0.key) \(Piece.id($0.value.rawValue))" }, by: "<br>")
        }
        let model: HTML? = page.answerRelease.map { "\(Piece.link("\($0.content.modelName) v\($0.modelVersion)", .model(environment, $0.content.modelName))) · " }
        return Piece.part(
            "At \(at)",
            Piece.facts([
                ("Answered", "\(model)release \(Piece.id(release.rawValue, .release(environment, release.rawValue)))"),
                ("Let in by", chapter.promotion.map { "promotion \(Piece.id($0, .promotion(environment, $0)))" }),
                ("Requested by", page.answerPromotion.map { Piece.principal($0.requestedBy) }),
                ("Approved by", approvals),
                ("Trained on", data),
                ("Commit", page.answerRelease.map { Piece.id($0.content.commit) }),
                ("From", Piece.moment(chapter.from)),
                ("Until", chapter.until.map(Piece.moment) ?? "now"),
            ]))
    }
}
