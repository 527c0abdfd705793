import Dispatch
import LineTerminal
import WebSocketProtocol
import WebSocketTransport

/// Turns what arrives into the bytes that go to standard output, or to the terminal.
struct MessagePresenter {
    private let options: OutputOptions
    private let diagnostics: Diagnostics
    private let binaryForm: OutputOptions.BinaryForm
    private let filters: Bool
    /// Before and behind each message: a terminal's mark and colour.
    private let prefix: [UInt8]
    private let suffix: [UInt8]
    /// Whether a text goes out as it came, with a separator behind it: by far the most common case, and the one that has to be fast.
    private let isPlain: Bool
    private var events: JSONEvents?
    private var saving: SaveQueue?
    /// What was saved to before, and has not been written yet.
    private var formerSaving: [SaveQueue] = []
    private let queue: DispatchQueue
    /// What was to be saved has found room, after ``isSaveBlocked``.
    var onSaveDrain: (() -> Void)? { didSet { saving?.onDrain = onSaveDrain } }
    /// What waited to be saved can't be.
    var onSaveFailure: ((FileError) -> Void)? { didSet { saving?.onFailure = onSaveFailure } }
    private var scratch: [UInt8] = []
    /// Whose events these are; only while listening.
    var client: Int?

    /// - Parameters:
    ///   - isTerminal: whether the output is a terminal, whose escapes are filtered.
    ///   - style: how a conversation marks what comes in; nil for payloads alone.
    ///   - queue: where this is used.
    init(
        _ options: OutputOptions, isTerminal: Bool, style: Style? = nil, diagnostics: Diagnostics, queue: DispatchQueue
    ) throws(FileError) {
        self.options = options
        self.diagnostics = diagnostics
        self.queue = queue
        binaryForm = options.binaryAs ?? (isTerminal ? .dump : .hex)
        filters = isTerminal && !options.allowEscapes
        prefix = style.map { Array(($0.start(.incoming) + "<").utf8) } ?? []
        suffix = Array((style?.end ?? "").utf8) + [options.endsInNUL ? 0 : 0x0A]
        isPlain = !filters && !options.isJSON && !options.timestamps && style == nil
        if options.isJSON { events = JSONEvents() }
        try save(to: options.save)
    }

    /// Whether binary messages are to be handed on in parts: they go to a file, whatever their size.
    var streamsBinary: Bool { saving != nil && !options.isJSON }

    /// Saves binary messages to `path` from now on, or shows them again.
    mutating func save(to path: String?) throws(FileError) {
        abandonPart()
        try endBatch()
        if let saving, saving.isBlocked { formerSaving.append(saving) }
        saving = nil
        guard let path else { return }
        saving = SaveQueue(try FileSaver(path, queue: queue)) { [diagnostics] saved in diagnostics.notice("\(saved)") }
        saving?.onDrain = onSaveDrain
        saving?.onFailure = onSaveFailure
    }

    /// Whether a pipe or device that is saved to takes no more for now: nothing more should come until ``onSaveDrain``.
    var isSaveBlocked: Bool { saving?.isBlocked == true || formerSaving.contains(where: \.isBlocked) }

    // MARK: Messages

    /// Appends a batch; texts that go out as they came are copied in one sweep.
    mutating func append(_ messages: UnsafeBufferPointer<BorrowedMessage>, to output: inout [UInt8]) {
        guard isPlain, messages.allSatisfy({ $0.kind == .text }) else {
            for message in messages { append(message.kind, message.bytes, to: &output) }
            return
        }
        var position = output.count
        output.append(contentsOf: repeatElement(suffix[0], count: messages.reduce(messages.count) { $0 + $1.bytes.count }))
        output.withUnsafeMutableBytes { target in
            guard let base = target.baseAddress else { return }
            for message in messages {
                // What lies between the payloads is the separator already.
                if let source = message.bytes.baseAddress { (base + position).copyMemory(from: source, byteCount: message.bytes.count) }
                position &+= message.bytes.count &+ 1
            }
        }
    }

    mutating func append(_ kind: MessageKind, _ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        if isPlain, kind == .text {
            output.append(contentsOf: bytes)
            output.append(suffix[0])
        } else {
            appendSlowly(kind, bytes, to: &output)
        }
    }

