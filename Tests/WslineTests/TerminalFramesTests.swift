import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@Suite("Frames at a terminal", .serialized)
struct TerminalFramesTests {
    private let hostile = Array("\u{1b}]0;t\u{7}\n> forged\r\u{9b}31m\u{202e}".utf8)
    private let shown = #"\x1b]0;t\x07\x0a> forged\x0d\u{9b}31m\u{202e}"#

    @Test(
        "Frames stand above the line that is typed, and no payload of any frame, by hand or not, can drive the terminal",
        arguments: ["-vv", "--lenient"])
    func hostileFrames(option: String) throws {
        let hostile = hostile
        let server = try LoopbackServer { connection in
            try connection.upgrade()
            _ = try connection.receiveFrame()
            // A newline of a message is its own.
            let text = hostile.filter { $0 != 0x0A }
            try connection.sendFrame(1, text)
            for opcode: UInt8 in [2, 9, 10] { try connection.sendFrame(opcode, hostile) }
            // Wrong ones of each kind.
            try connection.send([0xA1, UInt8(text.count)] + text)
            for first: UInt8 in [0x99, 0x83, 0x8B, 0x80] { try connection.send([first, UInt8(hostile.count)] + hostile) }
            try connection.sendFrame(1, text + [0xFF])
            try connection.sendFrame(8, [0x03, 0xED] + hostile)
            connection.hang()
        }
        let terminal = try PseudoTerminal.wsline(
            [option, "--lenient", "--no-deflate", server.url].filter { option != "--lenient" || $0 != "-vv" }, columns: 250, rows: 60)
        terminal.type("go\r")
        #expect(try terminal.waitForExit() == .exited(0))
        let rows = terminal.screen.everything
        #expect(rows.filter { $0.contains("RFC 6455, ") && $0.hasPrefix("< ") }.count == 7, "\(rows)")
        #expect(!rows.contains { $0.hasPrefix("> forged") }, "\(rows)")
        if option == "-vv" { #expect(rows.contains { $0.contains(" ping ") && $0.hasSuffix(shown) }, "\(rows)") }
        #expect(terminal.screen.unknown == [])
        #expect(!terminal.transcript.contains(0x9b))
    }

    @Test("Frames are coloured by their direction, and the line that is typed stays")
    func colours() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline(["--frames", "--no-deflate", server.url], columns: 120)
        terminal.type("hello\r")
        try terminal.wait { $0.everything.contains { $0.hasPrefix("< ") && $0.hasSuffix(" hello") } && $0.everything.contains("< hello") }
        let transcript = String(decoding: terminal.transcript, as: UTF8.self)
        #expect(transcript.contains(#/\u{1b}\[1m> [0-9:.]+  text/#) && transcript.contains(#/\u{1b}\[94m< [0-9:.]+  text/#))
    }

    @Test("A frame made by hand is shown as it went out, with Tab knowing the fields")
    func byHand() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline(["--no-deflate", server.url], columns: 120)
        terminal.type("/frame ma\tnon\top=ping te\thi\r")
        try terminal.wait { $0.everything.contains { $0.hasPrefix("> ") && $0.contains("  ping ") && $0.hasSuffix(" 2 B            hi") } }
        // Unmasked: the server fails the connection.
        #expect(try terminal.waitForExit() == .exited(10))
    }
}
