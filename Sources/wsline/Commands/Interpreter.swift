import WebSocketProtocol
import WebSocketTransport

/// Carries out the lines of somebody who may use slash commands, at a terminal or in a pipe, on whoever is connected.
@EventLoop
final class Interpreter {
    unowned let run: Run
    private var file: FileSender?
    /// Pings of ours whose pongs are awaited.
    private var awaited: [SentPing] = []
    /// With `--jsonrpc`.
    private var calls: RPCCalls?
    private var series: PingSeries?
    /// Seconds between the pings of a series, as ping(8) has it, and how long its last pongs may take.
    var seriesTiming = (interval: 1.0, patience: 5.0)

    init(_ run: Run) {
        self.run = run
        guard run.configuration.input.isJSONRPC else { return }
        if case .connect(let url) = run.configuration.mode { calls = RPCCalls(at: url.target) } else { calls = RPCCalls() }
    }

    /// Sends a line, or carries out the command that it is.
    ///
    /// - Returns: whether the next line may follow at once; if not, ``Console/resumeInput()`` says when.
    /// - Throws: what was wrong; nothing was sent then.
    @discardableResult
    func run(_ line: String) throws(CommandFailure) -> Bool {
        switch TypedLine(line) {
        case .message(let text): try send(line: text)
        case .command(let command): try command.run(in: self)
        case .wrong(let failure): throw failure
        }
        return !isBusy
    }

    /// Whether a command isn't done yet, and the next line has to wait.
    var isBusy: Bool { file != nil || series != nil }

    /// Sends the message that a line stands for.
    func send(line: String) throws(CommandFailure) {
        let (kind, bytes) = try message(line)
        try send(kind, bytes)
    }

    /// The message that a line, which is not a command, stands for.
    func message(_ line: String) throws(CommandFailure) -> (MessageKind, [UInt8]) {
        if let request = try calls?.message(line, at: monotonicNow()) { return (.text, request) }
        do {
            return try run.configuration.input.encoding.message(line)
        } catch {
            throw CommandFailure("\(error)")
        }
    }

    // MARK: Events

    /// There is somebody to send to, the first or another.
    func attached() {
        awaited = []
        calls?.forget()
    }

    /// What there is to say of a message that answers requests of ours; see ``RPCCalls/answer(_:at:)``.
    func note(on message: BorrowedMessage) -> String? {
        message.kind == .text ? calls?.answer(message.bytes, at: monotonicNow()) : nil
    }

    func receivedPong(_ payload: RawSpan, roundTrip: UInt64?, from client: Int?) {
        guard let roundTrip else { return }
        let ping = SentPing(client: client, payload: payload.withUnsafeBytes { Array($0) })
        guard awaited.answer(ping) else { return }
        let who = client.map { "client \($0): " } ?? ""
        if !run.configuration.output.showsPings { reply("\(who)pong after \(milliseconds(roundTrip))") }
        series?.receivedPong(to: ping, roundTrip)
    }

    func drained() { file?.resume() }

    /// Nobody is left to send to, and what was being sent is cut.
    ///
    /// - Returns: what was not sent whole, in words.
    func detached() -> String? {
        series?.end()
        guard let file else { return nil }
        let cut = "the connection closed before \(file.shownPath) was sent whole: \(file.progress)"
        file.cancel()
        fileEnded()
        return cut
    }

    // MARK: What commands do

    /// Answers a command: whole lines with no newline after the last.
    func reply(_ text: String) { run.console.diagnostics.notice(text) }

    /// Does something to whoever is connected. That nobody is connected to a listener is no error.
    func withPeer(_ body: (any Peer) throws(UsageError) -> Void) throws(CommandFailure) {
        guard let peer = run.peer else {
            if run.configuration.isListener { return reply("no client is connected: nothing was sent") }
            throw CommandFailure("\(UsageError.notOpen(.closed))")
        }
        do throws(UsageError) {
            try body(peer)
        } catch {
            throw CommandFailure("\(error)")
        }
    }

    func send(_ kind: MessageKind, _ bytes: [UInt8]) throws(CommandFailure) {
        try requireNoFile()
        try withPeer { (peer) throws(UsageError) in
            let breach = peer.messageBreach
            try peer.send(kind, bytes)
            if let breach { reply("sent, but it breaks \(breach)") }
        }
    }

    // MARK: What is made by hand

    func send(_ frame: HandMadeFrame) throws(CommandFailure) {
        try sendByHand { (peer) throws(UsageError) in
            let sent = try peer.send(frame)
            if !run.configuration.output.showsFrames { for one in sent { run.frames.show(one) } }
        }
    }

    func send(raw bytes: [UInt8]) throws(CommandFailure) {
        try sendByHand { (peer) throws(UsageError) in
            for client in try peer.sendRaw(bytes) { run.frames.show(raw: bytes, to: client) }
        }
    }

    /// Says it once if nobody knows any more where the other end takes a frame to begin.
    private func sendByHand(_ body: (any Peer) throws(UsageError) -> Void) throws(CommandFailure) {
        try withPeer { (peer) throws(UsageError) in
            let wasInStep = peer.isInStep
            try body(peer)
            if wasInStep, !peer.isInStep {
                reply("those are no whole frames: what is sent from here on may be taken for a part of them")
            }
        }
    }

    /// Returns what was sent to whom.
    @discardableResult
    func ping(_ payload: [UInt8]?) throws(CommandFailure) -> [SentPing] {
        var sent: [SentPing] = []
        try withPeer { (peer) throws(UsageError) in sent = try peer.ping(payload) }
        awaited.await(sent)
        return sent
    }

    /// Sends so many pings, one a second; another series ends.
    func ping(_ payload: [UInt8]?, times count: Int) throws(CommandFailure) {
        series?.end()
        let series = PingSeries(count, payload, in: self)
        guard try series.begin() else { return }
        self.series = series
    }

    /// A series is over, or is no more.
    func seriesEnded() {
        series = nil
        run.console.resumeInput()
    }

    func send(file path: String, as kind: MessageKind) throws(CommandFailure) {
        try requireNoFile()
        var receiver: (any Peer)?
        try withPeer { (peer) throws(UsageError) in
            guard peer.isOpen else { throw .notOpen(peer.readyState) }
            if let breach = peer.messageBreach { reply("this breaks \(breach)") }
            receiver = peer
        }
        guard let receiver else { return }
        let file = try FileSender(expandingTilde(path), as: kind, to: receiver)
        file.onEnd = { [unowned self] in fileEnded($0) }
        self.file = file
        file.resume()
    }

    private func requireNoFile() throws(CommandFailure) {
        guard let file else { return }
        throw CommandFailure(
            "\(file.shownPath) is still being sent (\(file.progress)), and nothing can go between its fragments: try again then")
    }

    private func fileEnded(_ result: Result<String, CommandFailure>) {
        switch result {
        case .success(let text): reply(text)
        case .failure(let failure): run.console.commandFailed("\(failure)")
        }
        fileEnded()
    }

    private func fileEnded() {
        file = nil
        run.console.resumeInput()
    }
}
