/// Questions with what is expected of their answers, for evaluations. Known in several experiments, belongs to one project.
package struct EvaluationDataset: Sendable, Hashable {
    /// `d-` and 32 hexadecimal digits.
    package var id: String
    package var project: ProjectName
    package var name: String
    package var tags: [String: String]
    /// JSON: field → type, learned from the records.
    package var schema: String?
    /// JSON, `{num_records}`.
    package var profile: String?
    /// Changes with every change.
    package var digest: String
    package var createdBy: String?
    package var updatedBy: String?
    package var createdAt: Timestamp
    package var updatedAt: Timestamp

    package init(
        id: String, project: ProjectName, name: String, tags: [String: String], schema: String? = nil, profile: String? = nil, digest: String, createdBy: String? = nil,
        updatedBy: String? = nil, createdAt: Timestamp, updatedAt: Timestamp
    ) {
        self.id = id
        self.project = project
        self.name = name
        self.tags = tags
        self.schema = schema
        self.profile = profile
        self.digest = digest
        self.createdBy = createdBy
        self.updatedBy = updatedBy
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    /// The schema with what new records add to it.
    package func schema(adding records: [EvaluationRecord]) -> JSONValue {
        let known = schema.flatMap { try? CanonicalJSON.decode(JSONValue.self, from: $0) }  // we wrote it ourselves
        var parts = known?.object ?? ["inputs": [:], "outputs": [:], "expectations": [:], "version": "1.0"]
        func add(_ value: JSONValue?, to part: String) {
            guard let members = value?.object else { return }
            var types = parts[part]?.object ?? [:]
            for (name, value) in members where types[name] == nil { types[name] = .string(Self.type(of: value)) }
            parts[part] = .object(types)
        }
        for record in records {
            add(record.inputs, to: "inputs")
            add(record.expectations, to: "expectations")
            if let outputs = record.outputs, outputs.object == nil, parts["outputs"] == [:] { parts["outputs"] = .string(Self.type(of: outputs)) }
            if parts["outputs"]?.object != nil { add(record.outputs, to: "outputs") }
        }
        return .object(parts)
    }

    private static func type(of value: JSONValue) -> String {
        switch value {
        case .null: "null"
        case .bool: "boolean"
        case .integer: "integer"
        case .number: "float"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }
}

package struct EvaluationRecord: Sendable, Hashable {
    /// `dr-` and 32 hexadecimal digits.
    package var id: String
    package var inputs: JSONValue
    package var outputs: JSONValue?
    package var expectations: JSONValue?
    package var tags: JSONValue?
    /// `{source_type, source_data}`
    package var source: JSONValue?
    package var createdBy: String?
    package var updatedBy: String?
    package var createdAt: Timestamp
    package var updatedAt: Timestamp

    package init(
        id: String, inputs: JSONValue, outputs: JSONValue?, expectations: JSONValue?, tags: JSONValue?, source: JSONValue?, createdBy: String?, updatedBy: String?,
        createdAt: Timestamp, updatedAt: Timestamp
    ) {
        self.id = id
        self.inputs = inputs
        self.outputs = outputs
        self.expectations = expectations
        self.tags = tags
        self.source = source
        self.createdBy = createdBy
        self.updatedBy = updatedBy
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    /// Equal inputs are one record.
    package var inputDigest: String { ContentDigest(of: inputs.text()).rawValue }
    package var sourceType: String? { source?["source_type"]?.string }
    package var sourceID: String? {
        let data = source?["source_data"]
        return (sourceType == "TRACE" ? data?["trace_id"] : data?["source_id"])?.string
    }

    /// What a newer record of the same inputs says.
    package mutating func merge(_ newer: EvaluationRecord, hasOutputs: Bool) {
        if hasOutputs { outputs = newer.outputs }
        expectations = Self.merged(expectations, newer.expectations)
        tags = Self.merged(tags, newer.tags)
        updatedBy = newer.updatedBy ?? updatedBy
        updatedAt = newer.updatedAt
    }

    private static func merged(_ old: JSONValue?, _ new: JSONValue?) -> JSONValue? {
        guard let new = new?.object, !new.isEmpty else { return old }
        return .object((old?.object ?? [:]).merging(new) { $1 })
    }
}

/// One registered version of a judge.
package struct ScorerVersion: Sendable, Hashable {
    package var id: String
    package var experiment: String
    package var name: String
    package var version: Int
    /// The client's own JSON.
    package var serialized: String
    package var createdAt: Timestamp

    package init(id: String, experiment: String, name: String, version: Int, serialized: String, createdAt: Timestamp) {
        self.id = id
        self.experiment = experiment
        self.name = name
        self.version = version
        self.serialized = serialized
        self.createdAt = createdAt
    }
}
