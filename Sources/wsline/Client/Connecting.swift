import LineTerminal
import WebSocketProtocol
import WebSocketTransport

/// A run as a client: makes the connection, again with `--reconnect`, and decides when it has listened long enough.
@EventLoop
final class ClientRole: Role {
    private unowned let run: Run
    /// What redirects have left of the options.
    private var options: ConnectionOptions
    private let stop: StopOptions
    private let diagnostics: Diagnostics
    private var socket: WebSocket?
    /// The last that redirects have led to.
    private var url: WebSocketURL
    private var redirects = 0
    private var redirect: WebSocketURL.Redirect?
    private var tls: TLSContext?
    private var proxyTLS: TLSContext?
    private let log: VerboseLog
    /// Of the present connection, or the one before.
    private var handshake: ClientHandshake?
    private var lastError: WebSocketError?
    private var lastClosure: Closure?
    private var hasClosed = false
    private var backoff = Backoff()
    private var openedAt: Instant?
    private var losses = LossCount()
    private var clock: StopClock
    /// Why the server isn't read for now.
    private(set) var pauses: PauseReasons = []
    private lazy var stopTimer = Timer { [unowned self] in stopInTime() }
    private var hasWaitedEnough = false

    init(_ url: WebSocketURL, _ run: Run) {
        self.run = run
        self.url = url
        let configuration = run.configuration
        options = configuration.connection
        stop = configuration.stop
        diagnostics = run.diagnostics
        clock = StopClock(
            stop, echoes: configuration.echo, executes: !configuration.input.execute.isEmpty, closeTimeout: options.limits.closeTimeout)
        log = VerboseLog(diagnostics)
    }

    func start() { connect() }

    var peer: (any Peer)? { socket }
    var isConnecting: Bool { socket.map { $0.readyState == .connecting } ?? true }
    var patience: Double? { nil }

    func streamBinary(_ isStreamed: Bool) { socket?.stream(.binary, isStreamed) }

    func pauseReading(because reason: PauseReasons) {
        pauses.insert(reason)
        if reason != .echo { clock.paused() }
        socket?.pauseReading(because: reason)
    }

    func resumeReading(because reason: PauseReasons) {
        guard pauses.remove(reason) != nil else { return }
        socket?.resumeReading(because: reason)
        guard reason != .echo, pauses.subtracting(.echo).isEmpty else { return }
        clock.resumed(at: monotonicNow())
        stopInTime()
    }

    func end(_ code: CloseCode?, reason: String) {
        guard let socket, !hasClosed else { return run.conclude() }
        do { try socket.close(code, reason: reason) } catch { socket.abort() }
    }

    var status: [(String, String)] {
        let statistics = socket?.statistics ?? Statistics()
        let extensions = socket?.extensions.map(\.description) ?? []
        let stream = socket?.stream
        var rows = [("state", "\(socket?.readyState ?? .closed)"), ("URL", run.configuration.output.mask.masked(url))]
        if let address = stream?.peerAddress { rows.append(("peer", "\(address)")) }
        if let tls = stream?.tlsInfo { rows.append(("TLS", "\(tls.version), \(tls.cipher)")) }
        rows += [
            ("subprotocol", socket?.subprotocol ?? "none"),
            ("extensions", extensions.isEmpty ? "none" : extensions.joined(separator: ", ")),
            ("uptime", uptime.map(seconds) ?? "none: not connected"),
        ]
        return rows + statistics.rows(buffered: socket?.bufferedAmount ?? 0)
    }

    var handshakes: [OpeningHeads] {
        guard let request = handshake?.request else { return [] }
        var response = socket?.handshakeResult?.response
        if case .refused(let refusal)? = lastError { response = refusal.response }
        return [OpeningHeads(request: request, response: response)]
    }

    var lostPings: Int { socket.map { $0.statistics.lostPings(awaited: hasClosed ? 0 : $0.awaitedPings) } ?? 0 }

    func adopt(_ configuration: Configuration) {
        options.limits = configuration.connection.limits
        clock.closeTimeout = options.limits.closeTimeout
        guard let socket else { return }
        socket.adopt(options.limits)
        run.frames.watch(socket)
    }

    private var uptime: Double? {
        guard !hasClosed, let openedAt else { return nil }
        return Double(monotonicNow() &- openedAt) / 1e9
    }

    // MARK: Connecting

    private func connect() {
        do {
            let socket = try makeSocket()
            self.socket = socket
            hasClosed = false
            lastError = nil
            openedAt = nil
            losses = LossCount()
            // What waits for the server that is gone waits no more.
            for reason in [PauseReasons.command, .echo] { resumeReading(because: reason) }
            wire(socket)
            socket.connect()
        } catch let error as TransportError {
            failed(.transport(error))
            run.conclude()
        } catch {
            diagnostics.error("\(error)")
            run.finish(.usage)
        }
    }

