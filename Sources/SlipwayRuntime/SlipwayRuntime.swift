// SlipwayRuntime: child processes that other rooms stand on: model workers, DuckDB, and where their programs are found.

import Foundation
import SlipwayCore

/// Files that come with the binary: styles, scripts, the model worker.
package struct ResourceFolder: Sendable {
    package let root: URL

    /// `SLIPWAY_RESOURCES`, else `../share/slipway` beside the binary, else the source tree the binary was built in.
    /// - Throws: `unavailable` when none of them is there.
    package static func find(environment: [String: String] = ProcessInfo.processInfo.environment) throws -> ResourceFolder {
        if let named = environment["SLIPWAY_RESOURCES"] { return ResourceFolder(root: URL(filePath: named)) }
        let binary = try Programs.ownBinary()
        var candidates = [binary.deletingLastPathComponent().deletingLastPathComponent().appending(path: "share/slipway")]
        var folder = binary.deletingLastPathComponent()
        for _ in 0..<6 {
            candidates.append(folder.appending(path: "Resources"))
            folder = folder.deletingLastPathComponent()
        }
        guard let root = candidates.first(where: { FileManager.default.fileExists(atPath: $0.appending(path: "web").path) }) else {
            throw SlipwayError(.unavailable, "The files that come with Slipway are missing.", remedy: "Set SLIPWAY_RESOURCES to the folder share/slipway.")
        }
        return ResourceFolder(root: root)
    }

    package func file(_ path: String) -> URL { root.appending(path: path) }
}

/// Where other programs are found: an explicit variable, the tools folder of the set-up, then the search path.
package enum Programs {
    /// The running binary, for starting `slipway step` and `slipway gateway` children.
    package static func ownBinary() throws -> URL {
        URL(filePath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
    }

    /// - Parameter name: `duckdb`, `uv`, `git`, `bwrap`, …; `SLIPWAY_<NAME>` overrides.
    /// - Throws: `unavailable` naming the program and how to get it.
    package static func find(_ name: String, environment: [String: String] = ProcessInfo.processInfo.environment) throws -> URL {
        if let named = environment["SLIPWAY_\(name.uppercased())"] { return URL(filePath: named) }
        var folders: [String] = []
        var folder = try ownBinary().deletingLastPathComponent()
        for _ in 0..<6 {
            folders.append(folder.appending(path: ".tools/bin").path)
            folder = folder.deletingLastPathComponent()
        }
        folders += (environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":").map(String.init)
        guard let found = folders.first(where: { FileManager.default.isExecutableFile(atPath: "\($0)/\(name)") }) else {
            let hint =
                switch name {
                case "uv": "Install it: python3 -m pip install uv"
                case "duckdb": "Install it: python3 -m pip install duckdb-cli"
                case "bwrap": "Install it: apt-get install bubblewrap"
                default: "Install it: apt-get install \(name)"
                }
            throw SlipwayError(.unavailable, "The program '\(name)' is not installed.", remedy: "\(hint), or set SLIPWAY_\(name.uppercased()) to its path.")
        }
        return URL(filePath: "\(found)/\(name)")
    }
}
