import WebSocketProtocol
import WebSocketTransport
import CPosix

/// Cuts standard input into messages and sends them, as fast as the connection takes them and no faster.
///
/// It reads only between `resume()` and `suspend()`. A message longer than the buffer is sent in fragments as it comes, so that memory
/// stays bounded whatever the input is.
@EventLoop
final class StandardInput {
    /// All of the input has been handed to the connection.
    var onEnd: (() -> Void)?
    /// The input can't be sent from here on; what came before has been.
    var onFailure: ((InputError) -> Void)?
    /// Takes a whole line that isn't a message as it stands, and returns whether the next may follow at once; if not, it has called `suspend()`.
    var onLine: ((UnsafeRawBufferPointer, InputError.Place) throws(InputError) -> Bool)?

    private let source: InputSource
    private let split: InputOptions.Split
    /// What ends a message; nil if nothing in it does.
    private let delimiter: UInt8?
    private let encoding: InputOptions.Encoding
    private let kind: MessageKind
    /// Where messages go.
    private var socket: (any Peer)?
    private var buffer: UnsafeMutableRawBufferPointer
    /// Lines cut and about to be sent.
    private let lines = UnsafeMutableBufferPointer<BorrowedMessage>.allocate(capacity: 512)
    private var start = 0
    private var end = 0
    /// How far the buffer has been searched for the delimiter.
    private var searched = 0
    private var isEndOfInput = false
    private var isFinished = false
    private var isResumed = false
    private var isPumping = false
    /// Messages begun so far.
    private var messages = 0
    /// Bytes of the message under way that have left the buffer already, in fragments.
    private var sentOfMessage = 0
    private var isInFragments = false
    private var isSkipping = false
    private var validator = UTF8Validator()

    init(_ descriptor: Int32, options: InputOptions) {
        source = InputSource(descriptor)
        split = options.split
        delimiter = split == .line ? 0x0A : split == .nul ? 0 : nil
        encoding = options.encoding
        kind = encoding == .text ? .text : .binary
        buffer = Memory.allocate(Self.readSize)
        source.onReadable = { [unowned self] in pump() }
    }

    isolated deinit {
        Memory.free(buffer)
        lines.deallocate()
    }

    /// Sends what comes to `socket` from now on, which is open.
    func attach(_ socket: any Peer) {
        if isInFragments { isSkipping = true }
        self.socket = socket
    }

    /// Lets input be read and sent.
    func resume() {
        guard !isFinished, !isResumed else { return }
        isResumed = true
        pump()
        if isResumed, !isFinished { source.resume() }
    }

    /// Stops reading; what is buffered waits too.
    func suspend() {
        isResumed = false
        source.suspend()
    }

    /// Gives up the rest of the input.
    func cancel() {
        isFinished = true
        suspend()
    }

    // MARK: Reading

    private func pump() {
        guard isResumed, !isFinished, !isPumping else { return }
        isPumping = true
        defer { isPumping = false }
        var reads = 0
        while isResumed, !isFinished, reads < Self.mostReads {
            do {
                guard try sendBuffered() else {
                    // The batch's write may have made room at once; else `resume()` comes when there is some.
                    if let socket, isOpen(socket) { continue }
                    return suspend()
                }
            } catch {
                isFinished = true
                suspend()
                onFailure?(error)
                return
            }
            if isFinished || isEndOfInput { return }
            reads += 1
            guard fill() else { return }
        }
        // Others have their turn. No event may come for what a pipe still holds once its writer has hung up.
        if isResumed, !isFinished { source.wake() }
    }

    /// Reads once; returns false if there is nothing for now.
    private func fill() -> Bool {
        makeRoom()
        let room = UnsafeMutableRawBufferPointer(rebasing: buffer[end...])
        switch source.read(into: room) {
        case .bytes(let count): end += count
        case .wouldBlock: return false
        case .end: isEndOfInput = true
        case .failed(let error):
            isFinished = true
            suspend()
            onFailure?(.unreadable(errorText(error)))
            return false
        }
        return true
    }

