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

extension Connection {
    /// Sends a frame as it stands, whatever the connection's state is: it changes nothing in what this side believes of the message under way
    /// or of the closing handshake.
    ///
    /// - Throws: `notOpen` before the handshake is complete and once the stream has ended.
    public mutating func send(_ frame: RawFrame) throws(UsageError) {
        try sendRaw(frame.bytes)
        watch?.sent(frame)
    }

    /// Sends bytes as they are, as ``send(_:)`` does.
    public mutating func sendRaw(_ bytes: [UInt8]) throws(UsageError) {
        guard phase != .opening, phase != .ended else { throw .notOpen(readyState) }
        bytes.withUnsafeBytes { outbox.append($0) }
        statistics.wireBytesSent &+= UInt64(bytes.count)
    }
}
