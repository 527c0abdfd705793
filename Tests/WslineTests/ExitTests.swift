import Dispatch
import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline
import CPosix

extension ProgramTests {
    /// Each row of the table of exit statuses, provoked.
    @Suite
    struct ExitTests {
        @Test("1000, 1001 and a Close with no code are 0; what the server closes with beyond that is 10, and told")
        func closeCodes() throws {
            for code in [CloseCode.normal, .goingAway, nil] {
                let server = try closing(code)
                #expect(try run(["-w", "-1", server.url], input: "").status == 0, "\(String(describing: code))")
            }
            for code: UInt16 in [1002, 1011, 1013, 3000, 4999] {
                let server = try closing(CloseCode(code), reason: "because")
                let result = try run(["-w", "-1", server.url], input: "")
                #expect(result.status == 10)
                #expect(result.errors.contains("the server closed with \(code)") && result.errors.contains("because"), "\(result.errors)")
            }
        }

        @Test("--expect-close makes 0 of its code alone")
        func expectedClose() throws {
            let server = try closing(CloseCode(4001))
            #expect(try run(["--expect-close", "4001", "-w", "-1", server.url], input: "").status == 0)
            let other = try run(["--expect-close", "4002", "-w", "-1", server.url], input: "")
            #expect(other.status == 10)
            let normal = try closing(.normal)
            let unmet = try run(["--expect-close", "1011", "-w", "-1", normal.url], input: "")
            #expect(unmet.status == 8)
            #expect(unmet.errors.contains("closed with 1000 (normal closure), expected 1011"), "\(unmet.errors)")
            let losing = try TestServer { afterOpening($0) { $0.abort() } }
            #expect(try run(["--expect-close", "1006", "-w", "-1", losing.url], input: "").status == 0)
            #expect(try run(["--expect-close", "1006", "ws://127.0.0.1:1/"], input: "").status == 3, "it never was open")
        }

        @Test("A name that doesn't resolve is 2, a port where nobody listens 3")
        func unreachable() throws {
            let name = try run(["ws://wsline.invalid/"])
            #expect(name.status == 2)
            #expect(name.errors.hasPrefix("wsline: name lookup failed: can't resolve \"wsline.invalid\""), "\(name.errors)")
            let port = try run(["ws://127.0.0.1:1/"])
            #expect(port.status == 3)
            #expect(port.errors.hasPrefix("wsline: connect failed: can't connect to 127.0.0.1:1"), "\(port.errors)")
        }

        @Test("A certificate that nobody vouches for, or for another name, is 4; with --ca or -k all is well")
        func certificates() throws {
            let directory = try TemporaryDirectory()
            let authority = try Certificate.authority(in: directory)
            let good = try Certificate.localhost(issuer: authority, in: directory)
            let server = try TestServer.echo(tls: try context(good))
            let url = "wss://localhost:\(server.port)/"
            let untrusted = try run(["-1", url], input: "hi\n")
            #expect(untrusted.status == 4)
            #expect(untrusted.errors.hasPrefix("wsline: TLS failed: ") && untrusted.errors.contains("--ca"), "\(untrusted.errors)")
            #expect(try run(["-1", "--ca", authority.certificateFile, url], input: "hi\n").output == "hi\n")
            #expect(try run(["-1", "-k", url], input: "hi\n").output == "hi\n")
            let wrong = try Certificate(.init("other", names: ["DNS:other.example"]), issuer: authority, in: directory, as: "other")
            let misnamed = try TestServer.echo(tls: try context(wrong))
            let result = try run(["-1", "--ca", authority.certificateFile, "wss://localhost:\(misnamed.port)/"], input: "hi\n")
            #expect(result.status == 4)
            #expect(result.errors.contains("other.example"), "\(result.errors)")
        }

        @Test("A proxy that can't be reached, that wants a password, or that fails is 5")
        func proxies() throws {
            #expect(try run(["--proxy", "http://127.0.0.1:1", "ws://example.invalid/"]).status == 5)
            for (status, word) in [
                ("407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=x", "did not accept the user and password"),
                ("502 Bad Gateway", "502"),
            ] {
                let proxy = try LoopbackServer {
                    _ = try $0.receive(through: "\r\n\r\n")
                    try $0.send("HTTP/1.1 \(status)\r\nContent-Length: 0\r\n\r\n")
                }
                let result = try run(["--proxy", "http://me:s3cret@127.0.0.1:\(proxy.port)", "wss://example.invalid/"])
                #expect(result.status == 5)
                #expect(result.errors.hasPrefix("wsline: proxy failed: ") && result.errors.contains(word), "\(result.errors)")
                #expect(!result.errors.contains("s3cret"))
            }
        }

