import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// A logged model with everything that belongs to it.
package struct LoggedModelRecord: Sendable, Hashable {
    package var model: LoggedModel
    package var details: LoggedModelDetails
}

extension TrackingService {
    package func createLoggedModel(
        experiment: String, name: String, modelType: String, sourceRun: String?, params: [String: String], tags: [String: String], by caller: Caller
    ) async throws -> LoggedModelRecord {
        try caller.requireSomebody()
        try TrackingRules.checkExperimentID(experiment)
        try TrackingRules.checkModelName(name)
        let digits = ids.hex32()
        let now = clock.now
        return try await realm.database.write { [environment] tx in
            let owner = try ExperimentStore(tx: tx).existing(experiment)
            try caller.require(.runWork, project: owner.project, environment: environment)
            guard owner.lifecycle == .active else { throw Self.notActive("experiment", experiment) }
            let id = "m-\(digits)"
            let store = LoggedModelStore(tx: tx)
            try store.insert(
                LoggedModel(
                    id: id, name: name.isEmpty ? RunName.made(from: digits) : name, experiment: experiment, project: owner.project, sourceRun: sourceRun,
                    modelType: modelType, artifactRoot: ArtifactRoot.model(id, experiment: owner.artifactLocation), status: .pending,
                    creator: caller.principal.raw, createdAt: now, updatedAt: now),
                params: params, tags: tags)
            return try store.record(store.existing(id))
        }
    }

    /// Marks the model as complete, or its upload as failed.
    package func finalizeLoggedModel(_ id: String, status: LoggedModelStatus, by caller: Caller) async throws -> LoggedModelRecord {
        let now = clock.now
        return try await changeModel(id, by: caller) { store, _ in
            try store.setStatus(status, of: id, at: now)
            return try store.record(store.existing(id))
        }
    }

    package func loggedModel(_ id: String, by caller: Caller) async throws -> LoggedModelRecord {
        try caller.requireSomebody()
        return try await realm.database.read { [environment] tx in
            let store = LoggedModelStore(tx: tx)
            let model = try store.existing(id)
            try caller.require(.readMetadata, project: model.project, environment: environment)
            return try store.record(model)
        }
    }

    package func searchLoggedModels(
        filter: String, orders: [ModelOrder], experiments: [String], datasets: [(name: String, digest: String?)], limit: Int, offset: Int, by caller: Caller
    ) async throws -> SearchPage<LoggedModelRecord> {
        try caller.requireSomebody()
        let filter = try SearchFilter(parsing: filter, for: .loggedModels)
        let environment = environment
        return try await realm.database.read { tx in
            let visible = try ExperimentStore(tx: tx).visible(experiments, to: caller, in: environment)
            let store = LoggedModelStore(tx: tx)
            let page = try store.search(filter, orderBy: orders, experiments: visible, datasets: datasets, limit: limit, offset: offset)
            let details = try store.details(of: page.items)
            return page.map { LoggedModelRecord(model: $0, details: details[$0.id] ?? LoggedModelDetails()) }
        }
    }

    package func setTags(_ tags: [String: String], ofLoggedModel id: String, by caller: Caller) async throws -> LoggedModelRecord {
        for (key, value) in tags {
            try TrackingRules.checkKey(key, "tags.key")
            guard value.count <= TrackingRules.tagMax else { throw TrackingRules.tooLong("tags.value", TrackingRules.tagMax) }
        }
        return try await changeModel(id, by: caller) { store, _ in
            for (key, value) in tags { try store.setTag(key, value, of: id) }
            return try store.record(store.existing(id))
        }
    }

    package func deleteTag(_ key: String, ofLoggedModel id: String, by caller: Caller) async throws {
        try await changeModel(id, by: caller) { store, _ in
            guard try store.removeTag(key, of: id) else { throw SlipwayError.notFound("No tag with key '\(key.prefix(200))' found for logged model with ID '\(id.prefix(80))'.") }
        }
    }

    package func logParams(_ params: [String: String], ofLoggedModel id: String, by caller: Caller) async throws {
        for key in params.keys { try TrackingRules.checkKey(key, "params.key") }
        try await changeModel(id, by: caller) { store, _ in
            for (key, value) in params { try store.logParam(key, TrackingRules.fit(value, to: TrackingRules.paramMax), of: id) }
        }
    }

    package func deleteLoggedModel(_ id: String, by caller: Caller) async throws {
        try caller.requireSomebody()
        let now = clock.now
        try await realm.database.write { [environment] tx in
            let store = LoggedModelStore(tx: tx)
            let model = try store.existing(id)
            try caller.require(.runWork, project: model.project, environment: environment)
            try Immutability.checkDeletion(ofModel: id, registry: RegistryStore(tx: tx), in: environment)
            try store.delete(id, at: now)
            try AuditStore(tx: tx).append("model.delete", subject: "logged-model:\(id)", project: model.project, by: caller.principal, at: now)
        }
    }

    @discardableResult
    private func changeModel<T: Sendable>(_ id: String, by caller: Caller, _ body: @escaping @Sendable (LoggedModelStore, LoggedModel) throws -> T) async throws -> T {
        try caller.requireSomebody()
        return try await realm.database.write { [environment] tx in
            let store = LoggedModelStore(tx: tx)
            let model = try store.existing(id)
            try caller.require(.runWork, project: model.project, environment: environment)
            return try body(store, model)
        }
    }
}

extension LoggedModelStore {
    /// - Throws: `notFound` for deleted ones too.
    func existing(_ id: String) throws -> LoggedModel {
        guard let model = try model(id), model.lifecycle == .active else { throw SlipwayError.notFound("Logged model with ID '\(id.prefix(80))' not found.") }
        return model
    }

    func record(_ model: LoggedModel) throws -> LoggedModelRecord {
        LoggedModelRecord(model: model, details: try details(of: [model])[model.id] ?? LoggedModelDetails())
    }
}
