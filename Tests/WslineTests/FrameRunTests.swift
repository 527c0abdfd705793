import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

extension ProgramTests {
    /// What `-vv` and `--frames` show of the built program's connections.
    @Suite
    struct FrameRunTests {
        /// The lines of frames among others, without their times.
        private func frames(_ text: String) -> [String] {
            let lines = text.split(separator: "\n").map { String($0.replacing(#/[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}/#, with: "TIME")) }
            return lines.filter { $0.contains("TIME") }.map {
                $0.replacing(#/mask [0-9a-f]{8}/#, with: "mask KEY").replacing(#/\ +/#, with: " ")
            }
        }

        @Test("--frames shows each frame of both directions on standard error, and payloads alone on standard output")
        func both() throws {
            let server = try TestServer { socket in
                socket.onMessage = { [unowned socket] kind, payload in
                    try? socket.ping(Array("abcd".utf8))
                    payload.withUnsafeBytes { try? socket.send(kind, $0) }
                }
            }
            let result = try run(["--frames", "--no-deflate", "-1", server.url], input: "hello\n")
            #expect(result.output == "hello\n")
            #expect(
                frames(result.errors) == [
                    "> TIME text FIN mask KEY 5 B hello", "< TIME ping FIN 4 B abcd", "> TIME pong FIN mask KEY 4 B abcd",
                    "< TIME text FIN 5 B hello", "> TIME close FIN mask KEY 2 B 1000 (normal closure)",
                    "< TIME close FIN 2 B 1000 (normal closure)",
                ])
            #expect(frames(result.errors).count == result.errors.split(separator: "\n").count, "and nothing else")
        }

        @Test("-vv is -v with the frames, in the order in which things happened")
        func verbose() throws {
            let server = try TestServer.echo()
            let result = try run(["-vv", "-1", server.url], input: "hello\n")
            let lines = result.errors.split(separator: "\n")
            let request = try #require(lines.firstIndex { $0.hasPrefix("> GET / HTTP/1.1") })
            let frame = try #require(lines.firstIndex { $0.contains(" text ") && $0.hasPrefix(">") })
            let close = try #require(lines.lastIndex { $0.contains(" close ") })
            let closed = try #require(lines.firstIndex { $0.hasPrefix("* closed by") })
            #expect(request < frame && frame < close && close < closed, "\(result.errors)")
        }

        @Test("a frame that breaks the protocol is shown with its clause and bytes before the connection is failed")
        func breach() throws {
            let server = try LoopbackServer {
                try $0.upgrade()
                try $0.send([0x83, 0x00])
                $0.hang()
            }
            let result = try run(["--frames", "ws://127.0.0.1:\(server.port)/"])
            let lines = frames(result.errors)
            #expect(lines.first == "< TIME (0x3) FIN 0 B RFC 6455, 5.2: opcode 3 is reserved 83 00", "\(result.errors)")
            #expect(lines.last?.hasPrefix("> TIME close FIN mask KEY") == true)
            #expect(result.errors.contains("wsline: RFC 6455, 5.2: opcode 3 is reserved: closed with 1002 (protocol error)\n"))
            #expect(result.status == 7)
        }

        @Test("fragments have their place, compressed ones both sizes")
        func fragments() throws {
            let server = try LoopbackServer {
                try $0.upgrade()
                try $0.send([0x01, 1, 0x61, 0x00, 1, 0x62, 0x89, 0, 0x80, 1, 0x63])
                $0.hang()
            }
            let lines = frames(try run(["--frames", "-1", "ws://127.0.0.1:\(server.port)/"], input: "").errors)
            #expect(
                lines.filter { $0.hasPrefix("<") } == [
                    "< TIME text 1/- --- 1 B a", "< TIME continuation 2/- --- 1 B b", "< TIME ping FIN 0 B",
                    "< TIME continuation 3/3 FIN 1 B c",
                ])
            let echo = try TestServer { socket in
                socket.onRequest = { [unowned socket] _ in socket.accept(deflate: PermessageDeflateSettings()) }
                socket.onMessage = { [unowned socket] kind, payload in payload.withUnsafeBytes { try? socket.send(kind, $0) } }
            }
            let text = String(repeating: "wsline ", count: 500)
            let compressed = frames(try run(["--frames", "-1", echo.url], input: text).errors)
            #expect(
                compressed[0].contains("> TIME text FIN RSV1 mask KEY") && compressed[0].contains(" > 3.5 kB wsline wsline"),
                "\(compressed)")
            #expect(compressed[1].hasPrefix("< TIME text FIN RSV1") && compressed[1].contains(" > 3.5 kB wsline wsline"), "\(compressed)")
        }

        @Test("a listener's frames have their client's number, an echo server's too", arguments: [[], ["--echo"]])
        func listener(options: [String]) throws {
            let listening = try Listening(["--frames"] + options)
            let client = try listening.client(["--no-deflate", "-w", options.isEmpty ? "0" : "-1"])
            try client.write("hello\n")
            if options.isEmpty { client.closeInput() }
            try listening.program.wait(for: .errors) { $0.contains(" text ") }
            if !options.isEmpty { try client.wait { $0 == "hello\n" } }
            #expect(try listening.end() == .exited(143))
            let lines = frames(listening.program.errorText)
            #expect(lines.first == "1 < TIME text FIN mask KEY 5 B hello", "\(lines)")
            if !options.isEmpty { #expect(lines.dropFirst().first == "1 > TIME text FIN 5 B hello", "\(lines)") }
            client.send(signal: 9)
        }

        @Test("a reader of standard error that is slow loses no frame, and the server waits for it")
        func slowReader() throws {
            let count = 20_000
            let server = try LoopbackServer {
                try $0.upgrade()
                for _ in 0..<count { try $0.send([0x82, 1, 0x07]) }
                try $0.send([0x88, 2, 0x03, 0xE8])
                $0.hang()
            }
            let program = try start(
                ["--frames", "-w", "-1", "ws://127.0.0.1:\(server.port)/"], output: .file("/dev/null"), errors: .unread)
            program.closeInput()
            // Nobody reads: the pipe is full, and nothing can move.
            program.read(.errors)
            let result = try finish(program, within: 60)
            #expect(frames(result.errors).filter { $0.hasPrefix("< TIME binary") }.count == count)
            #expect(!result.errors.contains("dropped"))
            #expect(result.peakMemory < 64 << 20)
        }

        @Test("no payload of any frame can break a line, or hold bytes that a terminal would obey")
        func hostilePipe() throws {
            let hostile = Array("\u{1b}]0;x\u{7}\n\u{9b}31m\r\u{202e}".utf8)
            let server = try LoopbackServer { connection in
                try connection.upgrade()
                for opcode: UInt8 in [1, 9, 10] { try connection.send([0x80 | opcode, UInt8(hostile.count)] + hostile) }
                try connection.send([0x88, UInt8(hostile.count + 2), 0x03, 0xE8] + hostile)
                connection.hang()
            }
            let errors = try run(["--frames", "ws://127.0.0.1:\(server.port)/"]).errors
            let shown = #"\x1b]0;x\x07\x0a\u{9b}31m\x0d\u{202e}"#
            let lines = frames(errors).filter { $0.hasPrefix("<") }
            #expect(lines.count == 4 && lines.allSatisfy { $0.hasSuffix(shown) }, "\(lines)")
            #expect(errors.unicodeScalars.allSatisfy { $0 == "\n" || $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) })
        }
    }
}
