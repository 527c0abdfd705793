import LineTerminal
import WebSocketProtocol
import WebSocketTransport

/// Turns what arrives into the bytes that go to standard output, or to the terminal.
@EventLoop
struct MessagePresenter {
    private var options: OutputOptions
    private let diagnostics: Diagnostics
    /// Whether the output is a terminal, whose escapes are filtered.
    let isTerminal: Bool
    private let isConversation: Bool
    /// Whether what is large is cut.
    private var cuts = false
    private var binaryForm = OutputOptions.BinaryForm.hex
    private var filters = false
    /// Before and after each message: a terminal's mark and colour.
    private let prefix: [UInt8]
    private let suffix: [UInt8]
    /// What ends the mark's colour where the message has its own.
    private let afterMark: [UInt8]
    private let style: Style
    /// Whether a text goes out as it came, with a separator after it: by far the most common case, and the one that has to be fast.
    private var isPlain = false
    private var json: JSONFormat
    private var events: JSONEvents?
    /// Whether a text may be something else than UTF-8.
    var textsMayBeWrong = false { didSet { events?.textsMayBeWrong = textsMayBeWrong } }
    /// Where binary messages go; nil shows them.
    private var saving: Saving?
    /// Whose message is under way to where was saved before.
    private var unfinished: [Int?: SaveQueue] = [:]
    /// Whether several clients' messages may be under way at once.
    private let isShared: Bool
    /// What was saved to before, and has not been written yet.
    private var formerStreams: [SavedStream] = []
    /// What was to be saved has found room, after ``isSaveBlocked``.
    var onSaveDrain: (() -> Void)? { didSet { watchSaving() } }
    /// What waited to be saved can't be.
    var onSaveFailure: ((FileError) -> Void)? { didSet { watchSaving() } }

    private struct Saving {
        let destination: SaveDestination
        /// Where each client's messages are gathered; of several clients only while one is under way.
        var queues: [Int?: SaveQueue] = [:]
    }

    /// - Parameters:
    ///   - isTerminal: whether the output is a terminal, whose escapes are filtered.
    ///   - style: how a conversation marks what comes in; nil for payloads alone.
    ///   - sharing: whether events are several clients'.
    init(
        _ options: OutputOptions, isTerminal: Bool, style: Style? = nil, sharing: Bool = false, diagnostics: Diagnostics
    ) throws(FileError) {
        self.options = options
        self.diagnostics = diagnostics
        self.isTerminal = isTerminal
        isConversation = style != nil
        self.style = style ?? Style(noColorOption: options.noColor, environment: environmentVariables, isTerminal: isTerminal)
        json = JSONFormat(self.style)
        afterMark = Array(style?.end.utf8 ?? "".utf8)
        prefix = style.map { Array(($0.start(.incoming) + "<").utf8) } ?? []
        suffix = Array((style?.end ?? "").utf8) + [options.endsInNUL ? 0 : 0x0A]
        isShared = sharing
        if options.isJSON { events = JSONEvents() }
        saving = try options.save.map { path throws(FileError) in Saving(destination: try SaveDestination(path)) }
        adopt(options)
    }

    /// Takes over what may have changed of the options.
    mutating func adopt(_ options: OutputOptions) {
        self.options = options
        binaryForm = options.binaryAs ?? (isTerminal ? .dump : .hex)
        filters = isTerminal && !options.allowEscapes
        json.indents = isTerminal && options.isPretty
        json.filters = filters
        cuts = isConversation && !options.isFull
        isPlain = !isTerminal && !options.isJSON && !options.timestamps && !isConversation
    }

    /// Whether a whole binary message is to be saved, rather than parts of it.
    var savesWhole: Bool { saving != nil && !streamsBinary }

    /// Whether they are to be handed on in parts, whatever their size. Several clients' can't be in a pipe, which is to have each whole.
    var streamsBinary: Bool { saving != nil && !(isShared && stream != nil) }

    /// The pipe or device that is saved to, if it is one.
    private var stream: SavedStream? { saving?.destination.stream }

