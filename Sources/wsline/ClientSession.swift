import Dispatch
import LineTerminal
import WebSocketProtocol
import WebSocketTransport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Who shows what a client's connection brings, and sends what it should: a terminal, or pipes.
///
/// Everything is called on the session's queue.
protocol SessionFrontend: AnyObject {
    func opened(_ socket: WebSocket)
    func received(_ messages: UnsafeBufferPointer<BorrowedMessage>)
    func received(_ part: MessagePart)
    func receivedPing(_ payload: RawSpan)
    func receivedPong(_ payload: RawSpan, roundTrip: UInt64?)
    /// What one read brought is all there: time to write it out.
    func batchEnded()
    /// There is room again for what waits to be sent.
    func drained()
    func failed(_ error: WebSocketError)
    /// The connection is over. Gives the status of the whole run, which now ends, but for a reconnect.
    func closed(_ closure: Closure)
    /// Calls `done` once all that was received has been written out.
    func finishOutput(_ done: @escaping () -> Void)
}

/// One run as a client: makes the connection, and again where that is asked for, ends it, and knows the exit status.
final class ClientSession: @unchecked Sendable {
    // Invariant: used on `queue` only, but for what says otherwise.

    let configuration: Configuration
    let diagnostics: Diagnostics
    let queue: DispatchQueue
    private(set) var socket: WebSocket?
    private unowned let frontend: any SessionFrontend
    private let url: WebSocketURL
    private let exit: (ExitStatus) -> Void
    private var tls: TLSContext?
    private var log: VerboseLog?
    /// The status that something other than the connection's end has decided.
    private var verdict: ExitStatus?
    private var lastError: WebSocketError?
    private var isOver = false
    private var hasClosed = false
    private var backoff = Backoff()

    /// - Parameter exit: called once, on the queue, when all is done.
    init(
        _ configuration: Configuration, url: WebSocketURL, frontend: any SessionFrontend, diagnostics: Diagnostics, queue: DispatchQueue,
        exit: @escaping (ExitStatus) -> Void
    ) {
        self.configuration = configuration
        self.url = url
        self.frontend = frontend
        self.diagnostics = diagnostics
        self.queue = queue
        self.exit = exit
        if configuration.output.verbosity > 0 { log = VerboseLog(diagnostics) }
    }

    /// Makes the connection. From any thread.
    func start() {
        queue.async { [self] in
            if let timeout = configuration.stop.timeout {
                queue.asyncAfter(deadline: .now() + timeout) { [self] in
                    guard !isOver else { return }
                    diagnostics.error("the run took longer than --timeout allows (\(seconds(timeout)))")
                    finish(.timeout)
                }
            }
            connect()
        }
    }

    // MARK: Ending

    /// Ends the run: closes what is open, writes out what was received, and exits with `status`, or with what the connection's end says where
    /// that is nil. The first status decided stands.
    func finish(_ status: ExitStatus?, code: CloseCode = .normal, reason: String = "", within limit: Double? = nil) {
        if verdict == nil { verdict = status }
        if let limit {
            queue.asyncAfter(deadline: .now() + limit) { [self] in exitNow() }
        }
        guard !isOver else { return }
        isOver = true
        guard let socket, !hasClosed else { return conclude(nil) }
        do {
            try socket.close(code, reason: reason)
        } catch {
            socket.abort()
        }
    }

    /// Ends the process's run with no more waiting.
    func exitNow() { exit(verdict ?? .failure) }

    var isEnding: Bool { isOver }

    // MARK: Connecting

    private func connect() {
        do {
            let socket = try makeSocket()
            self.socket = socket
            hasClosed = false
            lastError = nil
            wire(socket)
            socket.connect()
        } catch let error as TransportError {
            report(.transport(error))
            verdict = verdict ?? ExitStatus(error)
            conclude(nil)
        } catch {
            diagnostics.error("\(error)")
            verdict = verdict ?? .usage
            conclude(nil)
        }
    }

    private func makeSocket() throws -> WebSocket {
        let options = configuration.connection
        var handshakeOptions = options.handshake
        if let deflate = options.deflate { handshakeOptions.extensionOffers = [deflate.parameters.headerExtension] }
        var key = [UInt8](repeating: 0, count: 16)
        key.withUnsafeMutableBytes { fillRandom($0) }
        guard let key = HandshakeKey(key) else { preconditionFailure("a key has 16 bytes") }
        let handshake = try ClientHandshake(url: url, key: key, options: handshakeOptions)
        var dialing = options.dialing
        if url.isSecure {
            let context = try tls ?? TLSContext.client(options.tls)
            tls = context
            dialing.tls = context
        }
        let target = options.target(for: url)
        if case .host(let host, let port) = target { dialing.proxy = try proxy(host, port) }
        log?.willSend(handshake)
        return WebSocket(
            target: target, handshake: handshake, deflate: options.deflate, dialing: dialing, configuration: options.limits, queue: queue)
    }

