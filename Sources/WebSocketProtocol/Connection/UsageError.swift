/// Our own misuse of a connection: nothing was sent, and the connection stays as it was.
public enum UsageError: Error, Equatable, Sendable, CustomStringConvertible {
    case notOpen(ReadyState)
    case closeCodeNotAllowed(CloseCode)
    case closeReasonTooLong(bytes: Int)
    case closeReasonWithoutCode
    case controlPayloadTooLong(bytes: Int)
    case messageUnfinished
    case noMemoryToCompress

    public var description: String {
        switch self {
        case .notOpen(let state): "the connection is \(state), not open"
        case .closeCodeNotAllowed(let code): "close code \(code.rawValue) can't be sent: use 1000 to 1003, 1007 to 1014, or 3000 to 4999"
        case .closeReasonTooLong(let bytes): "a close reason of \(bytes) bytes is too long: 123 is the most"
        case .closeReasonWithoutCode: "a close reason needs a close code"
        case .controlPayloadTooLong(let bytes): "\(bytes) bytes are too many for a ping or pong: 125 is the most"
        case .messageUnfinished: "a fragmented message is under way: finish it first"
        case .noMemoryToCompress: "zlib has no memory to compress with"
        }
    }
}
