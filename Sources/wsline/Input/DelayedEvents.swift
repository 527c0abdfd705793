import WebSocketProtocol
import WebSocketTransport

/// Does what the lines of `--json-input` say, each when its delay is over; the input waits meanwhile.
@EventLoop
final class EventInput {
    /// A line asks for the end.
    var onClose: ((CloseFrame) -> Void)?
    /// A delay is over, and what it was for is done: the input may go on.
    var onDue: (() -> Void)?

    /// The present connection; what waited for its time goes to the one that is there then.
    private weak var peer: (any Peer)?
    /// What was to be done after the delay, or once there is a connection again.
    private var pending: JSONInput.Action?
    private var isDelayed = false
    /// How much later than it should the last delay ended; the next is shorter by that, so that a long recording keeps its pace.
    private var lateness = 0.0

    /// Whether a line waits for its time.
    var isWaiting: Bool { pending != nil }

    /// Takes a line. Returns false if the next has to wait for `onDue`.
    func take(_ line: UnsafeRawBufferPointer, _ place: InputError.Place) throws(InputError) -> Bool {
        let event: JSONInput
        do { event = try JSONInput(parsing: line) } catch { throw .line(place: place, "\(error)") }
        guard event.delay > lateness else {
            lateness = max(lateness - event.delay, 0)
            pending = event.action
            performPending()
            return !isWaiting
        }
        let deadline = monotonicNow() &+ nanoseconds(event.delay - lateness)
        pending = event.action
        isDelayed = true
        Timer(after: event.delay - lateness) { [self] in
            isDelayed = false
            let late = Double(monotonicNow() &- deadline) / 1e9
            lateness = min(late, Self.mostLateness)
            if performPending() { onDue?() }
        }
        return false
    }

    /// Does what became due while there was no connection.
    func attached(to peer: any Peer) {
        self.peer = peer
        if !isDelayed { performPending() }
    }

    /// Does what waits, if there is a connection to do it on; returns whether it did.
    @discardableResult
    private func performPending() -> Bool {
        guard let action = pending, let peer, peer.isOpen else { return false }
        pending = nil
        perform(action, on: peer)
        return true
    }

    private func perform(_ action: JSONInput.Action, on peer: any Peer) {
        do {
            switch action {
            case .message(let kind, let payload): try peer.send(kind, payload)
            case .ping(let payload): _ = try peer.ping(payload)
            case .pong(let payload): try peer.pong(payload)
            case .close(let frame): onClose?(frame)
            case .nothing: break
            }
        } catch {
            preconditionFailure("an open socket refused an event that was checked: \(error)")
        }
    }

    /// More isn't a slip of the timer but a machine that slept, or a server that let us wait.
    private static let mostLateness = 0.05
}
