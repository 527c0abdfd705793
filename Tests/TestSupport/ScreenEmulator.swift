/// A terminal's screen: takes what a program writes and says what its user sees.
///
/// Knows what line editors use: CR, LF, BS, tab, bell; wrapping as the VT100 does it (a character in the last column leaves the cursor there, the next one wraps);
/// cursor movement, erasing, inserting and deleting of characters and lines, scrolling, DECSET 2004; SGR is ignored. Anything else is an error that
/// `unknown` collects, so that a test can state that none came. Widths come from a table of its own, not from the C library that it checks.
public struct ScreenEmulator {
    private struct Cell: Equatable {
        /// Empty for the second half of a wide character.
        var text = " "
        var isWritten = false
    }

    private struct Row {
        var cells: [Cell]
        /// Whether the next row goes on where this one ends.
        var isWrapped = false

        var text: String {
            guard let last = cells.lastIndex(where: { $0.isWritten && $0.text != " " }) else { return "" }
            return cells[...last].reduce(into: "") { $0 += $1.text }
        }
    }

    public private(set) var columns: Int
    public private(set) var height: Int
    /// Where the cursor is, from 0.
    public private(set) var cursorRow = 0
    public private(set) var cursorColumn = 0
    /// Times the bell rang.
    public private(set) var bells = 0
    /// Whether the program asked for pastes in brackets.
    public private(set) var hasBracketedPaste = false
    /// Escape sequences that are not known here.
    public private(set) var unknown: [String] = []
    /// Whether a resize wraps rows anew, as most terminals do, or cuts them off, as xterm does.
    public let rewraps: Bool

    private var screen: [Row]
    private var above: [Row] = []
    private var wrapsNext = false
    private var pending: [UInt8] = []

    public init(columns: Int, rows: Int, rewraps: Bool = true) {
        self.columns = columns
        height = rows
        self.rewraps = rewraps
        screen = Array(repeating: Row(cells: Array(repeating: Cell(), count: columns)), count: rows)
    }

    /// The rows on the screen, without the spaces at their ends.
    public var rows: [String] { screen.map(\.text) }

    /// What scrolled off and the rows on the screen, without the empty ones at the end.
    public var everything: [String] {
        var rows = above.map(\.text) + rows
        while rows.last == "" { rows.removeLast() }
        return rows
    }

    /// ``everything`` with the rows that the terminal itself has wrapped joined: what was written as lines.
    public var lines: [String] {
        var lines: [String] = []
        var goesOn = false
        for row in above + screen {
            let text = row.isWrapped ? row.cells.reduce(into: "") { $0 += $1.text } : row.text
            if goesOn { lines[lines.count - 1] += text } else { lines.append(text) }
            goesOn = row.isWrapped
        }
        while lines.last == "" { lines.removeLast() }
        return lines
    }

    /// The rows in use, joined, for a failed test's message.
    public var description: String {
        rows.enumerated().map { ($0.offset == cursorRow ? "→" : " ") + "│\($0.element)" }.joined(separator: "\n")
            + "\ncursor \(cursorRow),\(cursorColumn)"
    }

    // MARK: Input

    public mutating func feed(_ bytes: some Sequence<UInt8>) {
        pending += bytes
        var index = 0
        while let length = step(pending[index...]) { index += length }
        pending.removeFirst(index)
    }

    /// Takes one character or sequence off `bytes`: its length, nil when more is needed.
    private mutating func step(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard let first = bytes.first else { return nil }
        if first == 0x1b { return escape(bytes) }
        if first < 0x80 {
            control(first)
            return 1
        }
        let length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1
        guard bytes.count >= length else { return nil }
        for scalar in String(decoding: bytes.prefix(length), as: UTF8.self).unicodeScalars { put(scalar) }
        return length
    }

    private mutating func control(_ byte: UInt8) {
        switch byte {
        case 0x07: bells += 1
        case 0x08: moveTo(row: cursorRow, column: cursorColumn - 1)
        case 0x09: moveTo(row: cursorRow, column: (cursorColumn / 8 + 1) * 8)
        case 0x0a:
            screen[cursorRow].isWrapped = false
            lineFeed()
        case 0x0d: moveTo(row: cursorRow, column: 0)
        case 0x20..<0x7f: put(Unicode.Scalar(byte))
        default: unknown.append("control \(byte)")
        }
    }

