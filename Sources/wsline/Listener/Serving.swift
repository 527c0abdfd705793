import WebSocketProtocol
import WebSocketTransport

/// A run as a listener: what all clients send is shown in the order in which it came, and what is typed or piped in goes to all of them.
@EventLoop
final class ListenerRole: Role, ServedClients {
    private unowned let run: Run
    private let target: ListenTarget
    private let scheme: String
    private let diagnostics: Diagnostics
    private lazy var server = ListenServer(run.configuration, owner: self, diagnostics: diagnostics)
    private lazy var broadcast = makeBroadcast()
    /// Where it can be reached; what the clients' requests are shown to be for, if they name nothing better.
    private var url: WebSocketURL?
    private var beganAt: Instant = 0
    /// Why nobody is read for now.
    private(set) var pauses: PauseReasons = []

    init(_ target: ListenTarget, _ run: Run) {
        self.run = run
        self.target = target
        scheme = run.configuration.connection.tls.identity == nil ? "ws" : "wss"
        diagnostics = run.diagnostics
    }

    func start() throws(TransportError) {
        let addresses = try server.listen(on: target)
        beganAt = monotonicNow()
        let urls = addresses.map { address in
            if case .unix(let path) = address { "\(scheme)+unix://\(path.escaped)" } else { "\(scheme)://\(address)" }
        }
        url = urls.first.flatMap { try? WebSocketURL($0) }
        diagnostics.notice("Listening on \(urls.joined(separator: " and ")) (press CTRL+C to quit)")
        run.attached(broadcast)
    }

    var peer: (any Peer)? { broadcast.isEmpty ? nil : broadcast }
    var isConnecting: Bool { false }
    /// Seconds that clients have to answer a Close.
    var patience: Double? { 1 }

    func pauseReading(because reason: PauseReasons) {
        guard pauses.insert(reason).inserted else { return }
        for client in server.clients.values { client.socket.pauseReading(because: reason) }
    }

    func resumeReading(because reason: PauseReasons) {
        guard pauses.remove(reason) != nil else { return }
        for client in server.clients.values { client.socket.resumeReading(because: reason) }
    }

    func streamBinary(_ isStreamed: Bool) {
        for client in broadcast.clients { client.socket.stream(.binary, isStreamed) }
    }

    /// It listens on.
    func inputEnded() {}

    func end(_ code: CloseCode?, reason: String) {
        // Later: the last client's end may still be reported, and what it sent written.
        server.end(.goingAway) { [self] in
            EventLoop.later { [self] in
                for line in server.statistics.totals(run.roundTrips, lost: lostPings) { diagnostics.detail(line) }
                run.conclude()
            }
        }
    }

    func conclusion() -> ExitStatus { .success }

    var status: [(String, String)] {
        [
            ("state", "listening"),
            ("URL", url.map { run.configuration.output.mask.masked($0) } ?? "\(target)"),
            ("clients", "\(broadcast.clients.count)"),
            ("uptime", seconds(Double(monotonicNow() &- beganAt) / 1e9)),
        ] + server.statistics.rows(buffered: broadcast.clients.reduce(0) { $0 + $1.socket.bufferedAmount })
    }

    var handshakes: [OpeningHeads] {
        broadcast.clients.sorted { $0.number < $1.number }.compactMap { client in
            guard let request = client.socket.request else { return nil }
            let response = request.response(subprotocol: client.socket.subprotocol, extensions: client.socket.extensions)
            return OpeningHeads(client: client.number, request: request.request, response: response)
        }
    }

    var lostPings: Int { server.statistics.lostPings(awaited: broadcast.clients.reduce(0) { $0 + $1.socket.awaitedPings }) }

    func adopt(_ configuration: Configuration) {
        server.adopt(configuration)
        for client in server.clients.values { run.frames.watch(client) }
    }

    // MARK: Clients

    func prepare(_ client: ServedClient) {
        let socket = client.socket
        run.frames.watch(client)
        guard !run.configuration.echo else { return socket.echo() }
        // The socket drops its handlers, and with them the client, at its end.
        socket.onMessages = { [unowned run] in run.received($0, from: client.number) }
        socket.stream(.binary, run.presenter.streamsBinary)
        socket.onPart = { [unowned run] in run.received($0, from: client.number) }
        socket.onPing = { [unowned run] in run.receivedPing($0, from: client.number) }
        socket.onPong = { [unowned run] in run.receivedPong($0, roundTrip: $1, from: client.number) }
        socket.onBatchEnd = { [unowned run] in run.batchEnded(from: client.number) }
        socket.onDrain = { [unowned self] in broadcast.drained(client) }
    }

    func opened(_ client: ServedClient, _ request: ServerHandshake) {
        client.socket.pauseReading(because: pauses)
        guard !run.configuration.echo else { return }
        if let url = url(of: request) ?? url {
            run.present { $0.opened(client.socket, at: url, request.request.headers, from: client.number, into: &$1) }
        }
        let isFirst = broadcast.isEmpty
        broadcast.add(client)
        // What is left of a message that the clients before got, who are gone, isn't for this one.
        if isFirst { run.attached(broadcast) } else { run.drained() }
    }

    func failed(_ client: ServedClient, _ error: WebSocketError) { run.present { $0.failed(error, from: client.number, into: &$1) } }

    func closed(_ client: ServedClient, _ closure: Closure) {
        run.closed(closure, from: client.number)
        broadcast.remove(client)
        if broadcast.isEmpty { run.detached() }
    }

    private func url(of request: ServerHandshake) -> WebSocketURL? {
        guard let host = request.request.headers["Host"] else { return nil }
        return try? WebSocketURL("\(scheme)://\(host)\(request.request.target)")
    }

    private func makeBroadcast() -> Broadcast {
        let broadcast = Broadcast()
        broadcast.onRoom = { [unowned run] in run.drained() }
        broadcast.onStall = { [unowned self] client in
            diagnostics.error("client \(client.number) took too little for \(seconds(broadcast.patience)): dropped")
            client.socket.abort()
        }
        return broadcast
    }
}
