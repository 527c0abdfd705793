import CPosix
import LineTerminal
import WebSocketProtocol
import WebSocketTransport

/// A run from its start to its exit status: what is the same whoever is connected and wherever it is shown. It presents what arrives, reads no
/// faster than that is taken, and knows when to stop: signals, `--timeout`, `--count` and `--until`, an output that fails.
@EventLoop
final class Run {
    private(set) var configuration: Configuration
    let diagnostics: Diagnostics
    let console: any Console
    private let output: any MessageOutput
    private(set) var presenter: MessagePresenter
    private(set) lazy var commands = Interpreter(self)
    /// Shows frames.
    private(set) lazy var frames = makeFrameLog()
    private var role: (any Role)?
    private var signals: SignalWatcher?
    private var stopCondition: StopCondition
    /// Whether each message has to be looked at.
    private let examinesEach: Bool
    private(set) var thinning = Thinning()
    /// The messages shown last; nil where no command can ask for them.
    private(set) var kept: KeptMessages?
    /// Of the present connection; of a listener, of all clients.
    private(set) var roundTrips = RoundTrips()
    /// The exit status that something other than the connections' end has decided.
    private(set) var verdict: ExitStatus?
    /// Whether the run is to end, and no connection is made any more.
    private(set) var isEnding = false
    /// Whether all that is left to do is to write.
    private var isConcluded = false
    /// Why nothing can be written, where that was known before the connection was open.
    private var earlyFailure: Int32?

    init(_ configuration: Configuration, console: any Console, diagnostics: Diagnostics) throws(FileError) {
        self.configuration = configuration
        self.console = console
        self.diagnostics = diagnostics
        output = console.output
        stopCondition = StopCondition(configuration.stop)
        examinesEach = configuration.echo || configuration.stop.hasCondition || configuration.input.isJSONRPC
        presenter = try MessagePresenter(
            configuration.output, isTerminal: isatty(STDOUT_FILENO) == 1, style: console.style, sharing: configuration.isListener,
            diagnostics: console.diagnostics)
        _ = thinning.adopt(configuration.output)
        if console.style != nil || configuration.input.slash { kept = KeptMessages(budget: configuration.connection.limits.memory) }
        noteTextsMayBeWrong()
    }

    /// Begins to run, until the process exits.
    func start(_ role: any Role) throws(TransportError) {
        self.role = role
        output.onDrain = { [unowned self] in outputDrained() }
        presenter.onSaveDrain = { [unowned self] in saveDrained() }
        presenter.onSaveFailure = { [unowned self] in saveFailed($0) }
        console.start(self)
        try role.start()
        // An echo server writes nothing.
        if !configuration.isEchoServer { output.onFailure = { [unowned self] in outputFailed($0) } }
        if let timeout = configuration.stop.timeout { Timer(after: timeout) { [self] in timedOut(timeout) } }
    }

    /// Lets signals end it. They are the process's: one run may do so.
    func watchSignals() { signals = SignalWatcher { [unowned self] in interrupted($0) } }

    var peer: (any Peer)? { role?.peer }
    var status: [(String, String)] { role?.status ?? [] }
    var handshakes: [OpeningHeads] { role?.handshakes ?? [] }
    var lostPings: Int { role?.lostPings ?? 0 }
    /// Whole messages received so far.
    var messagesReceived: Int { stopCondition.received }
    /// What the run waited for, and didn't get, in words; nil if there is nothing.
    var unmetCondition: String? { stopCondition.unmet }

    /// Goes on with a configuration that differs from the present one in what may change while it runs.
    private func adopt(_ changed: Configuration) {
        configuration = changed
        presenter.adopt(changed.output)
        diagnostics.adopt(changed.output)
        console.diagnostics.adopt(changed.output)
        frames.showsAll = changed.output.showsFrames
        for line in thinning.adopt(changed.output) { console.diagnostics.notice(line) }
        noteTextsMayBeWrong()
        role?.adopt(changed)
    }

    /// Changes what may change while it runs; if `body` throws, all stays as it was.
    func change<Failure: Error>(_ body: (inout Configuration) throws(Failure) -> Void) throws(Failure) {
        var changed = configuration
        try body(&changed)
        adopt(changed)
    }

    private func noteTextsMayBeWrong() {
        // For good: a message that begins now may end later.
        guard !configuration.connection.limits.behaviour.isStrict else { return }
        presenter.textsMayBeWrong = true
    }

    /// Stops reading until ``unpause()``; returns false if nobody is there.
    func pause() -> Bool {
        guard let role, role.peer != nil || configuration.isListener else { return false }
        role.pauseReading(because: .command)
        return true
    }

    /// Reads on; returns false if it wasn't paused.
    func unpause() -> Bool {
        guard let role, role.pauses.contains(.command) else { return false }
        role.resumeReading(because: .command)
        return true
    }

