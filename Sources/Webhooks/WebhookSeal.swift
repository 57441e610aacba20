import Crypto
import Foundation
import SlipwayCore

/// Encrypts webhook secrets at rest with AES-GCM.
///
/// The key comes from `MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY` (any text of 16 bytes or more, such as MLflow's Fernet keys), else from a file of ours that
/// is made with the first secret and readable by its owner only.
package struct WebhookSeal: Sendable {
    private let secret: String?
    private let file: URL

    /// - Throws: `invalidArgument` for a key that is too short to be one.
    package init(settings: [String: String], file: URL) throws {
        secret = settings["MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY"].flatMap { $0.isEmpty ? nil : $0 }
        self.file = file
        if let secret, secret.utf8.count < 16 {
            throw SlipwayError.invalid(
                "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY has \(secret.utf8.count) bytes; a key has 16 or more.", remedy: "Make one: openssl rand -base64 32")
        }
    }

    package func seal(_ secret: String) throws -> String {
        guard let sealed = try AES.GCM.seal(Data(secret.utf8), using: key()).combined else { throw SlipwayError.fault("A secret was not sealed.") }
        return sealed.base64EncodedString()
    }

    /// - Throws: `unavailable` when the key is another one than it was sealed with.
    package func open(_ sealed: String) throws -> String {
        do {
            guard let data = Data(base64Encoded: sealed) else { throw CryptoKitError.incorrectParameterSize }
            return String(decoding: try AES.GCM.open(AES.GCM.SealedBox(combined: data), using: key()), as: UTF8.self)
        } catch let error as CryptoKitError {
            throw SlipwayError(
                .unavailable, "The webhook's secret cannot be opened (\(error)).",
                remedy: "Start the server with the MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY of before, or set the secret again.")
        }
    }

    private func key() throws -> SymmetricKey {
        let material = SymmetricKey(data: try secret.map { Data($0.utf8) } ?? kept())
        return HKDF<SHA256>.deriveKey(inputKeyMaterial: material, info: Data("slipway webhook secrets".utf8), outputByteCount: 32)
    }

    private func kept() throws -> Data {
        if FileManager.default.fileExists(atPath: file.path) { return try Data(contentsOf: file) }
        let fresh = SymmetricKey(size: .bits256).withUnsafeBytes { Data($0) }
        // Made exclusively: of two that come at once one makes the key and the other reads it.
        let descriptor = Foundation.open(file.path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            guard errno == EEXIST else { throw SlipwayError(.unavailable, "The key for webhook secrets cannot be kept in '\(file.path)': \(String(cString: strerror(errno))).") }
            return try Data(contentsOf: file)
        }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        try handle.write(contentsOf: fresh)
        try handle.synchronize()
        return fresh
    }
}
