import TestSupport
import Testing
import WebSocketProtocol
import WebSocketTransport

@Suite("A feed that stays readable, at a terminal", .serialized)
struct TerminalThinningTests {
    // MARK: --show and --hide

    @Test("/show and /hide thin what comes from then on; alone each ends, with a line on what it left out; /status counts")
    func thinning() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline(["--hide", "noise", server.url], columns: 120)
        try terminal.enter("noise") { _ in true }
        // The echo of what is left out has come before this one's.
        try terminal.enter("c1", until: "< c1")
        try terminal.enter("/show ^a", until: #"only messages in which "^a" is found are shown, except those in which "noise" is"#)
        for line in ["b1", "a noise", "b2"] { try terminal.enter(line) { _ in true } }
        try terminal.enter("a1", until: "< a1")
        try terminal.enter("/status") { $0.wholeMatch(of: /left out +2 messages by --show "\^a"/) != nil }
        try terminal.wait { $0.everything.contains { $0.wholeMatch(of: /left out +2 messages by --hide "noise"/) != nil } }
        try terminal.enter("/show", until: #"--show "^a" left out 2 messages"#)
        try terminal.wait { $0.everything.last == #"messages in which "noise" is found are left out"# || $0.rows.contains(">") }
        try terminal.enter("b3", until: "< b3")
        try terminal.enter("/hide b", until: #"--hide "noise" left out 2 messages"#)
        try terminal.enter("b4") { _ in true }
        try terminal.enter("c4", until: "< c4")
        try terminal.enter("/set hide off", until: #"--hide "b" left out 1 message"#)
        try terminal.enter("/hide", until: "all messages are shown")
        try terminal.enter("/show a[", until: "wsline: usage: /show [REGEX]")
        try terminal.enter("/hide 2$", until: #"messages in which "2$" is found are left out"#)
        try terminal.enter("b2") { _ in true }
        try terminal.enter("b5", until: "< b5")
        let rows = terminal.screen.everything
        for hidden in ["< noise", "< b1", "< a noise", "< b2", "< b4"] { #expect(!rows.contains(hidden)) }
        terminal.type("/quit\r")
        #expect(try terminal.waitForExit() == .exited(0))
        #expect(terminal.screen.everything.contains(#"--hide "2$" left out 1 message"#))
    }

    // MARK: Cuts

    @Test("a text is cut after 16 KiB and a dump after 1 KiB, with how much more there is, and /last shows them whole")
    func cuts() throws {
        let long = String(repeating: "0123456789", count: 2000)
        let server = try TerminalServer { socket, _, bytes in
            if bytes == Array("binary".utf8) {
                return try [UInt8](repeating: 0x41, count: 2000).withUnsafeBytes { try socket.send(.binary, $0) }
            }
            try socket.send(bytes == Array("long".utf8) ? long : String(decoding: bytes, as: UTF8.self))
        }
        let terminal = try PseudoTerminal.wsline(["--no-color", server.url])
        try terminal.enter("long", until: "… 3616 more bytes: /last shows all")
        #expect(terminal.screen.lines.contains("< " + long.prefix(16 << 10)))
        try terminal.enter("binary", until: "… 976 more bytes: /last shows all")
        let rows = terminal.screen.everything
        let header = try #require(rows.firstIndex(of: "< binary, 2000 bytes"))
        #expect(rows[header + 64].hasPrefix("  000003f0  ") && rows[header + 65].hasPrefix("… 976"))
        try terminal.enter("short", until: "< short")
        try terminal.enter("/last 2") { $0.hasPrefix("  000007c0  41 41") }
        terminal.type("/last 3\r")
        try terminal.wait { $0.lines.contains("< " + long) }
        try terminal.enter("/last", until: "< short")
        try terminal.enter("/last 4") { $0 == "wsline: only 3 messages are kept" }
        try terminal.enter("/set full on", until: "full  on")
        terminal.type("long\r")
        try terminal.wait { $0.lines.count { $0 == "< " + long } == 2 }
        let full = try PseudoTerminal.wsline(["--full", "--no-color", server.url])
        full.type("long\r")
        try full.wait { $0.lines.contains("< " + long) }
        #expect(!full.screen.everything.contains { $0.hasPrefix("… ") })
    }

    @Test("JSON is cut as it is shown, coloured and indented; what looks like JSON and isn't is cut as text")
    func json() throws {
        let long = "[" + Array(repeating: #"{"é":1.50}"#, count: 4000).joined(separator: ",") + "]"
        let server = try TerminalServer { socket, _, bytes in try socket.send(bytes == Array("wrong".utf8) ? long + "x" : long) }
        let terminal = try PseudoTerminal.wsline(["--pretty", server.url])
        try terminal.enter("go") { $0.hasPrefix("… ") }
        // An element takes 24 bytes in rows of its own.
        let shown = terminal.screen.everything.count { $0 == #"      "é": 1.50"# }
        #expect((675...690).contains(shown), "\(shown)")
        terminal.type("/pretty off\r")
        try terminal.wait { $0.everything.contains("JSON is shown as it comes") }
        try terminal.enter("wrong", until: "… 31619 more bytes: /last shows all")
        #expect(terminal.screen.unknown == [])
    }

    @Test("/last > FILE writes a message as it came, in place of what was there; a file that can't be written is named")
    func files() throws {
        let hostile = "\u{1b}[2J\r\n" + String(repeating: "x", count: 20_000)
        let directory = try TemporaryDirectory()
        try directory.write([UInt8](repeating: 0x2E, count: 50_000), to: "old")
        let server = try TerminalServer { socket, _, bytes in try socket.send(bytes == Array("go".utf8) ? hostile : "small") }
        let terminal = try PseudoTerminal.wsline([server.url], columns: 160)
        try terminal.enter("/last") { $0 == "wsline: no message has been shown" }
        try terminal.enter("go") { $0.hasPrefix("… ") }
        try terminal.enter("small", until: "< small")
        try terminal.enter("/last 2 > \(directory.file("old"))", until: "saved 20006 bytes to \(directory.file("old"))")
        #expect(directory.read("old") == Array(hostile.utf8))
        terminal.type("/last >\(directory.file("ol"))\t\r")
        try terminal.wait { $0.everything.contains("saved 5 bytes to \(directory.file("old"))") }
        #expect(directory.read("old") == Array("small".utf8))
        try terminal.enter("/last > /nonexistent/x", until: "wsline: can't write to \"/nonexistent/x\": no such file or directory")
        try terminal.enter("/last > /") { $0.hasPrefix("wsline: can't write to \"/\": ") }
    }
}
