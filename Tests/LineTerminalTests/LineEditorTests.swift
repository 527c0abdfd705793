import TestSupport
import Testing
import CPosix

/// The editor on a pseudo-terminal, as its user sees it.
@Suite(.serialized) struct LineEditorTests {
    private func start(
        _ arguments: [String] = [], environment: [String: String] = [:], columns: Int = 60, rows: Int = 16, rewraps: Bool = true
    ) throws -> PseudoTerminal {
        let terminal = try PseudoTerminal(
            PseudoTerminal.builtProduct("LineEditorFixture"), arguments,
            environment: PseudoTerminal.standardEnvironment.merging(environment) { $1 }, columns: columns, rows: rows, rewraps: rewraps)
        try terminal.wait { $0.rows.contains(">") }
        return terminal
    }

    private func waitFor(_ row: String, on terminal: PseudoTerminal) throws {
        try terminal.wait { $0.rows.contains(row) }
    }

    private func width(_ text: String) -> Int {
        text.unicodeScalars.reduce(0) { $0 + ScreenEmulator.width($1) }
    }

    @Test("A line is read and the prompt comes back")
    func readsALine() throws {
        let terminal = try start()
        terminal.type("hello\r")
        try waitFor("got \"hello\"", on: terminal)
        try terminal.wait { $0.rows.prefix(4) == ["ready", "> hello", "got \"hello\"", ">"] && $0.cursorRow == 3 && $0.cursorColumn == 2 }
        terminal.type("\u{4}")
        #expect(try terminal.waitForExit() == .exited(0))
        #expect(terminal.screen.unknown == [])
    }

    @Test("A message that arrives every 10 ms while a 300-column line with wide characters is typed leaves the screen right at every step")
    func survivesMessages() throws {
        let terminal = try start(["--print-every", "10"])
        let line = String(repeating: "ab世界é, ", count: 30)
        var typed = ""
        var latest = ""
        for character in line {
            typed.append(character)
            terminal.type(String(character))
            var expected = ScreenEmulator.wrap("> " + typed, 60)
            // Behind a full row the cursor is at the start of the next.
            if expected.last.map(width) == 60 { expected.append("") }
            try terminal.wait { screen in
                let rows = screen.rows
                let shown = rows[...screen.cursorRow].suffix(expected.count)
                let message = rows[...screen.cursorRow].dropLast(expected.count).last ?? ""
                guard Array(shown) == expected, rows[(screen.cursorRow + 1)...].allSatisfy(\.isEmpty), message != latest else {
                    return false
                }
                latest = message
                return true
            }
        }
        // Nothing but messages, in order and whole, is above.
        let messages = terminal.screen.everything.prefix { !$0.hasPrefix("> ") }
        #expect(messages.first == "ready")
        for (number, row) in messages.dropFirst().enumerated() { #expect(row == "< message \(number)") }
        #expect(messages.count >= typed.count)
    }

    @Test("The cursor stays in the middle of a wrapped line when messages arrive")
    func keepsTheCursor() throws {
        let terminal = try start()
        let line = String(repeating: "日本語 text ", count: 14)
        terminal.type("/print x\u{1}\u{b}" + line + "\u{1}" + String(repeating: "\u{6}", count: 50))
        let rows = ScreenEmulator.wrap("> " + line, 60)
        try terminal.wait { $0.rows.contains(rows[2]) && $0.cursorRow == $0.rows.firstIndex(of: rows[0]).map { $0 + 1 } }
        let column = terminal.screen.cursorColumn
        terminal.type("X")
        let expected = ScreenEmulator.wrap("> " + String(line.prefix(50)) + "X" + line.dropFirst(50), 60)
        try terminal.wait { $0.rows.contains(expected[2]) && $0.cursorColumn == column + 1 }
    }

    @Test("The half-typed line comes back with its cursor where it was after a resize", arguments: [true, false])
    func survivesResize(rewraps: Bool) throws {
        let terminal = try start(environment: rewraps ? [:] : ["XTERM_VERSION": "XTerm(379)"], rewraps: rewraps)
        let line = String(repeating: "0123456789世界", count: 9)
        terminal.type(line + String(repeating: "\u{2}", count: 54))
        try terminal.wait { $0.cursorRow == 2 && $0.cursorColumn == 4 }
        for columns in [40, 61, 33, 20, 90, 126, 127, 128, 63, 60] {
            let written = terminal.transcript.count
            terminal.resize(columns: columns, rows: 16)
            let expected = ScreenEmulator.wrap("> " + line, columns)
            let before = ScreenEmulator.wrap("> " + String(line.prefix(54)), columns)
            try terminal.wait { screen in
                // Where nothing wraps otherwise than before, only what it writes tells that the program has drawn.
                guard let first = screen.rows.firstIndex(of: "ready"), terminal.transcript.count > written else { return false }
                return Array(screen.rows[(first + 1)...].prefix(expected.count)) == expected
                    && screen.rows[(first + 1 + expected.count)...].allSatisfy(\.isEmpty)
                    && (screen.cursorRow == first + before.count || before.count < expected.count && screen.cursorColumn == 0)
            }
        }
        terminal.type("!")
        terminal.type("\r")
        try terminal.wait { $0.everything.joined().contains("got \"\(line.prefix(54))!\(line.dropFirst(54))\"") }
    }

    @Test("A line that ends exactly at the edge keeps its rows when messages arrive and the window is resized")
    func survivesTheEdge() throws {
        let terminal = try start(["--print-every", "20", "--print-lines", "3"], columns: 30)
        let line = String(repeating: "x", count: 58)
        terminal.type(line)
        try terminal.wait { $0.rows.contains("< message 2") && $0.cursorColumn == 0 }
        #expect(
            terminal.screen.rows.prefix(6) == [
                "ready", "< message 0", "< message 1", "< message 2", "> " + line.prefix(28), line.prefix(30)[...].description,
            ])
        terminal.resize(columns: 20, rows: 16)
        let expected = ScreenEmulator.wrap("> " + line, 20)
        try terminal.wait {
            Array($0.rows.prefix(7)) == ["ready", "< message 0", "< message 1", "< message 2"] + expected && $0.cursorRow == 7
        }
        terminal.type("\r")
        try terminal.wait { $0.rows.joined().contains("got \"\(line)\"") }
    }

