import CPosix

/// The step of a connection's life in which something failed.
public enum Stage: String, Sendable, Equatable {
    /// Looking the name up.
    case name
    /// Reaching the address.
    case connect
    /// Asking a proxy to go on to the target.
    case proxy
    /// The TLS handshake, whatever is needed to start one (certificates, keys, the trust store), and an alert that the peer sends later.
    case tls
    /// The connection once it is open.
    case stream
    /// Binding a listening socket and accepting from it.
    case listen
}

/// What went wrong below the WebSocket: the stage, its kind for programs, one sentence for people, and what could be done about it.
public struct TransportError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Kind: Sendable, Equatable {
        /// The name has no address, or nobody could be asked.
        case notFound
        /// Nobody listens there.
        case refused
        /// No route, no network, or no permission to use it.
        case unreachable
        /// The time for it ran out.
        case timedOut
        /// The peer reset the connection (RST), or it was gone when we wrote.
        case reset
        /// A TLS stream ended with no close_notify: somebody may have cut it short (RFC 8446 §6.1).
        case truncated
        /// The peer's certificate was not accepted.
        case certificate
        /// The peer does not speak the protocol, or refused to go on.
        case protocolFailure
        /// The proxy wants other credentials, or some at all.
        case authentication
        /// A file given by the user can't be used.
        case file
        /// The address is taken.
        case addressInUse
        /// The stream was closed on this side.
        case closed
        /// Anything else that the operating system refused.
        case system
    }

    public var stage: Stage
    public var kind: Kind
    /// One sentence with the target quoted; nothing in it can drive a terminal.
    public var message: String
    /// What to do about it, where that is known.
    public var hint: String?

    public init(_ stage: Stage, _ kind: Kind, _ message: String, hint: String? = nil) {
        self.stage = stage
        self.kind = kind
        self.message = message
        self.hint = hint
    }

    public var description: String { message }

    /// The same error at another stage: a TLS failure on the way to a proxy is the proxy's.
    func at(_ stage: Stage) -> TransportError {
        var copy = self
        copy.stage = stage
        return copy
    }

    /// An operating system's refusal, as "can't DO: TEXT".
    init(_ stage: Stage, _ doing: String, system: SystemError, hint: String? = nil) {
        self.init(stage, system.kind, "\(doing): \(system)", hint: hint)
    }
}

/// An `errno`, with its text in the middle of a sentence.
struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    let code: Int32

    init(_ code: Int32) { self.code = code }

    /// What the call that just failed left behind.
    static var last: SystemError { SystemError(errno) }

    var description: String { errorText(code) }

    var kind: TransportError.Kind {
        switch code {
        case ECONNREFUSED: .refused
        case ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN, EADDRNOTAVAIL, EAFNOSUPPORT, ETIMEDOUT: .unreachable
        case ECONNRESET, EPIPE, ECONNABORTED: .reset
        case EADDRINUSE: .addressInUse
        default: .system
        }
    }
}
