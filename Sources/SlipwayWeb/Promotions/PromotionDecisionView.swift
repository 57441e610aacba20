import SlipwayCore

/// Who said what, what is missing, and this caller's buttons.
enum PromotionDecisionView {
    static func html(_ page: PromotionPage) -> HTML {
        let promotion = page.promotion
        let given = promotion.approvals.map { approval -> [HTML] in
            let void: HTML? = approval.plan == promotion.planDigest ? nil : " \(Piece.badge("void", .idle))"
            return ["\(Piece.principal(Principal.user(approval.user).raw))\(void)", "\(approval.comment)", page.frame.time(approval.at)]
        }
        let rule =
            promotion.plan.approvals.isEmpty
            ? "The policy asks for nobody's." : "The policy asks for \(spelled(promotion.plan.approvals)), neither the requester nor an author."
        let missing: HTML? = page.missing.isEmpty || promotion.state.isFinal || promotion.state == .live ? nil : "<p>\(Piece.badge("missing", .watch)) \(spelled(page.missing))</p>"
        let deadline: HTML? = promotion.deadline.map { "<p class=\"small\">Unless something happens, this state ends \(page.frame.time($0)).</p>" }
        let table: HTML? = given.isEmpty ? nil : Piece.table("Approvals", ["Approved by", "Comment", "When"], given)
        return Piece.part("Approvals", note: "\(rule)", "\(table)\(missing)\(deadline)\(forms(page))")
    }

    private static func spelled(_ rules: [ApprovalRule]) -> String {
        rules.map { "\($0.count) \($0.role.rawValue)\($0.count == 1 ? "" : "s")" }.joined(separator: " and ")
    }

    private static func forms(_ page: PromotionPage) -> HTML? {
        if page.decisions.isEmpty { return nil }
        let decides = page.decisions.contains(.approve) || page.decisions.contains(.reject)
        return "\(decides ? vote(page) : nil)\(others(page))"
    }

    /// One comment, two ways to send it. The plan that was read travels along, so that a changed plan is not approved unseen.
    private static func vote(_ page: PromotionPage) -> HTML {
        let environment = page.frame.environment
        let id = page.promotion.id
        let approve: HTML? =
            page.decisions.contains(.approve)
            ? "<button class=\"primary\" formaction=\"\(SitePath.decision(environment, promotion: id, "approve"))\">Approve this plan</button>" : nil
        let reject: HTML? =
            page.decisions.contains(.reject)
            ? "<button class=\"danger\" formaction=\"\(SitePath.decision(environment, promotion: id, "reject"))\">Reject</button>" : nil
        return """
            <form class="card stack" method="post" action="\(SitePath.decision(environment, promotion: id, "approve"))">
            <input type="hidden" name="plan" value="\(page.promotion.planDigest.rawValue)">
            <label>Comment<textarea name="comment" maxlength="2000" placeholder="What you looked at, and why it is right"></textarea></label>
            <div class="actions">\(approve)\(reject)</div>
            </form>

            """
    }

    private static func others(_ page: PromotionPage) -> HTML? {
        let words: [(PromotionPage.Decision, String, HTML)] = [
            (.apply, "Apply now", "primary"), (.recheck, "Check again", "plain"), (.withdraw, "Withdraw", "plain"), (.abort, "Abort and go back", "danger"),
        ]
        let buttons = words.filter { page.decisions.contains($0.0) }.html { decision, label, kind in
            "<form method=\"post\" action=\"\(SitePath.decision(page.frame.environment, promotion: page.promotion.id, decision.rawValue))\"><button class=\"\(kind)\">\(label)</button></form>"
        }
        return buttons == "" ? nil : "<div class=\"actions\">\(buttons)</div>"
    }
}
