import WebSocketProtocol
import WebSocketTransport

/// Where messages go: one connection, or all of a listener's.
///
/// `AnyObject`, since it stands for something that lives on while messages come and go.
@EventLoop
protocol MessageSink: AnyObject {
    /// Whether it is open, and not so much waits already that more should.
    var takesMessages: Bool { get }
    func send(_ kind: MessageKind, _ bytes: UnsafeRawBufferPointer) throws(UsageError)
    /// The same as one after the other, for less.
    func send(_ messages: UnsafeBufferPointer<BorrowedMessage>) throws(UsageError)
    func sendFragment(_ kind: MessageKind, _ bytes: UnsafeRawBufferPointer, isFinal: Bool) throws(UsageError)
    /// What is sent until `endBatch()` leaves in one write.
    func beginBatch()
    func endBatch()
}

extension WebSocket: MessageSink {
    var takesMessages: Bool { !isCongested && readyState == .open }

    func send(_ messages: UnsafeBufferPointer<BorrowedMessage>) throws(UsageError) {
        try perform { (connection) throws(UsageError) in try connection.send(messages) }
    }

    func sendFragment(_ kind: MessageKind, _ bytes: UnsafeRawBufferPointer, isFinal: Bool) throws(UsageError) {
        try perform { (connection) throws(UsageError) in try connection.sendFragment(kind, bytes, isFinal: isFinal) }
    }
}

extension MessageSink {
    func send(_ messages: UnsafeBufferPointer<BorrowedMessage>) throws(UsageError) {
        for message in messages { try send(message.kind, message.bytes) }
    }
}
