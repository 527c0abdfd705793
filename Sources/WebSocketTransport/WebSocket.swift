import WebSocketProtocol

/// A WebSocket with what a page's `WebSocket` object has: `readyState`, open, message, error and close events, `send`, `close`,
/// `protocol` (here `subprotocol`), `extensions` and `bufferedAmount`; and what a command line needs beyond: pings, streamed messages,
/// backpressure.
///
/// Handlers may call back.
@EventLoop
public final class WebSocket {
    // What isn't private is for `WebSocket/Reading.swift`.

    var connection: Connection
    let dial: (target: Target, options: DialOptions)?
    var dialer: Dialer?
    public internal(set) var stream: ByteStream?
    public internal(set) var timings: Timings?
    /// Why the transport under an open connection failed.
    public internal(set) var transportFailure: TransportError?
    /// Bytes that were to be sent, and never left, once the connection is over.
    public private(set) var unsentAmount = 0

    // MARK: Events

    /// A step of the connection's making, for `-v`.
    public var onProgress: ((DialEvent) -> Void)?
    /// The request is about to leave, or the stream stands.
    public var onConnected: (() -> Void)?
    /// A server's: a client asks; answer with `accept` or `reject`, now or later.
    public var onRequest: ((ServerHandshake) -> Void)?
    public var onOpen: (() -> Void)?
    /// A whole message, borrowed for the length of the call.
    public var onMessage: ((MessageKind, RawSpan) -> Void)?
    /// In place of `onMessage`: all whole messages that one look at the input found, borrowed for the length of the call. Where messages are
    /// small and many, that costs much less.
    public var onMessages: ((UnsafeBufferPointer<BorrowedMessage>) -> Void)?
    /// A piece of a message of a kind that is streamed.
    public var onPart: ((MessagePart) -> Void)?
    public var onPing: ((RawSpan) -> Void)?
    /// A pong, with its round trip in nanoseconds where it answers a ping of ours.
    public var onPong: ((RawSpan, UInt64?) -> Void)?
    /// The handshake failed, or the connection was failed or lost. `onClose` follows.
    public var onError: ((WebSocketError) -> Void)?
    /// The end, once, whatever came before.
    public var onClose: ((Closure) -> Void)?
    /// All that one read brought has been handed on: what was gathered can be written.
    public var onBatchEnd: (() -> Void)?
    /// What waited to be sent has fallen below the low-water mark, after `isCongested` was true.
    public var onDrain: (() -> Void)?

    private lazy var timer = Timer { [weak self] in self?.tick() }
    private var armedDeadline: Instant?
    var batchDepth = 0
    private var pauses: PauseReasons = []
    var isPaused: Bool { !pauses.isEmpty }
    /// Since when nothing has been read, as far as the peer hasn't been excused for it.
    private var unreadSince: Instant = 0
    var isDelivering = false
    private var isWriteBlocked = false
    private var writeFailed = false
    private var wasCongested = false
    private var onSent: (() -> Void)?
    private var isHalfClosed = false
    private var hasReportedFailure = false
    var isFinished = false

    /// A client's socket; `connect()` starts it.
    ///
    /// - Parameters:
    ///   - handshake: the request to make once the stream stands.
    ///   - deflate: what `handshake` offers of permessage-deflate.
    ///   - dialing: how to get there; its `connectTimeout` covers the opening handshake too.
    public init(
        target: Target, handshake: ClientHandshake, deflate: PermessageDeflateSettings? = nil, dialing: DialOptions = DialOptions(),
        configuration: Connection.Configuration = Connection.Configuration()
    ) {
        dial = (target, dialing)
        connection = Connection(client: handshake, deflate: deflate, configuration: configuration, random: fillRandom)
    }

    /// A server's end of a stream that was accepted; `start()` reads the request.
    public init(accepted stream: ByteStream, configuration: Connection.Configuration = Connection.Configuration()) {
        dial = nil
        connection = Connection(server: configuration, random: fillRandom)
        self.stream = stream
    }

    // MARK: What a page sees

    public var readyState: ReadyState { isFinished ? .closed : connection.readyState }
    public var subprotocol: String? { connection.acceptedSubprotocol }
    public var extensions: [WebSocketExtension] { connection.acceptedExtensions }
    /// Bytes handed to us and not yet to the system, frame headers included.
    public var bufferedAmount: Int { connection.outputCount }
    /// How much has come of a message that isn't whole yet: a figure that differs whenever more has; nil where no message is under way.
    public var incompleteMessage: UInt64? { connection.incompleteMessage }
    public var statistics: Statistics { connection.statistics }
    /// Pings of ours whose pongs may still come.
    public var awaitedPings: Int { connection.awaitedPings }
    public var handshakeResult: HandshakeResult? { connection.opened }
    /// A server's: what its client asked for.
    public var request: ServerHandshake? { connection.request }

