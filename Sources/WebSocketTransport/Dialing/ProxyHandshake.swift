import WebSocketProtocol

/// The dialogue with a proxy before the tunnel stands, sans I/O: HTTP CONNECT (RFC 9110 §9.3.6) or SOCKS5 (RFC 1928, RFC 1929).
///
/// Our side speaks first inside the tunnel, so whatever a proxy sends past its answer is its error.
protocol ProxyHandshake: Sendable {
    /// What we send first.
    var opening: [UInt8] { get }

    mutating func received(_ bytes: some Sequence<UInt8>) -> ProxyAction
}

enum ProxyAction: Equatable, Sendable {
    case send([UInt8])
    /// Nothing to do before more bytes come.
    case wait
    case finish
    case fail(TransportError)
}

extension Proxy {
    /// The dialogue that connects to `host`, a name or an IP literal.
    ///
    /// - Throws: a ``TransportError`` at the proxy stage for credentials or names that the protocol can't carry.
    func handshake(to host: String, port: UInt16) throws(TransportError) -> any ProxyHandshake {
        switch scheme {
        case .http, .https: try HTTPConnectHandshake(self, host: host, port: port)
        case .socks5, .socks5h: try SOCKS5Handshake(self, host: host, port: port)
        }
    }
}

/// Carries a ``ProxyHandshake`` over a stream, and leaves the stream as it was: paused and with no handlers.
///
/// The stream's handlers keep it alive until it's done, or until the stream is closed.
@EventLoop
final class ProxyDialogue {
    private var handshake: any ProxyHandshake
    private let stream: ByteStream
    private var unsent: [UInt8] = []
    private var completion: ((TransportError?) -> Void)?

    init(_ handshake: any ProxyHandshake, _ stream: ByteStream) {
        self.handshake = handshake
        self.stream = stream
    }

    /// `completion` has `nil` when the tunnel stands. It's not called once the stream is closed.
    func run(completion: @escaping (TransportError?) -> Void) {
        self.completion = completion
        stream.onReadable = { self.receive() }
        stream.onWritable = { self.flush() }
        stream.resumeReading()
        perform(.send(handshake.opening))
    }

    private func perform(_ action: ProxyAction) {
        switch action {
        case .send(let bytes):
            unsent += bytes
            flush()
        case .wait: break
        case .finish: finish(nil)
        case .fail(let error): finish(error)
        }
    }

    private func flush() {
        while !unsent.isEmpty {
            switch unsent.withUnsafeBytes({ stream.write($0) }) {
            case .bytes(let count): unsent.removeFirst(count)
            case .wouldBlock: return
            case .failed(let error): return finish(error.at(.proxy))
            }
        }
    }

    private func receive() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while completion != nil {
            switch buffer.withUnsafeMutableBytes({ stream.read(into: $0) }) {
            case .bytes(let count): perform(handshake.received(buffer.prefix(count)))
            case .wouldBlock: return
            case .end: finish(TransportError(.proxy, .protocolFailure, "the proxy closed the connection before it answered"))
            case .failed(let error): finish(error.at(.proxy))
            }
        }
    }

    private func finish(_ error: TransportError?) {
        guard let completion else { return }
        self.completion = nil
        stream.pauseReading()
        stream.onReadable = nil
        stream.onWritable = nil
        completion(error)
    }
}

func proxyFailure(_ kind: TransportError.Kind, _ message: String, hint: String? = nil) -> TransportError {
    TransportError(.proxy, kind, message, hint: hint)
}
