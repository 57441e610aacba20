/// MLflow's permissions, which `--auth basic` keeps for single experiments and registered models of dev's implicit project.
package enum AccessLevel: String, Sendable, Hashable, CaseIterable {
    case read = "READ"
    case use = "USE"
    case edit = "EDIT"
    case manage = "MANAGE"
    case none = "NO_PERMISSIONS"
    /// Wins over whatever else is granted.
    case deny = "DENY"

    private var rank: Int {
        switch self {
        case .deny: -1
        case .none: 0
        case .read: 1
        case .use: 2
        case .edit: 3
        case .manage: 4
        }
    }

    /// Whether it lets do what `needed` asks for.
    package func covers(_ needed: AccessLevel) -> Bool { rank >= needed.rank && rank > 0 }

    /// What several grants come to; nil for none.
    package static func combined(_ levels: [AccessLevel]) -> AccessLevel? {
        levels.contains(.deny) ? .deny : levels.max { $0.rank < $1.rank }
    }
}

/// What a level is granted on. `id` is `*` for everything of the type.
package struct LevelResource: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        case experiment, prompt, workspace
        case registeredModel = "registered_model"
    }

    package var kind: Kind
    package var id: String

    package init(_ kind: Kind, _ id: String) {
        self.kind = kind
        self.id = id
    }
}

/// A person's levels, as they come with the caller.
package struct AccessLevels: Sendable, Hashable {
    /// Where nothing is granted.
    package var standard: AccessLevel
    private var granted: [LevelResource: [AccessLevel]] = [:]

    package init(standard: AccessLevel, granted: [(LevelResource, AccessLevel)] = []) {
        self.standard = standard
        for (resource, level) in granted { self.granted[resource, default: []].append(level) }
    }

    /// Grants on the thing itself, on all of its kind and on the whole workspace count together.
    package func level(_ kind: LevelResource.Kind, _ id: String) -> AccessLevel {
        // A prompt is a registered model; whoever was given either was given this one.
        let kinds: [LevelResource.Kind] = kind == .experiment ? [.experiment] : [.registeredModel, .prompt]
        var found = kinds.flatMap { (granted[LevelResource($0, id)] ?? []) + (granted[LevelResource($0, "*")] ?? []) }
        if managesWorkspace { found.append(.manage) }
        return AccessLevel.combined(found) ?? standard
    }

    package var managesWorkspace: Bool { granted[LevelResource(.workspace, "*")]?.contains(.manage) ?? false }

    /// Whether everything in the implicit project may be seen, so that pages which know no levels may show it.
    package var seesEverything: Bool {
        standard.covers(.read) && !granted.values.contains { levels in !(AccessLevel.combined(levels)?.covers(.read) ?? true) }
    }

    /// What holds for things whose experiment or model is not known.
    package func coversEverything(_ needed: AccessLevel) -> Bool {
        managesWorkspace || (standard.covers(needed) && !granted.values.contains { levels in !(AccessLevel.combined(levels)?.covers(needed) ?? true) })
    }
}

/// A level granted to a person, or to the members of a bundle (MLflow's role).
package struct LevelGrant: Sendable, Hashable {
    package var id: Int64
    package var resource: LevelResource
    package var level: AccessLevel
    package var bundle: Int64?

    package init(id: Int64, resource: LevelResource, level: AccessLevel, bundle: Int64?) {
        self.id = id
        self.resource = resource
        self.level = level
        self.bundle = bundle
    }
}

/// Levels granted together.
package struct LevelBundle: Sendable, Hashable {
    package var id: Int64
    package var name: String
    package var description: String?
    package var grants: [LevelGrant]

    package init(id: Int64, name: String, description: String?, grants: [LevelGrant]) {
        self.id = id
        self.name = name
        self.description = description
        self.grants = grants
    }
}

package struct LevelMember: Sendable, Hashable {
    package var id: Int64
    package var bundle: Int64
    package var user: UserName

    package init(id: Int64, bundle: Int64, user: UserName) {
        self.id = id
        self.bundle = bundle
        self.user = user
    }
}