    private mutating func appendSlowly(_ kind: MessageKind, _ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        if events != nil {
            events?.message(.init(.in, client: client), kind, bytes, to: &output)
            return
        }
        if options.timestamps { Timestamp.now.appendLocalTime(to: &output) }
        if !prefix.isEmpty {
            output.append(contentsOf: prefix)
            if let client { output.append(contentsOf: String(client).utf8) }
            output.append(UInt8(ascii: " "))
        }
        if kind == .text {
            if filters { EscapeFilter.append(bytes, to: &output) } else { output.append(contentsOf: bytes) }
        } else if binaryForm == .raw {
            if filters { EscapeFilter.append(bytes, to: &output) } else { return output.append(contentsOf: bytes) }
        } else {
            if binaryForm == .dump, !prefix.isEmpty {
                output.append(literal: "binary, ")
                MessageFormat.write(bytes, as: .size, to: &output)
                if !bytes.isEmpty { output.append(0x0A) }
            }
            MessageFormat.write(bytes, as: binaryForm, to: &output)
        }
        output.append(contentsOf: suffix)
    }

    /// A piece of a binary message goes to its file.
    func append(_ part: MessagePart) throws(FileError) {
        switch part {
        case .began: break
        case .bytes(_, let bytes): try saving?.append(bytes)
        case .ended: saving?.endMessage()
        }
    }

    /// No more comes for now: what was gathered for files is written.
    mutating func endBatch() throws(FileError) {
        if !formerSaving.isEmpty { formerSaving.removeAll { !$0.isBlocked } }
        try saving?.flush()
    }

    /// The connection ended within a message: no half of it stays.
    func abandonPart() { saving?.abandon() }

    // MARK: Other events

    mutating func opened(_ socket: WebSocket, at url: WebSocketURL, into output: inout [UInt8]) {
        guard let response = socket.handshakeResult?.shownResponse else { return }
        events?.open(
            .init(.in, client: client), url: url, subprotocol: socket.subprotocol, extensions: socket.extensions, headers: response.headers,
            to: &output)
    }

    /// A client's connection to us is open.
    mutating func opened(
        _ request: ServerHandshake, url: WebSocketURL, subprotocol: String?, extensions: [WebSocketExtension], into output: inout [UInt8]
    ) {
        events?.open(
            .init(.in, client: client), url: url, subprotocol: subprotocol, extensions: extensions, headers: request.request.headers,
            to: &output)
    }

    mutating func ping(_ payload: RawSpan, into output: inout [UInt8]) {
        payload.withUnsafeBytes { events?.ping(.init(.in, client: client), $0, to: &output) }
        if options.showsPings, events == nil { diagnostics.notice("ping\(quoted(payload))") }
    }

    mutating func pong(_ payload: RawSpan, roundTrip: UInt64?, into output: inout [UInt8]) {
        payload.withUnsafeBytes { events?.pong(.init(.in, client: client), $0, roundTrip: roundTrip, to: &output) }
        guard options.showsPings, events == nil else { return }
        diagnostics.notice("pong\(quoted(payload))" + (roundTrip.map { " after \(milliseconds($0))" } ?? ""))
    }

    mutating func failed(_ error: WebSocketError, into output: inout [UInt8]) {
        var status: Int?
        if case .refused(let refusal) = error { status = refusal.response?.status }
        events?.error(
            .init(.in, client: client), JSONEvents.Stage(error), FailureReport(error).verdict, exit: ExitStatus(error), httpStatus: status,
            to: &output)
    }

    /// Something of this machine's went wrong.
    mutating func failed(_ stage: JSONEvents.Stage, _ message: String, exit: ExitStatus, into output: inout [UInt8]) {
        events?.error(.init(.out), stage, message, exit: exit, to: &output)
    }

    mutating func closed(_ closure: Closure, into output: inout [UInt8]) { events?.close(closure, client: client, to: &output) }

    private func quoted(_ payload: RawSpan) -> String {
        payload.byteCount == 0 ? "" : payload.withUnsafeBytes { " \"\(onOneLine(String(decoding: $0, as: UTF8.self)))\"" }
    }
}

/// Nanoseconds as milliseconds for people: `0.34 ms`.
func milliseconds(_ nanoseconds: UInt64) -> String { "\((Double(nanoseconds) / 10_000).rounded() / 100) ms" }

/// Text of the peer's for the middle of a line: what would begin a new one is written as an escape, so that it can't look like a line of ours.
func onOneLine(_ text: String) -> String {
    text.unicodeScalars.reduce(into: "") { result, scalar in
        switch scalar {
        case "\n": result += "\\x0a"
        case "\r": result += "\\x0d"
        default: result.unicodeScalars.append(scalar)
        }
    }
}
