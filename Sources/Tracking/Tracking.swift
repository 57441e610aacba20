// Tracking: experiments, runs, metrics, logged models and artifacts of one realm, as MLflow means them.

import Logging
import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// The use cases of tracking in one realm.
///
/// What a run logs (metrics, params, tags, artifacts) is a record in itself and gets no audit event; what changes names, lifecycles and other people's work does.
package struct TrackingService: Sendable {
    let realm: Realm
    let clock: any WallClock
    let ids: any IDGenerator
    let logger: Logger

    package init(realm: Realm, clock: any WallClock, ids: any IDGenerator, logger: Logger) {
        self.realm = realm
        self.clock = clock
        self.ids = ids
        self.logger = logger
    }

    package var environment: EnvironmentID { realm.environment }

    /// Makes what every dev realm has: experiment 0, `Default`, of the implicit project.
    package func prepare() async throws {
        guard environment == .dev else { return }
        let now = clock.now
        let root = realm.places.root
        try await realm.database.write { tx in try ExperimentStore(tx: tx).ensureDefault(at: now, root: root) }
    }

    func require(_ permission: Permission, _ caller: Caller, _ project: ProjectName) throws {
        try caller.require(permission, project: project, environment: environment)
    }

    /// Projects whose work the caller may see; nil for all.
    func visibleProjects(_ caller: Caller) -> Set<ProjectName>? {
        caller.isSystem ? nil : caller.readableProjects(in: environment)
    }

    // MARK: Experiments

    /// - Parameter tags: `slipway.project` chooses the project; else the caller's home, see `HomeProject`.
    /// - Throws: `alreadyExists` for a taken name, deleted ones included.
    package func createExperiment(name: String, artifactLocation: String?, tags: [String: String], by caller: Caller) async throws -> String {
        try caller.requireSomebody()
        let project = try HomeProject.choose(for: caller, in: environment, named: name, tags: tags, permission: .runWork)
        try require(.runWork, caller, project)
        try TrackingRules.checkExperimentName(name)
        for (key, value) in tags { try TrackingRules.checkExperimentTag(key, value) }
        let location = try TrackingRules.checkedLocation(artifactLocation)
        let now = clock.now
        let root = realm.places.root
        return try await realm.database.write { tx in
            let store = ExperimentStore(tx: tx)
            if let existing = try store.experiment(named: name) {
                throw SlipwayError(
                    .alreadyExists,
                    "Experiment(name=\(name.prefix(200))) already exists" + (existing.lifecycle == .deleted ? " in deleted state. You can restore the experiment." : "."))
            }
            let id = try store.create(name: name, project: project, location: location, root: root, tags: tags, at: now)
            try AuditStore(tx: tx).append(
                "experiment.create", subject: "experiment:\(id)", project: project, by: caller.principal, at: now, details: ["name": .string(name)])
            return id
        }
    }

    package func experiment(_ id: String, by caller: Caller) async throws -> Experiment {
        try caller.requireSomebody()
        try TrackingRules.checkExperimentID(id)
        return try await realm.database.read { [environment] tx in
            let experiment = try ExperimentStore(tx: tx).existing(id)
            try caller.require(.readMetadata, project: experiment.project, environment: environment)
            return experiment
        }
    }

    package func experiment(named name: String, by caller: Caller) async throws -> Experiment {
        try caller.requireSomebody()
        return try await realm.database.read { [environment] tx in
            guard let experiment = try ExperimentStore(tx: tx).experiment(named: name) else {
                throw SlipwayError.notFound("Could not find experiment with name '\(name.prefix(200))'")
            }
            try caller.require(.readMetadata, project: experiment.project, environment: environment)
            return experiment
        }
    }

    package func searchExperiments(
        filter: String, orderBy: [String], view: LifecycleView, limit: Int, offset: Int, by caller: Caller
    ) async throws -> SearchPage<Experiment> {
        try caller.requireSomebody()
        let filter = try SearchFilter(parsing: filter, for: .experiments)
        let orders = try SearchOrder.list(parsing: orderBy, for: .experiments)
        let projects = visibleProjects(caller)
        return try await realm.database.read { tx in
            try ExperimentStore(tx: tx).search(filter, orderBy: orders, view: view, projects: projects, limit: limit, offset: offset)
        }
    }

    package func renameExperiment(_ id: String, to name: String, by caller: Caller) async throws {
        try TrackingRules.checkExperimentName(name)
        try await changeExperiment(id, "experiment.rename", ["name": .string(name)], by: caller) { store, experiment, now in
            guard experiment.lifecycle == .active else { throw Self.notActive("experiment", id) }
            if let other = try store.experiment(named: name), other.id != id {
                throw SlipwayError(.alreadyExists, "Experiment(name=\(name.prefix(200))) already exists.")
            }
            try store.rename(id, to: name, at: now)
        }
    }

    /// Deletes the experiment and all its runs, softly. - Throws: `notFound` when it is deleted already.
    package func deleteExperiment(_ id: String, by caller: Caller) async throws {
        let environment = environment
        try await changeExperiment(id, "experiment.delete", [:], by: caller) { store, experiment, now in
            guard experiment.lifecycle == .active else { throw SlipwayError.notFound("No active Experiment with id=\(id.prefix(80)) exists") }
            try Immutability.checkDeletion(ofExperiment: id, registry: store.registry, in: environment)
            try store.setLifecycle(.deleted, of: id, at: now)
        }
    }

    /// - Throws: `notFound` when it is not deleted.
    package func restoreExperiment(_ id: String, by caller: Caller) async throws {
        try await changeExperiment(id, "experiment.restore", [:], by: caller) { store, experiment, now in
            guard experiment.lifecycle == .deleted else { throw SlipwayError.notFound("No deleted Experiment with id=\(id.prefix(80)) exists") }
            try store.setLifecycle(.active, of: id, at: now)
        }
    }

    package func setExperimentTag(_ key: String, _ value: String, of id: String, by caller: Caller) async throws {
        try TrackingRules.checkExperimentTag(key, value)
        try await changeExperiment(id, nil, [:], by: caller) { store, experiment, now in
            guard experiment.lifecycle == .active else { throw Self.notActive("experiment", id) }
            try store.setTag(key, value, of: id, at: now)
        }
    }

    package func deleteExperimentTag(_ key: String, of id: String, by caller: Caller) async throws {
        try await changeExperiment(id, nil, [:], by: caller) { store, experiment, _ in
            guard experiment.lifecycle == .active else { throw Self.notActive("experiment", id) }
            guard try store.removeTag(key, of: id) else {
                throw SlipwayError.notFound("No tag with name: \(key.prefix(200)) in experiment with id \(id.prefix(80))")
            }
        }
    }

    private func changeExperiment(
        _ id: String, _ action: String?, _ details: JSONValue, by caller: Caller, _ body: @escaping @Sendable (ExperimentStore, Experiment, Timestamp) throws -> Void
    ) async throws {
        try caller.requireSomebody()
        try TrackingRules.checkExperimentID(id)
        let now = clock.now
        try await realm.database.write { [environment] tx in
            let store = ExperimentStore(tx: tx)
            let experiment = try store.existing(id)
            try caller.require(.runWork, project: experiment.project, environment: environment)
            try body(store, experiment, now)
            if let action {
                try AuditStore(tx: tx).append(action, subject: "experiment:\(id)", project: experiment.project, by: caller.principal, at: now, details: details)
            }
        }
    }

    static func notActive(_ noun: String, _ id: String) -> SlipwayError {
        .invalid("The \(noun) \(id.prefix(80)) must be in the 'active' state. Current state is deleted.", remedy: "Restore it first.")
    }
}

