import SlipwayCore

package enum RollbackView {
    package static func html(_ page: RollbackPage) -> HTML {
        let frame = page.frame
        let slot = page.slot.name.rawValue
        let error = page.error.map { Piece.notice(.bad, $0.message, remedy: $0.remedy, reasons: $0.reasons) }
        guard let live = page.live, let fallback = page.fallback else {
            return frame.page(
                "Roll back \(slot)", in: .endpoints,
                "<div class=\"narrow\">\(error)\(Piece.notice(.watch, "There is nothing to return to: the slot has no fallback.", remedy: "Promote another release instead: slipway promotion request RELEASE --to \(frame.environment.rawValue)"))<p>\(Piece.link("Back to the endpoint", .endpoint(frame.environment, slot)))</p></div>"
            )
        }
        return frame.page(
            "Roll back \(slot)?", kicker: "\(frame.environment.rawValue) endpoint", in: .endpoints,
            """
            <div class="narrow">\(error)
            <p>Requests go back from <b>v\(live.modelVersion)</b> \(Piece.id(live.id.rawValue)) to <b>v\(fallback.modelVersion)</b> \(Piece.id(fallback.id.rawValue)) within seconds. It needs no approval and no freeze stops it.</p>
            <p>Afterwards the slot is on hold and release \(Piece.id(live.id.rawValue)) is quarantined, as the policy says, until a person lifts both.</p>
            <form class="card stack" method="post" action="\(SitePath.rollback(frame.environment, slot))">
            <input type="hidden" name="generation" value="\(page.slot.generation)">
            <label>Reason<textarea name="reason" required maxlength="2000" placeholder="What you saw, for the audit log and for whoever looks next" autofocus></textarea></label>
            <div class="actions"><button class="danger">Roll back now</button>\(Piece.link("Keep it as it is", .endpoint(frame.environment, slot)))</div>
            </form></div>
            """)
    }
}
