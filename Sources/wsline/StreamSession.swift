import Dispatch
import WebSocketProtocol
import WebSocketTransport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A run in pipes and scripts: messages in from standard input, payloads out to standard output, every other word to standard error.
final class StreamSession: SessionFrontend, @unchecked Sendable {
    // Invariant: used on `queue` only, once started.

    private let configuration: Configuration
    private let diagnostics: Diagnostics
    private let queue: DispatchQueue
    private let url: WebSocketURL
    private let output: OutputDescriptor
    private var presenter: MessagePresenter
    private lazy var session = ClientSession(
        configuration, url: url, frontend: self, diagnostics: diagnostics, queue: queue, exit: { $0.leave() })
    private var signals: SignalWatcher?
    private lazy var input = makeInput()
    /// Whether each message is looked at, rather than all of a batch written out at once.
    private let looksAtMessages: Bool
    /// What `--json-input` says.
    private lazy var events = EventInput(queue: queue)
    /// What `--slash` lets piped lines be.
    private lazy var commands = SlashInterpreter(
        url: url, encoding: configuration.input.encoding, showsPings: configuration.output.showsPings)
    private var goal: Goal
    /// Why nothing can be written, where that was known before the connection was open.
    private var earlyFailure: Int32?
    private var isInputOver = false
    private var idleSince = DispatchTime.now()
    private var whenFlushed: (() -> Void)?

    init(_ configuration: Configuration, url: WebSocketURL, diagnostics: Diagnostics) throws(FileError) {
        self.configuration = configuration
        self.diagnostics = diagnostics
        self.url = url
        goal = Goal(configuration.stop)
        looksAtMessages = configuration.echo || configuration.stop.hasGoal
        queue = DispatchQueue(label: "wsline.connection")
        output = OutputDescriptor(STDOUT_FILENO, queue: queue)
        presenter = try MessagePresenter(
            configuration.output, isTerminal: isatty(STDOUT_FILENO) == 1, diagnostics: diagnostics)
    }

    /// Runs until the process exits.
    func run() -> Never {
        Poller.run(on: queue) {
            output.onDrain = { [unowned self] in outputDrained() }
            output.onFailure = { [unowned self] in outputFailed($0) }
            signals = SignalWatcher(queue: queue, patience: Self.patience + 0.5) { [unowned self] in interrupted($0) }
            session.start()
        }
    }

    // MARK: Events

    func opened(_ socket: WebSocket) {
        socket.stream(.binary, presenter.streamsBinary)
        presenter.opened(socket, at: session.url, into: &output.buffer)
        idleSince = .now()
        if !configuration.input.execute.isEmpty {
            execute(on: socket)
        } else if !configuration.echo {
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
        guard session.saves(telling: diagnostics, { () throws(FileError) in try presenter.append(part) }) else { return }
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
        if configuration.stop.idle != nil { idleSince = .now() }
        _ = session.saves(telling: diagnostics) { () throws(FileError) in try presenter.endBatch() }
        flush()
    }

    func drained() {
        commands.drained()
        guard configuration.echo else { return resumeInput() }
        // The echoes that reading waited for have left.
        if !output.isBlocked { session.socket?.resumeReading() }
    }

    func failed(_ error: WebSocketError) { presenter.failed(error, into: &output.buffer) }

    func closed(_ closure: Closure) {
        input.suspend()
        commands.closed()
        presenter.abandonPart()
        presenter.closed(closure, into: &output.buffer)
        flush()
        if closure.failure == nil, closure.code != .abnormal, ExitStatus(closure) == .closedWithError {
            diagnostics.error("the server closed with \(describe(closure.code))" + (closure.reason.isEmpty ? "" : ": \(closure.reason)"))
        }
        if ExitStatus(closure) == .success { hint() }
    }

    var missed: String? { goal.missed }

    /// Who pipes a question in and sees no answer has most likely left before it came.
    private func hint() {
        let stop = configuration.stop
        guard isInputOver, goal.received == 0, configuration.input.execute.isEmpty, stop.wait == nil, stop.idle == nil, !stop.hasGoal,
            isatty(STDERR_FILENO) == 1
        else { return }
        diagnostics.notice("wsline: nothing came back before the input ended: -w SECS listens on that long, -1 until the first message")
    }

    func finishOutput(_ done: @escaping () -> Void) {
        output.flush()
        guard output.isBlocked else { return done() }
        whenFlushed = done
    }

    // MARK: Output

    private static let flushSize = 128 << 10

    private func flush() {
        output.flush()
        if output.isBlocked { session.socket?.pauseReading() }
    }

    private func outputDrained() {
        if let whenFlushed { return whenFlushed() }
        session.socket?.resumeReading()
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
            diagnostics.error("can't write to standard output: \(String(cString: strerror(error)))")
            session.finish(.localIO, code: .goingAway, within: Self.patience)
        }
        session.socket?.resumeReading()
        outputDrained()
    }

    // MARK: Input

    private func makeInput() -> StandardInput {
        let input = StandardInput(STDIN_FILENO, options: configuration.input, queue: queue)
        input.onEnd = { [unowned self] in inputEnded(defaultWait: nil) }
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
            guard let socket = session.socket else { return false }
            let goesOn = try events.take(line, place, socket)
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
            do throws(SlashFailure) {
                let goesOn = try commands.run(String(decoding: line, as: UTF8.self), on: session.socket)
                if !goesOn { input.suspend() }
                return goesOn
            } catch {
                throw .line(place: place, error.description)
            }
        }
        commands.reply = { [unowned self] in diagnostics.notice($0) }
        commands.failed = { [unowned self] in diagnostics.error($0) }
        commands.onIdle = { [unowned self] in resumeInput() }
        commands.quit = { [unowned self] in
            self.input.cancel()
            session.finish(nil)
        }
        commands.save = { [unowned self] (path) throws(FileError) in
            try presenter.save(to: path)
            session.socket?.stream(.binary, presenter.streamsBinary)
        }
    }

    private func resumeInput() {
        if !events.isWaiting { input.resume() }
    }

    private func inputFailed(_ error: InputError) {
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
        inputEnded(defaultWait: configuration.stop.idle == nil ? .seconds(2) : nil)
    }

    private func echo(_ kind: MessageKind, _ payload: RawSpan) {
        guard let socket = session.socket, socket.readyState == .open else { return }
        payload.withUnsafeBytes { bytes in try? socket.send(kind, bytes) }
        if socket.isCongested { socket.pauseReading() }
    }

    // MARK: When to stop

    private func inputEnded(defaultWait: StopOptions.Wait?) {
        guard !isInputOver else { return }
        isInputOver = true
        let stop = configuration.stop
        let wait = stop.wait ?? (stop.hasGoal || configuration.echo ? .untilClosed : defaultWait)
        if let idle = stop.idle {
            idleSince = .now()
            checkIdle(idle)
        }
        switch wait {
        case .untilClosed: break
        case .seconds(let seconds): queue.asyncAfter(deadline: .now() + seconds) { [self] in waitedEnough() }
        case nil: if stop.idle == nil { waitedEnough() }
        }
    }

    private func checkIdle(_ idle: Double) {
        let deadline = idleSince + idle
        if deadline <= .now() { return waitedEnough() }
        queue.asyncAfter(deadline: deadline) { [self] in checkIdle(idle) }
    }

    private func waitedEnough() {
        guard !session.isEnding else { return }
        guard configuration.stop.hasGoal else { return session.finish(nil) }
        diagnostics.error("what was awaited did not come")
        session.finish(.timeout)
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
    func send(_ text: String, on sink: any MessageSink) throws {
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