    private func makeRoom() {
        if start == end {
            start = 0
            end = 0
            searched = 0
        } else if start > 0, buffer.count - end < buffer.count / 2 {
            buffer.baseAddress.map { $0.copyMemory(from: $0 + start, byteCount: end - start) }
            searched -= start
            end -= start
            start = 0
        }
        guard end == buffer.count, let old = buffer.baseAddress else { return }
        // A line longer than the buffer: it grows up to its limit, where fragments take over.
        let larger = Memory.allocate(min(buffer.count * 4, longest))
        larger.baseAddress?.copyMemory(from: old, byteCount: end)
        Memory.free(buffer)
        buffer = larger
    }

    private static let readSize = 64 << 10
    /// A longer message is sent in fragments of this size.
    static let longestMessage = 1 << 20
    /// The longest line that has to be in memory as a whole, because it is decoded: enough for the largest message that is received by
    /// default, as hexadecimal.
    static let longestLine = 128 << 20
    private static let mostReads = 16

    /// Whether a message has to be in memory as a whole.
    private var takesWhole: Bool { onLine != nil || encoding == .hex || encoding == .base64 }

    /// How far the buffer grows.
    private var longest: Int { takesWhole ? Self.longestLine : Self.longestMessage }

    // MARK: Sending

    /// Sends what is whole in the buffer; returns false when the connection takes no more for now.
    private func sendBuffered() throws(InputError) -> Bool {
        guard try sendMessages() else { return false }
        if isEndOfInput, start == end, !isInFragments {
            isFinished = true
            suspend()
            onEnd?()
        }
        return true
    }

    /// Sends in a batch: all of it leaves in one write.
    private func sendMessages() throws(InputError) -> Bool {
        guard let socket else { return false }
        socket.beginBatch()
        defer { socket.endBatch() }
        while start < end || isEndOfInput && (isInFragments || split == .whole && messages == 0) {
            guard isOpen(socket) else { return false }
            if sendManyLines(socket) { continue }
            let cut = findCut()
            guard cut != nil || isEndOfInput else {
                // A carriage return at the end may belong to the line's end.
                if end - start == longest { try sendFragment(upTo: withoutReturn(end), socket) }
                break
            }
            let (messageEnd, next) = cut ?? (end, end)
            let goesOn = try finishMessage(upTo: messageEnd, socket)
            consume(upTo: next)
            if !goesOn { return false }
        }
        return true
    }

    /// Where the message ends that is whole in the buffer, and where the next begins; nil if it isn't whole yet.
    private func findCut() -> (end: Int, next: Int)? {
        if case .size(let size) = split {
            let next = start + size - sentOfMessage
            return next <= end ? (next, next) : nil
        }
        guard let delimiter, let base = buffer.baseAddress else { return nil }
        let found = memchr(base + searched, Int32(delimiter), end - searched)
        searched = found.map { UnsafeRawPointer($0) - UnsafeRawPointer(base) } ?? end
        return found == nil ? nil : (searched, searched + 1)
    }

    private func consume(upTo position: Int) {
        start = position
        searched = max(searched, position)
    }

    /// The fast path for lines that are messages as they stand: cuts as many as a batch holds and checks their text in one sweep, which the
    /// line ends between them, being ASCII, don't disturb. Returns false if there is none, or if one is wrong and has to be named.
    private func sendManyLines(_ socket: any Peer) -> Bool {
        guard let delimiter, !takesWhole, !isInFragments, let base = buffer.baseAddress else { return false }
        let strips = split == .line
        var position = start
        var count = 0
        while count < lines.count, let found = memchr(base + max(position, searched), Int32(delimiter), end - max(position, searched)) {
            let lineEnd = UnsafeRawPointer(found) - UnsafeRawPointer(base)
            var length = lineEnd - position
            if strips, length > 0, (base + (lineEnd - 1)).load(as: UInt8.self) == 0x0D { length -= 1 }
            let bytes = UnsafeRawBufferPointer(start: base + position, count: length)
            lines.initializeElement(at: count, to: BorrowedMessage(kind: kind, bytes: bytes))
            position = lineEnd + 1
            count += 1
        }
        guard count > 0 else { return false }
        if kind == .text, UTF8Validator.firstError(in: UnsafeRawBufferPointer(start: base + start, count: position - start)) != nil {
            return false
        }
        do {
            try socket.send(UnsafeBufferPointer(rebasing: lines[..<count]))
        } catch {
            preconditionFailure("an open socket refused messages: \(error)")
        }
        messages += count
        consume(upTo: position)
        return true
    }

