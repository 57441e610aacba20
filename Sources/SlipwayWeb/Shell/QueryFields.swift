import Hummingbird

/// The fields of an address's query as forms write them: `+` is a space, a name may come several times, an empty field is none.
struct QueryFields: Sendable {
    private var pairs: [(name: String, value: String)] = []

    /// What cannot be decoded is left out: an address that somebody mistyped still leads to a page.
    init(_ request: Request) {
        for pair in (request.uri.query ?? "").split(separator: "&").prefix(Self.fieldsMax) {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let name = Request.decoded(parts[0]), let value = Request.decoded(parts[1]), !value.isEmpty, !value.contains("\0") else { continue }
            pairs.append((name, value))
        }
    }

    private static let fieldsMax = 1000

    subscript(name: String) -> String? { pairs.first { $0.name == name }?.value }
    func all(_ name: String) -> [String] { pairs.filter { $0.name == name }.map(\.value) }
    /// A number of at least zero, zero when it is none.
    func count(_ name: String) -> Int { max(0, min(self[name].flatMap(Int.init) ?? 0, 1_000_000)) }
}
