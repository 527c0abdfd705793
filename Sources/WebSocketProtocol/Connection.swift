/// Where a connection stands, in the words of a page's WebSocket.
public enum ReadyState: String, Sendable { case connecting, open, closing, closed }

/// A moment on the caller's monotonic clock, in nanoseconds.
public typealias Instant = UInt64

/// Fills a buffer with unpredictable bytes, of which masking keys are made (RFC 6455, section 5.3): the protocol has no random source of its own.
public typealias RandomFill = (UnsafeMutableRawBufferPointer) -> Void

/// One WebSocket connection, client's or server's: bytes and time in, events and bytes out (RFC 6455, RFC 7692).
///
/// The caller moves bytes and owns the clock:
/// 1. read from the network into `inputBuffer()`, report it with `received(_:at:)`, and take events from `next()` until `.needsInput`;
/// 2. after any call, write the bytes of `withOutput` to the network and report it with `sent(_:)`; then do what `disposition` says;
/// 3. call `tick(at:)` when `nextDeadline` has come.
///
/// Nothing is allocated for a message that arrives whole in one read, and none is ever copied to be handed on:
/// `payloadBytes` is borrowed until the next call.
public struct Connection: ~Copyable {
    public struct Configuration: Sendable {
        /// The most bytes of a message that is held whole; one more fails the connection with 1009.
        public var maxMessageSize: UInt64 = 64 << 20
        /// The most bytes of a message that is handed on in parts.
        public var maxStreamedMessageSize: UInt64 = .max
        /// What this connection's messages may take of memory, together with those of all others that have the same budget; a connection
        /// that would take more fails with 1013.
        public var memory = MemoryBudget(limit: 512 << 20)
        /// How long the peer may take to answer a Close, counted from when the Close has left; nanoseconds. The end of the stream is
        /// awaited for as long, but a second at most.
        public var closeTimeout: Instant = 5_000_000_000
        /// How often a ping is sent on its own; nanoseconds, 0 for never.
        public var pingInterval: Instant = 0
        /// How long a pong may take before the connection is failed; nanoseconds, 0 for as long as it takes.
        public var pingTimeout: Instant = 0
        /// How the peer is treated at first.
        public var behaviour = Behaviour()
        /// Bytes of the buffer that one read can fill.
        public var inputBufferSize = 128 << 10
        /// Limits on the head of the HTTP request or response.
        public var headLimits = HTTPHeadLimits()

        public init() {}
    }

    /// What came of the bytes received; the matching property of the connection holds the details until the next call.
    public enum Event: Equatable, Sendable {
        /// All input is used up: read more.
        case needsInput
        /// The server accepted (`opened`): the connection is open.
        case opened
        /// The server's answer is not an upgrade, or a wrong one (`refusal`): the connection is over.
        case refused
        /// The opening handshake took longer than it may: the connection is over.
        case openingTimedOut
        /// A client asks (`request`): answer with `accept` or `reject`.
        case requested
        /// One or more whole messages: `messages`.
        case messages
        /// A message that is handed on in parts begins.
        case messageBegan(MessageKind)
        /// Its next bytes are `payloadBytes`.
        case messagePart(MessageKind)
        /// It is whole.
        case messageEnded(MessageKind)
        /// A ping, which has been answered; its bytes are `payloadBytes`.
        case ping
        /// A pong; its bytes are `payloadBytes`, `lastRoundTrip` is set if it answers a ping of ours.
        case pong
        /// The peer's Close frame (`peerClose`), which has been answered.
        case closing
        /// The peer broke the protocol or a limit (`failure`): nothing more is read as a message.
        case failed
    }

    /// What the caller shall do with the stream once the output is written.
    public enum Disposition: Sendable {
        /// Go on.
        case running
        /// End our side of the stream, then read on until the peer's ends or the deadline comes; all that arrives is dropped. Closing the
        /// stream on unread data would reset it, and our Close frame might be lost with it.
        case halfClose
        /// Close the stream.
        case finished
    }

