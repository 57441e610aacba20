import SlipwayCore
import SlipwaySQL

/// Registered models, their versions and aliases.
package struct RegistryStore {
    let tx: any Transaction

    package init(tx: any Transaction) { self.tx = tx }

    /// Other stores in the same transaction.
    package var artifacts: ArtifactStore { ArtifactStore(tx: tx) }
    package var audit: AuditStore { AuditStore(tx: tx) }

    package func loggedModelRoot(_ id: String) throws -> String? { try LoggedModelStore(tx: tx).model(id)?.artifactRoot }

    /// MLflow's tag on a logged model that lists the versions made from it.
    package func noteRegistrations(ofLoggedModel id: String) throws {
        let models = LoggedModelStore(tx: tx)
        guard let model = try models.model(id) else { return }
        let registrations = try models.details(of: [model])[id]?.registrations ?? []
        // Spelled as Python prints it: clients compare the text.
        let list = try registrations.map { "{\"name\": \(try CanonicalJSON.text($0.name)), \"version\": \($0.version)}" }.joined(separator: ", ")
        try models.setTag("mlflow.modelVersions", "[\(list)]", of: id)
    }

    package func loggedModelFiles(_ id: String) throws -> FileManifest? {
        try LoggedModelStore(tx: tx).model(id).map { try artifacts.manifest(under: $0.artifactRoot) }
    }

    // MARK: Models

    package func model(_ name: String) throws -> RegisteredModel? { try tx.first(Self.modelByName, ["name": .text(name)]).map(model) }
    package func model(number: Int64) throws -> RegisteredModel? { try tx.first(Self.modelByNumber, ["no": .integer(number)]).map(model) }

    /// The name must be free: the schema refuses a second one.
    @discardableResult
    package func create(model name: String, project: ProjectName, description: String? = nil, tags: [String: String] = [:], at: Timestamp) throws -> RegisteredModel {
        try tx.run(
            Self.insertModel,
            [
                "name": .text(name), "project": .text(project.rawValue), "description": .text(description), "at": .integer(at.milliseconds),
            ])
        let created = try model(name)!
        for (key, value) in tags { try setTag(key, value, of: created) }
        return try model(name)!
    }

    package func update(_ model: RegisteredModel, description: String?, name: String? = nil, at: Timestamp) throws {
        try tx.run(
            Self.updateModel,
            [
                "no": .integer(model.number), "description": .text(description), "name": .text(name), "at": .integer(at.milliseconds),
            ])
    }

    /// Removes the model, its versions, tags and aliases for good.
    package func delete(_ model: RegisteredModel) throws {
        for statement in Self.deleteModel { try tx.run(statement, ["no": .integer(model.number)]) }
    }

    package func setTag(_ key: String, _ value: String, of model: RegisteredModel) throws {
        try tx.run(Self.upsertModelTag, ["no": .integer(model.number), "key": .text(key), "value": .text(value)])
    }

    package func removeTag(_ key: String, of model: RegisteredModel) throws {
        try tx.run(Self.deleteModelTag, ["no": .integer(model.number), "key": .text(key)])
    }

    // MARK: Versions

    /// Makes the next version, freezing the source's files: the row holds their manifest's digest. The manifest must be in the realm's
    /// blobs before (`realm.blobs.put(ArtifactStore(tx:).manifest(under: …))`), which is the caller's part, since bytes come before rows.
    ///
    /// The registered model is made when it is missing. A version of a logged model inherits its signature.
    /// - Parameter signature: for sources other than logged models; see `signature(in:)` of the realm's blobs. When nil, that of another
    ///   version with the same files.
    /// - Parameter files: what a `.manifest` source lists, for its size; else that of another version with the same files.
    /// - Throws: `conflict` when the model belongs to another project, `notFound` for an unknown logged model, `invalidArgument` when the source has no files.
    package func register(
        model name: String, project: ProjectName, source: ModelSource, tags: [String: String], at: Timestamp, by actor: Principal,
        description: String? = nil, runLink: String? = nil, signature: JSONValue? = nil, files: FileManifest? = nil
    ) throws -> Int {
        let model = try model(name) ?? create(model: name, project: project, at: at)
        guard model.project == project else {
            throw SlipwayError(.conflict, "The registered model '\(name)' belongs to project '\(model.project)'.", remedy: "Choose another name for the model.")
        }
        var frozen = try freeze(source)
        if let files { (frozen.size, frozen.files) = (files.size, files.files.count) }
        try tx.run(Self.bumpVersion, ["no": .integer(model.number), "at": .integer(at.milliseconds)])
        let version = try tx.first(Self.lastVersion, ["no": .integer(model.number)])!.int("last_version")
        try tx.run(
            Self.insertVersion,
            [
                "no": .integer(model.number), "version": .integer(version), "manifest": .text(frozen.digest?.rawValue), "size": .integer(frozen.size),
                "files": .integer(frozen.files), "source": .text(frozen.uri), "run": .text(frozen.run), "model": .text(frozen.model), "link": .text(runLink),
                "description": .text(description), "user": .text(actor.raw), "at": .integer(at.milliseconds),
                "signature": .text(try (signature ?? frozen.signature).map { try CanonicalJSON.text($0) }),
            ])
        for (key, value) in tags { try setTag(key, value, of: name, version: version) }
        return version
    }

    private struct Frozen {
        var digest: ContentDigest?
        var size: Int64 = 0
        var files = 0
        var uri: String
        var run: String?
        var model: String?
        var signature: JSONValue?
    }

    private func freeze(_ source: ModelSource) throws -> Frozen {
        switch source {
        case .loggedModel(let id, let run):
            guard let logged = try LoggedModelStore(tx: tx).model(id), logged.lifecycle == .active else {
                throw SlipwayError.notFound("Logged model with ID '\(id.prefix(80))' not found.", remedy: "Log it first: mlflow.<flavour>.log_model(…)")
            }
            var frozen = try freeze(.artifacts(root: logged.artifactRoot, path: nil, uri: logged.artifactRoot, run: run ?? logged.sourceRun, model: id))
            frozen.signature = logged.signature
            return frozen
        case .artifacts(let root, let path, let uri, let run, let model):
            let manifest = try ArtifactStore(tx: tx).manifest(under: root, path: path)
            guard !manifest.files.isEmpty else {
                throw SlipwayError.invalid("The source '\(uri.prefix(200))' has no files.", remedy: "Upload the model's artifacts before registering it.")
            }
            let digest = try manifest.digest()
            return Frozen(
                digest: digest, size: manifest.size, files: manifest.files.count, uri: uri, run: run, model: model, signature: try knownSignature(of: digest))
        case .manifest(let digest, let origin):
            let known = try tx.first(Self.sizeOfManifest, ["manifest": .text(digest.rawValue)])
            return Frozen(
                digest: digest, size: known?.int64("size_bytes") ?? 0, files: known?.int("file_count") ?? 0, uri: origin, run: nil, model: nil,
                signature: try knownSignature(of: digest))
        case .outside(let uri, let run, let model):
            return Frozen(digest: nil, uri: uri, run: run, model: model)
        }
    }

    private func knownSignature(of manifest: ContentDigest) throws -> JSONValue? {
        try tx.first(Self.signatureOfManifest, ["manifest": .text(manifest.rawValue)]).map { try CanonicalJSON.decode(JSONValue.self, from: $0.text("signature")) }
    }

    package func version(_ number: Int, of name: String) throws -> ModelVersion? {
        try tx.first(Self.versionByNumber, ["name": .text(name), "version": .integer(number)]).map(version)
    }

    /// Newest first.
    package func versions(of name: String, limit: Int = 1000) throws -> [ModelVersion] {
        try tx.all(Self.versionsOf, ["name": .text(name), "limit": .integer(limit)]).map(version)
    }

    /// Versions of the model with exactly these files, newest first.
    package func versions(withManifest digest: ContentDigest, of name: String) throws -> [ModelVersion] {
        try tx.all(Self.versionsWithManifest, ["name": .text(name), "manifest": .text(digest.rawValue)]).map(version)
    }

    /// Whether a registered version was made from this logged model.
    package func isRegistered(loggedModel: String) throws -> Bool { try tx.first(Self.anyOfModel, ["model": .text(loggedModel)]) != nil }
    /// Whether a registered version was made from this run (or a logged model of it).
    package func isRegistered(run: String) throws -> Bool { try tx.first(Self.anyOfRun, ["run": .text(run)]) != nil }
    /// Whether a release names the version.
    package func isReleased(_ version: ModelVersion) throws -> Bool {
        try tx.first(Self.anyRelease, ["name": .text(version.name), "version": .integer(version.version)]) != nil
    }

    package func isRegistered(experiment: String) throws -> Bool { try tx.first(Self.anyOfExperiment, ["experiment": .integer(Int64(experiment))]) != nil }

    package func update(_ version: ModelVersion, description: String? = nil, currentStage: String? = nil, at: Timestamp) throws {
        try tx.run(
            Self.updateVersion,
            [
                "no": .integer(version.modelNumber), "version": .integer(version.version), "description": .text(description), "stage": .text(currentStage),
                "at": .integer(at.milliseconds),
            ])
        // As in MLflow, a description is the version's own affair.
        if currentStage != nil { try tx.run(Self.touchModel, ["no": .integer(version.modelNumber), "at": .integer(at.milliseconds)]) }
    }

    /// Archives the other versions that have this value of MLflow's `current_stage`.
    package func archiveOthers(_ version: ModelVersion, currentStage: String, at: Timestamp) throws {
        try tx.run(
            Self.archiveVersions,
            [
                "no": .integer(version.modelNumber), "version": .integer(version.version), "stage": .text(currentStage), "at": .integer(at.milliseconds),
            ])
    }

    /// The row stays, without what it said, so that the number is never given again.
    package func delete(_ version: ModelVersion, at: Timestamp) throws {
        let key: [String: SQLValue] = ["no": .integer(version.modelNumber), "version": .integer(version.version)]
        for statement in Self.deleteVersion { try tx.run(statement, key) }
        try tx.run(Self.redactVersion, key.merging(["at": .integer(at.milliseconds)]) { $1 })
        try tx.run(Self.touchModel, ["no": .integer(version.modelNumber), "at": .integer(at.milliseconds)])
    }

    package func setTag(_ key: String, _ value: String, of name: String, version: Int) throws {
        try tx.run(Self.upsertVersionTag, ["name": .text(name), "version": .integer(version), "key": .text(key), "value": .text(value)])
    }

    package func removeTag(_ key: String, of version: ModelVersion) throws {
        try tx.run(Self.deleteVersionTag, ["no": .integer(version.modelNumber), "version": .integer(version.version), "key": .text(key)])
    }

    // MARK: Aliases

    /// - Returns: the version it pointed at before, or nil when it is new.
    @discardableResult
    package func move(alias: String, of name: String, to version: Int) throws -> Int? {
        guard let target = try self.version(version, of: name) else { throw Self.noVersion(version, of: name) }
        let key: [String: SQLValue] = ["no": .integer(target.modelNumber), "alias": .text(alias)]
        let previous = try tx.first(Self.aliasVersion, key)?.int("version")
        try tx.run(Self.upsertAlias, key.merging(["version": .integer(version)]) { $1 })
        return previous
    }

    package func alias(_ alias: String, of name: String) throws -> Int? {
        guard let model = try tx.first(Self.modelByName, ["name": .text(name)]) else { return nil }
        return try tx.first(Self.aliasVersion, ["no": .integer(model.int64("no")), "alias": .text(alias)])?.int("version")
    }

    /// - Returns: false when there was none.
    package func remove(alias: String, of model: RegisteredModel) throws -> Bool {
        try tx.run(Self.deleteAlias, ["no": .integer(model.number), "alias": .text(alias)]) > 0
    }

    package static func noVersion(_ version: Int, of name: String) -> SlipwayError {
        .notFound("Model Version (name=\(name.prefix(200)), version=\(version)) not found", remedy: "See what exists: slipway model versions \(name.prefix(200))")
    }

    // MARK: Rows

    func model(_ row: Row) throws -> RegisteredModel {
        let key: [String: SQLValue] = ["no": .integer(row.int64("no"))]
        return RegisteredModel(
            name: row.text("name"), project: ProjectName(unchecked: row.text("project")), description: row.optionalText("description"),
            createdAt: Timestamp(milliseconds: row.int64("created_at_ms")), updatedAt: Timestamp(milliseconds: row.int64("updated_at_ms")),
            tags: Dictionary(uniqueKeysWithValues: try tx.all(Self.modelTags, key).map { ($0.text("key"), $0.text("value")) }),
            aliases: Dictionary(uniqueKeysWithValues: try tx.all(Self.modelAliases, key).map { ($0.text("alias"), $0.int("version")) }),
            number: row.int64("no"))
    }

    func version(_ row: Row) throws -> ModelVersion {
        let key: [String: SQLValue] = ["no": .integer(row.int64("model_no")), "version": .integer(row.int64("version"))]
        return ModelVersion(
            name: row.text("name"), project: ProjectName(unchecked: row.text("project")), version: row.int("version"),
            manifestDigest: row.optionalText("manifest_digest").flatMap(ContentDigest.init(rawValue:)), sizeBytes: row.int64("size_bytes"),
            fileCount: row.int("file_count"), source: row.text("source"), run: row.optionalText("run_id"), loggedModel: row.optionalText("model_id"),
            runLink: row.optionalText("run_link"), description: row.optionalText("description"), user: row.text("user_name"),
            currentStage: row.text("current_stage"),
            signature: try row.optionalText("signature").map { try CanonicalJSON.decode(JSONValue.self, from: $0) },
            createdAt: Timestamp(milliseconds: row.int64("created_at_ms")), updatedAt: Timestamp(milliseconds: row.int64("updated_at_ms")),
            tags: Dictionary(uniqueKeysWithValues: try tx.all(Self.versionTags, key).map { ($0.text("key"), $0.text("value")) }),
            aliases: try tx.all(Self.versionAliases, key).map { $0.text("alias") }, modelNumber: row.int64("model_no"))
    }
}
