import Foundation
import SlipwayBlobs
import SlipwayCore
import SlipwayRuntime
import SlipwayStore
import Subprocess
import SystemPackage

/// Pickles import only what their flavour's allow-list names, and no secret lies in the tree. The looking is done by libraries
/// (picklescan, detect-secrets) in the tools' Python; `Resources/gates/scan.py` calls them.
package struct ScanGate: Gate {
    let code: any CodeHistory
    let resources: ResourceFolder
    package let name = GateName.scan

    package init(code: any CodeHistory, resources: ResourceFolder) {
        self.code = code
        self.resources = resources
    }

    /// `SLIPWAY_TOOLS_PYTHON`, else `.tools/bin/python` above the binary.
    /// - Throws: `unavailable` when there is none, so that the gate is `errored` and never passes.
    static func interpreter() throws -> URL {
        let environment = ProcessInfo.processInfo.environment
        if let named = environment["SLIPWAY_TOOLS_PYTHON"] { return URL(filePath: named) }
        var folder = try Programs.ownBinary().deletingLastPathComponent()
        for _ in 0..<6 {
            let candidate = folder.appending(path: ".tools/bin/python")
            if FileManager.default.isExecutableFile(atPath: candidate.path) { return candidate }
            folder = folder.deletingLastPathComponent()
        }
        throw SlipwayError(
            .unavailable, "The scanners' Python is not installed.", remedy: "Run 'make setup', or set SLIPWAY_TOOLS_PYTHON to a Python with picklescan and detect-secrets.")
    }

    package func run(_ input: GateInput) async throws -> GateResult {
        let python = try Self.interpreter()
        let work = input.realm.directory.appending(path: "scans/\(input.promotion.id)-\(UUID().uuidString.prefix(8))")
        let model = work.appending(path: "model")
        let tree = work.appending(path: "tree")
        let content = input.release.content
        let blobs = input.realm.blobs
        defer { try? FileManager.default.removeItem(at: work) }  // what stays costs disk space only: each scan has a folder of its own
        try await offload { try blobs.materialise(blobs.manifest(content.modelDigest), at: model) }
        try await code.checkOut(content.commit, of: content.project, to: tree.path)
        return judge(try await scan(python, model: model, tree: tree))
    }

    /// Most the scanner may say, and how long it may look.
    private static let outputMax = 4 << 20

    private func scan(_ python: URL, model: URL, tree: URL) async throws -> Report {
        let result = try await Subprocess.run(
            .path(FilePath(python.path)),
            arguments: ["-I", resources.file("gates/scan.py").path, resources.file("gates/pickle-imports.json").path, model.path, tree.path],
            environment: .inherit, output: .bytes(limit: Self.outputMax), error: .bytes(limit: Self.outputMax))
        guard result.terminationStatus.isSuccess else {
            let last = String(decoding: result.standardError.suffix(500), as: UTF8.self)
            throw SlipwayError(.unavailable, "The scanner stopped: \(last)", remedy: "Run 'make setup' again.")
        }
        return try JSONDecoder().decode(Report.self, from: Data(result.standardOutput))
    }

    struct Report: Decodable {
        struct Pickle: Decodable { var path: String; var imports: [String]; var refused: [String] }
        struct Secret: Decodable { var path: String; var line: Int; var kind: String }
        var flavors: [String]
        var pickles: [Pickle]
        var secrets: [Secret]
        var skipped: Int
    }

    func judge(_ report: Report) -> GateResult {
        let refused = report.pickles.filter { !$0.refused.isEmpty }
        var faults = refused.map { "'\($0.path)' imports \($0.refused.prefix(5).joined(separator: ", ")), which its flavour does not need." }
        faults += report.secrets.prefix(10).map { "\($0.path):\($0.line) looks like a secret (\($0.kind))." }
        let details: JSONValue = [
            "flavors": .array(report.flavors.map { .string($0) }),
            "imports": .array(report.pickles.flatMap { pickle in pickle.imports.map { .string("\(pickle.path): \($0)") } }),
            "secrets": .array(report.secrets.map { .string("\($0.path):\($0.line) \($0.kind)") }), "skipped": .integer(Int64(report.skipped)),
        ]
        guard faults.isEmpty else {
            return .fail(
                faults.joined(separator: " "),
                remedy: "Log the model without these imports; void and remove the secret, or mark a false alarm's line with '# pragma: allowlist secret'.", details)
        }
        return .pass("\(report.pickles.count) pickles import only what \(report.flavors.joined(separator: ", ")) needs; no secret in the tree.", details)
    }
}
