import ArgumentParser
import Crypto
import Foundation
import SlipwayBlobs
import SlipwayClient
import SlipwayCore
import SlipwayWire
import Synchronization

struct DataImport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Make a snapshot of files and folders (stewards). Bytes that the server has are not sent again.",
        discussion: "Example: slipway data import prod/flights ./flights-2013-q1 --tag 2013-03")
    @Argument(help: "The dataset, such as prod/flights.") var dataset: SnapshotName
    @Argument(help: "Files and folders. The content of a single folder becomes the snapshot's root.") var paths: [String]
    @Option(help: "Name the snapshot.") var tag: String?
    @Option(help: "A remark that is shown with it.") var label: String?
    @Option(help: "How long it lives, such as 14d; else what slipway.yaml says, else 30d in dev.") var expire: String?
    @OptionGroup var data: DataConnection

    func run() async throws {
        let client = try data.patient()
        let found = try LocalFiles.find(paths)
        let total = found.reduce(Int64(0)) { $0 + $1.size }
        let hashing = SharedProgress("Reading", total: total)
        var files: [LocalFiles.Hashed] = []
        for file in found {
            files.append(.init(file: file, digest: try ContentDigest(ofFile: file.url)))
            hashing.add(file.size, file.path)
        }
        hashing.finish()
        let sent = try await send(files, with: client)
        let snapshot = try await client.post(
            "\(dataset.datasetPath)/snapshots\(data.query())",
            WireImport(files: files.map { WireFile(path: $0.file.path, sha256: $0.digest.rawValue, sizeBytes: $0.file.size) }, label: label, tag: tag, expire: expire),
            as: WireSnapshot.self)
        if data.isJSON { return try Output.json(snapshot) }
        Output.note(
            "\(snapshot.isNew == false ? "The same as" : "Made") \(snapshot.environment)/\(snapshot.dataset)@\(snapshot.id): \(snapshot.files) files, "
                + "\(DataText.size(snapshot.sizeBytes)), of which \(DataText.size(sent)) were sent.")
        DataText.show(snapshot)
    }

    /// - Returns: the bytes that had to go over the wire.
    private func send(_ files: [LocalFiles.Hashed], with client: APIClient) async throws -> Int64 {
        let base = "/api/v1/\(dataset.environment.rawValue)/data"
        let query = try data.query()
        var missing: Set<String> = []
        let digests = Array(Set(files.map(\.digest.rawValue))).sorted()
        for start in stride(from: 0, to: digests.count, by: 5000) {
            let part = Array(digests[start..<min(start + 5000, digests.count)])
            missing.formUnion(try await client.post("\(base)/missing\(query)", WireDigests(digests: part), as: WireDigests.self).digests)
        }
        let work = files.filter { missing.remove($0.digest.rawValue) != nil }
        let total = work.reduce(Int64(0)) { $0 + $1.file.size }
        let progress = SharedProgress("Sending", total: total)
        try await inParallel(work) { item in
            try await client.upload(file: item.file.url, size: item.file.size, to: "\(base)/blobs/\(item.digest)\(query)") { progress.add($0, item.file.path) }
        }
        progress.finish()
        return total
    }
}

