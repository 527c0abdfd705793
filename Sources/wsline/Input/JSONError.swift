import WebSocketProtocol

/// Why a line of `--json-input` can't be used. Offsets count bytes from 0, and in the
/// description from 1; the line's number is the caller's to add.
enum JSONInputError: Error, Equatable, CustomStringConvertible {
    case notUTF8(offset: Int)
    /// How the line begins, and where it isn't JSON; nil if it is by the grammar, but has half a surrogate pair.
    case notJSON(String, offset: Int?)
    case notAnObject
    case missing(String)
    case wrongType(String, expected: String)
    case unknownEvent(String)
    case unknownType(String)
    case unknownDirection(String)
    case noPayload
    case bothPayloads
    case notBase64(Base64.DecodeError)
    case textNotUTF8(offset: Int)
    case payloadTooLong(event: String, bytes: Int)
    case codeNotAllowed(Double)
    case reasonTooLong(bytes: Int)
    case reasonWithoutCode
    case negativeDelay(Double)

    var description: String {
        switch self {
        case .notUTF8(let offset): "the line isn't valid UTF-8 at byte \(offset + 1)"
        case .notJSON(let line, let offset): "not JSON\(offset.map { " at byte \($0 + 1)" } ?? ""): \(line.quoted)"
        case .notAnObject: "not a JSON object: write { \"event\": \"message\", \"text\": … }"
        case .missing(let field): "the object has no \(field.quoted)"
        case .wrongType(let field, let expected): "\(field.quoted) is not \(expected)"
        case .unknownEvent(let event): "\"event\" is \(event.quoted): use message, ping, pong or close"
        case .unknownType(let type): "\"type\" is \(type.quoted): use text or binary"
        case .unknownDirection(let direction): "\"dir\" is \(direction.quoted): use in or out"
        case .noPayload: "the message has neither \"text\" nor \"base64\""
        case .bothPayloads: "the object has both \"text\" and \"base64\": give one of them"
        case .notBase64(let error): "\"base64\": \(error)"
        case .textNotUTF8(let offset):
            "\"base64\" of a text message isn't valid UTF-8 at byte \(offset + 1): give \"type\": \"binary\" to send it"
        case .payloadTooLong(let event, let bytes): "the payload of the \(event) has \(bytes) bytes: 125 is the most"
        case .codeNotAllowed(let code):
            "\"code\" is \(Self.plain(code)), which can't be sent: use 1000 to 1003, 1007 to 1014, or 3000 to 4999"
        case .reasonTooLong(let bytes): "\"reason\" has \(bytes) bytes: 123 is the most"
        case .reasonWithoutCode: "\"reason\" needs a \"code\""
        case .negativeDelay(let delay): "\"delay_ms\" is \(Self.plain(delay)): use 0 or more"
        }
    }

    private static func plain(_ number: Double) -> String {
        Int(exactly: number).map(String.init) ?? String(number)
    }
}
