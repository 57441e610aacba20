import ArgumentParser
import AsyncHTTPClient
import Foundation
import NIOCore
import SlipwayClient
import SlipwayCore
import SlipwayWire

struct LabelsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "labels", abstract: "Ground truth that arrives after the predictions.", subcommands: [LabelsImport.self, LabelsList.self])
}

struct LabelsImport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Send a file of labels: CSV with a header, JSON records, or one record per line.",
        discussion: """
            Columns: 'key' (or the column that monitoring.labels.key names), 'label' (a number, or true and false), and 'at' when the label became known.
            The same file twice counts once; a later file's label for a key replaces an earlier one.

            Example: slipway labels import arrivals-2013-04.csv --slot prod/flight-delay
            """)
    @Argument(help: "The file, or - for standard input.") var file: String
    @Option(help: "The slot that the labels are for, such as prod/flight-delay.") var slot: EnvironmentPath
    @OptionGroup var connection: Connection

    func run() async throws {
        let handle: FileHandle
        var size: Int64 = 0
        if file == "-" {
            handle = .standardInput
        } else {
            guard FileManager.default.isReadableFile(atPath: file) else {
                throw SlipwayError.notFound("There is no readable file '\(file)'.", remedy: "Name a CSV or JSON file of labels.")
            }
            handle = try FileHandle(forReadingFrom: URL(filePath: file))
            size = (try FileManager.default.attributesOfItem(atPath: file)[.size] as? NSNumber)?.int64Value ?? 0
        }
        let bar = ProgressBar("labels", total: size)
        defer { bar.finish() }
        let client = try connection.client()
        let patient = APIClient(base: client.base, token: client.token, timeout: .minutes(30))
        let response = try await patient.open(
            "POST", "/api/v1/\(slot.environment.rawValue)/labels?slot=\(try pathPart(slot.name))",
            body: .stream(FilePieces(handle: handle, bar: bar), length: file == "-" ? .unknown : .known(size)), contentType: "application/octet-stream")
        let bytes = try await response.body.collect(upTo: 1 << 20)
        let batch = try WireCoder.decode(WireLabelBatch.self, from: Data(bytes.readableBytesView))
        bar.finish()
        if connection.json { return try Output.json(batch) }
        Output.note(batch.isNew == false ? "These bytes are known already." : "Kept \(batch.rows) labels.")
        Output.record([("batch", batch.id), ("labels", String(batch.rows)), ("received", batch.receivedAt), ("by", batch.receivedBy)])
    }
}

/// A file in pieces of 256 KiB, read when the connection has room for more.
private struct FilePieces: AsyncSequence, Sendable {
    let handle: FileHandle
    let bar: ProgressBar

    struct AsyncIterator: AsyncIteratorProtocol {
        let handle: FileHandle
        let bar: ProgressBar
        var done: Int64 = 0

        mutating func next() async throws -> ByteBuffer? {
            guard let piece = try handle.read(upToCount: 256 << 10), !piece.isEmpty else { return nil }
            done += Int64(piece.count)
            bar.update(done)
            return ByteBuffer(bytes: piece)
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(handle: handle, bar: bar) }
}

struct LabelsList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Files of labels that a slot received, newest first.", discussion: "Example: slipway labels list prod/flight-delay")
    @Argument(help: "The slot, such as prod/flight-delay.") var slot: EnvironmentPath
    @Option(help: "At most this many, 1 to 1000.") var limit = 100
    @OptionGroup var connection: Connection

    func run() async throws {
        let page = try await connection.client().get(
            "/api/v1/\(slot.environment.rawValue)/labels?slot=\(try pathPart(slot.name))&limit=\(limit)", as: WirePage<WireLabelBatch>.self)
        if connection.json { return try Output.json(page) }
        Output.table(
            ["batch", "labels", "received", "by"], page.items.map { [$0.id, String($0.rows), $0.receivedAt, $0.receivedBy] },
            empty: "No labels yet. Send some: slipway labels import FILE --slot \(slot.environment.rawValue)/\(slot.name)")
    }
}