    private func makeSocket() throws -> WebSocket {
        var handshakeOptions = options.handshake
        handshakeOptions.showsCredentials = run.configuration.output.showsCredentials
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
        self.handshake = handshake
        log.willSend(handshake)
        return WebSocket(
            target: target, handshake: handshake, deflate: options.deflate, dialing: dialing, configuration: options.limits)
    }

    private func proxy(_ host: String, _ port: UInt16) throws -> Proxy? {
        switch options.proxy {
        case .none: nil
        case .given(let proxy): proxy
        case .environment: try Proxy.fromEnvironment(secure: url.isSecure, host: host, port: port) { environmentVariables[$0] }
        }
    }

    private func wire(_ socket: WebSocket) {
        socket.onProgress = { [log] in log.progress($0) }
        socket.onConnected = { [log] in log.connected() }
        run.frames.watch(socket)
        socket.onOpen = { [unowned self] in opened() }
        socket.onMessages = { [unowned run] in run.received($0) }
        socket.onPart = { [unowned run] in run.received($0) }
        socket.onPing = { [unowned run] in run.receivedPing($0) }
        socket.onPong = { [unowned run] in run.receivedPong($0, roundTrip: $1) }
        socket.onBatchEnd = { [unowned self, unowned socket] in
            losses.update(socket.statistics)
            noteArrivals()
            run.batchEnded()
        }
        socket.onDrain = { [unowned run] in run.drained() }
        socket.onError = { [unowned self] in failed($0) }
        socket.onClose = { [unowned self] in closed($0) }
    }

    private func opened() {
        guard let socket else { return }
        openedAt = monotonicNow()
        redirects = 0
        log.opened(socket)
        // What is sent from here on is not yet answered, though the handshake's batch is still to end.
        losses.update(socket.statistics)
        socket.stream(.binary, run.presenter.streamsBinary)
        socket.pauseReading(because: pauses)
        if let response = socket.handshakeResult?.shownResponse {
            run.present { $0.opened(socket, at: url, response.headers, into: &$1) }
        }
        notifyPerson("Connected (press CTRL+C to quit)")
        run.attached(socket)
    }

    /// Writes a line for whoever sits at a terminal.
    private func notifyPerson(_ text: String) {
        let output = run.configuration.output
        if run.console.style != nil, !output.quiet, !output.isJSON { run.console.diagnostics.notice(text) }
    }

    private func failed(_ error: WebSocketError) {
        lastError = error
        // What goes wrong while we leave is nobody's concern any more, except for a breach.
        if run.isEnding, run.verdict != nil { return }
        if case .refused(let refusal) = error, let response = refusal.response {
            log.refused(refusal, socket)
            do {
                redirect = try redirect(response, refusal.mask)
                if let redirect { return diagnostics.notice("redirected to \(refusal.mask.masked(redirect.url))") }
                report(error)
            } catch {
                diagnostics.error(refusal.mask.masked("can't follow the server's redirect: \(error)"))
            }
        } else {
            report(error)
        }
        run.present { $0.failed(error, into: &$1) }
    }

    // MARK: Redirects

    private struct RedirectRefusal: Error, CustomStringConvertible { let description: String }

    /// Where a response leads, as far as `-L` follows; nil without `-L`, or if it leads nowhere.
    private func redirect(_ response: HTTPResponseHead, _ mask: CredentialMask) throws -> WebSocketURL.Redirect? {
        let most = options.redirects
        guard most > 0, [301, 302, 303, 307, 308].contains(response.status), let location = response.headers["Location"] else { return nil }
        let redirect = try url.resolve(location: location)
        let shown = mask.masked(redirect.url)
        guard redirects < most else {
            throw RedirectRefusal(description: "\(shown) would be one more than --max-redirects allows (\(most))")
        }
        guard !redirect.dropsTLS else {
            throw RedirectRefusal(
                description: "\(shown) is not encrypted, as this connection is: give that URL if it is what you want")
        }
        return redirect
    }

    private func follow(_ redirect: WebSocketURL.Redirect) {
        self.redirect = nil
        redirects += 1
        if redirect.changesOrigin {
            let withheld = options.leaveOrigin()
            if !withheld.isEmpty { diagnostics.notice("not sent there, as it is another server: \(withheld.joined(separator: ", "))") }
        }
        url = redirect.url
        connect()
    }

    // MARK: The end

    private func report(_ error: WebSocketError) { error.report(on: diagnostics, showsResponse: diagnostics.level < .verbose) }

