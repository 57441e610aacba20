import Foundation
import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// The settings of MLflow's language-model gateway, for the clients that keep them on their tracking server. Slipway stores them and calls no
/// provider. In dev only, for whoever may work in the implicit project.
package struct GatewaySettings: Sendable {
    private let tracking: TrackingService
    private var realm: Realm { tracking.realm }

    package init(_ tracking: TrackingService) { self.tracking = tracking }

    package typealias Body = [String: JSONValue]

    private func change<T: Sendable>(by caller: Caller, _ body: @escaping @Sendable (GatewayStore, Timestamp) throws -> T) async throws -> T {
        try check(caller)
        let now = tracking.clock.now
        return try await realm.database.write { tx in try body(GatewayStore(tx: tx), now) }
    }

    private func read<T: Sendable>(by caller: Caller, _ body: @escaping @Sendable (GatewayStore) throws -> T) async throws -> T {
        try check(caller)
        return try await realm.database.read { tx in try body(GatewayStore(tx: tx)) }
    }

    private func check(_ caller: Caller) throws {
        try tracking.require(.runWork, caller, .implicit)
        guard tracking.environment == .dev else { throw SlipwayError.notFound("The gateway's settings are kept in dev only.") }
    }

    private static func sealingKey(_ folder: URL) throws -> SealingKey {
        if let passphrase = ProcessInfo.processInfo.environment["MLFLOW_CRYPTO_KEK_PASSPHRASE"], !passphrase.isEmpty { return SealingKey(passphrase: passphrase) }
        return try SealingKey(file: folder.appending(path: "gateway.key"))
    }

    // MARK: Secrets

    /// - Parameter value: what is secret, by name; only masked values are ever shown.
    package func createSecret(name: String, value: [String: String], body: Body, by caller: Caller) async throws -> Body {
        let id = "s-\(tracking.ids.hex32())"
        let sealed = try await seal(value)
        return try await change(by: caller) { store, now in
            guard try store.record(.secret, named: name) == nil else { throw Self.taken("Secret", name) }
            var body = body
            body["masked_values"] = Self.masked(value)
            try store.insert(.secret, id: id, name: name, body: body, sealed: sealed, at: now)
            return Self.secret(try store.existing(.secret, id))
        }
    }

    package func updateSecret(_ id: String, value: [String: String], changes: Body, by caller: Caller) async throws -> Body {
        let sealed = value.isEmpty ? nil : try await seal(value)
        return try await change(by: caller) { store, now in
            var record = try store.existing(.secret, id)
            record.body.merge(changes) { $1 }
            if !value.isEmpty { record.body["masked_values"] = Self.masked(value) }
            // A clock may stand still between two calls; clients compare the times.
            try store.update(record, sealed: sealed, at: max(now, record.updatedAt + .milliseconds(1)))
            return Self.secret(try store.existing(.secret, id))
        }
    }

    package func secret(id: String?, name: String?, by caller: Caller) async throws -> Body {
        try await read(by: caller) { store in Self.secret(try store.find(.secret, id: id, name: name)) }
    }

    package func secrets(provider: String?, by caller: Caller) async throws -> [Body] {
        try await read(by: caller) { store in
            try store.list(.secret).map(Self.secret).filter { provider == nil || $0["provider"]?.string == provider }
        }
    }

    package func deleteSecret(_ id: String, by caller: Caller) async throws {
        try await change(by: caller) { store, _ in try store.delete(store.existing(.secret, id).id) }
    }

    private func seal(_ value: [String: String]) async throws -> String {
        let folder = realm.directory
        let text = try CanonicalJSON.text(value)
        return try await offload { try Self.sealingKey(folder).seal(text) }
    }

    private static func secret(_ record: GatewayStore.Record) -> Body { record.shown(id: "secret_id", name: "secret_name") }

    /// The first three and the last four characters; of short values nothing.
    private static func masked(_ value: [String: String]) -> JSONValue {
        .object(value.mapValues { .string($0.count < 8 ? "***" : "\($0.prefix(3))...\($0.suffix(4))") })
    }

    // MARK: Model definitions

    package func createModel(name: String, secret: String?, body: Body, by caller: Caller) async throws -> Body {
        let id = "d-\(tracking.ids.hex32())"
        return try await change(by: caller) { store, now in
            guard try store.record(.model, named: name) == nil else { throw Self.taken("Model definition", name) }
            if let secret { _ = try store.existing(.secret, secret) }
            try store.insert(.model, id: id, name: name, body: body, at: now)
            return try store.model(id)
        }
    }

    package func updateModel(_ id: String, name: String?, changes: Body, by caller: Caller) async throws -> Body {
        try await change(by: caller) { store, now in
            var record = try store.existing(.model, id)
            if let name, name != record.name {
                guard try store.record(.model, named: name) == nil else { throw Self.taken("Model definition", name) }
                record.name = name
            }
            if let secret = changes["secret_id"]?.string { _ = try store.existing(.secret, secret) }
            record.body.merge(changes) { $1 }
            try store.update(record, at: now)
            return try store.model(id)
        }
    }

    package func model(_ id: String, by caller: Caller) async throws -> Body { try await read(by: caller) { store in try store.model(id) } }

    package func models(provider: String?, secret: String?, by caller: Caller) async throws -> [Body] {
        try await read(by: caller) { store in
            try store.list(.model).map { try store.model($0.id) }.filter {
                (provider == nil || $0["provider"]?.string == provider) && (secret == nil || $0["secret_id"]?.string == secret)
            }
        }
    }

    /// - Throws: `conflict` while an endpoint uses it.
    package func deleteModel(_ id: String, by caller: Caller) async throws {
        try await change(by: caller) { store, _ in
            let record = try store.existing(.model, id)
            let isUsed = try store.list(.endpoint).contains { $0.mappings.contains { $0["model_definition_id"]?.string == id } }
            guard !isUsed else { throw SlipwayError(.conflict, "Cannot delete model definition '\(record.name)': endpoints use it.", remedy: "Detach it first.") }
            try store.delete(id)
        }
    }

    // MARK: Endpoints

    package func createEndpoint(name: String, models: [Body], body: Body, by caller: Caller) async throws -> Body {
        guard !models.isEmpty else { throw SlipwayError.invalid("Endpoint must have at least one model configuration") }
        let id = "e-\(tracking.ids.hex32())"
        var body = body
        if body["usage_tracking"]?.bool == true, body["experiment_id"] == nil { body["experiment_id"] = .string(try await usageExperiment(of: name, by: caller)) }
        let mappings = models.map(mapping)
        let kept = body
        return try await change(by: caller) { store, now in
            guard try store.record(.endpoint, named: name) == nil else { throw Self.taken("Endpoint", name) }
            var body = kept
            body["model_mappings"] = .array(try mappings.map { .object(try store.checked($0, at: now)) })
            try store.insert(.endpoint, id: id, name: name, body: body, at: now)
            return try store.endpoint(id)
        }
    }

    private func usageExperiment(of name: String, by caller: Caller) async throws -> String {
        do {
            return try await tracking.createExperiment(
                name: "gateway/\(name)", artifactLocation: nil, tags: ["mlflow.experiment.isGateway": "true"], by: caller)
        } catch let error as SlipwayError where error.code == .alreadyExists {
            return try await tracking.experiment(named: "gateway/\(name)", by: caller).id
        }
    }

    /// - Parameter models: take the place of all; empty leaves them.
    package func updateEndpoint(_ id: String, name: String?, models: [Body], changes: Body, by caller: Caller) async throws -> Body {
        let mappings = models.map(mapping)
        return try await change(by: caller) { store, now in
            var record = try store.existing(.endpoint, id)
            if let name, name != record.name {
                guard try store.record(.endpoint, named: name) == nil else { throw Self.taken("Endpoint", name) }
                record.name = name
            }
            record.body.merge(changes) { $1 }
            if !mappings.isEmpty { record.body["model_mappings"] = .array(try mappings.map { .object(try store.checked($0, at: now)) }) }
            try store.update(record, at: now)
            return try store.endpoint(id)
        }
    }

    package func endpoint(id: String?, name: String?, by caller: Caller) async throws -> Body {
        try await read(by: caller) { store in try store.endpoint(store.find(.endpoint, id: id, name: name).id) }
    }

    package func endpoints(provider: String?, secret: String?, by caller: Caller) async throws -> [Body] {
        try await read(by: caller) { store in
            try store.list(.endpoint).map { try store.endpoint($0.id) }.filter { endpoint in
                guard provider != nil || secret != nil else { return true }
                return (endpoint["model_mappings"]?.array ?? []).contains { mapping in
                    let model = mapping["model_definition"]
                    return (provider == nil || model?["provider"]?.string == provider) && (secret == nil || model?["secret_id"]?.string == secret)
                }
            }
        }
    }

    package func deleteEndpoint(_ id: String, by caller: Caller) async throws {
        try await change(by: caller) { store, _ in
            _ = try store.existing(.endpoint, id)
            for binding in try store.list(.binding) where binding.body["endpoint_id"]?.string == id { try store.delete(binding.id) }
            try store.delete(id)
        }
    }

    package func attach(_ model: Body, to id: String, by caller: Caller) async throws -> Body {
        let mapping = mapping(model)
        return try await change(by: caller) { store, now in
            var record = try store.existing(.endpoint, id)
            let checked = try store.checked(mapping, at: now)
            guard !record.mappings.contains(where: { $0["model_definition_id"] == checked["model_definition_id"] }) else {
                throw SlipwayError(.alreadyExists, "Model definition '\(checked["model_definition_id"]?.string ?? "")' is already attached to endpoint '\(id.prefix(80))'")
            }
            record.body["model_mappings"] = .array(record.mappings.map { .object($0) } + [.object(checked)])
            try store.update(record, at: now)
            return try store.shown(checked, endpoint: id)
        }
    }

    package func detach(_ model: String, from id: String, by caller: Caller) async throws {
        try await change(by: caller) { store, now in
            var record = try store.existing(.endpoint, id)
            let rest = record.mappings.filter { $0["model_definition_id"]?.string != model }
            guard rest.count < record.mappings.count else {
                throw SlipwayError.notFound("Model definition '\(model.prefix(80))' is not attached to endpoint '\(id.prefix(80))'")
            }
            record.body["model_mappings"] = .array(rest.map { .object($0) })
            try store.update(record, at: now)
        }
    }

    /// - Parameter value: nil removes the tag; none there is fine.
    package func setTag(_ key: String, _ value: String?, of id: String, by caller: Caller) async throws {
        try await change(by: caller) { store, now in
            var record = try store.existing(.endpoint, id)
            var tags = (record.body["tags"]?.array ?? []).filter { $0["key"]?.string != key }
            if let value { tags.append(.object(["key": .string(key), "value": .string(value)])) }
            record.body["tags"] = tags.isEmpty ? nil : .array(tags)
            try store.update(record, at: now)
        }
    }

    private func mapping(_ model: Body) -> Body { model.merging(["mapping_id": .string("m-\(tracking.ids.hex32())")]) { $1 } }

    // MARK: Bindings

    package func bind(_ endpoint: String, type: String, resource: String, body: Body, by caller: Caller) async throws -> Body {
        let id = "b-\(tracking.ids.hex32())"
        return try await change(by: caller) { store, now in
            _ = try store.existing(.endpoint, endpoint)
            let name = Self.bindingName(endpoint, type, resource)
            guard try store.record(.binding, named: name) == nil else { throw Self.taken("Binding", name) }
            try store.insert(
                .binding, id: id, name: name, body: body.merging(["endpoint_id": .string(endpoint), "resource_type": .string(type), "resource_id": .string(resource)]) { $1 },
                at: now)
            return try store.existing(.binding, id).shown()
        }
    }

    package func unbind(_ endpoint: String, type: String, resource: String, by caller: Caller) async throws {
        try await change(by: caller) { store, _ in
            guard let record = try store.record(.binding, named: Self.bindingName(endpoint, type, resource)) else {
                throw SlipwayError.notFound("Endpoint binding not found (endpoint_id='\(endpoint.prefix(80))', resource_id='\(resource.prefix(80))')")
            }
            try store.delete(record.id)
        }
    }

    package func bindings(endpoint: String?, type: String?, resource: String?, by caller: Caller) async throws -> [Body] {
        try await read(by: caller) { store in
            try store.list(.binding).map { $0.shown() }.filter {
                (endpoint == nil || $0["endpoint_id"]?.string == endpoint) && (type == nil || $0["resource_type"]?.string == type)
                    && (resource == nil || $0["resource_id"]?.string == resource)
            }
        }
    }

    private static func bindingName(_ endpoint: String, _ type: String, _ resource: String) -> String { "\(endpoint) \(type) \(resource)" }

    fileprivate static func taken(_ what: String, _ name: String) -> SlipwayError {
        SlipwayError(.alreadyExists, "\(what) with name '\(name.prefix(200))' already exists")
    }
}

