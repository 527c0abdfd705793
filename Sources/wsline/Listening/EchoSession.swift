import WebSocketProtocol
import WebSocketTransport

/// A run as an echo server: clients are answered and nothing else, so neither standard input nor standard output has a part in it.
@EventLoop
final class EchoSession {
    private let configuration: Configuration
    private let target: ListenTarget
    private let diagnostics: Diagnostics
    private let echo: EchoServer
    private lazy var ending = ServerEnding { $0.leave() }
    private var signals: SignalWatcher?

    init(_ configuration: Configuration, on target: ListenTarget, diagnostics: Diagnostics) {
        self.configuration = configuration
        self.target = target
        self.diagnostics = diagnostics
        echo = EchoServer(configuration, diagnostics: diagnostics)
    }

    /// Begins to listen.
    func start() throws(TransportError) {
        let (server, addresses) = try echo.listen(on: target)
        signals = SignalWatcher { [unowned self] signal in
            if ending.hasBegun { ExitStatus(signal: signal).leave() }
            ending.end(server, ExitStatus(signal: signal))
        }
        _ = diagnostics.tellListening(on: addresses, isSecure: configuration.listening.identity != nil)
        ending.limit(server, to: configuration.stop.timeout, telling: diagnostics)
    }
}

/// `--demo`: an echo server in this very process, to try the client on.
///
/// It listens on the loopback address, which every sandbox has, on a port that the system picks. A UNIX socket would do as well, except for the
/// file that it leaves behind when the process is killed.
@EventLoop
enum Demo {
    /// Starts the server, for as long as the process lives, changes `configuration` so that nothing in it leads elsewhere,
    /// and returns where to connect.
    static func start(_ configuration: inout Configuration, diagnostics: Diagnostics) throws(TransportError) -> WebSocketURL {
        var serving = configuration
        serving.listening = ListenOptions(subprotocols: configuration.connection.handshake.subprotocols)
        configuration.connection.proxy = .none
        configuration.connection.unixSocket = nil
        configuration.connection.dialing.overrides = []
        configuration.connection.dialing.families = .any
        let echo = EchoServer(serving, diagnostics: Diagnostics(level: .quiet, write: { _ in }))
        let (_, addresses) = try echo.listen(on: .host("127.0.0.1", port: 0))
        guard let address = addresses.first, let url = try? WebSocketURL("ws://\(address)/") else {
            preconditionFailure("a listener has an address")
        }
        diagnostics.notice("This is a demonstration: an echo server inside this process answers each line with itself.")
        return url
    }
}
