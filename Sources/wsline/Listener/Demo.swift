import WebSocketProtocol
import WebSocketTransport

/// `--demo`: an echo server in this very process, to try the client on.
///
/// It listens on the loopback address, which every sandbox has, on a port that the system picks. A UNIX socket would do as well, except for the
/// file that it leaves when the process is killed.
@EventLoop
final class Demo: ServedClients {
    /// Starts the server, for as long as the process lives, and returns where to connect.
    static func start(_ configuration: Configuration, diagnostics: Diagnostics) throws(TransportError) -> WebSocketURL {
        let server = ListenServer(configuration, owner: Demo(), diagnostics: Diagnostics(level: .quiet, to: NoLines()))
        guard let address = try server.listen(on: .host("127.0.0.1", port: 0)).first, let url = try? WebSocketURL("ws://\(address)/") else {
            preconditionFailure("a listener has an address")
        }
        diagnostics.notice("This is a demonstration: an echo server inside this process answers each line with itself.")
        return url
    }

    func prepare(_ client: ServedClient) { client.socket.echo() }
    func opened(_ client: ServedClient, _ request: ServerHandshake) {}
    func failed(_ client: ServedClient, _ error: WebSocketError) {}
    func closed(_ client: ServedClient, _ closure: Closure) {}
}

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
