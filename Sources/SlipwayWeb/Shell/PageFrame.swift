import SlipwayCore

/// What every page of an environment knows besides its own matter.
package struct PageFrame: Sendable {
    package var environment: EnvironmentID
    package var user: String?
    package var now: Timestamp

    package init(_ environment: EnvironmentID, user: String?, now: Timestamp) {
        self.environment = environment
        self.user = user
        self.now = now
    }

    /// A page of one of the environment's parts.
    func page(_ title: String, kicker: String? = nil, badge: HTML? = nil, in section: Section, hasCharts: Bool = false, scripts: [String] = [], _ content: HTML) -> HTML {
        ShellView.html(
            Shell(title, kicker: kicker, badge: badge, environment: environment, section: section, user: user, hasCharts: hasCharts, scripts: scripts), content)
    }

    func time(_ at: Timestamp) -> HTML { Piece.time(at, now: now) }
    func time(_ at: Timestamp?) -> HTML? { at.map { Piece.time($0, now: now) } }
}
