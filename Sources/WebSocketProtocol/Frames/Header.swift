/// What a data message carries (RFC 6455, section 5.6).
public enum MessageKind: UInt8, Sendable {
    case text = 0x1
    case binary = 0x2
}

/// The opcodes of RFC 6455, section 5.2; all others are reserved.
public enum Opcode: UInt8, Sendable {
    case continuation = 0x0
    case text = 0x1
    case binary = 0x2
    case close = 0x8
    case ping = 0x9
    case pong = 0xA

    public var isControl: Bool { rawValue & 0x8 != 0 }

    init(_ kind: MessageKind) { self = kind == .text ? .text : .binary }
}

/// Which end of a connection this is: the client masks what it sends, the server does not (RFC 6455, section 5.1).
public enum Role: Sendable {
    case client
    case server
}

/// The header of one frame (RFC 6455, section 5.2).
struct FrameHeader: Equatable, Sendable {
    var isFinal = true
    /// RSV1, RSV2 and RSV3 as bits 2, 1 and 0.
    var reserved: UInt8 = 0
    var opcode: Opcode
    /// The masking key, its first byte lowest; nil if the frame isn't masked.
    var maskKey: UInt32?
    /// Bytes of payload; at most 2^63 - 1.
    var payloadLength: UInt64

    static let reserved1: UInt8 = 0b100
    /// The most that a control frame may carry (RFC 6455, section 5.5).
    static let maximumControlPayload = 125
    static let maximumSize = 14
}

/// A header as it lies in the input, whatever is wrong with it.
struct UncheckedHeader {
    let isFinal: Bool
    let reserved: UInt8
    let opcode: UInt8
    let maskKey: UInt32?
    let length: UInt64
    /// Its bytes, of which `isWhole` says if they are all there; what isn't there counts as 0.
    let size: Int
    let isWhole: Bool

    /// - Parameter bytes: the input; not empty.
    init(_ bytes: UnsafeRawBufferPointer) {
        let (first, second) = (bytes[0], bytes.count < 2 ? 0 : bytes[1])
        (isFinal, reserved, opcode) = (first & 0x80 != 0, first >> 4 & 0x7, first & 0xF)
        let short = second & 0x7F
        let lengthEnd = short == 126 ? 4 : short == 127 ? 10 : 2
        let isMasked = second & 0x80 != 0
        size = lengthEnd + (isMasked ? 4 : 0)
        isWhole = bytes.count >= size
        length = lengthEnd == 2 || bytes.count < lengthEnd ? UInt64(short) : bytes[2..<lengthEnd].reduce(0) { $0 << 8 | UInt64($1) }
        maskKey = isMasked && isWhole ? UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: lengthEnd, as: UInt32.self)) : nil
    }
}
