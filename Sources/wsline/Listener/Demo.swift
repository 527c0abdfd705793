import WebSocketProtocol
import WebSocketTransport

/// `--demo`: an echo server in this very process, to try the client on.
///
/// It listens on the loopback address, which every sandbox has, on a port that the system picks. A UNIX socket would do as well, except for the
/// file that it leaves behind when the process is killed.
@EventLoop
final class Demo: ServedClients {
    /// Starts the server, for as long as the process lives, changes `configuration` so that nothing in it leads elsewhere,
    /// and returns where to connect.
    static func start(_ configuration: inout Configuration, diagnostics: Diagnostics) throws(TransportError) -> WebSocketURL {
        var serving = configuration
        serving.listening = ListenOptions(subprotocols: configuration.connection.handshake.subprotocols)
        configuration.connection.proxy = .none
        configuration.connection.unixSocket = nil
        configuration.connection.dialing.overrides = []
        configuration.connection.dialing.families = .any
        let server = ListenServer(serving, owner: Demo(), diagnostics: Diagnostics(level: .quiet, write: { _ in }))
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