    /// Sends a text message. Throws unless the socket is open.
    public func send(_ text: String) throws(UsageError) {
        var text = text
        let result = text.withUTF8 { bytes in Result { () throws(UsageError) in try send(.text, UnsafeRawBufferPointer(bytes)) } }
        try result.get()
    }

    /// Sends a message; the bytes of a text must be valid UTF-8. Throws unless the socket is open.
    public func send(_ kind: MessageKind, _ bytes: UnsafeRawBufferPointer) throws(UsageError) {
        try perform { (connection) throws(UsageError) in try connection.send(kind, bytes) }
    }

    /// Begins the closing handshake; while connecting, gives up at once.
    public func close(_ code: CloseCode? = .normal, reason: String = "") throws(UsageError) {
        let wasConnecting = connection.readyState == .connecting
        try perform { (connection) throws(UsageError) in try connection.close(code, reason: reason, at: monotonicNow()) }
        if wasConnecting { finish() }
    }

    /// Sends a ping of at most 125 bytes. Throws unless the socket is open.
    public func ping(_ payload: [UInt8]) throws(UsageError) {
        try perform { (connection) throws(UsageError) in try connection.ping(payload, at: monotonicNow()) }
    }

    /// Returns a payload for a ping that no other ping has, those of the connection's own included.
    public func nextPingPayload() -> [UInt8] { connection.nextPingPayload() }

    public func pong(_ payload: [UInt8] = []) throws(UsageError) {
        try perform { (connection) throws(UsageError) in try connection.pong(payload) }
    }

    /// Takes over those limits that may change while it runs: see ``Connection/adopt(_:at:)``.
    public func adopt(_ limits: Connection.Configuration) { perform { $0.adopt(limits, at: monotonicNow()) } }

    /// Fails the connection on our own account: Close with the error's code, and nothing is read any more.
    public func fail(_ error: ProtocolError) {
        guard connection.readyState == .open || connection.readyState == .closing else { return }
        connection.fail(error, at: monotonicNow())
        settleUnlessInBatch()
    }

    /// Drops the connection with no more ado.
    public func abort() { finish() }

    /// Lends the connection itself, for many messages at once; what was sent leaves in one write at the end.
    public func perform<R, E: Error>(_ body: (inout Connection) throws(E) -> R) throws(E) -> R {
        defer { settleUnlessInBatch() }
        return try body(&connection)
    }

    /// How the peer is treated.
    public var behaviour: Behaviour { connection.behaviour }

    /// The rule that a message breaks if it is sent now, see ``Connection/messageBreach``.
    public var messageBreach: String? { connection.messageBreach }
    /// Whether it is known where the peer takes a frame to begin, see ``Connection/isInStep``.
    public var isInStep: Bool { connection.isInStep }

    /// Has `observer` called with each frame that is sent or received from now on; nil ends that. See ``Connection/observeFrames(_:)``.
    public func observeFrames(_ observer: ((ObservedFrame) -> Void)?) { connection.observeFrames(observer) }

    /// Whether somebody observes the frames.
    public var isObserved: Bool { connection.isObserved }

    /// Holds back what is sent until `endBatch()`, so that it leaves in one write.
    public func beginBatch() { batchDepth += 1 }

    public func endBatch() {
        batchDepth -= 1
        settleUnlessInBatch()
    }

    // MARK: Server

    /// Begins to read the client's request, for at most `timeout` seconds.
    public func start(timeout: Double) {
        guard let stream else { return }
        let now = monotonicNow()
        connection.limitOpening(until: now &+ nanoseconds(timeout), at: now)
        adopt(stream)
    }

    /// Opens the connection to the client that asked.
    public func accept(subprotocol: String? = nil, deflate: PermessageDeflateSettings? = nil, headers: [HTTPHeaders.Field] = []) {
        guard connection.accept(subprotocol: subprotocol, deflate: deflate, headers: headers) else { return }
        onOpen?()
        settleUnlessInBatch()
        readLater()
    }

    public func reject(status: Int, reason: StaticString, headers: [HTTPHeaders.Field] = [], body: String) {
        connection.reject(status: status, reason: reason, headers: headers, body: body)
        settleUnlessInBatch()
    }

    // MARK: Flow

    /// Stops handing on messages, except a batch that is being handed on, and reading; in time the peer has to wait.
    ///
    /// - Parameter reasons: what has to be over before reading goes on, each with a call of ``resumeReading(because:)``.
    public func pauseReading(because reasons: PauseReasons) {
        // What comes from now on is dropped: it needs no room, and the end of the stream is to be found.
        guard !reasons.isEmpty, connection.disposition != .halfClose else { return }
        if !isPaused { unreadSince = monotonicNow() }
        pauses.formUnion(reasons)
        stream?.pauseReading()
    }

    /// Lifts `reasons`, if they are there; reading goes on when none is left.
    public func resumeReading(because reasons: PauseReasons) {
        guard isPaused else { return }
        pauses.subtract(reasons)
        guard !isPaused else { return }
        excusePeer(at: monotonicNow())
        guard !isFinished else { return }
        stream?.resumeReading()
        readLater()
    }