    /// Saves binary messages to `path` from now on, or shows them again. One that is under way is finished where it began.
    mutating func save(to path: String?, reporting output: inout [UInt8]) throws(FileError) {
        for (client, queue) in saving?.queues ?? [:] {
            try queue.flush { report($0, client, &output) }
            if !queue.isIdle { unfinished[client] = queue }
        }
        if let stream, stream.isBlocked || !unfinished.isEmpty { formerStreams.append(stream) }
        saving = nil
        if let path { saving = Saving(destination: try SaveDestination(path)) }
        watchSaving()
    }

    private func watchSaving() {
        stream?.onDrain = onSaveDrain
        stream?.onFailure = onSaveFailure
    }

    /// Whether a pipe or device that is saved to takes no more for now: nothing more should come until ``onSaveDrain``.
    var isSaveBlocked: Bool { stream?.isBlocked == true || formerStreams.contains(where: \.isBlocked) }

    // MARK: Messages

    /// Appends a batch; texts that go out as they came are copied in one sweep.
    mutating func append(_ messages: UnsafeBufferPointer<BorrowedMessage>, from client: Int? = nil, to output: inout [UInt8]) {
        guard isPlain, let size = Self.textSize(messages) else {
            for message in messages { append(message.kind, message.bytes, from: client, to: &output) }
            return
        }
        var position = output.count
        Memory.require(position + size)
        output.append(contentsOf: repeatElement(suffix[0], count: size))
        output.withUnsafeMutableBytes { target in
            guard let base = target.baseAddress else { return }
            for message in messages {
                // What lies between the payloads is the separator already.
                if let source = message.bytes.baseAddress { (base + position).copyMemory(from: source, byteCount: message.bytes.count) }
                position &+= message.bytes.count &+ 1
            }
        }
    }

    /// The size of all of them with a separator each; nil if one isn't a text.
    ///
    /// A loop, since a closure of the actor's checks on each call that it runs on the loop.
    private static func textSize(_ messages: UnsafeBufferPointer<BorrowedMessage>) -> Int? {
        var size = messages.count
        for message in messages {
            guard message.kind == .text else { return nil }
            size &+= message.bytes.count
        }
        return size
    }

    /// - Parameters:
    ///   - note: what there is to say of it, which goes beside it in a conversation, and is a notice elsewhere.
    ///   - time: when it came, if not now.
    ///   - isWhole: whether it isn't cut however large it is.
    mutating func append(
        _ kind: MessageKind, _ bytes: UnsafeRawBufferPointer, from client: Int? = nil, noting note: String? = nil,
        at time: Timestamp? = nil, isWhole: Bool = false, to output: inout [UInt8]
    ) {
        if isPlain, kind == .text, note == nil {
            Memory.require(output.count + bytes.count + 1)
            output.append(contentsOf: bytes)
            output.append(suffix[0])
        } else {
            appendSlowly(kind, bytes, client, note, time, limit: isWhole ? .max : limit(kind), to: &output)
        }
    }

    private mutating func appendSlowly(
        _ kind: MessageKind, _ bytes: UnsafeRawBufferPointer, _ client: Int?, _ note: String?, _ time: Timestamp?, limit: Int,
        to output: inout [UInt8]
    ) {
        if let note, prefix.isEmpty || events != nil { diagnostics.notice(note) }
        // Escapes apart, no form of a binary message takes as much as five bytes for one, and an array that grows is there twice.
        Memory.require(output.count + min(bytes.count, events == nil ? limit : .max) * (kind == .binary ? 5 : filters ? 3 : 1))
        if events != nil {
            events?.message(.init(.in, client: client), kind, bytes, to: &output)
            return
        }
        if options.timestamps { (time ?? .now).appendLocalTime(to: &output) }
        if !prefix.isEmpty {
            output.append(contentsOf: prefix)
            if let client { output.append(contentsOf: String(client).utf8) }
            output.append(UInt8(ascii: " "))
            if let note {
                output.append(contentsOf: note.utf8)
                output.append(literal: ": ")
            }
        }
        let start = output.count
        var shown = min(bytes.count, limit)
        if kind == .text {
            shown = appendJSON(bytes, limit: limit, to: &output) ?? appendText(bytes, limit: limit, to: &output)
        } else if binaryForm == .raw {
            shown = appendText(bytes, limit: limit, to: &output)
            // Nothing but the payload, where nothing marks it.
            if prefix.isEmpty, !filters { return }
        } else {
            if binaryForm == .dump, !prefix.isEmpty {
                output.append(literal: "binary, ")
                output.append(bytes, as: .size)
                if !bytes.isEmpty { output.append(0x0A) }
            }
            output.append(UnsafeRawBufferPointer(rebasing: bytes[..<shown]), as: binaryForm)
        }
        // Only what begins a row can be taken for another message, or for a line of ours.
        if !prefix.isEmpty { output.indentLines(from: start) }
        output.append(contentsOf: suffix)
        let rest = bytes.count - shown
        if rest > 0 { output += (style.apply(.notice, "… \(rest) more byte\(rest == 1 ? "" : "s"): /last shows all") + "\n").utf8 }
    }

