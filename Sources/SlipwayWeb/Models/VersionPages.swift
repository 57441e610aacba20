import SlipwayCore

/// A model version with everything that led to it and everything that it led to.
package struct VersionPage: Sendable {
    /// The run that trained it, perhaps in another environment.
    package struct Origin: Sendable {
        package var environment: EnvironmentID
        package var run: Run
        package var details: RunDetails
        package init(environment: EnvironmentID, run: Run, details: RunDetails) {
            self.environment = environment
            self.run = run
            self.details = details
        }
    }

    /// A release that carries the version's bytes, in one environment.
    package struct Carrier: Sendable {
        package var environment: EnvironmentID
        package var release: Release
        package var promotions: [Promotion]
        /// Slots that it is live or the fallback in.
        package var slots: [Slot]
        package init(environment: EnvironmentID, release: Release, promotions: [Promotion], slots: [Slot]) {
            self.environment = environment
            self.release = release
            self.promotions = promotions
            self.slots = slots
        }
    }

    /// What is looked at beside it.
    package struct Other: Sendable {
        package var version: ModelVersion
        package var origin: Origin?
        package var files: FileManifest?
        package init(version: ModelVersion, origin: Origin? = nil, files: FileManifest? = nil) {
            self.version = version
            self.origin = origin
            self.files = files
        }
    }

    package var frame: PageFrame
    package var version: ModelVersion
    package var origin: Origin?
    package var carriers: [Carrier]
    package var files: FileManifest?
    /// Numbers of the model's other versions, newest first.
    package var others: [Int]
    package var other: Other?

    package init(
        frame: PageFrame, version: ModelVersion, origin: Origin? = nil, carriers: [Carrier] = [], files: FileManifest? = nil, others: [Int] = [], other: Other? = nil
    ) {
        self.frame = frame
        self.version = version
        self.origin = origin
        self.carriers = carriers
        self.files = files
        self.others = others
        self.other = other
    }

    struct Difference: Sendable {
        var part: String
        var name: String
        /// In `other`, nil where it has none.
        var before: String?
        var after: String?
    }

    /// What differs from `other`: signature, params, metrics, files and tags, in this order.
    var differences: [Difference] {
        guard let other else { return [] }
        func compared(_ part: String, _ before: [String: String], _ after: [String: String]) -> [Difference] {
            Set(before.keys).union(after.keys).sorted().compactMap { name in
                before[name] == after[name] ? nil : Difference(part: part, name: name, before: before[name], after: after[name])
            }
        }
        var found = compared("Signature", Self.fields(other.version.signature), Self.fields(version.signature))
        found += compared("Param", other.origin?.details.params ?? [:], origin?.details.params ?? [:])
        found += compared("Metric", Self.metrics(other.origin), Self.metrics(origin))
        found += compared("File", Self.digests(other.files), Self.digests(files))
        found += compared("Tag", Self.tags(other.version), Self.tags(version))
        return found
    }

    /// `inputs carrier` → `string, required`
    private static func fields(_ signature: JSONValue?) -> [String: String] {
        var fields: [String: String] = [:]
        for part in ["inputs", "outputs"] {
            for (index, field) in (signature?[part]?.array ?? []).enumerated() {
                let type = field["type"]?.string ?? field["tensor-spec"]?["dtype"]?.string ?? "?"
                fields["\(part) \(field["name"]?.string ?? "#\(index + 1)")"] = field["required"]?.bool == false ? "\(type), optional" : type
            }
        }
        return fields
    }
    private static func tags(_ version: ModelVersion) -> [String: String] { version.tags.filter { !$0.key.hasPrefix("slipway.") } }
    private static func metrics(_ origin: Origin?) -> [String: String] {
        Dictionary((origin?.details.metrics ?? []).map { ($0.key, Spelled.number($0.value)) }) { $1 }
    }
    private static func digests(_ files: FileManifest?) -> [String: String] {
        Dictionary((files?.files ?? []).map { ($0.path, "\(Spelled.size(bytes: $0.size)), \(Spelled.short($0.digest.rawValue))") }) { $1 }
    }
}
