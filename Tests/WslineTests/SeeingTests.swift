import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

extension ProgramTests {
    /// What the program says of a connection: heads, credentials, settings, round trips.
    @Suite
    struct SeeingTests {
        // MARK: Credentials

        /// Repeats the request's target in a header of the answer, then sends it as a message.
        private func repeater(status: Int = 101) throws -> TestServer {
            try TestServer(accepts: false) { socket in
                socket.onRequest = { [unowned socket] handshake in
                    let field = [try? HTTPHeaders.Field(name: "X-You", value: handshake.request.target)].compactMap(\.self)
                    if status == 101 {
                        socket.accept(headers: field)
                        try? socket.send(handshake.request.target)
                    } else {
                        socket.reject(status: status, reason: "No", headers: field, body: "for \(handshake.request.target)\n")
                    }
                }
            }
        }

        @Test("A query's credentials are *** in -v, in /status, in /headers and in the event of the opening, in names of any spelling")
        func masked() throws {
            let server = try repeater()
            let url = server.url + "feed?room=7&access_token=abcdefg&%61piKey=hijklmn&monkey=9"
            let shown = "feed?room=7&access_token=***&%61piKey=***&monkey=9"
            let result = try run(["-v", "--slash", "-1", url], input: "/status\n/headers\n")
            #expect(result.output == "/feed?room=7&access_token=abcdefg&%61piKey=hijklmn&monkey=9\n", "messages are never masked")
            #expect(!result.errors.contains("abcdefg") && !result.errors.contains("hijklmn"), "\(result.errors)")
            #expect(result.errors.matches(of: #/> GET /feed\S+monkey=9 HTTP/1.1\n/#).count == 2, "\(result.errors)")
            #expect(result.errors.matches(of: #/< X-You: /feed\?room=7&access_token=\*\*\*&/#).count == 2, "\(result.errors)")
            #expect(result.errors.contains("\(server.url)\(shown)\n"), "\(result.errors)")
            let json = try run(["--json", "-1", url])
            #expect(
                json.output.contains(#""url":"\#(server.url)\#(shown)""#) && json.output.contains(#"["X-You","/\#(shown)"]"#),
                "\(json.output)")
        }

        @Test("--show-credentials shows them all: headers, user and password, query")
        func shown() throws {
            let server = try repeater()
            let url = "ws://me:pass%3Aword@127.0.0.1:\(server.port)/?token=abcdefg"
            let options = ["--show-credentials", "-H", "Cookie: c=1"]
            let result = try run(options + ["-v", "--slash", "-1", url], input: "/status\n")
            for line in [
                "> GET /?token=abcdefg HTTP/1.1", "> Cookie: c=1", "> Authorization: Basic bWU6cGFzczp3b3Jk", "< X-You: /?token=abcdefg",
            ] {
                #expect(result.errors.contains(line + "\n"), "\(result.errors)")
            }
            #expect(result.errors.contains("\(url)\n"), "\(result.errors)")
            let json = try run(options + ["--json", "-1", url])
            #expect(json.output.contains(#""url":"\#(url)""#) && json.output.contains(#"["X-You","/?token=abcdefg"]"#), "\(json.output)")
        }

        @Test("A refusal's head and body, and a redirect, hide a query's credentials")
        func refused() throws {
            let server = try repeater(status: 403)
            let result = try run([server.url + "?ticket=abcdefg"])
            #expect(result.errors.contains("< X-You: /?ticket=***\n") && result.errors.contains("< for /?ticket=***\n"), "\(result.errors)")
            #expect(try run(["--show-credentials", server.url + "?ticket=abcdefg"]).errors.contains("< for /?ticket=abcdefg\n"))
            let redirecting = try TestServer(accepts: false) { socket in
                socket.onRequest = { [unowned socket] handshake in
                    if handshake.request.target.hasPrefix("/?") { return socket.accept() }
                    let field = try? HTTPHeaders.Field(name: "Location", value: "/?code=abcdefg&state=7")
                    socket.reject(status: 302, reason: "Found", headers: [field].compactMap(\.self), body: "")
                }
            }
            let followed = try run(["-L", "-w", "0", redirecting.url], input: "")
            #expect(followed.errors == "redirected to \(redirecting.url)?code=***&state=7\n")
            let given = try run(["-L", "-w", "0", "--show-credentials", redirecting.url], input: "")
            #expect(given.errors == "redirected to \(redirecting.url)?code=abcdefg&state=7\n")
            let stayed = try run([redirecting.url], input: "")
            #expect(!stayed.errors.contains("abcdefg"), "\(stayed.errors)")
        }

        @Test("A URL that can't be used is quoted without its credentials")
        func usage() throws {
            let fragment = try run(["ws://h/#access_token=abcdefg"])
            #expect(fragment.status == 64 && fragment.errors.contains("#access_token=***") && !fragment.errors.contains("abcdefg"))
            let two = try run(["ws://h/?key=abcdefg", "ws://h/"])
            #expect(two.status == 64 && two.errors.contains("?key=***") && !two.errors.contains("abcdefg"), "\(two.errors)")
        }