    private func closed(_ closure: Closure) {
        hasClosed = true
        if let redirect, !run.isEnding { return follow(redirect) }
        lastClosure = closure
        let wasOpen = openedAt != nil
        if let socket, wasOpen {
            log.closed(closure, socket.statistics.totals(run.roundTrips, lost: lostPings))
            if let losses = losses.description(socket, closure) { diagnostics.notice("wsline: \(losses)") }
        }
        clock.disconnected()
        run.closed(closure)
        run.detached()
        report(closure, wasOpen)
        if !run.isEnding, options.reconnectAttempts > 0, mayReconnect(closure) { return reconnectLater() }
        run.conclude()
    }

    private func report(_ closure: Closure, _ wasOpen: Bool) {
        if run.console.style != nil {
            guard wasOpen else { return }
            return notifyPerson(
                #"Disconnected (code: \#(closure.code.rawValue), reason: "\#(onOneLine(closure.reason))"): \#(closure.code.name)"#)
        }
        let status = ExitStatus(closure)
        if closure.failure == nil, closure.code != .abnormal, status == .closedWithError {
            diagnostics.error(
                "the server closed with \(describe(closure.code))" + (closure.reason.isEmpty ? "" : ": \(onOneLine(closure.reason))"))
        }
        if status == .success { noticeSilence() }
    }

    /// The exit status by the connection's end, if nothing else has decided it.
    func conclusion() -> ExitStatus {
        var status = lastError.map { ExitStatus($0) } ?? lastClosure.map { ExitStatus($0) } ?? .failure
        if let expected = stop.expectedClose, openedAt != nil, let closure = lastClosure {
            if closure.code == expected {
                status = .success
            } else {
                diagnostics.error("closed with \(describe(closure.code)), expected \(describe(expected))")
                if status == .success { status = .timeout }
            }
        }
        guard status == .success, let unmet = run.unmetCondition else { return status }
        diagnostics.error(unmet)
        return .timeout
    }

    // MARK: Reconnecting

    /// A connection that was lost, could not be made, or that the server ended for a reason that may pass, is made again; one that it refuses
    /// for good, or that ended as it should, is not.
    private func mayReconnect(_ closure: Closure) -> Bool {
        if let expected = stop.expectedClose, closure.code == expected, openedAt != nil { return false }
        if let lastError { return lastError.mayPass }
        return [.goingAway, .internalError, .serviceRestart, .tryAgainLater, .badGateway].contains(closure.code)
    }

    private func reconnectLater() {
        // One that ended at once has not been a success: a server that only ever hangs up must not be asked four times a second.
        if let openedAt, monotonicNow() &- openedAt > Self.steadyTime { backoff = Backoff() }
        guard backoff.attempt < options.reconnectAttempts else {
            diagnostics.error("gave up after \(counted(backoff.attempt, "attempt")) to reconnect")
            return run.conclude()
        }
        let delay = backoff.next()
        diagnostics.notice("reconnecting in \(seconds(delay)) (attempt \(backoff.attempt))")
        Timer(after: delay) { [self] in
            if !run.isEnding { connect() }
        }
    }

    /// How long a connection is open before the count of attempts begins anew; nanoseconds.
    private static let steadyTime: Instant = 1_000_000_000

    // MARK: When to stop

    func inputEnded() {
        clock.inputEnded(at: monotonicNow())
        noteArrivals()
        socket?.whenSent { [unowned self] in
            clock.inputLeft(at: monotonicNow())
            stopInTime()
        }
        stopInTime()
    }

    /// Once the input has ended, what arrives moves the time to stop.
    private func noteArrivals() {
        guard clock.isRunning, let socket else { return }
        clock.received(run.messagesReceived, incomplete: socket.incompleteMessage, at: monotonicNow())
        stopInTime()
    }

    /// Stops the run if it is time, else looks again when it is. A deadline that moves away costs no call of the timer.
    private func stopInTime() {
        guard let deadline = clock.deadline else { return }
        if deadline <= monotonicNow() { return waitedEnough() }
        guard !stopTimer.isArmed || deadline < stopTimer.deadline else { return }
        stopTimer.arm(at: deadline)
    }

    private func waitedEnough() {
        guard !run.isEnding else { return }
        hasWaitedEnough = true
        guard stop.hasCondition else { return run.finish(nil) }
        diagnostics.error("what was awaited did not come")
        run.finish(.timeout)
    }

    /// Who pipes a question in and sees no answer may have left before it came.
    private func noticeSilence() {
        guard clock.isDefault, hasWaitedEnough, run.messagesReceived == 0 else { return }
        diagnostics.notice(
            "wsline: nothing came back within a second of the end of the input: -1 waits for the first message, -w SECS that long")
    }
}
