import WebSocketProtocol
import WebSocketTransport

/// Who is connected in a run: a client to its server, or a listener's clients to it.
@EventLoop
protocol Role: AnyObject {
    /// Begins to connect, or to listen.
    func start() throws(TransportError)
    /// Where messages go; nil while nobody is there.
    var peer: (any Peer)? { get }
    /// Whether the first connection is still being made.
    var isConnecting: Bool { get }
    func pauseReading(because reason: PauseReasons)
    func resumeReading(because reason: PauseReasons)
    /// Why it is not read for now.
    var pauses: PauseReasons { get }
    /// Whether binary messages are handed on in parts, from the next one on.
    func streamBinary(_ isStreamed: Bool)
    /// All of the input has been handed to the peer, this one or the one before it.
    func inputEnded()
    /// Closes what is open and makes no more of it; then comes ``Run/conclude()``.
    func end(_ code: CloseCode?, reason: String)
    /// Seconds that ``end(_:reason:)`` may take; nil leaves it to the closing handshake's own limit.
    var patience: Double? { get }
    /// What the connections' end comes to, where nothing else has decided the exit status.
    func conclusion() -> ExitStatus
    /// What `/status` shows, a name and a value each.
    var status: [(String, String)] { get }
    /// The opening handshakes of the present connections, as they were.
    var handshakes: [OpeningHeads] { get }
    /// Pings of ours that were never answered; those whose pongs may still come aren't among them.
    var lostPings: Int { get }
    /// Takes over what may have changed of the configuration.
    func adopt(_ configuration: Configuration)
}

/// What a connection's two sides said to open it.
struct OpeningHeads {
    /// A listener's client.
    var client: Int?
    var request: HTTPRequestHead
    /// Nil while it is awaited.
    var response: HTTPResponseHead?
}
