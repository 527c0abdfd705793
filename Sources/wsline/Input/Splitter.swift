import WebSocketProtocol
import WebSocketTransport
import CPosix

/// What is wrong with the input, and where.
enum InputError: Error, Equatable {
    /// `byte` counts from 1 within the line, or message.
    case notUTF8(place: Place, byte: Int)
    /// Input cut by size has been cut between the bytes of a character.
    case cutCharacter(place: Place)
    case line(place: Place, String)
    case unreadable(String)

    /// What a piece of input is called to its writer, and its number from 1 on.
    struct Place: Equatable, CustomStringConvertible {
        var name: String
        var number: Int

        var description: String { "\(name) \(number)" }
    }
}

extension InputError: CustomStringConvertible {
    var description: String {
        switch self {
        case .notUTF8(let place, let byte): "input \(place), byte \(byte), isn't UTF-8"
        case .cutCharacter(let place): "input \(place) ends within a character"
        case .line(let place, let what): "input \(place): \(what)"
        case .unreadable(let why): "can't read standard input: \(why)"
        }
    }

    var exitStatus: ExitStatus { if case .unreadable = self { .localIO } else { .badInput } }

    var hint: String? {
        switch self {
        case .notUTF8: "-b sends the bytes as they are"
        case .cutCharacter: "-b sends the bytes as they are, --split whole sends them as one text"
        case .line, .unreadable: nil
        }
    }
}

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
    /// A whole line for somebody else than the connection to deal with; set where lines aren't messages as they stand.
    /// What it gives says whether the next line may follow at once; if not, it has called `suspend()`.
    var onLine: ((UnsafeRawBufferPointer, InputError.Place) throws(InputError) -> Bool)?

    private let source: InputSource
    private let split: InputOptions.Split
    private let kind: MessageKind
    private let decodes: Decoding?
    /// Where messages go; set while one is open.
    private(set) var socket: (any Peer)?
    private var buffer: UnsafeMutableRawBufferPointer
    /// Lines cut and about to be sent.
    private let lines = UnsafeMutableBufferPointer<BorrowedMessage>.allocate(capacity: 512)
    private var start = 0
    private var end = 0
    /// How far the buffer has been searched for a line's end.
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

    enum Decoding {
        case hex, base64
    }

    init(_ descriptor: Int32, options: InputOptions) {
        source = InputSource(descriptor)
        split = options.split
        kind = options.encoding == .text ? .text : .binary
        decodes = options.encoding == .hex ? .hex : options.encoding == .base64 ? .base64 : nil
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

    /// Whether a message is half sent, in fragments.
    var isInMessage: Bool { isInFragments }

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

    /// Reads once; returns false where there is nothing for now.
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

    /// How far the buffer grows.
    private var longest: Int { decodes != nil || onLine != nil ? Self.longestLine : Self.longestMessage }

    // MARK: Sending

    /// Sends what is whole in the buffer; returns false when the connection takes no more for now.
    private func sendBuffered() throws(InputError) -> Bool {
        let goesOn =
            switch split {
            case .line, .nul: try sendLines(delimiter: split == .nul ? 0 : 0x0A)
            case .size(let size): try sendPieces(of: size)
            case .whole: try sendWhole()
            }
        if goesOn, isEndOfInput, start == end, !isInFragments {
            isFinished = true
            suspend()
            onEnd?()
        }
        return goesOn
    }

    private func sendLines(delimiter: UInt8) throws(InputError) -> Bool {
        try inBatch { (socket) throws(InputError) in
            guard let base = buffer.baseAddress else { return true }
            while start < end {
                guard isOpen(socket) else { return false }
                if sendManyLines(delimiter, base, socket) { continue }
                if let found = memchr(base + searched, Int32(delimiter), end - searched) {
                    let lineEnd = UnsafeRawPointer(found) - UnsafeRawPointer(base)
                    let goesOn = try finishMessage(upTo: lineEnd, socket)
                    start = lineEnd + 1
                    searched = start
                    if !goesOn { return false }
                } else {
                    searched = end
                    guard isEndOfInput else {
                        if end - start == longest { try sendFragment(upTo: keepingReturn(end), socket) }
                        break
                    }
                    let goesOn = try finishMessage(upTo: end, socket)
                    start = end
                    return goesOn
                }
            }
            if isEndOfInput, isInFragments { _ = try finishMessage(upTo: end, socket) }
            return true
        }
    }

    /// The fast path for lines that are messages as they stand: cuts as many as a batch holds and checks their text in one sweep, which the
    /// line ends between them, being ASCII, don't disturb. Returns false where there is none, or where one is wrong and has to be named.
    private func sendManyLines(_ delimiter: UInt8, _ base: UnsafeMutableRawPointer, _ socket: any Peer) -> Bool {
        guard onLine == nil, decodes == nil, !isInFragments else { return false }
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
        let whole = UnsafeRawBufferPointer(start: base + start, count: position - start)
        if kind == .text, UTF8Validator.firstError(in: whole) != nil { return false }
        do {
            try socket.send(UnsafeBufferPointer(rebasing: lines[..<count]))
        } catch {
            preconditionFailure("an open socket refused messages: \(error)")
        }
        messages += count
        start = position
        searched = position
        return true
    }

    /// A carriage return at the end of a piece may belong to the line's end.
    private func keepingReturn(_ position: Int) -> Int {
        split == .line && buffer[position - 1] == 0x0D ? position - 1 : position
    }

    private func sendPieces(of size: Int) throws(InputError) -> Bool {
        try inBatch { (socket) throws(InputError) in
            while start < end {
                guard isOpen(socket) else { return false }
                let missing = size - sentOfMessage
                if end - start >= missing {
                    let pieceEnd = start + missing
                    let goesOn = try finishMessage(upTo: pieceEnd, socket)
                    start = pieceEnd
                    if !goesOn { return false }
                } else if isEndOfInput {
                    let goesOn = try finishMessage(upTo: end, socket)
                    start = end
                    return goesOn
                } else {
                    if end - start == longest { try sendFragment(upTo: end, socket) }
                    break
                }
            }
            searched = start
            return true
        }
    }

    private func sendWhole() throws(InputError) -> Bool {
        try inBatch { (socket) throws(InputError) in
            guard isOpen(socket) else { return false }
            if isEndOfInput {
                let goesOn = try finishMessage(upTo: end, socket)
                start = end
                return goesOn
            }
            if end - start == longest { try sendFragment(upTo: end, socket) }
            return true
        }
    }

    private func sendFragment(upTo position: Int, _ socket: any Peer) throws(InputError) {
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[start..<position])
        if decodes != nil || onLine != nil {
            throw .line(place: place(messages + 1), "longer than \(Self.longestLine >> 20) MiB, which only plain text and binary may be")
        }
        if kind == .text, let offset = validator.consume(bytes) {
            throw .notUTF8(place: place(messages + 1), byte: sentOfMessage + offset + 1)
        }
        sendFragment(bytes, isFinal: false, socket)
        isInFragments = true
        sentOfMessage += bytes.count
        start = position
        searched = max(searched, start)
    }

    /// Sends the bytes up to `position` as a message, or as the last of its fragments.
    private func finishMessage(upTo position: Int, _ socket: any Peer) throws(InputError) -> Bool {
        var messageEnd = position
        if split == .line, messageEnd > start, buffer[messageEnd - 1] == 0x0D { messageEnd -= 1 }
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[start..<messageEnd])
        if isInFragments {
            if kind == .text {
                let offset = validator.consume(bytes)
                if offset == nil, !validator.isComplete, case .size = split { throw .cutCharacter(place: place(messages + 1)) }
                if let offset = offset ?? (validator.isComplete ? nil : bytes.count) {
                    throw .notUTF8(place: place(messages + 1), byte: sentOfMessage + offset + 1)
                }
            }
            sendFragment(bytes, isFinal: true, socket)
            isInFragments = false
            isSkipping = false
            sentOfMessage = 0
            validator = UTF8Validator()
            messages += 1
            return true
        }
        if let onLine {
            messages += 1
            return try onLine(bytes, place(messages))
        }
        try send(bytes, socket)
        messages += 1
        return true
    }

    @inline(__always)
    private func send(_ bytes: UnsafeRawBufferPointer, _ socket: any Peer) throws(InputError) {
        if kind == .text, let offset = UTF8Validator.firstError(in: bytes) {
            var validator = UTF8Validator()
            if case .size = split, validator.consume(bytes) == nil { throw .cutCharacter(place: place(messages + 1)) }
            throw .notUTF8(place: place(messages + 1), byte: offset + 1)
        }
        if let decodes {
            let decoded = try decode(bytes, decodes)
            decoded.withUnsafeBytes { send(.binary, $0, socket) }
        } else {
            send(kind, bytes, socket)
        }
    }

    private func send(_ kind: MessageKind, _ bytes: UnsafeRawBufferPointer, _ socket: any Peer) {
        do {
            try socket.send(kind, bytes)
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

    /// Runs `body` so that all it sends leaves in one write.
    private func inBatch(_ body: (any Peer) throws(InputError) -> Bool) throws(InputError) -> Bool {
        guard let socket else { return false }
        socket.beginBatch()
        defer { socket.endBatch() }
        return try body(socket)
    }

    private func decode(_ bytes: UnsafeRawBufferPointer, _ decoding: Decoding) throws(InputError) -> [UInt8] {
        Memory.require(bytes.count)
        do {
            return switch decoding {
            case .hex: try Hex.decode(RawSpan(_unsafeBytes: bytes))
            case .base64: try Base64.decode(RawSpan(_unsafeBytes: bytes))
            }
        } catch {
            throw .line(place: place(messages + 1), "\(error)")
        }
    }

    private func place(_ number: Int) -> InputError.Place {
        .init(name: split == .line ? "line" : "message", number: number)
    }
}
