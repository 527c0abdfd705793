import Dispatch
import WebSocketProtocol

/// A WebSocket with what a page's `WebSocket` object has: `readyState`, open, message, error and close events, `send`, `close`,
/// `protocol` (here `subprotocol`), `extensions` and `bufferedAmount`; and what a command line needs beyond: pings, streamed messages,
/// backpressure.
///
/// Everything happens on `queue`, which is serial. Handlers are called on it, and may call back.
public final class WebSocket: @unchecked Sendable {
    // Invariant: all mutable state is touched on `queue` only; each entry checks it.

    public let queue: DispatchQueue
    private(set) var connection: Connection
    private let dial: (target: Target, options: DialOptions)?
    private var dialer: Dialer?
    public private(set) var stream: ByteStream?
    public private(set) var timings: Timings?
    /// Why the transport under an open connection failed.
    public private(set) var transportFailure: TransportError?
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

    private var timer: (any DispatchSourceTimer)?
    private var armedDeadline: Instant?
    private var openingDeadline: Instant?
    private var batchDepth = 0
    private var isPaused = false
    /// Since when nothing has been read, as far as the peer hasn't been excused for it.
    private var unreadSince: Instant = 0
    private var isDelivering = false
    /// Events may wait in the connection, with no need to read first.
    private var mayHoldEvents = false
    private var isWriteBlocked = false
    private var writeFailed = false
    private var wasCongested = false
    private var isHalfClosed = false
    private var isFinished = false

    /// A client's socket; `connect()` starts it.
    ///
    /// - Parameters:
    ///   - handshake: the request to make once the stream stands.
    ///   - deflate: what `handshake` offers of permessage-deflate.
    ///   - dialing: how to get there; its `connectTimeout` covers the opening handshake too.
    public init(
        target: Target, handshake: ClientHandshake, deflate: PermessageDeflateSettings? = nil, dialing: DialOptions = DialOptions(),
        configuration: Connection.Configuration = Connection.Configuration(), queue: DispatchQueue
    ) {
        self.queue = queue
        dial = (target, dialing)
        connection = Connection(client: handshake, deflate: deflate, configuration: configuration, random: fillRandom)
    }

