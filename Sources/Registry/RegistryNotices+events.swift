import SlipwayCore
import SlipwayStore

/// What is told of each change, in MLflow's fields. Prompts are told as prompts, without the tags that only mark them as such; a model's own
/// tags are told of prompts only, as MLflow does.
extension RegistryNotices {
    func created(_ model: RegisteredModel) {
        let isPrompt = PromptTags.mark(model.tags)
        let tags = isPrompt ? model.tags.filter { !PromptTags.marks.contains($0.key) } : model.tags
        tell(isPrompt ? .prompt : .model, .created, model, ["tags": .texts(tags), "description": .string(model.description ?? "")])
    }

    /// - Parameter new: source and run are told as the client named them.
    func created(_ version: ModelVersion, of model: RegisteredModel, as new: NewModelVersion) {
        let description = new.description.map { JSONValue.string($0) } ?? .null
        if PromptTags.mark(model.tags) || PromptTags.mark(new.tags) {
            let template = new.tags[PromptTags.text].map { JSONValue.string($0) } ?? .null
            tell(
                .promptVersion, .created, model,
                [
                    "version": .string(String(version.version)), "template": template, "tags": .texts(new.tags.filter { !PromptTags.marks.contains($0.key) }),
                    "description": description,
                ])
        } else {
            tell(
                .version, .created, model,
                [
                    "version": .string(String(version.version)), "source": .string(new.source), "run_id": new.run.map { .string($0) } ?? .null, "tags": .texts(new.tags),
                    "description": description,
                ])
        }
    }

    func set(_ key: String, _ value: String, of model: RegisteredModel) {
        if PromptTags.mark(model.tags) { tell(.promptTag, .set, model, ["key": .string(key), "value": .string(value)]) }
    }

    func deleted(_ key: String, of model: RegisteredModel) {
        if PromptTags.mark(model.tags) { tell(.promptTag, .deleted, model, ["key": .string(key)]) }
    }

    func set(_ key: String, _ value: String, of model: RegisteredModel, version: Int) {
        tell(
            PromptTags.mark(model.tags) ? .promptVersionTag : .versionTag, .set, model,
            ["version": .string(String(version)), "key": .string(key), "value": .string(value)])
    }

    func deleted(_ key: String, of model: RegisteredModel, version: Int) {
        tell(PromptTags.mark(model.tags) ? .promptVersionTag : .versionTag, .deleted, model, ["version": .string(String(version)), "key": .string(key)])
    }

    func moved(alias: String, of model: RegisteredModel, to version: Int) {
        tell(PromptTags.mark(model.tags) ? .promptAlias : .versionAlias, .created, model, ["alias": .string(alias), "version": .string(String(version))])
    }

    func deleted(alias: String, of model: RegisteredModel) {
        tell(PromptTags.mark(model.tags) ? .promptAlias : .versionAlias, .deleted, model, ["alias": .string(alias)])
    }

    private func tell(_ entity: RegistryEvent.Entity, _ action: RegistryEvent.Action, _ model: RegisteredModel, _ fields: [String: JSONValue]) {
        happened(RegistryEvent(entity, action, project: model.project, data: .object(fields.merging(["name": .string(model.name)]) { $1 })))
    }
}

extension JSONValue {
    fileprivate static func texts(_ pairs: [String: String]) -> JSONValue { .object(pairs.mapValues { .string($0) }) }
}
