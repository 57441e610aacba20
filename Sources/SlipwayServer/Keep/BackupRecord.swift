import Foundation
import SlipwayCore

/// What a whole backup says of itself: `backup.json`, written last, in a folder that gets its name after it.
package struct BackupRecord: Sendable, Hashable, Codable {
    package static let fileName = "backup.json"
    package static let formatNow = 1

    /// A file of the backup with its digest.
    package struct Piece: Sendable, Hashable, Codable {
        /// Below the backup's folder, and where a restore puts it below the data folder.
        package var path: String
        package var digest: ContentDigest
        package var size: Int64
    }

    /// A list of blobs of one environment: `<digest> <size>` a line, sorted.
    package struct BlobList: Sendable, Hashable, Codable {
        package var environment: EnvironmentID
        package var list: Piece
        package var count: Int
        package var bytes: Int64
    }

    /// A file outside databases and blobs, such as a Git object or a capture; its bytes lie among the blobs.
    package struct Loose: Sendable, Hashable, Codable {
        package var path: String
        package var digest: ContentDigest
        package var size: Int64
        package var mode: Int
    }

    package var format: Int
    /// The folder's name: when it was made, such as `20261124-172000-123`.
    package var id: String
    package var madeAt: String
    /// The version of the binary.
    package var madeBy: String
    package var databases: [Piece]
    package var blobs: [BlobList]
    /// A list of `Loose`, one JSON a line.
    package var files: Piece
    package var fileCount: Int
    package var fileBytes: Int64
    /// Bytes that were damaged in the data folder already, and are not in the backup: `dev: <digest>`.
    package var damaged: [String]

    package var bytes: Int64 { databases.reduce(0) { $0 + $1.size } + blobs.reduce(0) { $0 + $1.bytes } + fileBytes }
}

/// How far a long work is, in bytes or in whatever `phase` counts.
package struct KeepProgress: Sendable {
    package var phase: String
    package var done: Int64
    package var total: Int64
    package var detail: String
}

package typealias ReportProgress = @Sendable (KeepProgress) -> Void

/// One line of a blob list.
enum BlobLine {
    static func text(_ blobs: [(digest: ContentDigest, size: Int64)]) -> String {
        blobs.sorted { $0.digest.rawValue < $1.digest.rawValue }.map { "\($0.digest) \($0.size)\n" }.joined()
    }

    static func parse(_ data: Data) throws -> [(digest: ContentDigest, size: Int64)] {
        try String(decoding: data, as: UTF8.self).split(separator: "\n").map { line in
            let parts = line.split(separator: " ")
            guard parts.count == 2, let digest = ContentDigest(rawValue: String(parts[0])), let size = Int64(parts[1]) else {
                throw SlipwayError.invalid("The blob list has a line '\(line.prefix(80))'.", remedy: "Use another backup: slipway backup FOLDER --list")
            }
            return (digest, size)
        }
    }
}
