import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

extension ProgramTests {
    /// What standard error says where the opening handshake fails.
    @Suite struct RefusalTests {
        /// Runs against a server that answers each request so, and ends the stream.
        private func refused(_ options: [String] = [], by answer: some Sequence<UInt8>) throws -> Finished {
            let answer = Array(answer)
            let server = try LoopbackServer {
                _ = try $0.receive(through: "\r\n\r\n")
                try $0.send(answer)
            }
            return try withExtendedLifetime(server) { try run(options + [server.url]) }
        }

        private func refused(_ options: [String] = [], by answer: String) throws -> Finished { try refused(options, by: answer.utf8) }

        /// Answers each request with itself: its lines in a header and in the body.
        private func reflecting(_ status: String, _ headers: String = "") throws -> LoopbackServer {
            try LoopbackServer {
                let request = String(decoding: try $0.receive(through: "\r\n\r\n"), as: UTF8.self)
                let line = request.split(separator: "\r\n").first { $0.hasPrefix("Cookie") } ?? ""
                try $0.send("HTTP/1.1 \(status)\r\nX-Debug: \(line)\r\n\(headers)\r\n\(request)")
            }
        }

        // MARK: TLS and none

        private static let tlsServers: [[UInt8]] = [
            // Go, nginx, Apache and Tomcat, as they answer; then a fatal TLS alert.
            Array("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n".utf8),
            Array(
                ("HTTP/1.1 400 Bad Request\r\nServer: nginx/1.22.1\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
                    + "<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\r\n</html>\r\n").utf8),
            Array(
                ("HTTP/1.1 400 Bad Request\r\n\r\n<p>Your browser sent a request that this server could not understand.<br />\n"
                    + "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />\n").utf8),
            Array("HTTP/1.1 400 \r\n\r\nBad Request\r\nThis combination of host and port requires TLS.\r\n".utf8),
            [0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x28],
            [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x0a],
        ]

        @Test("A TLS server that answers ws:// is named, with the way out, and is status 4", arguments: tlsServers)
        func tlsServer(answer: [UInt8]) throws {
            let result = try refused(by: answer)
            #expect(result.status == 4)
            #expect(
                result.errors.hasSuffix("wsline: TLS failed: the server speaks TLS on this port: try wss://\n"), "\(result.errors)")
            #expect(!result.errors.contains("subprotocol"))
            let json = try refused(["--json"], by: answer)
            #expect(json.output.contains(#""stage":"tls""#) && json.output.contains(#""exit":4"#), "\(json.output)")
        }

        @Test("A TLS server that hangs up on ws:// may be one: the verdict says so")
        func silentTLSServer() throws {
            let directory = try TemporaryDirectory()
            let certificate = try Certificate.localhost(issuer: try Certificate.authority(in: directory), in: directory)
            let server = try TestServer.echo(tls: try context(certificate))
            let result = try run([server.url])
            #expect(result.status == 6)
            #expect(result.errors.hasSuffix(": the server may speak TLS on this port: try wss://\n"), "\(result.errors)")
        }

        @Test("Over wss the same words come from behind the server, and are a refusal like any other")
        func tlsWordsOverTLS() throws {
            let directory = try TemporaryDirectory()
            let certificate = try Certificate.localhost(issuer: try Certificate.authority(in: directory), in: directory)
            let server = try TestServer(tls: try context(certificate), accepts: false) { socket in
                socket.onRequest = { [unowned socket] _ in
                    socket.reject(status: 400, reason: "Bad Request", body: "Client sent an HTTP request to an HTTPS server.\n")
                }
            }
            let result = try run(["-k", "wss://127.0.0.1:\(server.port)/"])
            #expect(result.status == 6)
            #expect(!result.errors.contains("wss://"), "\(result.errors)")
        }

