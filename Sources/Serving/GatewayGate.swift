import AsyncHTTPClient
import Crypto
import Foundation
import Logging
import NIOCore
import NIOHTTP1
import SlipwayCore
import Synchronization

/// Lets a request through or not. The control plane is asked once for each token and slot; its answer is remembered, and
/// when it is away a remembered "yes" goes on counting for a while, so that predictions outlive it.
final class GatewayGate: Sendable {
    enum Verdict: Sendable, Hashable {
        case allowed
        /// The control plane's own words.
        case refused(status: Int, message: String)
        /// It does not answer, or could not say.
        case away
    }

    /// Asks the control plane: the value of the Authorization header, and the slot or nil for "somebody at all".
    typealias Ask = @Sendable (String, SlotName?) async -> Verdict

    private struct Key: Hashable {
        var digest: ContentDigest
        var slot: SlotName?
    }

    private struct Memory {
        var verdict: Verdict
        var at: Timestamp
        /// When the control plane was found away, so that not every request waits for it.
        var awayAt: Timestamp?
    }

    private let ask: Ask
    private let clock: any WallClock
    private let secret: [UInt8]
    private let memory = Mutex<[Key: Memory]>([:])

    static let freshFor = Duration.seconds(60)
    static let refusedFor = Duration.seconds(5)
    static let awayFor = Duration.seconds(5)
    static let validWhenAway = Duration.seconds(3600)
    static let memoryMax = 10_000

    init(secret: String, clock: any WallClock, ask: @escaping Ask) {
        self.secret = Array(secret.utf8)
        self.clock = clock
        self.ask = ask
    }

    /// - Parameters:
    ///   - authorization: the header's value.
    ///   - forwarded: the internal secret that the control plane shows for a caller it has checked.
    func check(authorization: String?, forwarded: String?, slot: SlotName?) async -> Verdict {
        if let forwarded { return isSecret(forwarded) ? .allowed : .refused(status: 401, message: "The gateway's secret does not match.") }
        guard let authorization, !authorization.isEmpty else {
            return .refused(status: 401, message: "You are not authenticated. Send a token: 'slipway token create' makes one.")
        }
        let key = Key(digest: ContentDigest(of: authorization), slot: slot)
        let now = clock.now
        let known = memory.withLock { $0[key] }
        if let known, now - known.at < (known.verdict == .allowed ? Self.freshFor : Self.refusedFor) { return known.verdict }
        if let known, let awayAt = known.awayAt, now - awayAt < Self.awayFor { return whileAway(known, now) }
        let verdict = await ask(authorization, slot)
        if verdict == .away {
            guard let known else { return .away }
            memory.withLock { $0[key]?.awayAt = now }
            return whileAway(known, now)
        }
        memory.withLock { memory in
            if memory.count >= Self.memoryMax { memory.removeAll() }
            memory[key] = Memory(verdict: verdict, at: now)
        }
        return verdict
    }

    private func whileAway(_ known: Memory, _ now: Timestamp) -> Verdict {
        known.verdict == .allowed && now - known.at < Self.validWhenAway ? .allowed : .away
    }

    /// Compares without telling by its duration how much was right.
    private func isSecret(_ text: String) -> Bool {
        let given = Array(text.utf8)
        guard given.count == secret.count, !secret.isEmpty else { return false }
        return zip(given, secret).reduce(0 as UInt8) { $0 | ($1.0 ^ $1.1) } == 0
    }

    /// Asks over HTTP at the address that the routing names at that moment.
    static func overHTTP(environment: EnvironmentID, logger: Logger, address: @escaping @Sendable () -> String?) -> Ask {
        { authorization, slot in
            guard let base = address() else { return .away }
            let path = slot.map { "/api/v1/\(environment.rawValue)/endpoints/\($0.rawValue)/authorise" } ?? "/api/v1/me"
            var request = HTTPClientRequest(url: base + path)
            request.method = slot == nil ? .GET : .POST
            request.headers.add(name: "Authorization", value: authorization)
            do {
                let response = try await GatewayLink.client.execute(request, timeout: .seconds(5))
                let body = try await response.body.collect(upTo: 1 << 16)
                switch response.status.code {
                case 200..<300: return .allowed
                case 401, 403, 404:
                    let error = try JSONDecoder().decode(JSONValue.self, from: Data(body.readableBytesView))["error"]
                    let words = [error?["message"]?.string, error?["remedy"]?.string].compactMap(\.self).joined(separator: " ")
                    return .refused(status: Int(response.status.code), message: words)
                default: return .away
                }
            } catch {
                logger.debug("control plane away", metadata: ["error": "\(error)"])
                return .away
            }
        }
    }
}
