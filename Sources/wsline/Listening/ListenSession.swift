import LineTerminal
import WebSocketProtocol
import WebSocketTransport
import CPosix

/// A run as a listener: messages of all clients to standard output, lines of standard input to all clients.
///
/// What clients send comes out in the order in which it came.
@EventLoop
final class ListenSession: ServedClients, Conversation {
    private let configuration: Configuration
    private let target: ListenTarget
    private let diagnostics: Diagnostics
    private let output: any MessageOutput
    private let terminal: ListenTerminal?
    private var presenter: MessagePresenter
    private lazy var server = ListenServer(configuration, owner: self, diagnostics: diagnostics)
    private lazy var broadcast = makeBroadcast()
    private lazy var input = makeInput()
    private lazy var ending = ServerEnding { [unowned self] in finishOutput($0) }
    private var signals: SignalWatcher?
    /// What the clients' requests are shown to be for, where they name nothing better.
    private var url: WebSocketURL?
    /// Why nobody is read for now.
    private var pauses: PauseReasons = []
    private var goal: Goal
    private var whenFlushed: (() -> Void)?

    init(_ configuration: Configuration, on target: ListenTarget, atTerminal: Bool, diagnostics: Diagnostics) throws(FileError) {
        self.configuration = configuration
        self.target = target
        self.diagnostics = diagnostics
        goal = Goal(configuration.stop)
        let isTerminal = isatty(STDOUT_FILENO) == 1
        terminal = atTerminal ? ListenTerminal(configuration, diagnostics: diagnostics) : nil
        output = terminal ?? OutputDescriptor(STDOUT_FILENO)
        presenter = try MessagePresenter(
            configuration.output, isTerminal: isTerminal, style: terminal?.style, sharing: true, diagnostics: diagnostics)
    }

    nonisolated func readLines() -> Never {
        terminal?.readLines { [self] in
            typed($0)
        } onEnd: { [self] in
            ending.end(server, .success)
        }
        waitForSignals()
    }

    /// Begins to listen.
    func start() throws(TransportError) {
        output.onDrain = { [unowned self] in outputDrained() }
        output.onFailure = { [unowned self] in outputFailed($0) }
        presenter.onSaveDrain = { [unowned self] in saveDrained() }
        presenter.onSaveFailure = { [unowned self] in saveFailed($0) }
        signals = SignalWatcher { [unowned self] in interrupted($0) }
        let addresses = try server.listen(on: target)
        url = diagnostics.tellListening(on: addresses, isSecure: configuration.listening.identity != nil)
        ending.limit(server, to: configuration.stop.timeout, telling: diagnostics)
    }

    // MARK: Clients

    func prepare(_ client: ServedClient) {
        let socket = client.socket
        // The socket drops its handlers, and with them the client, at its end.
        socket.onMessage = { [unowned self] kind, payload in received(client, kind, payload) }
        socket.stream(.binary, presenter.streamsBinary)
        socket.onPart = { [unowned self] part in received(client, part) }
        socket.onPing = { [unowned self] payload in present(client) { $0.ping(payload, into: &$1) } }
        socket.onPong = { [unowned self] payload, roundTrip in present(client) { $0.pong(payload, roundTrip: roundTrip, into: &$1) } }
        socket.onBatchEnd = { [unowned self] in batchEnded(client) }
        socket.onDrain = { [unowned self] in broadcast.drained(client) }
    }

    func opened(_ client: ServedClient, _ request: ServerHandshake) {
        let socket = client.socket
        if let url = url(of: request) ?? url {
            present(client) {
                $0.opened(request, url: url, subprotocol: socket.subprotocol, extensions: socket.extensions, into: &$1)
            }
        }
        socket.pauseReading(because: pauses)
        broadcast.add(client)
    }

    func failed(_ client: ServedClient, _ error: WebSocketError) { present(client) { $0.failed(error, into: &$1) } }

    func closed(_ client: ServedClient, _ closure: Closure) {
        present(client) {
            $0.abandonPart()
            $0.closed(closure, into: &$1)
        }
        flush()
        broadcast.remove(client)
        if broadcast.isEmpty { input.suspend() }
    }

    private func present(_ client: ServedClient, _ write: (inout MessagePresenter, inout [UInt8]) -> Void) {
        presenter.client = client.number
        write(&presenter, &output.buffer)
    }

    private func url(of request: ServerHandshake) -> WebSocketURL? {
        guard let host = request.request.headers["Host"] else { return nil }
        let scheme = configuration.listening.identity == nil ? "ws" : "wss"
        return try? WebSocketURL("\(scheme)://\(host)\(request.request.target)")
    }

    // MARK: Received

    private func received(_ client: ServedClient, _ kind: MessageKind, _ payload: RawSpan) {
        guard !ending.hasBegun else { return }
        presenter.client = client.number
        if kind == .binary, presenter.savesBinary {
            save { (presenter, output) throws(FileError) in
                try payload.withUnsafeBytes { (bytes) throws(FileError) in try presenter.append(.bytes(kind, bytes), to: &output) }
                try presenter.append(.ended(kind), to: &output)
            }
        } else {
            payload.withUnsafeBytes { presenter.append(kind, $0, to: &output.buffer) }
        }
        messageEnded(kind, payload)
    }