    /// How many bytes of a message are shown.
    private func limit(_ kind: MessageKind) -> Int { !cuts ? .max : kind == .text ? Cuts.text : Cuts.limit(binaryForm) }

    /// Calls `body` with what a pattern is looked for in: a text as it came, a binary message as it is shown. All of it is UTF-8.
    func withSearchable(_ message: BorrowedMessage, _ body: (RawSpan) -> Bool) -> Bool {
        var shown: [UInt8] = []
        let bytes = message.bytes
        if message.kind == .binary, events != nil || binaryForm != .raw {
            // What is shown of each byte takes five at most.
            Memory.require(bytes.count * 5)
            if events == nil {
                shown.append(UnsafeRawBufferPointer(rebasing: bytes.prefix(limit(.binary))), as: binaryForm)
            } else {
                shown.append(bytes, as: .base64)
            }
        } else if message.kind == .binary || textsMayBeWrong, UTF8Validator.firstError(in: bytes) != nil {
            shown = Array(String(decoding: bytes, as: UTF8.self).utf8)
        } else {
            return body(RawSpan(_unsafeBytes: bytes))
        }
        return shown.withUnsafeBytes { body(RawSpan(_unsafeBytes: $0)) }
    }

    /// Returns how many bytes are shown.
    private func appendText(_ bytes: UnsafeRawBufferPointer, limit: Int, to output: inout [UInt8]) -> Int {
        let shown = bytes.prefix(ofText: limit)
        if filters { EscapeFilter.append(shown, to: &output) } else { output.append(contentsOf: shown) }
        return shown.count
    }

    /// Appends a text that is JSON as it is shown at a terminal, and returns how many of its bytes are shown; nil if it isn't JSON, or isn't
    /// shown in another way than text.
    private func appendJSON(_ bytes: UnsafeRawBufferPointer, limit: Int, to output: inout [UInt8]) -> Int? {
        guard json.isActive else { return nil }
        let start = output.count
        output.append(contentsOf: afterMark)
        if let shown = json.append(bytes, limit: limit, to: &output) { return shown }
        output.removeLast(output.count - start)
        return nil
    }

    /// A piece of a binary message goes to its file.
    mutating func append(_ part: MessagePart, from client: Int? = nil, to output: inout [UInt8]) throws(FileError) {
        guard let queue = saveQueue(client, begins: true) else { return }
        switch part {
        case .began: break
        case .bytes(_, let bytes): try queue.append(bytes) { report($0, client, &output) }
        case .ended:
            queue.endMessage()
            if unfinished.removeValue(forKey: client) != nil { return try queue.flush { report($0, client, &output) } }
            // So that its event comes before those of what follows it.
            if events != nil { try endBatch(from: client, into: &output) }
        }
    }

    /// No more comes for now: what was gathered for files is written.
    mutating func endBatch(from client: Int? = nil, into output: inout [UInt8]) throws(FileError) {
        if !formerStreams.isEmpty, unfinished.isEmpty { formerStreams.removeAll { !$0.isBlocked } }
        guard let queue = saveQueue(client, begins: false) else { return }
        try queue.flush { report($0, client, &output) }
        forgetQueue(queue, client)
    }