    private mutating func escape(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.count >= 2 else { return nil }
        let second = bytes[bytes.startIndex + 1]
        guard second == UInt8(ascii: "[") else {
            unknown.append("ESC \(second)")
            return 2
        }
        let body = bytes.dropFirst(2)
        guard let end = body.firstIndex(where: { (0x40...0x7e).contains($0) }) else { return nil }
        let text = String(decoding: body[..<end], as: UTF8.self)
        let numbers = text.split(separator: ";", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        sequence(Character(Unicode.Scalar(bytes[end])), text, numbers)
        return end - bytes.startIndex + 1
    }

    private mutating func sequence(_ final: Character, _ text: String, _ numbers: [Int]) {
        let first = numbers.first ?? 0
        let count = max(first, 1)
        switch final {
        case "A": moveTo(row: cursorRow - count, column: cursorColumn)
        case "B": moveTo(row: cursorRow + count, column: cursorColumn)
        case "C": moveTo(row: cursorRow, column: cursorColumn + count)
        case "D": moveTo(row: cursorRow, column: cursorColumn - count)
        case "G": moveTo(row: cursorRow, column: count - 1)
        case "H": moveTo(row: count - 1, column: (numbers.dropFirst().first.map { max($0, 1) } ?? 1) - 1)
        case "J" where first == 0:
            erase(row: cursorRow, from: cursorColumn)
            for row in min(cursorRow + 1, height)..<height { erase(row: row, from: 0) }
        case "J" where first == 2:
            for row in 0..<height { erase(row: row, from: 0) }
        case "K" where first == 0: erase(row: cursorRow, from: cursorColumn)
        case "P": shift(count: -count)
        case "@": shift(count: count)
        case "L", "M": shiftRows(count: final == "L" ? count : -count)
        case "m": break
        case "h" where text == "?2004": hasBracketedPaste = true
        case "l" where text == "?2004": hasBracketedPaste = false
        default: unknown.append("ESC [ \(text)\(final)")
        }
    }

    // MARK: Drawing

    private mutating func moveTo(row: Int, column: Int) {
        cursorRow = min(max(row, 0), height - 1)
        cursorColumn = min(max(column, 0), columns - 1)
        wrapsNext = false
    }

    private mutating func lineFeed() {
        wrapsNext = false
        if cursorRow + 1 < height {
            cursorRow += 1
        } else {
            above.append(screen.removeFirst())
            screen.append(emptyRow)
        }
    }

    private var emptyRow: Row { Row(cells: Array(repeating: Cell(), count: columns)) }

    private mutating func put(_ scalar: Unicode.Scalar) {
        // A screen of one column has no room for a wide character.
        let width = min(Self.width(scalar), columns)
        if width == 0 {
            let column = wrapsNext ? cursorColumn : cursorColumn - 1
            guard column >= 0 else { return }
            screen[cursorRow].cells[screen[cursorRow].cells[column].text.isEmpty ? column - 1 : column].text.unicodeScalars.append(scalar)
            return
        }
        if wrapsNext || cursorColumn + width > columns {
            screen[cursorRow].isWrapped = true
            lineFeed()
            cursorColumn = 0
        }
        split(row: cursorRow, at: cursorColumn)
        split(row: cursorRow, at: cursorColumn + width)
        screen[cursorRow].cells[cursorColumn] = Cell(text: String(scalar), isWritten: true)
        if width == 2 { screen[cursorRow].cells[cursorColumn + 1] = Cell(text: "", isWritten: true) }
        screen[cursorRow].isWrapped = screen[cursorRow].isWrapped && cursorColumn + width < columns
        cursorColumn += width
        wrapsNext = cursorColumn == columns
        if wrapsNext { cursorColumn -= 1 }
    }

    /// A wide character that loses a half is gone.
    private mutating func split(row: Int, at column: Int) {
        guard column > 0, column < columns, screen[row].cells[column].text.isEmpty else { return }
        screen[row].cells[column - 1].text = " "
        screen[row].cells[column].text = " "
    }

    private mutating func erase(row: Int, from column: Int) {
        split(row: row, at: column)
        for index in column..<columns { screen[row].cells[index] = Cell() }
        screen[row].isWrapped = false
    }

    private mutating func shift(count: Int) {
        var cells = screen[cursorRow].cells
        let blank = Array(repeating: Cell(), count: min(abs(count), columns - cursorColumn))
        if count > 0 {
            cells.insert(contentsOf: blank, at: cursorColumn)
            cells.removeLast(blank.count)
        } else {
            cells.removeSubrange(cursorColumn..<cursorColumn + blank.count)
            cells += blank
        }
        screen[cursorRow].cells = cells
    }

    private mutating func shiftRows(count: Int) {
        for _ in 0..<min(abs(count), height - cursorRow) {
            screen.remove(at: count > 0 ? height - 1 : cursorRow)
            screen.insert(emptyRow, at: count > 0 ? cursorRow : height - 1)
        }
    }

    // MARK: Resizing

    /// Gives the screen another size. The cursor stays on its character; rows that no longer fit go off the top.
    public mutating func resize(columns newColumns: Int, rows newHeight: Int) {
        if rewraps && newColumns != columns { rewrap(to: newColumns) } else { cut(to: newColumns) }
        columns = newColumns
        while screen.count > newHeight {
            if screen.count - 1 > cursorRow, screen.last?.text == "" {
                screen.removeLast()
            } else {
                above.append(screen.removeFirst())
                cursorRow -= 1
            }
        }
        while screen.count < newHeight { screen.append(emptyRow) }
        height = newHeight
        wrapsNext = false
        cursorColumn = min(cursorColumn, columns - 1)
        cursorRow = max(cursorRow, 0)
    }

    private mutating func cut(to newColumns: Int) {
        for index in screen.indices {
            screen[index].cells = Array(screen[index].cells.prefix(newColumns))
            while screen[index].cells.count < newColumns { screen[index].cells.append(Cell()) }
        }
    }

    private mutating func rewrap(to newColumns: Int) {
        let old = above + screen
        let oldCursor = above.count + cursorRow
        var rows: [Row] = []
        var newCursor = (row: 0, column: 0)
        var index = 0
        while index < old.count {
            var cells: [Cell] = []
            var cursorOffset: Int?
            while true {
                let row = old[index]
                if index == oldCursor { cursorOffset = cells.count + cursorColumn }
                let written = row.isWrapped ? row.cells.count : (row.cells.lastIndex { $0.isWritten } ?? -1) + 1
                // A blank last column that a wide character didn't fit into is no part of the text.
                let fits = row.isWrapped && row.cells.last?.isWritten == false ? written - 1 : written
                cells += row.cells.prefix(fits)
                index += 1
                if !row.isWrapped || index == old.count { break }
            }
            var line = Row(cells: [])
            var offset = 0
            repeat {
                let width = offset + 1 < cells.count && cells[offset + 1].text.isEmpty ? 2 : 1
                if line.cells.count + width > newColumns {
                    while line.cells.count < newColumns { line.cells.append(Cell()) }
                    line.isWrapped = true
                    rows.append(line)
                    line = Row(cells: [])
                }
                if cursorOffset.map({ (offset..<offset + width).contains($0) }) == true { newCursor = (rows.count, line.cells.count) }
                if offset < cells.count { line.cells += cells[offset..<offset + width] }
                offset += width
            } while offset < cells.count
            if let cursorOffset, cursorOffset >= offset { newCursor = (rows.count, line.cells.count + cursorOffset - offset) }
            while line.cells.count < newColumns { line.cells.append(Cell()) }
            rows.append(line)
        }
        while rows.count > max(height, newCursor.row + 1), rows.last?.text == "" { rows.removeLast() }
        let split = max(0, rows.count - height)
        above = Array(rows[..<split])
        screen = Array(rows[split...])
        (cursorRow, cursorColumn) = (newCursor.row - split, newCursor.column)
    }

    // MARK: Widths

    private static let zeroWidth: [ClosedRange<UInt32>] = [
        0x300...0x36f, 0x483...0x489, 0x591...0x5bd, 0x1160...0x11ff, 0x1ab0...0x1aff, 0x200b...0x200f, 0x20d0...0x20ff, 0xfe00...0xfe0f,
        0xfe20...0xfe2f,
    ]
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115f, 0x2e80...0x303e, 0x3041...0x33ff, 0x3400...0x4dbf, 0x4e00...0x9fff, 0xa000...0xa4cf, 0xac00...0xd7a3,
        0xf900...0xfaff, 0xfe30...0xfe6f,
        0xff00...0xff60, 0xffe0...0xffe6, 0x1f300...0x1f64f, 0x1f680...0x1f6ff, 0x1f900...0x1f9ff, 0x20000...0x3fffd,
    ]

    /// Cells that a character takes.
    public static func width(_ scalar: Unicode.Scalar) -> Int {
        if zeroWidth.contains(where: { $0.contains(scalar.value) }) { return 0 }
        return wide.contains { $0.contains(scalar.value) } ? 2 : 1
    }
}

extension ScreenEmulator {
    /// Rows that hold `text` as a terminal of `columns` wraps it.
    public static func wrap(_ text: String, _ columns: Int) -> [String] {
        var rows = [""]
        var width = 0
        for scalar in text.unicodeScalars {
            let next = Self.width(scalar)
            if width + next > columns {
                rows.append("")
                width = 0
            }
            rows[rows.count - 1].unicodeScalars.append(scalar)
            width += next
        }
        return rows.map { row in
            var row = row
            while row.last == " " { row.removeLast() }
            return row
        }
    }
}
