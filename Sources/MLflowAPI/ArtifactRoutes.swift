import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Registry
import SlipwayCore
import SlipwayHTTP
import Tracking

/// The artifact proxy: `mlflow-artifacts/artifacts/…`, streamed both ways.
struct ArtifactRoutes: Sendable {
    let realm: MLflowRealm
    private var tracking: TrackingService { realm.tracking }

    init(realm: MLflowRealm) { self.realm = realm }

    private static let mark = "/mlflow-artifacts/artifacts/"

    func add(to router: MLflowRouter<some Any>) {
        router.on(.get, "mlflow-artifacts/artifacts", list)
        router.raw(.get, "mlflow-artifacts/artifacts/**", download)
        router.raw(.put, "mlflow-artifacts/artifacts/**", upload)
        router.raw(.delete, "mlflow-artifacts/artifacts/**", delete)
        for verb in ["create", "complete", "abort"] {
            router.raw(.post, "mlflow-artifacts/mpu/\(verb)/**") { _, _ in Self.notImplemented }
        }
        router.raw(.get, "mlflow-artifacts/presigned/**") { _, _ in Self.notImplemented }
        router.raw(.post, "mlflow/upload-artifact", uploadToRun)
    }

    /// What MLflow's pages link to.
    func addPages(to router: MLflowRouter<some Any>) {
        router.raw(.get, "get-artifact", ofRun)
        router.raw(.get, "model-versions/get-artifact", ofVersion)
    }

    /// Clients then send the whole file with one PUT.
    private static var notImplemented: Response {
        MLflowErrorMiddleware.response("NOT_IMPLEMENTED", .notImplemented, "Multipart and presigned transfers are not offered; send the file with PUT.")
    }

    @Sendable private func list(_ fields: Fields, caller: Caller) async throws -> JSON {
        let path = try fields.string("path").map { try ArtifactPath.checked($0) }
        let entries = try await tracking.listArtifacts(path, by: caller)
        return .object { $0.files(entries, below: nil) }
    }

    @Sendable private func download(_ request: Request, context: SlipwayContext) async throws -> Response {
        let file = try await tracking.artifact(path(of: request), by: context.caller)
        return try await FileReply.send(file, for: request, context: context)
    }

    @Sendable private func upload(_ request: Request, context: SlipwayContext) async throws -> Response {
        try await tracking.upload(path(of: request), pieces: request.body.map { Array($0.readableBytesView) }, by: context.caller)
        return Response(status: .ok)
    }

    @Sendable private func delete(_ request: Request, context: SlipwayContext) async throws -> Response {
        try await tracking.deleteArtifacts(path(of: request), by: context.caller)
        return JSON.empty.response
    }

    @Sendable private func ofRun(_ request: Request, context: SlipwayContext) async throws -> Response {
        let fields = try await Fields(request, context: context)
        let file = try await tracking.artifact(ArtifactPath.checked(fields.required("path")), ofRun: fields.runID(), by: context.caller)
        return try await FileReply.send(file, for: request, context: context)
    }

    @Sendable private func ofVersion(_ request: Request, context: SlipwayContext) async throws -> Response {
        let fields = try await Fields(request, context: context)
        let below = try ArtifactPath.checked(fields.required("path"))
        let version = try await realm.registry.version(fields.version(), of: fields.required("name"), by: context.caller)
        guard let root = ArtifactRoot.proxiedPath(of: version.artifactRoot) else { throw SlipwayError.notFound("The files of this version lie outside Slipway.") }
        let file = try await tracking.artifact(root.isEmpty ? below : "\(root)/\(below)", by: context.caller)
        return try await FileReply.send(file, for: request, context: context)
    }

    /// Small files from MLflow's pages.
    @Sendable private func uploadToRun(_ request: Request, context: SlipwayContext) async throws -> Response {
        let fields = Fields(Fields.query(request.uri.query ?? ""), isQuery: true)
        guard let id = try fields.string("run_uuid") ?? fields.string("run_id"), !id.isEmpty else { throw SlipwayError.invalid("Request must specify run_uuid.") }
        guard let named = try fields.string("path"), !named.isEmpty else { throw SlipwayError.invalid("Request must specify path.") }
        let path = try ArtifactPath.checked(named)
        let bytes = try await request.bodyBytes(upTo: 10 << 20)
        guard !bytes.isEmpty else { throw SlipwayError.invalid("Request must specify data.") }
        try await tracking.upload(
            path, ofRun: id,
            pieces: AsyncStream {
                $0.yield(bytes); $0.finish()
            }, by: context.caller)
        return JSON.empty.response
    }

    /// The path after the mark, decoded once.
    private func path(of request: Request) throws -> String {
        guard let mark = request.uri.path.range(of: Self.mark), let path = String(request.uri.path[mark.upperBound...]).removingPercentEncoding else {
            throw SlipwayError.invalid("Invalid path.")
        }
        return try ArtifactPath.checked(path)
    }
}

