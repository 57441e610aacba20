import SlipwayCore

package struct SignInPage: Sendable {
    /// What was typed before, so that a mistake costs one field only.
    package var user: String
    package var next: SitePath?
    package var error: SlipwayError?
    /// False until the first start's secret was used: then the page explains the bootstrap.
    package var hasPeople: Bool

    package init(user: String = "", next: SitePath? = nil, error: SlipwayError? = nil, hasPeople: Bool = true) {
        self.user = user
        self.next = next
        self.error = error
        self.hasPeople = hasPeople
    }
}

package enum SignInView {
    package static func html(_ page: SignInPage) -> HTML {
        let fault: HTML? = page.error.map { Piece.notice(.bad, $0.message) }
        let next: HTML? = page.next.map { "<input type=\"hidden\" name=\"next\" value=\"\($0)\">" }
        let form: HTML = """
            <form class="card stack" method="post" action="\(SitePath.signIn())">
            \(next)
            <label>User name<input name="user" value="\(page.user)" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="63" required\(page.user.isEmpty ? focus : nil)></label>
            <label>Password<input name="password" type="password" autocomplete="current-password" maxlength="1024" required\(page.user.isEmpty ? nil : focus)></label>
            <button class="primary">Sign in</button>
            </form>
            <details class="help"><summary>Lost your password?</summary>
            <p>Somebody with a shell on the server's machine can set a new one; it ends all your sessions and tokens:</p>
            \(Piece.command("slipway user reset-password NAME --data FOLDER"))
            </details>
            """
        return ShellView.door(Shell("Sign in to Slipway", user: nil), "\(fault)\(page.hasPeople ? form : firstStart)")
    }

    private static let focus: HTML = " autofocus"

    private static let firstStart: HTML = """
        <div class="card"><h2>Nobody is here yet</h2>
        <p>The first start printed a one-time secret in the terminal. It creates the first people and the first project, once:</p>
        \(Piece.command("slipway bootstrap --file people.json"))
        <p>A lost secret is in the file <code>first-start-secret</code> of the data folder; starting the server again prints a new one.</p></div>
        """
}
