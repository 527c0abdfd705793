/// A breach of the protocol by the peer, or a message past our limits: it fails the connection (RFC 6455, section 7.1.7).
///
/// Its description says which clause of the RFC it breaks, what came, and what the RFC asks for; `closeCode` is the one place that maps it to a close code.
public enum ProtocolError: Error, Equatable, Sendable, CustomStringConvertible {
    case reservedBits(UInt8)
    case reservedOpcode(UInt8)
    case unmaskedFromClient
    case maskedFromServer
    case lengthNotMinimal(UInt64)
    case lengthTooLarge(UInt64)
    case controlFragmented(Opcode)
    case controlTooLong(Opcode)
    case continuationOfNothing
    case messageInterrupted(by: Opcode)
    case compressedContinuation
    /// The offset counts from 0; the description from 1.
    case invalidText(offset: UInt64)
    case truncatedText
    case closePayloadOfOneByte
    case closeCodeNotAllowed(UInt16)
    case closeReasonNotText
    case messageTooBig(limit: UInt64)
    /// There is no memory for a message: the budget that connections share is used up; with no limit, the system has none.
    case outOfMemory(limit: Int?)
    case invalidCompressedData(String)
    case policy(String)
    case keepAliveTimeout(seconds: Double)

    /// The code that the failing endpoint puts in its Close frame (RFC 6455, section 7.4.1).
    public var closeCode: CloseCode {
        switch self {
        case .invalidText, .truncatedText, .closeReasonNotText, .invalidCompressedData: .invalidPayload
        case .messageTooBig: .messageTooBig
        case .outOfMemory: .tryAgainLater
        case .policy: .policyViolation
        case .keepAliveTimeout: .internalError
        case .reservedBits, .reservedOpcode, .unmaskedFromClient, .maskedFromServer, .lengthNotMinimal, .lengthTooLarge,
            .controlFragmented, .controlTooLong, .continuationOfNothing, .messageInterrupted, .compressedContinuation,
            .closePayloadOfOneByte, .closeCodeNotAllowed:
            .protocolError
        }
    }

    /// The clause that it breaks, as `RFC 6455, 5.2`; nil for what is no matter of an RFC.
    public var clause: String? {
        switch self {
        case .unmaskedFromClient, .maskedFromServer: "RFC 6455, 5.1"
        case .reservedBits, .reservedOpcode, .lengthNotMinimal, .lengthTooLarge: "RFC 6455, 5.2"
        case .continuationOfNothing, .messageInterrupted: "RFC 6455, 5.4"
        case .controlFragmented, .controlTooLong: "RFC 6455, 5.5"
        case .closePayloadOfOneByte, .closeReasonNotText: "RFC 6455, 5.5.1"
        case .keepAliveTimeout: "RFC 6455, 5.5.2"
        case .closeCodeNotAllowed(let code): [1004, 1005, 1006, 1015].contains(code) ? "RFC 6455, 7.4.1" : "RFC 6455, 7.4.2"
        case .invalidText, .truncatedText: "RFC 6455, 8.1"
        case .messageTooBig, .outOfMemory: "RFC 6455, 10.4"
        case .compressedContinuation: "RFC 7692, 6"
        case .invalidCompressedData: "RFC 7692, 7.2.2"
        case .policy: nil
        }
    }

    public var description: String { (clause.map { "\($0): " } ?? "") + statement }

    /// What is wrong, without the clause.
    private var statement: String {
        switch self {
        case .reservedBits(let bits): "\(Self.names(ofReserved: bits)) set, which no negotiated extension gives a meaning"
        case .reservedOpcode(let opcode): "opcode \(opcode < 10 ? "" : "0x")\(String(opcode, radix: 16)) is reserved"
        case .unmaskedFromClient: "a frame from the client isn't masked"
        case .maskedFromServer: "a frame from the server is masked"
        case .lengthNotMinimal(let length): "a payload length of \(length) isn't in its shortest form"
        case .lengthTooLarge(let length): "a payload length of \(length) has its highest bit set"
        case .controlFragmented(let opcode): "a \(opcode) frame is fragmented, which control frames can't be"
        case .controlTooLong(let opcode):
            "a \(opcode) frame announces more than \(FrameHeader.maximumControlPayload) bytes, the most that control frames carry"
        case .continuationOfNothing: "a continuation frame came where no message was begun"
        case .messageInterrupted(let opcode): "a \(opcode) frame came before the fragmented message was finished"
        case .compressedContinuation: "RSV1 is set on a continuation frame; only a message's first frame may have it"
        case .invalidText(let offset): "a text message isn't valid UTF-8 at byte \(offset &+ 1)"
        case .truncatedText: "a text message ends within a UTF-8 character"
        case .closePayloadOfOneByte: "a Close frame has a payload of one byte; it takes none, or a code of two"
        case .closeCodeNotAllowed(let code): "a Close frame has code \(code), which may not be sent"
        case .closeReasonNotText: "the reason of a Close frame isn't valid UTF-8"
        case .messageTooBig(let limit): "a message is larger than the limit of \(limit) bytes"
        case .outOfMemory(let limit):
            "no memory is left for a message" + (limit.map { ": all connections together may take \($0) bytes" } ?? "")
        case .invalidCompressedData(let why): "a compressed message can't be inflated: \(why)"
        case .policy(let why): why
        case .keepAliveTimeout(let seconds): "no pong came within \(seconds) s of a ping"
        }
    }

    private static func names(ofReserved bits: UInt8) -> String {
        let names = [(0b100, "RSV1"), (0b010, "RSV2"), (0b001, "RSV3")].filter { bits & $0.0 != 0 }.map(\.1)
        return names.joined(separator: " and ") + (names.count == 1 ? " is" : " are")
    }
}