/// Paths that clients name.
enum ArtifactPath {
    /// - Throws: `invalidArgument` for a path that leaves its folder, is absolute, names a drive, or would do so when decoded once more.
    static func checked(_ path: String) throws -> String {
        var path = path
        while path.hasSuffix("/") { path.removeLast() }
        var decoded = path
        for _ in 0..<3 {
            try RelativePath.check(decoded)
            let drive = decoded.prefix(2)
            guard !(drive.count == 2 && drive.last == ":" && drive.first?.isLetter == true), !decoded.hasPrefix("file:") else {
                throw SlipwayError.invalid("Invalid path '\(path.prefix(80))'.")
            }
            guard let again = decoded.removingPercentEncoding, again != decoded else { return path }
            decoded = again
        }
        throw SlipwayError.invalid("Invalid path '\(path.prefix(80))'.")
    }
}

/// A stored file as a response, whole or in part.
enum FileReply {
    static func send(_ file: ArtifactFile, for request: Request, context: SlipwayContext) async throws -> Response {
        var headers: HTTPFields = [
            .contentType: type(of: file.name), .acceptRanges: "bytes", .eTag: "\"\(file.tag)\"",
            .contentDisposition: disposition(file.name),
        ]
        headers[HTTPField.Name("X-Content-Type-Options")!] = "nosniff"
        let io = FileIO()
        guard let text = request.headers[.range] else {
            return Response(status: .ok, headers: headers, body: try await io.loadFile(path: file.file.path, context: context))
        }
        switch ByteRange(parsing: text, size: file.size) {
        case .whole: return Response(status: .ok, headers: headers, body: try await io.loadFile(path: file.file.path, context: context))
        case .part(let range):
            headers[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound)/\(file.size)"
            return Response(status: .partialContent, headers: headers, body: try await io.loadFile(path: file.file.path, range: range, context: context))
        case .unsatisfiable:
            headers[.contentRange] = "bytes */\(file.size)"
            return Response(status: .rangeNotSatisfiable, headers: headers)
        }
    }

    private static func disposition(_ name: String) -> String {
        let isToken = !name.isEmpty && name.utf8.allSatisfy { (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || [43, 45, 46, 95].contains($0) }
        if isToken { return "attachment; filename=\(name)" }
        if name.utf8.allSatisfy({ (32...126).contains($0) && $0 != 34 && $0 != 92 }) { return "attachment; filename=\"\(name)\"" }
        return "attachment; filename*=UTF-8''\(name.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "file")"
    }

    /// What people read is plain text, whatever its language: a browser shows it and runs nothing.
    private static func type(of name: String) -> String {
        let lower = name.lowercased()
        let ending = lower.split(separator: ".").last.map(String.init) ?? ""
        if lower == "mlmodel" || lower == "mlproject" || (lower.contains(".") && texts.contains(ending)) { return "text/plain" }
        return types[ending] ?? "application/octet-stream"
    }

    private static let texts: Set = [
        "txt", "log", "err", "cfg", "conf", "cnf", "cf", "ini", "properties", "prop", "hocon", "toml", "yaml", "yml", "xml", "json", "js", "py", "py3", "csv", "tsv",
        "md", "rst", "mlmodel", "mlproject",
    ]
    private static let types = [
        "html": "text/html", "htm": "text/html", "css": "text/css", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif",
        "svg": "image/svg+xml", "webp": "image/webp", "bmp": "image/bmp", "pdf": "application/pdf", "zip": "application/zip", "gz": "application/gzip",
        "tar": "application/x-tar", "mp4": "video/mp4", "wav": "audio/x-wav", "mp3": "audio/mpeg",
    ]
}

/// One `Range: bytes=…`. Several ranges, or another unit, mean the whole file.
enum ByteRange: Equatable {
    case whole
    case part(ClosedRange<Int>)
    case unsatisfiable

    init(parsing text: String, size: Int64) {
        guard text.hasPrefix("bytes="), !text.contains(",") else { self = .whole; return }
        let parts = text.dropFirst("bytes=".count).split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { self = .whole; return }
        let size = Int(size)
        switch (parts[0].isEmpty, Int(parts[0]), parts[1].isEmpty, Int(parts[1])) {
        case (true, _, false, let count?) where count > 0 && size > 0: self = .part(max(0, size - count)...(size - 1))
        case (true, _, false, .some): self = .unsatisfiable
        case (false, let start?, true, _) where start >= 0: self = start < size ? .part(start...(size - 1)) : .unsatisfiable
        case (false, let start?, false, let end?) where start >= 0 && end >= start:
            self = start < size ? .part(start...min(end, size - 1)) : .unsatisfiable
        default: self = .whole
        }
    }
}
