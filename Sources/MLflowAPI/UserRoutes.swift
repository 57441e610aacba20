import Access
import HTTPTypes
import Hummingbird
import SlipwayCore
import SlipwayHTTP
import Tracking

/// `mlflow/users/…`: MLflow's accounts, which are Slipway's own people. Only with `--auth basic`.
struct UserRoutes: Sendable {
    let access: AccessService

    func add(to router: MLflowRouter<some Any>) {
        router.json(.post, "mlflow/users/create", create)
        router.json(.get, "mlflow/users/get", get)
        router.json(.get, "mlflow/users/current", current)
        router.json(.get, "mlflow/users/list", list)
        router.json(.patch, "mlflow/users/update-password", updatePassword)
        router.json(.patch, "mlflow/users/update-admin", updateAdministrator)
        router.json(.delete, "mlflow/users/delete", delete)
    }

    @Sendable private func create(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        let person = try await access.createAccount(fields.required("username"), password: fields.required("password"), by: caller)
        return ["user": .user(person, grants: [])]
    }

    @Sendable private func get(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        let name = try fields.required("username")
        let person = try await access.account(name, by: caller)
        return ["user": .user(person, grants: try await access.levels(of: name, by: caller).grants)]
    }

    @Sendable private func current(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        guard let user = caller.principal.userName else { throw SlipwayError.invalid("\(caller.principal.raw) is no user.") }
        return ["user": ["id": .userID(user), "username": .string(user.rawValue), "is_admin": .bool(caller.isPlatformAdministrator)]]
    }

    @Sendable private func list(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        let people = try await access.accounts(by: caller)
        return [
            "users": .array(people.map { ["id": .userID($0.name), "username": .string($0.name.rawValue), "is_admin": .bool($0.isPlatformAdministrator)] })
        ]
    }

    @Sendable private func updatePassword(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        try await access.changePassword(
            of: fields.required("username"), to: fields.required("password"), current: fields.string("current_password"), by: caller)
        return [:]
    }

    @Sendable private func updateAdministrator(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        guard let isAdministrator = try fields.bool("is_admin") else {
            throw TrackingRules.missing("is_admin")
        }
        try await access.setAdministrator(isAdministrator, of: fields.required("username"), by: caller)
        return [:]
    }

    @Sendable private func delete(_ fields: Fields, caller: Caller) async throws -> JSONValue {
        try await access.deleteAccount(fields.required("username"), by: caller)
        return [:]
    }
}

extension MLflowRouter {
    /// These families are not protobuf: empty lists and nulls are printed.
    func json(_ method: HTTPRequest.Method, _ path: String, _ handler: @escaping @Sendable (Fields, Caller) async throws -> JSONValue) {
        raw(method, path) { request, context in
            try .json(await handler(Fields(request, context: context), context.caller))
        }
    }
}

extension JSONValue {
    /// MLflow's users have numbers. Slipway's people have names: 48 bits of the name's digest stand for it.
    static func userID(_ name: UserName) -> JSONValue {
        .integer(Int64(ContentDigest(of: name.rawValue).rawValue.suffix(64).prefix(12), radix: 16) ?? 0)
    }

    /// As 3.12 reads it; 3.17 reads the first three.
    static func user(_ person: Person, grants: [LevelGrant]) -> JSONValue {
        [
            "id": .userID(person.name), "username": .string(person.name.rawValue), "is_admin": .bool(person.isPlatformAdministrator),
            "experiment_permissions": .array(grants.filter { $0.resource.kind == .experiment }.map { .permission($0.level, of: person.name, on: $0.resource) }),
            "registered_model_permissions": .array(grants.filter { $0.resource.kind == .registeredModel }.map { .permission($0.level, of: person.name, on: $0.resource) }),
            "scorer_permissions": [],
        ]
    }

    static func permission(_ level: AccessLevel, of user: UserName, on resource: LevelResource) -> JSONValue {
        var fields: [String: JSONValue] = ["user_id": .userID(user), "permission": .string(level.rawValue)]
        if resource.kind == .experiment {
            fields["experiment_id"] = .string(resource.id)
        } else {
            fields["name"] = .string(resource.id)
            fields["workspace"] = .string(Workspace.standard)
        }
        return .object(fields)
    }
}