    @Test("A line of more rows than the screen shows the part round the cursor and is sent whole")
    func scrollsATallLine() throws {
        let terminal = try start(columns: 20, rows: 5)
        let line = (0..<100).map { "<\($0)>" }.joined()
        terminal.type(line)
        try terminal.wait { $0.rows.joined().hasSuffix("<98><99>") }
        terminal.type("\u{1}")
        try terminal.wait { $0.rows.first?.hasPrefix("> <0><1>") == true && $0.cursorRow == 0 && $0.cursorColumn == 2 }
        terminal.type("Y\u{5}Z")
        try terminal.wait { $0.rows.joined().hasSuffix("<98><99>Z") }
        terminal.type("\r")
        try terminal.wait { $0.everything.joined().contains("got \"Y" + line + "Z\"") }
    }

    @Test("Ctrl-C clears a line, on an empty one it is an event, again and again; Ctrl-D ends")
    func interrupts() throws {
        let terminal = try start()
        terminal.type("half\u{3}")
        try terminal.wait { $0.rows.prefix(3) == ["ready", ">", ""] && $0.cursorColumn == 2 }
        terminal.type("\u{3}\u{3}")
        try terminal.wait { $0.rows.prefix(4) == ["ready", "interrupt", "interrupt", ">"] }
        terminal.type("\u{4}")
        #expect(try terminal.waitForExit() == .exited(0))
        #expect(terminal.isCooked)
        #expect(!terminal.screen.hasBracketedPaste)
        #expect(terminal.screen.rows.prefix(4) == ["ready", "interrupt", "interrupt", "end of input"])
    }

    @Test("Stopping from another thread ends the read at once, and a half-typed line stays to be seen")
    func stops() throws {
        let terminal = try start(["--stop-after", "600"])
        terminal.type("half a line")
        try waitFor("> half a line", on: terminal)
        #expect(try terminal.waitForExit() == .exited(0))
        #expect(terminal.screen.rows.prefix(4) == ["ready", "> half a line", "stopped", ""])
        #expect(terminal.isCooked)
    }

