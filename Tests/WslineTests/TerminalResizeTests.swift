import TestSupport
import Testing

@Suite("A window that changes its size", .serialized)
struct TerminalResizeTests {
    @Test("A message longer than the window goes on after the window has shrunk, and arrives whole")
    func shrinks() throws {
        let server = try TerminalServer()
        let terminal = try PseudoTerminal.wsline([server.url], columns: 80, rows: 24)
        let line = (0..<1500).map { String($0 % 10) }.joined()
        terminal.type(line)
        terminal.resize(columns: 80, rows: 10)
        // A key at a time, as a person types: what comes at once is drawn at once.
        for character in line.prefix(300) {
            let written = terminal.transcript.count
            terminal.type(String(character))
            try terminal.wait { _ in terminal.transcript.count > written }
        }
        terminal.resize(columns: 80, rows: 50)
        terminal.type("\r")
        try terminal.wait { $0.everything.joined().contains("< " + line + line.prefix(300)) }
        terminal.type("\u{4}")
        #expect(try terminal.waitForExit() == .exited(0))
    }
}
