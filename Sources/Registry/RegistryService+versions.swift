import Foundation
import SlipwayBlobs
import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// What a client says of a version that it wants to make.
package struct NewModelVersion: Sendable {
    package var name: String
    package var source: String
    package var run: String?
    package var loggedModel: String?
    package var runLink: String?
    package var description: String?
    package var tags: [String: String]

    package init(name: String, source: String, run: String?, loggedModel: String?, runLink: String?, description: String?, tags: [String: String]) {
        self.name = name
        self.source = source
        self.run = run
        self.loggedModel = loggedModel
        self.runLink = runLink
        self.description = description
        self.tags = tags
    }
}

extension RegistryService {
    /// Makes the next version and freezes its files: the manifest's bytes first, then the row.
    package func createVersion(_ new: NewModelVersion, by caller: Caller) async throws -> ModelVersion {
        try caller.requireSomebody()
        try RegistryRules.checkName(new.name)
        for (key, value) in new.tags { try RegistryRules.checkTag(key, value) }
        let environment = environment
        let places = realm.places
        let resolved = try await realm.database.read { tx -> ModelSource in
            let model = try RegistryStore(tx: tx).existing(new.name)
            try caller.require(.registerModel, project: model.project, environment: environment)
            return try SourceResolver(tx: tx, environment: environment, places: places, caller: caller).resolve(new)
        }
        if let place = try await realm.database.read({ tx in try RegistryStore(tx: tx).place(of: resolved) }) {
            try await realm.takeIn(place.root, path: place.path, at: clock.now)
        }
        var source = resolved
        var manifest = try await realm.database.read { tx in try RegistryStore(tx: tx).files(of: resolved) }
        if environment == .dev, manifest?.files.isEmpty == true {
            // MLflow lets a version be made before there are files.
            source = .outside(uri: new.source, run: new.run, model: new.loggedModel)
            manifest = nil
        }
        var signature: JSONValue?
        if let manifest {
            let blobs = realm.blobs
            signature = try await offload {
                try blobs.put(manifest)
                return try blobs.signature(in: manifest)
            }
        }
        let now = clock.now
        let frozen = try manifest?.digest()
        let (found, chosen) = (signature, source)
        let (created, model) = try await change(new.name, nil, [:], by: caller) { store, model in
            let number = try store.register(
                model: new.name, project: model.project, source: chosen, tags: new.tags, at: now, by: caller.principal, description: new.description,
                runLink: new.runLink, signature: found)
            let version = try store.existing(number, of: new.name)
            guard frozen == nil || version.manifestDigest == frozen else {
                throw SlipwayError(.conflict, "The files of '\(new.source.prefix(200))' changed while they were registered.", remedy: "Finish uploading, then register again.")
            }
            if let id = version.loggedModel { try store.noteRegistrations(ofLoggedModel: id) }
            try store.audit.append(
                "version.create", subject: "model:\(new.name)", project: model.project, by: caller.principal, at: now,
                details: ["version": .integer(Int64(number)), "manifest": .string(version.manifestDigest?.rawValue ?? ""), "source": .string(version.source)])
            return (version, model)
        }
        notices?.created(created, of: model, as: new)
        return created
    }

    package func version(_ number: Int, of name: String, by caller: Caller) async throws -> ModelVersion {
        try caller.requireSomebody()
        return try await realm.database.read { [environment] tx in
            let version = try RegistryStore(tx: tx).existing(number, of: name)
            try caller.require(.readMetadata, project: version.project, environment: environment)
            return version
        }
    }

    /// Where clients download the version's files from: a copy's lie where the original's do, a logged model's in its own place.
    package func downloadRoot(_ number: Int, of name: String, by caller: Caller) async throws -> String {
        let version = try await version(number, of: name, by: caller)
        return try await realm.database.read { tx in
            let store = RegistryStore(tx: tx)
            var root = version.artifactRoot
            // A copy of a copy, and so on; a ring cannot be made, but a bound costs nothing.
            for _ in 0..<10 where root.hasPrefix("models:/") {
                let rest = String(root.dropFirst("models:/".count))
                if rest.hasPrefix("m-"), !rest.contains("/") { return try store.loggedModelRoot(rest) ?? root }
                guard let slash = rest.lastIndex(of: "/"), let number = Int(rest[rest.index(after: slash)...]),
                    let origin = try store.version(number, of: String(rest[..<slash]))
                else { break }
                root = origin.artifactRoot
            }
            return root
        }
    }

