import TestSupport
import Testing

@Suite("The line at a terminal", .serialized)
struct TerminalLineTests {
    @Test(
        "Alt-Enter puts a newline into the line, and Enter sends all of it", arguments: LineSession.modes,
        ["\u{1b}\r", "\u{1b}\n", "\u{1b}[13;3u"])
    func newline(settings: String, key: String) throws {
        let session = try LineSession(settings: settings)
        session.type("one" + key)
        try session.terminal.wait { $0.rows.contains("> one") && $0.cursorColumn == 0 }
        session.type("two\u{1b}[D!")
        try session.wait(for: "tw!o", column: 3)
        #expect(session.server.texts == [])
        try session.send(expecting: "one\ntw!o")
    }

    @Test("Enter on an empty line sends nothing, /text sends an empty message, and blanks are a message")
    func emptyLine() throws {
        let session = try LineSession()
        session.type("\r\r/text\r   \r")
        try session.send(expecting: "   ")
        session.type("x")
        try session.send(expecting: "x")
        #expect(session.server.texts == ["", "   ", "x"])
    }

    // MARK: Rows and history

    @Test("Up and Down move from row to row of a message of several lines, and keep to their column", arguments: LineSession.modes)
    func rows(settings: String) throws {
        let session = try LineSession(history: ["older"], settings: settings)
        session.terminal.paste("one\ntwo\nthree")
        try session.wait(for: "three", column: 5)
        session.type("\u{1b}[A")
        try session.wait(for: "two", column: 3)
        session.type("\u{1b}[A")
        try session.wait(for: "> one", column: 5)
        session.type("\u{1b}[B\u{1b}[B")
        try session.wait(for: "three", column: 5)
        session.type("\u{1b}[A\u{1b}[D")
        try session.wait(for: "two", column: 2)
        session.type("\u{1b}OA")
        try session.wait(for: "> one", column: 2)
        session.type("X\u{1b}OBY")
        try session.wait(for: "twoY", column: 4)
        try session.send(expecting: "Xone\ntwoY\nthree")
    }

    @Test("They move along the rows that the terminal wraps too")
    func wrappedRows() throws {
        let session = try LineSession()
        session.terminal.resize(columns: 30, rows: 24)
        let line = String(repeating: "0123456789", count: 7)
        session.type(line)
        try session.terminal.wait { $0.cursorColumn == 12 }
        session.type("\u{1b}[A\u{1b}[AX")
        try session.wait(for: "> 0123456789X01234567890123456", column: 13)
        session.type("\u{1b}[BY")
        try session.terminal.wait { $0.rows.contains { $0.hasSuffix("Y0123456789") || $0.contains("Y") } }
        try session.send(expecting: "0123456789X" + line.dropFirst(10).prefix(30) + "Y" + line.dropFirst(40))
    }

    @Test("On the first row Up goes back to lines that begin as this one does before the cursor; Down comes back to it")
    func prefix() throws {
        let session = try LineSession(history: ["get a", "put b", "get c", "got"])
        session.type("get\u{1b}[A")
        try session.wait(for: "> get c", column: 7)
        session.type("\u{1b}[A")
        try session.wait(for: "> get a", column: 7)
        session.type("\u{1b}[A")
        try session.terminal.wait { $0.bells == 1 }
        session.type("\u{1b}[B")
        try session.wait(for: "> get c")
        session.type("\u{1b}[B")
        try session.wait(for: "> get", column: 5)
        session.type(" d")
        try session.send(expecting: "get d")
    }

    @Test(
        "With nothing before the cursor all of history comes, and the draft comes back with its cursor",
        arguments: ["\u{1b}[A", "\u{10}"])
    func draft(up: String) throws {
        let session = try LineSession(history: ["one", "two"])
        session.type("draft\u{1}" + up)
        try session.wait(for: "> two", column: 5)
        session.type(up)
        try session.wait(for: "> one", column: 5)
        session.type(up == "\u{10}" ? "\u{e}\u{e}" : "\u{1b}[B\u{1b}[B")
        try session.wait(for: "> draft", column: 2)
        session.type(up == "\u{10}" ? "\u{e}" : "\u{1b}[B")
        try session.terminal.wait { $0.bells == 1 }
        try session.send(expecting: "draft")
    }

    @Test("A message of several lines comes back from history whole; Up then moves within it and on from its first row")
    func recalledRows() throws {
        let session = try LineSession(history: ["oldest", "one\ntwo"])
        session.type("\u{1b}[A")
        try session.wait(for: "two", column: 3)
        session.type("\u{1b}[A")
        try session.wait(for: "> one", column: 3)
        session.type("\u{1b}[A")
        try session.wait(for: "> oldest", column: 8)
        session.type("\u{1b}[B")
        try session.wait(for: "two", column: 3)
        session.type("!")
        try session.send(expecting: "one\ntwo!")
    }

