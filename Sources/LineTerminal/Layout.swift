/// Where prompt and line stand on the screen, cell by cell, on rows of `columns` cells.
///
/// What this relies on, and all of it: the terminal wraps a character that doesn't fit to the next row; it takes `wcwidth`'s widths; tab is never sent.
/// Where terminals differ on a width (emoji joined by U+200D, variation selectors, skin tones), the joiner, selector or tone is not drawn, so each part has
/// its width by `wcwidth`. What has no width of its own (control characters, bidirectional controls) is drawn as a visible escape, a newline breaks the row.
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
        /// The character of the line that begins with it; nil in the prompt, and where a character that is shown as several goes on.
        var offset: Int?
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
    /// Whether the cursor stands after the line's last character.
    private let cursorIsAtEnd: Bool
    /// Where the next character would go. Its column is `columns` when the last row is full: the terminal wraps only once a character comes.
    private(set) var end = Position()

    /// All rows.
    init(prompt: Prompt, line: some Sequence<Int32>, cursor: Int, columns: Int) {
        self = Array(line).withUnsafeBufferPointer { line in
            let rows = LineRows(prompt: prompt, line: line, cursor: cursor, columns: columns)
            return LineLayout(prompt: prompt, line: line, cursor: cursor, rows: rows, top: 0, height: rows.last + 1)
        }
    }

    /// The rows from `top` on, `height` of them at most, as rows from 0 on.
    init(prompt: Prompt, line: UnsafeBufferPointer<Int32>, cursor: Int, rows: LineRows, top: Int, height: Int) {
        columns = rows.columns
        cursorIsAtEnd = cursor >= line.count
        let characters = prompt.characters
        let start = rows.starts[min(top, rows.starts.count - 1)]
        end = start.position
        end.row -= top
        if start.offset == 0 { bytes += prompt.start.utf8 }
        cursorCell = -1
        for index in start.offset..<characters.count + line.count {
            let offset = index - characters.count
            if offset == 0 { endPrompt(prompt) }
            guard append(offset < 0 ? characters[index] : line[offset], offset, cursor: cursor, height: height) else {
                // The row below is not in view: what would lead there is left out.
                if offset < 0 { endPrompt(prompt) }
                if cursorCell < 0 { cursorCell = cells.count }
                return
            }
        }
        if line.isEmpty { endPrompt(prompt) }
        if cursorCell < 0 {
            cursorCell = cells.count
            self.cursor = end.column >= columns ? Position(row: end.row + 1, column: 0) : end
        }
    }

    private mutating func endPrompt(_ prompt: Prompt) {
        bytes += prompt.end.utf8
        promptCells = cells.count
    }

    /// Draws a character in as far as it is in view. False when what comes next isn't.
    private mutating func append(_ character: Int32, _ offset: Int, cursor cursorOffset: Int, height: Int) -> Bool {
        var isFirst = true
        var isInView = true
        Glyph.forEach(of: character) { glyph in
            guard isInView else { return }
            var next = end
            let (position, width) = glyph.place(at: &next, columns: columns)
            if isFirst && offset == cursorOffset && position.row >= 0 && position.row < height {
                cursorCell = cells.count
                // A newline on a full row is drawn past the edge: the cursor shows at the last column.
                cursor = Position(row: position.row, column: min(position.column, columns - 1))
            }
            isInView = next.row < height
            guard isInView else { return }
            end = next
            defer { isFirst = false }
            guard position.row >= 0 else { return }
            cells.append(
                Cell(
                    start: bytes.count, position: position, width: width, isNewline: false, offset: isFirst && offset >= 0 ? offset : nil))
            draw(glyph, width: width)
        }
        return isInView
    }

    private mutating func draw(_ glyph: Glyph, width: Int) {
        switch glyph {
        case .newline:
            cells[cells.count - 1].isNewline = true
            bytes += [0x0d, 0x0a]
        case .undrawn: break
        case .tab: bytes += Array(repeating: 0x20, count: width)
        case .scalar(let value, _):
            if value < 0x80 {
                bytes.append(UInt8(value))
            } else if let scalar = Unicode.Scalar(value) {
                bytes += UTF8.encode(scalar).map { Array($0) } ?? []
            }
        }
    }

    /// Where the cursor goes from its row to the one above or below, to `column` (its own if nil) or the nearest to it, and that column. Nil when there is no
    /// such row.
    static func step(
        _ direction: HistorySearch.Direction, column: Int?, prompt: Prompt, line: UnsafeBufferPointer<Int32>, cursor: Int, columns: Int
    ) -> (offset: Int, column: Int)? {
        let rows = LineRows(prompt: prompt, line: line, cursor: cursor, columns: columns)
        let row = rows.cursorRow + (direction == .older ? -1 : 1)
        guard (0...rows.last).contains(row) else { return nil }
        func layout(_ top: Int, _ height: Int) -> LineLayout {
            LineLayout(prompt: prompt, line: line, cursor: cursor, rows: rows, top: top, height: height)
        }
        let column = column ?? layout(rows.cursorRow, 1).cursor.column
        // With the row below it, so that a newline at its end is there too.
        let cells = layout(row, 2).cells.filter { $0.position.row == 0 }
        var places = cells.compactMap { cell in cell.offset.map { (offset: $0, column: cell.position.column) } }
        if row == rows.last { places.append((line.count, row == rows.end.row ? rows.end.column : 0)) }
        return (places.last { $0.column <= column } ?? places.first).map { ($0.offset, column) }
    }

    /// The row of the last cell, or of the cursor when that is lower.
    var lastRow: Int { max(end.row, cursor.row) }

    /// Whether the end is on a full row and the cursor belongs after it, at the start of the next.
    var cursorWraps: Bool { cursorIsAtEnd && end.column >= columns }

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

    /// What is shown, as characters of a line are.
    var characters: [Int32] { Array(EditBuffer.encode(text).dropLast()) }
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