    /// Newest first.
    package func versions(of name: String, limit: Int, by caller: Caller) async throws -> [ModelVersion] {
        try caller.requireSomebody()
        return try await realm.database.read { [environment] tx in
            let store = RegistryStore(tx: tx)
            let model = try store.existing(name)
            try caller.require(.readMetadata, project: model.project, environment: environment)
            return try store.versions(of: name, limit: limit)
        }
    }

    package func searchVersions(filter: String, orderBy: [String], limit: Int, offset: Int, by caller: Caller) async throws -> SearchPage<ModelVersion> {
        try caller.requireSomebody()
        let filter = try SearchFilter(parsing: filter, for: .modelVersions)
        let orders = try SearchOrder.list(parsing: orderBy, for: .modelVersions)
        let projects = visibleProjects(caller)
        return try await realm.database.read { tx in
            try RegistryStore(tx: tx).searchVersions(filter, orderBy: orders, projects: projects, limit: limit, offset: offset)
        }
    }

    /// - Parameter stages: MLflow's; empty for all.
    package func latestVersions(of name: String, stages: [String], by caller: Caller) async throws -> [ModelVersion] {
        try caller.requireSomebody()
        let wanted = stages.isEmpty ? nil : try stages.map(RegistryRules.checkedStage)
        return try await realm.database.read { [environment] tx in
            let store = RegistryStore(tx: tx)
            let model = try store.existing(name)
            try caller.require(.readMetadata, project: model.project, environment: environment)
            return try store.latestVersions(of: name, in: wanted)
        }
    }

    package func updateVersion(_ number: Int, of name: String, description: String?, by caller: Caller) async throws -> ModelVersion {
        let now = clock.now
        return try await change(name, "version.update", ["version": .integer(Int64(number))], by: caller) { store, _ in
            try store.update(store.existing(number, of: name), description: description, at: now)
            return try store.existing(number, of: name)
        }
    }

    /// In dev only; the number is not given again.
    package func deleteVersion(_ number: Int, of name: String, by caller: Caller) async throws {
        let now = clock.now
        let environment = environment
        try await change(name, "version.delete", ["version": .integer(Int64(number))], by: caller) { store, _ in
            let version = try store.existing(number, of: name)
            guard environment == .dev else { throw RegistryRules.immutable("Version \(number) of '\(name)'", environment) }
            try store.checkUnused(version)
            try store.delete(version, at: now)
        }
    }

    /// MLflow's older way of saying where a version is used. It moves nothing in Slipway: environments change by promotion.
    package func transition(_ number: Int, of name: String, toStage stage: String, archiveExisting: Bool, by caller: Caller) async throws -> ModelVersion {
        let target = try RegistryRules.checkedStage(stage)
        guard !archiveExisting || target == "Staging" || target == "Production" else {
            throw SlipwayError.invalid(
                "Model version transition cannot archive existing model versions because '\(target)' is not an Active stage. Valid stages are Staging, Production.")
        }
        let now = clock.now
        return try await change(name, "version.transition", ["version": .integer(Int64(number)), "to": .string(target)], by: caller) { store, _ in
            let version = try store.existing(number, of: name)
            if archiveExisting { try store.archiveOthers(version, currentStage: target, at: now) }
            try store.update(version, currentStage: target, at: now)
            return try store.existing(number, of: name)
        }
    }

    package func setTag(_ key: String, _ value: String, of name: String, version: Int, by caller: Caller) async throws {
        try RegistryRules.checkTag(key, value)
        let model = try await change(name, nil, [:], by: caller) { store, model in
            _ = try store.existing(version, of: name)
            try store.setTag(key, value, of: name, version: version)
            return model
        }
        notices?.set(key, value, of: model, version: version)
    }

    package func deleteTag(_ key: String, of name: String, version: Int, by caller: Caller) async throws {
        let model = try await change(name, nil, [:], by: caller) { store, model in
            try store.removeTag(key, of: store.existing(version, of: name))
            return model
        }
        notices?.deleted(key, of: model, version: version)
    }
}

/// Finds the files that a client's `source` names. Whatever lies outside its run or logged model is refused.
struct SourceResolver {
    let tx: any Transaction
    let environment: EnvironmentID
    let places: ArtifactPlaces
    let caller: Caller

