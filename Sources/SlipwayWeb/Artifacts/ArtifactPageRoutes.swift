import Foundation
import HTTPTypes
import Hummingbird
import Registry
import SlipwayCore
import SlipwayHTTP
import Tracking

/// `…/artifacts` and `…/artifact` below a run, a logged model and a model version.
package struct ArtifactPageRoutes: Sendable {
    let rooms: WebRooms

    private static let previewMax = 256 << 10
    private static let rowsMax = 200
    private static let cellsMax = 60

    package init(rooms: WebRooms) { self.rooms = rooms }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        for pattern in [SitePattern.runArtifacts, .loggedModelArtifacts, .versionArtifacts] { router.get(.init(pattern.rawValue), use: browse) }
        for pattern in [SitePattern.runArtifact, .loggedModelArtifact, .versionArtifact] { router.get(.init(pattern.rawValue), use: raw) }
    }

    private func home(_ context: SlipwayContext) throws -> ArtifactHome {
        if context.parameters.get("version") != nil {
            guard let version = Int(try context.parameter("version")) else { throw SlipwayError.invalid("A version is a number.") }
            return .version(model: try context.parameter("name"), version)
        }
        let id = try context.parameter("id")
        return id.hasPrefix("m-") ? .loggedModel(id) : .run(id)
    }

    /// `GET …/artifacts?path=`: the folders on the way, and the file when the path is one.
    @Sendable func browse(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let files = ArtifactReader(home: try home(context), tracking: try rooms.room(rooms.tracking, environment), registry: rooms.registries[environment], caller: context.caller)
        let path = QueryFields(request)["path"]
        var levels = [ArtifactsPage.Level(path: nil, entries: try await files.list(nil))]
        var file: ArtifactsPage.File?
        var folder: String?
        for name in (path ?? "").split(separator: "/").prefix(64) {
            let next = folder.map { "\($0)/\(name)" } ?? String(name)
            guard let entry = levels.last?.entries.first(where: { $0.name == name }) else { throw SlipwayError.notFound("There is no artifact at '\((path ?? "").prefix(200))'.") }
            if entry.size != nil {
                file = try await preview(next, files)
            } else {
                levels.append(.init(path: next, entries: try await files.list(next)))
            }
            folder = next
        }
        let (title, back) = try await files.title(in: environment)
        return .page(
            ArtifactsView.html(
                ArtifactsPage(frame: rooms.frame(environment, context.caller), home: files.home, title: title, back: back, levels: levels, file: file)))
    }

    private func preview(_ path: String, _ files: ArtifactReader) async throws -> ArtifactsPage.File {
        let found = try await files.file(path)
        func shown(_ preview: ArtifactsPage.Preview) -> ArtifactsPage.File {
            ArtifactsPage.File(path: path, sizeBytes: found.size, digest: found.tag.utf8.count == 64 ? found.tag : nil, preview: preview)
        }
        let kind = ArtifactKind(name: found.name)
        switch kind {
        case .picture: return shown(.picture)
        case .page: return shown(.page)
        case .other where found.size > Self.previewMax: return shown(.none("There is no preview of this kind of file."))
        case .other, .text, .json, .table: break
        }
        let bytes = try await offload {
            let handle = try FileHandle(forReadingFrom: found.file)
            defer { try? handle.close() }  // only read from
            return try handle.read(upToCount: Self.previewMax) ?? Data()
        }
        let isWhole = Int64(bytes.count) == found.size
        // A file of a name that says nothing is text when it has no byte that text never has.
        if case .other = kind, bytes.contains(0) || String(data: bytes, encoding: .utf8) == nil { return shown(.none("There is no preview of this kind of file.")) }
        let text = String(decoding: bytes, as: UTF8.self)
        switch kind {
        case .table(let separator):
            let (rows, isAll) = ArtifactText.rows(text, separator: separator, rowsMax: Self.rowsMax + 1, cellsMax: Self.cellsMax)
            guard let head = rows.first else { return shown(.none("The file is empty.")) }
            // The last row may be cut in the middle.
            let body = rows.dropFirst().prefix(isAll && !isWhole ? max(0, rows.count - 2) : Self.rowsMax)
            return shown(.table(head: head, rows: Array(body), isWhole: isAll && isWhole))
        case .json where isWhole:
            if let table = ArtifactText.table(text, rowsMax: Self.rowsMax) { return shown(.table(head: table.head, rows: table.rows, isWhole: table.isWhole)) }
            return shown(.text(text.contains("\n") ? text : ArtifactText.indented(text), isWhole: true))
        default: return shown(text.isEmpty ? .none("The file is empty.") : .text(text, isWhole: isWhole))
        }
    }

    /// `GET …/artifact?path=&save=1`: pictures, texts and pages to look at, everything else to save.
    @Sendable func raw(_ request: Request, context: SlipwayContext) async throws -> Response {
        let environment = try context.environment()
        let fields = QueryFields(request)
        let files = ArtifactReader(home: try home(context), tracking: try rooms.room(rooms.tracking, environment), registry: rooms.registries[environment], caller: context.caller)
        let found = try await files.file(fields["path"] ?? "")
        let kind = ArtifactKind(name: found.name)
        var headers = HTTPFields.ofPage
        headers[.contentSecurityPolicy] = kind.policy
        headers[.contentLength] = String(found.size)
        headers[.eTag] = "\"\(found.tag)\""
        headers[.contentType] = kind.type
        var isSaved = fields["save"] != nil
        if case .other = kind { isSaved = true }
        if isSaved {
            let name = found.name.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(.init(charactersIn: "._-"))) ?? "artifact"
            headers[.contentDisposition] = "attachment; filename*=UTF-8''\(name)"
        }
        return Response(status: .ok, headers: headers, body: try await FileIO().loadFile(path: found.file.path, context: context))
    }
}