    // ThreadSanitizer runs a handler of SIGSEGV at once, within its own runtime too, whose locks the handler then waits for.
    @Test(
        "A fatal signal gives the terminal back as it was",
        arguments: [SIGTERM, SIGHUP, SIGABRT] + (Sanitizer.current == .thread ? [] : [SIGSEGV]))
    func restoresOnSignals(signal: Int32) throws {
        let terminal = try start()
        try terminal.wait { _ in !terminal.isCooked }
        terminal.send(signal: signal)
        #expect(try terminal.waitForExit() == .killed(signal: signal))
        #expect(terminal.isCooked)
        #expect(!terminal.screen.hasBracketedPaste)
    }

    @Test("A crash gives the terminal back as it was")
    func restoresOnCrash() throws {
        let terminal = try start()
        terminal.type("/crash\r")
        #expect(try terminal.waitForExit() == .killed(signal: SIGSEGV))
        #expect(terminal.isCooked)
    }

    @Test("Ctrl-R finds a line, wide characters included, and a message doesn't end the search")
    func searches() throws {
        let terminal = try start(["--print-every", "700", "--print-lines", "2"])
        terminal.type("first 世界\rsecond\r\u{12}fir")
        try waitFor("(reverse-i-search)'fir': first 世界", on: terminal)
        try waitFor("< message 1", on: terminal)
        try terminal.wait { $0.rows.contains("(reverse-i-search)'fir': first 世界") }
        terminal.type("\r")
        try terminal.wait { $0.rows.filter { $0 == "got \"first 世界\"" }.count == 2 }
    }

    @Test("A dumb terminal gets no escapes, and long lines scroll sideways", arguments: ["dumb", ""])
    func worksOnADumbTerminal(term: String) throws {
        let terminal = try start(["--print-every", "30", "--print-lines", "5"], environment: ["TERM": term], columns: 40)
        terminal.type("hello there, " + String(repeating: "0123456789", count: 5))
        try terminal.wait { $0.rows.contains("< message 4") && $0.rows[$0.cursorRow].hasSuffix("0123456789") }
        terminal.type("\u{1}")
        try terminal.wait { $0.rows[$0.cursorRow].hasPrefix("> hello there") || $0.rows[$0.cursorRow].hasPrefix("hello there") }
        terminal.type("\r")
        try terminal.wait { $0.everything.joined().contains("got \"hello there") }
        #expect(!terminal.transcript.contains(0x1b))
    }

    @Test("Tab inserts what is common, rings, lists on the second time and finishes a word that is unique")
    func completes() throws {
        let terminal = try start()
        terminal.type("/h\t")
        try terminal.wait { $0.bells == 1 && $0.rows.contains("> /he") }
        terminal.type("\t")
        try terminal.wait { $0.rows.prefix(3) == ["ready", "/help     /headers  /hex", "> /he"] }
        terminal.type("l\t")
        try terminal.wait { $0.rows.contains("> /help") && $0.cursorColumn == 8 }
        terminal.type("zzz\t")
        try terminal.wait { $0.bells == 2 }
    }

    @Test("A passphrase is not shown and the terminal echoes again after it")
    func asksForASecret() throws {
        let terminal = try PseudoTerminal(PseudoTerminal.builtProduct("LineEditorFixture"), ["--secret"])
        try terminal.wait { $0.rows.first == "Passphrase:" && !terminal.isCooked }
        terminal.type("sesame\r")
        #expect(try terminal.waitForExit() == .exited(0))
        #expect(terminal.isCooked)
        #expect(terminal.screen.everything == ["Passphrase:", "got 6"])
    }

    @Test("Keys in vi's command mode edit, and a message leaves the mode and the cursor alone")
    func viMode() throws {
        let terminal = try start(["--print-every", "400", "--print-lines", "2"], environment: ["EDITRC": try ViSettings.path()])
        terminal.type("one two three\u{1b}")
        terminal.type("bb")
        try waitFor("< message 1", on: terminal)
        try terminal.wait { $0.rows.contains("> one two three") && $0.cursorColumn == 6 }
        terminal.type("dw")
        try waitFor("> one three", on: terminal)
        terminal.type("\r")
        try waitFor("got \"one three\"", on: terminal)
    }

