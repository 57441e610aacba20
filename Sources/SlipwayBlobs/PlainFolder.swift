import Foundation
import SlipwayCore

/// A folder of files under their own names, which other programs may read and fill: what `serve --artifacts-destination` and a local
/// `--artifact-root` name.
///
/// Paths are checked by their spelling and by where they lead: a symbolic link out of the folder is refused.
package struct PlainFolder: Sendable, Hashable {
    package let root: URL

    package init(root: URL) { self.root = root.standardizedFileURL }

    package struct File: Sendable, Hashable {
        package var url: URL
        package var size: Int64
        package var modifiedAt: Timestamp
    }

    package enum Entry: Sendable, Hashable {
        case file(File)
        case folder
    }

    /// Half-written files lie here; lists do not show it and paths below it are refused.
    private static let incoming = ".slipway-incoming"

    /// - Returns: nil when nothing is there.
    package func entry(_ path: String?) throws -> Entry? {
        guard let real = try resolved(path) else { return nil }
        var status = stat()
        guard stat(real, &status) == 0 else { return nil }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: return .folder
        case S_IFREG:
            let modified = Timestamp(milliseconds: Int64(status.st_mtim.tv_sec) * 1000 + Int64(status.st_mtim.tv_nsec) / 1_000_000)
            return .file(File(url: URL(filePath: real), size: Int64(status.st_size), modifiedAt: modified))
        default: return nil
        }
    }

    /// One level, sorted by name; empty for a file and for nothing. - Parameter path: nil for the root.
    package func list(_ path: String?) throws -> [ArtifactEntry] {
        guard case .folder = try entry(path), let real = try resolved(path) else { return [] }
        var entries: [ArtifactEntry] = []
        for name in try FileManager.default.contentsOfDirectory(atPath: real) where name != Self.incoming {
            guard let below = try? entry(path.map { "\($0)/\(name)" } ?? name) else { continue }  // a link that leaves is not ours to show
            switch below {
            case .file(let file): entries.append(ArtifactEntry(name: name, size: file.size))
            case .folder: entries.append(ArtifactEntry(name: name, size: nil))
            }
        }
        return entries.sorted { $0.name < $1.name }
    }

    /// All files below a folder, by their path from it; at most 100,000.
    package func tree(_ path: String?) throws -> [(path: String, file: File)] {
        var found: [(path: String, file: File)] = []
        var waiting: [String?] = [nil]
        while let folder = waiting.popLast() {
            let prefix = [path, folder].compactMap(\.self).joined(separator: "/")
            for listed in try list(prefix.isEmpty ? nil : prefix) {
                let below = folder.map { "\($0)/\(listed.name)" } ?? listed.name
                if listed.size == nil { waiting.append(below); continue }
                guard case .file(let file) = try entry(prefix.isEmpty ? listed.name : "\(prefix)/\(listed.name)") else { continue }
                found.append((below, file))
                guard found.count <= 100_000 else { throw SlipwayError.invalid("The folder '\(path ?? "")' has more than 100000 files.") }
            }
        }
        return found
    }

    package func makeWriter() throws -> BlobWriter {
        let folder = root.appending(path: Self.incoming)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return try BlobWriter(file: folder.appending(path: UUID().uuidString))
    }

    /// Flushes the bytes and names them, in place of the file that was there.
    /// - Throws: `invalidArgument` when the path is a folder, or a part of it is a file.
    package func finish(_ writer: BlobWriter, at path: String) throws {
        do {
            let target = try writable(path)
            _ = try writer.close()
            chmod(writer.file.path, 0o644)
            guard rename(writer.file.path, target.path) == 0 else {
                throw errno == EISDIR ? SlipwayError.invalid("'\(path)' is a folder.", remedy: "Choose another path.") : storageError("move", target)
            }
            try flushFolder(target.deletingLastPathComponent())
        } catch {
            writer.discard()
            throw error
        }
    }

    /// Removes a file or a folder; nothing there is fine.
    package func remove(_ path: String) throws {
        guard try resolved(path) != nil else { return }
        try FileManager.default.removeItem(at: root.appending(path: path))
    }

    // MARK: Where a path leads

    private func check(_ path: String) throws {
        try RelativePath.check(path)
        guard path != Self.incoming, !path.hasPrefix(Self.incoming + "/") else { throw SlipwayError.invalid("Invalid path '\(path.prefix(80))'.") }
    }

    private func resolved(_ path: String?) throws -> String? {
        if let path { try check(path) }
        guard let base = Self.real(root.path), let real = Self.real(path.map { root.appending(path: $0).path } ?? root.path) else { return nil }
        guard real == base || real.hasPrefix(base == "/" ? base : base + "/") else { throw leaves(path ?? "") }
        return real
    }

    /// Makes the folders above the path.
    private func writable(_ path: String) throws -> URL {
        try check(path)
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        guard let base = Self.real(root.path) else { throw storageError("open", root) }
        var folder = base
        for part in path.split(separator: "/").dropLast() {
            folder += "/\(part)"
            if mkdir(folder, 0o755) != 0, errno != EEXIST { throw storageError("make", URL(filePath: folder)) }
            guard let real = Self.real(folder), real.hasPrefix(base + "/") else { throw leaves(path) }
            var isDirectory: ObjCBool = false
            guard FileManager.default.fileExists(atPath: real, isDirectory: &isDirectory), isDirectory.boolValue else {
                throw SlipwayError.invalid("'\(part)' is a file, so '\(path)' cannot lie below it.", remedy: "Choose another path.")
            }
            folder = real
        }
        return URL(filePath: folder).appending(path: path.split(separator: "/").last.map(String.init) ?? path)
    }

    private func leaves(_ path: String) -> SlipwayError { .invalid("Invalid path '\(path.prefix(80))': it leads out of the artifacts' folder.") }

    private static func real(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