    private func proxy(_ host: String, _ port: UInt16) throws -> Proxy? {
        switch configuration.connection.proxy {
        case .none: nil
        case .given(let proxy): proxy
        case .environment: try Proxy.fromEnvironment(secure: url.isSecure, host: host, port: port, environmentVariable)
        }
    }

    private func wire(_ socket: WebSocket) {
        if let log {
            socket.onProgress = { log.progress($0) }
            socket.onConnected = { log.connected() }
        }
        socket.onOpen = { [unowned self] in opened() }
        socket.onMessages = { [unowned frontend] in frontend.received($0) }
        socket.onPart = { [unowned frontend] in frontend.received($0) }
        socket.onPing = { [unowned frontend] in frontend.receivedPing($0) }
        socket.onPong = { [unowned frontend] in frontend.receivedPong($0, roundTrip: $1) }
        socket.onBatchEnd = { [unowned frontend] in frontend.batchEnded() }
        socket.onDrain = { [unowned frontend] in frontend.drained() }
        socket.onError = { [unowned self] in failed($0) }
        socket.onClose = { [unowned self] in closed($0) }
    }

    private func opened() {
        guard let socket else { return }
        backoff = Backoff()
        log?.opened(socket)
        frontend.opened(socket)
    }

    private func failed(_ error: WebSocketError) {
        lastError = error
        // What goes wrong while we leave is nobody's concern any more, but for a breach.
        if isOver, verdict != nil { return }
        report(error)
        frontend.failed(error)
    }

    private func report(_ error: WebSocketError) { FailureReport(error).write(to: diagnostics, showsResponse: log == nil) }

    private func closed(_ closure: Closure) {
        hasClosed = true
        log?.closed(closure, socket?.statistics ?? Statistics())
        frontend.closed(closure)
        if !isOver, configuration.connection.reconnect != nil, shouldReconnect(closure) {
            return reconnectLater()
        }
        conclude(closure)
    }

    private func conclude(_ closure: Closure?) {
        isOver = true
        if verdict == nil { verdict = status(closure) }
        frontend.finishOutput { [self] in exitNow() }
    }

    private func status(_ closure: Closure?) -> ExitStatus {
        if let expected = configuration.stop.expectedClose, let closure {
            return closure.code == expected ? .success : lastError.map { ExitStatus($0) } ?? .timeout
        }
        if let lastError { return ExitStatus(lastError) }
        return closure.map { ExitStatus($0) } ?? .failure
    }

    // MARK: Reconnecting

    /// A connection that was lost, or that the server ended for a reason that may pass, is made again; one that it refuses, or that ended as
    /// it should, is not.
    private func shouldReconnect(_ closure: Closure) -> Bool {
        if case .refused(let refusal) = lastError {
            guard let status = refusal.response?.status else { return true }
            return status == 429 || status >= 500
        }
        switch closure.code {
        case .abnormal, .goingAway, .internalError, .serviceRestart, .tryAgainLater, .badGateway: return closure.failure == nil || isTimeout
        default: return false
        }
    }

    private var isTimeout: Bool {
        if case .breach(.keepAliveTimeout) = lastError { true } else { false }
    }

    private func reconnectLater() {
        guard backoff.attempt < configuration.connection.reconnect?.attempts ?? .max else {
            diagnostics.error("gave up after \(backoff.attempt) attempts to reconnect")
            return conclude(nil)
        }
        let delay = backoff.next()
        diagnostics.notice("reconnecting in \(seconds(delay)) (attempt \(backoff.attempt))")
        queue.asyncAfter(deadline: .now() + delay) { [self] in
            if !isOver { connect() }
        }
    }
}

/// Delays between attempts to reconnect: they double from a quarter of a second to thirty, each cut by up to half at random so that many
/// clients of one server don't come back at once.
struct Backoff {
    private(set) var attempt = 0

    mutating func next() -> Double {
        defer { attempt += 1 }
        let full = min(0.25 * Double(1 << min(attempt, 10)), 30)
        return full * Double.random(in: 0.5...1)
    }
}

/// Seconds for people: `2 s`, `0.25 s`.
func seconds(_ value: Double) -> String {
    let hundredths = (value * 100).rounded() / 100
    return hundredths == hundredths.rounded() && abs(hundredths) < 1e15 ? "\(Int(hundredths)) s" : "\(hundredths) s"
}

func environmentVariable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