extension GatewayStore.Record {
    /// The body with times, and with id and name under the names that MLflow gives them for this kind.
    fileprivate func shown(id idName: String? = nil, name nameName: String? = nil) -> [String: JSONValue] {
        var shown = body
        if let idName { shown[idName] = .string(id) }
        if let nameName { shown[nameName] = .string(name) }
        shown["created_at"] = .integer(createdAt.milliseconds)
        shown["last_updated_at"] = .integer(updatedAt.milliseconds)
        return shown
    }

    fileprivate var mappings: [[String: JSONValue]] { (body["model_mappings"]?.array ?? []).compactMap(\.object) }
}

extension GatewayStore {
    fileprivate func existing(_ kind: Kind, _ id: String) throws -> Record {
        guard let record = try record(kind, id: id) else { throw Self.missing(kind, "id", id) }
        return record
    }

    fileprivate func find(_ kind: Kind, id: String?, name: String?) throws -> Record {
        switch (id, name) {
        case (let id?, nil): return try existing(kind, id)
        case (nil, let name?):
            guard let record = try record(kind, named: name) else { throw Self.missing(kind, "name", name) }
            return record
        default: throw SlipwayError.invalid("Exactly one of \(kind.rawValue)_id or \(kind == .secret ? "secret_name" : "name") must be provided")
        }
    }

