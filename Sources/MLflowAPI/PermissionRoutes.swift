import Access
import HTTPTypes
import Hummingbird
import SlipwayCore
import SlipwayHTTP

/// A person's levels, in the shape of MLflow up to 3.12 (`mlflow/experiments/permissions/…`) and since 3.17 (`mlflow/users/permissions/…`).
struct PermissionRoutes: Sendable {
    let access: AccessService

    func add(to router: MLflowRouter<some Any>) {
        add(.experiment, field: "experiment_id", reply: "experiment_permission", at: "mlflow/experiments/permissions", to: router)
        add(.registeredModel, field: "name", reply: "registered_model_permission", at: "mlflow/registered-models/permissions", to: router)
    }

    private func add(_ kind: LevelResource.Kind, field: String, reply: String, at path: String, to router: MLflowRouter<some Any>) {
        let access = access
        let resource: @Sendable (Fields) throws -> LevelResource = { LevelResource(kind, try $0.required(field)) }
        router.json(.post, "\(path)/create") { fields, caller in
            let (name, level, resource) = (try fields.required("username"), try fields.level(), try resource(fields))
            try await access.setLevel(level, of: name, on: resource, isNew: true, by: caller)
            return [reply: .permission(level, of: UserName(unchecked: name), on: resource)]
        }
        router.json(.get, "\(path)/get") { fields, caller in
            let (name, resource) = (try fields.required("username"), try resource(fields))
            return [reply: .permission(try await access.level(of: name, on: resource, by: caller), of: UserName(unchecked: name), on: resource)]
        }
        router.json(.patch, "\(path)/update") { fields, caller in
            let (name, level, resource) = (try fields.required("username"), try fields.level(), try resource(fields))
            // Throws when there is none to change.
            _ = try await access.level(of: name, on: resource, by: caller)
            try await access.setLevel(level, of: name, on: resource, by: caller)
            return [:]
        }
        router.json(.delete, "\(path)/delete") { fields, caller in
            try await access.removeLevel(of: fields.required("username"), on: resource(fields), by: caller)
            return [:]
        }
    }

    func addGrants(to router: MLflowRouter<some Any>) {
        router.json(.post, "mlflow/users/permissions/grant", grant)
        router.json(.post, "mlflow/users/permissions/revoke", revoke)
        router.json(.get, "mlflow/users/permissions/get", get)
        router.json(.get, "mlflow/users/permissions/list", list)
        router.json(.get, "mlflow/users/current/permissions", listOwn)
    }

    @Sendable private func grant(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        let resource = try fields.resource("resource_id")
        try await access.setLevel(fields.grantable(on: resource), of: fields.required("username"), on: resource, by: caller)
        return [:]
    }

    @Sendable private func revoke(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        try await access.removeLevel(of: fields.required("username"), on: fields.resource("resource_id"), by: caller)
        return [:]
    }

    @Sendable private func get(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        let level = try await access.effectiveLevel(of: fields.required("username"), on: fields.resource("resource_id"), by: caller)
        return ["allowed": .bool(level.covers(.use)), "permission": .string(level.rawValue)]
    }

    @Sendable private func list(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        try await permissions(of: fields.required("username"), by: caller)
    }

    @Sendable private func listOwn(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        guard let user = caller.principal.userName else { throw SlipwayError.invalid("\(caller.principal.raw) is no user.") }
        return try await permissions(of: user.rawValue, by: caller)
    }

    /// A person's own grants are told as those of a role of their own, as MLflow keeps them.
    private func permissions(of name: String, by caller: Caller) async throws -> JSONValue {
        let found = try await access.levels(of: name, by: caller)
        let row = { (grant: LevelGrant, role: JSONValue, roleName: String) -> JSONValue in
            [
                "role_id": role, "role_name": .string(roleName), "workspace": .string(Workspace.standard), "resource_type": .string(grant.resource.kind.rawValue),
                "resource_pattern": .string(grant.resource.id), "permission": .string(grant.level.rawValue),
            ]
        }
        let own: JSONValue = .userID(UserName(unchecked: name))
        let rows =
            found.grants.map { row($0, own, "__user_\(own.int ?? 0)__") } + found.bundles.flatMap { bundle in bundle.grants.map { row($0, .integer(bundle.id), bundle.name) } }
        return ["is_admin": .bool(found.isAdministrator), "permissions": .array(rows)]
    }
}

extension Fields {
    func level() throws -> AccessLevel {
        let text = try required("permission")
        guard let level = AccessLevel(rawValue: text) else {
            throw SlipwayError.invalid(
                "Invalid permission '\(text.prefix(80))'. Valid permissions are: (\(AccessLevel.allCases.map { "'\($0.rawValue)'" }.joined(separator: ", ")))")
        }
        return level
    }

    /// 3.17 grants no NO_PERMISSIONS, and of the workspace only USE and MANAGE.
    func grantable(on resource: LevelResource) throws -> AccessLevel {
        let level = try level()
        let allowed: [AccessLevel] = resource.kind == .workspace ? [.use, .manage] : [.read, .use, .edit, .manage, .deny]
        guard allowed.contains(level) else {
            throw SlipwayError.invalid(
                "Invalid permission '\(level.rawValue)' for resource_type='\(resource.kind.rawValue)'. It accepts only: "
                    + "(\(allowed.map { "'\($0.rawValue)'" }.sorted().joined(separator: ", "))).")
        }
        return level
    }

    /// - Throws: `invalidArgument` for types that Slipway keeps no levels of: a grant that nobody asks for would be worse than none.
    func resource(_ idField: String) throws -> LevelResource {
        let type = try required("resource_type")
        guard let kind = LevelResource.Kind(rawValue: type) else {
            throw SlipwayError.invalid(
                "Invalid resource type '\(type.prefix(80))'. Valid resource types are: (\(LevelResource.Kind.allCases.map { "'\($0.rawValue)'" }.sorted().joined(separator: ", ")))"
            )
        }
        let id = try required(idField)
        guard kind != .workspace || id == "*" else {
            throw SlipwayError.invalid("Invalid \(idField) '\(id.prefix(80))' for resource_type='workspace'. This resource type supports only wildcard ('*') grants.")
        }
        return LevelResource(kind, id)
    }
}
