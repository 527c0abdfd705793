import Dispatch
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
                .listen, .notFound, "can't listen on \(text.quoted): \(host.quoted) is no host",
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
public final class Listener: @unchecked Sendable {
    // Invariant: all mutable state is touched on `queue` only.

    public struct Options: Sendable {
        public var tls: TLSContext?
        /// Seconds that a client may take for the TLS handshake.
        public var handshakeTimeout = 10.0
        /// Which queue a new connection lives on; by default one of its own.
        public var connectionQueue: @Sendable () -> DispatchQueue = { DispatchQueue(label: "wsline.connection") }

        public init() {}
    }

    public enum Event: Sendable {
        /// A connection, on its stream's queue, with nothing read from it yet.
        case accepted(ByteStream, peer: SocketAddress?)
        /// A client's TLS handshake failed or took too long; on the queue that its stream would have had.
        case refused(peer: SocketAddress?, TransportError)
        /// No descriptor is left for the next client; the listener tries again in a moment. On the listener's queue.
        case outOfDescriptors(TransportError)
    }

    /// Where it listens, with the ports that the system picked.
    public let addresses: [SocketAddress]

    /// How many connections one wake-up takes before others have their turn.
    private static let batch = 64
    private static let pause = DispatchTimeInterval.milliseconds(200)

    private let queue: DispatchQueue
    private let options: Options
    private let onEvent: @Sendable (Event) -> Void
    private var watches: [DescriptorWatch] = []
    private var isPaused = false
    /// Ends a pause. On Linux Dispatch opens a descriptor for its first timer, which must not be when there are none left: so it runs once
    /// at the start, where it means nothing.
    private let pauseTimer: any DispatchSourceTimer
    private var isClosed = false
    private let ownFile: OwnedSocketFile?

    /// Binds and begins to accept.
    ///
    /// - Parameters:
    ///   - queue: serial; the listener's own work is on it, and ``close()``.
    ///   - onEvent: called on the queues that ``Event`` names.
    /// - Throws: a ``TransportError`` at the listen stage that names the address.
    public init(
        on target: ListenTarget, options: Options = Options(), queue: DispatchQueue, onEvent: @escaping @Sendable (Event) -> Void
    ) throws(TransportError) {
        let bound = try bind(target)
        self.queue = queue
        self.options = options
        self.onEvent = onEvent
        addresses = bound.map(\.localAddress).compactMap(\.self)
        if case .unix(let path) = target { ownFile = OwnedSocketFile(path) } else { ownFile = nil }
        pauseTimer = DispatchSource.makeTimerSource(queue: queue)
        watches = bound.map { socket in
            let watch = DescriptorWatch(DescriptorLease(socket), queue: queue)
            watch.onReadable = { [weak self] in self?.accept(from: socket) }
            return watch
        }
        pauseTimer.setEventHandler { [weak self] in
            self?.isPaused = false
            self?.updateWatches()
        }
        pauseTimer.schedule(deadline: .now() + Self.pause)
        pauseTimer.resume()
        Poller.later(on: queue) { [self] in updateWatches() }
    }

    /// Stops listening, and removes the UNIX socket's file if it is still ours. Connections go on. May be repeated.
    public func close() {
        dispatchPrecondition(condition: .onQueue(queue))
        guard !isClosed else { return }
        isClosed = true
        watches.forEach { $0.cancel() }
        watches = []
        pauseTimer.cancel()
        ownFile?.remove()
    }

    deinit {
        pauseTimer.cancel()
        if !isClosed { ownFile?.remove() }
    }

    private func updateWatches() {
        watches.forEach { $0.arm(reading: !isPaused) }
    }

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
        pauseTimer.schedule(deadline: .now() + Self.pause)
    }

    private func welcome(_ socket: Socket) {
        let peer = socket.peerAddress
        let connectionQueue = options.connectionQueue()
        let (onEvent, tls, timeout) = (onEvent, options.tls, options.handshakeTimeout)
        let stream = ByteStream(socket, queue: connectionQueue)
        Poller.later(on: connectionQueue) {
            guard let tls else { return onEvent(.accepted(stream, peer: peer)) }
            secure(stream, tls, peer: peer, timeout: timeout, onEvent)
        }
    }
}

private func secure(
    _ stream: ByteStream, _ tls: TLSContext, peer: SocketAddress?, timeout: Double, _ onEvent: @escaping @Sendable (Listener.Event) -> Void
) {
    let name = peer?.description ?? "the client"
    let timer = PeerTimer(seconds: timeout, queue: stream.queue) {
        stream.close()
        let text = "\(name) did not finish the TLS handshake within \(formatted(timeout)) s"
        onEvent(.refused(peer: peer, TransportError(.tls, .timedOut, text)))
    }
    stream.startTLS(tls, .server(peer: name)) { result in
        timer.cancel()
        switch result {
        case .success: onEvent(.accepted(stream, peer: peer))
        case .failure(let error): onEvent(.refused(peer: peer, error))
        }
    }
}
