import SlipwayCore

package struct AuditPage: Sendable {
    package var frame: PageFrame
    package var events: [AuditEvent]
    package var project: ProjectName
    /// Whose logs the caller may read too.
    package var others: [ProjectName]
    package var subject: String?
    package var older: SitePath?

    package init(frame: PageFrame, events: [AuditEvent], project: ProjectName, others: [ProjectName] = [], subject: String? = nil, older: SitePath? = nil) {
        self.frame = frame
        self.events = events
        self.project = project
        self.others = others
        self.subject = subject
        self.older = older
    }
}

package enum AuditView {
    package static func html(_ page: AuditPage) -> HTML {
        let frame = page.frame
        let rows = page.events.map { event -> [HTML] in
            [
                "\(Spelled.count(event.seq))", Piece.moment(event.at), Piece.principal(event.actor), "<b>\(event.action)</b>",
                Piece.link(
                    event.subject.count > 48 ? String(event.subject.prefix(48)) + "…" : event.subject, .audit(frame.environment, subject: event.subject, project: page.project)),
                details(event), "<code class=\"id\" title=\"\(event.hash)\">\(Spelled.short(event.hash))</code>",
            ]
        }
        let all: HTML? = page.subject.map { _ in "<p>\(Piece.link("All events of \(page.project.rawValue)", .audit(frame.environment, project: page.project)))</p>" }
        let others: HTML? =
            page.others.isEmpty ? nil : "<p>Other projects: \(HTML.joined(page.others.map { Piece.link($0.rawValue, .audit(frame.environment, project: $0)) }, by: ", "))</p>"
        let table = Piece.table("Audit log", ["No.", "When", "Who", "What", "About", "Details", "Hash"], rows)
        return frame.page(
            page.subject ?? "Audit log", kicker: page.subject == nil ? "Project \(page.project.rawValue)" : "Audit log of", in: .audit,
            "<p class=\"lead\">Append-only; each event carries the hash of the one before. Check the chain: <code>slipway audit verify \(frame.environment.rawValue) --project \(page.project.rawValue)</code></p>\(all)\(others)\(rows.isEmpty ? Piece.empty("No events.") : table)\(Piece.older(page.older))"
        )
    }

    private static func details(_ event: AuditEvent) -> HTML {
        let pairs = (event.details.object ?? [:]).sorted { $0.key < $1.key }.prefix(6).map { key, value -> HTML in
            let text = value.string ?? value.int.map(String.init) ?? value.double.map(Spelled.number) ?? value.bool.map(String.init) ?? "…"
            return "<small>\(key)</small> \(text.count > 40 ? String(text.prefix(12)) + "…" : text)"
        }
        return .joined(pairs, by: "&ensp;")
    }
}
