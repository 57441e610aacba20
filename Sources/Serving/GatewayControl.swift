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
        let note: Mutex<GatewayState>

        init(dispatcher: GatewayDispatcher, capture: CaptureWriter, stop: AsyncStream<Void>.Continuation, note: GatewayState) {
            self.dispatcher = dispatcher
            self.capture = capture
            self.stop = stop
            self.note = Mutex(note)
        }
    }

    let state: State

    func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.get("state") { _, _ in
            try Self.answer(state.note.withLock { $0 })
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