    enum Phase {
        case opening
        case open
        /// A Close frame was sent, none received.
        case closing
        /// The peer's Close frame has come, ours was sent before or is its answer (section 7.1.1).
        case closed
        /// We failed the connection (section 7.1.7).
        case failed
        /// The stream is over.
        case ended
    }

    public let role: Role
    public private(set) var configuration: Configuration
    var phase = Phase.opening
    var opening: Opening

    var input = ByteBuffer()
    var outbox: ByteBuffer
    /// A message being compressed.
    var scratch = ByteBuffer()
    /// A part of a streamed message, inflated.
    var inflated = ByteBuffer()
    var masks: MaskSource
    var decoder: FrameDecoder
    var decoding = Decoding.header
    /// Whether the last `inputBuffer()` was memory of the message under way.
    var readsDirectly = false
    var assembler: MessageAssembler
    var inflater: Inflater?
    var deflater: Deflater?
    var compression: CompressionSettings?
    /// The message that is being sent in fragments.
    var sending: (kind: MessageKind, isCompressed: Bool)?
    var outgoing = OutgoingStream()
    var batch = MessageBatch()
    var now: Instant = 0
    var streamEnded = false
    /// For what is awaited of the peer: the opening handshake, taking our Close, answering it, ending the stream.
    var timeLimit: TimeLimit?
    /// How many bytes of the output are left up to the last that matters to the peer: the end of our Close, or of a refusal.
    var unsentBeforeEnd = 0
    var interimResponses = 0
    /// What has come of the response's head, to be shown if it isn't HTTP.
    var answer: [UInt8] = []
    var keepAlive = KeepAlive()
    /// Shows each frame to somebody; nil while nobody watches.
    var watch: FrameWatch?

    /// Whether text or binary messages are handed on in parts as they come; counts from the next message on.
    public var streamsText = false
    public var streamsBinary = false

    /// The bytes of the last event: valid until the next call of `next()` or `inputBuffer()`; sending and closing leave them alone.
    public internal(set) var payloadBytes = UnsafeRawBufferPointer(start: nil, count: 0)
    /// What the server agreed to; set with `.opened`.
    public internal(set) var opened: HandshakeResult?
    /// Why the handshake failed; set with `.refused`.
    public internal(set) var refusal: Refusal?
    /// Whether we refused the client's handshake.
    public internal(set) var hasRefused = false
    /// The client's request; set with `.requested`.
    public internal(set) var request: ServerHandshake?
    /// What both sides agreed on; set once open.
    public internal(set) var acceptedSubprotocol: String?
    public internal(set) var acceptedExtensions: [WebSocketExtension] = []
    public internal(set) var peerClose: CloseFrame?
    public internal(set) var sentClose: CloseFrame?
    public internal(set) var failure: ProtocolError?
    /// Whether our Close frame went out before the peer's came.
    public internal(set) var closedByUs = false
    /// Nanoseconds between a ping of ours and its pong.
    public internal(set) var lastRoundTrip: Instant?
    public internal(set) var statistics = Statistics()
    /// How the peer is treated, from now on.
    public var behaviour: Behaviour {
        get { configuration.behaviour }
        set { configuration.behaviour = newValue }
    }
    /// Pings of ours whose pongs may still come.
    public var awaitedPings: Int { keepAlive.outstandingCount }

    init(role: Role, opening: Opening, configuration: Configuration, random: @escaping RandomFill) {
        self.role = role
        self.opening = opening
        self.configuration = configuration
        masks = MaskSource(random)
        decoder = FrameDecoder(role: role)
        outbox = ByteBuffer(budget: configuration.memory)
        assembler = MessageAssembler(budget: configuration.memory, keptCapacity: role == .client ? 4 << 20 : MemoryBudget.free)
    }

    /// The memory for output that is kept while there is none; bytes. A client has one connection, a server many.
    var keptCapacity: Int { role == .client ? 2 << 20 : MemoryBudget.free }

    /// The handshake is through: frames follow.
    mutating func open(compression: CompressionSettings?) {
        phase = .open
        opening = .none
        timeLimit = nil
        self.compression = compression
        decoder.allowsCompression = compression != nil
        if let compression {
            inflater = Inflater(compression)
            deflater = Deflater(compression)
        }
        keepAlive.start(at: now)
    }

