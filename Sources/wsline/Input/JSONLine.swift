import WebSocketProtocol

/// A line of `--json-input`: one JSON object that says what to send.
///
/// | event     | members                                                                                            |
/// |-----------|----------------------------------------------------------------------------------------------------|
/// | `message` | `text` or `base64`, one of them; `type` (`text` or `binary`), by default what the payload's member suggests |
/// | `ping`    | `text` or `base64`, or neither for an empty payload; 125 bytes at most                               |
/// | `pong`    | as a ping                                                                                           |
/// | `close`   | `code` (1005 as if there were none), `reason` (123 bytes at most); neither for a Close without a code |
///
/// Each may have `delay_ms`: how long to wait before it, from 0 up, a fraction allowed. Members of other names are ignored.
///
/// So whatever ``JSONEvents`` wrote can be fed back, with the recorded timing, or without once `delay_ms` is taken out of each line.
/// Messages, pings and pongs are sent whichever way they went when they were recorded: a feed that was received plays back as a feed, and
/// of a conversation one half can be chosen by `dir`. Nothing is sent, though the delay counts, for an `open`, an `error`, a close by the
/// peer (`dir` is `in`), and a recorded close (with a `dir`) whose code is never on the wire (1006, 1015).
struct JSONInput: Equatable {
    enum Action: Equatable {
        case message(MessageKind, [UInt8])
        case ping([UInt8])
        case pong([UInt8])
        case close(CloseFrame)
        /// A recorded event that can't be sent.
        case nothing
    }

    var action: Action
    /// Seconds to wait before it.
    var delay = 0.0

    /// Reads a line, without its newline.
    init(parsing line: UnsafeRawBufferPointer) throws(JSONInputError) {
        let members = try Members(parsing: line)
        action = try Self.action(members)
        if let number = members.delay {
            guard number.value >= 0 else { throw .invalid("\"delay_ms\" is \(number.text): use 0 or more") }
            guard number.value.isFinite else { throw .invalid("\"delay_ms\" is \(number.text), which is too large") }
            delay = number.value / 1000
        }
    }

    private static func action(_ members: Members) throws(JSONInputError) -> Action {
        switch members.event {
        case nil: throw .invalid("the object has no \"event\"")
        case "message": return try message(members)
        case "ping": return .ping(try controlPayload(members))
        case "pong": return .pong(try controlPayload(members))
        case "close": return try close(members)
        case "open", "error": return .nothing
        case let event?: throw .invalid("\"event\" is \(event.quoted): use message, ping, pong or close")
        }
    }

    private static func message(_ members: Members) throws(JSONInputError) -> Action {
        guard let payload = try members.payload() else { throw .invalid("the message has neither \"text\" nor \"base64\"") }
        let kind: MessageKind
        switch members.type {
        case nil: kind = members.text == nil ? .binary : .text
        case "text": kind = .text
        case "binary": kind = .binary
        case let type?: throw .invalid("\"type\" is \(type.quoted): use text or binary")
        }
        if kind == .text, members.text == nil, let offset = payload.withUnsafeBytes(UTF8Validator.firstError(in:)) {
            throw .invalid("\"base64\" of a text message isn't valid UTF-8 at byte \(offset + 1): give \"type\": \"binary\" to send it")
        }
        return .message(kind, payload)
    }

    private static func controlPayload(_ members: Members) throws(JSONInputError) -> [UInt8] {
        let payload = try members.payload() ?? []
        guard payload.count <= 125 else {
            throw .invalid("the payload of the \(members.event ?? "") has \(payload.count) bytes: 125 is the most")
        }
        return payload
    }

    private static func close(_ members: Members) throws(JSONInputError) -> Action {
        let isRecorded: Bool
        switch members.dir {
        case nil: isRecorded = false
        case "out": isRecorded = true
        case "in": return .nothing
        case let direction?: throw .invalid("\"dir\" is \(direction.quoted): use in or out")
        }
        let reason = members.reason ?? ""
        guard reason.utf8.count <= 123 else { throw .invalid("\"reason\" has \(reason.utf8.count) bytes: 123 is the most") }
        var code: CloseCode?
        if let number = members.code {
            switch UInt16(exactly: number.value).map({ CloseCode($0) }) {
            case .noStatus?: break
            case .abnormal? where isRecorded, .tlsHandshake? where isRecorded: return .nothing
            case let given? where given.isAllowedOnWire: code = given
            default:
                throw .invalid("\"code\" is \(number.text), which can't be sent: use 1000 to 1003, 1007 to 1014, or 3000 to 4999")
            }
        }
        guard code != nil || reason.isEmpty else { throw .invalid("\"reason\" needs a \"code\"") }
        return .close(CloseFrame(code: code, reason: reason))
    }
}

