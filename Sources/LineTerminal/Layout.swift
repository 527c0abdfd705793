import CLibEdit

/// Where prompt and line stand on the screen, cell by cell, on rows of `columns` cells.
///
/// What this relies on, and all of it: the terminal wraps a character that doesn't fit to the next row; it takes `wcwidth`'s widths; tab is never sent.
/// Where terminals differ on a width (emoji joined by U+200D, variation selectors), the joiner or selector is not drawn, so each part has its
/// width by `wcwidth`. What has no width of its own (control characters, bidirectional controls) is drawn as a visible escape, a newline breaks the row.
struct LineLayout: Equatable {
    struct Position: Equatable {
        var row = 0
        var column = 0
    }

    struct Cell: Equatable {
        /// Where its bytes begin in `bytes`.
        var start: Int
        var position: Position
        var width: Int
        var isNewline: Bool
    }

    let columns: Int
    /// What draws it all from its first cell on.
    private(set) var bytes: [UInt8] = []
    private(set) var cells: [Cell] = []
    /// Cells before this one are the prompt's.
    private(set) var promptCells = 0
    private(set) var cursor = Position()
    /// The cell that the cursor stands on; the number of cells when it stands at the end.
    private(set) var cursorCell = 0
    /// Where the next character would go. Its column is `columns` when the last row is full: the terminal wraps only once a character comes.
    private(set) var end = Position()

    init(prompt: Prompt, line: some Sequence<Int32>, cursor cursorOffset: Int, columns: Int) {
        self.columns = max(columns, 2)
        bytes += prompt.start.utf8
        for scalar in prompt.text.unicodeScalars { append(Int32(bitPattern: scalar.value)) }
        bytes += prompt.end.utf8
        promptCells = cells.count
        var offset = 0
        for character in line {
            if offset == cursorOffset { cursorCell = cells.count }
            append(character)
            offset += 1
        }
        if offset <= cursorOffset { cursorCell = cells.count }
        placeCursor()
    }

    /// Rows from `top` on, `height` of them at most.
    func window(top: Int, height: Int) -> LineLayout {
        guard top > 0 || lastRow >= height else { return self }
        var result = self
        let first = cells.partitioningIndex { $0.position.row >= top }
        var last = cells.partitioningIndex { $0.position.row >= top + height }
        // The break that would lead to the row below the window is left out with it.
        if last < cells.count, last > first, cells[last - 1].isNewline { last -= 1 }
        let from = first == 0 ? 0 : start(of: first)
        result.bytes = Array(bytes[from..<(last == cells.count ? bytes.count : start(of: last))])
        result.cells = cells[first..<last].map {
            var cell = $0
            cell.start -= from
            cell.position.row -= top
            return cell
        }
        result.promptCells = max(0, promptCells - first)
        result.cursorCell = min(max(cursorCell - first, 0), result.cells.count)
        if last == cells.count {
            result.end.row -= top
        } else {
            result.end = result.cells.last.map { Position(row: $0.position.row, column: $0.position.column + $0.width) } ?? Position()
        }
        result.cursor.row -= top
        return result
    }

    /// The row of the last cell, or of the cursor when that is lower.
    var lastRow: Int { max(end.row, cursor.row) }

    /// Whether the end is on a full row and the cursor belongs after it, at the start of the next.
    var cursorWraps: Bool { cursorCell == cells.count && end.column >= columns }

    /// The cell that byte `offset` is part of; the number of cells after the last.
    func cell(atByte offset: Int) -> Int {
        offset >= bytes.count ? cells.count : max(cells.partitioningIndex { $0.start > offset } - 1, 0)
    }

    /// Whether cell `index` is a mark without width.
    func hasMark(at index: Int) -> Bool { index < cells.count && cells[index].width == 0 && !cells[index].isNewline }

    /// The last cell up to `index` that isn't a mark.
    func drawnCell(upTo index: Int) -> Int {
        var index = index
        while index > 0, hasMark(at: index) { index -= 1 }
        return max(index, 0)
    }