        @Test("A refusal is 6: stderr has the status line, the headers, the body and a verdict, but no credentials")
        func refusals() throws {
            let server = try LoopbackServer {
                _ = try $0.receive(through: "\r\n\r\n")
                try $0.send("HTTP/1.1 403 Forbidden\r\nX-Reason: no\r\nContent-Length: 9\r\n\r\nKeep out\n")
            }
            for options in [[], ["-v"]] {
                let result = try run(options + ["--auth", "me:pa55word", server.url])
                #expect(result.status == 6)
                #expect(result.output.isEmpty)
                #expect(result.errors.contains("< HTTP/1.1 403 Forbidden\n< X-Reason: no\n"), "\(result.errors)")
                #expect(result.errors.contains("< Keep out\n"))
                #expect(result.errors.contains("\nwsline: HTTP failed: HTTP 403"))
                #expect(!result.errors.contains("pa55word") && !result.errors.contains("bWU6"))
            }
            let wrong = try LoopbackServer {
                try $0.upgrade(accept: "nonsense")
                $0.hang()
            }
            let result = try run([wrong.url])
            #expect(result.status == 6)
            #expect(result.errors.contains("Sec-WebSocket-Accept is \"nonsense\", expected"), "\(result.errors)")
        }

        @Test("A body of any length is shown up to 4 KiB")
        func longBody() throws {
            let server = try LoopbackServer {
                _ = try $0.receive(through: "\r\n\r\n")
                try $0.send("HTTP/1.1 500 Oops\r\n\r\n" + String(repeating: "x", count: 100_000))
            }
            let result = try run([server.url])
            #expect(result.status == 6)
            #expect(result.errors.contains("only the first 4096 bytes are shown"), "\(result.errors.suffix(300))")
            #expect(result.errors.utf8.count < 5000)
        }

        @Test("A breach of the protocol is 7 and is answered with 1002")
        func breach() throws {
            let answers = Gathered<[UInt8]>()
            let server = try LoopbackServer {
                try $0.upgrade()
                try $0.sendFrame(0x0B)
                answers.append(try $0.receive(exactly: 2 + 4))
                $0.hang()
            }
            let result = try run([server.url])
            #expect(result.status == 7)
            let frame = try answers.first(1)[0]
            #expect(frame[0] == 0x88)
            #expect(result.errors.contains("1002"), "\(result.errors)")
        }

        @Test("A message past --max-message, which is a limit of ours, is 1 and is answered with 1009")
        func tooBig() throws {
            let answers = Gathered<[UInt8]>()
            let server = try LoopbackServer {
                try $0.upgrade()
                try $0.send([0x81, 126, 0x04, 0x01] + [UInt8](repeating: 0x61, count: 1025))
                answers.append(try $0.receive(exactly: 2 + 4))
                $0.hang()
            }
            let result = try run(["--max-message", "1K", server.url])
            #expect(result.status == 1)
            #expect(try answers.first(1)[0][0] == 0x88)
            #expect(result.output.isEmpty)
            #expect(result.errors.contains("larger than the limit of 1024 bytes: closed with 1009"), "\(result.errors)")
        }

        @Test("A connect, a TLS handshake or an answer that takes too long is 8")
        func timeouts() throws {
            let silent = try LoopbackServer { $0.hang() }
            let http = try run(["--connect-timeout", "0.3", silent.url])
            #expect(http.status == 8)
            #expect(try run(["--connect-timeout", "0.3", "wss://127.0.0.1:\(silent.port)/"]).status == 8)
            let slow = try LoopbackServer { connection in
                _ = try connection.receive(through: "\r\n\r\n")
                for byte in "HTTP/1.1 101 Switching Protocols\r\nX-Slow: \(String(repeating: "x", count: 4000))".utf8 {
                    try connection.send([byte])
                    usleep(20_000)
                }
            }
            let trickle = try run(["--connect-timeout", "0.5", slow.url])
            #expect(trickle.status == 8 && trickle.duration < 4)
            let endless = try LoopbackServer { connection in
                _ = try connection.receive(through: "\r\n\r\n")
                try connection.send("HTTP/1.1 101 Switching Protocols\r\n")
                while true { try connection.send("X-More: and more and more\r\n") }
            }
            #expect(try run([endless.url]).status == 6)
        }

        @Test("A connection that ends with no Close is 9")
        func lost() throws {
            for resets in [true, false] {
                let server = try LoopbackServer {
                    try $0.upgrade()
                    try $0.sendFrame(1, Array("hi".utf8))
                    if resets { $0.resetOnClose() }
                }
                let result = try run([server.url])
                #expect(result.status == 9)
                #expect(resets || result.output == "hi\n")
            }
        }

