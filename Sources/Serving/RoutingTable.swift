import Foundation
import SlipwayCore

/// What a gateway answers: an immutable value, written by the control plane as one file and taken over whole.
struct RoutingTable: Sendable, Hashable, Codable {
    var environment: EnvironmentID
    /// Address of the control plane, asked once for each new token.
    var controlPlane: String
    var endpoints: [RoutedEndpoint]

    func endpoint(_ slot: SlotName) -> RoutedEndpoint? { endpoints.first { $0.slot == slot } }

    /// Nil when there is no file yet.
    /// - Throws: when the file cannot be read; the gateway then keeps what it has.
    static func read(_ file: URL) throws -> RoutingTable? {
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        return try JSONDecoder().decode(RoutingTable.self, from: try Data(contentsOf: file))
    }

    func write(to file: URL) throws { try writeWhole(Data(try CanonicalJSON.text(self).utf8), to: file, mode: 0o600) }
}

struct RoutedEndpoint: Sendable, Hashable, Codable {
    var slot: SlotName
    var project: ProjectName
    var generation: Int
    var revision: Int64
    var workers: Int
    var capture: Double
    var deployments: [RoutedDeployment]
}

/// A deployment as far as the control plane has prepared it.
struct RoutedDeployment: Sendable, Hashable, Codable {
    var release: ContentDigest
    var modelName: String
    var modelVersion: Int
    var weight: Int
    /// The model's folder and its interpreter; nil while they are being prepared.
    var place: Place?
    /// Why it could not be prepared.
    var reason: String?

    struct Place: Sendable, Hashable, Codable {
        var model: String
        var python: String
    }
}

/// Picks a deployment by weight.
enum WeightedChoice {
    /// - Parameters:
    ///   - weights: shares, ≥ 0; at least one positive.
    ///   - draw: uniform over all values.
    /// - Returns: the index of the chosen weight, nil when no weight is positive.
    static func index(weights: [Int], draw: UInt64) -> Int? {
        let total = weights.reduce(0) { $0 + max(0, $1) }
        guard total > 0 else { return nil }
        // The high half of a product spreads the draw evenly over 0..<total (Lemire, "Fast random integer generation in an interval").
        var rest = Int(draw.multipliedFullWidth(by: UInt64(total)).high)
        for (index, weight) in weights.enumerated() where weight > 0 {
            rest -= weight
            if rest < 0 { return index }
        }
        return nil
    }
}

/// SplitMix64: repeatable choices for `--seed`.
struct SeededChoices: RandomNumberGenerator, Sendable {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
