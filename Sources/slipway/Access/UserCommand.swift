import ArgumentParser
import Foundation
import SlipwayClient
import SlipwayCore
import SlipwayServer
import SlipwayWire

struct UserCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "People who may sign in.", subcommands: [UserList.self, UserCreate.self, UserResetPassword.self])
}

struct UserList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List people.", discussion: "Example: slipway user list")
    @OptionGroup var connection: Connection

    func run() async throws {
        let page = try await connection.client().get("/api/v1/users", as: WirePage<WireUser>.self)
        if connection.json { return try Output.json(page) }
        Output.table(
            ["name", "full name", "e-mail", ""],
            page.items.map {
                [$0.name, $0.fullName ?? "", ($0.emails ?? []).joined(separator: " "), $0.administrator == true ? "platform administrator" : ""]
            }, empty: "Nobody yet.")
    }
}

struct UserCreate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create a person (platform administrators).",
        discussion: "The e-mail addresses tell whose commits are whose. Example: slipway user create grace --email grace@example.org")
    @Argument(help: "The user name.") var name: String
    @Option(help: "The full name.") var fullName: String?
    @Option(name: .customLong("email"), help: "An address used in commits; repeat for several.") var emails: [String] = []
    @Flag(help: "Make the person a platform administrator.") var administrator = false
    @Flag(help: "Read the password from standard input.") var passwordStdin = false
    @OptionGroup var connection: Connection

    func run() async throws {
        let password = passwordStdin ? (readLine(strippingNewline: true) ?? "") : try Password.ask("Password for \(name): ")
        let user = WireUser(name: name, fullName: fullName, password: password, emails: emails, administrator: administrator)
        _ = try await connection.client().post("/api/v1/users", user, as: WireNothing.self)
        if connection.json { return try Output.json(WireNothing()) }
        Output.note("Created '\(name)'. Next: slipway role grant \(name) contributor --project PROJECT --environment dev")
    }
}

struct UserResetPassword: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset-password",
        abstract: "Set a lost password, on the server's own machine.",
        discussion: """
            Works on the data folder itself, so whoever may read that folder may do this; it is audited, and it ends the
            person's sessions and tokens. A running server need not be stopped.
            Example: slipway user reset-password ada --data ./slipway-data
            """)
    @Argument(help: "The user name.") var name: String
    @Option(help: "The server's data folder.") var data = "slipway-data"
    @Flag(help: "Read the password from standard input.") var passwordStdin = false

    func run() async throws {
        let password = passwordStdin ? (readLine(strippingNewline: true) ?? "") : try Password.ask("New password for \(name): ")
        try await Recovery.setPassword(password, of: UserName(parsing: name), data: URL(filePath: data))
        Output.note("The password of '\(name)' is set, and earlier sessions and tokens are void within 30 seconds.")
    }
}