        @Test("A server without TLS met with wss:// is named, and is status 4")
        func plainServer() throws {
            let talking = try LoopbackServer {
                _ = try $0.receive()
                try $0.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            }
            let result = try run(["-k", "wss://127.0.0.1:\(talking.port)/"])
            #expect(result.status == 4)
            #expect(result.errors.hasSuffix(": the server does not speak TLS on this port: try ws://\n"), "\(result.errors)")
            let silent = try LoopbackServer { _ = try $0.receive() }
            let closed = try run(["-k", "wss://127.0.0.1:\(silent.port)/"])
            #expect(closed.status == 4)
            #expect(closed.errors.hasSuffix(": the server may not speak TLS on this port: try ws://\n"), "\(closed.errors)")
        }

        // MARK: What isn't HTTP

        @Test(
            "An answer that isn't HTTP is shown, escaped, with a caret under its first wrong byte",
            arguments: [
                (
                    "SSH-2.0-OpenSSH_9.2\r\n", "< SSH-2.0-OpenSSH_9.2\\r\\n\n  ^\n",
                    #"found "S" at byte 1: this port does not speak HTTP"#
                ),
                (
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade : websocket\r\nX: \u{1b}[2J\\\r\n\r\n",
                    "< HTTP/1.1 101 Switching Protocols\\r\\n\n< Upgrade : websocket\\r\\n\n         ^\n< X: \\x1b[2J\\\\\\r\\n\n< \\r\\n\n",
                    "a header name is followed by a blank at byte 42, where only a colon may stand"
                ),
                (
                    "HTTP/1.1 101 ok\r\nUpgrade websocket\nConnection: Upgrade\r\n",
                    "< HTTP/1.1 101 ok\\r\\n\n< Upgrade websocket\\n\n         ^\n< Connection: Upgrade\\r\\n\n",
                    "a header name is followed by a blank at byte 25"
                ),
                (
                    "HTTP/1.1 101 ok\r\nUpgrade\r\n\r\n", "< HTTP/1.1 101 ok\\r\\n\n< Upgrade\\r\\n\n         ^\n< \\r\\n\n",
                    "a header line ends at byte 25 without a colon"
                ),
                ("HTTP/1.1 101 ok\n\n", "< HTTP/1.1 101 ok\\n\n                 ^\n< \\n\n", "a line ends in a line feed alone at byte 16"),
                (
                    "HTTP/1.1 101 Swi", "< HTTP/1.1 101 Swi\n                  ^\n",
                    "the connection was closed inside the HTTP head, after 16 bytes"
                ),
                (
                    "HTTP/1.1 101 ok\r\nUpgrade: websocket\r\n",
                    "< HTTP/1.1 101 ok\\r\\n\n< Upgrade: websocket\\r\\n\n< \n  ^\n", "closed inside the HTTP head, after 37 bytes"
                ),
            ])
        func malformed(answer: String, shown: String, verdict: String) throws {
            for options in [[], ["-v"]] {
                let result = try refused(options, by: answer)
                #expect(result.status == 6)
                #expect(result.errors.contains(shown + "wsline: HTTP failed: "), "\(result.errors)")
                #expect(result.errors.contains(verdict), "\(result.errors)")
            }
        }

        @Test("Of an answer that isn't HTTP 4 KiB are shown, the wrong byte among them, on lines that fit a terminal")
        func longMalformed() throws {
            let endless = try refused(by: [UInt8](repeating: 0x80, count: 100_000))
            #expect(endless.status == 6)
            #expect(endless.errors.matches(of: /\\x80/).count == 4096)
            #expect(endless.errors.contains("only 4096 bytes are shown"))
            let lines = endless.errors.split(separator: "\n").dropLast()
            #expect(lines.allSatisfy { $0.count <= 80 })
            let head = "HTTP/1.1 200 OK\r\n" + (0..<300).map { "X-\($0): a header that is long enough\r\n" }.prefix(120).joined()
            let late = try refused(by: head + "X-Bad\r\n\r\n")
            #expect(late.errors.contains("< X-Bad\\r\\n\n       ^\n< \\r\\n\n"), "\(late.errors)")
            #expect(!late.errors.contains("< X-0:") && late.errors.utf8.count < 6000)
        }

        @Test("A server that sends something else and waits isn't waited for")
        func talkative() throws {
            let server = try LoopbackServer {
                try $0.send("220 mail.example ESMTP\r\n")
                $0.hang()
            }
            let result = try run([server.url], within: 10)
            #expect(result.status == 6)
            #expect(result.errors.contains("< 220 mail.example ESMTP\\r\\n\n  ^\n"), "\(result.errors)")
        }

        @Test("A 101 that isn't HTTP/1.1 is refused", arguments: ["HTTP/2.0", "HTTP/1.0", "HTTP/3.1", "HTTP/0.9"])
        func wrongVersion(version: String) throws {
            let server = try LoopbackServer {
                let request = String(decoding: try $0.receive(through: "\r\n\r\n"), as: UTF8.self)
                let line = request.split(separator: "\r\n").first { $0.hasPrefix("Sec-WebSocket-Key:") } ?? ""
                let key = try HandshakeKey(Base64.decode(String(line.split(separator: " ").last ?? "")))
                try $0.send(
                    "\(version) 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        + "Sec-WebSocket-Accept: \(key?.acceptValue ?? "")\r\n\r\n")
                $0.hang()
            }
            let result = try run([server.url], input: "")
            #expect(result.status == 6)
            #expect(result.errors.contains("the server answered in \(version), expected HTTP/1.1"), "\(result.errors)")
        }

        @Test("Interim responses are passed over, but not without end")
        func interim() throws {
            let hint = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
            let few = try LoopbackServer {
                try $0.send(String(repeating: hint, count: 20))
                try $0.upgrade()
                try $0.sendFrame(1, Array("hi".utf8))
                $0.hang()
            }
            #expect(try run(["-1", "--close-timeout", "0.2", few.url]).output == "hi\n")
            let many = try refused(by: String(repeating: hint, count: 1000))
            #expect(many.status == 6)
            #expect(
                many.errors.hasSuffix(
                    "wsline: HTTP failed: the server sent more than 20 interim responses (1xx, the last HTTP 103) and no final one\n"),
                "\(many.errors)")
        }

        // MARK: Bodies

        @Test("A blank line stands between a refusal's headers and its body, whether -v showed them or not")
        func blankLine() throws {
            for options in [[], ["-v"]] {
                let body = try refused(options, by: "HTTP/1.1 403 Forbidden\r\nX-Reason: no\r\n\r\nKeep out\n")
                #expect(body.errors.contains("< X-Reason: no\n") && body.errors.contains("\n< \n< Keep out\nwsline: "), "\(body.errors)")
                let none = try refused(options, by: "HTTP/1.1 403 Forbidden\r\nX-Reason: no\r\nContent-Length: 0\r\n\r\n")
                #expect(!none.errors.contains("\n< \n"), "\(none.errors)")
            }
        }

        @Test("A chunked body is shown without its chunks, and its last chunk ends it")
        func chunked() throws {
            let head = "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n"
            let server = try LoopbackServer {
                _ = try $0.receive(through: "\r\n\r\n")
                try $0.send(head + "5;ext=\"a\"\r\nKeep \r\n00004\r\nout\n\r\n")
                try $0.send("0\r\nX-Trailer: t\r\n\r\n")
                $0.hang()
            }
            let result = try run([server.url])
            #expect(result.errors.contains("\n< \n< Keep out\nwsline: HTTP failed: HTTP 403"), "\(result.errors)")
            let long = String(repeating: "3e8\r\n" + String(repeating: "x", count: 1000) + "\r\n", count: 50)
            let cut = try refused(by: head + long)
            #expect(cut.errors.contains("only the first 4096 bytes are shown") && !cut.errors.contains("3e8"), "\(cut.errors.suffix(300))")
            let wrong = try refused(by: head + "4\r\ngood\r\nwrong chunks\n")
            #expect(wrong.errors.contains("< goodwrong chunks\n"), "\(wrong.errors)")
        }

        // MARK: Credentials

        @Test("Credentials that a refusal reflects are masked in its head, its body and the verdict")
        func reflected() throws {
            let secrets = ["dTpwYXNzd29yZA", "u:password", "sessiontoken", "id=x1", "s3cret-token-of-ours"]
            for (options, status) in [
                (["--auth", "u:password", "-H", "Cookie: id=x1; s=sessiontoken"], "403 Forbidden"),
                (["--bearer", "s3cret-token-of-ours", "-H", "Cookie: s=sessiontoken"], "500 sessiontoken is wrong"),
                (["-H", "authorization: Custom s3cret-token-of-ours", "-H", "cookie: id=x1; s=sessiontoken"], "403 Forbidden"),
            ] {
                for more in [[], ["-v"]] {
                    let server = try reflecting(status, "Set-Cookie: new=set-by-server; Path=/\r\n")
                    let result = try run(options + more + [server.url])
                    #expect(result.status == 6)
                    #expect(result.errors.lowercased().contains("< authorization: ***\n"), "\(result.errors)")
                    #expect(result.errors.lowercased().contains("< cookie: ***\n"), "\(result.errors)")
                    #expect(result.errors.contains("< X-Debug: "), "\(result.errors)")
                    #expect(result.errors.contains("< Set-Cookie: ***\n"), "\(result.errors)")
                    for secret in secrets + ["set-by-server"] { #expect(!result.errors.contains(secret), "\(secret): \(result.errors)") }
                }
            }
            let token = String(repeating: "0123456789", count: 20)
            let location = "HTTP/1.1 302 Found\r\nLocation: /login?token=\(token)\r\n\r\n"
            let result = try refused(["--bearer", token, "--json"], by: location)
            #expect(result.status == 6)
            #expect(result.errors.contains("redirects to \"/login?token=***\"") && !result.errors.contains("012345"), "\(result.errors)")
            #expect(!result.output.contains("012345"), "\(result.output)")
        }

        @Test("A secret that a body or a broken answer is cut within is masked too")
        func reflectedAtTheCut() throws {
            let token = "s3cret-token-of-ours"
            let filler = String(repeating: "x", count: 4090)
            for answer in ["HTTP/1.1 403 No\r\n\r\n\(filler)\(token)", "\(filler)\(token) and more"] {
                let result = try refused(["--bearer", token], by: answer)
                #expect(result.status == 6)
                #expect(result.errors.contains("x***\n") && !result.errors.contains("s3cret"), "\(result.errors.suffix(300))")
            }
            let broken = try refused(["--bearer", token], by: "HTTP/1.1 403 No\r\nYou: \(token)\r\nX\r\n\r\n")
            #expect(broken.errors.contains("< You: ***\\r\\n\n< X\\r\\n\n   ^\n"), "\(broken.errors)")
        }

        @Test("A message is never masked, and -v masks what the head of a 101 reflects")
        func messages() throws {
            let token = "s3cret-token-of-ours"
            let server = try LoopbackServer {
                try $0.upgrade("X-You: \(token)\r\nSet-Cookie: a=b\r\n")
                try $0.sendFrame(1, Array(token.utf8))
                $0.hang()
            }
            let copies = ["-H", "X-Copy: \(token)", server.url + "?token=\(token)"]
            let result = try run(["-v", "-1", "--close-timeout", "0.2", "--bearer", token] + copies)
            #expect(result.output == token + "\n")
            #expect(result.errors.contains("> GET /?token=*** HTTP/1.1\n") && result.errors.contains("> X-Copy: ***\n"), "\(result.errors)")
            #expect(result.errors.contains("< X-You: ***\n< Set-Cookie: ***\n") && !result.errors.contains(token), "\(result.errors)")
            let json = try run(["--json", "-1", "--close-timeout", "0.2", "--bearer", token, server.url])
            #expect(json.output.contains(#"["X-You","***"],["Set-Cookie","***"]"#), "\(json.output)")
            #expect(json.output.contains(#""text":"\#(token)""#), "\(json.output)")
        }
    }
}
