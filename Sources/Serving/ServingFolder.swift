import Foundation
import SlipwayCore

/// Where a realm's serving state lies: `<realm>/serving` and `<realm>/captures`.
package struct ServingFolder: Sendable, Hashable {
    package let realm: URL

    package init(realm: URL) { self.realm = realm }

    package var root: URL { realm.appending(path: "serving") }
    /// What the gateway answers, replaced whole by the control plane.
    var routing: URL { root.appending(path: "routing.json") }
    /// Written by the gateway once it listens.
    var state: URL { root.appending(path: "gateway.json") }
    /// Held by the one gateway of the realm for as long as it lives.
    var lock: URL { root.appending(path: "gateway.lock") }
    /// What the control plane shows when it forwards a request whose caller it has checked.
    var secret: URL { root.appending(path: "secret") }
    var models: URL { root.appending(path: "models") }
    var workers: URL { root.appending(path: "workers") }
    var logs: URL { root.appending(path: "logs") }
    package var gatewayLog: URL { logs.appending(path: "gateway.log") }
    package var captures: URL { realm.appending(path: "captures") }
    static let controlSocket = "control.sock"

    /// Makes what is missing; only the owner may look in.
    package func prepare() throws {
        for folder in [root, models, workers, logs, captures] {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
    }

    /// The secret between control plane and gateway; made when it is missing.
    func ensureSecret() throws -> String {
        if let text = try? String(contentsOf: secret, encoding: .utf8), text.count == 64 { return text }  // absent or damaged: made anew
        let text = RandomIDs().hex32() + RandomIDs().hex32()
        try writeWhole(Data(text.utf8), to: secret, mode: 0o600)
        return text
    }

    /// The gateway's note of itself, nil when it never ran.
    package func gatewayState() -> GatewayState? {
        guard let data = try? Data(contentsOf: state) else { return nil }  // absent until the first gateway listens
        return try? JSONDecoder().decode(GatewayState.self, from: data)  // a note that cannot be read is no note
    }
}

/// How a gateway is found again after a restart of the control plane.
package struct GatewayState: Sendable, Hashable, Codable {
    package var pid: Int32
    package var port: Int
    package var startedAt: Timestamp
    /// Which build it runs, to tell an old one from the server's own.
    package var build: String?

    /// A file's size and time of change: enough to tell two builds at one place apart.
    static func build(of binary: URL) -> String? {
        guard let facts = try? FileManager.default.attributesOfItem(atPath: binary.path),  // nil: it was replaced or removed
            let size = facts[.size], let changed = facts[.modificationDate] as? Date
        else { return nil }
        return "\(size)-\(Int64(changed.timeIntervalSince1970 * 1000))"
    }
}

/// Writes aside, flushes and renames, so that a reader sees the old text or the new, never half of one.
func writeWhole(_ data: Data, to file: URL, mode: mode_t = 0o644) throws {
    let aside = file.deletingLastPathComponent().appending(path: ".\(file.lastPathComponent).\(getpid()).\(UInt32.random(in: 0...UInt32.max))")
    let descriptor = open(aside.path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode)
    guard descriptor >= 0 else { throw fileError("create", aside) }
    let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    do {
        try handle.write(contentsOf: data)
        try handle.synchronize()
        try handle.close()
        guard rename(aside.path, file.path) == 0 else { throw fileError("move", file) }
    } catch {
        unlink(aside.path)
        throw error
    }
}

func fileError(_ verb: String, _ file: URL) -> SlipwayError {
    SlipwayError(
        .unavailable, "Cannot \(verb) '\(file.path)': \(String(cString: strerror(errno))).",
        remedy: "See that the disk has room and the folder is writable.")
}

/// A folder held open, so that sockets in it have an address that fits: a Unix socket's path may have 107 bytes only,
/// and data folders lie deep. The kernel follows `/proc/self/fd/N` without counting what stands behind it.
final class SocketFolder: Sendable {
    private let descriptor: Int32

    init(_ folder: URL) throws {
        descriptor = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw fileError("open", folder) }
    }

    deinit { close(descriptor) }

    func path(_ name: String) -> String { "/proc/self/fd/\(descriptor)/\(name)" }
}
