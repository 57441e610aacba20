import SlipwayCore

/// Thresholds on what the evaluation measured here.
package struct MetricsGate: Gate {
    let measurement: Measurement
    package let name = GateName.metrics
    package init(measurement: Measurement) { self.measurement = measurement }

    package func run(_ input: GateInput) async throws -> GateResult {
        let conditions = try input.conditions().filter { !$0.comparesWithChampion }
        guard !conditions.isEmpty else {
            return .notAvailable(
                "No condition is written for \(input.environment.rawValue).",
                remedy: "Write one in slipway.yaml, such as gates: { \(input.environment.rawValue): [\"metrics.auc >= 0.65\"] }.")
        }
        switch try await measurement.outcome(input) {
        case .other(let result): return result
        case .measured(let measured): return measured.judge(conditions, remedy: "Improve the model and request a new release.")
        }
    }
}

/// The candidate against what is live, measured by the same evaluation on the same snapshot.
package struct BaselineGate: Gate {
    let measurement: Measurement
    package let name = GateName.baseline
    package init(measurement: Measurement) { self.measurement = measurement }

    package func run(_ input: GateInput) async throws -> GateResult {
        guard let champion = input.champion else { return .pass("Nothing is live in '\(input.promotion.slot)' yet, so there is nothing to beat.") }
        let conditions = try input.conditions().filter(\.comparesWithChampion)
        guard !conditions.isEmpty else {
            return .notAvailable(
                "No condition compares with what is live (release \(champion.id.short)).",
                remedy: "Write one in slipway.yaml, such as \"champion.auc - metrics.auc <= 0.01\".")
        }
        switch try await measurement.outcome(input) {
        case .other(let result): return result
        case .measured(let measured):
            return measured.judge(conditions, remedy: "Release \(champion.id.short) stays live; improve the model and request a new release.")
        }
    }
}

/// No part of the data may be much worse off than the whole.
package struct SlicesGate: Gate {
    let measurement: Measurement
    package let name = GateName.slices
    package init(measurement: Measurement) { self.measurement = measurement }

    package func run(_ input: GateInput) async throws -> GateResult {
        guard let slices = input.projectFile?.gates.slices, !slices.conditions.isEmpty else {
            return .notAvailable("No slices are declared.", remedy: "Declare them in slipway.yaml, such as gates: { slices: { by: origin, \"metrics.auc\": \">= 0.6\" } }.")
        }
        switch try await measurement.outcome(input) {
        case .other(let result): return result
        case .measured(let measured): return try judge(slices, measured)
        }
    }

    /// Slice metrics are named `slice.<column>.<value>.<metric>`; the value may hold dots.
    private func judge(_ slices: ProjectFile.Slices, _ measured: Measurement.Measured) throws -> GateResult {
        var conditions: [JSONValue] = []
        var failed: [String] = []
        for (key, bound) in slices.conditions.sorted(by: { $0.key < $1.key }) {
            let metric = key.hasPrefix("metrics.") ? String(key.dropFirst("metrics.".count)) : key
            let found = measured.metrics.keys.filter { $0.hasPrefix("slice.\(slices.by).") && $0.hasSuffix(".\(metric)") }.sorted()
            if found.isEmpty { failed.append("The evaluation logged no slice.\(slices.by).*.\(metric).") }
            for name in found {
                switch try Condition(bound: bound, on: metric).verdict([metric: measured.metrics[name]!]) {
                case .holds: conditions.append(["holds": true, "text": .string("\(name) = \(measured.metrics[name]!) \(bound)")])
                case .fails, .unknown:
                    conditions.append(["holds": false, "text": .string("\(name) = \(measured.metrics[name]!), wanted \(bound)")])
                    failed.append("\(name) is \(measured.metrics[name]!), wanted \(bound).")
                }
            }
        }
        return failed.isEmpty
            ? measured.result(.pass, "All \(conditions.count) slices by '\(slices.by)' hold.", conditions: conditions)
            : measured.result(.fail, failed.joined(separator: " "), remedy: "Improve the model on these slices and request a new release.", conditions: conditions)
    }
}

extension Condition {
    /// Says something about what is live.
    var comparesWithChampion: Bool { metrics.contains { $0.hasPrefix("champion.") } }
}
