import Foundation
import SlipwayCore

/// An address inside these pages: every link goes through one, so that none is pasted together by hand.
///
/// `SitePattern` holds the other half, the routes' patterns; a test matches each path against its pattern.
package struct SitePath: Sendable, Hashable {
    /// Percent-encoded path and query, starting with one slash.
    package let text: String

    private init(_ parts: [String], query: [(String, String?)] = [], anchor: String? = nil) {
        var text = "/" + parts.map { Self.encode($0) }.joined(separator: "/")
        let pairs = query.compactMap { name, value in value.map { "\(Self.encode(name))=\(Self.encode($0))" } }
        if !pairs.isEmpty { text += "?" + pairs.joined(separator: "&") }
        if let anchor { text += "#\(Self.encode(anchor))" }
        self.text = text
    }

    private static let plain = CharacterSet(charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
    private static func encode(_ part: String) -> String { part.addingPercentEncoding(withAllowedCharacters: plain) ?? "" }

    /// Where to go after signing in: only a path of this site.
    /// - Returns: nil for an absolute address, `//host`, or anything with a backslash or control character, which browsers read as another site.
    package init?(returningTo text: String) {
        guard text.hasPrefix("/"), !text.hasPrefix("//"), text.utf8.count <= 2048,
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\\") })
        else { return nil }
        self.text = text
    }

    package static let board = SitePath([])
    package static let signOut = SitePath(["sign-out"])
    package static func signIn(next: SitePath? = nil) -> SitePath { SitePath(["sign-in"], query: [("next", next?.text)]) }
    package static func asset(_ name: String) -> SitePath { SitePath(["assets"] + name.split(separator: "/").map(String.init)) }

    /// - Parameter named: a part of the name.
    package static func experiments(_ environment: EnvironmentID, named text: String? = nil, from: Int = 0) -> SitePath {
        SitePath([environment.rawValue, "experiments"], query: [("named", text), ("from", from > 0 ? String(from) : nil)])
    }
    package static func experiment(_ environment: EnvironmentID, _ id: String, _ fields: [(String, String?)] = []) -> SitePath {
        SitePath([environment.rawValue, "experiments", id], query: fields)
    }
    /// Where the filter box asks for keys and values.
    package static func completions(_ environment: EnvironmentID, experiment id: String) -> SitePath {
        SitePath([environment.rawValue, "experiments", id, "complete"])
    }
    package static func traces(_ environment: EnvironmentID, _ experiment: String, filter: String = "", from: Int = 0) -> SitePath {
        SitePath([environment.rawValue, "experiments", experiment, "traces"], query: [("filter", filter.isEmpty ? nil : filter), ("from", from > 0 ? String(from) : nil)])
    }
    package static func trace(_ environment: EnvironmentID, _ id: String) -> SitePath { SitePath([environment.rawValue, "traces", id]) }
    package static func compare(_ environment: EnvironmentID, runs: [String] = [], _ fields: [(String, String?)] = []) -> SitePath {
        SitePath([environment.rawValue, "compare"], query: runs.map { ("run", $0) } + fields)
    }

    package static func runs(_ environment: EnvironmentID, project: ProjectName? = nil, before: String? = nil) -> SitePath {
        SitePath([environment.rawValue, "runs"], query: [("project", project?.rawValue), ("before", before)])
    }
    package static func run(_ environment: EnvironmentID, _ id: String) -> SitePath { SitePath([environment.rawValue, "runs", id]) }
    /// Points of one metric, for `curves.js`.
    package static func curves(_ environment: EnvironmentID, runs: [String], metric key: String) -> SitePath {
        SitePath([environment.rawValue, "curves"], query: [("metric", key)] + runs.map { ("run", $0) })
    }
    package static func metric(_ environment: EnvironmentID, run id: String, key: String, from: Int = 0) -> SitePath {
        SitePath([environment.rawValue, "runs", id, "metric"], query: [("key", key), ("from", from > 0 ? String(from) : nil)])
    }
    /// The browser of files, at a folder or a file.
    package static func artifacts(_ environment: EnvironmentID, _ home: ArtifactHome, path: String? = nil) -> SitePath {
        SitePath([environment.rawValue] + home.parts + ["artifacts"], query: [("path", path)])
    }
    /// A file itself.
    package static func artifact(_ environment: EnvironmentID, _ home: ArtifactHome, path: String, isSaved: Bool = false) -> SitePath {
        SitePath([environment.rawValue] + home.parts + ["artifact"], query: [("path", path), ("save", isSaved ? "1" : nil)])
    }

    package static func executions(_ environment: EnvironmentID, project: ProjectName? = nil, before: String? = nil) -> SitePath {
        SitePath([environment.rawValue, "executions"], query: [("project", project?.rawValue), ("before", before)])
    }
    package static func execution(_ environment: EnvironmentID, _ id: String) -> SitePath { SitePath([environment.rawValue, "executions", id]) }

    package static func datasets(_ environment: EnvironmentID) -> SitePath { SitePath([environment.rawValue, "data"]) }
    package static func dataset(_ environment: EnvironmentID, _ name: String, project: ProjectName, before: String? = nil) -> SitePath {
        SitePath([environment.rawValue, "data", name], query: [("project", project.rawValue), ("before", before)])
    }

    /// - Parameter named: a part of the name.
    package static func models(_ environment: EnvironmentID, named text: String? = nil, from: Int = 0) -> SitePath {
        SitePath([environment.rawValue, "models"], query: [("named", text), ("from", from > 0 ? String(from) : nil)])
    }
    package static func model(_ environment: EnvironmentID, _ name: String) -> SitePath { SitePath([environment.rawValue, "models", name]) }

    package static func version(_ environment: EnvironmentID, _ name: String, _ version: Int, with other: Int? = nil) -> SitePath {
        SitePath([environment.rawValue, "models", name, "versions", String(version)], query: [("with", other.map(String.init))])
    }

    package static func releases(_ environment: EnvironmentID, project: ProjectName? = nil, before: String? = nil) -> SitePath {
        SitePath([environment.rawValue, "releases"], query: [("project", project?.rawValue), ("before", before)])
    }
    package static func release(_ environment: EnvironmentID, _ id: String) -> SitePath { SitePath([environment.rawValue, "releases", id]) }

    package static func promotions(_ environment: EnvironmentID, project: ProjectName? = nil, before: String? = nil) -> SitePath {
        SitePath([environment.rawValue, "promotions"], query: [("project", project?.rawValue), ("before", before)])
    }
    package static func promotion(_ environment: EnvironmentID, _ id: String, anchor: String? = nil) -> SitePath {
        SitePath([environment.rawValue, "promotions", id], anchor: anchor)
    }
    /// Where a form's decision goes: `approve`, `reject`, `apply`, `withdraw`, `abort`.
    package static func decision(_ environment: EnvironmentID, promotion id: String, _ verb: String) -> SitePath {
        SitePath([environment.rawValue, "promotions", id, verb])
    }

    package static func endpoints(_ environment: EnvironmentID) -> SitePath { SitePath([environment.rawValue, "endpoints"]) }
    package static func endpoint(_ environment: EnvironmentID, _ slot: String) -> SitePath { SitePath([environment.rawValue, "endpoints", slot]) }
    package static func rollback(_ environment: EnvironmentID, _ slot: String) -> SitePath { SitePath([environment.rawValue, "slots", slot, "rollback"]) }
    package static func history(_ environment: EnvironmentID, _ slot: String, at: String? = nil) -> SitePath {
        SitePath([environment.rawValue, "slots", slot, "history"], query: [("at", at)])
    }
    package static func audit(_ environment: EnvironmentID, subject: String? = nil, project: ProjectName? = nil, before: Int64? = nil) -> SitePath {
        SitePath([environment.rawValue, "audit"], query: [("subject", subject), ("project", project?.rawValue), ("before", before.map(String.init))])
    }
}

/// The routes' patterns in the router's spelling.
package enum SitePattern: String, Sendable, CaseIterable {
    case board = ""
    case signIn = "sign-in"
    case signOut = "sign-out"
    case asset = "assets/**"
    case home = "{env}"
    case go = "{env}/go"
    case plainExperiments = "experiments"
    case plainExperimentsBelow = "experiments/**"
    case plainModels = "models"
    case plainModelsBelow = "models/**"
    case experiments = "{env}/experiments"
    case experimentBelow = "{env}/experiments/{id}/**"
    case experiment = "{env}/experiments/{id}"
    case completions = "{env}/experiments/{id}/complete"
    case traces = "{env}/experiments/{id}/traces"
    case trace = "{env}/traces/{id}"
    case compare = "{env}/compare"
    case runs = "{env}/runs"
    case run = "{env}/runs/{id}"
    case curves = "{env}/curves"
    case metric = "{env}/runs/{id}/metric"
    case runArtifacts = "{env}/runs/{id}/artifacts"
    case runArtifact = "{env}/runs/{id}/artifact"
    case loggedModelArtifacts = "{env}/logged-models/{id}/artifacts"
    case loggedModelArtifact = "{env}/logged-models/{id}/artifact"
    case executions = "{env}/executions"
    case execution = "{env}/executions/{id}"
    case datasets = "{env}/data"
    case dataset = "{env}/data/{dataset}"
    case models = "{env}/models"
    case model = "{env}/models/{name}"
    case version = "{env}/models/{name}/versions/{version}"
    case versionArtifacts = "{env}/models/{name}/versions/{version}/artifacts"
    case versionArtifact = "{env}/models/{name}/versions/{version}/artifact"
    case releases = "{env}/releases"
    case release = "{env}/releases/{id}"
    case promotions = "{env}/promotions"
    case promotion = "{env}/promotions/{id}"
    case decision = "{env}/promotions/{id}/{verb}"
    case endpoints = "{env}/endpoints"
    // The name is the prediction routes' too: the router wants one name per place.
    case endpoint = "{env}/endpoints/{name}"
    case rollback = "{env}/slots/{slot}/rollback"
    case history = "{env}/slots/{slot}/history"
    case audit = "{env}/audit"
}
