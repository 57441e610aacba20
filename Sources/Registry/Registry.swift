// Registry: registered models, their immutable versions and the aliases that point at them, in one realm.

import Logging
import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// The use cases of the model registry in one realm.
package struct RegistryService: Sendable {
    let realm: Realm
    let clock: any WallClock
    let logger: Logger
    /// Told after the commit; nil when nobody listens.
    let notices: (any RegistryNotices)?

    package init(realm: Realm, clock: any WallClock, logger: Logger, notices: (any RegistryNotices)? = nil) {
        self.realm = realm
        self.clock = clock
        self.logger = logger
        self.notices = notices
    }

    package var environment: EnvironmentID { realm.environment }

    func visibleProjects(_ caller: Caller) -> Set<ProjectName>? {
        caller.isSystem ? nil : caller.readableProjects(in: environment)
    }

    // MARK: Models

    /// The model belongs to the project whose `slipway.yaml` names it, else to the caller's home (`HomeProject`).
    /// - Throws: `conflict` when another project's `slipway.yaml` names the model, `alreadyExists` for a taken name.
    package func createModel(_ name: String, description: String?, tags: [String: String], by caller: Caller) async throws -> RegisteredModel {
        try caller.requireSomebody()
        try RegistryRules.checkName(name)
        for (key, value) in tags { try RegistryRules.checkTag(key, value) }
        let now = clock.now
        let created = try await realm.database.write { [environment] tx in
            let project: ProjectName
            if let declaring = try ProjectFileStore(tx: tx).all().first(where: { $0.file.model?.name == name })?.project {
                guard caller.may(.registerModel, project: declaring, environment: environment) else {
                    throw SlipwayError(.conflict, "'\(name.prefix(200))' is the model of project '\(declaring)'.", remedy: "Choose another name for the model.")
                }
                project = declaring
            } else {
                project = try HomeProject.choose(for: caller, in: environment, named: name, tags: tags, permission: .registerModel)
            }
            try caller.require(.registerModel, project: project, environment: environment)
            let store = RegistryStore(tx: tx)
            if let standing = try store.model(name) { throw RegistryRules.taken(name, standing: standing.tags, wanted: tags) }
            let model = try store.create(model: name, project: project, description: description, tags: tags, at: now)
            try AuditStore(tx: tx).append("model.create", subject: "model:\(name)", project: project, by: caller.principal, at: now)
            return model
        }
        notices?.created(created)
        return created
    }

    package func model(_ name: String, by caller: Caller) async throws -> RegistryPage {
        try caller.requireSomebody()
        return try await realm.database.read { [environment] tx in
            let store = RegistryStore(tx: tx)
            let model = try store.existing(name)
            try caller.require(.readMetadata, project: model.project, environment: environment)
            return RegistryPage(model: model, latest: try store.latestVersions(of: name, in: nil))
        }
    }

    package func searchModels(filter: String, orderBy: [String], limit: Int, offset: Int, by caller: Caller) async throws -> SearchPage<RegistryPage> {
        try caller.requireSomebody()
        let filter = try SearchFilter(parsing: filter, for: .registeredModels)
        let orders = try SearchOrder.list(parsing: orderBy, for: .registeredModels)
        let projects = visibleProjects(caller)
        return try await realm.database.read { tx in
            let store = RegistryStore(tx: tx)
            return try store.searchModels(filter, orderBy: orders, projects: projects, limit: limit, offset: offset)
                .map { RegistryPage(model: $0, latest: try store.latestVersions(of: $0.name, in: nil)) }
        }
    }

    /// Models by name, page by page. - Parameter project: nil for every project that the caller may read.
    package func models(project: ProjectName?, after: String?, limit: Int, by caller: Caller) async throws -> SearchPage<RegistryPage> {
        try caller.requireSomebody()
        if let project { try caller.require(.readMetadata, project: project, environment: environment) }
        let projects = project.map { [$0] } ?? visibleProjects(caller)
        return try await realm.database.read { tx in
            let store = RegistryStore(tx: tx)
            return try store.models(projects: projects, after: after, limit: min(limit, 1000))
                .map { RegistryPage(model: $0, latest: try store.versions(of: $0.name, limit: 1)) }
        }
    }

    package func updateModel(_ name: String, description: String?, by caller: Caller) async throws -> RegistryPage {
        let now = clock.now
        return try await change(name, "model.update", [:], by: caller) { store, model in
            try store.update(model, description: description, at: now)
            return RegistryPage(model: try store.existing(name), latest: try store.latestVersions(of: name, in: nil))
        }
    }

    /// - Throws: in stage and prod always: releases name the model.
    package func renameModel(_ name: String, to newName: String, by caller: Caller) async throws -> RegistryPage {
        try RegistryRules.checkName(newName)
        let now = clock.now
        let environment = environment
        return try await change(name, "model.rename", ["to": .string(newName)], by: caller) { store, model in
            guard environment == .dev else { throw RegistryRules.immutable("The registered model '\(name)'", environment) }
            guard try store.model(newName) == nil else { throw SlipwayError(.alreadyExists, "Registered Model (name=\(newName.prefix(200))) already exists.") }
            try store.update(model, description: nil, name: newName, at: now)
            return RegistryPage(model: try store.existing(newName), latest: try store.latestVersions(of: newName, in: nil))
        }
    }

    package func deleteModel(_ name: String, by caller: Caller) async throws {
        let environment = environment
        try await change(name, "model.delete", [:], by: caller) { store, model in
            let versions = try store.versions(of: name)
            guard environment == .dev || versions.isEmpty else {
                throw RegistryRules.immutable("The registered model '\(name)' with \(versions.count) versions", environment)
            }
            for version in versions { try store.checkUnused(version) }
            try store.delete(model)
        }
    }

    package func setTag(_ key: String, _ value: String, of name: String, by caller: Caller) async throws {
        try RegistryRules.checkTag(key, value)
        let model = try await change(name, nil, [:], by: caller) { store, model in
            try store.setTag(key, value, of: model)
            return try store.existing(name)
        }
        notices?.set(key, value, of: model)
    }

    package func deleteTag(_ key: String, of name: String, by caller: Caller) async throws {
        let model = try await change(name, nil, [:], by: caller) { store, model in
            try store.removeTag(key, of: model)
            return model
        }
        notices?.deleted(key, of: model)
    }

    // MARK: Aliases

    package func move(alias: String, of name: String, to version: Int, by caller: Caller) async throws {
        try RegistryRules.checkAlias(alias)
        let model = try await change(name, "alias.move", ["alias": .string(alias), "version": .integer(Int64(version))], by: caller) { store, model in
            try store.move(alias: alias, of: name, to: version)
            return model
        }
        notices?.moved(alias: alias, of: model, to: version)
    }

    /// A missing alias is fine.
    package func delete(alias: String, of name: String, by caller: Caller) async throws {
        let model = try await change(name, "alias.delete", ["alias": .string(alias)], by: caller) { store, model in
            _ = try store.remove(alias: alias, of: model)
            return model
        }
        notices?.deleted(alias: alias, of: model)
    }

    /// - Throws: `invalidArgument` for an unknown alias, as MLflow does.
    package func version(alias: String, of name: String, by caller: Caller) async throws -> ModelVersion {
        try caller.requireSomebody()
        return try await realm.database.read { [environment] tx in
            let store = RegistryStore(tx: tx)
            let model = try store.existing(name)
            try caller.require(.readMetadata, project: model.project, environment: environment)
            if alias.lowercased() == "latest" {
                guard let newest = try store.versions(of: name, limit: 1).first else { throw SlipwayError.notFound("Registered model '\(name)' has no versions.") }
                return newest
            }
            guard let number = model.aliases[alias] else {
                throw SlipwayError.invalid("Registered model alias \(alias.prefix(200)) not found.", remedy: "See what exists: slipway model show \(name)")
            }
            return try store.existing(number, of: name)
        }
    }

    /// Changes a model after asking the caller.
    @discardableResult
    func change<T: Sendable>(
        _ name: String, _ action: String?, _ details: JSONValue, by caller: Caller, _ body: @escaping @Sendable (RegistryStore, RegisteredModel) throws -> T
    ) async throws -> T {
        try caller.requireSomebody()
        let now = clock.now
        return try await realm.database.write { [environment] tx in
            let store = RegistryStore(tx: tx)
            let model = try store.existing(name)
            try caller.require(.registerModel, project: model.project, environment: environment)
            let result = try body(store, model)
            if let action {
                try AuditStore(tx: tx).append(action, subject: "model:\(name)", project: model.project, by: caller.principal, at: now, details: details)
            }
            return result
        }
    }
}