    public var readyState: ReadyState {
        switch phase {
        case .opening: .connecting
        case .open: .open
        case .closing, .closed, .failed: .closing
        case .ended: .closed
        }
    }

    public var disposition: Disposition {
        switch phase {
        case .opening, .open, .closing: .running
        // The server ends the stream first, if it does so at once. A client that waited for it longer would hold up whoever runs it.
        case .closed: role == .server ? .finished : .halfClose
        case .failed: .halfClose
        case .ended: .finished
        }
    }

    /// Takes over, of other limits, those that may change at any time: the size of messages, the time for a Close, and pings.
    ///
    /// The next ping is due an interval from now, and the time for a pong that stays out begins anew.
    public mutating func adopt(_ limits: Configuration, at now: Instant) {
        configuration.maxMessageSize = limits.maxMessageSize
        configuration.closeTimeout = limits.closeTimeout
        behaviour = limits.behaviour
        guard (configuration.pingInterval, configuration.pingTimeout) != (limits.pingInterval, limits.pingTimeout) else { return }
        configuration.pingInterval = limits.pingInterval
        configuration.pingTimeout = limits.pingTimeout
        keepAlive.restart(at: now, pings: limits.pingInterval > 0)
    }

    /// The whole messages of the last event, in order; valid for as long as `payloadBytes`.
    public var messages: UnsafeBufferPointer<BorrowedMessage> { batch.messages }

    // MARK: Bytes out

    /// Lends what waits to be written to the network.
    public func withOutput<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R { body(UnsafeRawBufferPointer(outbox.bytes)) }

    /// Bytes that wait to be written to the network.
    public var outputCount: Int { outbox.count }

    /// Reports that the first `byteCount` bytes of the output were written.
    public mutating func sent(_ byteCount: Int, at now: Instant) {
        outbox.consume(byteCount)
        if unsentBeforeEnd > 0 {
            self.now = now
            unsentBeforeEnd = max(unsentBeforeEnd - byteCount, 0)
            // The peer can't have answered yet.
            restartCloseTimeout()
        }
        if outbox.isEmpty {
            outbox.removeAll(keepingCapacityUpTo: keptCapacity)
            if let pong = keepAlive.postponedPong {
                keepAlive.postponedPong = nil
                pong.withUnsafeBytes { appendControl(.pong, $0) }
            }
        }
    }
}

/// A Close frame's content; no code if the frame was empty (RFC 6455, section 5.5.1).
public struct CloseFrame: Equatable, Sendable {
    public var code: CloseCode?
    public var reason: String

    public init(code: CloseCode?, reason: String = "") {
        self.code = code
        self.reason = reason
    }
}

/// What went over a connection so far.
public struct Statistics: Equatable, Sendable {
    public var messagesReceived: UInt64 = 0
    public var messagesSent: UInt64 = 0
    /// Payload bytes of messages, inflated.
    public var bytesReceived: UInt64 = 0
    public var bytesSent: UInt64 = 0
    /// All bytes on the stream, heads and frame headers included.
    public var wireBytesReceived: UInt64 = 0
    public var wireBytesSent: UInt64 = 0
    public var pingsReceived: UInt64 = 0
    public var pongsReceived: UInt64 = 0
    public var pingsSent: UInt64 = 0
    public var pongsSent: UInt64 = 0
    /// Pings of ours whose own pong came.
    public var pingsAnswered: UInt64 = 0

    public init() {}

    /// Counts another connection's too.
    public mutating func add(_ other: Statistics) {
        messagesReceived &+= other.messagesReceived
        messagesSent &+= other.messagesSent
        bytesReceived &+= other.bytesReceived
        bytesSent &+= other.bytesSent
        wireBytesReceived &+= other.wireBytesReceived
        wireBytesSent &+= other.wireBytesSent
        pingsReceived &+= other.pingsReceived
        pongsReceived &+= other.pongsReceived
        pingsSent &+= other.pingsSent
        pongsSent &+= other.pongsSent
        pingsAnswered &+= other.pingsAnswered
    }
}
