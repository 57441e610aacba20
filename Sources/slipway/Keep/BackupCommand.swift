import ArgumentParser
import Foundation
import SlipwayCore
import SlipwayServer

struct BackupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Copy everything of a data folder, beside a running server or without one.",
        discussion: """
            Run it on the server's machine, as the server's user. Databases are copied at one moment each, then every file that they name; a second
            backup into the same folder copies only what is new. An interrupted backup counts for nothing: run it again.
            Example: slipway backup /mnt/backups/slipway --data ./slipway-data --keep 14
                     slipway backup /mnt/backups/slipway --verify
            """)
    @Argument(help: "The folder that keeps the backups; made when missing.") var folder: String
    @Option(help: "The data folder of the server.") var data = "slipway-data"
    @Option(help: "After the backup, keep this many and remove older ones.") var keep: Int?
    @Flag(help: "Make no backup; hash every byte of the newest (or of --backup) again.") var verify = false
    @Flag(help: "Make no backup; list what there is.") var list = false
    @Option(help: "Which one to verify, by its id.") var backup: String?
    @Flag(help: "Answer in JSON, for programs.") var json = false

    func validate() throws {
        if let keep, keep < 1 { throw ValidationError("--keep takes 1 or more.") }
        if verify && list { throw ValidationError("Give --verify or --list, not both.") }
        if backup != nil && !verify { throw ValidationError("--backup goes with --verify.") }
        if keep != nil && (verify || list) { throw ValidationError("--keep goes with making a backup.") }
    }

    func run() async throws {
        let target = BackupFolder(URL(filePath: folder))
        if list { return try showList(target.records()) }
        if verify { return try check(target) }
        let bar = PhaseBar()
        let made = try await Backup(of: URL(filePath: data), into: target, version: Version.text, progress: bar.report).make()
        bar.finish()
        let pruned = try keep.map { try target.prune(keeping: $0) }
        if json {
            try Output.json(made.record)
        } else {
            Output.note(
                "Backup \(made.record.id) in '\(target.root.path)': \(DataText.size(made.record.bytes)), of which \(DataText.size(made.copiedBytes)) in "
                    + "\(made.copiedFiles) files were new.")
            if let pruned, pruned.backups > 0 { Output.note("Removed \(pruned.backups) older; \(DataText.size(pruned.bytes)) came free.") }
        }
        guard made.record.damaged.isEmpty else {
            throw SlipwayError(
                .unavailable, "The data folder has damaged files, which are not in the backup: \(made.record.damaged.prefix(5).joined(separator: ", ")).",
                remedy: "Restore them from an older backup: slipway backup '\(folder)' --list")
        }
    }

    private func showList(_ records: [BackupRecord]) throws {
        if json { return try Output.json(records) }
        Output.table(
            ["backup", "made", "by", "size", "files", "environments"],
            records.map { record in
                [
                    record.id, record.madeAt, record.madeBy, DataText.size(record.bytes), String(record.blobs.reduce(record.fileCount) { $0 + $1.count }),
                    record.blobs.map(\.environment.rawValue).joined(separator: " "),
                ]
            }, empty: "No whole backup in '\(folder)' yet.")
    }

    private func check(_ target: BackupFolder) throws {
        let record = try target.record(backup)
        let bar = PhaseBar()
        let damages = try target.verify(record, progress: bar.report)
        bar.finish()
        if json { try Output.json(["backup": [record.id], "damages": damages]) }
        guard damages.isEmpty else {
            throw SlipwayError(
                .unavailable, "Backup \(record.id) is damaged.", remedy: "Make a new one; restore from another.",
                reasons: damages.prefix(20).map { .init("\($0).", remedy: "") })
        }
        if !json { Output.note("Backup \(record.id) is whole: \(DataText.size(record.bytes)) hashed.") }
    }
}

struct RestoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Make a new data folder out of a backup.",
        discussion: """
            Every byte is hashed on the way. A folder that is not empty is refused; then start the server on the new one.
            Example: slipway restore /mnt/backups/slipway --data ./slipway-data
            """)
    @Argument(help: "The folder that keeps the backups.") var folder: String
    @Option(help: "The data folder to make.") var data: String
    @Option(help: "Which backup, by its id; else the newest.") var backup: String?
    @Flag(help: "Answer in JSON, for programs.") var json = false

    func run() async throws {
        let source = BackupFolder(URL(filePath: folder))
        let record = try source.record(backup)
        let bar = PhaseBar()
        let restore = Restore(from: source, to: URL(filePath: data), progress: bar.report)
        try await offload { try restore.run(record) }
        bar.finish()
        if json { return try Output.json(record) }
        Output.note("Restored \(record.id) (\(record.madeAt)) to '\(data)': \(DataText.size(record.bytes)). Next: slipway serve --data '\(data)'")
    }
}

struct UpgradeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upgrade", abstract: "Bring a data folder to this version, or rehearse it on a copy.",
        discussion: """
            'slipway serve' does the same at its start, without copies. The rehearsal may run beside the old server.
            Example: slipway upgrade --data ./slipway-data --rehearse
            """)
    @Option(help: "The data folder of the server.") var data = "slipway-data"
    @Flag(help: "Migrate a copy, time it, show what changes, and throw it away.") var rehearse = false
    @Option(help: "Where the rehearsal's copy lies meanwhile; else in the data folder.") var scratch: String?
    @Flag(help: "Do not ask.") var yes = false
    @Flag(help: "Answer in JSON, for programs.") var json = false

    func run() async throws {
        let upgrade = Upgrade(data: URL(filePath: data))
        if rehearse { return try show(try await upgrade.rehearse(scratch: scratch.map { URL(filePath: $0) }), "would take") }
        try Confirmation.ask("Upgrade the databases in '\(data)' to Slipway \(Version.text)? An older Slipway cannot open them afterwards.", yes: yes)
        let (changes, copies) = try await upgrade.perform()
        try show(changes, "took")
        if let copies, !json { Output.note("The databases as they were lie in '\(copies.path)'.") }
    }

    private func show(_ changes: [Upgrade.Change], _ verb: String) throws {
        if json { return try Output.json(changes) }
        Output.table(
            ["database", "steps", "seconds", "size", "tables"],
            changes.map { change in
                [
                    change.database, change.steps.isEmpty ? "none" : change.steps.joined(separator: " "), String(format: "%.2f", change.seconds),
                    change.bytesAfter == change.bytesBefore ? DataText.size(change.bytesBefore) : "\(DataText.size(change.bytesBefore)) → \(DataText.size(change.bytesAfter))",
                    change.tables.map { "\($0.name) \($0.rowsBefore.map(String.init) ?? "new")→\($0.rowsAfter.map(String.init) ?? "gone")" }.joined(separator: ", "),
                ]
            }, empty: "There are no databases.")
        let seconds = changes.reduce(0) { $0 + $1.seconds }
        Output.note(
            changes.allSatisfy(\.steps.isEmpty) ? "Nothing to do: the folder has this version's schema." : "The upgrade \(verb) \(String(format: "%.2f", seconds)) seconds.")
    }
}
