import Foundation
import SlipwayCore

/// Python environments by what they are made of: one folder per Python version and locked requirements, made once by `uv`,
/// shared by steps and model workers.
package struct EnvironmentBuilder: Sendable {
    let root: URL

    /// - Parameter root: `<data>/environments`.
    package init(root: URL) { self.root = root }

    /// Where the environment is, or will be: `<root>/<12 digits>`, with `bin/python` in it.
    package func folder(python: String, lock: ContentDigest) -> URL {
        root.appending(path: ContentDigest(of: "\(python)\n\(lock.rawValue)").short)
    }

    /// Finds or makes the environment. Wheels come from uv's cache when it has them all, else from the network.
    ///
    /// - Parameters:
    ///   - python: such as `3.11`.
    ///   - progress: called with each line that uv says.
    /// - Returns: the folder; `bin/python` runs in it.
    /// - Throws: `unavailable` with uv's last lines and what to do.
    package func environment(
        python: String, lock: LockedRequirements, progress: @escaping @Sendable (String) -> Void = { _ in }
    ) async throws -> URL {
        let folder = folder(python: python, lock: lock.digest)
        if Self.isComplete(folder) { return folder }
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        let guardFile = root.appending(path: ".\(folder.lastPathComponent).lock")
        if try FileLock.take(guardFile) == nil { progress("Waiting for another build of the same Python environment.") }
        let lockHeld = try await FileLock.wait(for: guardFile)
        defer { withExtendedLifetime(lockHeld) {} }
        if Self.isComplete(folder) { return folder }
        // What a killed build left aside is swept by the next one of the same digest, which holds the lock.
        let aside = root.appending(path: ".building-\(folder.lastPathComponent)")
        try removeIfThere(aside)
        try await build(at: aside, python: python, lock: lock, progress: progress)
        try removeIfThere(folder)
        try FileManager.default.moveItem(at: aside, to: folder)
        return folder
    }

    private static func isComplete(_ folder: URL) -> Bool { FileManager.default.fileExists(atPath: folder.appending(path: mark).path) }

    /// Written last into a finished environment: what it is made of.
    private static let mark = "slipway-environment.json"

    private func build(at folder: URL, python: String, lock: LockedRequirements, progress: @escaping @Sendable (String) -> Void) async throws {
        let uv = try Programs.find("uv")
        let requirements = root.appending(path: ".\(lock.digest.short).txt")
        try Data(lock.text.utf8).write(to: requirements, options: .atomic)
        // Relocatable, because it is renamed once it is whole.
        try await call(uv, ["venv", "--no-project", "--relocatable", "--python", python, folder.path], "Python \(python) environment", progress)
        try await call(
            uv, ["pip", "sync", "--compile-bytecode", "--python", folder.appending(path: "bin/python").path, requirements.path], "locked packages", progress)
        let check = try await CommandRun(uv, ["pip", "check", "--python", folder.appending(path: "bin/python").path], variables: Self.variables).run { _ in }
        if check.status != 0 { progress("Note: the lock lacks packages: " + check.tail.suffix(5).joined(separator: " ")) }
        let made = ["python": python, "lock": lock.digest.rawValue]
        try Data(CanonicalJSON.text(made).utf8).write(to: folder.appending(path: Self.mark))
    }

    private static let variables: [String: String?] = ["VIRTUAL_ENV": nil, "UV_NO_PROGRESS": "1", "NO_COLOR": "1", "PYTHONHOME": nil, "PYTHONPATH": nil]

    /// First without the network, then with it.
    private func call(_ uv: URL, _ arguments: [String], _ what: String, _ progress: @escaping @Sendable (String) -> Void) async throws {
        progress("Making the \(what).")
        let offline = try await CommandRun(uv, arguments + ["--offline"], variables: Self.variables).run { _ in }
        if offline.status == 0 {
            offline.tail.forEach(progress)
            return
        }
        progress("uv's cache lacks something; asking the network.")
        let online = try await CommandRun(uv, arguments, variables: Self.variables).run(line: progress)
        guard online.status == 0 else {
            throw SlipwayError(
                .unavailable, "uv could not make the \(what) (exit \(online.status)): \(online.tail.suffix(10).joined(separator: "\n"))",
                remedy: "Try it by hand: uv \(arguments.prefix(2).joined(separator: " ")) …; without network, fill uv's cache first (UV_CACHE_DIR).")
        }
    }

    private func removeIfThere(_ folder: URL) throws {
        if FileManager.default.fileExists(atPath: folder.path) { try FileManager.default.removeItem(at: folder) }
    }
}
