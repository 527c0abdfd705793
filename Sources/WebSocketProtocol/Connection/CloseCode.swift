/// The status code of a Close frame (RFC 6455, section 7.4).
public struct CloseCode: Hashable, Sendable {
    public let rawValue: UInt16

    public init(_ rawValue: UInt16) { self.rawValue = rawValue }

    public static let normal = CloseCode(1000)
    public static let goingAway = CloseCode(1001)
    public static let protocolError = CloseCode(1002)
    /// Never on the wire: stands for a Close frame without a code.
    public static let noStatus = CloseCode(1005)
    /// Never on the wire: stands for a connection that ended without a Close frame.
    public static let abnormal = CloseCode(1006)
    public static let invalidPayload = CloseCode(1007)
    public static let policyViolation = CloseCode(1008)
    public static let messageTooBig = CloseCode(1009)
    public static let internalError = CloseCode(1011)
    public static let serviceRestart = CloseCode(1012)
    public static let tryAgainLater = CloseCode(1013)
    public static let badGateway = CloseCode(1014)
    /// Never on the wire: stands for a failed TLS handshake.
    public static let tlsHandshake = CloseCode(1015)

    /// Whether an endpoint may put this code in a Close frame: the defined codes of 1000–2999 less 1004, 1005, 1006 and 1015,
    /// and 3000–4999 (RFC 6455, sections 7.4.1 and 7.4.2, with the IANA registry for 1012–1014).
    public var isAllowedOnWire: Bool {
        switch rawValue {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }

    /// The code's registered name in lower case, or what its range is for.
    public var name: String {
        switch rawValue {
        case 1000: "normal closure"
        case 1001: "going away"
        case 1002: "protocol error"
        case 1003: "unsupported data"
        case 1005: "no status received"
        case 1006: "abnormal closure"
        case 1007: "invalid payload data"
        case 1008: "policy violation"
        case 1009: "message too big"
        case 1010: "mandatory extension"
        case 1011: "internal error"
        case 1012: "service restart"
        case 1013: "try again later"
        case 1014: "bad gateway"
        case 1015: "TLS handshake"
        case 3000...3999: "registered by a library or application"
        case 4000...4999: "private use"
        default: "not defined"
        }
    }
}
