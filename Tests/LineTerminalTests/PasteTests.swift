import TestSupport
import Testing

/// Pastes, on a pseudo-terminal.
@Suite(.serialized) struct PasteTests {
    private func start() throws -> PseudoTerminal {
        let terminal = try PseudoTerminal(PseudoTerminal.builtProduct("LineEditorFixture"), columns: 60, rows: 12)
        try terminal.wait { $0.rows.contains(">") && $0.hasBracketedPaste }
        return terminal
    }

    private func checksum(_ text: String) -> UInt64 {
        text.utf8.reduce(0) { $0 &* 31 &+ UInt64($1) }
    }

    @Test("A paste of several lines is one message and can be edited before it is sent")
    func staysOneMessage() throws {
        let terminal = try start()
        terminal.type("say: ")
        terminal.paste("one\ntwo\nthree")
        try terminal.wait { $0.rows.prefix(4) == ["ready", "> say: one", "two", "three"] && $0.cursorRow == 3 && $0.cursorColumn == 5 }
        terminal.type("\u{2}\u{2}\u{2}\u{2}\u{2}\u{2}!")
        try terminal.wait { $0.rows.prefix(4) == ["ready", "> say: one", "two!", "three"] }
        terminal.type("\r")
        try terminal.wait { $0.rows.contains(#"got "say: one\ntwo!\nthree""#) }
    }

    @Test("A recalled paste is whole again")
    func survivesHistory() throws {
        let terminal = try start()
        terminal.paste("one\ntwo ")
        terminal.type("\r")
        try terminal.wait { $0.rows.contains(#"got "one\ntwo ""#) }
        terminal.type("\u{1b}[A\r")
        try terminal.wait { $0.rows.filter { $0 == #"got "one\ntwo ""# }.count == 2 }
    }

    @Test("Tabs, control characters and NUL in a paste are text, not commands, and CRLF is a newline")
    func runsNoCommands() throws {
        let terminal = try start()
        terminal.type("\u{1b}[200~/h\tx\u{3}\u{1}\u{1b}[A\u{4}\u{0}\r\n\u{9b}y⏎\u{1b}[201~")
        try terminal.wait { $0.rows.prefix(3) == ["ready", "> /h    x^C^A^[[A^D^@", #"\u{9b}y⏎"#] }
        terminal.type("\r")
        try terminal.wait { $0.rows.contains(#"got "/h\tx\u{03}\u{01}\u{1B}[A\u{04}\0\n\u{9b}y⏎""#) }
        #expect(terminal.screen.unknown == [])
    }

    @Test("A paste of 100 KB loses no byte, and still is there after a look at history")
    func keepsALargePaste() throws {
        let terminal = try start()
        let text = (0..<9000).map { "line \($0) é世" }.joined(separator: "\n")
        #expect(text.utf8.count > 100_000)
        terminal.type("before\r")
        try terminal.wait { $0.rows.contains(#"got "before""#) }
        terminal.paste(text)
        try terminal.wait { $0.rows.contains("line 8999 é世") }
        terminal.type("\u{10}")
        try terminal.wait { $0.rows.contains("> before") && !$0.rows.contains("line 8999 é世") }
        terminal.type("\u{e}")
        try terminal.wait { $0.rows.contains("line 8999 é世") }
        terminal.type("\r")
        try terminal.wait { $0.everything.contains("got \(text.utf8.count) bytes, sum \(checksum(text))") }
    }

    @Test("A paste that is too long for a line says so, rings and inserts nothing")
    func refusesTooMuch() throws {
        let terminal = try start()
        terminal.type("abc")
        terminal.paste(String(repeating: "x", count: 1 << 20 | 1))
        try terminal.wait { $0.rows.contains("> abc") && $0.bells == 1 && $0.rows.contains { $0.contains("nothing was inserted") } }
    }

    @Test("A paste in the middle of a search ends the search and is inserted")
    func endsASearch() throws {
        let terminal = try start()
        terminal.type("first\r\u{12}fir")
        try terminal.wait { $0.rows.contains("(reverse-i-search)'fir': first") }
        terminal.paste("+a\nb")
        try terminal.wait { !$0.rows.contains("(reverse-i-search)'fir': first") && $0.rows.contains { $0.contains("+a") } }
        terminal.type("\r")
        try terminal.wait { $0.rows.contains { $0.hasPrefix("got ") && $0.contains(#"+a\nb"#) } }
    }

    @Test("Without brackets, what is typed ahead becomes a line for each newline, in order")
    func typeAhead() throws {
        let terminal = try start()
        terminal.type((0..<50).map { "line \($0)\r" }.joined())
        try terminal.wait { $0.rows.contains(#"got "line 49""#) }
        let got = terminal.screen.everything.filter { $0.hasPrefix("got") }
        #expect(got == (0..<50).map { "got \"line \($0)\"" })
    }

    @Test("A paste behind Ctrl-V is the paste")
    func quoted() throws {
        let terminal = try start()
        terminal.type("a\u{16}")
        terminal.paste("x\ny")
        terminal.type("b\u{16}\u{3}\r")
        try terminal.wait { $0.rows.contains(#"got "ax\nyb\u{03}""#) }
    }
}
