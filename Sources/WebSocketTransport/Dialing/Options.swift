import WebSocketProtocol

/// Where to connect to.
public enum Target: Sendable, Equatable, CustomStringConvertible {
    /// A name or an IP literal, with no brackets.
    case host(String, port: UInt16)
    case unix(path: String)

    /// `host:port`, `[::1]:port` or `unix:/path`.
    public var description: String {
        switch self {
        case .host(let host, let port): authority(host, port)
        case .unix(let path): "unix:" + path.escaped
        }
    }
}

public struct DialOptions: Sendable {
    public var families = AddressFamilies.any
    public var overrides: [ResolveOverride] = []
    /// TLS with the target; `nil` for none.
    public var tls: TLSContext?
    /// The name for SNI and the certificate's check, in place of the target's.
    public var serverName: String?
    /// Seconds for everything from the name to the end of the TLS handshake; `nil` for no limit.
    public var connectTimeout: Double? = 10
    /// Not used for a UNIX socket.
    public var proxy: Proxy?
    /// TLS with an https proxy; `nil` for one that trusts the system.
    public var proxyTLS: TLSContext?

    public init() {}
}

/// What happens while a connection is made, in the order that it happens.
public enum DialEvent: Sendable {
    case resolving(host: String)
    /// One family's answer.
    case resolved(host: String, [SocketAddress], seconds: Double)
    case trying(SocketAddress)
    case failed(SocketAddress, TransportError)
    case connected(SocketAddress, local: SocketAddress?)
    /// TLS with an https proxy stands.
    case securedProxy(TLSInfo)
    /// The proxy has connected to the target.
    case tunnelled(Proxy)
    /// TLS with the target stands.
    case secured(TLSInfo)
}

/// How long each step of a connection took, in seconds.
public struct Timings: Sendable, Equatable {
    /// To the first address; 0 when no name was looked up.
    public var name = 0.0
    /// From the first address to the first that connected.
    public var connect = 0.0
    /// The dialogue with the proxy, its TLS included.
    public var proxy: Double?
    /// The TLS handshake with the target.
    public var tls: Double?
}

/// A connection that stands.
public struct DialedStream: Sendable {
    public let stream: ByteStream
    public let timings: Timings
    /// When ``DialOptions/connectTimeout`` runs out, for what the caller still has to do within it.
    public let deadline: Instant?
}

/// One try at one address, from the socket to its outcome.
@EventLoop
final class ConnectAttempt {
    typealias Outcome = Result<DescriptorLease, SystemError>

    private var watch: DescriptorWatch?
    private var isCancelled = false

    /// `completion` is called once, later; it's not called after ``cancel()``.
    func start(_ address: SocketAddress, completion: @escaping (Outcome) -> Void) {
        do {
            let lease = DescriptorLease(try Socket(for: address))
            let stands = try lease.socket.connect(to: address)
            if stands { finishLater(.success(lease), completion) } else { wait(for: lease, completion) }
        } catch {
            finishLater(.failure(error), completion)
        }
    }

    func cancel() {
        isCancelled = true
        watch?.cancel()
        watch = nil
    }

    /// A UNIX socket connects at once, and some errors are known at once. They are reported no sooner than the others.
    private func finishLater(_ outcome: Outcome, _ completion: @escaping (Outcome) -> Void) {
        EventLoop.later { [self] in
            if !isCancelled { completion(outcome) }
        }
    }

    private func wait(for lease: DescriptorLease, _ completion: @escaping (Outcome) -> Void) {
        let watch = DescriptorWatch(lease)
        watch.onWritable = { [unowned self] in
            cancel()
            completion(lease.socket.pendingError().map { .failure($0) } ?? .success(lease))
        }
        self.watch = watch
        watch.arm(writing: true)
    }
}
