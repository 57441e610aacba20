package struct RegisteredModel: Sendable, Hashable {
    package var name: String
    package var project: ProjectName
    package var description: String?
    package var createdAt: Timestamp
    package var updatedAt: Timestamp
    package var tags: [String: String]
    package var aliases: [String: Int]
    /// The realm's own short number of this model; survives a rename.
    package var number: Int64

    package init(
        name: String, project: ProjectName, description: String?, createdAt: Timestamp, updatedAt: Timestamp, tags: [String: String] = [:],
        aliases: [String: Int] = [:], number: Int64
    ) {
        self.name = name
        self.project = project
        self.description = description
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.tags = tags
        self.aliases = aliases
        self.number = number
    }
}

/// A numbered version of a registered model. Its files are frozen: `manifestDigest` names their `FileManifest` in the realm's blobs.
package struct ModelVersion: Sendable, Hashable {
    package var name: String
    package var project: ProjectName
    package var version: Int
    /// Nil when the files lie outside Slipway (dev only); such a version can be looked at, but never be promoted.
    package var manifestDigest: ContentDigest?
    package var sizeBytes: Int64
    package var fileCount: Int
    /// As the client named it.
    package var source: String
    package var run: String?
    package var loggedModel: String?
    package var runLink: String?
    package var description: String?
    /// `Principal.raw` of who registered it.
    package var user: String
    /// MLflow's wire field of that name: None, Staging, Production or Archived. Slipway's own environments are something else.
    package var currentStage: String
    /// `{"inputs": […], "outputs": […]}` out of the model's `MLmodel` file.
    package var signature: JSONValue?
    package var createdAt: Timestamp
    package var updatedAt: Timestamp
    package var tags: [String: String]
    package var aliases: [String]
    package var modelNumber: Int64

    package init(
        name: String, project: ProjectName, version: Int, manifestDigest: ContentDigest?, sizeBytes: Int64, fileCount: Int, source: String, run: String?,
        loggedModel: String?, runLink: String?, description: String?, user: String, currentStage: String, signature: JSONValue?, createdAt: Timestamp,
        updatedAt: Timestamp, tags: [String: String] = [:], aliases: [String] = [], modelNumber: Int64
    ) {
        self.name = name
        self.project = project
        self.version = version
        self.manifestDigest = manifestDigest
        self.sizeBytes = sizeBytes
        self.fileCount = fileCount
        self.source = source
        self.run = run
        self.loggedModel = loggedModel
        self.runLink = runLink
        self.description = description
        self.user = user
        self.currentStage = currentStage
        self.signature = signature
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.tags = tags
        self.aliases = aliases
        self.modelNumber = modelNumber
    }

    /// Where clients download the frozen files from.
    package var artifactRoot: String { manifestDigest == nil ? source : ArtifactRoot.version(version, ofModelNumber: modelNumber) }
}

/// Where a new version's files come from.
package enum ModelSource: Sendable, Hashable {
    /// A logged model of this realm; its artifacts are frozen as they are now.
    case loggedModel(String, run: String?)
    /// Files that are in this realm's blobs already, for instance because a promotion copied them. `origin` says from where.
    case manifest(ContentDigest, origin: String)
    /// A folder of a run's artifacts (or a logged model's), by artifact root and path below it.
    case artifacts(root: String, path: String?, uri: String, run: String?, model: String?)
    /// An address that Slipway does not keep, or keeps nothing at yet.
    case outside(uri: String, run: String?, model: String? = nil)
}

/// What MLflow's `MLmodel` file says, as far as Slipway asks.
package enum MLmodelFile {
    package static let name = "MLmodel"

    /// The signature: `{"inputs": […], "outputs": […]}`, nil when the model has none.
    ///
    /// The file is YAML written by `yaml.safe_dump`: below `signature:` each entry is a single-quoted JSON text, folded
    /// over several lines at spaces. Only that form is read; anything else counts as no signature.
    package static func signature(in text: String) -> JSONValue? {
        var found: [String: JSONValue] = [:]
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
        guard let start = lines.firstIndex(where: { $0.hasPrefix("signature:") }) else { return nil }
        lines = lines[(start + 1)...]
        while let line = lines.first, line.hasPrefix("  ") {
            lines.removeFirst()
            guard let colon = line.firstIndex(of: ":") else { continue }
            let key = line[..<colon].trimmed
            var value = String(line[line.index(after: colon)...].trimmed)
            guard value.hasPrefix("'") else { continue }
            while !isClosed(value), let more = lines.first {
                lines.removeFirst()
                value += more.trimmed.isEmpty ? "\n" : " " + more.trimmed
            }
            guard isClosed(value) else { return nil }
            let json = value.dropFirst().dropLast().replacing("''", with: "'")
            if let parsed = try? CanonicalJSON.decode(JSONValue.self, from: String(json)) { found[String(key)] = parsed }  // not JSON: no signature
        }
        return found.isEmpty ? nil : .object(found)
    }

    /// A single-quoted scalar ends at a quote that is not doubled.
    private static func isClosed(_ value: String) -> Bool {
        let quotes = value.dropFirst().reversed().prefix { $0 == "'" }.count
        return quotes % 2 == 1
    }
}

extension StringProtocol {
    fileprivate var trimmed: SubSequence {
        var rest = self[...]
        while let first = rest.first, first == " " || first == "\r" { rest.removeFirst() }
        while let last = rest.last, last == " " || last == "\r" { rest.removeLast() }
        return rest
    }
}
