import SlipwayCore
import SlipwaySQL
import SlipwayStore

/// The data's checks hold here, and who calls the endpoint today can call it tomorrow.
package struct ContractGate: Gate {
    package let name = GateName.contract
    package init() {}

    package func run(_ input: GateInput) async throws -> GateResult {
        var faults = try await dataFaults(input)
        let (candidate, current) = try await signatures(input)
        if let candidate {
            if let current { faults += Signature.breaks(from: current, to: candidate) }
        } else {
            faults.append("The model has no signature.")
        }
        guard faults.isEmpty else {
            return .fail(
                faults.joined(separator: " "), remedy: "Mend the data or log the model with a compatible signature, then check again.",
                ["faults": .array(faults.map { .string($0) })])
        }
        return .pass(
            current == nil
                ? "The data's checks hold and the model has a signature; nothing is live to be compatible with."
                : "The data's checks hold and the signature fits what callers send today.")
    }

    private func dataFaults(_ input: GateInput) async throws -> [String] {
        let project = input.release.content.project
        let declared = input.projectFile?.data ?? [:]
        let environment = input.environment.rawValue
        return try await input.realm.database.read { tx in
            try declared.sorted { $0.key < $1.key }.compactMap { dataset, rules -> String? in
                guard let snapshot = try SnapshotStore(tx: tx).newest(of: dataset, project: project, at: input.now) else {
                    return "Dataset '\(dataset)' has no usable snapshot in \(environment)."
                }
                switch snapshot.checks.verdict {
                case .passed, .warned: return nil
                case .none: return rules.checks == nil ? nil : "The checks of '\(dataset)' were not run on snapshot \(snapshot.id)."
                case .failed: return "Checks of '\(dataset)' do not hold on snapshot \(snapshot.id)."
                case .errored: return "The checks of '\(dataset)' could not run on snapshot \(snapshot.id): \(snapshot.checks.message ?? "")"
                }
            }
        }
    }

    private func signatures(_ input: GateInput) async throws -> (candidate: Signature?, current: Signature?) {
        let releases = [input.release, input.champion].map { $0.map { ($0.content.modelName, $0.modelVersion) } }
        let found = try await input.realm.database.read { tx in
            try releases.map { release in try release.flatMap { try RegistryStore(tx: tx).version($1, of: $0)?.signature } }
        }
        return (found[0].flatMap(Signature.init), found[1].flatMap(Signature.init))
    }
}

/// An MLflow model signature, as far as compatibility asks: columns (or tensors) in and out.
struct Signature: Sendable, Hashable {
    struct Column: Sendable, Hashable {
        var name: String
        var type: String
        var isRequired: Bool
    }

    var inputs: [Column]
    var outputs: [Column]

    init?(_ json: JSONValue) {
        guard let inputs = Self.columns(json["inputs"]) else { return nil }
        self.inputs = inputs
        outputs = Self.columns(json["outputs"]) ?? []
    }

    private static func columns(_ json: JSONValue?) -> [Column]? {
        json?.array?.enumerated().map { index, column in
            let tensor = column["tensor-spec"]
            let type = tensor.map { "tensor(\($0["dtype"]?.string ?? "?"))" } ?? column["type"]?.string ?? "?"
            return Column(name: column["name"]?.string ?? "#\(index)", type: type, isRequired: column["required"]?.bool ?? true)
        }
    }

    /// What callers of `current` would notice; each a sentence.
    ///
    /// Inputs may be dropped or widened as MLflow itself converts them (`mlflow/models/utils.py`, `_enforce_mlflow_datatype`); outputs stay.
    static func breaks(from current: Signature, to candidate: Signature) -> [String] {
        var faults: [String] = []
        let sent = Dictionary(current.inputs.map { ($0.name, $0) }) { $1 }
        for column in candidate.inputs {
            guard let known = sent[column.name] else {
                if column.isRequired { faults.append("The candidate needs the input '\(column.name)', which callers do not send.") }
                continue
            }
            if column.isRequired, !known.isRequired { faults.append("The input '\(column.name)' was optional and is required now.") }
            if !widens(known.type, to: column.type) { faults.append("The input '\(column.name)' was \(known.type) and is \(column.type) now.") }
        }
        if current.outputs.map(\.type) != candidate.outputs.map(\.type) || current.outputs.map(\.name) != candidate.outputs.map(\.name) {
            faults.append("The outputs were \(spell(current.outputs)) and are \(spell(candidate.outputs)) now.")
        }
        return faults
    }

    private static func widens(_ from: String, to: String) -> Bool {
        from == to || [("integer", "long"), ("integer", "double"), ("float", "double")].contains { $0 == (from, to) }
    }

    private static func spell(_ columns: [Column]) -> String { "(" + columns.map { "\($0.name): \($0.type)" }.joined(separator: ", ") + ")" }
}
