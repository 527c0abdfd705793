import TestSupport
import Testing

@testable import LineTerminal

@Suite struct LineRowsTests {
    init() { _ = LibEdit.useUTF8Locale }

    private static let pieces = [
        "a", "word ", "世", "e\u{301}", "\t", "\u{1}", "\n", "\u{202e}", "😀", "👨‍👩‍👧", "👍🏽", "🇩🇪", "\u{200d}",
        "0123456789012345678901234567890123456789",
    ]

    @Test("A window of rows is what those rows are of all of them", arguments: 0..<100 as Range<UInt64>)
    func windows(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let text = (0..<Int.random(in: 0...40, using: &random)).map { _ in Self.pieces.randomElement(using: &random) ?? "" }.joined()
        let line = Array(EditBuffer.encode(text).dropLast())
        let columns = Int.random(in: 2...30, using: &random)
        let cursor = Int.random(in: 0...line.count, using: &random)
        let prompt = Prompt(seed.isMultiple(of: 3) ? "(reverse-i-search)'世': " : "> ")
        let whole = LineLayout(prompt: prompt, line: line, cursor: cursor, columns: columns)
        line.withUnsafeBufferPointer { line in
            let rows = LineRows(prompt: prompt, line: line, cursor: cursor, columns: columns)
            #expect(rows.last == whole.lastRow)
            #expect(rows.cursorRow == whole.cursor.row)
            for top in 0...rows.last {
                for height in [1, 2, 5] {
                    let window = LineLayout(prompt: prompt, line: line, cursor: cursor, rows: rows, top: top, height: height)
                    let expected = whole.cells.filter { (top..<top + height).contains($0.position.row) }
                    var shown = window.cells.map { $0.position.row + top }
                    // The newline that would lead below is left out.
                    if shown.count < expected.count, expected.last?.isNewline == true { shown.append(top + height - 1) }
                    #expect(shown == expected.map(\.position.row), "\(text) \(columns) \(top) \(height)")
                    #expect(window.cells.map(\.offset) == expected.prefix(window.cells.count).map(\.offset))
                    #expect(zip(window.cells, expected).allSatisfy { $0.position.column == $1.position.column && $0.width == $1.width })
                    if (top..<top + height).contains(rows.cursorRow) {
                        #expect(window.cursor.row + top == whole.cursor.row && window.cursor.column == whole.cursor.column)
                    }
                }
            }
        }
    }
}
