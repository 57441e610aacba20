import Foundation

/// What MLflow's server takes from its environment, where it means something here too.
package struct MLflowSettings: Sendable {
    /// Sources of model versions have to match it (`MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX`).
    let sourcePattern: String?

    package init(environment: [String: String] = [:]) {
        sourcePattern = environment["MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX"].flatMap { $0.isEmpty ? nil : $0 }
    }

    package static let process = MLflowSettings(environment: ProcessInfo.processInfo.environment)

    /// A pattern that cannot be read lets nothing through. As Python's `re.search`.
    func allows(source: String) -> Bool {
        guard let sourcePattern else { return true }
        guard let expression = try? NSRegularExpression(pattern: sourcePattern) else { return false }  // said by refusing everything
        return expression.firstMatch(in: source, range: NSRange(source.startIndex..., in: source)) != nil
    }
}
