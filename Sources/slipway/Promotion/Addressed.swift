import ArgumentParser
import Foundation
import SlipwayClient
import SlipwayCore
import SlipwayWire

/// `prod/0123456789ab`, or the id alone: then the environments are searched, prod first.
struct Addressed: ExpressibleByArgument {
    var environment: EnvironmentID?
    var id: String

    init?(argument: String) {
        if let path = EnvironmentPath(argument: argument) {
            environment = path.environment
            id = path.name
        } else {
            guard !argument.contains("/"), !argument.isEmpty else { return nil }
            id = argument
        }
    }

    private var places: [EnvironmentID] { environment.map { [$0] } ?? EnvironmentID.allCases.reversed() }

    /// - Parameter noun: `promotions` or `releases`.
    func find<T: Decodable>(_ client: APIClient, _ noun: String, as type: T.Type) async throws -> T {
        var last: (any Error)?
        for place in places {
            do {
                return try await client.get("/api/v1/\(place.rawValue)/\(noun)/\(try pathPart(id))", as: type)
            } catch let error as WireError where error.error.code == "notFound" || error.error.code == "unavailable" {
                last = error
            }
        }
        throw last ?? SlipwayError.notFound("There is no '\(id)'.")
    }
}

/// The part of a list that is shown.
struct Paging: ParsableArguments {
    @Option(help: "How many at most, up to 1000.") var limit = 100
    @Option(help: "Continue below this mark.") var before: String?

    func query(_ more: [String: String?]) throws -> String {
        var pairs = more.compactMapValues(\.self)
        pairs["limit"] = String(limit)
        if let before { pairs["before"] = before }
        return "?" + (try pairs.sorted { $0.key < $1.key }.map { "\($0.key)=\(try queryPart($0.value))" }).joined(separator: "&")
    }

    func hint(_ next: String?) {
        if let next { Output.note("More: --before \(next)") }
    }
}

enum Words {
    /// `a=1, b=2`, sorted.
    static func pairs(_ values: [String: String]) -> String { values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ", ") }
    static func short(_ digest: String?) -> String { digest.map { String($0.prefix(12)) } ?? "–" }
}
