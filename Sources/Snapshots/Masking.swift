import Crypto
import Foundation
import SlipwayCore
import SlipwayRuntime
import SlipwayStore

/// The secret that masks rows when they leave a realm. It lies in the realm's own folder and is applied there; only hashes leave.
///
/// One key per realm and project, so that equal values stay equal in every dataset of a project (joins survive), and nothing can be
/// compared across projects or with another realm.
package struct MaskingKey: Sendable {
    private let file: URL

    package init(realm: Realm) { file = realm.directory.appending(path: "masking.key") }
    init(file: URL) { self.file = file }

    /// The project's key. The realm's secret is made at the first use.
    /// - Throws: `unavailable` when the file cannot be read or is not a key.
    package func key(for project: ProjectName) throws -> [UInt8] {
        let secret = try secret()
        return Array(HMAC<SHA256>.authenticationCode(for: Array("slipway masking \(project)".utf8), using: SymmetricKey(data: secret)))
    }

    private func secret() throws -> [UInt8] {
        if let found = try read() { return found }
        let fresh = file.deletingLastPathComponent().appending(path: "masking.key.\(UUID().uuidString)")
        let text = SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) }.hexadecimal
        let descriptor = open(fresh.path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o400)
        guard descriptor >= 0 else { throw fault("cannot be made: \(String(cString: strerror(errno)))") }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        try handle.write(contentsOf: Data(text.utf8))
        try handle.synchronize()
        try handle.close()
        // A link never replaces a key that somebody else made meanwhile: the first one stays.
        let linked = link(fresh.path, file.path) == 0 || errno == EEXIST
        unlink(fresh.path)
        guard linked, let kept = try read() else { throw fault("cannot be kept") }
        return kept
    }

    private func read() throws -> [UInt8]? {
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        let text = String(decoding: try Data(contentsOf: file), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard text.utf8.count == 64, text.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else { throw fault("holds no key") }
        let digits = Array(text.utf8)
        return stride(from: 0, to: 64, by: 2).compactMap { UInt8(String(decoding: digits[$0...$0 + 1], as: UTF8.self), radix: 16) }
    }

    private func fault(_ what: String) -> SlipwayError {
        SlipwayError(
            .unavailable, "The masking key '\(file.lastPathComponent)' \(what).",
            remedy: "Restore it from a backup; with a new key masked values no longer match those of earlier snapshots.")
    }
}

/// HMAC-SHA256 (RFC 2104) as DuckDB's SQL, which has SHA-256 only. The padded keys travel as variables, so no statement and no error shows them.
enum MaskingSQL {
    private static let blockSize = 64

    static func variables(_ key: [UInt8]) -> [String: String] {
        let padded = key + Array(repeating: 0, count: blockSize - key.count)
        return ["mask_inner": padded.map { $0 ^ 0x36 }.hexadecimal, "mask_outer": padded.map { $0 ^ 0x5C }.hexadecimal]
    }

    /// Text becomes 32 hexadecimal digits, whole numbers a whole number of 60 bits; what is missing stays missing.
    static func hash(_ column: String, isInteger: Bool) -> String {
        let name = DuckDB.identifier(column)
        let inner = "unhex(sha256(unhex(getvariable('mask_inner')) || encode(CAST(\(name) AS VARCHAR))))"
        let digest = "sha256(unhex(getvariable('mask_outer')) || \(inner))"
        let masked = isInteger ? "CAST('0x' || left(\(digest), 15) AS BIGINT)" : "left(\(digest), 32)"
        return "CASE WHEN \(name) IS NULL THEN NULL ELSE \(masked) END"
    }

    /// Keeps a share of the rows, the same ones each time: a row stays when its own hash is small enough.
    static func sample(_ share: Double) -> String {
        "md5_number_lower(CAST(source_row AS VARCHAR)) < CAST(\(threshold(share)) AS UBIGINT)"
    }

    static func threshold(_ share: Double) -> UInt64 {
        let wide = share * 18_446_744_073_709_551_616.0
        return wide >= 18_446_744_073_709_549_568.0 ? .max : UInt64(wide)
    }
}