/// A registered model with its newest version per value of MLflow's `current_stage`.
package struct RegistryPage: Sendable, Hashable {
    package var model: RegisteredModel
    package var latest: [ModelVersion]

    package init(model: RegisteredModel, latest: [ModelVersion]) {
        self.model = model
        self.latest = latest
    }
}

extension RegistryStore {
    func existing(_ name: String) throws -> RegisteredModel {
        guard !name.isEmpty else { throw SlipwayError.invalid("Registered model name cannot be empty.") }
        guard let model = try model(name) else {
            throw SlipwayError.notFound("Registered Model with name=\(name.prefix(200)) not found", remedy: "See what exists: slipway model list")
        }
        return model
    }

    func existing(_ version: Int, of name: String) throws -> ModelVersion {
        guard let found = try self.version(version, of: name) else { throw Self.noVersion(version, of: name) }
        return found
    }

    /// - Parameter stages: MLflow's, spelled canonically; nil for all.
    func latestVersions(of name: String, in stages: [String]?) throws -> [ModelVersion] {
        var seen: Set<String> = []
        return try versions(of: name).filter { (stages?.contains($0.currentStage) ?? true) && seen.insert($0.currentStage).inserted }
    }

    /// Deleting asks here whether anything still stands on the version.
    func checkUnused(_ version: ModelVersion) throws {
        guard !version.aliases.contains("live") else {
            throw SlipwayError.invalid(
                "Version \(version.version) of '\(version.name)' is live: the alias 'live' points at it.", remedy: "Roll back or retire the slot first.")
        }
        guard try !isReleased(version) else {
            throw SlipwayError.invalid("Version \(version.version) of '\(version.name)' is part of a release, which is kept for ever.", remedy: "Register a new version instead.")
        }
    }
}

