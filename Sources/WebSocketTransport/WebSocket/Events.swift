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
}
