import TestSupport
import Testing

@Suite("The incremental search through history", .serialized)
struct TerminalSearchTests {
    @Test("Ctrl-R finds any script as it is typed, shows the query before the match, and Enter sends it", arguments: LineSession.modes)
    func finds(settings: String) throws {
        let session = try LineSession(history: ["first 世界", "Ελλάδα 😀 tail", "last"], settings: settings)
        session.type("\u{12}")
        try session.wait(for: "(reverse-i-search)'':")
        session.type("世")
        try session.wait(for: "(reverse-i-search)'世': first 世界", column: 30)
        session.type("\u{7f}😀")
        try session.wait(for: "(reverse-i-search)'😀': Ελλάδα 😀 tail", column: 31)
        try session.send(expecting: "Ελλάδα 😀 tail")
        try session.wait(for: "> Ελλάδα 😀 tail")
    }

    @Test("Ctrl-R again goes to older matches, Ctrl-S to newer ones, and where there are none it has failed", arguments: LineSession.modes)
    func goesOn(settings: String) throws {
        let session = try LineSession(history: ["a 1", "b", "a 2", "a 2", "a 3"], settings: settings)
        session.type("\u{12}a")
        try session.wait(for: "(reverse-i-search)'a': a 3")
        session.type("\u{12}")
        try session.wait(for: "(reverse-i-search)'a': a 2")
        session.type("\u{12}")
        try session.wait(for: "(reverse-i-search)'a': a 1")
        session.type("\u{12}")
        try session.wait(for: "(failed reverse-i-search)'a': a 1")
        session.type("\u{13}")
        try session.wait(for: "(i-search)'a': a 2")
        session.type("\u{13}\u{13}")
        try session.wait(for: "(failed i-search)'a': a 3")
        #expect(session.terminal.screen.bells == 2)
        try session.send(expecting: "a 3")
    }

    @Test("A longer query keeps the match or goes to the next, and Backspace goes back to the one before", arguments: LineSession.modes)
    func shortens(settings: String) throws {
        let session = try LineSession(history: ["make test", "make lint", "mark"], settings: settings)
        session.type("\u{12}ma")
        try session.wait(for: "(reverse-i-search)'ma': mark")
        session.type("ke")
        try session.wait(for: "(reverse-i-search)'make': make lint")
        session.type(" t")
        try session.wait(for: "(reverse-i-search)'make t': make test")
        session.type("x")
        try session.wait(for: "(failed reverse-i-search)'make tx': make test")
        session.type("\u{7f}\u{7f}")
        try session.wait(for: "(reverse-i-search)'make ': make lint")
        session.type("\u{8}\u{8}\u{8}")
        try session.wait(for: "(reverse-i-search)'ma': mark")
        session.type("\u{7f}\u{7f}")
        try session.wait(for: "(reverse-i-search)'':")
    }

    @Test(
        "Ctrl-G, Escape alone and Ctrl-C end the search; the line and its cursor are as they were", arguments: LineSession.modes,
        ["\u{7}", "\u{1b}", "\u{3}"])
    func cancels(settings: String, key: String) throws {
        let session = try LineSession(history: ["first", "second"], settings: settings)
        session.type("half typed\u{1b}[D\u{1b}[D\u{1b}[D\u{1b}[D\u{1b}[D")
        try session.wait(for: "> half typed", column: 7)
        session.type("\u{12}fir")
        try session.wait(for: "(reverse-i-search)'fir': first")
        session.type(key)
        try session.wait(for: "> half typed", column: 7)
        session.type("X")
        try session.wait(for: "> half Xtyped", column: 8)
        try session.send(expecting: "half Xtyped")
    }

    @Test(
        "Arrows, Home and End take the match and move within it; text then goes where they went", arguments: LineSession.modes,
        [
            ("\u{1b}[C", "first sXecond"), ("\u{1b}[D", "firstX second"), ("\u{1b}OH", "Xfirst second"), ("\u{1b}[F", "first secondX"),
            ("\u{1b}[1;5C", "first secondX"), ("\u{5}", "first secondX"),
        ] as [(String, String)])
    func moves(settings: String, move: (key: String, line: String)) throws {
        // Ctrl-E is a key of emacs's alone.
        guard settings != "bind -v\n" || !["\u{5}", "\u{1b}[1;5C"].contains(move.key) else { return }
        let session = try LineSession(history: ["first second", "third"], settings: settings)
        session.type("draft\u{12}sec")
        try session.wait(for: "(reverse-i-search)'sec': first second")
        session.type(move.key)
        try session.wait(for: "> first second")
        session.type("X")
        try session.wait(for: "> " + move.line)
        try session.send(expecting: move.line)
    }