    /// A server's end of a stream that was accepted; `start()` reads the request.
    public init(accepted stream: ByteStream, configuration: Connection.Configuration = Connection.Configuration()) {
        queue = stream.queue
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
    public var statistics: Statistics { connection.statistics }
    public var handshakeResult: HandshakeResult? { connection.opened }

    /// Sends a text message. Throws unless the socket is open.
    public func send(_ text: String) throws(UsageError) {
        var text = text
        let result = text.withUTF8 { bytes in
            Result { () throws(UsageError) in try send(.text, UnsafeRawBufferPointer(bytes)) }
        }
        try result.get()
    }

    /// Sends a message; the bytes of a text must be valid UTF-8. Throws unless the socket is open.
    public func send(_ kind: MessageKind, _ bytes: UnsafeRawBufferPointer) throws(UsageError) {
        try perform { (connection) throws(UsageError) in try connection.send(kind, bytes) }
    }

    /// Begins the closing handshake; while connecting, gives up at once.
    public func close(_ code: CloseCode? = .normal, reason: String = "") throws(UsageError) {
        dispatchPrecondition(condition: .onQueue(queue))
        let wasConnecting = connection.readyState == .connecting
        try perform { (connection) throws(UsageError) in try connection.close(code, reason: reason, at: monotonicNow()) }
        if wasConnecting { finish() }
    }

    public func ping(_ payload: [UInt8]? = nil) throws(UsageError) {
        try perform { (connection) throws(UsageError) in try connection.ping(payload, at: monotonicNow()) }
    }

    public func pong(_ payload: [UInt8] = []) throws(UsageError) {
        try perform { (connection) throws(UsageError) in try connection.pong(payload) }
    }

    /// Fails the connection on our own account: Close with the error's code, and nothing is read any more.
    public func fail(_ error: ProtocolError) {
        dispatchPrecondition(condition: .onQueue(queue))
        guard connection.readyState == .open || connection.readyState == .closing else { return }
        connection.fail(error, at: monotonicNow())
        settleUnlessInBatch()
    }

    /// Drops the connection with no more ado.
    public func abort() {
        dispatchPrecondition(condition: .onQueue(queue))
        finish()
    }

    /// Gives direct access to the connection, for many messages at once; what was sent leaves in one write at the end.
    public func perform<R, E: Error>(_ body: (inout Connection) throws(E) -> R) throws(E) -> R {
        dispatchPrecondition(condition: .onQueue(queue))
        defer { settleUnlessInBatch() }
        return try body(&connection)
    }

    /// Holds back what is sent until `endBatch()`, so that it leaves in one write.
    public func beginBatch() { batchDepth += 1 }

    public func endBatch() {
        batchDepth -= 1
        settleUnlessInBatch()
    }

    // MARK: Server

    /// Begins to read the client's request, for at most `timeout` seconds.
    public func start(timeout: Double) {
        dispatchPrecondition(condition: .onQueue(queue))
        guard let stream else { return }
        openingDeadline = monotonicNow() &+ nanoseconds(timeout)
        adopt(stream)
    }

    /// Opens the connection to the client that asked.
    public func accept(subprotocol: String? = nil, deflate: PermessageDeflateSettings? = nil, headers: [HTTPHeaders.Field] = []) {
        dispatchPrecondition(condition: .onQueue(queue))
        guard connection.accept(subprotocol: subprotocol, deflate: deflate, headers: headers) else { return }
        openingDeadline = nil
        mayHoldEvents = true
        onOpen?()
        settleUnlessInBatch()
        deliverLater()
    }

    public func reject(status: Int, reason: StaticString, headers: [HTTPHeaders.Field] = [], body: String) {
        dispatchPrecondition(condition: .onQueue(queue))
        connection.reject(status: status, reason: reason, headers: headers, body: body)
        settleUnlessInBatch()
    }

    // MARK: Flow

    /// Stops handing on messages, but for a batch that is being handed on, and reading; in time the peer has to wait.
    public func pauseReading() {
        dispatchPrecondition(condition: .onQueue(queue))
        if !isPaused { unreadSince = monotonicNow() }
        isPaused = true
        stream?.pauseReading()
    }

    public func resumeReading() {
        dispatchPrecondition(condition: .onQueue(queue))
        guard isPaused else { return }
        excusePeer(at: monotonicNow())
        isPaused = false
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

    /// Whether binary, or text, messages are handed on in parts, from the next one on.
    public func stream(_ kind: MessageKind, _ isStreamed: Bool) {
        dispatchPrecondition(condition: .onQueue(queue))
        if kind == .text { connection.streamsText = isStreamed } else { connection.streamsBinary = isStreamed }
    }

    private static let highWater = 256 << 10
    private static let lowWater = 64 << 10
    /// How many reads one wake-up does before others on the queue have their turn.
    private static let mostReads = 16

    // MARK: Connecting

    /// Begins to connect; `onOpen`, or `onError` and `onClose`, tell what came of it.
    public func connect() {
        dispatchPrecondition(condition: .onQueue(queue))
        guard let dial, dialer == nil else { return }
        dialer = Dialer.connect(
            to: dial.target, options: dial.options, queue: queue,
            onProgress: { [weak self] in self?.onProgress?($0) },
            completion: { [weak self] in self?.dialed($0) })
    }

    private func dialed(_ result: Result<DialedStream, TransportError>) {
        guard !isFinished else {
            if case .success(let dialed) = result { dialed.stream.close() }
            return
        }
        switch result {
        case .success(let dialed):
            timings = dialed.timings
            openingDeadline = dialed.deadline?.uptimeNanoseconds
            adopt(dialed.stream)
        case .failure(let error):
            onError?(.transport(error))
            finish()
        }
    }

    private func adopt(_ stream: ByteStream) {
        self.stream = stream
        stream.onReadable = { [weak self] in self?.readable() }
        stream.onWritable = { [weak self] in self?.writable() }
        onConnected?()
        settle()
        if !isFinished, !isPaused { stream.resumeReading() }
    }

    // MARK: Reading

    private func readable() {
        guard let stream, !isFinished else { return }
        batchDepth += 1
        var reads = 0
        while reads < Self.mostReads, !isPaused, !isFinished {
            deliver()
            guard !isPaused, !isFinished else { break }
            let buffer = connection.inputBuffer()
            let outcome = stream.read(into: buffer)
            reads += 1
            guard case .bytes(let count) = outcome else {
                streamEnded(outcome)
                break
            }
            connection.received(count, at: monotonicNow())
            deliver()
        }
        onBatchEnd?()
        batchDepth -= 1
        settleUnlessInBatch()
    }

    /// Goes on where reading was paused: the connection may hold messages that no event comes for.
    private func readLater() {
        Poller.later(on: queue) { [weak self] in
            guard let self, !isPaused else { return }
            readable()
        }
    }

    private func streamEnded(_ outcome: ReadOutcome) {
        switch outcome {
        case .bytes, .wouldBlock: return
        case .end: break
        case .failed(let error): transportFailure = error
        }
        endStream()
    }

    private func endStream() {
        let wasConnecting = connection.readyState == .connecting
        connection.receivedEnd()
        if wasConnecting {
            mayHoldEvents = true
            deliver()
        }
        onBatchEnd?()
        finish()
    }

    /// Hands on what the connection holds, until it needs input or the owner pauses.
    private func deliver() {
        guard !isDelivering else { return }
        isDelivering = true
        defer { isDelivering = false }
        while !isPaused {
            let event = connection.next()
            switch event {
            case .needsInput:
                mayHoldEvents = false
                return
            case .messages: handOn(connection.messages)
            default:
                rare(event)
                if isFinished { return }
            }
        }
        mayHoldEvents = true
    }

    private func handOn(_ messages: UnsafeBufferPointer<BorrowedMessage>) {
        if let onMessages { return onMessages(messages) }
        guard let onMessage else { return }
        for message in messages where !isFinished { onMessage(message.kind, RawSpan(_unsafeBytes: message.bytes)) }
    }

    private func rare(_ event: Connection.Event) {
        let payload = connection.payloadBytes
        switch event {
        case .needsInput, .messages: break
        case .messageBegan(let kind): onPart?(.began(kind))
        case .messagePart(let kind): onPart?(.bytes(kind, payload))
        case .messageEnded(let kind): onPart?(.ended(kind))
        case .ping: onPing?(RawSpan(_unsafeBytes: payload))
        case .pong: onPong?(RawSpan(_unsafeBytes: payload), connection.lastRoundTrip)
        case .opened:
            openingDeadline = nil
            onOpen?()
        case .requested: if let request = connection.request { onRequest?(request) }
        case .refused:
            openingDeadline = nil
            if let refusal = connection.refusal { onError?(.refused(refusal)) }
        case .failed: if let failure = connection.failure { onError?(.breach(failure)) }
        case .closing: break
        }
    }

    private func deliverLater() {
        guard mayHoldEvents else { return }
        Poller.later(on: queue) { [self] in
            guard !isFinished else { return }
            batchDepth += 1
            deliver()
            onBatchEnd?()
            batchDepth -= 1
            settleUnlessInBatch()
        }
    }

    // MARK: Writing

    private func settleUnlessInBatch() {
        if batchDepth == 0 { settle() }
    }

    /// Writes what waits, then does what the connection's state asks for.
    private func settle() {
        guard !isFinished, stream != nil else { return }
        if isCongested { wasCongested = true }
        flush()
        switch connection.disposition {
        case .running, .draining: break
        case .halfClose:
            if connection.outputCount == 0 || writeFailed, !isHalfClosed {
                isHalfClosed = true
                stream?.shutdownWrite()
            }
            // Whatever is still on its way is read and dropped: closing on unread data would reset the stream, and our Close with it.
            if isPaused { resumeReading() }
        case .finished: if connection.outputCount == 0 || writeFailed { return finish() }
        }
        armTimer()
        if wasCongested, connection.outputCount <= Self.lowWater {
            wasCongested = false
            onDrain?()
        }
    }

    private func flush() {
        guard let stream, !isWriteBlocked else { return }
        while connection.outputCount > 0, !writeFailed {
            switch connection.withOutput({ stream.write($0) }) {
            case .bytes(let count):
                connection.sent(count)
                if connection.readyState == .closing { connection.restartCloseTimeout(at: monotonicNow()) }
            case .wouldBlock:
                isWriteBlocked = true
                return
            case .failed(let error):
                // What the peer sent before it went, a Close perhaps, is still to be read; the reader finds the end.
                writeFailed = true
                transportFailure = transportFailure ?? error
                if isPaused { resumeReading() }
            }
        }
        if writeFailed {
            unsentAmount += connection.outputCount
            connection.sent(connection.outputCount)
        }
    }

    private func writable() {
        guard !isFinished else { return }
        isWriteBlocked = false
        settle()
    }

    // MARK: Time and end

    private func armTimer() {
        let deadline = [connection.nextDeadline, openingDeadline].compactMap { $0 }.min()
        guard deadline != armedDeadline else { return }
        armedDeadline = deadline
        guard let deadline else {
            timer?.schedule(deadline: .distantFuture)
            return
        }
        let timer = timer ?? makeTimer()
        timer.schedule(deadline: DispatchTime(uptimeNanoseconds: deadline), leeway: .milliseconds(1))
    }

    private func makeTimer() -> any DispatchSourceTimer {
        let timer = DispatchSource.makeTimerSource(queue: queue)
        timer.setEventHandler { [weak self] in self?.tick() }
        self.timer = timer
        timer.resume()
        return timer
    }

    private func tick() {
        guard !isFinished else { return }
        armedDeadline = nil
        let now = monotonicNow()
        if let openingDeadline, openingDeadline <= now {
            onError?(.openingTimedOut)
            return finish()
        }
        let wasClosing = connection.readyState == .closing
        if isPaused { excusePeer(at: now) }
        batchDepth += 1
        rare(connection.tick(at: now))
        batchDepth -= 1
        // The peer had its time to close. What it doesn't read must not keep us: a Close behind it will not leave either.
        if wasClosing, connection.readyState == .closed { return finish() }
        settle()
    }

    private func finish() {
        guard !isFinished else { return }
        isFinished = true
        timer?.cancel()
        dialer?.cancel()
        stream?.close()
        connection.receivedEnd()
        unsentAmount += connection.outputCount
        let closure = connection.closure
        if closure.code == .abnormal, closure.failure == nil, connection.opened != nil || connection.request != nil,
            connection.refusal == nil
        {
            onError?(.lost(transportFailure))
        }
        onClose?(closure)
        dropHandlers()
    }

    /// Handlers commonly hold their owner, which holds us.
    private func dropHandlers() {
        (onProgress, onConnected, onRequest, onOpen, onMessage, onMessages, onPart) = (nil, nil, nil, nil, nil, nil, nil)
        (onPing, onPong, onError, onClose, onBatchEnd, onDrain) = (nil, nil, nil, nil, nil, nil)
    }
}
