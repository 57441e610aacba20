import Crypto
import CryptoExtras
import Foundation
import SlipwayCore

/// scrypt (RFC 7914) with N = 2^15, r = 8, p = 1: about 32 MiB and 60 ms a guess. Spelled `scrypt$log2N$r$p$salt$key` in hexadecimal.
enum PasswordHash {
    static func make(_ password: String) throws -> String {
        let salt = SymmetricKey(size: .bits128).withUnsafeBytes { Array($0) }
        return "scrypt$15$8$1$\(salt.hexadecimal)$\(try derive(password, salt: salt, log2N: 15, r: 8, p: 1).hexadecimal)"
    }

    static func verify(_ password: String, against hash: String) throws -> Bool {
        let parts = hash.split(separator: "$").map(String.init)
        guard parts.count == 6, parts[0] == "scrypt", let log2N = Int(parts[1]), let r = Int(parts[2]), let p = Int(parts[3]),
            let salt = bytes(parts[4]), let key = bytes(parts[5])
        else { throw SlipwayError.fault("A stored password hash is malformed.") }
        let derived = try derive(password, salt: salt, log2N: log2N, r: r, p: p)
        // Constant time: every byte is looked at.
        return derived.count == key.count && zip(derived, key).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    /// - Throws: `invalidArgument` for a password that is too short or too long.
    static func check(_ password: String) throws {
        guard (12...1024).contains(password.utf8.count) else {
            throw SlipwayError.invalid("A password has 12 to 1024 characters.", remedy: "Choose a longer one, such as four words.")
        }
    }

    private static func derive(_ password: String, salt: [UInt8], log2N: Int, r: Int, p: Int) throws -> [UInt8] {
        try KDF.Scrypt.deriveKey(
            from: Array(password.utf8), salt: salt, outputByteCount: 32, rounds: 1 << log2N, blockSize: r, parallelism: p, maxMemory: 64 << 20
        ).withUnsafeBytes { Array($0) }
    }

    private static func bytes(_ hexadecimal: String) -> [UInt8]? {
        let digits = Array(hexadecimal.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = UInt8(String(decoding: digits[index...index + 1], as: UTF8.self), radix: 16) else { return nil }
            bytes.append(byte)
        }
        return bytes
    }
}