    /// The row that a terminal's cursor at `point` is on after the terminal has re-wrapped these rows to `columns`: it stays on the character that it shows
    /// on, which is not the line's where that has no width.
    func row(of point: Position, rewrappedTo columns: Int) -> Int {
        var position = Position()
        for (index, cell) in cells.enumerated() {
            if cell.isNewline {
                if cell.position.row == point.row { return position.row }
                position = Position(row: position.row + 1, column: 0)
                continue
            }
            // A tab is spaces to the terminal.
            let isSpaces = bytes[cell.start..<start(of: index + 1)].allSatisfy { $0 == 0x20 }
            let width = isSpaces ? 1 : cell.width
            for column in stride(from: cell.position.column, to: cell.position.column + cell.width, by: max(width, 1)) {
                if position.column + width > columns { position = Position(row: position.row + 1, column: 0) }
                if cell.position.row == point.row, (column..<column + width).contains(point.column) { return position.row }
                position.column += width
            }
        }
        // The space that is drawn after a full row.
        return point.row > end.row && position.column >= columns ? position.row + 1 : position.row
    }

    private func start(of cell: Int) -> Int { cell < cells.count ? cells[cell].start : bytes.count }

    private mutating func placeCursor() {
        if cursorCell < cells.count {
            let cell = cells[cursorCell]
            // A newline on a full row is drawn past the edge: the cursor shows at the last column.
            cursor = Position(row: cell.position.row, column: min(cell.position.column, columns - 1))
        } else {
            cursor = end.column >= columns ? Position(row: end.row + 1, column: 0) : end
        }
    }

    private mutating func append(_ character: Int32) {
        switch character {
        case 0x20..<0x7f:
            place([UInt8(character)], width: 1)
        case 0x0a:
            cells.append(Cell(start: bytes.count, position: end, width: 0, isNewline: true))
            bytes += [0x0d, 0x0a]
            end = Position(row: end.row + 1, column: 0)
        case 0x09:
            // Not past the edge: a tab stops there as it does on the screen.
            let column = end.column >= columns ? 0 : end.column
            let width = min(8 - column % 8, columns - column)
            place(Array(repeating: 0x20, count: width), width: width)
        case 0..<0x20, 0x7f:
            placeText([UInt8(ascii: "^"), UInt8(truncatingIfNeeded: character) ^ 0x40])
        case EditBuffer.nul:
            placeText(Array("^@".utf8))
        default:
            appendWide(character)
        }
    }

    private mutating func appendWide(_ character: Int32) {
        guard let scalar = UInt32(exactly: character).flatMap(Unicode.Scalar.init) else { return place([UInt8(ascii: "?")], width: 1) }
        let width = Int(wsline_wcwidth(character))
        let isUndrawn = character == 0x200d || (0xfe00...0xfe0f).contains(character)
        if EscapeFilter.isDangerous(scalar.value) || (width < 0 && !isUndrawn) {
            var escape: [UInt8] = []
            EscapeFilter.appendScalarEscape(scalar.value, to: &escape)
            placeText(escape)
        } else if isUndrawn {
            // Part of the cell before it, so that the cursor has somewhere to stand.
            cells.append(Cell(start: bytes.count, position: wrapped(width: 0), width: 0, isNewline: false))
        } else {
            place(Array(String(scalar).utf8), width: width)
        }
    }

    /// One character that is shown as several: drawn as cells of their own, so that it may wrap, though the cursor only stands on the first.
    private mutating func placeText(_ text: [UInt8]) { for byte in text { place([byte], width: 1) } }

    private func wrapped(width: Int) -> Position { end.column + width > columns ? Position(row: end.row + 1, column: 0) : end }

    private mutating func place(_ text: [UInt8], width: Int) {
        let position = wrapped(width: width)
        cells.append(Cell(start: bytes.count, position: position, width: width, isNewline: false))
        bytes += text
        end = Position(row: position.row, column: position.column + width)
    }
}

/// What stands before the line.
public struct Prompt: Sendable, Equatable {
    /// What is shown, with no escapes in it.
    public var text: String
    /// Escapes of no width round it.
    var start = ""
    var end = ""

    public init(_ text: String, style: Style = Style(isEnabled: false)) {
        self.text = text
        start = style.start(.prompt)
        end = style.end
    }
}

extension Array {
    /// The index of the first element that `belongs` holds for, in an array where those come last.
    func partitioningIndex(where belongs: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if belongs(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