    func resolve(_ new: NewModelVersion) throws -> ModelSource {
        let source = new.source
        guard !source.isEmpty else { throw SlipwayError.invalid("Missing value for required parameter 'source'. See the API docs for more information about request parameters.") }
        // MLflow's prompts are versions whose source says nothing.
        if environment == .dev, new.tags["mlflow.prompt.is_prompt"]?.lowercased() == "true" { return .outside(uri: source, run: new.run) }
        if source.hasPrefix("file://"), ArtifactPlaces.localPath(of: source) == nil {
            throw SlipwayError.fault("'\(source.prefix(200))' is not a valid remote uri: a file: address names no other machine.")
        }
        let isLocal = ArtifactPlaces.localPath(of: source) != nil
        if !isLocal { try checkAddress(source) }
        if source.hasPrefix("models:/") { return try model(source, new) }
        if source.hasPrefix("runs:/") { return try run(source, new) }
        if ArtifactRoot.proxiedPath(of: source) != nil { return try proxied(source, new) }
        if let local = ArtifactPlaces.localPath(of: source) { return try self.local(source, at: local.standardizedFileURL.path, new) }
        if let id = new.loggedModel { return .loggedModel(try readable(loggedModel: id).id, run: new.run) }
        guard environment == .dev else { throw invalid(source, "in \(environment.rawValue) a version's files must be kept by Slipway") }
        return .outside(uri: source, run: new.run)
    }

    /// However often it is decoded, the address climbs nowhere and names no odd file.
    private func checkAddress(_ source: String) throws {
        var spelled = source
        for _ in 0..<4 {
            let climbs = spelled.split { "/\\?".contains($0) }.contains("..")
            guard !climbs, !spelled.unicodeScalars.contains(where: { $0.value < 32 || $0.value == 127 }) else {
                throw SlipwayError.invalid(
                    "Invalid model version source: '\(source.prefix(200))'. If supplying a source as an http, https, ftp, object store or mlflow-artifacts address, "
                        + "it may not contain '..' or control characters.")
            }
            guard let decoded = spelled.removingPercentEncoding, decoded != spelled else { return }
            spelled = decoded
        }
    }

    /// `models:/m-…`, or `models:/name/version` and `models:/name@alias` (copies).
    private func model(_ source: String, _ new: NewModelVersion) throws -> ModelSource {
        let rest = String(source.dropFirst("models:/".count))
        if rest.hasPrefix("m-"), !rest.contains("/"), !rest.contains("@") {
            if let id = new.loggedModel, id != rest { throw invalid(source, "model_id is '\(id.prefix(80))'") }
            return .loggedModel(try readable(loggedModel: rest).id, run: new.run)
        }
        let store = RegistryStore(tx: tx)
        var found: ModelVersion?
        if let at = rest.lastIndex(of: "@") {
            let name = String(rest[..<at])
            if let number = try store.alias(String(rest[rest.index(after: at)...]), of: name) { found = try store.version(number, of: name) }
        } else if let slash = rest.lastIndex(of: "/"), let number = Int(rest[rest.index(after: slash)...]) {
            found = try store.version(number, of: String(rest[..<slash]))
        }
        guard let found else { throw SlipwayError.notFound("There is no model version '\(source.prefix(200))'.") }
        try caller.require(.readMetadata, project: found.project, environment: environment)
        if environment == .dev, found.manifestDigest == nil { return .outside(uri: source, run: new.run ?? found.run, model: found.loggedModel) }
        guard let digest = found.manifestDigest else { throw invalid(source, "its files lie outside Slipway") }
        return .manifest(digest, origin: source)
    }

    private func run(_ source: String, _ new: NewModelVersion) throws -> ModelSource {
        let rest = source.dropFirst("runs:/".count)
        guard let slash = rest.firstIndex(of: "/") else { throw invalid(source, "a path is missing") }
        let (id, path) = (String(rest[..<slash]), String(rest[rest.index(after: slash)...]))
        if environment == .dev, try RunStore(tx: tx).run(id) == nil { return .outside(uri: source, run: new.run) }
        if let run = new.run, run != id { throw invalid(source, "run_id is '\(run.prefix(80))'") }
        let found = try readable(run: id)
        try RelativePath.check(path)
        if try isEmpty(path, under: found.artifactRoot) {
            // Since MLflow 3 the run's models are logged models of that name.
            let links = try RunStore(tx: tx).details(of: [found])[found.number]?.outputs ?? []
            let models = try links.reversed().compactMap { try LoggedModelStore(tx: tx).model($0.model) }
            if let model = models.first(where: { $0.name == path && $0.lifecycle == .active }) { return .loggedModel(model.id, run: id) }
        }
        return .artifacts(root: found.artifactRoot, path: path, uri: source, run: id, model: new.loggedModel)
    }

    private func isEmpty(_ path: String, under root: String) throws -> Bool {
        if let plain = places.plain(at: root, path: path), try plain.folder.entry(plain.path) != nil { return false }
        return try ArtifactStore(tx: tx).list(path, under: root).isEmpty
    }