    @Test("Ctrl-Z gives the shell its terminal, and fg brings the half-typed line back with its cursor where it was")
    func suspends() throws {
        let fixture = try PseudoTerminal.builtProduct("LineEditorFixture")
        let environment = PseudoTerminal.standardEnvironment.merging(["PS1": "$ "]) { $1 }
        let shell = try PseudoTerminal("/bin/sh", ["-i"], environment: environment, columns: 60, rows: 24)
        try waitFor("$", on: shell)
        shell.type("\(fixture)\r")
        try waitFor(">", on: shell)
        shell.type("half 世界 typed\u{2}\u{2}")
        try waitFor("> half 世界 typed", on: shell)
        for _ in 0..<2 {
            shell.type("\u{1a}")
            try shell.wait { $0.rows[$0.cursorRow] == "$" && shell.isCooked && !$0.hasBracketedPaste }
            shell.type("fg\r")
            try shell.wait { $0.rows[$0.cursorRow] == "> half 世界 typed" && $0.cursorColumn == 15 && $0.hasBracketedPaste }
            #expect(!shell.isCooked)
        }
        shell.type("X\r")
        try waitFor("got \"half 世界 typXed\"", on: shell)
        shell.type("\u{4}")
        try shell.wait { $0.rows[$0.cursorRow] == "$" && shell.isCooked }
        shell.type("exit\r")
        #expect(try shell.waitForExit() == .exited(0))
    }

    @Test("A SIGTSTP from outside suspends as Ctrl-Z does; where nothing can resume it, the line just goes on")
    func suspendsOnSignal() throws {
        let terminal = try start()
        terminal.type("half")
        try waitFor("> half", on: terminal)
        // The session's leader is an orphaned process group: the kernel doesn't stop it.
        terminal.send(signal: SIGTSTP)
        try terminal.wait { $0.rows.filter { $0 == "> half" }.count == 2 && !terminal.isCooked }
        terminal.type("!\r")
        try waitFor("got \"half!\"", on: terminal)
    }

    @Test("Stopped and continued by signals alone, the modes are set again and the line is there")
    func survivesStop() throws {
        let terminal = try start()
        terminal.type("half")
        try waitFor("> half", on: terminal)
        terminal.send(signal: SIGSTOP)
        terminal.send(signal: SIGCONT)
        try terminal.wait { $0.rows[$0.cursorRow] == "> half" && $0.cursorColumn == 6 }
        terminal.type("!\r")
        try waitFor("got \"half!\"", on: terminal)
    }

    @Test("A key that is cut in two, and bytes that are no UTF-8, neither hang nor end the program")
    func survivesBadInput() throws {
        let terminal = try start()
        terminal.type([0xff, 0xc3, 0x61, 0xe4, 0xb8])
        try waitFor("> \u{fffd}\u{fffd}a\u{fffd}", on: terminal)
        terminal.type([0x1b, 0x5b])
        terminal.type([0x44, 0x7f, 0x62, 0x0d])
        try waitFor("got \"\u{fffd}\u{fffd}b\u{fffd}\"", on: terminal)
    }

    @Test("Home, End, Delete and the arrows do what their caps say, and a function key inserts nothing")
    func knowsTheKeys() throws {
        let terminal = try start()
        terminal.type("one two")
        terminal.type("\u{1b}[H\u{1b}[3~\u{1b}[F!\u{1b}[15~\u{1b}[1;5D\u{1b}[D-\u{1b}OH+")
        try waitFor("> +ne- two!", on: terminal)
    }

    @Test("Ctrl-L clears the screen and keeps the line")
    func clearsTheScreen() throws {
        let terminal = try start()
        terminal.type("abc\u{2}\u{c}")
        try terminal.wait { $0.rows.prefix(2) == ["> abc", ""] && $0.cursorRow == 0 && $0.cursorColumn == 4 }
    }

    @Test("History is there in the next session, without repeats and lines that begin with a space")
    func keepsHistory() throws {
        let path = TemporaryDirectory.unique("history")
        defer { unlink(path) }
        for turn in 0..<2 {
            let terminal = try start(["--history", path])
            if turn == 0 {
                terminal.type("one\rtwo\rtwo\r secret\r/unknown\r\u{4}")
            } else {
                terminal.type("\u{1b}[A\u{1b}[A\u{1b}[A")
                try terminal.wait { $0.rows[$0.cursorRow] == "> one" }
                terminal.type("\u{3}\u{4}")
            }
            #expect(try terminal.waitForExit() == .exited(0))
        }
        #expect(TemporaryDirectory.read(path) == "one\ntwo\n/unknown\n")
    }
}
