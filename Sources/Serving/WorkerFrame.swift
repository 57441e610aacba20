import NIOCore

/// A request as `worker.py` reads it: a fixed head, then the body as it came.
struct WorkerRequest: Sendable {
    enum Kind: UInt8, Sendable { case json = 0, csv = 1, infer = 2, ping = 3 }

    var kind: Kind
    var body: ByteBuffer
    /// Asks for the rows of those shapes that the gateway does not cut itself.
    var wantsRows: Bool

    func write(to buffer: inout ByteBuffer) {
        buffer.reserveCapacity(minimumWritableBytes: 10)
        buffer.writeInteger(kind.rawValue)
        buffer.writeInteger(UInt8(wantsRows ? 1 : 0))
        buffer.writeInteger(UInt32(0))
        buffer.writeInteger(UInt32(body.readableBytes))
    }
}

/// A worker's answer.
struct WorkerAnswer: Sendable {
    /// How the gateway may cut the request's body into rows.
    enum Form: UInt8, Sendable { case other = 0, split = 1, records = 2 }

    var status: Int
    var form: Form
    var rows: Int
    var notANumber: Int
    var body: ByteBuffer
    /// `"row":{…},"prediction":…` per line, for `other`.
    var captured: ByteBuffer

    static let headBytes = 19
}

/// Cuts the stream of a worker into answers.
struct WorkerAnswerDecoder: NIOSingleStepByteToMessageDecoder {
    typealias InboundOut = WorkerAnswer

    mutating func decode(buffer: inout ByteBuffer) throws -> WorkerAnswer? {
        let start = buffer.readerIndex
        guard let (status, form, rows, nan, bodyLength, rowsLength) = buffer.readMultipleIntegers(as: (UInt16, UInt8, UInt32, UInt32, UInt32, UInt32).self) else {
            return nil
        }
        guard let body = buffer.readSlice(length: Int(bodyLength)), let captured = buffer.readSlice(length: Int(rowsLength)) else {
            buffer.moveReaderIndex(to: start)
            return nil
        }
        return WorkerAnswer(
            status: Int(status), form: WorkerAnswer.Form(rawValue: form) ?? .other, rows: Int(rows), notANumber: Int(nan), body: body, captured: captured)
    }

    mutating func decodeLast(buffer: inout ByteBuffer, seenEOF: Bool) throws -> WorkerAnswer? { try decode(buffer: &buffer) }
}

struct WorkerGone: Error {}

/// Hands each answer to whoever waits for it. Lives on its channel's event loop.
final class WorkerAnswerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var decoder = NIOSingleStepByteToMessageProcessor(WorkerAnswerDecoder())
    private var waiting: EventLoopPromise<WorkerAnswer>?
    /// An answer that nobody has asked for yet: the worker's hello.
    private var early: WorkerAnswer?
    private var isClosed = false

    func wait(_ promise: EventLoopPromise<WorkerAnswer>) {
        if let answer = early {
            early = nil
            promise.succeed(answer)
        } else if isClosed {
            promise.fail(WorkerGone())
        } else {
            waiting = promise
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do {
            try decoder.process(buffer: unwrapInboundIn(data)) { answer in
                if let promise = waiting {
                    waiting = nil
                    promise.succeed(answer)
                } else {
                    early = answer
                }
            }
        } catch {
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        isClosed = true
        waiting?.fail(WorkerGone())
        waiting = nil
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