    /// A path on this machine must lie among the artifacts of the run or logged model that the caller names.
    private func local(_ source: String, at path: String, _ new: NewModelVersion) throws -> ModelSource {
        var roots: [String] = []
        if let id = new.loggedModel { roots.append(try readable(loggedModel: id).artifactRoot) }
        if let id = new.run { roots.append(try readable(run: id).artifactRoot) }
        for root in roots {
            guard let base = ArtifactPlaces.localPath(of: root)?.standardizedFileURL.path, path == base || path.hasPrefix(base + "/") else { continue }
            let below = path == base ? nil : String(path.dropFirst(base.count + 1))
            guard places.plain(at: root) != nil else { return .outside(uri: source, run: new.run, model: new.loggedModel) }
            return .artifacts(root: root, path: below, uri: source, run: new.run, model: new.loggedModel)
        }
        throw SlipwayError.invalid(
            "Invalid model version source: '\(source.prefix(200))'. To use a local path as a model version source, run_id or model_id has to be given too, and the "
                + "path has to lie among the artifacts of that run or logged model.")
    }

    private func proxied(_ source: String, _ new: NewModelVersion) throws -> ModelSource {
        let tidied = (ArtifactRoot.proxiedPath(of: source) ?? "").split(separator: "/").joined(separator: "/")
        guard let place = try tidied.isEmpty ? nil : ArtifactStore(tx: tx).place(of: tidied) else {
            // In dev a version may name a place that nobody fills through Slipway.
            guard environment == .dev else { throw invalid(source, "nothing is kept there") }
            return .outside(uri: source, run: new.run, model: new.loggedModel)
        }
        try caller.require(.readMetadata, project: place.project, environment: environment)
        switch place {
        case .frozen(let version, nil):
            guard let digest = version.manifestDigest else { throw invalid(source, "its files lie outside Slipway") }
            return .manifest(digest, origin: source)
        case .frozen: throw invalid(source, "it is a part of a registered version")
        case .stored(let stored):
            if let id = new.loggedModel {
                guard stored.loggedModel == id || (stored.run != nil && stored.run == new.run) else { throw invalid(source, "it lies outside logged model '\(id.prefix(80))'") }
            } else if let run = new.run, stored.loggedModel == nil {
                guard stored.run == run else { throw invalid(source, "it lies outside the artifacts of run '\(run.prefix(80))'") }
            }
            if let id = stored.loggedModel, stored.path == nil { return .loggedModel(try readable(loggedModel: id).id, run: new.run) }
            guard stored.run != nil || stored.loggedModel != nil else { throw invalid(source, "it belongs to no run and no logged model") }
            return .artifacts(root: stored.root, path: stored.path, uri: source, run: new.run ?? stored.run, model: new.loggedModel ?? stored.loggedModel)
        }
    }

    private func readable(loggedModel id: String) throws -> LoggedModel {
        guard let model = try LoggedModelStore(tx: tx).model(id), model.lifecycle == .active else {
            throw SlipwayError.notFound("Logged model with ID '\(id.prefix(80))' not found.")
        }
        try caller.require(.readMetadata, project: model.project, environment: environment)
        return model
    }

    private func readable(run id: String) throws -> Run {
        guard let run = try RunStore(tx: tx).run(id) else { throw SlipwayError.notFound("Run with id=\(id.prefix(80)) not found") }
        try caller.require(.readMetadata, project: run.project, environment: environment)
        return run
    }

    private func invalid(_ source: String, _ why: String) -> SlipwayError {
        .invalid(
            "Invalid model version source: '\(source.prefix(200))' (\(why)).",
            remedy: "Name a logged model (models:/m-…), a run's artifact (runs:/RUN/PATH) or an artifact address inside them.")
    }
}

extension RegistryStore {
    /// Where the files lie that `register` would freeze; nil when they lie outside or are frozen already.
    func place(of source: ModelSource) throws -> (root: String, path: String?)? {
        switch source {
        case .loggedModel(let id, _): try loggedModelRoot(id).map { ($0, nil) }
        case .artifacts(let root, let path, _, _, _): (root, path)
        case .manifest, .outside: nil
        }
    }

    /// The files that `register` would freeze; nil when they lie outside or their manifest is stored already.
    func files(of source: ModelSource) throws -> FileManifest? {
        switch source {
        case .loggedModel(let id, _): try loggedModelFiles(id)
        case .artifacts(let root, let path, _, _, _): try artifacts.manifest(under: root, path: path)
        case .manifest, .outside: nil
        }
    }
}
