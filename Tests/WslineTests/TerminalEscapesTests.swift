import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@Suite("What a server sends can't drive the terminal", .serialized)
struct TerminalEscapesTests {
    private let hostile = "\u{1b}]0;title\u{7}\u{1b}[2J\u{9b}31m\u{202e}x"
    private let shown = #"\x1b]0;title\x07\x1b[2J\u{9b}31m\u{202e}x"#

    @Test("Escapes in a message and in pings are shown")
    func messages() throws {
        let hostile = hostile
        let server = try TerminalServer { socket, _, _ in
            try socket.ping(Array(("\u{1b}[2J" + "\n> forged").utf8))
            try socket.send(hostile)
        }
        let terminal = try PseudoTerminal.wsline(["-P", server.url])
        try terminal.enter("go", until: "< " + shown)
        #expect(terminal.screen.everything.contains(#"ping "\x1b[2J\x0a> forged""#))
        #expect(terminal.screen.unknown == [])
    }

    @Test("--allow-escapes lets them through")
    func allowed() throws {
        let server = try TerminalServer { socket, _, _ in try socket.send("\u{1b}[35mpurple") }
        let terminal = try PseudoTerminal.wsline(["--allow-escapes", server.url])
        try terminal.enter("go", until: "< purple")
        #expect(String(decoding: terminal.transcript, as: UTF8.self).contains("\u{1b}[35mpurple"))
    }

    @Test("Escapes in a refusal's headers and body are shown")
    func refusal() throws {
        let server = try LoopbackServer { connection in
            _ = try connection.receive(through: "\r\n\r\n")
            try connection.send("HTTP/1.1 403 Forbidden\r\nX-Evil: a\u{9b}31mb\r\nContent-Length: 9\r\n\r\n\u{1b}[2Jbody\n")
        }
        let terminal = try PseudoTerminal.wsline(["ws://127.0.0.1:\(server.port)/"], connects: false)
        #expect(try terminal.waitForExit() == .exited(6))
        let rows = terminal.screen.everything
        #expect(rows.contains(#"< X-Evil: a\u{9b}31mb"#))
        #expect(rows.contains(#"< \x1b[2Jbody"#))
        #expect(terminal.screen.unknown == [])
        #expect(!terminal.transcript.contains(0x9b))
    }
}
