import SlipwayCore

/// What a test delivery says: MLflow's own sample values, which receivers are written against.
enum WebhookSamples {
    static func data(of kind: RegistryEvent.Kind) -> JSONValue {
        let noun = kind.entity.rawValue.hasPrefix("prompt") ? "prompt" : "model"
        let name: JSONValue = .string("example_\(noun)")
        let tags: JSONValue = ["example_key": "example_value"]
        let key: JSONValue = "example_key"
        switch (kind.entity, kind.action) {
        case (.model, _): return ["name": name, "tags": tags, "description": "An example registered model"]
        case (.version, _):
            return [
                "name": name, "version": "1", "source": "models:/123", "run_id": "abcd1234abcd5678", "tags": tags, "description": "An example model version",
            ]
        case (.prompt, _): return ["name": name, "tags": tags, "description": "An example prompt"]
        case (.promptVersion, _):
            return ["name": name, "version": "1", "template": "Hello {{name}}!", "tags": tags, "description": "An example prompt version"]
        case (.promptTag, .set): return ["name": name, "key": key, "value": "example_value"]
        case (.promptTag, _): return ["name": name, "key": key]
        case (.versionTag, .set), (.promptVersionTag, .set): return ["name": name, "version": "1", "key": key, "value": "example_value"]
        case (.versionTag, _), (.promptVersionTag, _): return ["name": name, "version": "1", "key": key]
        case (.versionAlias, .created), (.promptAlias, .created): return ["name": name, "alias": "example_alias", "version": "1"]
        case (.versionAlias, _), (.promptAlias, _): return ["name": name, "alias": "example_alias"]
        case (.budget, _):
            return [
                "budget_policy_id": "bp-abc123", "budget_unit": "USD", "budget_amount": 100, "current_spend": 105.5, "duration_unit": "MONTHS", "duration_value": 1,
                "target_scope": "WORKSPACE", "workspace": "default", "window_start": 1_704_067_200_000,
            ]
        }
    }
}
