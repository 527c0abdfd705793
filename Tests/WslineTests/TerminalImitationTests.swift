import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@Suite("Whose words are whose, at a terminal", .serialized)
struct TerminalImitationTests {
    /// A mark that only the server's words have.
    private static let mark = "FORGED"

    /// What every line that wsline can print begins with.
    private static let imitations = [
        "> ", "< ", "* ", "wsline: ", "Connected (press CTRL+C to quit)", "Disconnected (code: 1000, reason: \"\"): normal closure",
        "Listening on ws://127.0.0.1:80 (press CTRL+C to quit)", "ping \"x\"", "pong after 1 ms", "pong \"x\" after 1 ms",
        "… 5 more bytes: /last shows all", "saved 5 bytes to x", "--show \"x\" left out 5 messages", "all messages are shown",
        "reconnecting in 1 s (attempt 1)", "redirected to ws://x/", "client 1 disconnected", "state  open", "left out  1 message by --show",
        "/help [COMMAND]", "reading is paused", "JSON is indented", "full  on", "0 pings, 0 lost", "usage: /ping", "closed> ",
        "Connecting to ",
        "< 14:02:11.483071  text                 FIN", "> 14:02:11.483071  text                 FIN", "14:02:11.483 < ", "1 < ", "1 > ",
        "binary, 5 bytes", "00000000  41", "client 1: ", "subprotocol: none", "binary messages are shown", "1 < binary, 5 bytes",
    ].map { $0 + mark }

    private static func frame(_ opcode: UInt8, _ payload: [UInt8]) -> [UInt8] {
        let count = payload.count
        return [0x80 | opcode] + (count < 126 ? [UInt8(count)] : [126, UInt8(count >> 8), UInt8(count & 0xFF)]) + payload
    }

    @Test(
        "a server that imitates every line that wsline prints, in every place where its words are shown, never begins a line with them",
        arguments: [[], ["--no-color"]], [["-P"], ["-P", "-v", "--pretty"], ["-vv", "-T"]])
    func imitates(colors: [String], options: [String]) throws {
        let breaks = ["\n", "\r\n", "\r", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}", "\n\u{1b}[2K", "\u{1b}E", "\u{8}\u{8}\u{8}"]
        let server = try LoopbackServer { connection in
            try connection.upgrade("X-Long: " + String(repeating: "x", count: 100) + Self.imitations[4] + "\r\n")
            _ = try connection.receiveFrame()
            for separator in breaks {
                let text = "first" + Self.imitations.map { separator + $0 }.joined()
                for opcode: UInt8 in [1, 2] { try connection.send(Self.frame(opcode, Array(text.utf8))) }
            }
            // Indented by nobody but us: JSON whose rows a row of the server's own would begin.
            try connection.send(Self.frame(1, Array("[\n\"wsline: \(Self.mark)\",\n1]".utf8)))
            for width in 30..<50 {
                try connection.send(Self.frame(1, Array((String(repeating: "x", count: width) + Self.imitations[3]).utf8)))
            }
            for imitation in Self.imitations {
                for opcode: UInt8 in [9, 10] { try connection.send(Self.frame(opcode, Array(("x\n" + imitation).utf8.prefix(125)))) }
            }
            try connection.send(
                Self.frame(8, [0x03, 0xE8] + Array(("bye\n" + Self.mark + "\n" + Self.imitations[3] + "\n" + Self.imitations[2]).utf8)))
            connection.hang()
        }
        let terminal = try PseudoTerminal.wsline(
            colors + options + ["--binary-as", "raw", "--no-deflate", server.url], columns: 40, rows: 10)
        terminal.type("go\r")
        try terminal.wait { $0.lines.contains { $0.hasPrefix("Disconnected (code: 1000, reason: \"bye") } }
        terminal.type("\u{4}")
        #expect(try terminal.waitForExit() == .exited(0))
        let lines = terminal.screen.lines
        #expect(lines.count { $0.contains(Self.mark) } > 100)
        let forged = lines.filter { line in Self.imitations.contains { line.hasPrefix($0) } }
        #expect(forged.isEmpty, "\(forged)")
        // What begins at the left is ours, in each line that has the server's words.
        let ours = ["  ", "< ", "* ", "ping \"x", "pong \"x", "Disconnected (code: 1000, reason: \"bye"]
        let others = lines.filter { line in
            line.contains(Self.mark) && !ours.contains { line.hasPrefix($0) } && line.wholeMatch(of: /[0-9:.]{12} < .*/) == nil
                && line.wholeMatch(of: /> [0-9:.]{15}  pong .*/) == nil
        }
        #expect(others.isEmpty, "\(others)")
        #expect(terminal.screen.unknown == [])
    }

    @Test("nor does one that refuses the handshake", arguments: [[], ["-v"]])
    func imitatesRefusing(options: [String]) throws {
        let server = try LoopbackServer { connection in
            _ = try connection.receive(through: "\r\n\r\n")
            let body = Self.imitations.joined(separator: "\n") + "\n" + Self.imitations.joined(separator: "\r")
            try connection.send(
                "HTTP/1.1 403 \(Self.imitations[3])\r\nX-Evil: \(Self.imitations[4])\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        }
        let terminal = try PseudoTerminal.wsline(options + ["ws://127.0.0.1:\(server.port)/"], columns: 40, connects: false)
        #expect(try terminal.waitForExit() == .exited(6))
        let lines = terminal.screen.lines.filter { $0.contains(Self.mark) }
        #expect(lines.count > Self.imitations.count)
        #expect(lines.allSatisfy { $0.hasPrefix("< ") || $0.hasPrefix("wsline: HTTP failed: ") }, "\(lines)")
        #expect(!lines.contains { line in line.hasPrefix("< " + Self.mark) })
    }
}
