import Access
import Foundation
import HTTPTypes
import Hummingbird
import SlipwayCore
import SlipwayHTTP

/// The session of a browser: a token in a cookie that no script can read and no other site can send.
package struct SignInRoutes: Sendable {
    let access: AccessService

    package init(access: AccessService) { self.access = access }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get(.init(SitePattern.signIn.rawValue), use: page)
        router.post(.init(SitePattern.signIn.rawValue), use: signIn)
        router.post(.init(SitePattern.signOut.rawValue), use: signOut)
    }

    /// `GET /sign-in`
    @Sendable func page(_ request: Request, context: SlipwayContext) async throws -> Response {
        let next = request.query("next").flatMap(SitePath.init(returningTo:))
        if context.caller.principal != .anonymous { return .see(next ?? .board) }
        return .page(SignInView.html(SignInPage(next: next, hasPeople: try await access.isBootstrapped())))
    }

    /// `POST /sign-in`: 303 with the cookie; 401 or 429 with the form again.
    @Sendable func signIn(_ request: Request, context: SlipwayContext) async throws -> Response {
        let form = try await request.form()
        let next = form["next"].flatMap(SitePath.init(returningTo:))
        let user = form["user"] ?? ""
        do {
            let session = try await access.signIn(user: user, password: form["password"] ?? "")
            return .see(next ?? .board, setting: Self.cookie(session.secret, lifetime: .seconds(12 * 3600), isSecure: request.isSecure))
        } catch let error as SlipwayError where error.code == .unauthenticated || error.code == .tooMuch {
            return .page(SignInView.html(SignInPage(user: user, next: next, error: error)), status: error.code.httpStatus)
        }
    }

    /// `POST /sign-out`
    @Sendable func signOut(_ request: Request, context: SlipwayContext) async throws -> Response {
        _ = try await request.form()
        if let secret = request.session { try await access.signOut(secret: secret) }
        return .see(.signIn(), setting: Self.cookie("", lifetime: .zero, isSecure: request.isSecure))
    }

    static func cookie(_ secret: String, lifetime: Duration, isSecure: Bool) -> String {
        "slipway_session=\(secret); Path=/; HttpOnly; SameSite=Strict; Max-Age=\(lifetime.milliseconds / 1000)" + (isSecure ? "; Secure" : "")
    }
}

extension Request {
    /// Behind a proxy that ends TLS. A lie here costs only the liar: its cookie would not come back over plain HTTP.
    var isSecure: Bool { headers[HTTPField.Name("x-forwarded-proto")!] == "https" }
}
