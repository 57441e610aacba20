import SlipwayCore

/// The parts of an environment that have a list of their own, in the order of the path of a change.
package enum Section: String, Sendable, CaseIterable {
    case executions, experiments, data, models, releases, promotions, endpoints, audit

    var title: String { rawValue.prefix(1).uppercased() + rawValue.dropFirst() }

    func path(_ environment: EnvironmentID) -> SitePath {
        switch self {
        case .executions: .executions(environment)
        case .experiments: .experiments(environment)
        case .data: .datasets(environment)
        case .models: .models(environment)
        case .releases: .releases(environment)
        case .promotions: .promotions(environment)
        case .endpoints: .endpoints(environment)
        case .audit: .audit(environment)
        }
    }
}

/// What surrounds every page: who is signed in, where in the house one stands, and the way elsewhere.
package struct Shell: Sendable {
    var title: String
    /// The noun above the title: `Promotion`.
    var kicker: String?
    /// Beside the title.
    var badge: HTML?
    var environment: EnvironmentID?
    var section: Section?
    /// Nil on the sign-in page and when nobody is signed in.
    var user: String?
    var hasCharts = false
    /// Further scripts among the assets: `filter.js`.
    var scripts: [String] = []

    package init(
        _ title: String, kicker: String? = nil, badge: HTML? = nil, environment: EnvironmentID? = nil, section: Section? = nil, user: String?,
        hasCharts: Bool = false, scripts: [String] = []
    ) {
        self.title = title
        self.kicker = kicker
        self.badge = badge
        self.environment = environment
        self.section = section
        self.user = user
        self.hasCharts = hasCharts
        self.scripts = scripts
    }

    /// Who looks under `--anonymous dev`.
    static let nobody = "anonymous"
}

enum ShellView {
    /// The page before anybody is inside: narrow and in the middle.
    static func door(_ shell: Shell, _ content: HTML) -> HTML { html(shell, content, isDoor: true) }
    private static let door: HTML = " class=\"door\""

    static func html(_ shell: Shell, _ content: HTML, isDoor: Bool = false) -> HTML {
        let place = [shell.title, shell.kicker, shell.environment?.rawValue].compactMap(\.self).joined(separator: " · ")
        return """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>\(place) · Slipway</title>
            <link rel="icon" href="\(SitePath.asset("mark.svg"))" type="image/svg+xml">
            \(shell.hasCharts ? charts : nil)
            <link rel="stylesheet" href="\(SitePath.asset("slipway.css"))">
            <script src="\(SitePath.asset("slipway.js"))" defer></script>
            \(shell.scripts.html { "<script src=\"\(SitePath.asset($0))\" defer></script>\n" })
            </head>
            <body>
            <a class="skip" href="#main">Skip to the content</a>
            <header class="top">
            <a class="brand" href="\(SitePath.board)"><img src="\(SitePath.asset("mark.svg"))" alt="" width="20" height="20">Slipway</a>
            \(shell.user == nil ? nil : environments(shell))
            \(shell.user.map(signedIn))
            </header>
            \(shell.user == nil ? nil : sections(shell))
            <main id="main"\(isDoor ? door : nil)>
            \(heading(shell))
            \(content)
            </main>
            </body>
            </html>

            """
    }

    private static let charts: HTML = """
        <link rel="stylesheet" href="\(SitePath.asset("vendor/dygraph.min.css"))">
        <script src="\(SitePath.asset("vendor/dygraph.min.js"))" defer></script>
        """

    private static func environments(_ shell: Shell) -> HTML {
        let links = EnvironmentID.allCases.html { environment in
            let path = (shell.section ?? .executions).path(environment)
            return """
                <a class="env \(environment.rawValue)" href="\(path)"\(current(environment == shell.environment))>\(environment.rawValue)</a>
                """
        }
        return """
            <nav class="places" aria-label="Environments"><a class="home" href="\(SitePath.board)"\(current(shell.environment == nil))>Board</a><span class="envs">\(links)</span></nav>
            """
    }

    private static func sections(_ shell: Shell) -> HTML? {
        guard let environment = shell.environment else { return nil }
        let links = Section.allCases.html { section in
            """
            <a href="\(section.path(environment))"\(current(section == shell.section))>\(section.title)</a>
            """
        }
        return """
            <nav class="sections \(environment.rawValue)" aria-label="\(environment.rawValue)">\(links)</nav>
            """
    }

    private static func current(_ isCurrent: Bool) -> HTML { isCurrent ? " aria-current=\"page\"" : "" }

    private static func signedIn(_ user: String) -> HTML {
        if user == Shell.nobody { return "<p class=\"me\"><a href=\"\(SitePath.signIn())\">Sign in</a></p>" }
        return """
            <form class="me" method="post" action="\(SitePath.signOut)"><span class="who">\(user)</span><button class="quiet">Sign out</button></form>
            """
    }

    private static func heading(_ shell: Shell) -> HTML {
        let kicker: HTML? = shell.kicker.map { "<p class=\"kicker\">\($0)</p>" }
        return """
            <div class="heading">\(kicker)<h1>\(shell.title)</h1>\(shell.badge)</div>
            """
    }
}