/// The files of one home, through the use cases that ask the caller.
private struct ArtifactReader {
    let home: ArtifactHome
    let tracking: TrackingService
    let registry: RegistryService?
    let caller: Caller

    /// What has the files, and its page.
    func title(in environment: EnvironmentID) async throws -> (String, SitePath) {
        switch home {
        case .run(let id): return (try await tracking.run(id, by: caller).run.name, .run(environment, id))
        case .loggedModel(let id):
            let model = try await tracking.loggedModel(id, by: caller).model
            return (model.name, model.sourceRun.map { .run(environment, $0) } ?? .experiment(environment, model.experiment))
        case .version(let model, let version): return ("\(model) v\(version)", .version(environment, model, version))
        }
    }

    func list(_ path: String?) async throws -> [ArtifactEntry] {
        switch home {
        case .run(let id): try await tracking.listArtifacts(ofRun: id, path: path, by: caller).entries
        case .loggedModel(let id): try await tracking.listArtifacts(ofLoggedModel: id, path: path, by: caller).entries
        case .version: try await frozen(path).asyncMap { try await tracking.listArtifacts($0, by: caller) } ?? []
        }
    }

    func file(_ path: String) async throws -> ArtifactFile {
        switch home {
        case .run(let id): return try await tracking.artifact(path, ofRun: id, by: caller)
        case .loggedModel(let id): return try await tracking.artifact(path, ofLoggedModel: id, by: caller)
        case .version:
            guard let path = try await frozen(path) else { throw SlipwayError.notFound("The version's files lie outside Slipway.") }
            return try await tracking.artifact(path, by: caller)
        }
    }

    /// The place of a version's file as the proxy names it; nil when its files lie elsewhere.
    private func frozen(_ path: String?) async throws -> String? {
        guard case .version(let model, let number) = home else { return nil }
        guard let registry else { throw SlipwayError(.unavailable, "The registry does not run in this process.") }
        let version = try await registry.version(number, of: model, by: caller)
        guard version.manifestDigest != nil else { return nil }
        let root = version.artifactRoot.dropFirst(ArtifactRoot.scheme.count)
        return path.map { "\(root)/\($0)" } ?? String(root)
    }
}
