import HTTPTypes
import Hummingbird
import SlipwayCore
import SlipwayHTTP

package enum ErrorView {
    package static func html(_ error: SlipwayError, user: String?) -> HTML {
        let title =
            switch error.code {
            case .notFound: "Not here"
            case .notAllowed: "Not allowed"
            case .unauthenticated: "Not signed in"
            case .invalidArgument: "That does not fit"
            case .alreadyExists, .conflict: "It changed meanwhile"
            case .blocked: "Blocked"
            case .tooMuch: "Too much at once"
            case .unavailable: "Not available now"
            case .internalFault: "Something broke"
            }
        let tone: Tone = [.internalFault, .unavailable].contains(error.code) ? .bad : .watch
        return ShellView.html(
            Shell(title, kicker: "Error \(error.code.httpStatus.code)", user: user),
            "<div class=\"narrow\">\(Piece.notice(tone, error.message, remedy: error.remedy, reasons: error.reasons))<p>\(Piece.link("Back to the board", .board))</p></div>")
    }
}

/// Turns thrown errors into pages for browsers, and leaves everybody else's to `ErrorMiddleware`.
///
/// It stands twice in the chain: outside of authentication for what that refuses, and inside of it, where the caller is
/// known and the page keeps the way around the house.
package struct ErrorPageMiddleware: RouterMiddleware {
    package init() {}

    package func handle(
        _ request: Request, context: SlipwayContext, next: (Request, SlipwayContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch  where request.wantsPage {
            let error = SlipwayError(shown: error, logger: context.logger)
            return .page(ErrorView.html(error, user: context.caller.shownName), status: error.code.httpStatus)
        }
    }
}

extension Caller {
    /// The name in the page's corner, nil for nobody.
    var shownName: String? {
        switch principal {
        case .anonymous: grants.isEmpty ? nil : Shell.nobody
        case .user(let name): name.rawValue
        case .service, .execution, .system: principal.raw
        }
    }
}
