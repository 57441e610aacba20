import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Pipelines
import SlipwayCore
import SlipwayHTTP

/// Git's smart HTTP at `/git/{project}.git`. Refusals are plain text, because Git shows that to the person who pushes.
package struct GitRoutes: Sendable {
    let host: GitHost

    package init(host: GitHost) { self.host = host }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get("git/{repository}/info/refs", use: advertise)
        router.post("git/{repository}/git-upload-pack") { try await converse($0, $1, .fetch) }
        router.post("git/{repository}/git-receive-pack") { try await converse($0, $1, .push) }
    }

    /// `GET /git/{project}.git/info/refs?service=git-upload-pack|git-receive-pack`
    @Sendable func advertise(_ request: Request, context: SlipwayContext) async throws -> Response {
        guard let service = request.query("service").flatMap(GitRequest.Service.init(rawValue:)) else {
            return Self.refusal(.invalid("Only Git's smart protocol is spoken here.", remedy: "Use a current Git."))
        }
        return await answer(request, context, service, isAdvertisement: true)
    }

    @Sendable func converse(_ request: Request, _ context: SlipwayContext, _ service: GitRequest.Service) async throws -> Response {
        guard request.headers[.contentType] == "application/x-\(service.rawValue)-request" else {
            return Self.refusal(.invalid("This address speaks Git's smart protocol only.", remedy: "Use git push or git fetch."))
        }
        return await answer(request, context, service, isAdvertisement: false)
    }

    private func answer(_ request: Request, _ context: SlipwayContext, _ service: GitRequest.Service, isAdvertisement: Bool) async -> Response {
        let host = host
        let caller = context.caller
        do {
            let conversation = GitRequest(
                project: try Self.project(try context.parameter("repository")), service: service, isAdvertisement: isAdvertisement,
                contentEncoding: request.headers[.contentEncoding], protocolVersion: request.headers[HTTPField.Name("Git-Protocol")!])
            try await host.admit(conversation, by: caller)
            let body = request.body.map { Array($0.readableBytesView) }
            return Response(
                status: .ok, headers: [.contentType: conversation.contentType, .cacheControl: "no-cache, max-age=0, must-revalidate"],
                body: ResponseBody { writer in
                    try await host.converse(conversation, by: caller, body: body) { try await writer.write(ByteBuffer(bytes: $0)) }
                    try await writer.finish(nil)
                })
        } catch {
            return Self.refusal(SlipwayError(shown: error, logger: context.logger))
        }
    }

    private static func project(_ repository: String) throws -> ProjectName {
        guard repository.hasSuffix(".git") else {
            throw SlipwayError.notFound("The address of a repository ends in '.git'.", remedy: "Use /git/PROJECT.git")
        }
        return try ProjectName(parsing: String(repository.dropLast(4)))
    }

    private static func refusal(_ error: SlipwayError) -> Response {
        var headers: HTTPFields = [.contentType: "text/plain; charset=utf-8"]
        if error.code == .unauthenticated { headers[.wwwAuthenticate] = "Basic realm=\"slipway\"" }
        return Response(status: error.code.httpStatus, headers: headers, body: .init(byteBuffer: ByteBuffer(string: error.description + "\n")))
    }
}
