import Foundation
import SlipwayCore
import SlipwayStore

/// MLflow's limits and spelling rules. Messages carry the path of the offending field, since clients show them.
package enum TrackingRules {
    package static let keyMax = 250
    package static let paramMax = 6000
    package static let tagMax = 8000
    package static let batchMetricsMax = 1000
    package static let batchParamsMax = 100
    package static let batchTagsMax = 100
    package static let batchMax = 1000

    /// Names of metrics, params and run tags.
    package static func checkKey(_ key: String, _ path: @autoclosure () -> String) throws {
        if isPlain(key) { return }
        let path = path()
        guard !key.isEmpty else { throw missing(path) }
        guard key.count <= keyMax else { throw tooLong(path, keyMax) }
        let isSpelledRight = key.unicodeScalars.allSatisfy { scalar in
            scalar.properties.isAlphabetic || scalar.properties.numericType != nil || "_-.:/ ".unicodeScalars.contains(scalar)
        }
        guard isSpelledRight else {
            throw SlipwayError.invalid(
                "Invalid value \(quoted(key)) for parameter '\(path)' supplied: Names may only contain alphanumerics, underscores (_), dashes (-), "
                    + "periods (.), spaces ( ), colons (:) and slashes (/).")
        }
        guard isNormalised(key) else {
            throw SlipwayError.invalid(
                "Invalid value \(quoted(key)) for parameter '\(path)' supplied: Names may be treated as files in certain cases, and must not resolve to "
                    + "other names when treated as such. This name would resolve to another one.")
        }
    }

    /// Letters, digits, `_` and `-` of ASCII, as nearly all keys are: right whatever else the rules say.
    private static func isPlain(_ key: String) -> Bool {
        let bytes = key.utf8
        guard !bytes.isEmpty, bytes.count <= keyMax else { return false }
        return bytes.allSatisfy { byte in
            switch byte {
            case 48...57, 65...90, 97...122, 95, 45: true
            default: false
            }
        }
    }

    /// As JSON spells it.
    private static func quoted(_ key: String) -> String {
        "\"" + key.prefix(200).replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    private static func isNormalised(_ key: String) -> Bool {
        let parts = key.split(separator: "/", omittingEmptySubsequences: false)
        return parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
    }

    package static func missing(_ path: String) -> SlipwayError {
        .invalid("Missing value for required parameter '\(path)'. See the API docs for more information about request parameters.")
    }

    package static func tooLong(_ path: String, _ max: Int) -> SlipwayError {
        .invalid("'\(path)' exceeds the maximum length of \(max) characters.")
    }

    /// The beginning of a value that is too long.
    package static func cut(_ value: String, to max: Int) -> String { value.utf8.count > max && value.count > max ? String(value.prefix(max)) : value }

    /// Longer values are cut, as MLflow does by default, or refused where the server's MLFLOW_TRUNCATE_LONG_VALUES is `false`.
    package static func fit(_ value: String, to max: Int) throws -> String {
        // Most values are short, and counting bytes is quicker than counting characters.
        guard value.utf8.count > max, value.count > max else { return value }
        guard cutsLongValues else { throw tooLong("value", max) }
        return String(value.prefix(max))
    }

    private static let cutsLongValues = ProcessInfo.processInfo.environment["MLFLOW_TRUNCATE_LONG_VALUES"]?.lowercased() != "false"

    package static func checkRunID(_ id: String) throws {
        guard !id.isEmpty else { throw missing("run_id") }
        guard isID(id, max: 256) else { throw SlipwayError.invalid("Invalid run ID: '\(id.prefix(80))'") }
    }

    package static func checkExperimentID(_ id: String) throws {
        guard !id.isEmpty else { throw missing("experiment_id") }
        guard Int64(id) != nil else { throw SlipwayError.invalid("Invalid experiment ID '\(id.prefix(80))'. Experiment ID must be a valid integer.") }
    }

    private static func isID(_ id: String, max: Int) -> Bool {
        guard let first = id.utf8.first, id.utf8.count <= max else { return false }
        let isAlphanumeric = { (byte: UInt8) in (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) }
        return isAlphanumeric(first) && id.utf8.allSatisfy { isAlphanumeric($0) || $0 == 95 || $0 == 45 }
    }

    package static func checkExperimentName(_ name: String) throws {
        guard !name.allSatisfy(\.isWhitespace) else { throw SlipwayError.invalid("Invalid experiment name: ''. Experiment name must be a non-empty string.") }
        guard name.count <= 500 else { throw tooLong("name", 500) }
    }

    package static func checkExperimentTag(_ key: String, _ value: String) throws {
        try checkKey(key, "key")
        guard value.count <= 20_000 else { throw tooLong("value", 20_000) }
    }

    /// - Returns: nil for Slipway's own place.
    package static func checkedLocation(_ location: String?) throws -> String? {
        guard var location, !location.isEmpty else { return nil }
        guard location.count <= 2048 else { throw tooLong("artifact_location", 2048) }
        guard !location.hasPrefix("runs:/"), !location.contains("#"), !location.contains(";"), !location.contains("..") else {
            throw SlipwayError.invalid("Artifact location '\(location.prefix(200))' is not one that artifacts can be kept at.", remedy: "Leave it out.")
        }
        while location.hasSuffix("/") { location.removeLast() }
        if !location.hasPrefix("/"), let local = ArtifactPlaces.localPath(of: location), !location.hasPrefix("file:") { return local.standardizedFileURL.path }
        return location
    }

    /// - Parameter path: where the point lies in its request, such as `metrics[3]`; nil when it is the request.
    package static func checkMetric(_ point: MetricPoint, _ path: @autoclosure () -> String?) throws {
        try checkKey(point.key, path().map { "\($0).name" } ?? "key")
        guard point.timestamp >= 0 else {
            let place = path().map { "\($0)." } ?? ""
            throw SlipwayError.invalid("Invalid value \(point.timestamp) for parameter '\(place)timestamp' supplied: timestamps are at least 0.")
        }
    }

    /// Logged models: anything but the characters that addresses and filters need.
    package static func checkModelName(_ name: String) throws {
        if let bad = name.first(where: { "/:.%\"'".contains($0) }) {
            throw SlipwayError.invalid(
                "Invalid model name (\(name.prefix(200))) provided. Model name must be a non-empty string and cannot contain the following characters: "
                    + "('/', ':', '.', '%', '\"', \"'\"), but '\(bad)' was found.")
        }
    }
}
