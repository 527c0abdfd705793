import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport
import CPosix

@Suite("A conversation at a terminal", .serialized)
struct TerminalSessionTests {
    @Test("A typed line is sent, and its answer stands below it")
    func conversation() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline([server.url])
        try terminal.enter("hello", until: "< hello")
        try terminal.enter("grüße 漢字", until: "< grüße 漢字")
        #expect(server.texts == ["hello", "grüße 漢字"])
        terminal.type("\u{4}")
        #expect(try terminal.waitForExit() == .exited(0))
    }

    @Test("What is typed before the connection is open is sent once it is")
    func typedAhead() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline([server.url], connects: false)
        terminal.type("early\rhalf")
        try terminal.wait { $0.everything.contains("< early") && $0.rows.contains("> half") }
        #expect(server.texts == ["early"])
    }

    /// Sends a numbered message every ten milliseconds from the start on.
    private func tickingServer() throws -> TerminalServer {
        try TerminalServer(handler: { _, _, _ in }, onOpen: { socket in Self.tick(0, on: socket) })
    }

    @EventLoop
    private static func tick(_ number: Int, on socket: WebSocket) {
        Timer(after: 0.01) {
            guard (try? socket.send("tick \(number)")) != nil else { return }
            tick(number + 1, on: socket)
        }
    }

    @Test("A long line with wide characters survives a message every 10 ms, and the screen is right at each step")
    func halfTypedLine() throws {
        let server = try tickingServer()
        let terminal = try PseudoTerminal.wsline([server.url])
        let pieces = (0..<30).map { "\($0)-漢字éx".padded(to: 9) }
        var typed = ""
        for piece in pieces {
            terminal.type(piece)
            typed += piece
            try terminal.wait { screen in
                let rows = screen.everything
                guard let prompt = rows.lastIndex(where: { $0.hasPrefix("> ") }) else { return false }
                let above = rows[..<prompt]
                return rows[prompt...].joined().filter { $0 != " " } == ">" + typed
                    && above.elementsEqual(["Connected (press CTRL+C to quit)"] + (0..<max(0, above.count - 1)).map { "< tick \($0)" })
            }
        }
        #expect(typed.unicodeScalars.reduce(0) { $0 + ($1.value > 0x2e80 ? 2 : 1) } > 300)
        terminal.type("\r")
        try terminal.wait { _ in server.texts == [typed] }
        terminal.type("\u{3}")
        #expect(try terminal.waitForExit() == .exited(0))
    }

    @Test("A paste of several lines is one message")
    func paste() throws {
        let server = try TerminalServer { socket, _, bytes in try socket.send("got \(bytes.count)") }
        let terminal = try PseudoTerminal.wsline([server.url])
        terminal.paste("one\ntwo\nthree")
        terminal.type("!\r")
        try terminal.wait { $0.everything.contains("< got 14") }
        #expect(server.texts == ["one\ntwo\nthree!"])
    }

    @Test("Binary messages are dumped")
    func dump() throws {
        let server = try TerminalServer { socket, _, _ in try [UInt8](0x3f...0x42).withUnsafeBytes { try socket.send(.binary, $0) } }
        let terminal = try PseudoTerminal.wsline([server.url])
        try terminal.enter("x", until: "< binary, 4 bytes")
        try terminal.wait { $0.everything.contains { $0.hasPrefix("  00000000  3f 40 41 42") && $0.hasSuffix("|?@AB|") } }
    }

    @Test("--count ends the conversation after so many messages; what did not come makes a 0 into 8")
    func count() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline(["--count", "2", server.url])
        try terminal.enter("a", until: "< a")
        terminal.type("b\r")
        #expect(try terminal.waitForExit() == .exited(0))
        let unmet = try PseudoTerminal.wsline(["-1", server.url])
        unmet.type("\u{4}")
        #expect(try unmet.waitForExit() == .exited(8))
    }

    @Test("A server faster than the terminal has to wait, and nothing is lost")
    func backpressure() throws {
        let count = 1200
        let server = try TerminalServer { socket, _, _ in
            let filler = String(repeating: "x", count: 1000)
            for number in 0..<count { try socket.send("\(number) \(filler)") }
            try socket.send("done")
        }
        let terminal = try PseudoTerminal.wsline([server.url], columns: 2000)
        terminal.type("go\r")
        try terminal.wait { $0.rows.contains("< done") }
        let numbers = terminal.screen.everything.compactMap { $0.hasSuffix("xxx") ? Int($0.dropFirst(2).prefix { $0 != " " }) : nil }
        #expect(numbers == Array(0..<count))
    }

    // MARK: History and colours

    @Test("History is kept from one run to the next, commands and mistakes included")
    func history() throws {
        let server = try TerminalServer()
        let directory = try TemporaryDirectory()
        let path = directory.file("history")
        let first = try PseudoTerminal.wsline([server.url], history: path)
        try first.enter("remember me", until: "< remember me")
        try first.enter("/mistake") { $0.hasPrefix("wsline: there is no command /mistake") }
        first.type("\u{4}")
        #expect(try first.waitForExit() == .exited(0))
        let second = try PseudoTerminal.wsline([server.url], history: path)
        second.type("\u{1b}[A")
        try second.wait { $0.rows.contains("> /mistake") }
        second.type("\u{1b}[A\r")
        try second.wait { $0.rows.contains("< remember me") }
        #expect(server.texts == ["remember me", "remember me"])
    }

    @Test("A history that can't be kept is said once, and the conversation goes on")
    func historyFailure() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline([server.url], history: "/dev/null/history")
        try terminal.enter("a", until: "< a")
        try terminal.enter("b", until: "< b")
        #expect(terminal.screen.everything.filter { $0.contains("/dev/null/history") }.count <= 2)
        #expect(terminal.screen.everything.contains { $0.contains("/dev/null/history") })
    }

    @Test(
        "Colours are off with --no-color, NO_COLOR and a dumb terminal, and on otherwise",
        arguments: [(["--no-color"], [:], false), ([], ["NO_COLOR": "1"], false), ([], ["TERM": "dumb"], false), ([], [:], true)]
            as [([String], [String: String], Bool)])
    func colours(options: [String], environment: [String: String], isColoured: Bool) throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline(options + [server.url], environment: environment)
        try terminal.enter("hello", until: "< hello")
        let transcript = String(decoding: terminal.transcript, as: UTF8.self)
        #expect(transcript.contains("\u{1b}[94m< hello\u{1b}[0m") == isColoured)
        #expect(transcript.contains(/\x1b\[\d*m/) == isColoured)
    }
}

extension String {
    fileprivate func padded(to count: Int) -> String { self + String(repeating: "_", count: max(0, count - self.count)) }
}
