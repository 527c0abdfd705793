import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport
import CPosix

@Suite("How a conversation at a terminal ends", .serialized)
struct TerminalEndingTests {
    @Test("Ctrl-C clears a line that has something on it; on an empty one it closes with 1000 and quits")
    func interrupt() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline([server.url])
        terminal.type("never mind")
        try terminal.wait { $0.rows.contains("> never mind") }
        terminal.type("\u{3}")
        try terminal.wait { !$0.rows.contains { $0.contains("never mind") } && $0.rows.contains(">") }
        terminal.type("\u{3}")
        #expect(try terminal.waitForExit() == .exited(0))
        #expect(terminal.screen.everything.last == #"Disconnected (code: 1000, reason: ""): normal closure"#)
        #expect(terminal.screen.cursorColumn == 0)
        #expect(terminal.isCooked)
        #expect(server.texts == [])
    }

    @Test("Ctrl-D on an empty line closes and quits")
    func endOfInput() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline([server.url])
        terminal.type("\u{4}")
        #expect(try terminal.waitForExit() == .exited(0))
        #expect(terminal.isCooked)
        #expect(try server.closures(1).map(\.code) == [.normal])
    }

    /// Opens, and never answers a Close.
    private func deafServer() throws -> LoopbackServer {
        try LoopbackServer { connection in
            let head = String(decoding: try connection.receive(through: "\r\n\r\n"), as: UTF8.self)
            let key = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("sec-websocket-key:") }?.split(separator: " ").last
            guard let key, let accept = HandshakeKey(try Base64.decode(String(key)))?.acceptValue else { return }
            try connection.send(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: \(accept)\r\n\r\n")
            connection.hang()
        }
    }

    @Test("A second Ctrl-C quits at once when the server does not answer the Close, with 130")
    func cutOff() throws {
        let server = try deafServer()
        let terminal = try PseudoTerminal.wsline(["--close-timeout", "60", "ws://127.0.0.1:\(server.port)/"])
        terminal.type("\u{3}")
        // The prompt is gone: nothing can be said any more.
        try terminal.wait { $0.everything == ["Connected (press CTRL+C to quit)"] }
        terminal.type("\u{3}")
        #expect(try terminal.waitForExit() == .exited(130))
        #expect(terminal.isCooked)
    }

    @Test(
        "A signal closes with 1001 and gives its status, with the terminal's modes restored",
        arguments: [(SIGTERM, 143), (SIGHUP, 129), (SIGINT, 130)] as [(Int32, Int32)])
    func signals(signal: Int32, status: Int32) throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline([server.url])
        terminal.type("half typed")
        try terminal.wait { $0.rows.contains("> half typed") }
        #expect(!terminal.isCooked)
        terminal.send(signal: signal)
        #expect(try terminal.waitForExit() == .exited(status))
        #expect(terminal.isCooked)
        #expect(!terminal.screen.hasBracketedPaste)
        #expect(terminal.screen.everything.contains(#"Disconnected (code: 1001, reason: ""): going away"#))
    }

    @Test("A signal ends the run within a second when the server does not answer")
    func signalCutOff() throws {
        let server = try deafServer()
        let terminal = try PseudoTerminal.wsline(["--close-timeout", "60", "ws://127.0.0.1:\(server.port)/"])
        terminal.send(signal: SIGTERM)
        #expect(try terminal.waitForExit() == .exited(143))
        #expect(terminal.isCooked)
    }

    @Test(
        "The server's close ends the program, with the code, its name and the reason",
        arguments: [
            (1000, "bye", #"Disconnected (code: 1000, reason: "bye"): normal closure"#, 0),
            (1011, "oops", #"Disconnected (code: 1011, reason: "oops"): internal error"#, 10),
            (4001, "\u{1b}[2Jx\ny", #"Disconnected (code: 4001, reason: "\x1b[2Jx\x0ay"): private use"#, 10),
        ] as [(UInt16, String, String, Int32)])
    func serverCloses(code: UInt16, reason: String, row: String, status: Int32) throws {
        let server = try TerminalServer { socket, _, _ in try socket.close(CloseCode(code), reason: reason) }
        let terminal = try PseudoTerminal.wsline([server.url])
        terminal.type("go\r")
        #expect(try terminal.waitForExit() == .exited(status))
        #expect(terminal.screen.everything.last == row)
        #expect(terminal.screen.cursorColumn == 0)
        #expect(terminal.isCooked)
    }

    @Test("What is half typed when the server goes stays to be seen")
    func halfTypedLine() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline([server.url])
        terminal.type("not finished")
        try terminal.wait { $0.rows.contains("> not finished") }
        server.close()
        #expect(try terminal.waitForExit() == .exited(0))
        #expect(terminal.screen.everything.contains("> not finished"))
        #expect(terminal.screen.everything.contains(#"Disconnected (code: 1000, reason: ""): normal closure"#))
        #expect(terminal.screen.cursorColumn == 0)
    }

    @Test("A connection that is lost gives 9")
    func lost() throws {
        let server = try TerminalServer { socket, _, _ in socket.abort() }
        let terminal = try PseudoTerminal.wsline([server.url])
        terminal.type("go\r")
        #expect(try terminal.waitForExit() == .exited(9))
        #expect(terminal.screen.everything.contains { $0.hasPrefix("wsline: the connection was lost") })
        #expect(terminal.isCooked)
    }

    @Test("Ctrl-C while connecting quits with 130, and no prompt has been shown")
    func whileConnecting() throws {
        let server = try LoopbackServer { $0.hang() }
        let terminal = try PseudoTerminal.wsline(["-v", "ws://127.0.0.1:\(server.port)/"], connects: false)
        try terminal.wait { $0.everything.contains { $0.hasPrefix("> GET /") } }
        terminal.type("\u{3}")
        #expect(try terminal.waitForExit() == .exited(130))
        #expect(!terminal.screen.rows.contains(">"))
    }

    @Test("--timeout ends a conversation, with 8")
    func timeout() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline(["--timeout", "0.5", server.url], connects: false)
        #expect(try terminal.waitForExit() == .exited(8))
        #expect(terminal.screen.everything.contains { $0.hasPrefix("wsline: the run took longer than --timeout allows") })
        #expect(terminal.isCooked)
    }
}
