import LineTerminal
import WebSocketProtocol
import WebSocketTransport
import CPosix

/// Who shows what a client's connection brings, and sends what it should: a terminal, or pipes.
@EventLoop
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
    /// The connection is over, and with it the run, except for a reconnect.
    func closed(_ closure: Closure)
    /// What the run waited for, and didn't get, in words; nil where all is well.
    var missed: String? { get }
    /// Calls `done` once all that was received has been written out.
    func finishOutput(_ done: @escaping () -> Void)
}

/// One run as a client: makes the connection, and again where that is asked for, ends it, and knows the exit status.
@EventLoop
final class ClientSession {
    private(set) var configuration: Configuration
    let diagnostics: Diagnostics
    private(set) var socket: WebSocket?
    private unowned let frontend: any SessionFrontend
    /// Where redirects have led, at last.
    private(set) var url: WebSocketURL
    private var redirects = 0
    private var redirect: WebSocketURL.Redirect?
    private let exit: (ExitStatus) -> Void
    private var tls: TLSContext?
    private var proxyTLS: TLSContext?
    private var log: VerboseLog?
    /// The status that something other than the connection's end has decided.
    private var verdict: ExitStatus?
    private var lastError: WebSocketError?
    private var lastClosure: Closure?
    private var isOver = false
    private var hasClosed = false
    private var backoff = Backoff()
    private var openedAt: Instant?
    private var losses = LossCount()

    /// - Parameter exit: called once, when all is done.
    init(
        _ configuration: Configuration, url: WebSocketURL, frontend: any SessionFrontend, diagnostics: Diagnostics,
        exit: @escaping (ExitStatus) -> Void
    ) {
        self.configuration = configuration
        self.url = url
        self.frontend = frontend
        self.diagnostics = diagnostics
        self.exit = exit
        if configuration.output.verbosity > 0 { log = VerboseLog(diagnostics) }
    }

    /// Makes the connection.
    func start() {
        if let timeout = configuration.stop.timeout {
            Timer(after: timeout) { [self] in timedOut(timeout) }
        }
        connect()
    }

    private func timedOut(_ timeout: Double) {
        if verdict == nil { diagnostics.error("the run took longer than --timeout allows (\(seconds(timeout)))") }
        if isOver {
            verdict = verdict ?? .timeout
            return exitNow()
        }
        finish(.timeout, within: 1)
    }

    // MARK: Ending

    /// Ends the run: closes what is open, writes out what was received, and exits with `status`, or with what the connection's end says where
    /// that is nil. The first failure decided stands.
    func finish(_ status: ExitStatus?, code: CloseCode? = .normal, reason: String = "", within limit: Double? = nil) {
        if verdict == nil || verdict == .success && status != nil { verdict = status }
        if let limit {
            Timer(after: limit) { [self] in exitNow() }
        }
        guard !isOver else { return }
        isOver = true
        guard let socket, !hasClosed else { return conclude() }
        do {
            try socket.close(code, reason: reason)
        } catch {
            socket.abort()
        }
    }

    /// Does what this machine's files may refuse: that is told to `voice`, and ends the run. Returns whether all went well.
    func saves(telling voice: Diagnostics, _ body: () throws(FileError) -> Void) -> Bool {
        do throws(FileError) {
            try body()
            return true
        } catch {
            voice.error(error.description)
            finish(error.exitStatus)
            return false
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
            openedAt = nil
            losses = LossCount()
            wire(socket)
            socket.connect()
        } catch let error as TransportError {
            failed(.transport(error))
            verdict = verdict ?? ExitStatus(error)
            conclude()
        } catch {
            diagnostics.error("\(error)")
            verdict = verdict ?? .usage
            conclude()
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
            if tls == nil {
                let context = try TLSContext.client(options.tls)
                diagnostics.notice(of: context)
                tls = context
            }
            dialing.tls = tls
        }
        let target = options.target(for: url)
        if case .host(let host, let port) = target { dialing.proxy = try proxy(host, port) }
        if dialing.proxy?.scheme == .https {
            let context = try proxyTLS ?? TLSContext.client(options.proxyTLS)
            proxyTLS = context
            dialing.proxyTLS = context
        }
        log?.willSend(handshake)
        return WebSocket(
            target: target, handshake: handshake, deflate: options.deflate, dialing: dialing, configuration: options.limits)
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
        socket.onBatchEnd = { [unowned self, unowned socket] in
            losses.heard(socket.statistics)
            frontend.batchEnded()
        }
        socket.onDrain = { [unowned frontend] in frontend.drained() }
        socket.onError = { [unowned self] in failed($0) }
        socket.onClose = { [unowned self] in closed($0) }
    }

    private func opened() {
        guard let socket else { return }
        openedAt = monotonicNow()
        redirects = 0
        log?.opened(socket)
        // What is sent from here on is not yet heard of, though the handshake's batch is still to end.
        losses.heard(socket.statistics)
        frontend.opened(socket)
    }

