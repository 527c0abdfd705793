import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@testable import wsline

extension ProgramTests {
    @Suite
    struct ReconnectTests {
        @Test("A server that comes back on its port gets the lines that came meanwhile, and -x again")
        func restart() throws {
            let seen = Gathered<String>()
            var server: TestServer? = try recorder(seen)
            let (port, url) = try (#require(server?.port), #require(server?.url))
            let program = try start(["--reconnect", "-w", "0", url])
            try program.write("before\n")
            try seen.first(1)
            server?.stop()
            server = nil
            try program.wait(for: .errors) { $0.contains("reconnecting in") }
            try program.write("meanwhile 1\nmeanwhile 2\n")
            program.closeInput()
            let again = Gathered<String>()
            let second = try recorder(again, port: port)
            let result = try finish(program)
            #expect(try again.first(3) == ["meanwhile 1", "meanwhile 2", "closed 1000"])
            #expect(result.status == 0)
            second.stop()
        }

        @Test("-x is sent again on each connection")
        func executeAgain() throws {
            let seen = Gathered<String>()
            let server = try TestServer { socket in
                socket.onMessage = { [unowned socket] _, payload in
                    seen.append(payload.withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
                    if seen.all.count < 3 { try? socket.close(.serviceRestart) } else { try? socket.send("welcome") }
                }
            }
            let result = try run(["--reconnect", "-x", "hello", "-1", server.url])
            #expect(result.status == 0 && result.output == "welcome\n")
            #expect(seen.all == ["hello", "hello", "hello"])
        }

        @Test("--reconnect N gives up after N attempts in a row, with the status of the last")
        func givesUp() throws {
            let result = try run(["--reconnect", "2", "ws://127.0.0.1:1/"])
            #expect(result.status == 3)
            #expect(result.errors.contains("(attempt 2)") && !result.errors.contains("(attempt 3)"))
            #expect(result.errors.hasSuffix("wsline: gave up after 2 attempts to reconnect\n"), "\(result.errors)")
        }

        @Test("What is refused for good is not tried again")
        func refused() throws {
            for (status, attempts) in [("404 Not Found", 1), ("503 Service Unavailable", 2)] {
                let asked = Gathered<Int>()
                let server = try LoopbackServer {
                    _ = try $0.receive(through: "\r\n\r\n")
                    asked.append(1)
                    try $0.send("HTTP/1.1 \(status)\r\nContent-Length: 0\r\n\r\n")
                }
                #expect(try run(["--reconnect", "1", server.url]).status == 6)
                #expect(asked.all.count == attempts, "\(status)")
            }
            let normal = try TestServer { afterOpening($0) { try? $0.close() } }
            #expect(try run(["--reconnect", normal.url]).status == 0)
        }

        @Test("What may be lost with the connection is counted")
        func losses() throws {
            let server = try LoopbackServer {
                try $0.upgrade()
                _ = try $0.receive(exactly: 3 * (6 + 3))
                $0.resetOnClose()
            }
            let program = try start([server.url])
            try program.write("one\ntwo\nsix\n")
            let result = try finish(program)
            #expect(result.status == 9)
            #expect(result.errors.contains("may be lost: 3 messages sent since anything last came from the server"), "\(result.errors)")
        }

        @Test("A server that answers no ping in time is a timeout, and with --reconnect another connection")
        func pings() throws {
            let connections = Gathered<Int>()
            let server = try LoopbackServer {
                try $0.upgrade()
                connections.append(1)
                $0.hang()
            }
            let options = ["--ping-interval", "0.1", "--ping-timeout", "0.2", "--close-timeout", "0.2"]
            let result = try run(options + [server.url])
            #expect(result.status == 8)
            #expect(try run(options + ["--reconnect", "1", server.url]).status == 8)
            #expect(try connections.first(3).count == 3)
        }
    }
}
