import Foundation
import SlipwayBlobs
import SlipwayCore

/// What a data folder holds besides databases and blobs, as far as it cannot be made again: Git repositories, captures, labels, logs of steps.
enum LooseFiles {
    /// Made anew at the start, or by need; or told elsewhere.
    private static let skippedAtTop: Set<String> = ["environments", "lock", "server.json", "first-start-secret", "before-upgrade"]
    private static let skippedInRealm: Set<String> = ["blobs", "serving"]
    /// Of an execution only what people look at later; its folders are made of blobs.
    private static let keptOfExecutions: Set<String> = ["log", "exit.json"]

    /// Paths below `root`, in an order that keeps Git whole: references before the objects they name, since objects are written first.
    static func find(in root: URL) throws -> [String] {
        var found: [String] = []
        for name in try names(in: root) where !skippedAtTop.contains(name) && !isDatabase(name) && !name.hasPrefix("rehearsal-") {
            if name == "git" {
                let paths = try walk(root, name)
                found += paths.filter { !isGitObject($0) } + paths.filter(isGitObject)
            } else if EnvironmentID(rawValue: name) != nil {
                for inner in try names(in: root.appending(path: name)) where !skippedInRealm.contains(inner) && !isDatabase(inner) {
                    let paths = try walk(root, "\(name)/\(inner)")
                    found += inner == "executions" ? paths.filter { keptOfExecutions.contains($0.split(separator: "/").last.map(String.init) ?? "") } : paths
                }
            } else {
                found += try walk(root, name)
            }
        }
        return found.filter { !$0.split(separator: "/").contains("incoming") }
    }

    private static func isDatabase(_ name: String) -> Bool { [".sqlite", ".sqlite-wal", ".sqlite-shm", ".sqlite-journal"].contains { name.hasSuffix($0) } }
    private static func isGitObject(_ path: String) -> Bool { path.contains("/objects/") }

    private static func names(in folder: URL) throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() }

    /// Regular files only: a link may lead out of the folder, a socket is nothing to keep.
    private static func walk(_ root: URL, _ path: String) throws -> [String] {
        let url = root.appending(path: path)
        var status = stat()
        guard lstat(url.path, &status) == 0 else { return [] }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return [path]
        case S_IFDIR:
            let inner: [String]
            do {
                inner = try names(in: url)
            } catch CocoaError.fileReadNoSuchFile {
                return []
            }
            return try inner.flatMap { try walk(root, "\(path)/\($0)") }
        default: return []
        }
    }

    /// Stores the file's bytes.
    /// - Returns: nil when it went away meanwhile.
    static func store(_ path: String, of root: URL, in blobs: BlobFolder) throws -> BackupRecord.Loose? {
        let file = root.appending(path: path)
        var status = stat()
        guard lstat(file.path, &status) == 0, FileManager.default.isReadableFile(atPath: file.path) else { return nil }
        let digest: ContentDigest
        do {
            digest = try blobs.put(file: file)
        } catch CocoaError.fileReadNoSuchFile {
            return nil
        } catch CocoaError.fileNoSuchFile {
            return nil
        }
        return .init(path: path, digest: digest, size: try blobs.size(of: digest) ?? 0, mode: Int(status.st_mode & 0o777))
    }

    static func lines(_ files: [BackupRecord.Loose]) throws -> String {
        try files.sorted { $0.path < $1.path }.map { try CanonicalJSON.text($0) + "\n" }.joined()
    }

    static func parse(_ data: Data) throws -> [BackupRecord.Loose] {
        try data.split(separator: UInt8(ascii: "\n")).map { line in
            let file = try JSONDecoder().decode(BackupRecord.Loose.self, from: Data(line))
            try RelativePath.check(file.path)
            return file
        }
    }
}
