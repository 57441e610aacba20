import ArgumentParser
import SlipwayClient
import SlipwayCore
import SlipwayWire

struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "An environment's append-only, hash-chained record.", subcommands: [AuditList.self, AuditVerify.self])
}

struct AuditList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List events, newest first.", discussion: "Example: slipway audit list prod --project flight-delays --subject slot:flight-delay")
    @Argument(help: "dev, stage or prod.") var environment: EnvironmentID
    @Option(help: "The project.") var project: String
    @Option(help: "Of this subject only, such as slot:NAME, promotion:ID or release:ID.") var subject: String?
    @OptionGroup var paging: Paging
    @OptionGroup var connection: Connection

    func run() async throws {
        let query = try paging.query(["project": project, "subject": subject])
        let page = try await connection.client().get("/api/v1/\(environment.rawValue)/audit\(query)", as: WirePage<WireAuditEvent>.self)
        if connection.json { return try Output.json(page) }
        Output.table(
            ["seq", "at", "who", "what", "about", "details"],
            page.items.map {
                [String($0.seq), $0.at, $0.actor, $0.action, $0.subject, $0.details == "{}" ? "" : $0.details]
            }, empty: "No events.")
        paging.hint(page.next)
    }
}

struct AuditVerify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Hash an environment's whole chain again.", discussion: "Example: slipway audit verify prod")
    @Argument(help: "dev, stage or prod.") var environment: EnvironmentID
    @OptionGroup var connection: Connection

    func run() async throws {
        let verdict = try await connection.client().post("/api/v1/\(environment.rawValue)/audit/verify", WireNothing(), as: WireAuditVerdict.self)
        if connection.json { try Output.json(verdict) }
        if let broken = verdict.broken {
            throw SlipwayError.fault("The chain of \(environment.rawValue) is broken at event \(broken); \(verdict.verified) events before it are whole.")
        }
        if !connection.json { Output.note("\(verdict.verified) events, each hash right.") }
    }
}
