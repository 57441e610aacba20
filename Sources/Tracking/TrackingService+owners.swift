import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// Where something belongs, for whoever decides by experiment or model who may see it.
package enum TrackingOwner: Sendable, Hashable {
    case experiment(String, project: ProjectName)
    case model(String, project: ProjectName)

    package var project: ProjectName {
        switch self {
        case .experiment(_, let project), .model(_, let project): project
        }
    }
}

/// Asks nobody: the answers are for the doors that ask the caller, and are shown to no one.
extension TrackingService {
    package func owner(ofExperiment id: String) async throws -> TrackingOwner? {
        guard (try? TrackingRules.checkExperimentID(id)) != nil else { return nil }  // what cannot be an id has no owner
        return try await realm.database.read { tx in try ExperimentStore(tx: tx).experiment(id).map { .experiment($0.id, project: $0.project) } }
    }

    package func owner(ofExperimentNamed name: String) async throws -> TrackingOwner? {
        try await realm.database.read { tx in try ExperimentStore(tx: tx).experiment(named: name).map { .experiment($0.id, project: $0.project) } }
    }

    package func owner(ofRun id: String) async throws -> TrackingOwner? {
        try await realm.database.read { tx in try RunStore(tx: tx).run(id).map { .experiment($0.experiment, project: $0.project) } }
    }

    package func owner(ofLoggedModel id: String) async throws -> TrackingOwner? {
        try await realm.database.read { tx in try LoggedModelStore(tx: tx).model(id).map { .experiment($0.experiment, project: $0.project) } }
    }

    package func owner(ofModel name: String) async throws -> TrackingOwner? {
        try await realm.database.read { tx in try RegistryStore(tx: tx).model(name).map { .model($0.name, project: $0.project) } }
    }

    /// - Parameter path: below the artifact proxy.
    package func owner(ofArtifact path: String) async throws -> TrackingOwner? {
        guard (try? RelativePath.check(path)) != nil else { return nil }  // the handler says what is wrong with it
        return try await realm.database.read { tx in
            switch try ArtifactStore(tx: tx).place(of: path) {
            case .stored(let place): .experiment(place.experiment, project: place.project)
            case .frozen(let version, _): .model(version.name, project: version.project)
            case nil: nil
            }
        }
    }
}
