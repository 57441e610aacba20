import SlipwayCore

package struct ArtifactsPage: Sendable {
    /// One folder on the way to what is shown, the root first.
    package struct Level: Sendable {
        /// Nil for the root.
        package var path: String?
        package var entries: [ArtifactEntry]
        package init(path: String?, entries: [ArtifactEntry]) {
            self.path = path
            self.entries = entries
        }
    }

    package enum Preview: Sendable {
        case picture
        case text(String, isWhole: Bool)
        case table(head: [String], rows: [[String]], isWhole: Bool)
        case page
        /// Cannot be shown; why not.
        case none(String)
    }

    package struct File: Sendable {
        package var path: String
        package var sizeBytes: Int64
        /// SHA-256; nil where the bytes lie in a plain folder.
        package var digest: String?
        package var preview: Preview
        package init(path: String, sizeBytes: Int64, digest: String?, preview: Preview) {
            self.path = path
            self.sizeBytes = sizeBytes
            self.digest = digest
            self.preview = preview
        }
    }

    package var frame: PageFrame
    package var home: ArtifactHome
    /// Of the run, model or version.
    package var title: String
    /// The page of what has the files.
    package var back: SitePath
    package var levels: [Level]
    package var file: File?

    package init(frame: PageFrame, home: ArtifactHome, title: String, back: SitePath, levels: [Level], file: File? = nil) {
        self.frame = frame
        self.home = home
        self.title = title
        self.back = back
        self.levels = levels
        self.file = file
    }
}

package enum ArtifactsView {
    package static func html(_ page: ArtifactsPage) -> HTML {
        let frame = page.frame
        let (noun, section): (String, Section) =
            switch page.home {
            case .run: ("Artifacts of a run", .experiments)
            case .loggedModel: ("Files of a logged model", .experiments)
            case .version: ("Files of a model version", .models)
            }
        let isEmpty = page.levels.first?.entries.isEmpty ?? true
        let tree: HTML = isEmpty ? Piece.empty("No files yet.") : "<nav class=\"tree card\" aria-label=\"Files\">\(level(0, page))</nav>"
        let right: HTML = page.file.map { file($0, page) } ?? (isEmpty ? "" : Piece.empty("Choose a file."))
        return frame.page(
            page.title, kicker: noun, badge: "<a class=\"button\" href=\"\(page.back)\">Back</a>", in: section,
            "<div class=\"columns browser\"><div>\(tree)</div><div>\(right)</div></div>")
    }

    /// A folder, with the next one opened inside of it.
    private static func level(_ index: Int, _ page: ArtifactsPage) -> HTML {
        let level = page.levels[index]
        let next = index + 1 < page.levels.count ? page.levels[index + 1].path : nil
        let items = level.entries.prefix(entriesMax).html { entry in
            let path = level.path.map { "\($0)/\(entry.name)" } ?? entry.name
            let isHere: HTML? = path == page.file?.path ? " aria-current=\"true\"" : nil
            if let size = entry.size {
                return
                    "<li class=\"leaf\"><a href=\"\(page.home.browse(page.frame.environment, path))\"\(isHere)>\(entry.name)</a> <small>\(Spelled.size(bytes: size))</small></li>\n"
            }
            if path == next {
                return "<li class=\"open\"><a href=\"\(page.home.browse(page.frame.environment, level.path))\">\(entry.name)/</a>\(self.level(index + 1, page))</li>\n"
            }
            return "<li class=\"folder\"><a href=\"\(page.home.browse(page.frame.environment, path))\">\(entry.name)/</a></li>\n"
        }
        let more: HTML? = level.entries.count > entriesMax ? "<li class=\"none\">and \(Spelled.count(level.entries.count - entriesMax)) more</li>" : nil
        return "<ul>\(items)\(more)</ul>"
    }
    private static let entriesMax = 1000

    private static func file(_ file: ArtifactsPage.File, _ page: ArtifactsPage) -> HTML {
        let environment = page.frame.environment
        let raw = page.home.raw(environment, file.path)
        let name = file.path.split(separator: "/").last.map(String.init) ?? file.path
        let shown: HTML
        switch file.preview {
        case .picture: shown = "<img class=\"picture\" src=\"\(raw)\" alt=\"\(file.path)\">"
        case .text(let text, let isWhole): shown = "<pre class=\"log\" tabindex=\"0\">\(text)</pre>\(isWhole ? nil : cut)"
        case .table(let head, let rows, let isWhole):
            // The first column is no row's name here, but a table needs one.
            shown = "\(Piece.table(name, head.map { Piece.Column(stringLiteral: $0) }, rows.map { $0.map { "\($0)" } }))\(isWhole ? nil : cut)"
        case .page: shown = "<iframe class=\"sandboxed\" sandbox=\"allow-scripts\" src=\"\(raw)\" title=\"\(name)\"></iframe>"
        case .none(let why): shown = Piece.empty(why)
        }
        let digest: HTML? = file.digest.map { " · SHA-256 \(Piece.id($0))" }
        let save: HTML = "<a class=\"button\" href=\"\(page.home.raw(environment, file.path, isSaved: true))\" download>Download</a>"
        return """
            <section class="part"><header><h2>\(name)</h2><p class="note">\(Spelled.size(bytes: file.sizeBytes))\(digest)</p>\(save)</header>
            \(shown)</section>

            """
    }
    private static let cut: HTML = "<p class=\"note small\">Only the beginning is shown.</p>"
}
