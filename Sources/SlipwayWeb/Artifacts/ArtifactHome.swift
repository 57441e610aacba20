import SlipwayCore

/// Whose files are looked at.
package enum ArtifactHome: Sendable, Hashable {
    case run(String)
    case loggedModel(String)
    case version(model: String, Int)

    /// - Parameter path: a folder or a file; nil for the root.
    func browse(_ environment: EnvironmentID, _ path: String? = nil) -> SitePath { .artifacts(environment, self, path: path) }
    func raw(_ environment: EnvironmentID, _ path: String, isSaved: Bool = false) -> SitePath { .artifact(environment, self, path: path, isSaved: isSaved) }

    /// `["runs", "…"]`
    var parts: [String] {
        switch self {
        case .run(let id): ["runs", id]
        case .loggedModel(let id): ["logged-models", id]
        case .version(let model, let version): ["models", model, "versions", String(version)]
        }
    }
}

/// How a file can be shown, by its name.
enum ArtifactKind: Sendable {
    case picture(type: String)
    case table(separator: Character)
    case json
    case text
    /// A page of its own, shown in a frame that may run its scripts and reach nothing.
    case page
    case other

    init(name: String) {
        let ending = name.split(separator: ".").count > 1 ? name.split(separator: ".").last.map { $0.lowercased() } ?? "" : ""
        if let type = Self.pictures[ending] {
            self = .picture(type: type)
        } else if ending == "csv" {
            self = .table(separator: ",")
        } else if ending == "tsv" {
            self = .table(separator: "\t")
        } else if ["json", "ipynb", "geojson"].contains(ending) {
            self = .json
        } else if ["html", "htm"].contains(ending) {
            self = .page
        } else if Self.texts.contains(ending) || Self.names.contains(name) {
            self = .text
        } else {
            self = .other
        }
    }

    private static let pictures = [
        "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp", "svg": "image/svg+xml", "bmp": "image/bmp",
    ]
    private static let texts: Set<String> = [
        "txt", "md", "markdown", "rst", "yaml", "yml", "toml", "ini", "cfg", "conf", "log", "py", "r", "sql", "sh", "js", "css", "xml", "jsonl", "ndjson", "tex", "swift",
        "mlmodel", "properties", "lock",
    ]
    private static let names: Set<String> = ["MLmodel", "Dockerfile", "Makefile", "README", "LICENSE", "requirements.txt"]

    var type: String {
        switch self {
        case .picture(let type): type
        case .table, .json, .text: "text/plain; charset=utf-8"
        case .page: "text/html; charset=utf-8"
        case .other: "application/octet-stream"
        }
    }

    /// Whatever somebody logged is shown without any right: no form, no request, not even as a document of this site. A page of its own
    /// may run the scripts that it brought along; its origin is nobody's, so neither the session nor another page is in its reach.
    var policy: String {
        switch self {
        case .page:
            "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' data: blob:; style-src 'unsafe-inline' data:; img-src data: blob:; "
                + "font-src data:; media-src data: blob:; worker-src blob:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
        case .picture, .table, .json, .text, .other: "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
        }
    }
}