struct DataMaterialise: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "materialise", abstract: "Bring a snapshot's files into a folder. Files that are there already are not fetched again.",
        discussion: "Example: slipway data materialise dev/flights@latest ./flights")
    @Argument(help: "The snapshot.") var snapshot: SnapshotName
    @Argument(help: "The folder; made when missing.") var folder: String
    @OptionGroup var data: DataConnection

    func run() async throws {
        let client = try data.patient()
        let query = try data.query()
        let found = try await client.get("\(snapshot.path)\(query)", as: WireSnapshot.self)
        let files = try await client.get("\(snapshot.datasetPath)/snapshots/\(found.id)/files\(query)", as: WirePage<WireFile>.self).items
        let folder = URL(filePath: folder)
        let base = "/api/v1/\(snapshot.environment.rawValue)/data/blobs"
        let progress = SharedProgress("Fetching", total: found.sizeBytes)
        try await inParallel(files) { file in
            try RelativePath.check(file.path)
            let digest = try ContentDigest(parsing: file.sha256)
            let target = folder.appending(path: file.path)
            if FileManager.default.fileExists(atPath: target.path), try ContentDigest(ofFile: target) == digest { return progress.add(file.sizeBytes, file.path) }
            try FileManager.default.createDirectory(at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
            try await fetch("\(base)/\(digest)", digest, to: target, client, progress)
        }
        progress.finish()
        if data.isJSON { return try Output.json(found) }
        Output.note("\(snapshot.text) (\(found.id)) lies in '\(folder.path)': \(files.count) files, \(DataText.size(found.sizeBytes)).")
    }

    /// Written aside, verified, renamed.
    private func fetch(_ path: String, _ digest: ContentDigest, to target: URL, _ client: APIClient, _ progress: SharedProgress) async throws {
        let part = target.deletingLastPathComponent().appending(path: ".\(target.lastPathComponent).part")
        guard FileManager.default.createFile(atPath: part.path, contents: nil) else {
            throw SlipwayError(.unavailable, "'\(part.path)' cannot be written.", remedy: "Choose another folder.")
        }
        let handle = try FileHandle(forWritingTo: part)
        var hasher = SHA256()
        try await client.download(path) { piece in
            hasher.update(data: piece)
            try handle.write(contentsOf: piece)
            progress.add(Int64(piece.count), target.lastPathComponent)
        }
        try handle.close()
        guard ContentDigest(hasher.finalize()) == digest else {
            try FileManager.default.removeItem(at: part)
            throw SlipwayError(.unavailable, "'\(target.lastPathComponent)' did not arrive whole.", remedy: "Repeat the command; what is there is kept.")
        }
        guard rename(part.path, target.path) == 0 else {
            throw SlipwayError(.unavailable, "'\(target.path)' cannot be written: \(String(cString: strerror(errno))).", remedy: "Choose another folder.")
        }
    }
}

/// Files of this machine with the paths they get in a snapshot.
enum LocalFiles {
    struct Found: Sendable { var url: URL; var path: String; var size: Int64 }
    struct Hashed: Sendable { var file: Found; var digest: ContentDigest }

    static func find(_ paths: [String]) throws -> [Found] {
        var found: [Found] = []
        for path in paths {
            let url = URL(filePath: path).resolvingSymlinksInPath()
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else { throw SlipwayError.notFound("There is no file or folder '\(path)'.") }
            if !isFolder.boolValue { found.append(try entry(url, url.lastPathComponent)); continue }
            let prefix = paths.count == 1 ? "" : url.lastPathComponent + "/"
            for inner in try walk(url) { found.append(try entry(url.appending(path: inner), prefix + inner)) }
        }
        guard !found.isEmpty else { throw SlipwayError.invalid("There is no file in \(paths.joined(separator: ", ")).") }
        for file in found { try RelativePath.check(file.path) }
        if let twice = Dictionary(grouping: found, by: \.path).first(where: { $1.count > 1 }) { throw SlipwayError.invalid("The path '\(twice.key)' appears twice.") }
        return found.sorted { $0.path < $1.path }
    }

    private static func walk(_ folder: URL) throws -> [String] {
        let keys: Set<URLResourceKey> = [.isRegularFileKey, .isSymbolicLinkKey, .isDirectoryKey]
        guard let walk = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: Array(keys)) else {
            throw SlipwayError.notFound("'\(folder.path)' cannot be read.")
        }
        var paths: [String] = []
        for case let file as URL in walk {
            let values = try file.resourceValues(forKeys: keys)
            let path = String(file.path.dropFirst(folder.path.count + 1))
            if values.isSymbolicLink == true { throw SlipwayError.invalid("'\(path)' is a link.", remedy: "Put the file itself in its place.") }
            if values.isRegularFile == true { paths.append(path) }
        }
        return paths
    }

    private static func entry(_ url: URL, _ path: String) throws -> Found {
        let attributes = try FileManager.default.attributesOfItem(atPath: url.path)
        return Found(url: url, path: path, size: (attributes[.size] as? NSNumber)?.int64Value ?? 0)
    }
}

/// A progress bar that several transfers move.
final class SharedProgress: Sendable {
    private let state: Mutex<(bar: ProgressBar, done: Int64)>

    init(_ label: String, total: Int64) { state = Mutex((ProgressBar(label, total: total), 0)) }

    func add(_ bytes: Int64, _ detail: String) {
        state.withLock { state in
            state.done += bytes
            state.bar.update(state.done, "\(DataText.size(state.done)) \(detail)")
        }
    }

    func finish() { state.withLock { $0.bar.finish() } }
}

/// Runs at most eight at a time; the first error ends the rest.
func inParallel<Item: Sendable>(_ items: [Item], _ body: @escaping @Sendable (Item) async throws -> Void) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
        for (index, item) in items.enumerated() {
            if index >= 8 { try await group.next() }
            group.addTask { try await body(item) }
        }
        try await group.waitForAll()
    }
}
