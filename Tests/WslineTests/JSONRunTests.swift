import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

extension ProgramTests {
    @Suite
    struct JSONRunTests {
        @Test("--json writes each event as a line, the close last")
        func events() throws {
            let server = try TestServer { socket in
                afterOpening(socket) { socket in
                    try? socket.send("a\"b\n")
                    try? [UInt8]([0, 255]).withUnsafeBytes { try socket.send(.binary, $0) }
                    try? socket.ping(Array("hey".utf8))
                    try? socket.close(.normal, reason: "done")
                }
            }
            let result = try run(["--json", "-w", "-1", server.url], input: "")
            let lines = result.output.split(separator: "\n")
            #expect(
                lines.map { $0.firstMatch(of: #/"event":"(\w+)"/#).map { String($0.1) } } == [
                    "open", "message", "message", "ping", "close",
                ])
            #expect(lines[1].hasSuffix(#""type":"text","text":"a\"b\n","bytes":4}"#), "\(lines[1])")
            #expect(lines[2].hasSuffix(#""type":"binary","base64":"AP8=","bytes":2}"#), "\(lines[2])")
            #expect(lines[4].hasSuffix(#""code":1000,"name":"normal closure","reason":"done","clean":true,"by":"peer"}"#), "\(lines[4])")
            #expect(result.status == 0)
        }

