/// Which project new work belongs to when the client names none, as no MLflow client does.
package enum HomeProject {
    package static let tag = "slipway.project"

    /// The tag `slipway.project`; else the token's project; else the project that has the same name as the experiment or model, when the caller
    /// may work in it; else, in stage and prod, the one project in which the caller may; else the implicit one.
    package static func choose(
        for caller: Caller, in environment: EnvironmentID, named name: String, tags: [String: String], permission: Permission
    ) throws -> ProjectName {
        if let named = tags[tag] { return try ProjectName(parsing: named) }
        if caller.homeProject != .implicit { return caller.homeProject }
        if let same = ProjectName(rawValue: name), same != .implicit, !caller.isSystem, caller.may(permission, project: same, environment: environment) { return same }
        guard environment != .dev else { return .implicit }
        let candidates = caller.readableProjects(in: environment).filter { caller.may(permission, project: $0, environment: environment) }
        if candidates.count == 1, let only = candidates.first { return only }
        throw SlipwayError(
            .notAllowed, "It is not clear which project '\(name.prefix(80))' belongs to; the implicit project exists in dev only.",
            remedy: "Use a token of a project ('slipway token create LABEL --project NAME') or set the tag '\(tag)'.")
    }
}
