import CPosix

/// Where to listen.
public enum ListenTarget: Sendable, Equatable, CustomStringConvertible {
    /// 127.0.0.1, and ::1 on the same port where the machine has it.
    case loopback(port: UInt16)
    /// All the addresses of a name, or an IP literal with no brackets (`0.0.0.0`, `::`).
    case host(String, port: UInt16)
    case unix(path: String)

    /// Reads `[HOST:]PORT` or `unix:PATH`; port 0 lets the system pick one.
    ///
    /// - Throws: a ``TransportError`` at the listen stage that quotes what can't be read.
    public init(parsing text: String) throws(TransportError) {
        if text.hasPrefix("unix:"), text.utf8.count > 5 {
            self = .unix(path: String(text.dropFirst(5)))
            return
        }
        let colon = text.lastIndex(of: ":")
        let portText = colon.map { text[text.index(after: $0)...] } ?? text[...]
        guard let port = UInt16(portText), portText.first?.isNumber == true else {
            throw TransportError(.listen, .notFound, "can't listen on \(text.quoted): it is neither [HOST:]PORT nor unix:PATH")
        }
        let host = colon.map { text[..<$0] } ?? ""
        if colon == nil {
            self = .loopback(port: port)
        } else if host.first == "[", host.last == "]" {
            self = .host(String(host.dropFirst().dropLast()), port: port)
        } else if host.isEmpty || host == "*" || host.contains(":") {
            throw TransportError(
                .listen, .notFound, "can't listen on \(text.quoted): \(host.quoted) is not a host",
                hint: "write 0.0.0.0:PORT or [::]:PORT for every address")
        } else {
            self = .host(String(host), port: port)
        }
    }

    public var description: String {
        switch self {
        case .loopback(let port): "localhost:\(port)"
        case .host(let host, let port): authority(host, port)
        case .unix(let path): "unix:" + path.escaped
        }
    }
}

/// Accepts connections and hands them on as streams, TLS done.
@EventLoop
public final class Listener {
    public struct Options: Sendable {
        public var tls: TLSContext?
        /// Seconds that a client may take for the TLS handshake.
        public var handshakeTimeout = 10.0

        public init() {}
    }

    public enum Event: Sendable {
        /// A connection, with nothing read from it yet.
        case accepted(ByteStream, peer: SocketAddress?)
        /// A client's TLS handshake failed or took too long.
        case refused(peer: SocketAddress?, TransportError)
        /// No descriptor is left for the next client; the listener tries again in a moment.
        case outOfDescriptors(TransportError)
    }

    /// Where it listens, with the ports that the system picked.
    public let addresses: [SocketAddress]

    /// How many connections one wake-up takes before others have their turn.
    private static let batch = 64
    /// Seconds.
    private static let pause = 0.2

    private let options: Options
    private let onEvent: (Event) -> Void
    private var watches: [DescriptorWatch] = []
    private var isPaused = false
    private var isClosed = false
    private let ownFile: OwnedSocketFile?

    /// Binds and begins to accept; nothing is called before this returns.
    ///
    /// - Throws: a ``TransportError`` at the listen stage that names the address.
    public init(
        on target: ListenTarget, options: Options = Options(), onEvent: @escaping (Event) -> Void
    ) throws(TransportError) {
        let bound = try bind(target)
        self.options = options
        self.onEvent = onEvent
        addresses = bound.map(\.localAddress).compactMap(\.self)
        if case .unix(let path) = target { ownFile = OwnedSocketFile(path) } else { ownFile = nil }
        watches = bound.map { socket in
            let watch = DescriptorWatch(DescriptorLease(socket))
            watch.onReadable = { [weak self] in self?.accept(from: socket) }
            return watch
        }
        updateWatches()
    }

    /// Stops listening, and removes the UNIX socket's file if it is still ours. Connections go on. May be repeated.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        watches.forEach { $0.cancel() }
        watches = []
        ownFile?.remove()
    }

    isolated deinit { close() }

    private func updateWatches() { watches.forEach { $0.arm(reading: !isPaused) } }

    private func accept(from socket: Socket) {
        for _ in 0..<Self.batch where !isClosed {
            do {
                guard let accepted = try socket.acceptNext() else { return }
                welcome(accepted)
            } catch {
                return pauseAccepting(error)
            }
        }
    }

    /// With no descriptor left the listening socket stays readable: without a pause this would spin until somebody hangs up.
    private func pauseAccepting(_ error: SystemError) {
        isPaused = true
        updateWatches()
        onEvent(.outOfDescriptors(TransportError(.listen, "can't accept a connection", system: error)))
        Timer(after: Self.pause) { [weak self] in
            self?.isPaused = false
            self?.updateWatches()
        }
    }

    private func welcome(_ socket: Socket) {
        let peer = socket.peerAddress
        let stream = ByteStream(socket)
        guard let tls = options.tls else { return onEvent(.accepted(stream, peer: peer)) }
        let (name, timeout) = (peer?.description ?? "the client", options.handshakeTimeout)
        let timer = PeerTimer(seconds: timeout) { [onEvent] in
            stream.close()
            let text = "\(name) did not finish the TLS handshake within \(formatted(timeout)) s"
            onEvent(.refused(peer: peer, TransportError(.tls, .timedOut, text)))
        }
        stream.startTLS(tls, .server(peer: name)) { [onEvent] result in
            timer.cancel()
            switch result {
            case .success: onEvent(.accepted(stream, peer: peer))
            case .failure(let error): onEvent(.refused(peer: peer, error))
            }
        }
    }
}