    /// The connection ended within a message: no half of it stays.
    mutating func abandonPart(from client: Int? = nil) {
        guard let queue = saveQueue(client, begins: false) else { return }
        queue.abandon()
        unfinished[client] = nil
        forgetQueue(queue, client)
    }

    /// Gathers at least a read's small messages; a thousand clients may have one under way.
    private static let sharedCapacity = 64 << 10

    /// Where a client's messages are gathered; nil if they aren't saved, or none is under way.
    private mutating func saveQueue(_ client: Int?, begins: Bool) -> SaveQueue? {
        if let queue = unfinished[client] { return queue }
        guard let saving else { return nil }
        if let queue = saving.queues[client] { return queue }
        guard begins else { return nil }
        let saver = FileSaver(saving.destination, spools: isShared)
        let queue = isShared ? SaveQueue(saver, capacity: Self.sharedCapacity) : SaveQueue(saver)
        self.saving?.queues[client] = queue
        return queue
    }

    private mutating func forgetQueue(_ queue: SaveQueue, _ client: Int?) {
        if isShared, queue.isIdle { saving?.queues[client] = nil }
    }

    /// Reports where a message went: in its event, or in a line.
    private mutating func report(_ saved: FileSaver.Saved, _ client: Int?, _ output: inout [UInt8]) {
        guard events != nil else {
            guard let stream, stream.isBlocked else { return diagnostics.notice("\(saved)") }
            return stream.whenWritten { [diagnostics] in diagnostics.notice("\(saved)") }
        }
        events?.message(.init(.in, client: client), savedTo: saved.path, byteCount: saved.byteCount, to: &output)
    }

    // MARK: Other events

    /// - Parameter headers: of the peer's half of the handshake.
    mutating func opened(
        _ socket: WebSocket, at url: WebSocketURL, _ headers: HTTPHeaders, from client: Int? = nil, into output: inout [UInt8]
    ) {
        events?.open(
            .init(.in, client: client), url: url, subprotocol: socket.subprotocol, extensions: socket.extensions, headers: headers,
            mask: options.mask, to: &output)
    }

    mutating func ping(_ payload: RawSpan, from client: Int? = nil, into output: inout [UInt8]) {
        payload.withUnsafeBytes { events?.ping(.init(.in, client: client), $0, to: &output) }
        if options.showsPings, events == nil { diagnostics.notice("ping\(quoted(payload))") }
    }

    mutating func pong(_ payload: RawSpan, roundTrip: UInt64?, from client: Int? = nil, into output: inout [UInt8]) {
        payload.withUnsafeBytes { events?.pong(.init(.in, client: client), $0, roundTrip: roundTrip, to: &output) }
        guard options.showsPings, events == nil else { return }
        diagnostics.notice("pong\(quoted(payload))" + (roundTrip.map { " after \(milliseconds($0))" } ?? ""))
    }

    mutating func failed(_ error: WebSocketError, from client: Int? = nil, into output: inout [UInt8]) {
        var status: Int?
        if case .refused(let refusal) = error { status = refusal.response?.status }
        events?.error(
            .init(.in, client: client), JSONEvents.Stage(error), error.verdict, exit: ExitStatus(error), httpStatus: status,
            to: &output)
    }

    /// Something of this machine's went wrong.
    mutating func failed(_ stage: JSONEvents.Stage, _ message: String, exit: ExitStatus, into output: inout [UInt8]) {
        events?.error(.init(.out), stage, message, exit: exit, to: &output)
    }

    mutating func closed(_ closure: Closure, from client: Int? = nil, into output: inout [UInt8]) {
        events?.close(closure, client: client, to: &output)
    }

    private func quoted(_ payload: RawSpan) -> String {
        payload.byteCount == 0 ? "" : payload.withUnsafeBytes { " \"\(onOneLine(String(decoding: $0, as: UTF8.self)))\"" }
    }
}
