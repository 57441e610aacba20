import Crypto
import Foundation

/// Seals what must lie on disk unreadable: AES-256-GCM with a key that lies apart from the database.
package struct SealingKey: Sendable {
    private let key: SymmetricKey

    /// - Parameter passphrase: the key is derived from it (HKDF-SHA-256).
    package init(passphrase: String) {
        key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: Data(passphrase.utf8)), salt: Data("slipway sealing".utf8), info: Data(), outputByteCount: 32)
    }

    /// - Parameter file: 32 random bytes, readable by the owner only; made when it is missing.
    package init(file: URL) throws {
        if !FileManager.default.fileExists(atPath: file.path) {
            let fresh = SymmetricKey(size: .bits256).withUnsafeBytes { Data($0) }
            let descriptor = open(file.path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
            guard descriptor >= 0 || errno == EEXIST else {
                throw SlipwayError(.unavailable, "Cannot make the key '\(file.lastPathComponent)'.", remedy: "See that the data folder is writable.")
            }
            if descriptor >= 0 {
                let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
                try handle.write(contentsOf: fresh)
                try handle.synchronize()
            }
        }
        let bytes = try Data(contentsOf: file)
        guard bytes.count == 32 else { throw SlipwayError.fault("The key '\(file.lastPathComponent)' has \(bytes.count) bytes, not 32.") }
        key = SymmetricKey(data: bytes)
    }

    /// Base64 of nonce, sealed bytes and tag.
    package func seal(_ text: String) throws -> String {
        guard let sealed = try AES.GCM.seal(Data(text.utf8), using: key).combined else { throw SlipwayError.fault("Sealing gave nothing.") }
        return sealed.base64EncodedString()
    }

    /// - Throws: `internalFault` when it was sealed with another key or was changed.
    package func unseal(_ sealed: String) throws -> String {
        guard let data = Data(base64Encoded: sealed), let plain = try? AES.GCM.open(AES.GCM.SealedBox(combined: data), using: key) else {  // one answer for any damage
            throw SlipwayError.fault("A sealed value cannot be opened with this key.")
        }
        return String(decoding: plain, as: UTF8.self)
    }
}