    // MARK: What arrives

    /// There is a peer, the first or another.
    func attached(_ peer: any Peer) {
        flush()
        if !configuration.isListener { roundTrips = RoundTrips() }
        commands.attached()
        console.attach(peer)
        if let earlyFailure { outputFailed(earlyFailure) }
    }

    /// There is no peer for now.
    func detached() {
        console.suspendInput()
        if let cut = commands.detached() { console.diagnostics.error(cut) }
    }

    func received(_ messages: UnsafeBufferPointer<BorrowedMessage>, from client: Int? = nil) {
        // All of a batch is written out at once, unless each has to be looked at.
        if examinesEach || presenter.savesWhole || thinning.isActive || kept != nil {
            for message in messages where !stopCondition.isMet { received(message, from: client) }
        } else {
            presenter.append(messages, from: client, to: &output.buffer)
            stopCondition.update(messages.count)
        }
        if output.buffer.count > Self.flushSize { flush() }
    }

    private func received(_ message: BorrowedMessage, from client: Int?) {
        if message.kind == .binary, presenter.savesWhole {
            guard
                saves({ () throws(FileError) in
                    try presenter.append(.bytes(.binary, message.bytes), from: client, to: &output.buffer)
                    try presenter.append(.ended(.binary), from: client, to: &output.buffer)
                })
            else { return }
        } else {
            let note = commands.note(on: message)
            // What answers messages, or records them, has all of them: it comes before this.
            guard shows(message) else {
                stopCondition.leaveOut()
                if configuration.echo { echo(message) }
                return
            }
            presenter.append(message.kind, message.bytes, from: client, noting: note, to: &output.buffer)
            kept?.append(message.kind, message.bytes, from: client)
        }
        ended(message)
    }

    /// Shows a message once more, and uncut.
    func showWhole(_ message: KeptMessages.Message, _ bytes: [UInt8]) {
        bytes.withUnsafeBytes {
            presenter.append(message.kind, $0, from: message.client, at: message.time, isWhole: true, to: &output.buffer)
        }
        flush()
    }

    private func shows(_ message: BorrowedMessage) -> Bool {
        guard thinning.isActive else { return true }
        return presenter.withSearchable(message) { thinning.passes($0) { console.diagnostics.error($0) } }
    }

    func received(_ part: MessagePart, from client: Int? = nil) {
        guard !stopCondition.isMet else { return }
        guard saves({ () throws(FileError) in try presenter.append(part, from: client, to: &output.buffer) }) else { return }
        if case .ended(let kind) = part { ended(BorrowedMessage(kind: kind, bytes: UnsafeRawBufferPointer(start: nil, count: 0))) }
    }

    private func ended(_ message: BorrowedMessage) {
        if configuration.echo { echo(message) }
        // A pattern is looked for in UTF-8 alone.
        let isSearchable = !presenter.textsMayBeWrong || UTF8Validator.firstError(in: message.bytes) == nil
        switch stopCondition.update(isSearchable ? message.kind : .binary, RawSpan(_unsafeBytes: message.bytes)) {
        case .goesOn: break
        case .met: finish(configuration.stop.expectedClose == nil ? .success : nil)
        case .undecided(let why):
            console.diagnostics.error(why)
            failed(why, .badInput)
        }
    }

    private func echo(_ message: BorrowedMessage) {
        guard let peer, (try? peer.send(message.kind, message.bytes)) != nil else { return }
        if peer.isCongested { role?.pauseReading(because: .echo) }
    }

    func receivedPing(_ payload: RawSpan, from client: Int? = nil) { presenter.ping(payload, from: client, into: &output.buffer) }

    func receivedPong(_ payload: RawSpan, roundTrip: UInt64?, from client: Int? = nil) {
        presenter.pong(payload, roundTrip: roundTrip, from: client, into: &output.buffer)
        if let roundTrip { roundTrips.add(roundTrip) }
        commands.receivedPong(payload, roundTrip: roundTrip, from: client)
    }

    /// What one read brought is all there: time to write it out.
    func batchEnded(from client: Int? = nil) {
        _ = saves { () throws(FileError) in try presenter.endBatch(from: client, into: &output.buffer) }
        flush()
    }

    /// There is room again for what is to be sent.
    func drained() {
        role?.resumeReading(because: .echo)
        commands.drained()
        console.resumeInput()
    }

    /// Writes an event that isn't a message.
    func present(_ write: (inout MessagePresenter, inout [UInt8]) -> Void) { write(&presenter, &output.buffer) }

    /// A connection is over.
    func closed(_ closure: Closure, from client: Int? = nil) {
        presenter.abandonPart(from: client)
        presenter.closed(closure, from: client, into: &output.buffer)
        flush()
    }

    // MARK: Output

    private static let flushSize = 128 << 10

