import ArgumentParser
import Foundation
import SlipwayClient
import SlipwayCore
import SlipwayWire

struct BootstrapCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bootstrap",
        abstract: "Create the first people and the first project, once, with the secret of the first start.",
        discussion: """
            The file holds JSON:
              { "project": "flight-delays",
                "people": [ { "name": "ada", "full_name": "Ada", "password": "…", "emails": ["ada@example.org"],
                              "administrator": true, "roles": { "dev": ["contributor"], "prod": ["reviewer"] } } ] }
            Example: slipway bootstrap --file people.json --secret "$(cat slipway-data/first-start-secret)"
            """)

    @Option(help: "The people and their roles; - reads standard input.")
    var file: String

    @Option(help: "The secret of the first start (or SLIPWAY_SECRET).")
    var secret: String?

    @OptionGroup var connection: Connection

    func run() async throws {
        let bytes = file == "-" ? FileHandle.standardInput.readDataToEndOfFile() : try Data(contentsOf: URL(filePath: file))
        var request: WireBootstrap
        do {
            request = try WireCoder.decode(WireBootstrap.self, from: bytes)
        } catch {
            throw SlipwayError.invalid("'\(file)' is not a people file: \(error.localizedDescription)", remedy: "See its shape: slipway bootstrap --help")
        }
        request.secret = secret ?? ProcessInfo.processInfo.environment["SLIPWAY_SECRET"] ?? request.secret
        _ = try await connection.client().post("/api/v1/bootstrap", request, as: WireNothing.self)
        if connection.json { return try Output.json(WireNothing()) }
        Output.note("Created \(request.people.count) people and project '\(request.project)'. The secret is void now.")
        Output.note("Next: slipway login --user \(request.people[0].name)")
    }
}
