import ArgumentParser
import Foundation
import NIOCore
import SlipwayClient
import SlipwayCore
import SlipwayWire

struct DriftCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drift", abstract: "What a slot was asked and answered, against what its model saw in training.",
        subcommands: [DriftReportCommand.self, DriftList.self, DriftShow.self, DriftHealth.self])
}

struct DriftReportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Compare a window with training, and keep the report.",
        discussion: """
            A crossing of slipway.yaml's thresholds starts a retraining where 'triggers.drift' says, unless --no-retrain.

            Example: slipway drift report prod/flight-delay --from 2013-04-01 --to 2013-05-01
            """)
    @Argument(help: "The slot, such as prod/flight-delay.") var slot: EnvironmentPath
    @Option(help: "The first moment of the window, such as 2013-04-01 or 2013-04-01T06:00:00Z.") var from: String
    @Option(help: "The first moment after the window.") var to: String
    @Flag(help: "Start no retraining, whatever the verdict.") var noRetrain = false
    @OptionGroup var connection: Connection

    func run() async throws {
        let client = try connection.client()
        let patient = APIClient(base: client.base, token: client.token, timeout: .minutes(10))
        let report = try await patient.post(
            "/api/v1/\(slot.environment.rawValue)/drift/\(try pathPart(slot.name))", WireDriftRequest(from: from, to: to, retrain: !noRetrain),
            as: WireDriftReport.self)
        if connection.json { return try Output.json(report) }
        DriftText.show(report)
    }
}

struct DriftList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Reports of a slot, newest first.", discussion: "Example: slipway drift list prod/flight-delay")
    @Argument(help: "The slot, such as prod/flight-delay.") var slot: EnvironmentPath
    @Option(help: "At most this many, 1 to 1000.") var limit = 100
    @OptionGroup var connection: Connection

    func run() async throws {
        let page = try await connection.client().get(
            "/api/v1/\(slot.environment.rawValue)/drift/\(try pathPart(slot.name))?limit=\(limit)", as: WirePage<WireDriftReport>.self)
        if connection.json { return try Output.json(page) }
        let rows = page.items.map { report -> [String] in
            let worst = report.features.first.map { "\($0.name) \(DriftText.number(max($0.psi ?? 0, $0.psiMissing ?? 0)))" }
            let quality = [DriftText.metric("auc", report.quality?.metrics), DriftText.metric("log_loss", report.quality?.metrics)]
            let head = [report.id, DriftText.day(report.from), DriftText.day(report.to), String(report.rows), report.verdict, worst ?? ""]
            return head + quality + [report.quality.map { DriftText.percent($0.coverage) } ?? "", String((report.release ?? "").prefix(12))]
        }
        Output.table(
            ["report", "from", "to", "rows", "verdict", "worst feature", "auc", "log loss", "labels", "release"], rows,
            empty: "No report yet. Make one: slipway drift report \(slot.environment.rawValue)/\(slot.name) --from DAY --to DAY")
    }
}

struct DriftShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "One report with every feature.", discussion: "Example: slipway drift show prod/0a1b2c3d4e5f")
    @Argument(help: "The environment and the report's id, such as prod/0a1b2c3d4e5f.") var report: EnvironmentPath
    @OptionGroup var connection: Connection

    func run() async throws {
        let found = try await connection.client().get(
            "/api/v1/\(report.environment.rawValue)/drift-reports/\(try pathPart(report.name))", as: WireDriftReport.self)
        if connection.json { return try Output.json(found) }
        DriftText.show(found)
    }
}

struct DriftHealth: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health", abstract: "How every slot of an environment is.", discussion: "Example: slipway drift health prod")
    @Argument(help: "dev, stage or prod.") var environment: EnvironmentID
    @OptionGroup var connection: Connection

    func run() async throws {
        let page = try await connection.client().get("/api/v1/\(environment.rawValue)/drift", as: WirePage<WireHealth>.self)
        if connection.json { return try Output.json(page) }
        let rows = page.items.map { health -> [String] in
            let worst = health.worstFeature.map { "\($0) \(DriftText.number(health.worstPsi ?? 0))" } ?? ""
            let quality = [health.auc, health.aucBaseline].map { $0.map(DriftText.number) ?? "" }
            let retraining = health.retraining.map { "\($0.environment) \($0.state)" } ?? ""
            return [health.slot, health.verdict, worst] + quality + [health.labelCoverage.map(DriftText.percent) ?? "", retraining]
        }
        Output.table(["slot", "verdict", "worst feature", "auc", "in training", "labels", "retraining"], rows, empty: "\(environment.rawValue) has no slot that you can see.")
    }
}

/// Reports as people read them.
enum DriftText {
    static func show(_ report: WireDriftReport) {
        Output.record([
            ("report", report.id), ("slot", report.slot), ("release", report.release), ("window", "\(day(report.from)) to \(day(report.to))"),
            ("rows", String(report.rows)), ("verdict", report.verdict), ("baseline", report.baseline),
            ("retraining", report.retraining.map { "\($0.id) in \($0.environment): \($0.state)\($0.message.map { ", \($0)" } ?? "")" }),
            ("not retrained", report.heldBack), ("made", "\(report.madeAt) by \(report.madeBy)"),
        ])
        for reason in report.reasons { Output.line("- \(reason)") }
        if let quality = report.quality, quality.labelled > 0 {
            Output.line()
            let names = Set(quality.metrics.map(\.name)).union(quality.baseline.map(\.name)).sorted()
            Output.table(
                ["quality", "window", "training"],
                names.map { [$0, metric($0, quality.metrics), metric($0, quality.baseline)] }
                    + [["labels", "\(quality.labelled) of \(quality.rows)", ""]], empty: "")
        }
        Output.line()
        Output.table(
            ["feature", "psi", "missing", "missing in training", "band"],
            (report.features + [report.prediction].compactMap(\.self)).map { feature in
                [feature.name, feature.psi.map(number) ?? "", percent(feature.missingShare), percent(feature.missingShareBaseline), feature.band]
            }, empty: "No feature was compared.")
    }

    static func metric(_ name: String, _ metrics: [WireMetric]?) -> String { metrics?.first { $0.name == name }.map { number($0.value) } ?? "" }

    /// Midnight is written as the day alone.
    static func day(_ time: String) -> String { time.hasSuffix("T00:00:00.000Z") ? String(time.prefix(10)) : time }

    static func number(_ value: Double) -> String { DriftRules.number(value) }
    static func percent(_ share: Double) -> String { "\(number(share * 100)) %" }
}