    /// Whether what is received can't be written for now, to standard output or to where it is saved.
    var isBlocked: Bool { output.isBlocked || presenter.isSaveBlocked }

    /// Whether frames wait to be shown, and nothing more should come for now.
    var isFrameLogFull: Bool { role?.pauses.contains(.frames) == true }

    private func flush() {
        output.flush()
        if output.isBlocked { role?.pauseReading(because: .output) }
    }

    private func outputDrained() {
        if !output.isBlocked { resume(.output) }
        framesDrained()
    }

    private func makeFrameLog() -> FrameLog {
        let log = FrameLog(diagnostics, showsAll: configuration.output.showsFrames)
        log.onFull = { [unowned self] in
            role?.pauseReading(because: .frames)
            console.suspendInput()
        }
        ErrorOutput.standard.onRoom = { [unowned self] in framesDrained() }
        return log
    }

    /// Frames can be shown again, or might be.
    private func framesDrained() {
        guard isFrameLogFull, !frames.isFull else { return }
        role?.resumeReading(because: .frames)
        console.resumeInput()
    }

    private func saveDrained() {
        if !presenter.isSaveBlocked { resume(.saving) }
    }

    private func resume(_ reason: PauseReasons) {
        role?.resumeReading(because: reason)
        leaveOnceWritten()
    }

    /// Saves binary messages to `path` from now on; nil shows them.
    func save(to path: String?) throws(FileError) {
        try presenter.save(to: path, reporting: &output.buffer)
        role?.streamBinary(presenter.streamsBinary)
    }

    /// Saves, as far as there is room; returns whether all went well.
    private func saves(_ body: () throws(FileError) -> Void) -> Bool {
        defer { if presenter.isSaveBlocked { role?.pauseReading(because: .saving) } }
        do throws(FileError) {
            try body()
            return true
        } catch {
            console.diagnostics.error(error.description)
            finish(error.exitStatus)
            return false
        }
    }

    private func saveFailed(_ error: FileError) {
        _ = saves { () throws(FileError) in throw error }
        // The Close is still to be read.
        saveDrained()
    }

    private func outputFailed(_ error: Int32) {
        if role?.isConnecting ?? true {
            // What is to be sent still is: nobody may have wanted an answer.
            earlyFailure = error
            return
        }
        if error == EPIPE {
            // Whoever read us has seen enough: that is no failure.
            finish(.success, code: .goingAway, within: Self.patience)
        } else {
            diagnostics.error("can't write to standard output: \(errorText(error))")
            finish(.localIO, code: .goingAway, within: Self.patience)
        }
        outputDrained()
    }

    // MARK: The end

    /// Seconds for the closing handshake where somebody wants us gone.
    private static let patience = 1.0

    func inputEnded() { role?.inputEnded() }

    func inputFailed(_ error: InputError) {
        diagnostics.error(error.description, hint: error.hint)
        failed(error.description, error.exitStatus)
    }

    /// Something of this machine's went wrong, which has been reported.
    func failed(_ why: String, _ status: ExitStatus) {
        presenter.failed(.local, why, exit: status, into: &output.buffer)
        finish(status)
    }

    /// Ends the run: closes what is open, writes out what was received, and exits with `status`, or with what the connections' end comes to if
    /// that is nil. The first failure decided stands.
    ///
    /// - Parameter limit: seconds until the process exits even so.
    func finish(_ status: ExitStatus?, code: CloseCode? = .normal, reason: String = "", within limit: Double? = nil) {
        if verdict == nil || verdict == .success && status != nil { verdict = status }
        if let limit = limit ?? role?.patience { Timer(after: limit) { [self] in leave() } }
        guard !isEnding else { return }
        isEnding = true
        console.cancelInput()
        _ = unpause()
        role?.end(code, reason: reason)
    }

    /// Closes and ends the run; asked for again, ends it at once.
    func quit() {
        guard isEnding else { return finish(nil) }
        finish(.interrupted)
        leave()
    }

    private func interrupted(_ signal: Int32) {
        let status = ExitStatus(signal: signal)
        if isEnding { return console.leave(status) }
        finish(status, code: .goingAway, within: Self.patience)
    }

    private func timedOut(_ timeout: Double) {
        if verdict == nil { diagnostics.error("the run took longer than --timeout allows (\(seconds(timeout)))") }
        let wasEnding = isEnding
        finish(.timeout, within: Self.patience)
        if wasEnding { leave() }
    }

    /// No connection is left: writes what there is to write, and exits.
    func conclude() {
        isEnding = true
        if verdict == nil { verdict = role?.conclusion() }
        if !isConcluded { for line in thinning.summary { diagnostics.notice(line) } }
        isConcluded = true
        output.flush()
        leaveOnceWritten()
    }

    private func leaveOnceWritten() {
        if isConcluded, !isBlocked { leave() }
    }

    private func leave() { console.leave(verdict ?? .failure) }
}
