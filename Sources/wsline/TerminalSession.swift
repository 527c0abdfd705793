import Dispatch
import LineTerminal
import Synchronization
import WebSocketProtocol
import WebSocketTransport
import CPosix

/// A conversation at a terminal: the main thread reads lines through the editor, the loop prints what arrives above them.
@EventLoop
final class TerminalSession: SessionFrontend, Conversation {
    private let configuration: Configuration
    private let url: WebSocketURL
    private let printer = TerminalPrinter()
    /// The program's voice; on the printer where standard error is this terminal.
    private let diagnostics: Diagnostics
    /// The session's own voice, on the terminal wherever standard error goes.
    private let console: Diagnostics
    private let filters: Bool
    private var presenter: MessagePresenter
    private var goal: Goal
    /// What one read brought, until it is handed to the printer.
    private var pending: [UInt8] = []
    /// What to do once all that is to be saved is.
    private var whenSaved: (() -> Void)?
    private var hasOpened = false
    /// Whether the present connection has been open, and its end is news.
    private var isConnected = false
    private var signals: SignalWatcher?
    private lazy var session = ClientSession(
        configuration, url: url, frontend: self, diagnostics: diagnostics, exit: { [unowned self] in end($0) })
    private lazy var commands = makeCommands()

    /// What the two threads tell each other.
    private struct Progress {
        var editor: LineEditor?
        /// Set once the run is over.
        var status: ExitStatus?
    }

    private let progress = Mutex(Progress())
    /// Signalled when the connection is open for the first time, and when the run is over.
    private let begun = DispatchSemaphore(value: 0)

    init(_ configuration: Configuration, url: WebSocketURL, diagnostics: Diagnostics) throws(FileError) {
        self.configuration = configuration
        self.diagnostics = diagnostics
        self.url = url
        goal = Goal(configuration.stop)
        let output = configuration.output
        filters = !output.allowEscapes
        let printer = printer
        console = Diagnostics(output, level: .normal, isTerminal: true) { printer.enqueue($0) }
        if isatty(STDERR_FILENO) == 1 { diagnostics.redirect { printer.enqueue($0) } }
        let style = Style(noColorOption: output.noColor, environment: environmentVariables, isTerminal: true)
        presenter = try MessagePresenter(output, isTerminal: true, style: style, diagnostics: console)
    }

    /// Begins to connect.
    func start() {
        presenter.onSaveDrain = { [unowned self] in saveDrained() }
        presenter.onSaveFailure = { [unowned self] in saveFailed($0) }
        signals = SignalWatcher { [unowned self] in interrupted($0) }
        printer.onDrained { [weak self] in EventLoop.enter { self?.printed() } }
        session.start()
    }

    // MARK: The main thread

    /// Reads lines until the process exits. On the main thread, which isn't the loop's.
    nonisolated func readLines() -> Never {
        begun.wait()
        if let status = progress.withLock({ $0.status }) { status.leave() }
        do {
            read(with: try makeEditor())
        } catch {
            console.error("\(error)")
            ExitStatus.localIO.leave()
        }
    }

    private nonisolated func makeEditor() throws -> LineEditor {
        let environment = environmentVariables
        let style = Style(noColorOption: configuration.output.noColor, environment: environment, isTerminal: true)
        var editing = LineEditor.Configuration(prompt: Prompt("> ", style: style), environment: environment)
        editing.complete = CommandCompletion.complete
        let editor = try LineEditor(editing, history: openHistory(environment), printer: printer)
        let isOver = progress.withLock { progress in
            progress.editor = editor
            return progress.status != nil
        }
        if isOver { editor.stop() }
        return editor
    }

    private nonisolated func openHistory(_ environment: [String: String]) -> History {
        let options = configuration.terminal
        guard options.keepsHistory, let path = options.historyFile ?? History.defaultPath(environment: environment) else {
            return History()
        }
        let (history, failure) = History.open(path: path)
        if let failure { console.notice("\(failure)") }
        return history
    }

    private nonisolated func read(with editor: LineEditor) -> Never {
        while true {
            switch editor.readLine() {
            case .line(let line):
                do {
                    try editor.addHistory(line)
                } catch {
                    console.notice("\(error)")
                }
                EventLoop.sync { [self] in entered(line) }
            case .interrupt: EventLoop.sync { [self] in quit() }
            case .endOfInput:
                // A terminal that is gone gives nothing else: the closing handshake has its time all the same.
                if EventLoop.sync({ [self] in session.isEnding }) {
                    _ = begun.wait(timeout: .now() + .milliseconds(100))
                } else {
                    EventLoop.sync { [self] in quit() }
                }
            case .stopped: leave(editor)
            }
            if progress.withLock({ $0.status != nil }) { leave(editor) }
            // Nothing can be said any more: no prompt asks for it.
            if EventLoop.sync({ [self] in session.isEnding }) { editor.prompt = Prompt("") }
        }
    }

    private nonisolated func leave(_ editor: LineEditor) -> Never {
        editor.close()
        printer.flush()
        (progress.withLock { $0.status } ?? .failure).leave()
    }

    // MARK: Events

    var missed: String? { goal.missed }

    func opened(_ socket: WebSocket) {
        socket.stream(.binary, presenter.streamsBinary)
        presenter.opened(socket, at: session.url, into: &pending)
        if !configuration.output.quiet, !configuration.output.isJSON { console.notice("Connected (press CTRL+C to quit)") }
        flush()
        commands.opened(at: session.url)
        if !hasOpened { begun.signal() }
        hasOpened = true
        isConnected = true
    }

