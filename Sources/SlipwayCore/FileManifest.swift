import Crypto
import Foundation

/// The files of a folder by digest: what a data snapshot, a step's output and a model version are made of.
///
/// The manifest's canonical JSON is stored as a blob itself, so its digest names the whole tree.
package struct FileManifest: Sendable, Hashable, Codable {
    package struct Entry: Sendable, Hashable, Codable {
        /// Relative, normalised, `/`-separated.
        package var path: String
        package var digest: ContentDigest
        package var size: Int64

        package init(path: String, digest: ContentDigest, size: Int64) {
            self.path = path
            self.digest = digest
            self.size = size
        }
    }

    /// Sorted by path.
    package let files: [Entry]

    /// - Throws: `invalidArgument` for a path that leaves the folder or appears twice.
    package init(files: [Entry]) throws {
        let sorted = files.sorted { $0.path < $1.path }
        for (index, entry) in sorted.enumerated() {
            try RelativePath.check(entry.path)
            if index > 0, sorted[index - 1].path == entry.path { throw SlipwayError.invalid("The path '\(entry.path)' appears twice.") }
        }
        self.files = sorted
    }

    package var size: Int64 { files.reduce(0) { $0 + $1.size } }
    package func entry(_ path: String) -> Entry? { files.first { $0.path == path } }

    /// Canonical JSON, the bytes that are stored.
    package func bytes() throws -> Data { Data(try CanonicalJSON.text(self).utf8) }
    /// SHA-256 of `bytes()`.
    package func digest() throws -> ContentDigest { try CanonicalJSON.digest(self) }
}

/// A path below a folder that somebody else named.
package enum RelativePath {
    /// - Throws: `invalidArgument` unless the path stays below its folder: no leading `/`, no empty, `.` or `..` part, no NUL, no backslash, at most 1024 bytes.
    package static func check(_ path: String) throws {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard !path.isEmpty, path.utf8.count <= 1024, !path.contains("\0"), !path.contains("\\"),
            parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." && $0.utf8.count <= 255 })
        else {
            throw SlipwayError.invalid("Invalid path '\(path.prefix(80))'.", remedy: "Use a relative path such as 'folder/file.txt'.")
        }
    }
}