    private func received(_ client: ServedClient, _ part: MessagePart) {
        guard !ending.hasBegun else { return }
        save { (presenter, output) throws(FileError) in
            presenter.client = client.number
            try presenter.append(part, to: &output)
        }
        if case .ended(let kind) = part { messageEnded(kind, RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: nil, count: 0))) }
    }

    private func messageEnded(_ kind: MessageKind, _ payload: RawSpan) {
        switch goal.takes(kind, payload) {
        case .goesOn: break
        case .reached: ending.end(server, .success)
        case .undecided(let why):
            diagnostics.error(why)
            ending.end(server, .badInput)
        }
        if output.buffer.count > Self.flushSize { flush() }
    }

    private func batchEnded(_ client: ServedClient) {
        save { (presenter, output) throws(FileError) in
            presenter.client = client.number
            try presenter.endBatch(into: &output)
        }
        flush()
    }

    /// Does what this machine's files may refuse, which ends the run.
    private func save(_ body: (inout MessagePresenter, inout [UInt8]) throws(FileError) -> Void) {
        do throws(FileError) {
            try body(&presenter, &output.buffer)
        } catch {
            saveFailed(error)
        }
        if presenter.isSaveBlocked { pause(because: .saving) }
    }

    private func saveDrained() {
        guard !presenter.isSaveBlocked else { return }
        resume(because: .saving)
        doneIfFlushed()
    }

    private func saveFailed(_ error: FileError) {
        diagnostics.error(error.description)
        ending.end(server, error.exitStatus)
        saveDrained()
    }

    private func pause(because reason: PauseReasons) {
        guard pauses.insert(reason).inserted else { return }
        for client in broadcast.clients { client.socket.pauseReading(because: reason) }
    }

    private func resume(because reason: PauseReasons) {
        guard pauses.remove(reason) != nil else { return }
        for client in broadcast.clients { client.socket.resumeReading(because: reason) }
    }

    private static let flushSize = 128 << 10

    private func flush() {
        output.flush()
        if output.isBlocked { pause(because: .output) }
    }

    private func outputDrained() {
        resume(because: .output)
        doneIfFlushed()
    }

    private func outputFailed(_ error: Int32) {
        if error == EPIPE {
            // Whoever read us has seen enough: that is no failure.
            ending.end(server, .success)
        } else {
            diagnostics.error("can't write to standard output: \(errorText(error))")
            ending.end(server, .localIO)
        }
        outputDrained()
    }

    // MARK: Sent

    private func makeBroadcast() -> Broadcast {
        let broadcast = Broadcast()
        broadcast.onRoom = { [unowned self, unowned broadcast] in
            if terminal == nil, broadcast.takesMessages { input.resume() }
        }
        broadcast.onStall = { [unowned self] client in
            diagnostics.error("client \(client.number) took too little for \(seconds(Broadcast.patience)): dropped")
            client.socket.abort()
        }
        return broadcast
    }

    private func makeInput() -> StandardInput {
        let input = StandardInput(STDIN_FILENO, options: configuration.input)
        input.attach(broadcast)
        input.onFailure = { [unowned self] error in
            diagnostics.error(error.description, hint: error.hint)
            if case .unreadable = error { ending.end(server, .localIO) } else { ending.end(server, .badInput) }
        }
        return input
    }

    private func typed(_ line: String) {
        guard !broadcast.isEmpty else { return diagnostics.notice("no client is connected: nothing was sent") }
        do {
            try configuration.input.encoding.send(line, on: broadcast)
        } catch {
            diagnostics.error("\(error)")
        }
    }

    // MARK: Ending

    private func interrupted(_ signal: Int32) {
        let status = ExitStatus(signal: signal)
        if ending.hasBegun { status.leave() }
        input.cancel()
        ending.end(server, status)
    }

    private func finishOutput(_ status: ExitStatus) {
        output.flush()
        whenFlushed = { status.leave() }
        doneIfFlushed()
    }

    private func doneIfFlushed() {
        if !output.isBlocked, !presenter.isSaveBlocked { whenFlushed?() }
    }
}

/// The end of a run as a listener: all clients are told, and have a second to answer.
@EventLoop
final class ServerEnding {
    private(set) var hasBegun = false
    private let finish: (ExitStatus) -> Void

    /// - Parameter finish: called once all clients are gone, to write out what is left and exit.
    init(finish: @escaping (ExitStatus) -> Void) {
        self.finish = finish
    }

    /// Ends the run once it has taken `timeout` seconds.
    func limit(_ server: ListenServer, to timeout: Double?, telling diagnostics: Diagnostics) {
        guard let timeout else { return }
        Timer(after: timeout) { [self] in
            guard !hasBegun else { return }
            diagnostics.error("the run took longer than --timeout allows (\(seconds(timeout)))")
            end(server, .timeout)
        }
    }

    /// The first status stands.
    func end(_ server: ListenServer, _ status: ExitStatus) {
        guard !hasBegun else { return }
        hasBegun = true
        Timer(after: 1) { status.leave() }
        // Later: the last client's end may be told yet, and what it sent written.
        server.end(.goingAway) { [self] in EventLoop.later { self.finish(status) } }
    }
}

extension Diagnostics {
    /// Tells where a listener can be reached; returns the first of the URLs.
    func tellListening(on addresses: [SocketAddress], isSecure: Bool) -> WebSocketURL? {
        let scheme = isSecure ? "wss" : "ws"
        let urls = addresses.map { address in
            if case .unix(let path) = address { "\(scheme)+unix://\(path.escaped)" } else { "\(scheme)://\(address)" }
        }
        notice("Listening on \(urls.joined(separator: " and ")) (press CTRL+C to quit)")
        return urls.first.flatMap { try? WebSocketURL($0) }
    }
}
