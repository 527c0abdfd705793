import WebSocketProtocol
import WebSocketTransport
import CPosix

/// A run in pipes and scripts: messages in from standard input, payloads out to standard output, every other word to standard error.
@EventLoop
final class StreamSession: SessionFrontend {
    private let configuration: Configuration
    private let diagnostics: Diagnostics
    private let url: WebSocketURL
    private let output: OutputDescriptor
    private var presenter: MessagePresenter
    private lazy var session = ClientSession(
        configuration, url: url, frontend: self, diagnostics: diagnostics, exit: { $0.leave() })
    private var signals: SignalWatcher?
    private lazy var input = makeInput()
    /// Whether each message is looked at, rather than all of a batch written out at once.
    private let looksAtMessages: Bool
    /// What `--json-input` says.
    private lazy var events = EventInput()
    /// What `--slash` lets piped lines be.
    private lazy var commands = SlashInterpreter(
        url: url, encoding: configuration.input.encoding, showsPings: configuration.output.showsPings)
    private var goal: Goal
    /// Why nothing can be written, where that was known before the connection was open.
    private var earlyFailure: Int32?
    private var clock: StopClock
    private lazy var stopTimer = Timer { [unowned self] in stopInTime() }
    private var hasWaitedEnough = false
    private var whenFlushed: (() -> Void)?

    init(_ configuration: Configuration, url: WebSocketURL, diagnostics: Diagnostics) throws(FileError) {
        self.configuration = configuration
        self.diagnostics = diagnostics
        self.url = url
        goal = Goal(configuration.stop)
        clock = StopClock(
            configuration.stop, echoes: configuration.echo, executes: !configuration.input.execute.isEmpty,
            closeTimeout: configuration.connection.limits.closeTimeout)
        looksAtMessages = configuration.echo || configuration.stop.hasGoal
        output = OutputDescriptor(STDOUT_FILENO)
        presenter = try MessagePresenter(
            configuration.output, isTerminal: isatty(STDOUT_FILENO) == 1, diagnostics: diagnostics)
    }

    /// Begins to run, until the process exits.
    func start() {
        output.onDrain = { [unowned self] in outputDrained() }
        output.onFailure = { [unowned self] in outputFailed($0) }
        presenter.onSaveDrain = { [unowned self] in saveDrained() }
        presenter.onSaveFailure = { [unowned self] in saveFailed($0) }
        signals = SignalWatcher { [unowned self] in interrupted($0) }
        session.start()
    }

    // MARK: Events

    func opened(_ socket: WebSocket) {
        socket.stream(.binary, presenter.streamsBinary)
        presenter.opened(socket, at: session.url, into: &output.buffer)
        if !configuration.input.execute.isEmpty {
            execute(on: socket)
        } else if configuration.echo || clock.hasInputEnded {
            inputEnded()
        } else {
            input.attach(socket)
            events.attached(to: socket)
            commands.opened(at: session.url)
            resumeInput()
        }
        if let earlyFailure { outputFailed(earlyFailure) }
    }

    func received(_ messages: UnsafeBufferPointer<BorrowedMessage>) {
        if looksAtMessages {
            for message in messages where !goal.isReached {
                presenter.append(message.kind, message.bytes, to: &output.buffer)
                messageEnded(message.kind, RawSpan(_unsafeBytes: message.bytes))
            }
        } else {
            presenter.append(messages, to: &output.buffer)
            goal.takes(messages.count)
        }
        if output.backlog > Self.flushSize { flush() }
    }

