import DequeModule
import Dispatch
import Foundation
import Logging
import NIOCore
import ServiceLifecycle
import SlipwayCore
import Synchronization

/// One answered request on its way to the capture.
struct CapturedRequest: Sendable {
    var slot: SlotName
    var release: ContentDigest
    var version: Int
    var generation: Int
    var id: String
    var at: Timestamp
    var milliseconds: Double
    var request: ByteBuffer
    var answer: WorkerAnswer

    var bytes: Int { request.readableBytes + answer.body.readableBytes + answer.captured.readableBytes + 512 }
}

/// Writes captured rows to NDJSON segments, behind the requests: `captures/<slot>/<yyyymmddThhmmss>-<n>.ndjson`.
///
/// The buffer is bounded; what does not fit is dropped and counted. A segment is open under another name and gets its own when
/// it is closed: when it is large, old, or nothing came for a while.
final class CaptureWriter: Service {
    struct Bounds: Sendable {
        var bufferBytesMax = 64 << 20
        var segmentBytesMax = 32 << 20
        var segmentAgeMax = Duration.seconds(60)
        var idleMax = Duration.seconds(2)
    }

    /// Rows written and rows dropped, since the gateway started.
    struct Counts: Sendable, Hashable, Codable {
        var captured: Int64 = 0
        var dropped: Int64 = 0
    }

    private let folder: URL
    private let clock: any WallClock
    private let bounds: Bounds
    private let logger: Logger
    /// All files are touched on this queue only.
    private let queue = DispatchQueue(label: "slipway.capture")
    private let buffer = Mutex(Buffer())

    private struct Buffer {
        var items: Deque<CapturedRequest> = []
        var bytes = 0
        var isScheduled = false
        var counts: [SlotName: Counts] = [:]
        var segments: [SlotName: Segment] = [:]
        var nextSegment = 0
    }

    private struct Segment: Sendable {
        var descriptor: Int32
        var open: URL
        var final: URL
        var bytes: Int
        var openedAt: ContinuousClock.Instant
        var writtenAt: ContinuousClock.Instant
    }

    init(folder: URL, clock: any WallClock, bounds: Bounds = Bounds(), logger: Logger) {
        self.folder = folder
        self.clock = clock
        self.bounds = bounds
        self.logger = logger
    }

    /// Takes the request if there is room; never waits.
    func offer(_ item: CapturedRequest) {
        let schedule = buffer.withLock { buffer in
            guard buffer.bytes + item.bytes <= bounds.bufferBytesMax else {
                buffer.counts[item.slot, default: Counts()].dropped += Int64(item.answer.rows)
                return false
            }
            buffer.items.append(item)
            buffer.bytes += item.bytes
            defer { buffer.isScheduled = true }
            return !buffer.isScheduled
        }
        if schedule { queue.async { self.drain() } }
    }

    func counts(of slot: SlotName) -> Counts { buffer.withLock { $0.counts[slot] ?? Counts() } }

    /// Writes what waits and closes every segment.
    func flush() async {
        await withCheckedContinuation { continuation in
            queue.async {
                self.drain()
                self.closeSegments { _ in true }
                continuation.resume()
            }
        }
    }

