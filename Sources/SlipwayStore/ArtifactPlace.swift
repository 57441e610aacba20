import SlipwayCore
import SlipwaySQL

/// Where a path of the artifact proxy leads.
package enum ArtifactPlace: Sendable, Hashable {
    /// Below a run's, a logged model's or an experiment's root; `path` is nil for the root itself.
    case stored(StoredArtifactPlace)
    /// Among the frozen files of a registered version.
    case frozen(ModelVersion, path: String?)

    package var path: String? {
        switch self {
        case .stored(let place): place.path
        case .frozen(_, let path): path
        }
    }

    package var project: ProjectName {
        switch self {
        case .stored(let place): place.project
        case .frozen(let version, _): version.project
        }
    }
}

package struct StoredArtifactPlace: Sendable, Hashable {
    package var root: String
    package var path: String?
    package var experiment: String
    package var project: ProjectName
    package var run: String?
    package var loggedModel: String?

    package init(root: String, path: String?, experiment: String, project: ProjectName, run: String? = nil, loggedModel: String? = nil) {
        self.root = root
        self.path = path
        self.experiment = experiment
        self.project = project
        self.run = run
        self.loggedModel = loggedModel
    }
}

extension ArtifactStore {
    /// Reads a path as the proxy gets it: `12/<run>/artifacts/…`, `12/models/<m-…>/artifacts/…`, `registry/<model number>/<version>/…`, or any other
    /// path below an experiment's location.
    /// - Returns: nil when nothing of this realm is kept there.
    package func place(of path: String) throws -> ArtifactPlace? {
        try RelativePath.check(path)
        let parts = path.split(separator: "/").map(String.init)
        if parts[0] == "registry" { return try frozen(parts) }
        guard let (experiment, rest) = try experiment(at: parts) else { return nil }
        var place = StoredArtifactPlace(root: experiment.artifactLocation, path: nil, experiment: experiment.id, project: experiment.project)
        var below = rest
        if rest.count >= 3, rest[0] == "models", rest[2] == "artifacts" {
            place.loggedModel = rest[1]
            place.root = ArtifactRoot.model(rest[1], experiment: experiment.artifactLocation)
            below = Array(rest.dropFirst(3))
        } else if rest.count >= 2, rest[1] == "artifacts", rest[0] != "traces" {
            place.run = rest[0]
            place.root = ArtifactRoot.run(rest[0], experiment: experiment.artifactLocation)
            below = Array(rest.dropFirst(2))
        }
        place.path = below.isEmpty ? nil : below.joined(separator: "/")
        return .stored(place)
    }

    /// Reads an address as clients name it: `mlflow-artifacts:/…`, with or without a host.
    package func place(ofAddress address: String) throws -> ArtifactPlace? {
        guard let path = ArtifactRoot.proxiedPath(of: address), !path.isEmpty else { return nil }
        return try place(of: path)
    }

    private func frozen(_ parts: [String]) throws -> ArtifactPlace? {
        guard parts.count >= 3, let number = Int64(parts[1]), let version = Int(parts[2]) else { return nil }
        let registry = RegistryStore(tx: tx)
        guard let model = try registry.model(number: number), let found = try registry.version(version, of: model.name) else { return nil }
        return .frozen(found, path: parts.count == 3 ? nil : parts.dropFirst(3).joined(separator: "/"))
    }

    /// The experiment that keeps its artifacts at the beginning of the path, and the rest of it.
    private func experiment(at parts: [String]) throws -> (Experiment, rest: [String])? {
        let experiments = ExperimentStore(tx: tx)
        if let found = try experiments.experiment(parts[0]), ArtifactRoot.proxiedPath(of: found.artifactLocation) == parts[0] {
            return (found, Array(parts.dropFirst()))
        }
        for length in 1...min(parts.count, 8) {
            if let found = try experiments.experiment(atLocation: ArtifactRoot.scheme + parts.prefix(length).joined(separator: "/")) {
                return (found, Array(parts.dropFirst(length)))
            }
        }
        return nil
    }
}
