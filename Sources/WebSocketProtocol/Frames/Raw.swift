/// A frame in which every field is the caller's, right or wrong (RFC 6455, section 5.2): for trying out what a server makes of it.
public struct RawFrame: Equatable, Sendable {
    /// How the header writes the payload's length.
    public enum LengthForm: Sendable {
        /// As the RFC asks: in the fewest bytes.
        case minimal
        /// In the 16 bits after 126, which hold what fits them.
        case sixteenBits
        /// In the 64 bits after 127.
        case sixtyFourBits
    }

    public var isFinal = true
    /// RSV1, RSV2 and RSV3 as bits 2, 1 and 0.
    public var reserved: UInt8 = 0
    /// 0 to 15; of a larger number the low four bits count.
    public var opcode: UInt8 = Opcode.text.rawValue
    /// The masking key, its first byte lowest; nil sends the payload as it is.
    public var maskKey: UInt32?
    public var payload: [UInt8] = []
    /// The length that the header claims, if that isn't the payload's.
    public var claimedLength: UInt64?
    public var lengthForm = LengthForm.minimal

    public init() {}

    var announcedLength: UInt64 { claimedLength ?? UInt64(payload.count) }

    /// Calls `body` with what an observer is shown of the frame; its place in a message is not known.
    public func observed(_ body: (ObservedFrame) -> Void) {
        payload.withUnsafeBytes { bytes in
            body(
                ObservedFrame(
                    direction: .sent, isFinal: isFinal, reserved: reserved & 0x7, opcode: opcode & 0xF, maskKey: maskKey,
                    length: announcedLength, kind: MessageKind(rawValue: opcode & 0xF),
                    payload: UnsafeRawBufferPointer(rebasing: bytes.prefix(Connection.observedBytes))))
        }
    }

    /// The frame's bytes, the payload masked if there is a key.
    public var bytes: [UInt8] {
        let length = announcedLength
        var result = [(isFinal ? 0x80 : 0) | (reserved & 0x7) << 4 | opcode & 0xF]
        let mask: UInt8 = maskKey == nil ? 0 : 0x80
        switch lengthForm {
        case .minimal where length <= 125: result.append(mask | UInt8(length))
        case .minimal where length <= UInt64(UInt16.max), .sixteenBits:
            result.append(mask | 126)
            result += withUnsafeBytes(of: UInt16(truncatingIfNeeded: length).bigEndian) { Array($0) }
        case .minimal, .sixtyFourBits:
            result.append(mask | 127)
            result += withUnsafeBytes(of: length.bigEndian) { Array($0) }
        }
        guard let maskKey else { return result + payload }
        result += withUnsafeBytes(of: maskKey.littleEndian) { Array($0) }
        let start = result.count
        result += payload
        result.withUnsafeMutableBytes { Masking.apply(maskKey, to: UnsafeMutableRawBufferPointer(rebasing: $0[start...])) }
        return result
    }
}

/// What frames and bytes that were made by hand have done to the stream that the peer reads.
struct OutgoingStream {
    /// Whether the peer is within a fragmented message.
    var isInMessage = false
    /// Whether a Close frame was sent by hand: there is no other.
    var hasClosed = false
    /// Whether nobody knows any more where the peer takes a frame to begin.
    var isOutOfStep = false
}

extension Connection {
    /// Sends a frame as it stands, and remembers what that means for what is sent later: see ``messageBreach``. There is no second Close after one that is
    /// sent so.
    ///
    /// - Throws: `notOpen` before the handshake is complete, and once nothing can be sent any more.
    public mutating func send(_ frame: RawFrame) throws(UsageError) {
        try append(frame.bytes)
        if frame.announcedLength != UInt64(frame.payload.count) { outgoing.isOutOfStep = true }
        frame.payload.withUnsafeBytes { noteSent(frame.isFinal, frame.opcode & 0xF, $0) }
        watch?.sent(frame)
    }

    /// Sends bytes as they are, as ``send(_:)-(RawFrame)`` does a frame.
    public mutating func sendRaw(_ bytes: [UInt8]) throws(UsageError) {
        try append(bytes)
        bytes.withUnsafeBytes { noteSent($0) }
    }

    /// A masking key for a frame that is made by hand: a fresh one for a client's, none for a server's (RFC 6455, section 5.3).
    public mutating func nextMaskKey() -> UInt32? { role == .client ? masks.next() : nil }

    /// The rule that a message breaks if it is sent now, after what was made by hand; nil if it breaks none.
    public var messageBreach: String? {
        if outgoing.hasClosed { return "RFC 6455, 5.5.1: no data may follow a Close frame" }
        guard outgoing.isInMessage, sending == nil else { return nil }
        return "RFC 6455, 5.4: a message can't begin before the fragmented one is finished that was begun by hand"
    }

    /// Whether it is still known where the peer takes a frame to begin: not after a length that isn't the payload's, or bytes that aren't whole frames.
    public var isInStep: Bool { !outgoing.isOutOfStep }

    private mutating func append(_ bytes: [UInt8]) throws(UsageError) {
        guard phase == .open || phase == .closing else { throw .notOpen(readyState) }
        bytes.withUnsafeBytes { outbox.append($0) }
        statistics.wireBytesSent &+= UInt64(bytes.count)
    }

    /// Takes note of the frames that bytes are, as far as they are whole.
    private mutating func noteSent(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        while !rest.isEmpty, !outgoing.isOutOfStep {
            let header = UncheckedHeader(rest)
            guard header.isWhole, header.length <= UInt64(rest.count - header.size) else {
                outgoing.isOutOfStep = true
                return
            }
            let end = header.size + Int(header.length)
            var payload = Array(rest[header.size..<end])
            if let key = header.maskKey { payload.withUnsafeMutableBytes { Masking.apply(key, to: $0) } }
            payload.withUnsafeBytes { noteSent(header.isFinal, header.opcode, $0) }
            rest = UnsafeRawBufferPointer(rebasing: rest[end...])
        }
    }

    private mutating func noteSent(_ isFinal: Bool, _ opcode: UInt8, _ payload: UnsafeRawBufferPointer) {
        if opcode & 0x8 == 0 {
            outgoing.isInMessage = !isFinal
        } else if opcode == Opcode.close.rawValue, phase == .open, !outgoing.hasClosed {
            outgoing.hasClosed = true
            sentClose = CloseFrame(tolerating: payload)
            closedByUs = true
        }
    }
}