    private func failed(_ error: WebSocketError) {
        lastError = error
        // What goes wrong while we leave is nobody's concern any more, except for a breach.
        if isOver, verdict != nil { return }
        if case .refused(let refusal) = error, let response = refusal.response {
            log?.refused(refusal, socket)
            do {
                redirect = try redirect(response)
                if let redirect { return diagnostics.notice(refusal.masked("redirected to \(redirect.url)")) }
                report(error)
            } catch {
                diagnostics.error(refusal.masked("can't follow the server's redirect: \(error)"))
            }
        } else {
            report(error)
        }
        frontend.failed(error)
    }

    // MARK: Redirects

    private struct RedirectRefusal: Error, CustomStringConvertible {
        let description: String
    }

    /// Where a response leads, as far as `-L` follows; nil where that isn't asked for, or it leads nowhere.
    private func redirect(_ response: HTTPResponseHead) throws -> WebSocketURL.Redirect? {
        let most = configuration.connection.redirects
        guard most > 0, [301, 302, 303, 307, 308].contains(response.status), let location = response.headers["Location"] else { return nil }
        let redirect = try url.resolve(location: location)
        guard redirects < most else {
            throw RedirectRefusal(description: "\(redirect.url) would be one more than --max-redirects allows (\(most))")
        }
        guard !redirect.dropsTLS else {
            throw RedirectRefusal(
                description: "\(redirect.url) is not encrypted, as this connection is: give that URL if it is what you want")
        }
        return redirect
    }

    private func follow(_ redirect: WebSocketURL.Redirect) {
        self.redirect = nil
        redirects += 1
        if redirect.changesOrigin {
            let withheld = configuration.connection.leaveOrigin()
            if !withheld.isEmpty { diagnostics.notice("not sent there, as it is another server: \(withheld.joined(separator: ", "))") }
        }
        url = redirect.url
        connect()
    }

    // MARK: The end

    private func report(_ error: WebSocketError) { FailureReport(error).write(to: diagnostics, showsResponse: log == nil) }

    private func closed(_ closure: Closure) {
        hasClosed = true
        if let redirect, !isOver { return follow(redirect) }
        lastClosure = closure
        if let socket, openedAt != nil {
            log?.closed(closure, socket.statistics)
            if let losses = losses.description(socket, closure) { diagnostics.notice("wsline: \(losses)") }
        }
        frontend.closed(closure)
        if !isOver, configuration.connection.reconnect != nil, mayReconnect(closure) { return reconnectLater() }
        conclude()
    }

    private func conclude() {
        isOver = true
        if verdict == nil { verdict = statusOfConnection() }
        frontend.finishOutput { [self] in exitNow() }
    }

    /// What the connection's end says, where nothing else has decided.
    private func statusOfConnection() -> ExitStatus {
        var status = lastError.map { ExitStatus($0) } ?? lastClosure.map { ExitStatus($0) } ?? .failure
        if let expected = configuration.stop.expectedClose, openedAt != nil, let closure = lastClosure {
            if closure.code == expected {
                status = .success
            } else {
                diagnostics.error("closed with \(describe(closure.code)), expected \(describe(expected))")
                if status == .success { status = .timeout }
            }
        }
        guard status == .success, let missed = frontend.missed else { return status }
        diagnostics.error(missed)
        return .timeout
    }

    // MARK: Reconnecting

    /// A connection that was lost, could not be made, or that the server ended for a reason that may pass, is made again; one that it refuses
    /// for good, or that ended as it should, is not.
    private func mayReconnect(_ closure: Closure) -> Bool {
        if let expected = configuration.stop.expectedClose, closure.code == expected, openedAt != nil { return false }
        if let lastError { return lastError.mayPass }
        return [.goingAway, .internalError, .serviceRestart, .tryAgainLater, .badGateway].contains(closure.code)
    }

    private func reconnectLater() {
        // One that ended at once has not been a success: a server that only ever hangs up must not be asked four times a second.
        if let openedAt, monotonicNow() &- openedAt > Self.steadyTime { backoff = Backoff() }
        guard backoff.attempt < configuration.connection.reconnect?.attempts ?? .max else {
            diagnostics.error("gave up after \(counted(backoff.attempt, "attempt")) to reconnect")
            return conclude()
        }
        let delay = backoff.next()
        diagnostics.notice("reconnecting in \(seconds(delay)) (attempt \(backoff.attempt))")
        Timer(after: delay) { [self] in
            if !isOver { connect() }
        }
    }

    /// How long a connection stands before the count of attempts begins anew; nanoseconds.
    private static let steadyTime: Instant = 1_000_000_000
}

/// Seconds for people: `2 s`, `0.25 s`.
func seconds(_ value: Double) -> String {
    let hundredths = (value * 100).rounded() / 100
    return hundredths == hundredths.rounded() && abs(hundredths) < 1e15 ? "\(Int(hundredths)) s" : "\(hundredths) s"
}

func environmentVariable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
