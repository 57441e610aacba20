import SlipwayCore
import SlipwaySQL
import SlipwayStore

extension PromotionService {
    func policyInForce(for project: ProjectName) async throws -> InstalledPolicy {
        let shipped = shipped
        return try await realm.database.read { tx in try PolicyStore(tx: tx).newest(of: project) ?? shipped }
    }

    package func policy(of project: ProjectName, by caller: Caller) async throws -> InstalledPolicy {
        try caller.require(.readMetadata, project: project, environment: environment)
        return try await policyInForce(for: project)
    }

    package func policyVersions(of project: ProjectName, by caller: Caller) async throws -> [InstalledPolicy] {
        try caller.require(.readMetadata, project: project, environment: environment)
        return try await realm.database.read { tx in try PolicyStore(tx: tx).versions(of: project) } + [shipped]
    }

    /// Puts a policy in force from now on; promotions planned under another version are checked anew.
    /// - Throws: `invalidArgument` that names the line and the key.
    package func installPolicy(_ text: String, of project: ProjectName, by caller: Caller) async throws -> InstalledPolicy {
        try caller.require(.editPolicy, project: project, environment: environment)
        let policy = try PolicyFile.parse(text)
        guard policy.environment == environment else {
            throw SlipwayError.invalid(
                "The policy is written for \(policy.environment.rawValue), not for \(environment.rawValue).", remedy: "Change its 'environment', or install it there.")
        }
        let now = clock.now
        let installed = try await realm.database.write { tx -> InstalledPolicy in
            let newest = try PolicyStore(tx: tx).newest(of: project)
            if let newest, newest.text == text { return newest }
            let installed = InstalledPolicy(
                project: project, version: (newest?.version ?? 0) + 1, policy: policy, text: text, installedAt: now, installedBy: caller.principal.raw)
            try PolicyStore(tx: tx).insert(installed)
            try AuditStore(tx: tx).append(
                "policy.install", subject: "policy:\(project)", project: project, by: caller.principal, at: now,
                details: [
                    "version": .integer(Int64(installed.version)), "name": .string(policy.name), "digest": .string(ContentDigest(of: text).rawValue),
                ])
            return installed
        }
        bell.ring()
        return installed
    }
}