    private static func missing(_ kind: Kind, _ by: String, _ value: String) -> SlipwayError {
        let noun =
            switch kind {
            case .secret: "GatewaySecret"
            case .model: "GatewayModelDefinition"
            case .endpoint: "GatewayEndpoint"
            case .binding: "GatewayEndpointBinding"
            }
        return .notFound("\(noun) not found (\(by)='\(value.prefix(200))')")
    }

    /// A definition whose secret was deleted has none.
    fileprivate func model(_ id: String) throws -> [String: JSONValue] {
        var shown = try existing(.model, id).shown(id: "model_definition_id", name: "name")
        let secret = try shown["secret_id"]?.string.flatMap { try record(.secret, id: $0) }
        shown["secret_id"] = secret.map { .string($0.id) }
        shown["secret_name"] = secret.map { .string($0.name) }
        return shown
    }

    fileprivate func endpoint(_ id: String) throws -> [String: JSONValue] {
        let record = try existing(.endpoint, id)
        var shown = record.shown(id: "endpoint_id", name: "name")
        shown["model_mappings"] = .array(try record.mappings.map { .object(try self.shown($0, endpoint: id)) })
        return shown
    }

    fileprivate func shown(_ mapping: [String: JSONValue], endpoint: String) throws -> [String: JSONValue] {
        var shown = mapping
        shown["endpoint_id"] = .string(endpoint)
        if let id = mapping["model_definition_id"]?.string { shown["model_definition"] = .object(try model(id)) }
        return shown
    }

    /// A mapping whose definition exists, with its time.
    fileprivate func checked(_ mapping: [String: JSONValue], at: Timestamp) throws -> [String: JSONValue] {
        guard let id = mapping["model_definition_id"]?.string, try record(.model, id: id) != nil else {
            throw SlipwayError.notFound("Model definitions not found: \(mapping["model_definition_id"]?.string?.prefix(80) ?? "")")
        }
        return mapping.merging(["created_at": .integer(at.milliseconds)]) { $1 }
    }
}
