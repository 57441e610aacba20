import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import SlipwayCore

/// One delivery as it is sent.
package struct WebhookMessage: Sendable {
    package var url: String
    package var headers: [(name: String, value: String)]
    package var body: String
}

/// What the receiver answered.
package struct WebhookAnswer: Sendable, Hashable {
    package var status: Int
    package var retryAfter: Duration?
    /// At most 64 KiB of it.
    package var body: String

    package init(status: Int, retryAfter: Duration? = nil, body: String = "") {
        self.status = status
        self.retryAfter = retryAfter
        self.body = body
    }

    var asksForAnother: Bool { status == 429 || (500..<600).contains(status) }
}

/// Sends one message, once. Tests have their own.
package protocol WebhookPost: Sendable {
    /// - Parameter address: numeric address to connect to instead of looking the host up again.
    func send(_ message: WebhookMessage, host: String, address: String?, timeout: Duration) async throws -> WebhookAnswer
}

/// Over HTTP: no redirects (they would lead around the check of the address), nothing unpacked, a bounded part of the answer read.
package struct HTTPWebhookPost: WebhookPost {
    package init() {}

    private static let bodyMax = 64 << 10

    package func send(_ message: WebhookMessage, host: String, address: String?, timeout: Duration) async throws -> WebhookAnswer {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow, decompression: .disabled)
        configuration.timeout = .init(connect: .milliseconds(timeout.milliseconds), read: .milliseconds(timeout.milliseconds))
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.httpVersion = .http1Only
        if let address { configuration.dnsOverride = [host: address] }
        // A client of its own, because the looked-up address belongs to this delivery only.
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            let answer = try await Self.within(timeout) { try await Self.send(message, with: client, timeout: timeout) }
            try await client.shutdown()
            return answer
        } catch {
            try await client.shutdown()
            throw error
        }
    }

    private static func send(_ message: WebhookMessage, with client: HTTPClient, timeout: Duration) async throws -> WebhookAnswer {
        var request = HTTPClientRequest(url: message.url)
        request.method = .POST
        for header in message.headers { request.headers.add(name: header.name, value: header.value) }
        request.body = .bytes(ByteBuffer(string: message.body))
        let response = try await client.execute(request, timeout: .milliseconds(timeout.milliseconds))
        var collected = ByteBuffer()
        for try await piece in response.body {
            collected.writeImmutableBuffer(piece.getSlice(at: piece.readerIndex, length: min(piece.readableBytes, bodyMax - collected.readableBytes)) ?? ByteBuffer())
            if collected.readableBytes >= bodyMax { break }
        }
        let after = response.headers.first(name: "Retry-After").flatMap { Int($0) }.flatMap { (0...60).contains($0) ? Duration.seconds($0) : nil }
        return WebhookAnswer(status: Int(response.status.code), retryAfter: after, body: String(buffer: collected))
    }

    /// A receiver that sends a byte now and then is over as well when the time is.
    private static func within<T: Sendable>(_ limit: Duration, _ body: @escaping @Sendable () async throws -> T) async throws -> T {
        try await withThrowingTaskGroup(of: T.self) { group in
            group.addTask(operation: body)
            group.addTask {
                try await Task.sleep(for: limit)
                throw SlipwayError(.unavailable, "The receiver did not answer within \(limit.spelled).")
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw CancellationError() }
            return first
        }
    }
}