    /// The position, less one if a line's carriage return stands before it.
    private func withoutReturn(_ position: Int) -> Int {
        split == .line && position > start && buffer[position - 1] == 0x0D ? position - 1 : position
    }

    private func sendFragment(upTo position: Int, _ socket: any Peer) throws(InputError) {
        guard !takesWhole else {
            throw .line(place: nextPlace, "longer than \(Self.longestLine >> 20) MiB, which only plain text and binary may be")
        }
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[start..<position])
        try check(bytes, isFinal: false)
        sendFragment(bytes, isFinal: false, socket)
        isInFragments = true
        sentOfMessage += bytes.count
        consume(upTo: position)
    }

    /// Sends the bytes up to `position` as a message, or as the last of its fragments; returns false if the next has to wait.
    private func finishMessage(upTo position: Int, _ socket: any Peer) throws(InputError) -> Bool {
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[start..<withoutReturn(position)])
        if let onLine {
            defer { messages += 1 }
            return try onLine(bytes, nextPlace)
        }
        try check(bytes, isFinal: true)
        if isInFragments {
            sendFragment(bytes, isFinal: true, socket)
            isInFragments = false
            isSkipping = false
            sentOfMessage = 0
        } else {
            try send(bytes, socket)
        }
        messages += 1
        return true
    }

    /// Checks a text, or the part of it that follows what was checked before.
    private func check(_ bytes: UnsafeRawBufferPointer, isFinal: Bool) throws(InputError) {
        guard kind == .text else { return }
        if let offset = validator.consume(bytes) { throw .notUTF8(place: nextPlace, byte: sentOfMessage + offset + 1) }
        guard isFinal, !validator.isComplete else { return }
        if case .size = split { throw .cutCharacter(place: nextPlace) }
        throw .notUTF8(place: nextPlace, byte: sentOfMessage + bytes.count + 1)
    }

    private func send(_ bytes: UnsafeRawBufferPointer, _ socket: any Peer) throws(InputError) {
        let decoded = takesWhole ? try decode(bytes) : nil
        do {
            if let decoded { try socket.send(kind, decoded) } else { try socket.send(kind, bytes) }
        } catch {
            preconditionFailure("an open socket refused a message: \(error)")
        }
    }

    private func sendFragment(_ bytes: UnsafeRawBufferPointer, isFinal: Bool, _ socket: any Peer) {
        // Of a message whose beginning was lost with its connection, nothing more is sent.
        guard !isSkipping else { return }
        do {
            try socket.sendFragment(kind, bytes, isFinal: isFinal)
        } catch {
            preconditionFailure("an open socket refused a fragment: \(error)")
        }
    }

    private func isOpen(_ socket: any Peer) -> Bool { isResumed && socket.takesMessages }

    private func decode(_ bytes: UnsafeRawBufferPointer) throws(InputError) -> [UInt8] {
        Memory.require(bytes.count)
        do {
            return encoding == .hex ? try Hex.decode(bytes.bytes) : try Base64.decode(bytes.bytes)
        } catch {
            throw .line(place: nextPlace, "\(error)")
        }
    }

    private var nextPlace: InputError.Place { .init(name: split == .line ? "line" : "message", number: messages + 1) }
}
