import TestSupport
import Testing
import CPosix

/// The editor on a window that changes its size, whatever the sizes, and however late the terminal reports them.
@Suite(.serialized) struct ResizeTests {
    private static let line = (0..<1500).map { $0 % 40 == 39 ? "世" : String($0 % 10) }.joined()

    private func start(_ arguments: [String] = [], columns: Int, rows: Int, rewraps: Bool = true) throws -> PseudoTerminal {
        let environment = PseudoTerminal.standardEnvironment.merging(rewraps ? [:] : ["XTERM_VERSION": "XTerm(379)"]) { $1 }
        let terminal = try PseudoTerminal(
            PseudoTerminal.builtProduct("LineEditorFixture"), arguments, environment: environment, columns: columns, rows: rows,
            rewraps: rewraps)
        try terminal.wait { $0.rows.contains(">") }
        return terminal
    }

    /// Has the editor read a key and draw; a key and not time, as other processes may hold it up.
    private func press(_ keys: String, on terminal: PseudoTerminal) throws {
        let written = terminal.transcript.count
        terminal.type(keys)
        try terminal.wait { _ in terminal.transcript.count > written }
    }

    /// Sends the line as it stands and has it said back in a window that it fits.
    private func send(on terminal: PseudoTerminal) throws -> String {
        terminal.resize(columns: 80, rows: 24)
        terminal.type("\r")
        try terminal.wait { $0.rows.contains { $0.hasPrefix("got ") } }
        return terminal.screen.rows.first { $0.hasPrefix("got ") } ?? ""
    }

    private func answer(to line: String) -> String {
        "got \(line.utf8.count) bytes, sum \(line.utf8.reduce(0) { ($0 &* 31 &+ UInt64($1)) })"
    }

    @Test("A line longer than the screen goes on after the window has shrunk, and is sent whole")
    func shrinks() throws {
        let terminal = try start(columns: 80, rows: 24)
        terminal.type(Self.line)
        terminal.resize(columns: 80, rows: 10)
        for character in Self.line.prefix(300) { try press(String(character), on: terminal) }
        #expect(try send(on: terminal) == answer(to: Self.line + Self.line.prefix(300)))
        terminal.type("\u{4}")
        #expect(try terminal.waitForExit() == .exited(0))
    }

    @Test("After Home and End a line longer than the screen goes on, and is sent whole")
    func movesAbout() throws {
        let terminal = try start(columns: 20, rows: 4)
        terminal.type(Self.line)
        try press("\u{1}", on: terminal)
        try press("\u{5}", on: terminal)
        for character in Self.line.prefix(300) { try press(String(character), on: terminal) }
        #expect(try send(on: terminal) == answer(to: Self.line + Self.line.prefix(300)))
    }

    /// Mostly smaller than the line, among them those with no room for a wide character or a second row.
    private static let sizes: [(columns: Int, rows: Int)] =
        [1, 2, 3, 5, 8, 13].flatMap { columns in [1, 2, 3, 7].map { (columns, $0) } }
        + [(300, 300), (300, 1), (1, 300), (80, 24), (132, 50), (79, 10), (200, 3), (24, 200)]

    @Test(
        "Whatever the window's size, editing a line longer than the screen touches no memory but its own",
        .enabled(if: Sanitizer.current != nil || access("/usr/bin/valgrind", X_OK) == 0))
    func isSafeAtAnySize() throws {
        let fixture = try PseudoTerminal.builtProduct("LineEditorFixture")
        // A program that is built with a sanitizer doesn't start under valgrind; AddressSanitizer watches by itself.
        let command =
            Sanitizer.current == nil
            ? ["/usr/bin/valgrind", "--error-exitcode=99", "--quiet", "--log-file=/dev/null", fixture] : [fixture]
        let terminal = try PseudoTerminal(command[0], Array(command.dropFirst()), columns: 80, rows: 24)
        terminal.patience = 60
        try terminal.wait { $0.rows.contains(">") }
        terminal.type(String(Self.line.prefix(600)))
        for (number, size) in Self.sizes.enumerated() {
            terminal.resize(columns: size.columns, rows: size.rows)
            // To the start and the end, a word and a stretch away, and text at the end and elsewhere: libedit draws each in another way.
            let keys = ["\u{1}\u{5}", "", "\u{2}\u{2}", "\u{1b}b\u{1b}b\u{b}", "\u{1}\u{b}\u{19}"][number % 5]
            try press(keys + "0123456789世\t0123456789é", on: terminal)
        }
        terminal.resize(columns: 80, rows: 24)
        terminal.type("\r")
        try terminal.wait { $0.rows.contains { $0.hasPrefix("got ") } }
        terminal.type("\u{4}")
        #expect(try terminal.waitForExit() == .exited(0))
    }

    @Test(
        "Messages printed after a resize and before the terminal reports it leave no row behind and take none away",
        arguments: [(60, 25), (25, 60), (60, 40)], [true, false])
    func survivesALateReport(widths: (before: Int, after: Int), rewraps: Bool) throws {
        let terminal = try start(["--report-delay", "2000"], columns: widths.before, rows: 20, rewraps: rewraps)
        let line = String(Self.line.prefix(100))
        terminal.type(line)
        let tail = String(line.suffix(10))
        try terminal.wait { $0.rows.joined().hasSuffix(tail) }
        terminal.resizeUnreported(columns: widths.after, rows: 20)
        for number in 0..<3 {
            terminal.send(signal: SIGUSR1)
            try terminal.wait { $0.rows.contains("< signal \(number)") }
        }
        terminal.resize(columns: widths.after, rows: 20)
        let expected = ["ready", "< signal 0", "< signal 1", "< signal 2"] + ScreenEmulator.wrap("> " + line, widths.after)
        try terminal.wait { $0.rows.filter { !$0.isEmpty } == expected && $0.rows.joined().hasSuffix(tail) }
    }
}