    @Test("Looking at history leaves the kill buffer, and a long draft, as they were")
    func killBuffer() throws {
        let session = try LineSession(history: ["one", "two"])
        let long = String(repeating: "lorem ipsum ", count: 200)
        session.type("killed\u{15}")
        session.terminal.paste(long)
        session.type("\u{10}")
        try session.wait(for: "> two")
        session.type("\u{e}\u{1}\u{19}")
        try session.terminal.wait { $0.rows.contains { $0.hasPrefix("> killedlorem") } }
        try session.send(expecting: "killed" + long)
    }

    @Test(
        "~/.editrc binds our commands, and libedit's names for them, to keys of the user's",
        arguments: ["ed-prev-history", "wsline-prev-history"])
    func settings(name: String) throws {
        let session = try LineSession(history: ["one", "two"], settings: "# mine\n\nbind \"^[[A\" ed-move-to-beg\nbind ^T \(name)\n")
        session.type("x\u{14}")
        try session.wait(for: "> two", column: 5)
        session.type("\u{1b}[A")
        try session.wait(for: "> two", column: 2)
    }

    // MARK: Limits

    @Test("A paste of 1 MiB is one message, with brackets or without")
    func largePaste() throws {
        let session = try LineSession()
        let paste = String(repeating: "0123456789abcde ", count: 1 << 16)
        session.terminal.paste(paste)
        try session.send(expecting: paste)
        session.type("-" + paste.dropFirst())
        try session.send(expecting: "-" + paste.dropFirst())
        session.terminal.paste(paste + "x")
        try session.terminal.wait {
            $0.rows.joined().contains("A paste of 1048577 bytes is longer than a line may be (1048576); nothing was inserted.")
        }
        session.type("ok")
        try session.send(expecting: "ok")
    }

    @Test("In a window of 1 to 10 columns lines are typed, searched, edited and sent")
    func narrow() throws {
        let session = try LineSession(history: ["found 世界"])
        for columns in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] {
            session.terminal.resize(columns: columns, rows: 12)
            session.type("a世\(columns)\u{1b}[D\u{1}\u{1b}[Cb\u{1b}[A\u{1b}[B")
            try session.send(expecting: "ab世\(columns)")
            session.type("\u{12}fo\u{1b}[C!")
            try session.send(expecting: "f!ound 世界")
        }
        #expect(session.terminal.screen.unknown == [])
        session.terminal.resize(columns: 80, rows: 24)
        session.type("wide again")
        try session.wait(for: "> wide again", column: 12)
        try session.send(expecting: "wide again")
    }

    @Test("In a window of one column what is typed is seen, a character at a time, and the cursor is on it")
    func oneColumn() throws {
        let session = try LineSession()
        session.terminal.resize(columns: 1, rows: 8)
        for character in "xyz" {
            session.type(String(character))
            session.type("\u{1b}[D")
            try session.terminal.wait { $0.rows[$0.cursorRow] == String(character) && $0.cursorColumn == 0 }
            session.type("\u{1b}[C")
        }
        try session.send(expecting: "xyz")
    }

    @Test(
        "When the terminal goes away, in the middle of a line or of a search, the server gets a Close",
        arguments: ["half", "half\u{12}f"])
    func hangUp(keys: String) throws {
        let session = try LineSession(history: ["found"])
        session.type(keys)
        try session.terminal.wait { $0.rows.contains { $0.hasPrefix("> half") || $0.hasSuffix("found") } }
        session.terminal.hangUp()
        // The end of the input and the signal come at once: whichever is found first closes.
        let status = try session.terminal.waitForExit()
        let code = try session.server.closures(1).first?.code
        #expect(
            status == .exited(129) && code == .goingAway || status == .exited(0) && code == .normal,
            "\(status), \(String(describing: code))")
    }

    @Test("A terminal that knows no escapes has Alt-Enter and history too")
    func dumb() throws {
        let session = try LineSession(history: ["older"], environment: ["TERM": "dumb"])
        session.type("one\u{1b}\rtwo")
        try session.wait(for: "> one^Jtwo", column: 10)
        session.type("\u{1b}[A\u{1b}[AX")
        try session.terminal.wait { $0.rows.contains { $0.hasPrefix("> ") && $0.contains("X") } }
        session.type("\u{3}\u{1b}[A")
        try session.wait(for: "> older")
        #expect(!session.terminal.transcript.contains(0x1b))
    }
}
