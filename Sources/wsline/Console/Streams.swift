import CPosix
import LineTerminal
import WebSocketProtocol
import WebSocketTransport

/// Pipes and scripts: messages in from standard input, payloads out to standard output, every other word to standard error.
@EventLoop
final class PipeConsole: Console {
    let output: any MessageOutput = OutputDescriptor(STDOUT_FILENO)
    let diagnostics: Diagnostics
    var style: Style? { nil }
    private let options: InputOptions
    /// Whether standard input is read at all.
    private let reads: Bool
    private weak var run: Run?
    private var peer: (any Peer)?
    private lazy var input = makeInput()
    /// What `--json-input` says.
    private let events = EventInput()
    /// Which line is being carried out, for what fails later.
    private var place = InputError.Place(name: "line", number: 0)
    private var hasEnded = false

    init(_ configuration: Configuration, _ diagnostics: Diagnostics) {
        options = configuration.input
        reads = !configuration.echo && options.execute.isEmpty
        self.diagnostics = diagnostics
    }

    func start(_ run: Run) { self.run = run }

    func leave(_ status: ExitStatus) { status.leave() }

    // MARK: Input

    func attach(_ peer: any Peer) {
        self.peer = peer
        if reads, !hasEnded {
            input.attach(peer)
            events.attached(to: peer)
            resumeInput()
        } else if options.execute.isEmpty || execute(on: peer) {
            inputEnded()
        }
    }

    func resumeInput() {
        guard reads, !hasEnded, let run, let peer, peer.takesMessages, !events.isWaiting, !run.commands.isBusy, !run.isFrameLogFull
        else { return }
        input.resume()
    }

    func suspendInput() {
        if reads, peer != nil { input.suspend() }
    }

    func cancelInput() {
        if reads, peer != nil { input.cancel() }
    }

    func commandFailed(_ why: String) { run?.inputFailed(.line(place: place, why)) }

    private func inputEnded() {
        hasEnded = true
        run?.inputEnded()
    }

    /// Sends what `-x` says; returns whether all went well.
    private func execute(on peer: any Peer) -> Bool {
        peer.beginBatch()
        defer { peer.endBatch() }
        do {
            for text in options.execute {
                guard let (kind, bytes) = try run?.commands.message(text) else { return false }
                try peer.send(kind, bytes)
            }
            return true
        } catch {
            diagnostics.error("-x: \(error)")
            run?.failed("-x: \(error)", .badInput)
            return false
        }
    }

    private func makeInput() -> StandardInput {
        let input = StandardInput(STDIN_FILENO, options: options)
        input.onEnd = { [unowned self] in inputEnded() }
        input.onFailure = { [unowned self] in run?.inputFailed($0) }
        if options.isJSON {
            input.onLine = { [unowned self] (line, place) throws(InputError) in try goOn(after: try events.take(line, place)) }
            events.onDue = { [unowned self] in resumeInput() }
            events.onClose = { [unowned self] in run?.finish(nil, code: $0.code, reason: $0.reason) }
        } else if options.slash || options.isJSONRPC {
            input.onLine = { [unowned self] (line, place) throws(InputError) in try goOn(after: try obey(line, place)) }
        }
        return input
    }

    /// A line that isn't done yet makes the next wait.
    private func goOn(after isDone: Bool) throws(InputError) -> Bool {
        if !isDone { input.suspend() }
        return isDone
    }

    private func obey(_ line: UnsafeRawBufferPointer, _ place: InputError.Place) throws(InputError) -> Bool {
        guard UTF8Validator.firstError(in: line) == nil else { throw .line(place: place, "not UTF-8, which commands and texts are") }
        guard let run else { return false }
        self.place = place
        let line = String(decoding: line, as: UTF8.self)
        do throws(CommandFailure) {
            if options.slash { return try run.commands.run(line) }
            try run.commands.send(line: line)
            return true
        } catch {
            throw .line(place: place, error.description)
        }
    }
}

extension InputOptions.Encoding {
    /// The message that a text from the command line, or a typed line, stands for.
    func message(_ text: String) throws -> (MessageKind, [UInt8]) {
        switch self {
        case .text: (.text, Array(text.utf8))
        case .binary: (.binary, Array(text.utf8))
        case .hex: (.binary, try Hex.decode(text))
        case .base64: (.binary, try Base64.decode(text))
        }
    }
}