        @Test("A server that answers no Close, or answers it and never ends the stream, is waited for as long as --close-timeout says")
        func neverClosing() throws {
            let deaf = try LoopbackServer {
                try $0.upgrade()
                $0.hang()
            }
            let result = try run(["-w", "0", "--close-timeout", "0.3", deaf.url], input: "")
            #expect(result.status == 9 && result.duration < 4)
            let lingering = try LoopbackServer {
                try $0.upgrade()
                _ = try $0.receive(exactly: 8)
                try $0.sendFrame(8, [0x03, 0xE8])
                $0.hang()
            }
            let lingered = try run(["-w", "0", "--close-timeout", "0.3", lingering.url], input: "")
            #expect(lingered.status == 0 && lingered.duration < 4)
            let talking = try LoopbackServer {
                try $0.upgrade()
                while true {
                    try $0.sendFrame(1, [0x61])
                    usleep(20_000)
                }
            }
            let talked = try run(["-w", "0", "--close-timeout", "0.5", talking.url], input: "")
            #expect(talked.status == 9 && talked.duration < 4)
        }

        @Test("Usage is 64, bad input 65, a full disk 74")
        func local() throws {
            #expect(try run(["--nonsense", "ws://localhost/"]).status == 64)
            #expect(try run([]).status == 64)
            let server = try TestServer.echo()
            #expect(try run([server.url], bytes: [0xFF, 0x0A]).status == 65)
            #expect(try run(["--send-as", "hex", "-x", "zz", server.url]).status == 65)
            let full = try run(["-1", server.url], input: "hi\n", output: .file("/dev/full"))
            #expect(full.status == 74)
            #expect(full.errors.contains("can't write to standard output: no space left on device"), "\(full.errors)")
            #expect(try run(["--save", "/nonexistent/file", server.url], input: "").status == 74)
            #expect(try run(["--cert", "/nonexistent.pem", "wss://localhost:\(server.port)/"], input: "").status == 74)
        }

        @Test("A file that reaches its limit is 74, and holds the messages that fit, whole")
        func fileLimit() throws {
            let server = try TestServer { socket in
                afterOpening(socket) { socket in
                    for byte: UInt8 in 1...3 { try? [UInt8](repeating: byte, count: 600).withUnsafeBytes { try socket.send(.binary, $0) } }
                }
            }
            let directory = try TemporaryDirectory()
            let path = directory.file("out.bin")
            let wsline = try PseudoTerminal.builtProduct("wsline")
            // ThreadSanitizer maps a temporary file that is larger than that, if there is a place for one.
            let program = try RunningProcess(
                "/bin/bash", ["-c", "ulimit -f 1; exec \"$0\" \"$@\"", wsline, "--save", path, server.url],
                environment: PseudoTerminal.standardEnvironment.merging(["TMPDIR": "/nonexistent"]) { $1 })
            let result = try finish(program)
            #expect(result.status == 74)
            #expect(result.errors == "saved 600 bytes to \(path)\nwsline: can't write to \"\(path)\": file too large\n")
            var status = stat()
            #expect(stat(path, &status) == 0 && status.st_size == 600)
        }

        @Test("SIGINT, SIGTERM and SIGHUP send Close 1001 and give 130, 143 and 129", arguments: [SIGINT, SIGTERM, SIGHUP])
        func signals(signal: Int32) throws {
            let seen = Gathered<String>()
            let server = try recorder(seen) { try? $0.send("ready") }
            let program = try start([server.url])
            try program.wait { $0 == "ready\n" }
            program.send(signal: signal)
            let result = try finish(program)
            #expect(result.status == 128 + signal)
            #expect(try seen.first(1) == ["closed 1001"])
        }

        @Test("A signal is obeyed within about a second whatever the server does")
        func stubborn() throws {
            let deaf = try LoopbackServer {
                try $0.upgrade()
                try $0.sendFrame(1, Array("ready".utf8))
                $0.hang()
            }
            let program = try start([deaf.url])
            try program.wait { $0 == "ready\n" }
            let begin = DispatchTime.now()
            program.send(signal: SIGTERM)
            let result = try finish(program, since: begin)
            #expect(result.status == 143 && result.duration < 3)
        }

        private func closing(_ code: CloseCode?, reason: String = "") throws -> TestServer {
            try TestServer { afterOpening($0) { try? $0.close(code, reason: reason) } }
        }
    }
}
