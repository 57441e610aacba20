import ArgumentParser
import Foundation
import NIOCore
import SlipwayClient
import SlipwayCore
import SlipwayWire

struct EndpointCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "endpoint", abstract: "Endpoints: what answers predictions, and how it does.",
        subcommands: [EndpointList.self, EndpointShow.self, EndpointPredict.self])
}

struct EndpointList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the endpoints of your projects.", discussion: "Example: slipway endpoint list --environment prod")
    @Option(help: "dev, stage or prod; all when absent.") var environment: EnvironmentID?
    @OptionGroup var connection: Connection

    func run() async throws {
        let client = try connection.client()
        var found: [WireEndpoint] = []
        for environment in environment.map({ [$0] }) ?? EnvironmentID.allCases {
            found += try await client.get("/api/v1/\(environment.rawValue)/endpoints", as: WirePage<WireEndpoint>.self).items
        }
        if connection.json { return try Output.json(WirePage(items: found)) }
        Output.table(
            ["endpoint", "project", "state", "model", "requests", "p95 ms", "address"],
            found.map { endpoint in
                [
                    "\(endpoint.environment)/\(endpoint.slot)", endpoint.project, endpoint.state,
                    endpoint.deployments.map { "\($0.model) \($0.version)" + ($0.weight == 100 ? "" : " (\($0.weight) %)") }.joined(separator: ", "),
                    String(endpoint.deployments.reduce(0) { $0 + $1.requests }),
                    String(format: "%.1f", endpoint.deployments.map(\.latencyMsP95).max() ?? 0),
                    endpoint.address.map { "\($0)/endpoints/\(endpoint.slot)/invocations" } ?? "",
                ]
            }, empty: "No endpoints yet: a promotion makes the first one (slipway promotion request).")
    }
}

struct EndpointShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show an endpoint with its deployments.", discussion: "Example: slipway endpoint show prod/flight-delay")
    @Argument(help: "Environment and name, such as prod/flight-delay.") var endpoint: EnvironmentPath
    @OptionGroup var connection: Connection

    func run() async throws {
        let found = try await connection.client().get(
            "/api/v1/\(endpoint.environment.rawValue)/endpoints/\(try pathPart(endpoint.name))", as: WireEndpoint.self)
        if connection.json { return try Output.json(found) }
        Output.record([
            ("endpoint", "\(found.environment)/\(found.slot)"), ("project", found.project), ("state", found.state), ("generation", String(found.generation)),
            ("workers", String(found.workers)), ("capture", "\(found.rowsCaptured) rows, \(found.rowsDropped) dropped (share \(found.capture))"),
            ("invocations", found.address.map { "\($0)/endpoints/\(found.slot)/invocations" }),
            ("infer", found.address.map { "\($0)/v2/models/\(found.slot)/infer" }),
        ])
        Output.line()
        Output.table(
            ["release", "model", "weight", "state", "requests", "rows", "errors", "nan", "p50 ms", "p95 ms"],
            found.deployments.map {
                [
                    String($0.release.prefix(12)), "\($0.model) \($0.version)", "\($0.weight) %", $0.state, String($0.requests), String($0.rows), String($0.errors),
                    String($0.nan), String(format: "%.1f", $0.latencyMsP50), String(format: "%.1f", $0.latencyMsP95),
                ]
            }, empty: "No deployments.")
        for deployment in found.deployments { if let reason = deployment.reason { Output.note("\(deployment.release.prefix(12)): \(reason)") } }
    }
}

struct EndpointPredict: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "predict", abstract: "Send a file of rows and print the answer.",
        discussion: """
            The file holds MLflow's JSON ({"dataframe_split": …}, {"dataframe_records": …}, {"instances": …} or {"inputs": …}), or CSV with a header
            when its name ends in .csv; '-' reads standard input.
            Example: slipway endpoint predict prod/flight-delay flight.json
            """)
    @Argument(help: "Environment and name, such as prod/flight-delay.") var endpoint: EnvironmentPath
    @Argument(help: "The file with the rows; - for standard input.") var file: String
    @Option(help: "An id that the capture keeps and labels may refer to.") var requestID: String?
    @OptionGroup var connection: Connection

    func run() async throws {
        let bytes: Data
        if file == "-" {
            bytes = try FileHandle.standardInput.readToEnd() ?? Data()
        } else {
            guard let read = FileManager.default.contents(atPath: file) else {
                throw SlipwayError.notFound("There is no file '\(file)'.", remedy: "Name a file with the rows, or - for standard input.")
            }
            bytes = read
        }
        let path = "/\(endpoint.environment.rawValue)/endpoints/\(try pathPart(endpoint.name))/invocations"
        let response: Data = try await connection.client().predict(path, body: bytes, contentType: file.hasSuffix(".csv") ? "text/csv" : "application/json", requestID: requestID)
        Output.raw(response)
        Output.line()
    }
}
