import WebSocketProtocol
import WebSocketTransport

/// Which way an event went, as this program sees it.
enum Direction: String { case `in`, out }

/// Writes what happens as JSON, one object and one newline each (`--json`). The names are a contract with scripts; members may be added,
/// so a reader ignores those that it does not know. All of ``JSONInput``'s can be read back.
///
/// Every event begins with these members, in this order:
///
/// | member     | value                                                                                                  |
/// |------------|--------------------------------------------------------------------------------------------------------|
/// | `time`     | when, RFC 3339 in UTC with microseconds                                                                 |
/// | `delay_ms` | milliseconds since the line before, to three digits; 0 on the first. Replaying keeps this time; less it, there is no waiting |
/// | `event`    | `open`, `message`, `ping`, `pong`, `close` or `error`                                                   |
/// | `dir`      | `in` for what came, `out` for what was sent; of a connection, who asked for it; of an end, who began it  |
/// | `client`   | the number of the client; only while listening                                                          |
///
/// and goes on with its own:
///
/// | event     | members                                                                                                  |
/// |-----------|----------------------------------------------------------------------------------------------------------|
/// | `open`    | `url` (never with credentials), `subprotocol` (or null), `extensions` (array of strings, each as in its header), `headers` (of the peer's half of the handshake: array of `[name, value]`, in order, repeated ones kept, credentials as `***`) |
/// | `message` | `type` (`text` or `binary`), `text` (of a text), `base64` (of a binary, and of a text that isn't UTF-8 and is tolerated) or `file` (of a binary that was saved), `bytes` (the payload's length)  |
/// | `ping`    | the payload as `text` if it is UTF-8, else as `base64`; `bytes`                                           |
/// | `pong`    | as a ping; `rtt_ms` (the round trip, to three digits) if it answers a ping of ours                      |
/// | `close`   | `code` (1005: the peer's Close had none, 1006: no Close came), `name` (the code's), `reason`, `clean` (true or false), `by` (`us` or `peer`) |
/// | `error`   | `stage` (``Stage``), `message`, `exit` (the exit status it leads to), `status` (of the HTTP response) if one refused the handshake |
///
/// No line can drive a terminal: what could is escaped, which a parser undoes.
struct JSONEvents {
    /// What was being done when an error came.
    enum Stage: String {
        case name, connect, proxy, tls
        /// The opening handshake.
        case http
        /// The peer broke the protocol, or a limit of ours.
        case `protocol`
        /// The connection was lost.
        case stream
        /// Binding and accepting.
        case listen
        /// Something of this machine: a file, standard input.
        case local

        init(_ error: WebSocketError) {
            switch error {
            case .transport(let error): self.init(error.stage)
            case .refused(let refusal) where refusal.isFromTLSServer: self = .tls
            case .openingTimedOut, .refused: self = .http
            case .breach: self = .protocol
            case .lost, .closingTimedOut: self = .stream
            }
        }

        init(_ stage: WebSocketTransport.Stage) {
            switch stage {
            case .name: self = .name
            case .connect: self = .connect
            case .proxy: self = .proxy
            case .tls: self = .tls
            case .stream: self = .stream
            case .listen: self = .listen
            }
        }
    }

    /// What every event has. `client` is nil except while listening.
    struct Head {
        var direction: Direction
        var client: Int?
        var time: Timestamp

        init(_ direction: Direction, client: Int? = nil, at time: Timestamp = .now) {
            self.direction = direction
            self.client = client
            self.time = time
        }
    }

    private var previous: Timestamp?
    /// Whether a text may be something else than UTF-8.
    var textsMayBeWrong = false

    mutating func open(
        _ head: Head, url: WebSocketURL, subprotocol: String?, extensions: [WebSocketExtension], headers: HTTPHeaders,
        mask: CredentialMask = CredentialMask(), to output: inout [UInt8]
    ) {
        begin(head, "open", to: &output)
        output.appendJSON("url", mask.masked(url))
        output.appendJSONName("subprotocol")
        if let subprotocol { output.appendJSONString(subprotocol) } else { output.append(literal: "null") }
        output.appendJSONArray("extensions", extensions) { $1.appendJSONString($0.description) }
        output.appendJSONArray("headers", mask.masked(headers).fields) { field, output in
            output.append(UInt8(ascii: "["))
            output.appendJSONString(field.name)
            output.append(UInt8(ascii: ","))
            output.appendJSONString(field.value)
            output.append(UInt8(ascii: "]"))
        }
        end(&output)
    }

