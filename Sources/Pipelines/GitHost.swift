import Foundation
import Logging
import SlipwayCore
import SlipwayRuntime
import SlipwaySQL
import SlipwayStore
import Subprocess
import Synchronization
import SystemPackage

/// One request of Git's smart HTTP protocol.
package struct GitRequest: Sendable {
    package enum Service: String, Sendable {
        case fetch = "git-upload-pack"
        case push = "git-receive-pack"
    }
    package var project: ProjectName
    package var service: Service
    /// The first request of a conversation, which lists refs.
    package var isAdvertisement: Bool
    /// `gzip`, when the body is.
    package var contentEncoding: String?
    /// The `Git-Protocol` header.
    package var protocolVersion: String?

    package init(project: ProjectName, service: Service, isAdvertisement: Bool, contentEncoding: String? = nil, protocolVersion: String? = nil) {
        self.project = project
        self.service = service
        self.isAdvertisement = isAdvertisement
        self.contentEncoding = contentEncoding
        self.protocolVersion = protocolVersion
    }

    package var contentType: String { "application/x-\(service.rawValue)-\(isAdvertisement ? "advertisement" : "result")" }
}

/// Hosts repositories over smart HTTP through `git http-backend`. Both directions are streamed; conversations at once are bounded.
package final class GitHost: Sendable {
    let control: any DatabaseReader
    let repositories: GitRepositories
    let history: GitHistory
    let receiver: PushReceiver
    /// The `slipway` binary, for what the person who pushes is told.
    let program: URL?
    let logger: Logger
    private let open = Mutex(0)

    private static let conversationsMax = 32
    private static let headerMax = 16 << 10

    package init(control: any DatabaseReader, repositories: GitRepositories, history: GitHistory, receiver: PushReceiver, program: URL? = nil, logger: Logger) {
        self.control = control
        self.repositories = repositories
        self.history = history
        self.receiver = receiver
        self.program = program
        self.logger = logger
    }

    /// Whether the conversation may take place; asked before anything is answered, so that a refusal has its own status and sentence.
    package func admit(_ request: GitRequest, by caller: Caller) async throws {
        try caller.requireSomebody()
        switch request.service {
        case .push: try caller.require(.pushCode, project: request.project, environment: .dev)
        case .fetch: try caller.require(.readMetadata, project: request.project, environment: .dev)
        }
        let exists = try await control.read { tx in try IdentityStore(tx: tx).project(request.project) != nil }
        guard exists else {
            throw SlipwayError.notFound("There is no project '\(request.project)'.", remedy: "See yours: slipway project list")
        }
        _ = try await repositories.open(request.project)
        guard open.withLock({ $0 < Self.conversationsMax }) else {
            throw SlipwayError(.tooMuch, "\(Self.conversationsMax) Git conversations are open already.", remedy: "Try again in a moment.")
        }
    }

    /// Runs the conversation: `body` goes to Git, its answer to `write`. Returns after a push's event is durable.
    package func converse<Body: AsyncSequence & Sendable>(
        _ request: GitRequest, by caller: Caller, body: Body, write: ([UInt8]) async throws -> Void
    ) async throws where Body.Element == [UInt8] {
        open.withLock { $0 += 1 }
        defer { open.withLock { $0 -= 1 } }
        let main = try await history.mainBranch(of: request.project)
        let backend = repositories.httpBackend(variables(request, caller, main))
        do {
            try await Self.run(backend, body: body, write: write)
        } catch {
            logger.warning("git", metadata: ["project": "\(request.project)", "error": "\(error)"])
            if request.service == .push, !request.isAdvertisement { await settle(request.project) }
            throw error
        }
        if request.service == .push, !request.isAdvertisement { await settle(request.project) }
    }

    private func settle(_ project: ProjectName) async {
        do {
            try await receiver.reconcile(project)
        } catch {
            // The push is noted in the repository's spool: the next round reads it again.
            logger.error("push", metadata: ["project": "\(project)", "error": "\(error)"])
        }
    }

    private func variables(_ request: GitRequest, _ caller: Caller, _ main: String) -> [String: String?] {
        let tail = request.isAdvertisement ? "info/refs" : request.service.rawValue
        return [
            "GIT_PROJECT_ROOT": repositories.root.path, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": "/\(request.project.rawValue).git/\(tail)",
            "REQUEST_METHOD": request.isAdvertisement ? "GET" : "POST", "QUERY_STRING": request.isAdvertisement ? "service=\(request.service.rawValue)" : "",
            "CONTENT_TYPE": request.isAdvertisement ? nil : "application/x-\(request.service.rawValue)-request", "CONTENT_LENGTH": nil,
            "HTTP_CONTENT_ENCODING": request.contentEncoding == "gzip" ? "gzip" : nil,
            "GIT_PROTOCOL": request.protocolVersion.flatMap { ["version=0", "version=1", "version=2"].contains($0) ? $0 : nil },
            "REMOTE_USER": caller.principal.raw, "SLIPWAY_PUSHER": caller.principal.raw, "SLIPWAY_MAIN": main,
            "SLIPWAY_PROJECT": request.project.rawValue, "SLIPWAY_PROGRAM": program?.path, "SERVER_PROTOCOL": "HTTP/1.1",
        ]
    }

    private static func run<Body: AsyncSequence & Sendable>(
        _ backend: CommandRun, body: Body, write: ([UInt8]) async throws -> Void
    ) async throws where Body.Element == [UInt8] {
        var options = PlatformOptions()
        options.createSession = true
        options.teardownSequence = [.gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: .seconds(2))]
        let environment = Environment.inherit.updating(
            Dictionary(uniqueKeysWithValues: backend.variables.map { (Environment.Key(stringLiteral: $0.key), $0.value) }))
        let result = try await Subprocess.run(
            .path(FilePath(backend.program.path)), arguments: Arguments(backend.arguments), environment: environment, platformOptions: options,
            input: .inputWriter, output: .sequence, error: .discarded
        ) { process in
            try await withThrowingTaskGroup(of: Void.self) { group in
                let writer = process.standardInputWriter
                group.addTask {
                    do {
                        do {
                            for try await piece in body { _ = try await writer.write(piece) }
                        } catch is SubprocessError {
                            // Git has heard enough: it answers without reading the rest.
                        }
                        try await writer.finish()
                    } catch is CancellationError {
                        // Git has answered to its end before the end of the request was seen: nothing is missing.
                    }
                }
                var header = CGIHeader()
                for try await piece in process.standardOutput {
                    let bytes = piece.withUnsafeBytes { Array($0) }
                    if let rest = try header.take(bytes) {
                        if !rest.isEmpty { try await write(rest) }
                    }
                }
                try header.requireSuccess()
                group.cancelAll()
                try await group.waitForAll()
            }
        }
        guard result.terminationStatus.isSuccess else {
            throw SlipwayError(.unavailable, "git http-backend ended with \(result.terminationStatus).")
        }
    }

    /// What a CGI program says before its body.
    private struct CGIHeader {
        private var text: [UInt8] = []
        private var isOver = false
        private var status = 200

        /// - Returns: the part of `bytes` that belongs to the body, nil while the header goes on.
        mutating func take(_ bytes: [UInt8]) throws -> [UInt8]? {
            if isOver { return status == 200 ? bytes : [] }
            text += bytes
            guard let end = Self.end(of: text) else {
                guard text.count < headerMax else { throw SlipwayError(.unavailable, "git http-backend sent no header.") }
                return nil
            }
            isOver = true
            for line in String(decoding: text[..<end.header], as: UTF8.self).split(whereSeparator: \.isNewline) where line.lowercased().hasPrefix("status:") {
                status = Int(line.dropFirst(7).trimmingCharacters(in: .whitespaces).prefix(3)) ?? 500
            }
            let rest = Array(text[end.body...])
            text = []
            return status == 200 ? rest : []
        }

        func requireSuccess() throws {
            guard isOver, status == 200 else { throw SlipwayError(.unavailable, "git http-backend refused the request (status \(status)).") }
        }

        private static func end(of text: [UInt8]) -> (header: Int, body: Int)? {
            for index in text.indices where text[index] == 10 {
                if index + 1 < text.count, text[index + 1] == 10 { return (index, index + 2) }
                if index + 2 < text.count, text[index + 1] == 13, text[index + 2] == 10 { return (index, index + 3) }
            }
            return nil
        }
    }
}