/// MLflow's spelling rules for the registry.
package enum RegistryRules {
    package static let stages = ["None", "Staging", "Production", "Archived"]

    package static func checkName(_ name: String) throws {
        guard !name.allSatisfy(\.isWhitespace) else { throw SlipwayError.invalid("Registered model name cannot be empty.") }
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard !name.contains("/"), !name.contains(":"), name != ".", name != "..", parts.count == 1, name.count <= 256, !name.contains("\0") else {
            throw SlipwayError.invalid("Invalid model name: '\(name.prefix(200))'. Registered model names cannot contain '/' or ':'.")
        }
    }

    /// Prompts are models with a tag, and share the names.
    static func taken(_ name: String, standing: [String: String], wanted: [String: String]) -> SlipwayError {
        let nouns = [standing, wanted].map { $0["mlflow.prompt.is_prompt"]?.lowercased() == "true" ? "prompt" : "registered model" }
        if nouns[0] == nouns[1] {
            return SlipwayError(.alreadyExists, "\(nouns[0] == "prompt" ? "Prompt" : "Registered Model") (name=\(name.prefix(200))) already exists.")
        }
        return SlipwayError(
            .alreadyExists, "Tried to create a \(nouns[1]) with name '\(name.prefix(200))', but the name is already taken by a \(nouns[0]).",
            remedy: "Choose another name: prompts and models share them.")
    }

    package static func checkTag(_ key: String, _ value: String) throws {
        guard !key.isEmpty else { throw SlipwayError.invalid("Tag name cannot be None.") }
        guard key.count <= 250 else { throw SlipwayError.invalid("'key' exceeds the maximum length of 250 characters.") }
        guard value.count <= 100_000 || key != "mlflow.prompt.text" else { throw SlipwayError.invalid("Prompt text exceeds max length of 100000 characters.") }
        guard value.count <= 100_000 else { throw SlipwayError.invalid("'value' exceeds the maximum length of 100000 characters.") }
        let isSpelledRight = key.unicodeScalars.allSatisfy { scalar in
            scalar.properties.isAlphabetic || scalar.properties.numericType != nil || "_-.:/ ".unicodeScalars.contains(scalar)
        }
        guard isSpelledRight else {
            throw SlipwayError.invalid(
                "Invalid value \"\(key.prefix(200))\" for parameter 'key' supplied: Names may only contain alphanumerics, underscores, dashes, periods, spaces, colons and slashes."
            )
        }
    }

    package static func checkAlias(_ alias: String) throws {
        guard !alias.isEmpty else { throw SlipwayError.invalid("Registered model alias name cannot be empty.") }
        guard alias.count <= 255 else { throw SlipwayError.invalid("Registered model alias name exceeds the maximum length of 255 characters.") }
        let isSpelledRight = alias.utf8.allSatisfy { (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == 95 || $0 == 45 }
        guard isSpelledRight else {
            throw SlipwayError.invalid("Invalid alias name: '\(alias.prefix(200))'. Aliases have letters, digits, underscores and dashes.")
        }
        guard alias.lowercased() != "latest" else { throw SlipwayError.invalid("'latest' alias name (case insensitive) is reserved.") }
        let lower = alias.lowercased()
        guard !(lower.hasPrefix("v") && lower.count > 1 && lower.dropFirst().allSatisfy(\.isNumber)) else {
            throw SlipwayError.invalid("Version alias name '\(alias)' is reserved.", remedy: "Choose an alias that does not look like a version.")
        }
    }

    /// - Returns: the canonical spelling.
    package static func checkedStage(_ stage: String) throws -> String {
        guard let canonical = stages.first(where: { $0.lowercased() == stage.lowercased() }) else {
            throw SlipwayError.invalid("Invalid Model Version stage: \(stage.prefix(80)). Value must be one of \(stages.joined(separator: ", ")).")
        }
        return canonical
    }

    package static func immutable(_ what: String, _ environment: EnvironmentID) -> SlipwayError {
        .invalid("\(what) is immutable in \(environment.rawValue).", remedy: "Registered models stay for ever in stage and prod; retire the slot instead.")
    }
}
