/// What went wrong, said once: a code that every edge maps to its own status, a sentence that quotes the
/// offending name, and what to do next.
package struct SlipwayError: Error, Sendable, Equatable {
    package enum Code: String, Sendable, CaseIterable {
        case invalidArgument, unauthenticated, notAllowed, notFound, alreadyExists, conflict, blocked
        case tooMuch, unavailable, internalFault
    }

    /// One reason among several, for `blocked`.
    package struct Reason: Sendable, Hashable, Codable {
        package var message: String
        package var remedy: String

        package init(_ message: String, remedy: String) {
            self.message = message
            self.remedy = remedy
        }
    }

    package var code: Code
    package var message: String
    package var remedy: String?
    package var reasons: [Reason]

    package init(_ code: Code, _ message: String, remedy: String? = nil, reasons: [Reason] = []) {
        self.code = code
        self.message = message
        self.remedy = remedy
        self.reasons = reasons
    }
}

extension SlipwayError: CustomStringConvertible {
    package var description: String {
        ([message] + [remedy].compactMap(\.self) + reasons.map { "- \($0.message) \($0.remedy)" }).joined(separator: "\n")
    }
}

extension SlipwayError {
    package static func invalid(_ message: String, remedy: String? = nil) -> Self { Self(.invalidArgument, message, remedy: remedy) }
    package static func notFound(_ message: String, remedy: String? = nil) -> Self { Self(.notFound, message, remedy: remedy) }
    /// A broken promise of our own: logged with its cause, shown without.
    package static func fault(_ message: String) -> Self { Self(.internalFault, message) }
}