    /// Closes quiet segments until shut down, then all of them.
    func run() async throws {
        try await offload { try self.adoptLeftovers() }
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: .milliseconds(500))  // cancelled: the loop ends
                self.queue.async { self.closeQuiet() }
            }
        }
        await flush()
    }

    // MARK: On the queue

    private func drain() {
        while true {
            let item = buffer.withLock { buffer -> CapturedRequest? in
                guard let item = buffer.items.popFirst() else {
                    buffer.isScheduled = false
                    return nil
                }
                return item
            }
            guard let item else { return }
            var counts = Counts()
            do {
                counts.captured = Int64(try write(item))
            } catch {
                counts.dropped = Int64(item.answer.rows)
                logger.error("capture failed", metadata: ["slot": "\(item.slot)", "error": "\(error)"])
            }
            buffer.withLock { buffer in
                buffer.bytes -= item.bytes
                buffer.counts[item.slot, default: Counts()].captured += counts.captured
                buffer.counts[item.slot, default: Counts()].dropped += counts.dropped
            }
        }
    }

    private func write(_ item: CapturedRequest) throws -> Int {
        var lines: [UInt8] = []
        lines.reserveCapacity(item.bytes * 2)
        let rows = try Self.append(item, to: &lines)
        guard rows > 0 else { return 0 }
        var segment = try segment(of: item.slot)
        try lines.withUnsafeBytes { try Self.writeAll($0, to: segment.descriptor, segment.open) }
        segment.bytes += lines.count
        segment.writtenAt = .now
        let grown = segment
        buffer.withLock { $0.segments[item.slot] = grown }
        if grown.bytes >= bounds.segmentBytesMax { closeSegments { $0.final == grown.final } }
        return rows
    }

    /// Appends the item's lines: `{"id","at","release","version","generation","ms","row":{…},"prediction":…}`.
    static func append(_ item: CapturedRequest, to lines: inout [UInt8]) throws -> Int {
        let id = try CanonicalJSON.text(item.id).dropLast()
        let ms = String(format: "%.3f", item.milliseconds)
        let rest = """
            ","at":"\(item.at.iso8601)","release":"\(item.release.rawValue)","version":\(item.version),"generation":\(item.generation),"ms":\(ms),
            """
        let isBatch = item.answer.rows > 1
        let head = { (row: Int, output: inout [UInt8]) in
            output.append(contentsOf: #"{"id":"#.utf8)
            output.append(contentsOf: id.utf8)
            if isBatch { output.append(contentsOf: ":\(row)".utf8) }
            output.append(contentsOf: rest.utf8)
        }
        guard item.answer.form == .other else {
            return try CaptureRows.append(request: item.request, answer: item.answer.body, form: item.answer.form, to: &lines, head: head)
        }
        var row = 0
        for line in item.answer.captured.readableBytesView.split(separator: UInt8(ascii: "\n")) {
            head(row, &lines)
            lines.append(contentsOf: line)
            lines.append(contentsOf: "}\n".utf8)
            row += 1
        }
        return row
    }

    private func segment(of slot: SlotName) throws -> Segment {
        let (existing, number) = buffer.withLock { buffer -> (Segment?, Int) in
            if let segment = buffer.segments[slot] { return (segment, 0) }
            buffer.nextSegment += 1
            return (nil, buffer.nextSegment)
        }
        if let existing { return existing }
        let place = folder.appending(path: slot.rawValue)
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        let stamp = clock.now.date.formatted(.iso8601.year().month().day().dateSeparator(.omitted).time(includingFractionalSeconds: false).timeSeparator(.omitted))
        for attempt in 0..<1000 {
            let name = "\(stamp)-\(number + attempt)"
            let final = place.appending(path: "\(name).ndjson")
            let open = place.appending(path: "\(name).open")
            if FileManager.default.fileExists(atPath: final.path) { continue }
            let descriptor = Glibc.open(open.path, O_CREAT | O_EXCL | O_WRONLY | O_APPEND | O_CLOEXEC, 0o600)
            if descriptor < 0, errno == EEXIST { continue }
            guard descriptor >= 0 else { throw fileError("create", open) }
            return Segment(descriptor: descriptor, open: open, final: final, bytes: 0, openedAt: .now, writtenAt: .now)
        }
        throw SlipwayError.fault("No free name for a capture segment in '\(place.path)'.")
    }

    private static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, _ file: URL) throws {
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw fileError("write", file) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    private func closeQuiet() {
        let now = ContinuousClock.now
        closeSegments { now - $0.writtenAt >= self.bounds.idleMax || now - $0.openedAt >= self.bounds.segmentAgeMax }
    }

    private func closeSegments(_ isDue: (Segment) -> Bool) {
        let due = buffer.withLock { buffer in
            let due = buffer.segments.filter { isDue($0.value) }
            for slot in due.keys { buffer.segments[slot] = nil }
            return due.values
        }
        for segment in due {
            fsync(segment.descriptor)
            close(segment.descriptor)
            if rename(segment.open.path, segment.final.path) != 0 { logger.error("capture segment kept open", metadata: ["file": "\(segment.open.path)"]) }
        }
    }

    /// Closes segments of a gateway that was killed; a line cut in half goes.
    private func adoptLeftovers() throws {
        guard let walk = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil) else { return }
        for case let file as URL in walk where file.pathExtension == "open" {
            let data = try Data(contentsOf: file, options: .alwaysMapped)
            let whole = data.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
            guard whole > 0 else { try FileManager.default.removeItem(at: file); continue }
            guard truncate(file.path, off_t(whole)) == 0, rename(file.path, file.deletingPathExtension().appendingPathExtension("ndjson").path) == 0
            else { throw fileError("close", file) }
        }
    }
}
