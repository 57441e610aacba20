import Foundation
import SlipwayWire

/// How data is put into words.
enum DataText {
    static func size(_ bytes: Int64) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var value = Double(bytes)
        var unit = 0
        while value >= 1024, unit < units.count - 1 { value /= 1024; unit += 1 }
        return unit == 0 ? "\(bytes) B" : "\((value * 10).rounded() / 10) \(units[unit])"
    }

    static func rows(_ snapshot: WireSnapshot) -> String {
        snapshot.tables.isEmpty ? "" : String(snapshot.tables.reduce(Int64(0)) { $0 + $1.rows })
    }

    /// What people should look at.
    static func notes(_ item: WireDataset) -> String {
        var notes: [String] = []
        if let refused = item.refused { notes.append("\(refused.id) fails its checks") }
        if item.offered != nil { notes.append("a recipe waits for a steward") }
        if item.isMissed { notes.append("refresh missed") }
        if item.isStale { notes.append("older than \(item.freshness ?? "promised")") }
        return notes.joined(separator: "; ")
    }

    static func show(_ snapshot: WireSnapshot) {
        Output.record([
            ("snapshot", "\(snapshot.environment)/\(snapshot.dataset)@\(snapshot.id)"), ("project", snapshot.project), ("tags", snapshot.tags.joined(separator: ", ")),
            ("label", snapshot.label), ("files", "\(snapshot.files), \(size(snapshot.sizeBytes))"), ("manifest", snapshot.manifest),
            ("created", "\(snapshot.createdAt) by \(snapshot.createdBy)"),
            ("expires", snapshot.expiresAt),
            ("from", snapshot.lineage.map { "\($0.environment)/\(snapshot.dataset)@\($0.snapshot) by recipe \($0.recipe.prefix(12))" }), ("checks", snapshot.verdict),
        ])
        for table in snapshot.tables {
            Output.line()
            Output.line("Table '\(table.name)': \(table.rows) rows in \(table.files) file\(table.files == 1 ? "" : "s")")
            Output.table(
                ["column", "type", "nulls", "distinct", "min", "max"],
                table.columns.map { column in
                    [column.name, column.type, column.nulls.map(percent) ?? "", column.distinct.map { "~\($0)" } ?? "", column.min ?? "", column.max ?? ""]
                }, empty: "No columns.")
        }
        if snapshot.verdict != "none" {
            Output.line()
            showChecks(snapshot)
        }
    }

    static func showChecks(_ snapshot: WireSnapshot) {
        if let message = snapshot.checksMessage { Output.note(message) }
        Output.table(
            ["check", "holds", "severity", "found"], snapshot.checks.map { [$0.name, $0.holds ? "yes" : "NO", $0.severity, $0.message] },
            empty: snapshot.verdict == "none" ? "No checks are declared." : "No check ran: \(snapshot.verdict).")
        for check in snapshot.checks where !check.holds && !check.sample.isEmpty {
            Output.line()
            Output.line("Rows that break '\(check.name)':")
            for row in check.sample { Output.line("  \(row)") }
        }
    }

    private static func percent(_ share: Double) -> String { share == 0 ? "0 %" : "\((share * 1000).rounded() / 10) %" }
}
