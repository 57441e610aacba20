import Foundation
import SlipwayCore
import SlipwayRuntime
import SlipwayTestSupport
import Synchronization
import Testing

enum InstalledTools {
    static let hasUV = (try? Programs.find("uv")) != nil  // the trait says what is missing
}

private final class Lines: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
}

/// The real `uv` with a wheel of our own, without the network.
@Suite(.timeLimit(.minutes(3)), .enabled(if: InstalledTools.hasUV, "uv is not installed: python3 -m pip install uv"))
struct EnvironmentBuilderTests {
    /// A folder with the wheel `tiny` 1.0, which has one command.
    private func wheels(_ folder: TemporaryFolder) async throws -> String {
        let script = """
            import sys, zipfile
            with zipfile.ZipFile(sys.argv[1] + "/tiny-1.0-py3-none-any.whl", "w") as wheel:
                wheel.writestr("tiny.py", "def main(): print('tiny speaks')\\n")
                wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n")
                wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
                wheel.writestr("tiny-1.0.dist-info/entry_points.txt", "[console_scripts]\\ntiny = tiny:main\\n")
                wheel.writestr("tiny-1.0.dist-info/RECORD", "")
            """
        let made = try await CommandRun(try Programs.find("python3"), ["-c", script, folder.url.path]).run()
        #expect(made.status == 0, "\(made.error)")
        return "--no-index\n--find-links \(folder.url.path)\ntiny==1.0\n"
    }

    @Test("an environment is built once, works where it was moved to, and is found again")
    func build() async throws {
        let folder = try TemporaryFolder()
        let lock = try LockedRequirements(checking: try await wheels(folder))
        let builder = EnvironmentBuilder(root: folder.url.appending(path: "environments"))
        let lines = Lines()
        // Two at once: one builds, the other waits for it.
        async let one = builder.environment(python: "3.11", lock: lock) { lines.add($0) }
        async let two = builder.environment(python: "3.11", lock: lock) { lines.add($0) }
        let environment = try await one
        #expect(try await two == environment)
        #expect(environment == builder.folder(python: "3.11", lock: lock.digest))
        #expect(lines.all.count { $0.hasPrefix("Making the Python") } == 1)
        let said = try await CommandRun(environment.appending(path: "bin/tiny"), []).run()
        #expect(said.text == "tiny speaks\n", "\(said.error)")
        let quiet = Lines()
        _ = try await builder.environment(python: "3.11", lock: lock) { quiet.add($0) }
        #expect(quiet.all.isEmpty)
    }

    @Test("what cannot be had is refused with uv's words, and nothing half-made stays in the way")
    func missing() async throws {
        let folder = try TemporaryFolder()
        _ = try await wheels(folder)
        let builder = EnvironmentBuilder(root: folder.url.appending(path: "environments"))
        let lock = try LockedRequirements(checking: "--no-index\n--find-links \(folder.url.path)\nabsent==9.9\n")
        let error = await #expect(throws: SlipwayError.self) { try await builder.environment(python: "3.11", lock: lock) }
        #expect(error?.message.contains("absent") == true, "\(String(describing: error))")
        #expect(!FileManager.default.fileExists(atPath: builder.folder(python: "3.11", lock: lock.digest).path))
    }

    @Test("a requirement without an exact version is no lock", arguments: ["numpy", "numpy>=1", "numpy==1.*", "a==1\nb~=2"])
    func unlocked(text: String) {
        let error = #expect(throws: SlipwayError.self) { try LockedRequirements(checking: text) }
        #expect(error?.message.contains("has no exact version") == true)
    }

    @Test(
        "locks as uv and pip-tools write them are taken",
        arguments: [
            "numpy==2.1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n    # via pandas\n", "x==1 ; python_version < '3.12'  # why\n", "y @ file:///tmp/y.whl\n", "",
        ])
    func locked(text: String) throws { _ = try LockedRequirements(checking: text) }
}
