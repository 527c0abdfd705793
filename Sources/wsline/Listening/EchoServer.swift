import WebSocketProtocol
import WebSocketTransport

/// Answers each message with itself, in its own type.
///
/// A client that doesn't read its answers is not read from either, so that the memory it takes stays bounded.
@EventLoop
final class EchoServer: ServedClients {
    private let configuration: Configuration
    private let diagnostics: Diagnostics

    init(_ configuration: Configuration, diagnostics: Diagnostics) {
        self.configuration = configuration
        self.diagnostics = diagnostics
    }

    /// Binds and begins to serve. The server lives as long as the process, or until it is ended.
    func listen(on target: ListenTarget) throws(TransportError) -> (server: ListenServer, addresses: [SocketAddress]) {
        let server = ListenServer(configuration, owner: self, diagnostics: diagnostics)
        return (server, try server.listen(on: target))
    }

    func prepare(_ client: ServedClient) {
        let socket = client.socket
        socket.onMessage = { [unowned socket] kind, payload in
            // A socket that is being closed answers no more.
            guard socket.readyState == .open else { return }
            payload.withUnsafeBytes { try? socket.send(kind, $0) }
            if socket.isCongested { socket.pauseReading(because: .echo) }
        }
        socket.onDrain = { [unowned socket] in socket.resumeReading(because: .echo) }
    }

    func opened(_ client: ServedClient, _ request: ServerHandshake) {}
    func failed(_ client: ServedClient, _ error: WebSocketError) {}
    func closed(_ client: ServedClient, _ closure: Closure) {}
}
