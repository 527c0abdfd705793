import WebSocketProtocol
import WebSocketTransport

/// One validated configuration: what the options ask for, with nothing left to check.
struct Configuration: Sendable {
    enum Mode {
        case connect(WebSocketURL)
        case listen(ListenTarget)
        /// Connect to an echo server inside this process.
        case demo
    }

    var mode: Mode
    var connection = ConnectionOptions()
    var input = InputOptions()
    var stop = StopOptions()
    var output = OutputOptions()
    var terminal = TerminalOptions()
    /// Answer each message with itself.
    var echo = false
    /// The options that were given, on the command line and since.
    var given = Given()
    /// `--passphrase` without a value: to be asked for at the terminal, and put into the identity, before anything else.
    var asksPassphrase = false

    var isListener: Bool { if case .listen = mode { true } else { false } }
    /// `-l --echo`: neither input nor output has a part in it.
    var isEchoServer: Bool { isListener && echo }
}

/// How to reach the server, and what to send it in the handshake; of a listener, what it sends to clients.
struct ConnectionOptions {
    /// Subprotocols, headers, origin, host, user agent, version and authorization; the offer of compression is added from `deflate`.
    var handshake = ClientHandshake.Options()
    /// All except the TLS contexts, which are made of `tls`, and the proxy.
    var dialing = DialOptions()
    /// `--unix-socket`: connect there whatever the URL's host is.
    var unixSocket: String?
    /// A listener's certificate is among it, and `caFile` then has the issuers that clients' certificates must come from.
    var tls = TLSContext.ClientOptions()
    var limits = Connection.Configuration()
    /// `--max-memory`, in bytes: what `limits.memory` is made of.
    var maxMemory: Int?
    /// What is offered, or accepted, of permessage-deflate; nil for none.
    var deflate: PermessageDeflateSettings? = PermessageDeflateSettings()
    var proxy: ProxyChoice = .environment
    /// How many times in a row to reconnect; `.max` for without end.
    var reconnectAttempts = 0
    var followsRedirects = false
    var maxRedirects = 10
    /// How many redirects are followed before the connection is open.
    var redirects: Int { followsRedirects ? maxRedirects : 0 }

    enum ProxyChoice {
        case environment
        case none
        case given(Proxy)
    }

    /// Our certificate, while options put it together; ``Rules`` makes sure that it has a file.
    var identity: TLSIdentity {
        get { tls.identity ?? TLSIdentity(certificateFile: "") }
        set { tls.identity = newValue }
    }

    /// What TLS with an https proxy takes of `tls`: whom to trust, but not the certificate, which is for the server.
    var proxyTLS: TLSContext.ClientOptions {
        var options = tls
        options.identity = nil
        return options
    }

    /// Forgets what was meant for one server alone, before a redirect leads to another. Any header may hold a key, so only those stay that are
    /// known to hold none.
    ///
    /// - Returns: the names of the headers that are not sent any more.
    mutating func leaveOrigin() -> [String] {
        var forgotten = handshake.headers.map(\.name)
        if handshake.authorization != nil { forgotten.insert("Authorization", at: 0) }
        handshake.authorization = nil
        handshake.host = nil
        handshake.headers.removeAll { !$0.isHarmless }
        dialing.serverName = nil
        let kept = Set(handshake.headers.map(\.name))
        return forgotten.filter { !kept.contains($0) }
    }

    /// Where to connect for a URL.
    func target(for url: WebSocketURL) -> Target {
        if let unixSocket { return .unix(path: unixSocket) }
        return switch url.endpoint {
        case .tcp(let host, let port): .host(host.lookupName, port: port)
        case .unix(let path): .unix(path: path)
        }
    }
}

/// How input becomes messages.
struct InputOptions {
    enum Split: Equatable {
        case line
        case nul
        /// So many bytes each.
        case size(Int)
        /// All of it is one message.
        case whole
    }

    /// How a piece of input becomes a frame.
    enum Encoding: String, CaseIterable { case text, binary, hex, base64 }

    var split = Split.line
    var encoding = Encoding.text
    /// Lines are JSON events, as `--json` writes them.
    var isJSON = false
    /// `--jsonrpc`: lines are requests.
    var isJSONRPC = false
    /// `-x`: sent once open, in order; standard input is then left alone.
    var execute: [String] = []
    /// Lines of piped input may be slash commands.
    var slash = false
}

/// When a run that isn't a conversation at a terminal ends.
struct StopOptions {
    enum Wait: Equatable {
        case seconds(Double)
        case untilClosed
    }

    /// `-w`: how long to listen after the end of input; nil if it wasn't given.
    var wait: Wait?
    /// `--idle`: seconds without a message, after the end of input.
    var idle: Double?
    /// `--count`, `-1`: how many messages to receive.
    var count: Int?
    /// `--until`.
    var until: Pattern?
    /// `--timeout`: seconds for the whole run.
    var timeout: Double?
    /// `--expect-close`.
    var expectedClose: CloseCode?

    /// Whether messages are awaited, however long that takes.
    var hasCondition: Bool { count != nil || until != nil }
}

/// How what arrives is shown.
struct OutputOptions {
    enum BinaryForm: String, CaseIterable { case dump, hex, base64, raw, size }

    /// nil for `dump` on a terminal and `hex` elsewhere.
    var binaryAs: BinaryForm?
    /// `--save`: where binary payloads go.
    var save: String?
    /// Received messages end in NUL, not in a newline.
    var endsInNUL = false
    var isJSON = false
    /// `--pretty`: messages that are JSON are indented at a terminal.
    var isPretty = false
    /// `--full`: a conversation cuts nothing.
    var isFull = false
    /// `--show`: only messages in which it is found are shown.
    var show: Pattern?
    /// `--hide`: messages in which it is found are not shown.
    var hide: Pattern?
    var noColor = false
    var allowEscapes = false
    var showsPings = false
    var timestamps = false
    /// `-v`: 1, `-vv`: 2.
    var verbosity = 0
    /// `--frames`: each frame is shown; `-vv` does so too.
    var showsFrames = false
    var quiet = false
    var showsCredentials = false

    /// Makes a URL or a head fit for being shown.
    var mask: CredentialMask { CredentialMask(isLifted: showsCredentials) }
}

struct TerminalOptions {
    /// nil for the default place.
    var historyFile: String?
    var keepsHistory = true
}
