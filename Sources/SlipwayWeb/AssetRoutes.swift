import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import SlipwayCore
import SlipwayHTTP
import SlipwayRuntime

/// Styles, scripts and pictures of the pages: a few small files, read once at the start, so no request reaches the file system.
package struct AssetRoutes: Sendable {
    private struct Asset: Sendable {
        var bytes: ByteBuffer
        var kind: String
        var tag: String
    }

    private let assets: [String: Asset]

    private static let kinds = ["css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml", "txt": "text/plain; charset=utf-8"]

    /// - Throws: when the folder `web` of the resources cannot be read.
    package init(resources: ResourceFolder) throws {
        let root = resources.file("web")
        var assets: [String: Asset] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: root.path) {
            guard let kind = Self.kinds[URL(filePath: path).pathExtension] else { continue }
            let data = try Data(contentsOf: root.appending(path: path))
            assets[path] = Asset(bytes: ByteBuffer(bytes: data), kind: kind, tag: "\"\(ContentDigest(of: data).rawValue.prefix(16))\"")
        }
        self.assets = assets
    }

    package func add(to router: some RouterMethods<SlipwayContext>) {
        router.get(.init(SitePattern.asset.rawValue), use: asset)
    }

    /// `GET /assets/{path}`: 304 when the browser has it.
    @Sendable func asset(_ request: Request, context: SlipwayContext) async throws -> Response {
        let name = context.parameters.getCatchAll().joined(separator: "/")
        guard let asset = assets[name] else { throw SlipwayError.notFound("There is no asset '\(name.prefix(80))'.") }
        var headers = HTTPFields.ofPage
        headers[.eTag] = asset.tag
        // Asked again each time and mostly answered by 304: an upgraded server is never dressed in old styles.
        headers[.cacheControl] = "no-cache"
        if request.headers[.ifNoneMatch] == asset.tag { return Response(status: .notModified, headers: headers) }
        headers[.contentType] = asset.kind
        return Response(status: .ok, headers: headers, body: .init(byteBuffer: asset.bytes))
    }
}
