import ArgumentParser
import Foundation

/// The root of `slipway <noun> <verb>`.
@main struct Slipway: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "slipway",
        abstract: "From a Git commit to a governed prediction.",
        discussion: """
            Start a server with 'slipway serve', sign in with 'slipway login', and ask any command for --help.
            Shell completion: slipway --generate-completion-script bash
            """,
        version: Version.text,
        groupedSubcommands: [
            CommandGroup(name: "Server", subcommands: [ServeCommand.self, DoctorCommand.self, GatewayCommand.self]),
            CommandGroup(name: "Keeping", subcommands: [BackupCommand.self, RestoreCommand.self, UpgradeCommand.self]),
            CommandGroup(name: "Tracking", subcommands: [RunCommand.self, ModelCommand.self]),
            CommandGroup(name: "Serving", subcommands: [EndpointCommand.self]),
            CommandGroup(
                name: "Promotion",
                subcommands: [
                    ReleaseCommand.self, PromotionCommand.self, SlotCommand.self, RollbackCommand.self, PolicyCommand.self, FreezeCommand.self, AuditCommand.self,
                ]),
            CommandGroup(
                name: "People",
                subcommands: [
                    BootstrapCommand.self, LoginCommand.self, LogoutCommand.self, WhoamiCommand.self, UserCommand.self, TokenCommand.self,
                    ProjectCommand.self, RoleCommand.self,
                ]),
            CommandGroup(name: "Data", subcommands: [DataCommand.self]),
            CommandGroup(name: "Code and pipelines", subcommands: [InitCommand.self, ExecutionCommand.self, StepCommand.self, PushAdviceCommand.self]),
            CommandGroup(name: "Monitoring", subcommands: [LabelsCommand.self, DriftCommand.self]),
        ])

    /// As ArgumentParser's own, but our errors leave with our exit codes.
    static func main() async {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            Failure.leave(with: error)
        }
    }
}

enum Version {
    static let text = "0.1.0"
}
