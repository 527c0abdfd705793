import WebSocketProtocol

/// A piece of a message that is handed on as it comes.
public enum MessagePart {
    case began(MessageKind)
    /// Borrowed for the length of the call.
    case bytes(MessageKind, UnsafeRawBufferPointer)
    case ended(MessageKind)
}

/// Why a WebSocket ended otherwise than by Close frames.
public enum WebSocketError: Error, Equatable {
    /// It could not be reached: name, connect, proxy or TLS.
    case transport(TransportError)
    /// The opening handshake took longer than the connection may.
    case openingTimedOut
    case refused(Refusal)
    /// The peer broke the protocol, or a limit of ours.
    case breach(ProtocolError)
    /// The stream ended, or failed, with no Close.
    case lost(TransportError?)
    /// The peer took longer to answer our Close than it may.
    case closingTimedOut
}

/// Why nothing is read from a connection. Whoever pauses the reading says why, and lifts only that: it goes on when no reason is left.
public struct PauseReasons: OptionSet, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// What shows the messages is full for now.
    public static let output = PauseReasons(rawValue: 1 << 0)
    /// What answers the messages waits to be sent.
    public static let echo = PauseReasons(rawValue: 1 << 1)
    /// What messages are saved to is full for now.
    public static let saving = PauseReasons(rawValue: 1 << 2)

    /// What shows the frames is full for now.
    public static let frames = PauseReasons(rawValue: 1 << 3)

    /// Somebody asked for it.
    public static let command = PauseReasons(rawValue: 1 << 4)

    static let all = PauseReasons(rawValue: .max)
}