        @Test("What --json wrote is sent again by --json-input, at its own pace")
        func replay() throws {
            let feed = try TestServer { socket in
                afterOpening(socket) { socket in
                    try? socket.send("first")
                    Timer(after: 0.4) { [weak socket] in
                        guard let socket, socket.readyState == .open else { return }
                        try? socket.send("second")
                        try? [UInt8]([1, 2, 3]).withUnsafeBytes { try socket.send(.binary, $0) }
                        try? socket.close()
                    }
                }
            }
            let recording = try run(["--json", "-w", "-1", feed.url], input: "").output
            let seen = Gathered<String>()
            let server = try recorder(seen)
            let replayed = try run(["--json-input", "-w", "0", server.url], input: recording)
            #expect(replayed.status == 0, "\(replayed.errors)")
            #expect(try seen.first(4) == ["first", "second", "binary 3", "closed 1000"])
            #expect(replayed.duration >= 0.35)
            let atOnce = try run(["--json-input", "-w", "0", server.url], input: recording.replacing(#/"delay_ms":[0-9.]+,/#, with: ""))
            #expect(try seen.first(8).suffix(4) == ["first", "second", "binary 3", "closed 1000"])
            #expect(atOnce.status == 0)
        }

        @Test("A delay holds back what follows, also the end of input, and a close ends the run with its code")
        func delays() throws {
            let seen = Gathered<String>()
            let server = try recorder(seen)
            let input = """
                {"event":"message","text":"now"}
                {"event":"message","text":"later","delay_ms":300}
                {"event":"ping","text":"p"}
                {"event":"close","code":4001,"reason":"enough"}
                {"event":"message","text":"never"}

                """
            let result = try run(["--json-input", server.url], input: input.trimmingSuffixNewline)
            #expect(try seen.first(3) == ["now", "later", "closed 4001"])
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.duration >= 0.3)
            let last = try run(["--json-input", "-w", "0", server.url], input: #"{"event":"message","text":"x","delay_ms":300.5}"#)
            #expect(try seen.first(5).suffix(2) == ["x", "closed 1000"])
            #expect(last.duration >= 0.3)
        }

        @Test("A delay that spans a reconnect ends on the new connection, with its line")
        func delayAcrossReconnect() throws {
            let seen = Gathered<String>()
            let server = try TestServer { socket in
                socket.onMessage = { [unowned socket] _, payload in
                    seen.append(payload.withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
                    if seen.all.count == 1 { try? socket.close(.serviceRestart) }
                }
                socket.onClose = { seen.append("closed \($0.code.rawValue)") }
            }
            let input = """
                {"event":"message","text":"before"}
                {"event":"message","text":"after","delay_ms":1500}

                """
            let result = try run(["--json-input", "--reconnect", "-w", "0", server.url], input: input)
            #expect(try seen.first(4) == ["before", "closed 1012", "after", "closed 1000"])
            #expect(result.status == 0, "\(result.errors)")
        }

        @Test("A delay without end doesn't hang a run that has a bound")
        func endlessDelay() throws {
            let server = try TestServer.echo()
            let result = try run(
                ["--json-input", "--timeout", "0.4", server.url], input: #"{"event":"message","text":"x","delay_ms":1e300}"#)
            #expect(result.status == 8)
        }

        @Test("A line that is no event is named, and what came before it has been sent")
        func badLine() throws {
            let seen = Gathered<String>()
            let server = try recorder(seen)
            let result = try run(["--json-input", server.url], input: "{\"event\":\"message\",\"text\":\"a\"}\n{\"event\":\"mess\"}\n")
            #expect(result.status == 65)
            #expect(result.errors.hasPrefix("wsline: input line 2: "), "\(result.errors)")
            #expect(try seen.first(2) == ["a", "closed 1000"])
        }

        @Test(
            "A line that isn't JSON (RFC 8259) is refused at its first wrong byte, in members that nobody reads too",
            arguments: [
                (#"{"event":"message","text":"a",}"#, 31), (#"{"event":"ping","other":[1,]}"#, 28),
                (#"{"event":"ping","other":01}"#, 26), (#"{"event":"ping" /* no */}"#, 17), ("{'event':'ping'}", 2),
                (#"{"event":"ping"} {}"#, 18), ("{\"event\":\"ping\",\"other\":\"\t\"}", 26), (#"{"event":"ping""#, 16),
            ] as [(String, Int)])
        func notJSON(line: String, byte: Int) throws {
            let seen = Gathered<String>()
            let server = try recorder(seen)
            let result = try run(["--json-input", server.url], input: line + "\n")
            #expect(result.status == 65)
            #expect(result.errors.hasPrefix("wsline: input line 1: not JSON at byte \(byte): "), "\(result.errors)")
            #expect(try seen.first(1) == ["closed 1000"])
        }

        @Test("Wrong UTF-8 is told with its byte, counted from 1, in what comes and in what is sent")
        func wrongUTF8() throws {
            let server = try LoopbackServer {
                try $0.upgrade()
                try $0.sendFrame(1, [0x61, 0xFF])
                $0.hang()
            }
            let received = try run([server.url])
            #expect(received.errors.contains("a text message isn't valid UTF-8 at byte 2"), "\(received.errors)")
            let recorder = try recorder(Gathered<String>())
            for (line, what) in [
                (Array(#"{"event":"message","type":"text","base64":"Yf8="}"#.utf8), "byte 2"),
                (Array(#"{"event":""#.utf8) + [0xFF], "valid UTF-8 at byte 11"),
            ] {
                let sent = try run(["--json-input", recorder.url], bytes: line + [0x0A])
                #expect(sent.status == 65)
                #expect(sent.errors.contains(what), "\(sent.errors)")
            }
        }

        @Test("An event of several megabytes is replayed whole")
        func largeEvent() throws {
            let seen = Gathered<String>()
            let server = try recorder(seen)
            let base64 = String(repeating: "AAAA", count: 1 << 20)
            let result = try run(["--json-input", "-w", "0", server.url], input: "{\"event\":\"message\",\"base64\":\"\(base64)\"}\n")
            #expect(result.status == 0, "\(result.errors)")
            #expect(try seen.first(1) == ["binary \(3 << 20)"])
        }

        @Test("A failure is an error event with the exit status, then a close")
        func failure() throws {
            let result = try run(["--json", "ws://127.0.0.1:1/"])
            let lines = result.output.split(separator: "\n")
            #expect(lines.count == 2)
            #expect(lines.first?.contains(#""event":"error","dir":"in","stage":"connect""#) == true, "\(result.output)")
            #expect(lines.first?.hasSuffix(#""exit":3}"#) == true)
            #expect(lines.last?.contains(#""code":1006"#) == true)
        }
    }
}

extension String {
    fileprivate var trimmingSuffixNewline: String { hasSuffix("\n") ? String(dropLast()) : self }
}