/// Why a line of `--json-input` can't be used. Offsets count bytes from 0, and in the description from 1; the line's number is the caller's to add.
enum JSONInputError: Error, Equatable, CustomStringConvertible {
    case notUTF8(offset: Int)
    /// How the line begins, and where it isn't JSON.
    case notJSON(String, offset: Int)
    /// It is JSON, but can't be sent: why.
    case invalid(String)

    var description: String {
        switch self {
        case .notUTF8(let offset): "the line isn't valid UTF-8 at byte \(offset + 1)"
        case .notJSON(let line, let offset): "not JSON at byte \(offset + 1): \(line.quoted)"
        case .invalid(let why): why
        }
    }
}

/// The members that mean something here; null is as if there were none.
private struct Members {
    /// As it is written, for messages, and what that is.
    typealias Number = (text: String, value: Double)

    private(set) var event: String?
    private(set) var type: String?
    private(set) var text: [UInt8]?
    private(set) var base64: String?
    private(set) var code: Number?
    private(set) var reason: String?
    private(set) var dir: String?
    private(set) var delay: Number?

    init(parsing line: UnsafeRawBufferPointer) throws(JSONInputError) {
        if let offset = UTF8Validator.firstError(in: line) { throw .notUTF8(offset: offset) }
        let object: JSONValue
        do throws(JSONSyntaxError) {
            object = try JSONValue(parsing: line)
        } catch {
            throw .notJSON(String(decoding: line.prefix(512), as: UTF8.self), offset: error.offset)
        }
        guard object.kind == .object else { throw .invalid("not a JSON object: write { \"event\": \"message\", \"text\": … }") }
        for (name, value) in object.members {
            try read(value, called: (try? name.decoded()).map { String(decoding: $0, as: UTF8.self) } ?? "")
        }
    }

    private mutating func read(_ value: JSONValue, called name: String) throws(JSONInputError) {
        switch name {
        case "event": event = try string(value, name)
        case "type": type = try string(value, name)
        case "text": text = try characters(value, name)
        case "base64": base64 = try string(value, name)
        case "code": code = try number(value, name)
        case "reason": reason = try string(value, name)
        case "dir": dir = try string(value, name)
        case "delay_ms": delay = try number(value, name)
        default: break
        }
    }

    private func string(_ value: JSONValue, _ name: String) throws(JSONInputError) -> String? {
        try characters(value, name).map { String(decoding: $0, as: UTF8.self) }
    }

    private func characters(_ value: JSONValue, _ name: String) throws(JSONInputError) -> [UInt8]? {
        guard value.kind != .null else { return nil }
        guard value.kind == .string else { throw .invalid("\(name.quoted) is not a string") }
        do throws(JSONSyntaxError) {
            return try value.decoded()
        } catch {
            throw .invalid("\(name.quoted) has half of a surrogate pair at byte \(error.offset + 1), which stands for no character")
        }
    }

    private func number(_ value: JSONValue, _ name: String) throws(JSONInputError) -> Number? {
        guard value.kind != .null else { return nil }
        guard let double = value.double else { throw .invalid("\(name.quoted) is not a number") }
        return (String(decoding: value.bytes.prefix(64), as: UTF8.self), double)
    }

    /// The bytes of `text` or of `base64`; nil if there is neither.
    func payload() throws(JSONInputError) -> [UInt8]? {
        switch (text, base64) {
        case (nil, nil): return nil
        case (.some, .some): throw .invalid("the object has both \"text\" and \"base64\": give one of them")
        case (let text?, nil): return text
        case (nil, let base64?):
            do { return try Base64.decode(base64) } catch { throw .invalid("\"base64\": \(error)") }
        }
    }
}
