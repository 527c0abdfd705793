import WebSocketProtocol
import WebSocketTransport

/// Who is at the other end: a client's server, or all of a listener's clients.
@EventLoop
protocol Peer: AnyObject {
    var readyState: ReadyState { get }
    /// Whether so much waits to be sent that a source of messages should wait for room.
    var isCongested: Bool { get }
    func send(_ kind: MessageKind, _ bytes: UnsafeRawBufferPointer) throws(UsageError)
    /// Sends one after the other, for less.
    func send(_ messages: UnsafeBufferPointer<BorrowedMessage>) throws(UsageError)
    func sendFragment(_ kind: MessageKind, _ bytes: UnsafeRawBufferPointer, isFinal: Bool) throws(UsageError)
    /// What is sent until `endBatch()` leaves in one write.
    func beginBatch()
    func endBatch()
    /// Sends a ping, with a payload that no other has if none is given. Returns what was sent to whom.
    func ping(_ payload: [UInt8]?) throws(UsageError) -> [SentPing]
    func pong(_ payload: [UInt8]) throws(UsageError)
    func close(_ code: CloseCode?, reason: String) throws(UsageError)
    /// Sends a frame that was made by hand. Returns what was sent to whom.
    func send(_ frame: HandMadeFrame) throws(UsageError) -> [SentFrame]
    /// Sends bytes as they are. Returns to whom, nil for a client's server.
    func sendRaw(_ bytes: [UInt8]) throws(UsageError) -> [Int?]
    /// The rule that a message breaks if it is sent now, after frames that were made by hand; nil if it breaks none.
    var messageBreach: String? { get }
    /// Whether it is still known where the other end takes a frame to begin.
    var isInStep: Bool { get }
}

/// A frame to be sent just so, valid or not.
struct HandMadeFrame: Equatable, Sendable {
    enum Mask: Equatable, Sendable {
        /// As the RFC asks: a fresh key from a client, none from a server.
        case regular
        case none
        /// Its first byte lowest.
        case key(UInt32)
    }

    var frame = RawFrame()
    var mask = Mask.regular
}

/// A hand-made frame as it went out.
struct SentFrame: Equatable {
    /// Nil for a client's server.
    var client: Int?
    var frame: RawFrame
}

/// A ping whose pong is awaited.
struct SentPing: Equatable {
    /// Nil for a client's server.
    var client: Int?
    var payload: [UInt8]
}

extension Peer {
    var isOpen: Bool { readyState == .open }
    /// Whether messages may be sent now.
    var takesMessages: Bool { isOpen && !isCongested }

    func send(_ messages: UnsafeBufferPointer<BorrowedMessage>) throws(UsageError) {
        for message in messages { try send(message.kind, message.bytes) }
    }

    func send(_ kind: MessageKind, _ bytes: [UInt8]) throws(UsageError) {
        let result = bytes.withUnsafeBytes { bytes in Result { () throws(UsageError) in try send(kind, bytes) } }
        try result.get()
    }
}

extension WebSocket: Peer {
    func send(_ messages: UnsafeBufferPointer<BorrowedMessage>) throws(UsageError) {
        try perform { (connection) throws(UsageError) in try connection.send(messages) }
    }

    func sendFragment(_ kind: MessageKind, _ bytes: UnsafeRawBufferPointer, isFinal: Bool) throws(UsageError) {
        try perform { (connection) throws(UsageError) in try connection.sendFragment(kind, bytes, isFinal: isFinal) }
    }

    func send(_ frame: HandMadeFrame) throws(UsageError) -> [SentFrame] {
        try perform { (connection) throws(UsageError) in
            var sent = frame.frame
            switch frame.mask {
            case .regular: sent.maskKey = connection.nextMaskKey()
            case .none: sent.maskKey = nil
            case .key(let key): sent.maskKey = key
            }
            try connection.send(sent)
            return [SentFrame(frame: sent)]
        }
    }

    func sendRaw(_ bytes: [UInt8]) throws(UsageError) -> [Int?] {
        try perform { (connection) throws(UsageError) in try connection.sendRaw(bytes) }
        return [nil]
    }

    func ping(_ payload: [UInt8]?) throws(UsageError) -> [SentPing] {
        let payload = payload ?? nextPingPayload()
        try ping(payload)
        return [SentPing(payload: payload)]
    }
}