        @Test("A listener hides the credentials of its clients' requests, and shows them when it is to")
        func listener() throws {
            for shows in [false, true] {
                let server = try Listening(["-v", "--json"] + (shows ? ["--show-credentials"] : []))
                let client = try RunningProcess(
                    try PseudoTerminal.builtProduct("wsline"), ["-w", "0", "-H", "Cookie: c=hijklmn", server.url + "?token=abcdefg"])
                client.closeInput()
                #expect(try client.waitForExit().status == .exited(0))
                try server.program.wait(for: .output) { $0.contains("\"close\"") }
                _ = try server.end()
                let all = server.program.outputText + server.program.errorText
                #expect(all.contains("abcdefg") == shows && all.contains("hijklmn") == shows, "\(all)")
                #expect(all.contains("(path /?token=\(shows ? "abcdefg" : "***"))"), "\(all)")
            }
        }

        // MARK: Settings

        @Test("/set changes pings, the size of messages and what is said, on the connection that is open")
        func settings() throws {
            let pings = Gathered<Int>()
            let server = try TestServer { socket in
                socket.onPing = { _ in pings.append(1) }
                socket.onMessage = { [unowned socket] _, payload in payload.withUnsafeBytes { try? socket.send(.text, $0) } }
            }
            let program = try start(["--slash", "-w", "-1", server.url])
            try program.write("/set ping-interval 0.05\n")
            try pings.first(3)
            try program.write("/set ping-interval off\n/set max-message 4\n/set verbose on\nfive!\n")
            let result = try finish(program)
            #expect(result.status == 1, "\(result.errors)")
            #expect(result.errors.contains("ping-interval  0.05\nping-interval  off\nmax-message  4\nverbose  on\n"), "\(result.errors)")
            #expect(result.errors.contains("\n* received 0 messages "), "what -v shows: \(result.errors)")
            #expect(result.errors.contains("* round trips: "), "\(result.errors)")
        }

        @Test("A value that is wrong is 65 in a pipe, with what may be")
        func wrongSetting() throws {
            let server = try TestServer.echo()
            let result = try run(["--slash", server.url], input: "/set send-as octal\n")
            #expect(result.status == 65)
            #expect(result.errors.contains("/set: send-as \"octal\" must be one of text, binary, hex or base64"), "\(result.errors)")
        }

        // MARK: Round trips

        @Test("The next line waits for the last pong of /ping -c, which sends one ping a second and sums up")
        func series() throws {
            let seen = Gathered<String>()
            let server = try TestServer { socket in
                socket.onPing = { seen.append("ping \($0.withUnsafeBytes { String(decoding: $0, as: UTF8.self) })") }
                socket.onMessage = { [unowned socket] _, payload in
                    seen.append("message")
                    payload.withUnsafeBytes { try? socket.send(.text, $0) }
                }
            }
            let result = try run(["--slash", "-w", "0", server.url], input: "/ping -c 3 hey\nafter\n")
            #expect(result.status == 0)
            #expect(seen.all == ["ping hey", "ping hey", "ping hey", "message"])
            #expect(result.errors.matches(of: #/pong after [0-9.]+ ms\n/#).count == 3, "\(result.errors)")
            #expect(result.errors.contains(#/\n3 pings, 0 lost: min [0-9.]+ ms, median [0-9.]+ ms, p99 [0-9.]+ ms, max [0-9.]+ ms\n/#))
            #expect(result.duration > 2)
        }

        @Test("-v sums up the round trips of --ping-interval, and counts the pings that were never answered")
        func totals() throws {
            let server = try TestServer.echo()
            let program = try start(["-v", "-P", "--ping-interval", "0.05", server.url])
            try program.wait(for: .errors) { $0.matches(of: #/\npong "[^"]*" after /#).count >= 3 }
            program.closeInput()
            let result = try finish(program)
            #expect(
                result.errors.contains(
                    #/\n\* round trips: [0-9]+ \(min [0-9.]+ ms, median [0-9.]+ ms, p99 [0-9.]+ ms, max [0-9.]+ ms\), [01] lost\n/#),
                "\(result.errors)")
            let silent = try LoopbackServer { connection in
                try connection.upgrade()
                for _ in 0..<3 where try connection.receiveFrame().opcode != 9 { throw TestFailure("no ping") }
                try connection.sendFrame(8, [3, 232])
                _ = try? connection.receiveFrame()
            }
            let lost = try run(["-v", "--ping-interval", "0.05", silent.url])
            #expect(lost.errors.contains(#/\n\* round trips: 0, [3-9] lost\n/#), "\(lost.errors)")
        }

        @Test("A listener pings all its clients, and its totals are theirs together")
        func listenerTotals() throws {
            let server = try Listening(["-v", "-P", "--ping-interval", "0.05"])
            let clients = try (0..<2).map { _ in try server.client() }
            try server.waitForClients(2)
            try server.program.wait(for: .errors) { $0.matches(of: #/\npong "[^"]*" after /#).count >= 4 }
            _ = try server.end()
            for client in clients { _ = try client.waitForExit() }
            #expect(server.program.errorText.contains(#/\n\* round trips: [0-9]+ \(min /#), "\(server.program.errorText)")
        }
    }
}