extension ExperimentStore {
    func existing(_ id: String) throws -> Experiment {
        guard let experiment = try experiment(id) else { throw SlipwayError.notFound("No Experiment with id=\(id.prefix(80)) exists") }
        return experiment
    }
}

/// What may not be taken away in stage and prod: what a registered version came from.
enum Immutability {
    static func checkDeletion(ofExperiment id: String, registry: RegistryStore, in environment: EnvironmentID) throws {
        if environment != .dev, try registry.isRegistered(experiment: id) { throw refusal("Experiment \(id)", environment) }
    }

    static func checkDeletion(ofRun id: String, registry: RegistryStore, in environment: EnvironmentID) throws {
        if environment != .dev, try registry.isRegistered(run: id) { throw refusal("Run \(id)", environment) }
    }

    static func checkDeletion(ofModel id: String, registry: RegistryStore, in environment: EnvironmentID) throws {
        if environment != .dev, try registry.isRegistered(loggedModel: id) { throw refusal("Logged model \(id)", environment) }
    }

    static func refusal(_ what: String, _ environment: EnvironmentID) -> SlipwayError {
        SlipwayError(
            .invalidArgument, "\(what) belongs to a registered model version, which is immutable in \(environment.rawValue).",
            remedy: "Make a new run; registered work stays for ever in stage and prod.")
    }
}
