import ArgumentParser
import Foundation
import SlipwayClient
import SlipwayCore
import SlipwayRuntime
import SlipwayWire

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Explain what is missing on this machine, and whether the server answers.",
        discussion: "Example: slipway doctor")

    @OptionGroup var connection: Connection

    private struct Finding: Codable {
        var subject: String
        var well: Bool
        var words: String
    }

    func run() async throws {
        var findings: [Finding] = []
        for program in ["git", "uv", "duckdb", "prlimit"] {
            do {
                findings.append(Finding(subject: program, well: true, words: try Programs.find(program).path))
            } catch let error as SlipwayError {
                findings.append(Finding(subject: program, well: false, words: error.remedy ?? error.message))
            }
        }
        do {
            findings.append(Finding(subject: "resources", well: true, words: try ResourceFolder.find().root.path))
        } catch let error as SlipwayError {
            findings.append(Finding(subject: "resources", well: false, words: error.remedy ?? error.message))
        }
        let address = try connection.address
        do {
            let me = try await connection.client().get("/api/v1/me", as: WireCaller.self)
            findings.append(Finding(subject: "server", well: true, words: "\(address) answers \(me.principal)"))
        } catch let error as WireError {
            findings.append(Finding(subject: "server", well: false, words: "\(address): \(error.error.message) \(error.error.remedy ?? "")"))
        } catch {
            findings.append(Finding(subject: "server", well: false, words: "\(address) does not answer; start it: slipway serve"))
        }
        if connection.json {
            try Output.json(findings)
        } else {
            Output.table(["", "what", "finding"], findings.map { [$0.well ? "ok" : "!!", $0.subject, $0.words] }, empty: "")
        }
        if findings.contains(where: { !$0.well }) { throw ExitCode(1) }
    }
}