    /// A whole message.
    mutating func message(_ head: Head, _ kind: MessageKind, _ payload: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        begin(head, "message", to: &output)
        output.appendJSON("type", literal: kind == .text ? "text" : "binary")
        let isText = kind == .text && !(textsMayBeWrong && UTF8Validator.firstError(in: payload) != nil)
        if isText { output.appendJSON(text: payload) } else { output.appendJSON(base64: payload) }
        output.appendJSON("bytes", UInt64(payload.count))
        end(&output)
    }

    /// A binary message that is in the file at `path`.
    mutating func message(_ head: Head, savedTo path: String, byteCount: Int, to output: inout [UInt8]) {
        begin(head, "message", to: &output)
        output.appendJSON("type", literal: "binary")
        output.appendJSON("file", path)
        output.appendJSON("bytes", UInt64(byteCount))
        end(&output)
    }

    mutating func ping(_ head: Head, _ payload: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        begin(head, "ping", to: &output)
        output.appendControlPayload(payload)
        end(&output)
    }

    /// - Parameter roundTrip: nanoseconds since the ping that this answers.
    mutating func pong(_ head: Head, _ payload: UnsafeRawBufferPointer, roundTrip: UInt64?, to output: inout [UInt8]) {
        begin(head, "pong", to: &output)
        output.appendControlPayload(payload)
        if let roundTrip { output.appendJSON("rtt_ms", microseconds: roundTrip / 1000) }
        end(&output)
    }

    /// The connection's end; its direction says who began it.
    mutating func close(_ closure: Closure, client: Int? = nil, at time: Timestamp = .now, to output: inout [UInt8]) {
        begin(Head(closure.isByUs ? .out : .in, client: client, at: time), "close", to: &output)
        output.appendJSON("code", UInt64(closure.code.rawValue))
        output.appendJSON("name", closure.code.name)
        output.appendJSON("reason", closure.reason)
        output.appendJSON("clean", closure.wasClean)
        output.appendJSON("by", literal: closure.isByUs ? "us" : "peer")
        end(&output)
    }

    /// - Parameter httpStatus: of the response that refused the handshake.
    mutating func error(
        _ head: Head, _ stage: Stage, _ message: String, exit: ExitStatus, httpStatus: Int? = nil, to output: inout [UInt8]
    ) {
        begin(head, "error", to: &output)
        output.appendJSON("stage", stage.rawValue)
        output.appendJSON("message", message)
        output.appendJSON("exit", UInt64(exit.rawValue.magnitude))
        if let httpStatus { output.appendJSON("status", UInt64(httpStatus.magnitude)) }
        end(&output)
    }

    private mutating func begin(_ head: Head, _ event: StaticString, to output: inout [UInt8]) {
        // The clock may have been set back in between.
        let delay = previous.map { max(head.time.microseconds - $0.microseconds, 0) } ?? 0
        previous = head.time
        output.append(literal: "{\"time\":\"")
        head.time.append(to: &output)
        output.append(UInt8(ascii: "\""))
        output.appendJSON("delay_ms", microseconds: UInt64(delay))
        output.appendJSON("event", literal: event)
        output.appendJSON("dir", literal: head.direction == .in ? "in" : "out")
        if let client = head.client { output.appendJSON("client", UInt64(client.magnitude)) }
    }

    private func end(_ output: inout [UInt8]) { output.append(literal: "}\n") }
}

extension [UInt8] {
    fileprivate mutating func appendControlPayload(_ payload: UnsafeRawBufferPointer) {
        if UTF8Validator.firstError(in: payload) == nil { appendJSON(text: payload) } else { appendJSON(base64: payload) }
        appendJSON("bytes", UInt64(payload.count))
    }

    fileprivate mutating func appendJSONArray<Item>(
        _ name: StaticString, _ elements: [Item], _ write: (Item, inout [UInt8]) -> Void
    ) {
        appendJSONName(name)
        append(UInt8(ascii: "["))
        for (index, element) in elements.enumerated() {
            if index > 0 { append(UInt8(ascii: ",")) }
            write(element, &self)
        }
        append(UInt8(ascii: "]"))
    }
}
