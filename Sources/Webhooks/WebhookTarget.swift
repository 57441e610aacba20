import Foundation
import SlipwayCore

/// Where a delivery connects: the address is looked up and judged once, and that same address is used, so that a name which
/// answers differently a moment later (DNS rebinding) leads nowhere.
struct WebhookTarget: Sendable, Hashable {
    var host: String
    /// Numeric; nil when any address will do.
    var address: String?
}

extension WebhookService {
    /// - Throws: `invalidArgument` for an address that may not be used.
    func target(of url: String) async throws -> WebhookTarget {
        let (_, host) = try WebhookRules.check(url: url, settings)
        if settings.allowsPrivateAddresses { return WebhookTarget(host: host, address: nil) }
        let addresses = try await offload { try NetworkAddress.look(up: host) }
        for address in addresses where !address.isPublic {
            throw SlipwayError.invalid(
                "Webhook URL must not resolve to a non-public IP address. '\(host)' resolves to \(address).",
                remedy: "For receivers in your own network start the server with MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS=true.")
        }
        guard let first = addresses.first else { throw SlipwayError.invalid("Cannot resolve webhook URL hostname '\(host)'.") }
        return WebhookTarget(host: host, address: first.description)
    }
}

/// A numeric network address.
struct NetworkAddress: Sendable, Hashable, CustomStringConvertible {
    /// 4 or 16, most significant first.
    var bytes: [UInt8]

    var description: String {
        if bytes.count == 4 { return bytes.map(String.init).joined(separator: ".") }
        return stride(from: 0, to: 16, by: 2).map { String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16) }.joined(separator: ":")
    }

    /// Whether everybody's networks lead there: no loopback, private, link-local, shared, documentation, test, translated or multicast range (RFC 6890).
    var isPublic: Bool {
        if bytes.count == 16 {
            // Global unicast is 2000::/3; in it 2001::/23 (Teredo and such), 2001:db8::/32 and 2002::/16 (6to4) may hide another address.
            guard bytes[0] & 0xE0 == 0x20 else { return false }
            if bytes[0] == 0x20, bytes[1] == 0x01, bytes[2] < 2 || (bytes[2] == 0x0D && bytes[3] == 0xB8) { return false }
            return !(bytes[0] == 0x20 && bytes[1] == 0x02)
        }
        switch (bytes[0], bytes[1], bytes[2]) {
        case (0, _, _), (10, _, _), (127, _, _), (169, 254, _), (172, 16...31, _), (192, 168, _), (100, 64...127, _): return false
        case (192, 0, 0), (192, 0, 2), (192, 88, 99), (198, 18...19, _), (198, 51, 100), (203, 0, 113), (224...255, _, _): return false
        default: return true
        }
    }

    /// Every address of a name, in the system's order of preference. Waits for the network.
    static func look(up host: String) throws -> [NetworkAddress] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        #if canImport(Glibc)
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #else
        hints.ai_socktype = SOCK_STREAM
        #endif
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, nil, &hints, &list)
        defer { if let list { freeaddrinfo(list) } }
        guard code == 0 else {
            throw SlipwayError.invalid("Cannot resolve webhook URL hostname '\(host.prefix(200))': \(String(cString: gai_strerror(code)))")
        }
        var found: [NetworkAddress] = []
        var next = list
        while let entry = next {
            if let address = entry.pointee.ai_addr {
                switch entry.pointee.ai_family {
                case AF_INET:
                    let raw = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee.sin_addr }
                    found.append(NetworkAddress(bytes: withUnsafeBytes(of: raw) { Array($0) }))
                case AF_INET6:
                    let raw = address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { $0.pointee.sin6_addr }
                    found.append(NetworkAddress(bytes: withUnsafeBytes(of: raw) { Array($0) }))
                default: break
                }
            }
            next = entry.pointee.ai_next
        }
        return found
    }
}
