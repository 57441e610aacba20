/// An address that is told what happens in a realm's registry. The secret is sealed and never leaves the server.
package struct Webhook: Sendable, Hashable {
    package enum Status: String, Sendable, Hashable, CaseIterable { case active = "ACTIVE", disabled = "DISABLED" }

    /// A UUID.
    package var id: String
    /// Whose models it is told about.
    package var project: ProjectName
    package var name: String
    package var description: String?
    package var url: String
    package var events: [RegistryEvent.Kind]
    /// Encrypted, nil for deliveries without a signature.
    package var sealedSecret: String?
    package var status: Status
    package var createdAt: Timestamp
    package var updatedAt: Timestamp
    package var createdBy: String

    package init(
        id: String, project: ProjectName, name: String, description: String?, url: String, events: [RegistryEvent.Kind], sealedSecret: String?, status: Status,
        createdAt: Timestamp, updatedAt: Timestamp, createdBy: String
    ) {
        self.id = id
        self.project = project
        self.name = name
        self.description = description
        self.url = url
        self.events = events
        self.sealedSecret = sealedSecret
        self.status = status
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.createdBy = createdBy
    }
}

/// Something that happened in a realm's registry, as webhooks tell it.
package struct RegistryEvent: Sendable, Hashable {
    /// What happened to what. Only the pairs of `all` exist.
    package struct Kind: Sendable, Hashable {
        package var entity: Entity
        package var action: Action

        package init(_ entity: Entity, _ action: Action) {
            self.entity = entity
            self.action = action
        }

        /// In the order of MLflow's list.
        package static let all: [Kind] = [
            Kind(.model, .created), Kind(.version, .created), Kind(.versionTag, .set), Kind(.versionTag, .deleted), Kind(.versionAlias, .created),
            Kind(.versionAlias, .deleted), Kind(.prompt, .created), Kind(.promptVersion, .created), Kind(.promptTag, .set), Kind(.promptTag, .deleted),
            Kind(.promptVersionTag, .set), Kind(.promptVersionTag, .deleted), Kind(.promptAlias, .created), Kind(.promptAlias, .deleted), Kind(.budget, .exceeded),
        ]
    }

    package enum Entity: String, Sendable, Hashable, CaseIterable {
        case model = "registered_model"
        case version = "model_version"
        case versionTag = "model_version_tag"
        case versionAlias = "model_version_alias"
        case prompt
        case promptVersion = "prompt_version"
        case promptTag = "prompt_tag"
        case promptVersionTag = "prompt_version_tag"
        case promptAlias = "prompt_alias"
        /// Slipway has no budgets: it can be subscribed to, and never happens.
        case budget = "budget_policy"
    }

    package enum Action: String, Sendable, Hashable, CaseIterable { case created, updated, deleted, set, exceeded }

    package var kind: Kind
    package var project: ProjectName
    /// MLflow's fields of this kind.
    package var data: JSONValue

    package init(_ entity: Entity, _ action: Action, project: ProjectName, data: JSONValue) {
        kind = Kind(entity, action)
        self.project = project
        self.data = data
    }
}

/// Prompts are registered models with this tag; they are told apart by it, and what only marks them is not told.
package enum PromptTags {
    package static let isPrompt = "mlflow.prompt.is_prompt"
    package static let text = "mlflow.prompt.text"
    package static let type = "_mlflow_prompt_type"
    package static let marks: Set<String> = [isPrompt, text, type]

    package static func mark(_ tags: [String: String]) -> Bool { tags[isPrompt]?.lowercased() == "true" }
}
