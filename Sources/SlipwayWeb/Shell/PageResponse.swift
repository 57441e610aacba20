import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import SlipwayCore
import SlipwayHTTP

extension HTTPFields {
    /// What every page carries: nothing from elsewhere runs, frames or receives anything of it.
    static let ofPage: HTTPFields = [
        .contentSecurityPolicy: "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        .xContentTypeOptions: "nosniff",
        // 'same-origin' rather than 'no-referrer': with the latter browsers send 'Origin: null' from our own forms.
        HTTPField.Name("referrer-policy")!: "same-origin",
        HTTPField.Name("cross-origin-opener-policy")!: "same-origin",
        .cacheControl: "no-store",
    ]
}

extension Response {
    static func page(_ html: HTML, status: HTTPResponse.Status = .ok) -> Response {
        var headers = HTTPFields.ofPage
        headers[.contentType] = "text/html; charset=utf-8"
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(string: html.markup)))
    }

    /// After a form: 303, so that reloading the next page repeats nothing.
    static func see(_ path: SitePath, setting cookie: String? = nil) -> Response {
        var headers = HTTPFields.ofPage
        headers[.location] = path.text
        if let cookie { headers[.setCookie] = cookie }
        return Response(status: .seeOther, headers: headers)
    }
}

extension Request {
    /// Whether a person's browser asks, and so gets pages instead of JSON.
    var wantsPage: Bool { headers[.accept]?.contains("text/html") == true }

    /// A form's fields, from one of our own pages.
    ///
    /// - Throws: `notAllowed` when another site's page sent it: an `Origin` that is not ours, or none at all, which no browser leaves out of a form.
    func form(upTo limit: Int = 64 << 10) async throws -> [String: String] {
        let origin = headers[.origin] ?? "none"
        var from = URL(string: origin)?.host() ?? ""
        if let port = URL(string: origin)?.port { from += ":\(port)" }
        guard !from.isEmpty, from == head.authority else {
            throw SlipwayError(
                .notAllowed, "The form comes from another site ('\(origin.prefix(80))').",
                remedy: "Open the page at this server's own address and send it from there.")
        }
        let text = String(buffer: try await bytes(upTo: limit))
        var fields: [String: String] = [:]
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decoded(parts[0]), let value = Self.decoded(parts.count > 1 ? parts[1] : "") else {
                throw SlipwayError.invalid("The form cannot be read.")
            }
            fields[name] = value
        }
        return fields
    }

    static func decoded(_ text: Substring) -> String? {
        text.replacingOccurrences(of: "+", with: " ").removingPercentEncoding
    }
}
