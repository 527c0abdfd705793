import TestSupport
import Testing
import WebSocketTransport

@testable import WebSocketProtocol
@testable import wsline

@Suite struct JSONEventsTests {
    private let moment = Timestamp(microseconds: 1_795_364_615_123_456)

    private func write(_ body: (inout JSONEvents, inout [UInt8]) throws -> Void) rethrows -> String {
        var events = JSONEvents()
        var output: [UInt8] = []
        try body(&events, &output)
        return String(decoding: output, as: UTF8.self)
    }

    @Test("a text message is one line with its text, and its length in bytes")
    func textMessage() {
        let line = write { events, output in
            Array("grüß \"dich\"\n".utf8).withUnsafeBytes { events.message(.init(.in, at: moment), .text, $0, to: &output) }
        }
        #expect(
            line == #"{"time":"2026-11-22T16:23:35.123456Z","delay_ms":0.000,"event":"message","dir":"in","type":"text","#
                + #""text":"grüß \"dich\"\n","bytes":14}"# + "\n")
    }

    @Test("a binary message is base64, also an empty one; the client's number stands behind the direction")
    func binaryMessage() {
        let line = write { events, output in
            [UInt8(0), 0xff].withUnsafeBytes { events.message(.init(.out, client: 3, at: moment), .binary, $0, to: &output) }
        }
        #expect(line.hasSuffix(#""event":"message","dir":"out","client":3,"type":"binary","base64":"AP8=","bytes":2}"# + "\n"))
        let empty = write { events, output in
            [UInt8]().withUnsafeBytes { events.message(.init(.in, at: moment), .binary, $0, to: &output) }
        }
        #expect(empty.hasSuffix(#""type":"binary","base64":"","bytes":0}"# + "\n"))
    }

    @Test("delay_ms is the time since the line before, to the microsecond, and never negative")
    func delays() {
        let lines = write { events, output in
            for microseconds in [0, 1_234_567, 1_234_568, 1_000_000, 61_000_000] as [Int64] {
                let head = JSONEvents.Head(.in, at: Timestamp(microseconds: microseconds))
                [UInt8]().withUnsafeBytes { events.ping(head, $0, to: &output) }
            }
        }
        let delays = lines.split(separator: "\n").compactMap { $0.firstMatch(of: /"delay_ms":([0-9.]+),/)?.output.1 }
        #expect(delays == ["0.000", "1234.567", "0.001", "0.000", "60000.000"])
    }

