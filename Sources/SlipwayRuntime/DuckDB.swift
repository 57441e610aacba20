import Foundation
import SlipwayCore
import Subprocess
import SystemPackage

/// Asks DuckDB's command-line program: SQL in, typed rows out. One process per call, which ends with it.
///
/// The process may open files below the named folders only, loads no extension and reaches no network: SQL may come from
/// a project's repository. The text goes in through standard input, so that nothing shows in the process list.
package struct DuckDB: Sendable {
    package struct Limits: Sendable {
        package var memory: String
        package var threads: Int
        package var time: Duration
        package var outputBytes: Int
        package init(memory: String = "1GiB", threads: Int = 2, time: Duration = .seconds(300), outputBytes: Int = 64 << 20) {
            self.memory = memory; self.threads = threads; self.time = time; self.outputBytes = outputBytes
        }
    }

    package let program: URL
    package var limits: Limits

    package init(program: URL, limits: Limits = Limits()) {
        self.program = program
        self.limits = limits
    }

    /// - Throws: `unavailable` when DuckDB is not installed, with how to get it.
    package static func find(limits: Limits = Limits()) throws -> DuckDB {
        DuckDB(program: try Programs.find("duckdb"), limits: limits)
    }

    /// The last statement's rows.
    package func rows(_ sql: String, in folders: [URL] = [], variables: [String: String] = [:]) async throws -> [DuckRow] {
        try await answers(sql, in: folders, variables: variables).last ?? []
    }

    /// Runs statements in order; the first that fails ends the run.
    /// - Parameters:
    ///   - folders: what the statements may read and write; the first one also takes what does not fit in memory.
    ///   - variables: for `getvariable('name')`; their values never show in an error.
    /// - Returns: one list of rows per statement that answers with rows.
    /// - Throws: `invalidArgument` with the first line of what DuckDB said, `tooMuch` past the time or the size, `unavailable` when it cannot start.
    package func answers(_ sql: String, in folders: [URL] = [], variables: [String: String] = [:]) async throws -> [[DuckRow]] {
        await Self.turns.take()
        do {
            let answers = try await ask(sql, in: folders, variables: variables)
            await Self.turns.give()
            return answers
        } catch {
            await Self.turns.give()
            throw error
        }
    }

    /// This many of this server's DuckDB processes run at once; the others wait, and their time starts when they do.
    private static let turns = Turns(4)

    private func ask(_ sql: String, in folders: [URL], variables: [String: String]) async throws -> [[DuckRow]] {
        let text = prelude(folders, variables) + sql + "\n;\n"
        let finished = try await withThrowingTaskGroup(of: (status: Int32, output: [UInt8], error: String).self) { group in
            group.addTask { try await self.process(text, in: folders.first) }
            group.addTask {
                try await Task.sleep(for: limits.time)
                throw SlipwayError(
                    .tooMuch, "DuckDB did not finish within \(limits.time.spelled).", remedy: "Ask for less at once: fewer columns, or files in smaller parts.")
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw SlipwayError.fault("DuckDB's run ended without an answer.") }
            return first
        }
        guard finished.status == 0 else { throw Self.refusal(finished.error, status: finished.status, hiding: Array(variables.values)) }
        return try DuckAnswer.parse(finished.output)
    }

    private func prelude(_ folders: [URL], _ variables: [String: String]) -> String {
        // DuckDB keeps numbers, times and row order the same on every machine with these; the lock comes last.
        var lines = [
            "SET memory_limit = \(Self.literal(limits.memory));", "SET threads = \(limits.threads);", "SET TimeZone = 'UTC';",
            "SET autoinstall_known_extensions = false;", "SET autoload_known_extensions = false;", "SET allow_community_extensions = false;",
            "SET preserve_insertion_order = true;", "SET enable_progress_bar = false;",
        ]
        if let first = folders.first { lines.append("SET temp_directory = \(Self.literal(first.appending(path: ".duckdb").path));") }
        lines += variables.sorted { $0.key < $1.key }.map { "SET VARIABLE \(Self.identifier($0.key)) = \(Self.literal($0.value));" }
        let allowed = folders.map { Self.literal($0.path.hasSuffix("/") ? $0.path : $0.path + "/") }.joined(separator: ", ")
        lines += ["SET allowed_directories = [\(allowed)];", "SET enable_external_access = false;", "SET lock_configuration = true;"]
        return lines.joined(separator: "\n") + "\n"
    }

    private func process(_ text: String, in folder: URL?) async throws -> (status: Int32, output: [UInt8], error: String) {
        var options = PlatformOptions()
        options.createSession = true
        options.teardownSequence = [.gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: .milliseconds(200))]
        do {
            let result = try await run(
                .path(FilePath(program.path)), arguments: ["-json", "-batch", "-bail", "-no-init"], environment: .custom(["LC_ALL": "C.UTF-8", "HOME": "/nonexistent"]),
                workingDirectory: folder.map { FilePath($0.path) }, platformOptions: options, input: .string(text),
                output: .bytes(limit: limits.outputBytes), error: .string(limit: 1 << 20))
            let status: Int32 = if case .exited(let code) = result.terminationStatus { code } else { -1 }
            return (status, result.standardOutput, result.standardError)
        } catch let error as SubprocessError {
            throw translate(error)
        }
    }

    private func translate(_ error: SubprocessError) -> any Error {
        switch error.code {
        case .outputLimitExceeded:
            SlipwayError(.tooMuch, "DuckDB answered with more than \(limits.outputBytes) bytes.", remedy: "Ask for fewer rows or columns at once.")
        case .executableNotFound, .spawnFailed:
            SlipwayError(
                .unavailable, "DuckDB cannot be started from '\(program.path)'.",
                remedy: "Install it: python3 -m pip install duckdb-cli, or set SLIPWAY_DUCKDB to its path.")
        default: error
        }
    }

    /// What DuckDB said, in one line, without the values of variables.
    private static func refusal(_ text: String, status: Int32, hiding secrets: [String]) -> SlipwayError {
        var line = text.split(separator: "\n").lazy.map { $0.trimmingCharacters(in: .whitespaces) }.first { !$0.isEmpty } ?? "it ended with status \(status)"
        for secret in secrets where secret.count >= 8 { line = line.replacing(secret, with: "…") }
        if line.contains("Out of Memory") {
            return SlipwayError(.tooMuch, "DuckDB: \(line.prefix(500))", remedy: "Split the table's files into smaller parts.")
        }
        return .invalid("DuckDB: \(line.prefix(500))", remedy: "Try the statement by hand: duckdb -json")
    }

    /// A text as SQL spells it.
    package static func literal(_ text: String) -> String { "'" + text.replacing("'", with: "''").replacing("\0", with: "") + "'" }
    /// A name as SQL spells it.
    package static func identifier(_ name: String) -> String { "\"" + name.replacing("\"", with: "\"\"").replacing("\0", with: "") + "\"" }

    /// A query that somebody else wrote, as a subquery that cannot end early: a statement's end would let the program's own commands (`.shell`) in.
    /// - Throws: `invalidArgument` when it holds a semicolon.
    package static func subquery(_ query: String) throws -> String {
        guard !query.contains(";"), !query.contains("\0"), query.utf8.count <= 64 << 10 else {
            throw SlipwayError.invalid("The query '\(query.prefix(80))' holds more than one statement.", remedy: "Write one SELECT without a semicolon.")
        }
        return "(\n" + query + "\n)"
    }
}
