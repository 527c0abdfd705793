import WebSocketProtocol
import WebSocketTransport

extension WebSocket {
    /// Answers each message with itself, in its own type, and nothing else.
    ///
    /// A client that doesn't read its answers is not read from either, so that the memory it takes stays bounded.
    func echo() {
        onMessage = { [unowned self] kind, payload in
            // A socket that is being closed answers no more.
            guard readyState == .open else { return }
            payload.withUnsafeBytes { try? send(kind, $0) }
            if isCongested { pauseReading(because: .echo) }
        }
        onDrain = { [unowned self] in resumeReading(because: .echo) }
    }
}
