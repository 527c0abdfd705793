import WebSocketProtocol

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

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
        if let milliseconds = members.delay_ms {
            guard milliseconds >= 0 else { throw .negativeDelay(milliseconds) }
            delay = milliseconds / 1000
        }
    }

    private static func action(_ members: Members) throws(JSONInputError) -> Action {
        guard let event = members.event else { throw .missing("event") }
        switch event {
        case "message": return try message(members)
        case "ping": return .ping(try controlPayload(members, of: event))
        case "pong": return .pong(try controlPayload(members, of: event))
        case "close": return try close(members)
        case "open", "error": return .nothing
        default: throw .unknownEvent(event)
        }
    }

    private static func message(_ members: Members) throws(JSONInputError) -> Action {
        guard let payload = try members.payload() else { throw .noPayload }
        let kind: MessageKind
        switch members.type {
        case nil: kind = members.text == nil ? .binary : .text
        case "text": kind = .text
        case "binary": kind = .binary
        case let type?: throw .unknownType(type)
        }
        if kind == .text, members.text == nil, let offset = payload.withUnsafeBytes(UTF8Validator.firstError(in:)) {
            throw .textNotUTF8(offset: offset)
        }
        return .message(kind, payload)
    }

    private static func controlPayload(_ members: Members, of event: String) throws(JSONInputError) -> [UInt8] {
        let payload = try members.payload() ?? []
        guard payload.count <= 125 else { throw .payloadTooLong(event: event, bytes: payload.count) }
        return payload
    }

    private static func close(_ members: Members) throws(JSONInputError) -> Action {
        let isRecorded: Bool
        switch members.dir {
        case nil: isRecorded = false
        case "out": isRecorded = true
        case "in": return .nothing
        case let direction?: throw .unknownDirection(direction)
        }
        let reason = members.reason ?? ""
        guard reason.utf8.count <= 123 else { throw .reasonTooLong(bytes: reason.utf8.count) }
        var code: CloseCode?
        if let number = members.code {
            guard let value = UInt16(exactly: number) else { throw .codeNotAllowed(number) }
            switch CloseCode(value) {
            case .noStatus: break
            case .abnormal where isRecorded, .tlsHandshake where isRecorded: return .nothing
            case let given where given.isAllowedOnWire: code = given
            default: throw .codeNotAllowed(number)
            }
        }
        guard code != nil || reason.isEmpty else { throw .reasonWithoutCode }
        return .close(CloseFrame(code: code, reason: reason))
    }
}

/// The members that mean something here, as they stand in the line.
private struct Members: Decodable {
    var event: String?
    var type: String?
    var text: String?
    var base64: String?
    var code: Double?
    var reason: String?
    var dir: String?
    var delay_ms: Double?

    private enum CodingKeys: String, CodingKey {
        case event, type, text, base64, code, reason, dir
        case delay_ms
    }

    /// The JSON types, in words, for the error.
    private static func expectation(of field: String) -> String {
        field == CodingKeys.code.rawValue || field == CodingKeys.delay_ms.rawValue ? "a number" : "a string"
    }

    init(parsing line: UnsafeRawBufferPointer) throws(JSONInputError) {
        if let offset = UTF8Validator.firstError(in: line) { throw .notUTF8(offset: offset) }
        // The decoder accepts more than RFC 8259: a comma after the last member, and anything in members that it isn't asked for.
        if let offset = JSONSyntax.firstError(in: line) { throw Self.notJSON(line, offset: offset) }
        do {
            self = try JSONDecoder().decode(Members.self, from: Data(line))
        } catch let error as DecodingError {
            throw Self.reading(error, line)
        } catch {
            throw Self.notJSON(line, offset: nil)
        }
    }

    private static func notJSON(_ line: UnsafeRawBufferPointer, offset: Int?) -> JSONInputError {
        .notJSON(String(decoding: line.prefix(512), as: UTF8.self), offset: offset)
    }

    private static func reading(_ error: DecodingError, _ line: UnsafeRawBufferPointer) -> JSONInputError {
        switch error {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            if let field = context.codingPath.first?.stringValue { return .wrongType(field, expected: expectation(of: field)) }
            if case .dataCorrupted = error { break }
            return .notAnObject
        default: break
        }
        return notJSON(line, offset: nil)
    }

    /// The bytes of `text` or of `base64`; nil where there is neither.
    func payload() throws(JSONInputError) -> [UInt8]? {
        switch (text, base64) {
        case (nil, nil): return nil
        case (.some, .some): throw .bothPayloads
        case (let text?, nil): return Array(text.utf8)
        case (nil, let base64?):
            do { return try Base64.decode(base64) } catch { throw .notBase64(error) }
        }
    }
}