    @Test("an open names the URL without its credentials, and keeps repeated headers in order")
    func open() throws {
        let url = try WebSocketURL("wss://me:secret@example.com/feed?a=b")
        let headers = HTTPHeaders([
            try .init(name: "Via", value: "a=\"1\""), try .init(name: "Date", value: "today"), try .init(name: "Via", value: "b"),
            try .init(name: "Authorization", value: "Bearer secret"), try .init(name: "Set-Cookie", value: "id=secret"),
        ])
        let line = write { events, output in
            events.open(
                .init(.out, at: moment), url: url, subprotocol: "chat",
                extensions: [WebSocketExtension("permessage-deflate", [.init("server_max_window_bits", "10")])], headers: headers,
                to: &output)
        }
        #expect(
            line.hasSuffix(
                #""event":"open","dir":"out","url":"wss://example.com/feed?a=b","subprotocol":"chat","#
                    + #""extensions":["permessage-deflate; server_max_window_bits=10"],"#
                    + #""headers":[["Via","a=\"1\""],["Date","today"],["Via","b"],["Authorization","***"],["Set-Cookie","***"]]}"# + "\n"))
        let plain = write { events, output in
            events.open(.init(.out, at: moment), url: url, subprotocol: nil, extensions: [], headers: HTTPHeaders(), to: &output)
        }
        #expect(plain.hasSuffix(#""subprotocol":null,"extensions":[],"headers":[]}"# + "\n"))
    }

    @Test("a ping's payload is text if it is UTF-8, else base64; a pong has its round trip only where there is one")
    func controls() {
        let lines = write { events, output in
            Array("hé".utf8).withUnsafeBytes { events.ping(.init(.in, at: moment), $0, to: &output) }
            [UInt8(0xff)].withUnsafeBytes { events.ping(.init(.in, at: moment), $0, to: &output) }
            [UInt8]().withUnsafeBytes { events.pong(.init(.in, at: moment), $0, roundTrip: 12_345_678, to: &output) }
            [UInt8]().withUnsafeBytes { events.pong(.init(.out, at: moment), $0, roundTrip: nil, to: &output) }
        }.split(separator: "\n")
        #expect(lines.count == 4)
        #expect(lines[0].hasSuffix(#""event":"ping","dir":"in","text":"hé","bytes":3}"#))
        #expect(lines[1].hasSuffix(#""event":"ping","dir":"in","base64":"/w==","bytes":1}"#))
        #expect(lines[2].hasSuffix(#""event":"pong","dir":"in","text":"","bytes":0,"rtt_ms":12.345}"#))
        #expect(lines[3].hasSuffix(#""event":"pong","dir":"out","text":"","bytes":0}"#))
    }

    @Test("a close says who began it, and how")
    func close() {
        let lines = write { events, output in
            let byPeer = Closure(code: .goingAway, reason: "bye\u{1b}[2J", wasClean: true, isByUs: false, sent: nil, failure: nil)
            events.close(byPeer, at: moment, to: &output)
            events.close(Closure(code: .abnormal, reason: "", wasClean: false, isByUs: true, sent: nil, failure: nil), to: &output)
        }.split(separator: "\n")
        #expect(
            lines[0].hasSuffix(
                #""event":"close","dir":"in","code":1001,"name":"going away","reason":"bye\u001b[2J","clean":true,"by":"peer"}"#))
        #expect(
            lines[1].hasSuffix(
                #""event":"close","dir":"out","code":1006,"name":"abnormal closure","reason":"","clean":false,"by":"us"}"#))
    }

    @Test("an error names its stage and the exit status, and the HTTP status where there was a response")
    func error() {
        let lines = write { events, output in
            events.error(.init(.in, at: moment), .http, "HTTP 401", exit: .handshake, httpStatus: 401, to: &output)
            events.error(.init(.out, at: moment), .name, "no such host", exit: .nameResolution, to: &output)
        }.split(separator: "\n")
        #expect(lines[0].hasSuffix(#""event":"error","dir":"in","stage":"http","message":"HTTP 401","exit":6,"status":401}"#))
        #expect(lines[1].hasSuffix(#""event":"error","dir":"out","stage":"name","message":"no such host","exit":2}"#))
    }

    @Test("the stage of an error is the one that the connection failed in")
    func stages() {
        let errors: [WebSocketError] = [
            .transport(TransportError(.name, .notFound, "x")), .transport(TransportError(.tls, .certificate, "x")), .openingTimedOut,
            .breach(.closePayloadOfOneByte), .lost(TransportError(.stream, .reset, "x")), .closingTimedOut,
        ]
        #expect(errors.map { JSONEvents.Stage($0) } == [.name, .tls, .http, .protocol, .stream, .stream])
    }
}

@Suite struct JSONStringTests {
    private func json(_ text: String) -> String {
        var output: [UInt8] = []
        output.appendJSONString(text)
        return String(decoding: output, as: UTF8.self)
    }

    @Test("escapes are the short ones where JSON has them, and four digits elsewhere")
    func escapes() {
        #expect(json("\"\\\u{8}\t\n\u{c}\r/") == #""\"\\\b\t\n\f\r/""#)
        #expect(json("\0\u{1f}\u{7f}") == #""\u0000\u001f\u007f""#)
        #expect(json("\u{80}\u{9b}\u{a0}") == "\"\\u0080\\u009b\u{a0}\"")
        #expect(json("\u{2028}\u{2029}\u{202e}\u{2066}\u{2069}\u{61c}\u{200e}") == #""\u2028\u2029\u202e\u2066\u2069\u061c\u200e""#)
    }

    @Test("just the controls, quotation marks and backslashes of the first planes are escaped, each as itself")
    func everyScalar() throws {
        for value in (0...0x2FFF as ClosedRange<UInt32>) {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let mayDriveTerminal =
                switch value {
                case 0..<0x20, 0x7f..<0xa0, 0x61c, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069: true
                default: false
                }
            let text = json(String(scalar))
            let isEscaped = text.hasPrefix("\"\\")
            #expect(isEscaped == (mayDriveTerminal || scalar == "\"" || scalar == "\\"))
            if !isEscaped { #expect(text == "\"\(scalar)\"") }
        }
    }

    @Test("what needs an escape is found at every place of the eight bytes that are looked at together")
    func positions() {
        for special in ["\"", "\\", "\n", "\0", "\u{7f}", "\u{85}", "\u{2028}", "\u{61c}"] {
            for before in 0..<20 {
                let plain = String(repeating: "a", count: before)
                #expect(json(plain + special + "b") == "\"" + plain + json(special).dropFirst().dropLast() + "b\"")
                #expect(json("é" + plain + special) == "\"é" + plain + json(special).dropFirst())
            }
        }
    }

    @Test("no run of plain text is changed")
    func plain() {
        for length in 0..<40 {
            let text = String(repeating: "x ~!", count: length) + "日本語🙂\u{e9}"
            #expect(json(text) == "\"\(text)\"")
        }
    }
}