    /// The peer may have answered in time: it is we who did not read.
    private func excusePeer(at now: Instant) {
        connection.excusePeer(for: now &- unreadSince)
        unreadSince = now
    }

    /// Whether so much waits to be sent that a source of messages should wait for `onDrain`.
    public var isCongested: Bool { connection.outputCount > Self.highWater }

    /// Calls `body` once, as soon as `bufferedAmount` is 0, unless the connection ends before. A later call takes the place of one that waits.
    public func whenSent(_ body: @escaping () -> Void) {
        guard connection.outputCount > 0 else { return body() }
        onSent = body
    }

    /// Whether binary, or text, messages are handed on in parts, from the next one on.
    public func stream(_ kind: MessageKind, _ isStreamed: Bool) {
        if kind == .text { connection.streamsText = isStreamed } else { connection.streamsBinary = isStreamed }
    }

    private static let highWater = 256 << 10
    private static let lowWater = 64 << 10

    // MARK: Writing

    func settleUnlessInBatch() { if batchDepth == 0 { settle() } }

    /// Writes what waits, then does what the connection's state asks for.
    func settle() {
        guard !isFinished, stream != nil else { return }
        reportFailure()
        // Read once: each look into the connection copies it.
        var waiting = connection.outputCount
        if waiting > Self.highWater { wasCongested = true }
        if waiting > 0 {
            flush()
            waiting = connection.outputCount
        }
        switch connection.disposition {
        case .running: break
        case .halfClose:
            if waiting == 0 || writeFailed, !isHalfClosed {
                isHalfClosed = true
                stream?.shutdownWrite()
            }
            resumeReading(because: .all)
        case .finished: if waiting == 0 || writeFailed { return finish() }
        }
        armTimer()
        if wasCongested, waiting <= Self.lowWater {
            wasCongested = false
            onDrain?()
        }
        if let onSent, connection.outputCount == 0 {
            self.onSent = nil
            onSent()
        }
    }

    /// Says once why the connection was failed: for what came, for what was to be sent, or on our own account.
    func reportFailure() {
        guard !hasReportedFailure, let failure = connection.failure else { return }
        hasReportedFailure = true
        onError?(.breach(failure))
    }

    private func flush() {
        guard let stream, !isWriteBlocked else { return }
        while connection.outputCount > 0, !writeFailed {
            switch connection.withOutput({ stream.write($0) }) {
            case .bytes(let count):
                connection.sent(count, at: monotonicNow())
            case .wouldBlock:
                isWriteBlocked = true
                return
            case .failed(let error):
                // What the peer sent before it went, a Close perhaps, is still to be read; the reader finds the end.
                writeFailed = true
                transportFailure = transportFailure ?? error
                resumeReading(because: .all)
            }
        }
        if writeFailed {
            unsentAmount += connection.outputCount
            connection.sent(connection.outputCount, at: monotonicNow())
        }
    }

    func writable() {
        guard !isFinished else { return }
        isWriteBlocked = false
        settle()
    }

    // MARK: Time and end

    private func armTimer() {
        let deadline = connection.nextDeadline
        guard deadline != armedDeadline else { return }
        armedDeadline = deadline
        if let deadline { timer.arm(at: deadline) } else { timer.disarm() }
    }

    /// What the peer has done in time has been read by now: the loop looks at descriptors before it looks at the time.
    private func tick() {
        guard !isFinished else { return }
        armedDeadline = nil
        let now = monotonicNow()
        if isPaused { excusePeer(at: now) }
        batchDepth += 1
        rare(connection.tick(at: now))
        batchDepth -= 1
        // The peer had its time. What it doesn't read must not keep us: a Close after it will not leave either.
        if connection.readyState == .closed { return finish(.closingTimedOut) }
        settle()
    }

    /// - Parameter loss: what it is if no Close came; by default the stream's end, or its failure.
    func finish(_ loss: WebSocketError? = nil) {
        guard !isFinished else { return }
        isFinished = true
        timer.disarm()
        dialer?.cancel()
        stream?.close()
        connection.receivedEnd()
        unsentAmount += connection.outputCount
        let closure = connection.closure
        if closure.code == .abnormal, closure.failure == nil, connection.opened != nil || connection.request != nil,
            connection.refusal == nil, !connection.hasRefused
        {
            onError?(loss ?? .lost(transportFailure))
        }
        onClose?(closure)
        dropHandlers()
    }

    /// Handlers commonly hold their owner, which holds us.
    private func dropHandlers() {
        (onProgress, onConnected, onRequest, onOpen, onMessage, onMessages, onPart) = (nil, nil, nil, nil, nil, nil, nil)
        (onPing, onPong, onError, onClose, onBatchEnd, onDrain, onSent) = (nil, nil, nil, nil, nil, nil, nil)
    }
}
