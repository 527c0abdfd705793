/// The message being received: its kind, its size so far, its UTF-8 check, and its bytes if it is held whole.
struct MessageAssembler: ~Copyable {
    private(set) var kind: MessageKind?
    private(set) var isCompressed = false
    /// Whether its pieces are handed on as they come, rather than held until it is whole.
    private(set) var isStreamed = false
    /// Bytes of the message so far, inflated.
    private(set) var size: UInt64 = 0
    private(set) var limit: UInt64 = 0
    private var validator = UTF8Validator()
    /// Whether a text that isn't UTF-8 is refused.
    private var isStrict = true
    /// What is wrong with the text, where that is tolerated; it isn't checked further.
    private var textBreach: ProtocolError?
    /// Whether that is still to be shown.
    private var hasBreach = false
    /// The bytes of a message that isn't streamed.
    private(set) var held: ByteBuffer
    /// The memory that is kept from one message to the next; bytes.
    private let keptCapacity: Int
    /// Bytes that were read straight after those held, and not yet looked at.
    var directCount = 0

    init(budget: MemoryBudget, keptCapacity: Int) {
        held = ByteBuffer(budget: budget)
        self.keptCapacity = keptCapacity
    }

    var isInMessage: Bool { kind != nil }

    mutating func begin(_ kind: MessageKind, isCompressed: Bool, isStreamed: Bool, limit: UInt64, isStrict: Bool) {
        self.kind = kind
        self.isCompressed = isCompressed
        self.isStreamed = isStreamed
        self.limit = limit
        self.isStrict = isStrict
        (textBreach, hasBreach) = (nil, false)
        size = 0
        validator = UTF8Validator()
        held.removeAll()
    }

    // MARK: What is held

    /// Room for at least `minimum` bytes more.
    mutating func room(atLeast minimum: Int) throws(ProtocolError) -> UnsafeMutableRawBufferPointer {
        try held.reserve(minimum, upTo: Int(clamping: limit))
        return held.spare(atLeast: minimum)
    }

    /// Takes in bytes that were written into `room`.
    mutating func commit(_ byteCount: Int) { held.commit(byteCount) }

    mutating func append(_ bytes: UnsafeRawBufferPointer) throws(ProtocolError) {
        _ = try room(atLeast: bytes.count)
        held.append(bytes)
    }

    /// Frees the memory of a long message that has been handed on.
    mutating func forget() {
        if !isInMessage, held.capacity > keptCapacity { held.removeAll(keepingCapacityUpTo: keptCapacity) }
    }

    /// Adds the bytes that were read directly to those held; returns them.
    mutating func takeDirect() -> UnsafeMutableRawBufferPointer {
        let fresh = directCount
        directCount = 0
        held.commit(fresh)
        return UnsafeMutableRawBufferPointer(rebasing: held.bytes.suffix(fresh))
    }

    /// Refuses what would make the message larger than it may be, before a byte of it is taken.
    func admit(_ length: UInt64) throws(ProtocolError) {
        guard length <= limit, size <= limit - length else { throw .messageTooBig(limit: limit) }
    }

    /// Counts and checks the message's next bytes, which are unmasked and inflated (RFC 6455, section 8.1).
    mutating func check(_ bytes: UnsafeRawBufferPointer) throws(ProtocolError) {
        try admit(UInt64(bytes.count))
        if kind == .text, textBreach == nil, let offset = validator.consume(bytes) {
            try textIsWrong(.invalidText(offset: size + UInt64(offset)))
        }
        size += UInt64(bytes.count)
    }

    /// Ends the message; returns its kind.
    mutating func finish() throws(ProtocolError) -> MessageKind {
        if !validator.isComplete, textBreach == nil { try textIsWrong(.truncatedText) }
        defer { kind = nil }
        return kind ?? .binary
    }

    private mutating func textIsWrong(_ error: ProtocolError) throws(ProtocolError) {
        guard !isStrict else { throw error }
        (textBreach, hasBreach) = (error, true)
    }

    /// What has been found wrong with the text since the last call, and tolerated.
    mutating func takeBreach() -> ProtocolError? {
        defer { hasBreach = false }
        return hasBreach ? textBreach : nil
    }

    /// Gives up the message, and all memory.
    mutating func abandon() {
        kind = nil
        directCount = 0
        held.removeAll(keepingCapacityUpTo: 0)
    }
}
