import Foundation
import SlipwayCore

/// The captured requests of a slot as the gateway leaves them: `<time>-<n>.ndjson`, and `….open` for the one being written.
struct CaptureSegments {
    let folder: URL

    /// Closed segments as they lie, and copies of the open ones in `work`, so that a rename under way takes nothing away.
    ///
    /// A copy may end inside a line; whoever reads it drops that line.
    func files(copyingOpenOnesTo work: URL) throws -> [URL] {
        guard FileManager.default.fileExists(atPath: folder.path) else { return [] }
        // A segment that is renamed between the listing and the copy is found by its new name in the next listing.
        for _ in 0..<5 {
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            var files = names.filter { $0.hasSuffix(".ndjson") }.map { folder.appending(path: $0) }
            var isComplete = true
            for name in names where name.hasSuffix(".open") {
                let copy = work.appending(path: "open-\(UUID().uuidString).ndjson")
                do {
                    try FileManager.default.copyItem(at: folder.appending(path: name), to: copy)
                    files.append(copy)
                } catch CocoaError.fileReadNoSuchFile, CocoaError.fileNoSuchFile {
                    isComplete = false
                }
            }
            if isComplete { return files }
        }
        throw SlipwayError(.unavailable, "The captures of '\(folder.lastPathComponent)' change too fast to be read.", remedy: "Ask again in a second.")
    }

    /// When the newest row was written, about.
    func lastWrite() throws -> Timestamp? {
        guard FileManager.default.fileExists(atPath: folder.path) else { return nil }
        return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: [.contentModificationDateKey])
            .compactMap { try? $0.resourceValues(forKeys: [.contentModificationDateKey]).contentModificationDate }  // renamed meanwhile: its new name is listed too
            .max().map(Timestamp.init)
    }
}
