import Foundation
import SlipwayCore

/// How webhooks are delivered. The names are those of MLflow's server.
///
/// - `MLFLOW_WEBHOOK_ALLOWED_SCHEMES` (list with commas, `https`): what an address may start with
/// - `MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS` (`false`): whether an address may lead into private networks
/// - `MLFLOW_WEBHOOK_REQUEST_TIMEOUT` (30): seconds per try
/// - `MLFLOW_WEBHOOK_REQUEST_MAX_RETRIES` (3): tries after the first
package struct WebhookSettings: Sendable, Hashable {
    package var schemes: [String]
    package var allowsPrivateAddresses: Bool
    package var timeout: Duration
    package var retriesMax: Int
    /// Before the n-th retry it waits n times doubled; a `Retry-After` asks for more.
    package var backOff: Duration

    package init(
        schemes: [String] = ["https"], allowsPrivateAddresses: Bool = false, timeout: Duration = .seconds(30), retriesMax: Int = 3, backOff: Duration = .seconds(1)
    ) {
        self.schemes = schemes
        self.allowsPrivateAddresses = allowsPrivateAddresses
        self.timeout = timeout
        self.retriesMax = retriesMax
        self.backOff = backOff
    }

    package init(settings: [String: String]) {
        self.init()
        let named = settings["MLFLOW_WEBHOOK_ALLOWED_SCHEMES"]?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces).lowercased() }.filter { !$0.isEmpty }
        // Nothing but HTTP is spoken, whatever the setting says.
        if let named, !named.isEmpty { schemes = named.filter { ["http", "https"].contains($0) } }
        allowsPrivateAddresses = ["true", "1"].contains(settings["MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS"]?.lowercased())
        if let seconds = settings["MLFLOW_WEBHOOK_REQUEST_TIMEOUT"].flatMap(Int.init), (1...600).contains(seconds) { timeout = .seconds(seconds) }
        if let retries = settings["MLFLOW_WEBHOOK_REQUEST_MAX_RETRIES"].flatMap(Int.init), (0...10).contains(retries) { retriesMax = retries }
    }
}

/// MLflow's spelling rules for webhooks.
enum WebhookRules {
    static func check(name: String) throws {
        let bytes = Array(name.utf8)
        let isPlain = { (byte: UInt8) in (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) }
        let isRight =
            (1...63).contains(bytes.count) && isPlain(bytes[0]) && isPlain(bytes[bytes.count - 1]) && bytes.allSatisfy { isPlain($0) || [45, 46, 95].contains($0) }
        guard isRight else {
            throw SlipwayError.invalid(
                "Webhook name '\(name.prefix(80))' is invalid. It must start and end with a letter or digit, be at most 63 characters long, and contain only letters, "
                    + "digits, dots (.), underscores (_) and hyphens (-).")
        }
    }

    static func check(events: [RegistryEvent.Kind]) throws {
        guard !events.isEmpty else { throw SlipwayError.invalid("Webhook events must be a non-empty list of WebhookEvent objects.") }
        for kind in events where !RegistryEvent.Kind.all.contains(kind) {
            let legal = RegistryEvent.Kind.all.filter { $0.entity == kind.entity }.map { "'\($0.action.rawValue)'" }.sorted()
            throw SlipwayError.invalid(
                "Invalid action '\(kind.action.rawValue)' for entity '\(kind.entity.rawValue)'. Valid actions are: [\(legal.joined(separator: ", "))]")
        }
    }

    /// - Returns: scheme and host of an address that may be used.
    static func check(url: String, _ settings: WebhookSettings) throws -> (scheme: String, host: String) {
        guard !url.allSatisfy(\.isWhitespace) else { throw SlipwayError.invalid("Webhook URL cannot be empty or just whitespace: '\(url.prefix(80))'") }
        guard url.utf8.count <= 2000 else { throw SlipwayError.invalid("Invalid webhook URL: it is longer than 2000 bytes.") }
        let scheme = url.firstRange(of: ":").map { url[..<$0.lowerBound].lowercased() } ?? ""
        guard settings.schemes.contains(scheme) else {
            throw SlipwayError.invalid("Invalid webhook URL scheme: '\(scheme.prefix(80))'. Allowed schemes are: \(settings.schemes.joined(separator: ", ")).")
        }
        let isClean = url.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value != 0x7F }
        guard isClean, let parsed = URLComponents(string: url), parsed.user == nil, parsed.password == nil else {
            throw SlipwayError.invalid("Invalid webhook URL '\(url.prefix(200))': it cannot be read, or it carries a password.")
        }
        guard let host = parsed.host, !host.isEmpty else { throw SlipwayError.invalid("Webhook URL must include a hostname: '\(url.prefix(200))'") }
        return (scheme, host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host)
    }
}
