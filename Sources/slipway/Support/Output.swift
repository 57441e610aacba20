import Foundation
import SlipwayWire
import Synchronization

/// Data on standard output, words on standard error.
enum Output {
    static func line(_ text: String = "") { write(text + "\n", to: FileHandle.standardOutput) }
    static func raw(_ bytes: Data) { write(bytes, to: FileHandle.standardOutput) }
    static func note(_ text: String) { write(text + "\n", to: FileHandle.standardError) }

    /// For programs: the native API's own JSON.
    static func json(_ value: some Encodable) throws {
        raw(try WireCoder.encode(value))
        line()
    }

    /// For people: columns as wide as their widest cell. An empty table says what `empty` says, on standard error.
    static func table(_ headers: [String], _ rows: [[String]], empty: String) {
        guard !rows.isEmpty else { return note(empty) }
        let widths = headers.indices.map { column in ([headers] + rows).map { $0[column].count }.max() ?? 0 }
        func format(_ cells: [String]) -> String {
            zip(cells, widths).map { $0.padding(toLength: max($1, $0.count), withPad: " ", startingAt: 0) }
                .joined(separator: "  ").replacing(/\s+$/, with: "")
        }
        line(format(headers.map { $0.uppercased() }))
        for row in rows { line(format(row)) }
    }

    /// A record as `name  value` lines.
    static func record(_ fields: [(String, String?)]) {
        let width = fields.map(\.0.count).max() ?? 0
        for (name, value) in fields {
            guard let value, !value.isEmpty else { continue }
            line("\(name.padding(toLength: width, withPad: " ", startingAt: 0))  \(value)")
        }
    }

    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    private static func write(_ text: String, to handle: FileHandle) { write(Data(text.utf8), to: handle) }

    /// Whoever reads may go away (`slipway … | head`): then there is nothing left to say, as after a SIGPIPE.
    private static func write(_ bytes: Data, to handle: FileHandle) {
        do { try handle.write(contentsOf: bytes) } catch { exit(141) }
    }
}

/// A bar on standard error for anything over two seconds; silent when nobody watches.
final class ProgressBar: Sendable {
    private let label: String
    private let total: Int64
    private let started = ContinuousClock.now
    private let lastShown = Mutex<ContinuousClock.Instant?>(nil)

    /// - Parameter total: in the same unit as `update`; 0 when it is not known.
    init(_ label: String, total: Int64) {
        self.label = label
        self.total = total
    }

    func update(_ done: Int64, _ detail: String = "") {
        let now = ContinuousClock.now
        guard Output.isTerminal, now - started > .seconds(1) else { return }
        let isDue = lastShown.withLock { last in
            if let last, now - last <= .milliseconds(100) { return false }
            last = now
            return true
        }
        guard isDue else { return }
        let share = total > 0 ? min(1, Double(done) / Double(total)) : 0
        let filled = Int(share * 30)
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: 30 - filled)
        FileHandle.standardError.write(Data("\r\u{1B}[K\(label) \(bar) \(Int(share * 100)) % \(detail)".utf8))
    }

    func finish() {
        if lastShown.withLock({ $0 != nil }) { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
    }
}
