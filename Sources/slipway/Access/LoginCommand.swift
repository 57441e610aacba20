import ArgumentParser
import Foundation
import SlipwayClient
import SlipwayCore
import SlipwayWire

struct LoginCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "login",
        abstract: "Sign in; the following commands act as you.",
        discussion: """
            Asks for the password, or reads it from standard input with --password-stdin.
            Lost it? On the server's own machine: slipway user reset-password NAME --data FOLDER
            Example: slipway login --user ada --server http://127.0.0.1:5080
            """)

    @Option(help: "Your user name; asked for when missing.")
    var user: String?

    @Flag(help: "Read the password from standard input.")
    var passwordStdin = false

    @OptionGroup var connection: Connection

    func run() async throws {
        let name = try user ?? ask("User name: ")
        let password = passwordStdin ? try firstLine() : try Password.ask("Password: ")
        let address = try connection.address
        let session = try await APIClient(base: address, token: nil).post("/api/v1/sign-in", WireSignIn(user: name, password: password), as: WireSecret.self)
        var credentials = try Credentials.load()
        credentials.last = Credentials.key(address)
        credentials.tokens[Credentials.key(address)] = session.secret
        try credentials.save()
        if connection.json { return try Output.json(session) }
        Output.note("Signed in to \(address) as \(name) until \(session.expiresAt).")
    }

    private func ask(_ question: String) throws -> String {
        FileHandle.standardError.write(Data(question.utf8))
        return try firstLine()
    }

    private func firstLine() throws -> String {
        guard let line = readLine(strippingNewline: true), !line.isEmpty else { throw SlipwayError.invalid("Nothing was typed.") }
        return line
    }
}

struct LogoutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "logout", abstract: "End the sign-in.", discussion: "Example: slipway logout")
    @OptionGroup var connection: Connection

    func run() async throws {
        _ = try await connection.client().post("/api/v1/sign-out", WireNothing(), as: WireNothing.self)
        var credentials = try Credentials.load()
        credentials.tokens[Credentials.key(try connection.address)] = nil
        try credentials.save()
        if connection.json { return try Output.json(WireNothing()) }
        Output.note("Signed out of \(try connection.address).")
    }
}

struct WhoamiCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "whoami", abstract: "Who you are here, and your roles.", discussion: "Example: slipway whoami --json")
    @OptionGroup var connection: Connection

    func run() async throws {
        let me = try await connection.client().get("/api/v1/me", as: WireCaller.self)
        if connection.json { return try Output.json(me) }
        Output.line(me.principal + (me.administrator ? " (platform administrator)" : ""))
        Output.table(
            ["project", "environment", "role"], me.roles.map { [$0.project, $0.environment, $0.role] },
            empty: "You hold no role yet; an admin can grant one: slipway role grant --help")
    }
}

/// Reads a password without showing it.
enum Password {
    static func ask(_ question: String) throws -> String {
        guard let typed = getpass(question) else {
            throw SlipwayError.invalid("There is no terminal to ask for the password.", remedy: "Use --password-stdin.")
        }
        return String(cString: typed)
    }
}
