import Foundation
import SlipwayCore

/// The folder named by `--data`: one server at a time, readable by its owner only.
struct DataFolder: Sendable {
    let root: URL

    init(_ root: URL) throws {
        self.root = root
        do {
            try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw SlipwayError(
                .unavailable, "The data folder '\(root.path)' cannot be made: \(error.localizedDescription)",
                remedy: "Name a folder that this user may write: slipway serve --data FOLDER")
        }
    }

    func file(_ name: String) -> URL { root.appending(path: name) }

    /// - Throws: `unavailable` while another server holds the folder.
    func lock() throws -> FolderLock {
        let descriptor = open(file("lock").path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw SlipwayError(
                .unavailable, "The data folder '\(root.path)' cannot be written: \(String(cString: strerror(errno))).",
                remedy: "See that it belongs to this user and the disk has room.")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw SlipwayError(
                .unavailable, "Another Slipway server uses the data folder '\(root.path)'.",
                remedy: "Stop it first, or start this one with a folder of its own: slipway serve --data FOLDER --port PORT")
        }
        return FolderLock(descriptor: descriptor)
    }

    /// The first start's secret also lies in a file, since a terminal forgets; the file goes away with the secret.
    func keep(secret: String?) throws {
        let file = file("first-start-secret")
        if let secret {
            try write("\(secret)\n", to: file)
        } else if FileManager.default.fileExists(atPath: file.path) {
            try FileManager.default.removeItem(at: file)
        }
    }

    /// Tells other programs on this machine where the server answers.
    func announce(address: String, port: Int) throws {
        try write(CanonicalJSON.text(["address": .string(address), "pid": .integer(Int64(getpid())), "port": .integer(Int64(port))] as JSONValue), to: file("server.json"))
    }

    private func write(_ text: String, to file: URL) throws {
        try Data(text.utf8).write(to: file, options: .atomic)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
    }
}

/// Held until released or the process ends.
struct FolderLock: Sendable {
    let descriptor: Int32

    /// Unlocks it and not only closes it: a child process that is just being started still holds a copy for a moment.
    func release() {
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }
}

enum ListeningPort {
    /// A port that nobody listens on just now. Found before the house is built, because steps are told the address.
    static func free(on host: String) throws -> Int { try bound(0, on: host) }

    /// - Throws: `unavailable` when somebody listens on the port already.
    static func check(_ port: Int, on host: String) throws -> Int { try bound(port, on: host) }

    static func inUse(_ port: Int) -> SlipwayError {
        SlipwayError(
            .unavailable, "Port \(port) is in use.",
            remedy: "Choose another with 'slipway serve --port PORT', or see who holds it: ss -ltnp 'sport = :\(port)'")
    }

    private static func bound(_ port: Int, on host: String) throws -> Int {
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &list) == 0, let first = list else {
            throw SlipwayError(.unavailable, "'\(host)' is no address of this machine.", remedy: "Use --host 127.0.0.1, or 0.0.0.0 for all addresses.")
        }
        defer { freeaddrinfo(list) }
        let descriptor = socket(first.pointee.ai_family, first.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard bind(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0 else {
            if errno == EADDRINUSE { throw inUse(port) }
            throw SlipwayError(.unavailable, "Cannot listen on \(host):\(port): \(String(cString: strerror(errno))).", remedy: "Choose another --host or --port.")
        }
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let read = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        guard read == 0 else { throw SlipwayError(.unavailable, "The system named no port.") }
        return withUnsafePointer(to: &address) {
            // The port stands at the same place in IPv4's and IPv6's structures.
            $0.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { Int(UInt16(bigEndian: $0.pointee.sin_port)) }
        }
    }
}
