import TestSupport
import Testing

@testable import WebSocketProtocol
@testable import wsline

@Suite struct JSONInputTests {
    private func parse(_ line: String) throws -> JSONInput { try parse(Array(line.utf8)) }

    private func parse(_ line: [UInt8]) throws -> JSONInput { try line.withUnsafeBytes(JSONInput.init(parsing:)) }

    private func failure(_ line: String) -> JSONInputError? {
        do {
            _ = try parse(line)
        } catch let error as JSONInputError {
            return error
        } catch {
            Issue.record(error)
        }
        return nil
    }

    @Test(
        "a line says what to send",
        arguments: [
            (#"{"event":"message","text":"hi"}"#, .message(.text, Array("hi".utf8))),
            (#"{"event":"message","base64":"AP8="}"#, .message(.binary, [0, 0xff])),
            (#"{"event":"message","type":"text","base64":"aGk="}"#, .message(.text, Array("hi".utf8))),
            (#"{"event":"message","type":"binary","text":"hi"}"#, .message(.binary, Array("hi".utf8))),
            (#"{"event":"message","text":"","base64":null}"#, .message(.text, [])),
            (#"{"text":"\ud83d\ude42\u0000\u2028","other":[1,{"a":null}],"event":"message"}"#, .message(.text, Array("🙂\0\u{2028}".utf8))),
            (#"  { "event" : "ping" } "#, .ping([])),
            (#"{"event":"ping","text":"x"}"#, .ping([0x78])),
            (#"{"event":"pong","base64":"/w=="}"#, .pong([0xff])),
            (#"{"event":"close"}"#, .close(CloseFrame(code: nil))),
            (#"{"event":"close","code":1005,"reason":""}"#, .close(CloseFrame(code: nil))),
            (#"{"event":"close","code":4000,"reason":"done"}"#, .close(CloseFrame(code: CloseCode(4000), reason: "done"))),
            (#"{"event":"close","dir":"out","code":1000}"#, .close(CloseFrame(code: .normal))),
        ] as [(String, JSONInput.Action)])
    func actions(line: String, action: JSONInput.Action) throws {
        #expect(try parse(line).action == action)
        #expect(try parse(line).delay == 0)
    }

    @Test(
        "recorded events that can't be sent are passed over, and their delay still counts",
        arguments: [
            #"{"event":"open","delay_ms":1500,"url":"ws://h/"}"#, #"{"event":"error","delay_ms":1500,"message":"x"}"#,
            #"{"event":"close","dir":"in","code":1000,"delay_ms":1500}"#, #"{"event":"close","dir":"out","code":1006,"delay_ms":1.5e3}"#,
        ])
    func skipped(line: String) throws {
        let input = try parse(line)
        #expect(input.action == .nothing)
        #expect(input.delay == 1.5)
    }

    @Test(
        "a wrong line is refused with the reason",
        arguments: [
            ("", .notJSON("", offset: 0)),
            ("hello", .notJSON("hello", offset: 0)),
            (#"{"event":"ping""#, .notJSON(#"{"event":"ping""#, offset: 15)),
            (#"{"event":"ping"} x"#, .notJSON(#"{"event":"ping"} x"#, offset: 17)),
            (
                #"{"event":"message","text":"a\ud800"}"#,
                .invalid(#""text" has half of a surrogate pair at byte 29, which stands for no character"#)
            ),
            ("[]", .invalid("not a JSON object: write { \"event\": \"message\", \"text\": … }")),
            ("null", .invalid("not a JSON object: write { \"event\": \"message\", \"text\": … }")),
            (#""ping""#, .invalid("not a JSON object: write { \"event\": \"message\", \"text\": … }")),
            ("{}", .invalid("the object has no \"event\"")),
            (#"{"event":7}"#, .invalid("\"event\" is not a string")),
            (#"{"event":"message","text":["a"]}"#, .invalid("\"text\" is not a string")),
            (#"{"event":"ping","delay_ms":"5"}"#, .invalid("\"delay_ms\" is not a number")),
            (#"{"event":"close","code":true}"#, .invalid("\"code\" is not a number")),
            (#"{"event":"shout"}"#, .invalid("\"event\" is \"shout\": use message, ping, pong or close")),
            (#"{"event":"message","type":"blob","text":""}"#, .invalid("\"type\" is \"blob\": use text or binary")),
            (#"{"event":"close","dir":"up"}"#, .invalid("\"dir\" is \"up\": use in or out")),
            (#"{"event":"message"}"#, .invalid("the message has neither \"text\" nor \"base64\"")),
            (#"{"event":"message","text":"a","base64":"YQ=="}"#, .invalid("the object has both \"text\" and \"base64\": give one of them")),
            (#"{"event":"ping","text":"a","base64":"YQ=="}"#, .invalid("the object has both \"text\" and \"base64\": give one of them")),
            (#"{"event":"message","base64":"YQ="}"#, .invalid("\"base64\": \(Base64.DecodeError.incomplete(length: 3))")),
            (#"{"event":"message","base64":"Y Q="}"#, .invalid("\"base64\": \(Base64.DecodeError.invalidCharacter(0x20, column: 2))")),
            (
                #"{"event":"message","type":"text","base64":"Yf8="}"#,
                .invalid("\"base64\" of a text message isn't valid UTF-8 at byte 2: give \"type\": \"binary\" to send it")
            ),
            (#"{"event":"close","code":999}"#, codeNotAllowed("999")),
            (#"{"event":"close","code":1004}"#, codeNotAllowed("1004")),
            (#"{"event":"close","code":1006}"#, codeNotAllowed("1006")),
            (#"{"event":"close","code":5000}"#, codeNotAllowed("5000")),
            (#"{"event":"close","code":70000}"#, codeNotAllowed("70000")),
            (#"{"event":"close","code":-1}"#, codeNotAllowed("-1")),
            (#"{"event":"close","code":1000.5}"#, codeNotAllowed("1000.5")),
            (#"{"event":"close","reason":"why"}"#, .invalid("\"reason\" needs a \"code\"")),
            (#"{"event":"ping","delay_ms":-1}"#, .invalid("\"delay_ms\" is -1: use 0 or more")),
        ] as [(String, JSONInputError)])
    func refused(line: String, error: JSONInputError) {
        #expect(failure(line) == error)
    }

    @Test("a payload of 125 bytes and a reason of 123 are the most (RFC 6455, section 5.5)")
    func limits() throws {
        func filler(_ count: Int) -> String { String(repeating: "x", count: count) }
        #expect(try parse(#"{"event":"ping","text":"\#(filler(125))"}"#).action == .ping(Array(filler(125).utf8)))
        #expect(
            failure(#"{"event":"ping","text":"\#(filler(126))"}"#) == .invalid("the payload of the ping has 126 bytes: 125 is the most"))
        #expect(
            try parse(#"{"event":"close","code":1000,"reason":"\#(filler(123))"}"#).action
                == .close(CloseFrame(code: .normal, reason: filler(123))))
        #expect(
            failure(#"{"event":"close","code":1000,"reason":"\#(filler(124))"}"#) == .invalid("\"reason\" has 124 bytes: 123 is the most"))
    }

    @Test("the last of members with the same name counts, escapes in a name are read, and null is as if there were none")
    func names() throws {
        #expect(try parse(#"{"event":"pong","event":"ping"}"#).action == .ping([]))
        #expect(try parse(#"{"\u0065vent":"ping"}"#).action == .ping([]))
        #expect(try parse(#"{"event":"ping","text":"x","text":null}"#).action == .ping([]))
        #expect(try parse(#"{"event":"ping","\ud800":1}"#).action == .ping([]))
    }

    @Test("a line that isn't UTF-8 is refused, with the byte's offset")
    func notUTF8() {
        #expect(throws: JSONInputError.notUTF8(offset: 2)) { try parse([0x7b, 0x22, 0xff, 0x22, 0x7d]) }
    }

    @Test("deep nesting and huge numbers are errors, not crashes")
    func hostile() {
        #expect(failure(String(repeating: "[", count: 100_000)) != nil)
        #expect(failure(#"{"a":"# + String(repeating: "[", count: 100_000)) != nil)
        #expect(failure(#"{"event":"close","code":1e999}"#) != nil)
        #expect(failure(#"{"event":"close","code":1e300}"#) == codeNotAllowed("1e300"))
        #expect(failure(#"{"event":"ping","delay_ms":1e300}"#) == nil)
        #expect(failure(#"{"event":"ping","delay_ms":1e999}"#) == .invalid("\"delay_ms\" is 1e999, which is too large"))
    }

    @Test("an error quotes what was wrong, with nothing that could drive a terminal")
    func descriptions() {
        #expect(JSONInputError.notJSON("\u{1b}[2J", offset: 0).description == #"not JSON at byte 1: "\x1b[2J""#)
        #expect(JSONInputError.notUTF8(offset: 2).description == "the line isn't valid UTF-8 at byte 3")
        #expect(failure(#"{"event":"a\nb"}"#)?.description == #""event" is "a\x0ab": use message, ping, pong or close"#)
    }

    // MARK: What --json wrote, read back

    private func written(_ body: (inout JSONEvents, inout [UInt8]) -> Void) -> [UInt8] {
        var events = JSONEvents()
        var output: [UInt8] = []
        body(&events, &output)
        #expect(output.count(where: { $0 == 0x0a }) == 1)
        return output
    }

    private func randomText(_ random: inout SeededGenerator) -> String {
        var text = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0...60, using: &random) {
            let upper: UInt32 = [0x7f, 0xff, 0x2fff, 0x10ffff].randomElement(using: &random) ?? 0x7f
            if let scalar = Unicode.Scalar(UInt32.random(in: 0...upper, using: &random)) { text.append(scalar) }
        }
        return String(text)
    }

    @Test("any text comes back exactly, byte for byte")
    func textRoundTrip() throws {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<2000 {
            let bytes = Array(randomText(&random).utf8)
            let line = written { events, output in bytes.withUnsafeBytes { events.message(.init(.in), .text, $0, to: &output) } }
            #expect(try parse(line).action == .message(.text, bytes))
        }
    }

    @Test("every character there is comes back as it was, normalized or not")
    func everyScalar() throws {
        for start in stride(from: UInt32(0), to: 0x110000, by: 0x1000) {
            var text = String.UnicodeScalarView()
            for value in start..<start + 0x1000 { Unicode.Scalar(value).map { text.append($0) } }
            let bytes = Array(String(text).utf8)
            let line = written { events, output in bytes.withUnsafeBytes { events.message(.init(.in), .text, $0, to: &output) } }
            #expect(try parse(line).action == .message(.text, bytes))
        }
    }

    @Test("any bytes come back exactly, in messages, pings and pongs")
    func bytesRoundTrip() throws {
        var random = SeededGenerator(seed: 6)
        for _ in 0..<500 {
            let bytes = random.bytes(Int.random(in: 0...125, using: &random))
            let message = written { events, output in bytes.withUnsafeBytes { events.message(.init(.out), .binary, $0, to: &output) } }
            #expect(try parse(message).action == .message(.binary, bytes))
            let ping = written { events, output in bytes.withUnsafeBytes { events.ping(.init(.out), $0, to: &output) } }
            #expect(try parse(ping).action == .ping(bytes))
            let pong = written { events, output in bytes.withUnsafeBytes { events.pong(.init(.in), $0, roundTrip: 5, to: &output) } }
            #expect(try parse(pong).action == .pong(bytes))
        }
    }

    @Test("a close of ours comes back with its code and reason, whatever they were")
    func closeRoundTrip() throws {
        var random = SeededGenerator(seed: 7)
        for code in [1000, 1001, 1011, 3000, 4999] as [UInt16] {
            var reason = randomText(&random)
            while reason.utf8.count > 123 { reason.unicodeScalars.removeLast() }
            let closure = Closure(code: CloseCode(code), reason: reason, wasClean: true, isByUs: true, sent: nil, failure: nil)
            let line = written { events, output in events.close(closure, to: &output) }
            let action = try parse(line).action
            guard case .close(let frame) = action else {
                Issue.record("\(action) is not a close")
                continue
            }
            #expect(frame.code == closure.code)
            #expect(Array(frame.reason.utf8) == Array(reason.utf8))
        }
        let bare = Closure(code: .noStatus, reason: "", wasClean: true, isByUs: true, sent: nil, failure: nil)
        #expect(try parse(written { events, output in events.close(bare, to: &output) }).action == .close(CloseFrame(code: nil)))
    }

    @Test("the recorded timing comes back to the microsecond, and without delay_ms there is no waiting")
    func timing() throws {
        var events = JSONEvents()
        var output: [UInt8] = []
        let start = Timestamp(microseconds: 1_795_364_615_123_456)
        let end = Timestamp(microseconds: start.microseconds + 86_400_000_001)
        for time in [start, end] {
            [UInt8(0x61)].withUnsafeBytes { events.message(.init(.in, at: time), .text, $0, to: &output) }
        }
        let lines = output.split(separator: 0x0a).map { Array($0) }
        #expect(try parse(lines[0]).delay == 0)
        #expect((try parse(lines[1]).delay * 1e6).rounded() == 86_400_000_001)
        let without = String(decoding: lines[1], as: UTF8.self).replacing(/"delay_ms":[0-9.]+,/, with: "")
        #expect(try parse(without).delay == 0)
    }
}

private func codeNotAllowed(_ code: String) -> JSONInputError {
    .invalid("\"code\" is \(code), which can't be sent: use 1000 to 1003, 1007 to 1014, or 3000 to 4999")
}