    func received(_ part: MessagePart) {
        guard !goal.isReached else { return }
        guard saves({ () throws(FileError) in try presenter.append(part, to: &output.buffer) }) else { return }
        if case .ended(let kind) = part { messageEnded(kind, RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: nil, count: 0))) }
    }

    @inline(__always)
    private func messageEnded(_ kind: MessageKind, _ payload: RawSpan) {
        if configuration.echo { echo(kind, payload) }
        switch goal.takes(kind, payload) {
        case .goesOn: break
        case .reached:
            input.cancel()
            session.finish(configuration.stop.expectedClose == nil ? .success : nil)
        case .undecided(let why):
            input.cancel()
            diagnostics.error(why)
            presenter.failed(.local, why, exit: .badInput, into: &output.buffer)
            session.finish(.badInput)
        }
    }

    func receivedPing(_ payload: RawSpan) { presenter.ping(payload, into: &output.buffer) }

    func receivedPong(_ payload: RawSpan, roundTrip: UInt64?) {
        presenter.pong(payload, roundTrip: roundTrip, into: &output.buffer)
        commands.receivedPong(payload, roundTrip: roundTrip)
    }

    func batchEnded() {
        noteArrivals()
        _ = saves { () throws(FileError) in try presenter.endBatch(into: &output.buffer) }
        flush()
    }

    func drained() {
        commands.drained()
        guard configuration.echo else { return resumeInput() }
        session.socket?.resumeReading(because: .echo)
    }

    func failed(_ error: WebSocketError) { presenter.failed(error, into: &output.buffer) }

    func closed(_ closure: Closure) {
        input.suspend()
        clock.disconnected()
        presenter.abandonPart()
        presenter.closed(closure, into: &output.buffer)
        flush()
        if let cut = commands.closed() { diagnostics.error(cut) }
        if closure.failure == nil, closure.code != .abnormal, ExitStatus(closure) == .closedWithError {
            diagnostics.error("the server closed with \(describe(closure.code))" + (closure.reason.isEmpty ? "" : ": \(closure.reason)"))
        }
        if ExitStatus(closure) == .success { noticeSilence() }
    }

    var missed: String? { goal.missed }

    func finishOutput(_ done: @escaping () -> Void) {
        output.flush()
        guard output.isBlocked || presenter.isSaveBlocked else { return done() }
        whenFlushed = done
    }

    // MARK: Output

    private static let flushSize = 128 << 10

    private func flush() {
        output.flush()
        if output.isBlocked { pause(because: .output) }
    }

    private func outputDrained() { foundRoom(.output) }

    private func saveDrained() {
        if !presenter.isSaveBlocked { foundRoom(.saving) }
    }

    /// Goes on with what waited for whoever takes what was received.
    private func foundRoom(_ reason: PauseReasons) {
        session.socket?.resumeReading(because: reason)
        guard !output.isBlocked, !presenter.isSaveBlocked else { return }
        if let whenFlushed { return whenFlushed() }
        clock.resumed(at: monotonicNow())
        stopInTime()
    }

    private func pause(because reason: PauseReasons) {
        clock.paused()
        session.socket?.pauseReading(because: reason)
    }

    /// Saves, as far as there is room; returns whether all went well.
    private func saves(_ body: () throws(FileError) -> Void) -> Bool {
        defer { if presenter.isSaveBlocked { pause(because: .saving) } }
        return session.saves(telling: diagnostics, body)
    }

    private func saveFailed(_ error: FileError) {
        _ = saves { () throws(FileError) in throw error }
        // The Close is still to be read.
        saveDrained()
    }

    private func outputFailed(_ error: Int32) {
        if session.socket.map({ $0.readyState == .connecting }) ?? true {
            // What is to be sent still is: nobody may have wanted an answer.
            earlyFailure = error
            return
        }
        if error == EPIPE {
            // Whoever read us has seen enough: that is no failure.
            session.finish(.success, code: .goingAway, within: Self.patience)
        } else {
            diagnostics.error("can't write to standard output: \(errorText(error))")
            session.finish(.localIO, code: .goingAway, within: Self.patience)
        }
        outputDrained()
    }

    // MARK: Input

    private func makeInput() -> StandardInput {
        let input = StandardInput(STDIN_FILENO, options: configuration.input)
        input.onEnd = { [unowned self] in inputEnded() }
        input.onFailure = { [unowned self] in inputFailed($0) }
        if configuration.input.isJSON {
            takeEvents(from: input)
        } else if configuration.input.slash {
            takeCommands(from: input)
        }
        return input
    }

    private func takeEvents(from input: StandardInput) {
        input.onLine = { [unowned self, unowned input] (line, place) throws(InputError) in
            let goesOn = try events.take(line, place)
            if !goesOn { input.suspend() }
            return goesOn
        }
        events.onDue = { [unowned self] in resumeInput() }
        events.onClose = { [unowned self] in
            self.input.cancel()
            session.finish(nil, code: $0.code, reason: $0.reason)
        }
    }

    private func takeCommands(from input: StandardInput) {
        input.onLine = { [unowned self, unowned input] (line, place) throws(InputError) in
            guard UTF8Validator.firstError(in: line) == nil else { throw .line(place: place, "not UTF-8, which commands and texts are") }
            commands.failed = { [unowned self] in inputFailed(.line(place: place, $0)) }
            do throws(SlashFailure) {
                let goesOn = try commands.run(String(decoding: line, as: UTF8.self), on: session.socket)
                if !goesOn { input.suspend() }
                return goesOn
            } catch {
                throw .line(place: place, error.description)
            }
        }
        commands.reply = { [unowned self] in diagnostics.notice($0) }
        commands.onIdle = { [unowned self] in resumeInput() }
        commands.quit = { [unowned self] in
            self.input.cancel()
            session.finish(nil)
        }
        commands.save = { [unowned self] (path) throws(FileError) in
            try presenter.save(to: path, reporting: &output.buffer)
            session.socket?.stream(.binary, presenter.streamsBinary)
        }
    }

    /// Goes on with the input, unless there is no connection for it, or what it asked for before isn't done.
    private func resumeInput() {
        guard let socket = session.socket, socket.readyState == .open, !events.isWaiting, !commands.isBusy else { return }
        input.resume()
    }

    private func inputFailed(_ error: InputError) {
        input.cancel()
        diagnostics.error(error.description, hint: error.hint)
        let status: ExitStatus = if case .unreadable = error { .localIO } else { .badInput }
        presenter.failed(.local, error.description, exit: status, into: &output.buffer)
        session.finish(status)
    }

    private func execute(on socket: WebSocket) {
        do {
            socket.beginBatch()
            defer { socket.endBatch() }
            for text in configuration.input.execute { try configuration.input.encoding.send(text, on: socket) }
        } catch {
            diagnostics.error("-x: \(error)")
            presenter.failed(.local, "-x: \(error)", exit: .badInput, into: &output.buffer)
            return session.finish(.badInput)
        }
        inputEnded()
    }

    private func echo(_ kind: MessageKind, _ payload: RawSpan) {
        guard let socket = session.socket, socket.readyState == .open else { return }
        payload.withUnsafeBytes { bytes in try? socket.send(kind, bytes) }
        if socket.isCongested { socket.pauseReading(because: .echo) }
    }

    // MARK: When to stop

    /// All of the input has been handed to the connection, this one or the one before it.
    private func inputEnded() {
        clock.inputEnded(at: monotonicNow())
        noteArrivals()
        session.socket?.whenSent { [unowned self] in
            clock.inputLeft(at: monotonicNow())
            stopInTime()
        }
        stopInTime()
    }

    /// Once the input has ended, what arrives moves the time to stop.
    private func noteArrivals() {
        guard clock.isRunning, let socket = session.socket else { return }
        clock.received(goal.received, incomplete: socket.incompleteMessage, at: monotonicNow())
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
        guard !session.isEnding else { return }
        hasWaitedEnough = true
        guard configuration.stop.hasGoal else { return session.finish(nil) }
        diagnostics.error("what was awaited did not come")
        session.finish(.timeout)
    }

    /// Who pipes a question in and sees no answer may have left before it came.
    private func noticeSilence() {
        guard clock.isDefault, hasWaitedEnough, goal.received == 0 else { return }
        diagnostics.notice(
            "wsline: nothing came back within a second of the end of the input: -1 waits for the first message, -w SECS that long")
    }

    /// Seconds for the closing handshake where somebody wants us gone.
    private static let patience = 1.0

    private func interrupted(_ signal: Int32) {
        let status = ExitStatus(signal: signal)
        if session.isEnding { status.leave() }
        input.cancel()
        session.finish(status, code: .goingAway, within: Self.patience)
    }
}

extension InputOptions.Encoding {
    /// Sends a text from the command line, or a typed line, as this says.
    @EventLoop func send(_ text: String, on sink: any MessageSink) throws {
        switch self {
        case .text: try Array(text.utf8).withUnsafeBytes { try sink.send(.text, $0) }
        case .binary: try Array(text.utf8).withUnsafeBytes { try sink.send(.binary, $0) }
        case .hex: try Hex.decode(text).withUnsafeBytes { try sink.send(.binary, $0) }
        case .base64: try Base64.decode(text).withUnsafeBytes { try sink.send(.binary, $0) }
        }
    }
}

/// A close code with its name: `1011 (internal error)`.
func describe(_ code: CloseCode) -> String { "\(code.rawValue) (\(code.name))" }