    @Test("A paste takes the match and is inserted where the query was found, newlines and all", arguments: LineSession.modes)
    func pastes(settings: String) throws {
        let session = try LineSession(history: ["first second"], settings: settings)
        session.type("\u{12}sec")
        try session.wait(for: "(reverse-i-search)'sec': first second")
        session.terminal.paste("a\nb ")
        try session.wait(for: "> first a")
        try session.wait(for: "b second")
        try session.send(expecting: "first a\nb second")
    }

    @Test("Messages that come meanwhile stand above the search, which goes on")
    func survivesMessages() throws {
        let server = try TerminalServer { _, _, _ in }
        let session = try LineSession(history: ["first", "second"], server: server)
        session.type("\u{12}fir")
        try session.wait(for: "(reverse-i-search)'fir': first")
        for number in 0..<20 { server.send("message \(number)") }
        try session.terminal.wait { screen in
            let rows = screen.everything
            return rows == ["Connected (press CTRL+C to quit)"] + (0..<20).map { "< message \($0)" } + ["(reverse-i-search)'fir': first"]
        }
        session.type("s")
        try session.wait(for: "(reverse-i-search)'firs': first", column: 26)
        try session.send(expecting: "first")
    }

    @Test("A match of several rows wraps after the query, and the rows go when the search ends", arguments: [10, 20, 37])
    func wraps(columns: Int) throws {
        let line = "start " + String(repeating: "漢字 text ", count: 8)
        let session = try LineSession(history: [line, "x"], columns: 80)
        session.terminal.resize(columns: columns, rows: 24)
        session.type("\u{12}start")
        let expected = ScreenEmulator.wrap("(reverse-i-search)'start': " + line, columns)
        try session.terminal.wait { screen in
            let rows = screen.rows
            return rows.indices.contains { Array(rows[$0...].prefix(expected.count)) == expected }
        }
        session.type("\u{7}")
        try session.terminal.wait { screen in screen.rows.last { !$0.isEmpty } == ">" && !screen.rows.contains(expected[1]) }
    }

    @Test("In vi's command mode / searches and Enter ends the pattern, n goes on; nothing is sent before Enter on the line")
    func viPattern() throws {
        let session = try LineSession(history: ["a one", "b", "a two"], settings: "bind -v\n")
        session.type("\u{1b}/a")
        try session.wait(for: "(reverse-i-search)'a': a two")
        session.type("\r")
        try session.wait(for: "> a two")
        #expect(session.server.texts == [])
        session.type("n")
        try session.wait(for: "> a one")
        session.type("N")
        try session.wait(for: "> a two")
        try session.send(expecting: "a two")
    }

    @Test(
        "~/.editrc binds the search to other keys, by libedit's name for it or by ours",
        arguments: ["em-inc-search-prev", "wsline-search-older"])
    func settings(name: String) throws {
        let session = try LineSession(history: ["a 1", "b", "a 2"], settings: "bind ^T \(name)\n")
        session.type("\u{14}a")
        try session.wait(for: "(reverse-i-search)'a': a 2")
        session.type("\u{14}")
        try session.wait(for: "(reverse-i-search)'a': a 1")
    }

    @Test("Ctrl-R twice searches for what was searched last, and Down comes back to what was being typed")
    func again() throws {
        let session = try LineSession(history: ["a 1", "b", "a 2"])
        session.type("\u{12}a\u{12}")
        try session.wait(for: "(reverse-i-search)'a': a 1")
        try session.send(expecting: "a 1")
        session.type("draft\u{12}\u{12}")
        try session.wait(for: "(reverse-i-search)'a': a 1")
        session.type("\u{12}")
        try session.wait(for: "(reverse-i-search)'a': a 2")
        session.type("\u{5}")
        try session.wait(for: "> a 2", column: 5)
        session.type("\u{e}")
        try session.wait(for: "> a 1")
        session.type("\u{e}")
        try session.wait(for: "> draft", column: 7)
    }

    @Test("A terminal that knows no escapes has the search too")
    func dumb() throws {
        let session = try LineSession(history: ["first", "second"], environment: ["TERM": "dumb"])
        session.type("\u{12}fir")
        try session.wait(for: "(reverse-i-search)'fir': first")
        try session.send(expecting: "first")
        #expect(!session.terminal.transcript.contains(0x1b))
    }
}
