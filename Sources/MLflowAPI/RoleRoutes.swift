import Access
import HTTPTypes
import Hummingbird
import SlipwayCore
import SlipwayHTTP
import Tracking

/// `mlflow/roles/…` of MLflow 3.17. What MLflow calls a role is a bundle of levels here; Slipway's own roles are something else.
struct RoleRoutes: Sendable {
    let access: AccessService

    func add(to router: MLflowRouter<some Any>) {
        router.json(.post, "mlflow/roles/create", create)
        router.json(.get, "mlflow/roles/get", get)
        router.json(.get, "mlflow/roles/list", list)
        router.json(.patch, "mlflow/roles/update", update)
        router.json(.delete, "mlflow/roles/delete", delete)
        router.json(.post, "mlflow/roles/assign", assign)
        router.json(.delete, "mlflow/roles/unassign", unassign)
        router.json(.post, "mlflow/roles/permissions/add", addPermission)
        router.json(.delete, "mlflow/roles/permissions/remove", removePermission)
        router.json(.get, "mlflow/roles/permissions/list", listPermissions)
        router.json(.patch, "mlflow/roles/permissions/update", updatePermission)
        router.json(.get, "mlflow/roles/users/list", listUsers)
        router.json(.get, "mlflow/users/roles/list", listOfUser)
    }

    @Sendable private func create(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        try Self.checkWorkspace(fields.required("workspace"))
        return ["role": .role(try await access.createBundle(Self.name(fields.required("name")), description: fields.string("description"), by: caller))]
    }

    @Sendable private func get(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        ["role": .role(try await access.bundle(fields.number("role_id"), by: caller))]
    }

    @Sendable private func list(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        let workspaces = try fields.strings("workspace")
        let roles = try await access.bundles(by: caller)
        let isAsked = workspaces.isEmpty || workspaces.contains { [Workspace.standard, EnvironmentID.dev.rawValue].contains($0) }
        return ["roles": .array(isAsked ? roles.map { .role($0) } : [])]
    }

    @Sendable private func update(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        let (name, description) = (try fields.string("name").map(Self.name), try fields.string("description"))
        guard name != nil || description != nil else {
            throw SlipwayError.invalid("At least one of 'name' or 'description' must be provided to update a role.")
        }
        return ["role": .role(try await access.updateBundle(fields.number("role_id"), name: name, description: description, by: caller))]
    }

    @Sendable private func delete(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        try await access.deleteBundle(fields.number("role_id"), by: caller)
        return [:]
    }

    @Sendable private func assign(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        ["assignment": .assignment(try await access.assign(fields.number("role_id"), to: fields.required("username"), by: caller))]
    }

    @Sendable private func unassign(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        try await access.unassign(fields.number("role_id"), from: fields.required("username"), by: caller)
        return [:]
    }

    @Sendable private func addPermission(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        let resource = try fields.resource("resource_pattern")
        return [
            "role_permission": .rolePermission(try await access.addLevel(fields.grantable(on: resource), on: resource, to: fields.number("role_id"), by: caller))
        ]
    }

    @Sendable private func removePermission(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        try await access.removeLevel(fields.number("role_permission_id"), by: caller)
        return [:]
    }

    @Sendable private func listPermissions(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        ["role_permissions": .array(try await access.bundle(fields.number("role_id"), by: caller).grants.map { .rolePermission($0) })]
    }

    @Sendable private func updatePermission(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        let level = try fields.level()
        guard level != .none else { throw SlipwayError.invalid("Invalid permission 'NO_PERMISSIONS': take the permission away instead.") }
        return ["role_permission": .rolePermission(try await access.updateLevel(fields.number("role_permission_id"), to: level, by: caller))]
    }

    @Sendable private func listUsers(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        ["assignments": .array(try await access.members(of: fields.number("role_id"), by: caller).map { .assignment($0) })]
    }

    @Sendable private func listOfUser(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        ["roles": .array(try await access.levels(of: fields.required("username"), by: caller).bundles.map { .role($0) })]
    }

    /// Levels are dev's; stage and prod have Slipway's roles.
    private static func checkWorkspace(_ name: String) throws {
        guard [Workspace.standard, EnvironmentID.dev.rawValue].contains(name) else {
            throw SlipwayError.invalid(
                "MLflow's roles belong to the workspace 'default' (dev), not to '\(name.prefix(80))'.", remedy: "In stage and prod grant Slipway's roles: slipway role grant --help"
            )
        }
    }

    private static func name(_ text: String) throws -> String {
        guard !text.allSatisfy(\.isWhitespace), text.utf8.count <= 255 else { throw SlipwayError.invalid("Role name cannot be empty.") }
        return text
    }
}

extension Fields {
    fileprivate func number(_ name: String) throws -> Int64 {
        guard let number = try int(name) else { throw TrackingRules.missing(name) }
        return number
    }
}

extension JSONValue {
    fileprivate static func role(_ bundle: LevelBundle) -> JSONValue {
        [
            "id": .integer(bundle.id), "name": .string(bundle.name), "workspace": .string(Workspace.standard),
            "description": bundle.description.map { .string($0) } ?? .null, "permissions": .array(bundle.grants.map { .rolePermission($0) }),
        ]
    }

    fileprivate static func rolePermission(_ grant: LevelGrant) -> JSONValue {
        [
            "id": .integer(grant.id), "role_id": grant.bundle.map { .integer($0) } ?? .null, "resource_type": .string(grant.resource.kind.rawValue),
            "resource_pattern": .string(grant.resource.id), "permission": .string(grant.level.rawValue),
        ]
    }

    fileprivate static func assignment(_ member: LevelMember) -> JSONValue {
        ["id": .integer(member.id), "user_id": .userID(member.user), "role_id": .integer(member.bundle)]
    }
}
