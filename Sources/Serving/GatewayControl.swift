import Foundation
import Hummingbird
import NIOCore
import SlipwayCore
import Synchronization

/// The gateway's Unix socket: only the owner of the data folder reaches it.
struct GatewayControl: Sendable {
    final class State: Sendable {
        let dispatcher: GatewayDispatcher
        let capture: CaptureWriter
        let stop: AsyncStream<Void>.Continuation
        let port: Mutex<Int>
        let startedAt: Timestamp

        init(dispatcher: GatewayDispatcher, capture: CaptureWriter, stop: AsyncStream<Void>.Continuation, port: consuming Mutex<Int>, startedAt: Timestamp) {
            self.dispatcher = dispatcher
            self.capture = capture
            self.stop = stop
            self.port = port
            self.startedAt = startedAt
        }
    }

    let state: State

    func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.get("state") { _, _ in
            try Self.answer(GatewayState(pid: getpid(), port: state.port.withLock { $0 }, startedAt: state.startedAt))
        }
        router.get("status") { _, _ in try Self.answer(state.dispatcher.status { state.capture.counts(of: $0) }) }
        router.post("reload") { _, _ in
            state.dispatcher.nudge()
            return Response(status: .noContent)
        }
        router.post("flush") { _, _ in
            await state.capture.flush()
            return Response(status: .noContent)
        }
        router.post("stop") { _, _ in
            state.stop.yield()
            return Response(status: .accepted)
        }
        return router
    }

    private static func answer(_ value: some Encodable) throws -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: ByteBuffer(bytes: try JSONEncoder().encode(value))))
    }
}
