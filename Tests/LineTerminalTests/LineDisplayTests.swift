import TestSupport
import Testing

@testable import LineTerminal

/// The display against the screen emulator, which has its own widths and knows nothing of it.
@Suite struct LineDisplayTests {
    init() {
        _ = LibEdit.useUTF8Locale
    }

    private static let pieces = [
        "a", "b", " ", "世", "界", "e\u{301}", "\t", "\u{1}", "\n", "\u{202e}", "😀", "xyz xyz xyz", "\u{200d}", "日本語日本語",
    ]

    /// What the screen would show if all were drawn at once.
    private func fresh(_ line: [Int32], _ cursor: Int, columns: Int, rows: Int) -> ScreenEmulator {
        var screen = ScreenEmulator(columns: columns, rows: rows)
        var display = LineDisplay(isDumb: false, rewraps: true, columns: columns, rows: rows)
        screen.feed(display.update(prompt: Prompt("> "), line: line, cursor: cursor))
        return screen
    }

    /// The rows from the prompt down to the last in use.
    private func block(_ rows: [String], from row: Int) -> [String] {
        var rows = Array(rows[row...])
        while rows.last == "" { rows.removeLast() }
        return rows
    }

    @Test("After any edits, messages and resizes the screen is the one that drawing it at once gives", arguments: 0..<400 as Range<UInt64>)
    func matchesFresh(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var columns = Int.random(in: 10...40, using: &random)
        var screen = ScreenEmulator(columns: columns, rows: 60, rewraps: seed.isMultiple(of: 2))
        var display = LineDisplay(isDumb: false, rewraps: screen.rewraps, columns: columns, rows: 60)
        var line: [Int32] = []
        var cursor = 0
        var above = 0
        for step in 0..<150 {
            switch Int.random(in: 0..<12, using: &random) {
            case 0...5:
                let piece = Self.pieces.randomElement(using: &random) ?? ""
                let text = EditBuffer.encode(piece).dropLast()
                if line.count < 150 {
                    line.insert(contentsOf: text, at: cursor)
                    cursor += text.count
                }
            case 6, 7:
                if cursor > 0 {
                    let count = Int.random(in: 1...cursor, using: &random) % 6
                    line.removeSubrange(cursor - count..<cursor)
                    cursor -= count
                }
            case 8: cursor = Int.random(in: 0...line.count, using: &random)
            case 9: cursor = line.count
            case 10:
                if above < 15 {
                    screen.feed(display.erase() + Array("< \(step)\r\n".utf8))
                    above += 1
                }
            default:
                columns = Int.random(in: 12...40, using: &random)
                screen.resize(columns: columns, rows: 60)
                screen.feed(display.resize(columns: columns, rows: 60))
            }
            screen.feed(display.update(prompt: Prompt("> "), line: line, cursor: cursor))
            // A row that is left behind stays to be seen: looking at each step takes ten times as long.
            guard seed < 20 || step % 10 == 9 else { continue }
            let expected = fresh(line, cursor, columns: columns, rows: 60)
            let rows = screen.rows
            let got = block(rows, from: above)
            let want = block(expected.rows, from: 0)
            #expect(got == want, "step \(step) columns \(columns)")
            #expect(screen.cursorRow == above + expected.cursorRow, "step \(step)")
            #expect(screen.cursorColumn == expected.cursorColumn, "step \(step)")
            #expect(rows[..<above].allSatisfy { $0.hasPrefix("< ") }, "step \(step)")
            if got != want || screen.cursorRow != above + expected.cursorRow { return }
        }
        #expect(screen.unknown == [])
    }

    @Test("A line of more rows than the screen never touches what is above it", arguments: 0..<10 as Range<UInt64>)
    func scrolls(seed: UInt64) {
        var random = SeededGenerator(seed: 1000 + seed)
        var screen = ScreenEmulator(columns: 20, rows: 5)
        var display = LineDisplay(isDumb: false, rewraps: true, columns: 20, rows: 5)
        screen.feed(Array("one\r\ntwo\r\n".utf8))
        let line = EditBuffer.encode((0..<60).map { "<\($0)世>" }.joined()).dropLast()
        for _ in 0..<40 {
            let cursor = Int.random(in: 0...line.count, using: &random)
            screen.feed(display.update(prompt: Prompt("> "), line: line, cursor: cursor))
            let whole = fresh(Array(line), cursor, columns: 20, rows: 40)
            #expect(screen.cursorColumn == whole.cursorColumn)
            #expect(screen.rows[screen.cursorRow] == whole.rows[whole.cursorRow])
        }
        screen.feed(display.erase() + Array("three\r\n".utf8))
        #expect(screen.everything.prefix(2) == ["one", "two"])
    }

    @Test("A cursor on a joiner, which isn't drawn, is where the terminal shows it after a resize: on the character that follows")
    func followsTheJoiner() {
        var screen = ScreenEmulator(columns: 6, rows: 10)
        var display = LineDisplay(isDumb: false, rewraps: true, columns: 6, rows: 10)
        let line = EditBuffer.encode("123456\u{200d}789").dropLast()
        screen.feed(display.update(prompt: Prompt("> "), line: line, cursor: 6))
        screen.resize(columns: 8, rows: 10)
        screen.feed(display.resize(columns: 8, rows: 10))
        screen.feed(display.update(prompt: Prompt("> "), line: line, cursor: 6))
        #expect(screen.everything == ["> 123456", "789"])
    }

    @Test("Typing at the end of a line sends the character and nothing else")
    func appends() {
        var display = LineDisplay(isDumb: false, rewraps: true, columns: 40, rows: 10)
        _ = display.update(prompt: Prompt("> "), line: [0x61], cursor: 1)
        #expect(display.update(prompt: Prompt("> "), line: [0x61, 0x62], cursor: 2) == [0x62])
        #expect(display.update(prompt: Prompt("> "), line: [0x61, 0x62], cursor: 2) == [])
    }

    @Test("The prompt keeps its colours and they take no room")
    func colours() {
        var display = LineDisplay(isDumb: false, rewraps: true, columns: 40, rows: 10)
        let prompt = Prompt("> ", style: Style(isEnabled: true))
        #expect(display.update(prompt: prompt, line: [0x61], cursor: 1) == Array("\u{1b}[1m> \u{1b}[0ma".utf8))
        #expect(display.update(prompt: prompt, line: [0x62], cursor: 1) == Array("\r\u{1b}[2C\u{1b}[Jb".utf8))
    }
}