    func received(_ messages: UnsafeBufferPointer<BorrowedMessage>) {
        for message in messages where !goal.isReached {
            presenter.append(message.kind, message.bytes, to: &pending)
            messageEnded(message.kind, RawSpan(_unsafeBytes: message.bytes))
        }
    }

    func received(_ part: MessagePart) {
        guard !goal.isReached else { return }
        guard saves({ () throws(FileError) in try presenter.append(part, to: &pending) }) else { return }
        if case .ended(let kind) = part { messageEnded(kind, RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: nil, count: 0))) }
    }

    private func messageEnded(_ kind: MessageKind, _ payload: RawSpan) {
        if configuration.echo { echo(kind, payload) }
        switch goal.takes(kind, payload) {
        case .goesOn: break
        case .reached: session.finish(.success)
        case .undecided(let why):
            console.error(why)
            session.finish(.badInput)
        }
        if pending.count > Self.flushSize { flush() }
    }

    func receivedPing(_ payload: RawSpan) { presenter.ping(payload, into: &pending) }

    func receivedPong(_ payload: RawSpan, roundTrip: UInt64?) {
        presenter.pong(payload, roundTrip: roundTrip, into: &pending)
        commands.receivedPong(payload, roundTrip: roundTrip)
    }

    func batchEnded() {
        _ = saves { () throws(FileError) in try presenter.endBatch(into: &pending) }
        flush()
    }

    func drained() {
        session.socket?.resumeReading(because: .echo)
        commands.drained()
    }

    func failed(_ error: WebSocketError) {
        presenter.failed(error, into: &pending)
        flush()
    }

    func closed(_ closure: Closure) {
        presenter.abandonPart()
        presenter.closed(closure, into: &pending)
        flush()
        if let cut = commands.closed() { console.error(cut) }
        if isConnected, !configuration.output.quiet, !configuration.output.isJSON {
            console.notice(
                #"Disconnected (code: \#(closure.code.rawValue), reason: "\#(onOneLine(closure.reason))"): \#(closure.code.name)"#)
        }
        isConnected = false
    }

    /// The editor's thread writes what the printer still has before it leaves.
    func finishOutput(_ done: @escaping () -> Void) {
        flush()
        if presenter.isSaveBlocked { whenSaved = done } else { done() }
    }

    // MARK: Output

    private static let flushSize = 128 << 10

    private func flush() {
        guard !pending.isEmpty else { return }
        // The printer copies it, and takes it apart.
        Memory.require(pending.count * 3)
        if !printer.enqueue(pending) { session.socket?.pauseReading(because: .output) }
        pending.removeAll(keepingCapacity: pending.capacity <= 4 * Self.flushSize)
    }

    private func printed() {
        if !printer.isAboveHighWater { session.socket?.resumeReading(because: .output) }
    }

    /// Saves, as far as there is room; returns whether all went well.
    private func saves(_ body: () throws(FileError) -> Void) -> Bool {
        defer { if presenter.isSaveBlocked { session.socket?.pauseReading(because: .saving) } }
        return session.saves(telling: console, body)
    }

    private func saveFailed(_ error: FileError) {
        _ = saves { () throws(FileError) in throw error }
        // The Close is still to be read.
        saveDrained()
    }

    private func saveDrained() {
        guard !presenter.isSaveBlocked else { return }
        session.socket?.resumeReading(because: .saving)
        whenSaved?()
    }

    private func echo(_ kind: MessageKind, _ payload: RawSpan) {
        guard let socket = session.socket, socket.readyState == .open else { return }
        do {
            try payload.withUnsafeBytes { try socket.send(kind, $0) }
        } catch {
            console.error("a message was not echoed: \(error)")
        }
        if socket.isCongested { socket.pauseReading(because: .echo) }
    }

    // MARK: Input

    private func makeCommands() -> SlashInterpreter {
        let commands = SlashInterpreter(
            url: url, encoding: configuration.input.encoding, showsPings: configuration.output.showsPings)
        commands.reply = { [console] in console.notice($0) }
        commands.failed = { [console] in console.error($0) }
        commands.quit = { [unowned self] in if !session.isEnding { quit() } }
        commands.save = { [unowned self] (path: String?) throws(FileError) in
            try presenter.save(to: path, reporting: &pending)
            session.socket?.stream(.binary, presenter.streamsBinary)
        }
        return commands
    }

    private func entered(_ line: String) {
        do throws(SlashFailure) {
            try commands.run(line, on: session.socket)
        } catch {
            console.error("\(error)")
        }
    }

    // MARK: Ending

    /// Closes and ends the run; asked for again, ends it at once.
    private func quit() {
        if session.isEnding {
            session.finish(.interrupted)
            return session.exitNow()
        }
        session.finish(nil)
    }

    private func interrupted(_ signal: Int32) {
        let status = ExitStatus(signal: signal)
        guard !session.isEnding else {
            session.finish(status)
            return session.exitNow()
        }
        session.finish(status, code: .goingAway, within: 1)
    }

    /// The run is over: the main thread leaves.
    private func end(_ status: ExitStatus) {
        let editor = progress.withLock { progress in
            if progress.status == nil { progress.status = status }
            return progress.editor
        }
        editor?.stop()
        begun.signal()
    }
}
