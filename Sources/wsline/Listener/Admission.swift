import WebSocketProtocol
import WebSocketTransport

/// A client of the listener, from the moment it connects.
@EventLoop
final class ServedClient {
    /// From 1, in the order in which connections opened.
    fileprivate(set) var number: Int
    let socket: WebSocket
    let peer: SocketAddress?

    init(_ socket: WebSocket, _ peer: SocketAddress?, number: Int = 0) {
        self.socket = socket
        self.peer = peer
        self.number = number
    }

    /// Whom a line speaks of before there is a number.
    fileprivate var address: String {
        // The other end of a UNIX socket mostly has no name.
        peer.map { $0 == .unix(path: "") ? "a client" : "\($0)" } ?? "a client"
    }
}

/// What somebody makes of the clients that a ``ListenServer`` takes in.
@EventLoop
protocol ServedClients: AnyObject, Sendable {
    /// Sets the handlers of messages; the connection is not open yet, and may never be.
    func prepare(_ client: ServedClient)
    func opened(_ client: ServedClient, _ request: ServerHandshake)
    /// An open connection was failed or lost; `closed` follows.
    func failed(_ client: ServedClient, _ error: WebSocketError)
    func closed(_ client: ServedClient, _ closure: Closure)
}

/// Takes clients in, numbers them, reports their coming and going, and ends them.
///
/// No client can hurt the others: each has its deadline for the handshake, its limits and its own end, and whatever it does wrong is one line
/// on standard error.
@EventLoop
final class ListenServer {
    /// Seconds that a client may take for TLS, and then for its request.
    private static let handshakeTimeout = 10.0

    private var options: ConnectionOptions
    private var mask: CredentialMask
    private let diagnostics: Diagnostics
    private let owner: any ServedClients
    private var listener: Listener?
    /// Those that are open, or closing, by number.
    private(set) var clients: [Int: ServedClient] = [:]
    private var lastNumber = 0
    private var formerStatistics = Statistics()
    private var isEnding = false
    private var isOutOfDescriptors = false
    private var whenEmpty: (() -> Void)?

    init(_ configuration: Configuration, owner: any ServedClients, diagnostics: Diagnostics) {
        options = configuration.connection
        mask = configuration.output.mask
        self.owner = owner
        self.diagnostics = diagnostics
    }

    /// Binds and begins to accept; returns the addresses, with the ports that the system picked.
    func listen(on target: ListenTarget) throws(TransportError) -> [SocketAddress] {
        var listening = Listener.Options()
        listening.handshakeTimeout = Self.handshakeTimeout
        if let identity = options.tls.identity {
            var tls = TLSContext.ServerOptions(identity: identity)
            tls.minimumVersion = options.tls.minimumVersion
            tls.clientCAFile = options.tls.caFile
            tls.keyLogFile = options.tls.keyLogFile
            let context = try TLSContext.server(tls)
            diagnostics.notice(of: context)
            listening.tls = context
        }
        let listener = try Listener(on: target, options: listening) { [self] in handle($0) }
        self.listener = listener
        return listener.addresses
    }

    /// Of all clients, those included that have left.
    var statistics: Statistics { clients.values.reduce(into: formerStatistics) { $0.add($1.socket.statistics) } }

    /// Takes over what may have changed of the configuration, for those who are there and for those who come.
    func adopt(_ configuration: Configuration) {
        options.limits = configuration.connection.limits
        mask = configuration.output.mask
        for client in clients.values { client.socket.adopt(options.limits) }
    }

    /// Stops listening and closes every connection; calls `done` once all are over.
    func end(_ code: CloseCode, _ done: @escaping () -> Void) {
        // First of all, since `done` may end the process, and a UNIX socket's file is to go before.
        listener?.close()
        listener = nil
        isEnding = true
        guard !clients.isEmpty else { return done() }
        whenEmpty = done
        for client in Array(clients.values) { do { try client.socket.close(code) } catch { client.socket.abort() } }
    }

    // MARK: Coming

    private func handle(_ event: Listener.Event) {
        switch event {
        case .accepted(let stream, let peer): accepted(stream, peer)
        case .refused(let peer, let error):
            let name = peer.map { "\($0): " } ?? ""
            diagnostics.error("\(name)TLS failed: \(error.oneLine)")
        case .outOfDescriptors(let error):
            // The listener tries again and again; one line is enough.
            if !isOutOfDescriptors { diagnostics.error(error.message, hint: "clients wait until others leave") }
            isOutOfDescriptors = true
        }
    }

    private func accepted(_ stream: ByteStream, _ peer: SocketAddress?) {
        isOutOfDescriptors = false
        let client = ServedClient(WebSocket(accepted: stream, configuration: options.limits), peer)
        let socket = client.socket
        // These hold the client, and so itself the socket, which drops them at its end.
        socket.onRequest = { [self] in answer(client, $0) }
        socket.onError = { [self] in failed(client, $0) }
        socket.onClose = { [self] in closed(client, $0) }
        owner.prepare(client)
        socket.start(timeout: Self.handshakeTimeout)
    }

    private func answer(_ client: ServedClient, _ request: ServerHandshake) {
        guard !isEnding else { return client.socket.abort() }
        lastNumber += 1
        let number = lastNumber
        clients[number] = client
        client.number = number
        let subprotocol = request.selectSubprotocol(from: options.handshake.subprotocols)
        client.socket.accept(subprotocol: subprotocol, deflate: options.deflate)
        let from = client.peer == nil || client.peer == .unix(path: "") ? "" : " from \(client.address)"
        let chosen = subprotocol.map { ", subprotocol \($0)" } ?? ""
        diagnostics.notice("client \(number) connected\(from) (path \(mask.masked(request.request.target).escaped)\(chosen))")
        let shown = mask.masked(request.request)
        diagnostics.detail(shown.startLine.escaped, as: .incoming)
        for field in shown.headers.fields {
            diagnostics.detail("\(field.name): \(field.value.escaped)", as: .incoming)
        }
        owner.opened(client, request)
    }

    // MARK: Going

    private func failed(_ client: ServedClient, _ error: WebSocketError) {
        switch error {
        case .refused(let refusal): diagnostics.error("\(client.address): no handshake: \(refusal.description)", hint: refusal.hint)
        case .openingTimedOut:
            diagnostics.error("\(client.address): no handshake within \(seconds(Self.handshakeTimeout))")
        case .transport(let error): diagnostics.error("\(client.address): \(error.message)")
        case .breach(let breach):
            diagnostics.error("client \(client.number): \(breach): closed with \(describe(breach.closeCode))", hint: breach.hint)
            owner.failed(client, error)
        case .lost(let cause):
            guard client.number > 0 else { return }
            diagnostics.detail("client \(client.number): lost" + (cause.map { ": \($0.message)" } ?? ""))
            owner.failed(client, error)
        case .closingTimedOut:
            guard client.number > 0 else { return }
            diagnostics.detail("client \(client.number): did not answer the Close in time")
            owner.failed(client, error)
        }
    }

    private func closed(_ client: ServedClient, _ closure: Closure) {
        guard client.number > 0 else { return diagnostics.detail("\(client.address) left") }
        diagnostics.notice(
            "client \(client.number) disconnected (code: \(closure.code.rawValue), reason: \(closure.reason.quoted))")
        formerStatistics.add(client.socket.statistics)
        owner.closed(client, closure)
        clients[client.number] = nil
        if clients.isEmpty { whenEmpty.take()?() }
    }
}
