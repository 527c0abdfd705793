/// Draws prompt and line, and knows what it drew.
///
/// libedit edits, this draws. libedit's own refresh is not used because it goes wrong where this program can't afford it: it loses the cursor on a line of
/// more rows than the screen has, counts on the window not having changed since the last key, and can't tell which rows it took. Here each state is a
/// `LineLayout`; what differs from the one on the screen is drawn from the first difference on. Only CR, LF, SGR, cursor up, down and forward, and
/// erase-below are used, which every terminal since the VT100 knows. Where even that is too much (`TERM=dumb`), the line is kept on one row that scrolls
/// sideways, with CR and spaces alone.
///
/// A value that returns bytes and does no I/O.
struct LineDisplay {
    typealias Position = LineLayout.Position

    /// Whether the terminal knows no more than CR and spaces.
    let isDumb: Bool
    /// Whether the terminal wraps its rows anew when its width changes, as nearly all do; xterm, the Linux console and GNU screen cut them off.
    let rewraps: Bool
    private(set) var columns: Int
    private(set) var rows: Int
    /// What is on the screen.
    private var shown: LineLayout?
    /// Where the terminal's cursor is, relative to the first cell drawn.
    private var cursor = Position()
    /// The first row in view of a line that has more rows than the screen.
    private var top = 0
    /// On one row: the cells that it takes, and the first in view.
    private var shownWidth = 0
    private var rowFirst = 0

    init(isDumb: Bool, rewraps: Bool, columns: Int, rows: Int) {
        self.isDumb = isDumb
        self.rewraps = rewraps
        self.columns = columns
        self.rows = rows
    }

    /// What makes the screen show `line` with its cursor at `offset`.
    mutating func update(prompt: Prompt, line: some Sequence<Int32>, cursor offset: Int) -> [UInt8] {
        let line = ContiguousArray(line)
        return line.withUnsafeBufferPointer { update(prompt: prompt, line: $0, cursor: offset) }
    }

    /// What makes the screen show `line` with its cursor at `offset`.
    mutating func update(prompt: Prompt, line: UnsafeBufferPointer<Int32>, cursor offset: Int) -> [UInt8] {
        let lineRows = LineRows(prompt: prompt, line: line, cursor: offset, columns: lineColumns)
        guard !isOneRow else {
            return updateOneRow(LineLayout(prompt: prompt, line: line, cursor: offset, rows: lineRows, top: 0, height: lineRows.last + 1))
        }
        let height = max(rows, 1)
        let oldTop = top
        if lineRows.cursorRow < top { top = lineRows.cursorRow }
        if lineRows.cursorRow >= top + height { top = lineRows.cursorRow - height + 1 }
        top = min(top, max(lineRows.last - height + 1, 0))
        let window = LineLayout(prompt: prompt, line: line, cursor: offset, rows: lineRows, top: top, height: height)
        var output: [UInt8] = []
        if top != oldTop { output += erase() }
        draw(window, to: &output)
        return output
    }

    /// The cells of a row of the line: on one row that scrolls only a newline ends it.
    var lineColumns: Int { isOneRow ? .max / 2 : columns }

    /// Whether the line is kept on one row: where there is no room for a wide character on any, too.
    private var isOneRow: Bool { isDumb || columns < 2 }

    /// What takes prompt and line off the screen and leaves the cursor where they began.
    mutating func erase() -> [UInt8] {
        defer { forget() }
        guard shown != nil else { return [] }
        if isDumb { return [0x0d] + Array(repeating: 0x20, count: shownWidth) + [0x0d] }
        var output: [UInt8] = []
        move(to: Position(), in: &output)
        output += "\r\u{1b}[J".utf8
        return output
    }

    /// What leaves prompt and line as they are and the cursor on an empty row below.
    mutating func finish() -> [UInt8] {
        defer {
            forget()
            top = 0
        }
        guard let shown else { return [] }
        var output: [UInt8] = []
        if !isOneRow {
            move(to: Position(row: shown.lastRow, column: 0), in: &output)
            // The cursor's own row after a full one is empty already.
            if shown.cursorWraps && cursor.row > shown.end.row { return output + [0x0d] }
        }
        return output + [0x0d, 0x0a]
    }

    /// Starts afresh where the cursor is: the rows drawn so far are no longer ours.
    mutating func forget() {
        shown = nil
        cursor = Position()
        shownWidth = 0
    }

    /// What clears the rows after the window got a new size; `update` draws them anew.
    mutating func resize(columns newColumns: Int, rows newRows: Int) -> [UInt8] {
        guard newColumns != columns || newRows != rows else { return [] }
        let width = max(newColumns, 2)
        if let shown, rewraps, !isDumb, newColumns != columns { cursor.row = shown.row(of: cursor, rewrappedTo: width) }
        columns = newColumns
        rows = newRows
        // Rows above the screen's first can't be reached.
        cursor.row = min(cursor.row, max(newRows - 1, 0))
        return erase()
    }

    /// What draws the whole window anew, when what it shows is no longer known, with the last rows of `above` in it; `update` draws the line below them.
    /// Where the window may show more than `above`, it is scrolled off first, to where the terminal keeps such rows.
    mutating func repaint(above: RecentOutput, columns newColumns: Int, rows newRows: Int) -> [UInt8] {
        guard !isDumb else { return resize(columns: newColumns, rows: newRows) }
        let height = max(newRows, 1)
        let lines = above.lastLines(height - 1)
        forget()
        (columns, rows, top) = (newColumns, newRows, 0)
        let scroll = lines.followOthers ? Array("\u{1b}[\(height)B".utf8) + Array(repeating: 0x0a, count: height) : []
        return scroll + Array("\u{1b}[H\u{1b}[J".utf8) + lines.bytes
    }

    private mutating func draw(_ new: LineLayout, to output: inout [UInt8]) {
        if let shown {
            let common = Self.commonPrefix(shown.bytes, new.bytes)
            if common < shown.bytes.count || common < new.bytes.count {
                let from = firstCell(changedAt: common, from: shown, to: new)
                move(to: position(before: from, in: new), in: &output)
                if common < shown.bytes.count { output += "\u{1b}[J".utf8 }
                drawTail(of: new, from: from, to: &output)
            } else if new.cursorWraps && !shown.cursorWraps {
                // The row after a full one does not exist yet: draw the last character again to go there.
                let from = new.drawnCell(upTo: new.cells.count - 1)
                move(to: position(before: from, in: new), in: &output)
                drawTail(of: new, from: from, to: &output)
            }
        } else {
            drawTail(of: new, from: 0, to: &output)
        }
        shown = new
        move(to: new.cursor, in: &output)
    }

    private static func commonPrefix(_ first: [UInt8], _ second: [UInt8]) -> Int {
        let limit = min(first.count, second.count)
        var count = 0
        while count < limit, first[count] == second[count] { count += 1 }
        return count
    }

    /// The cell to draw from on, when the bytes differ from `common` on.
    private func firstCell(changedAt common: Int, from old: LineLayout, to new: LineLayout) -> Int {
        var from = new.cell(atByte: common)
        // A mark without width changes the character before it.
        if old.hasMark(at: old.cell(atByte: common)) || new.hasMark(at: from) { from = new.drawnCell(upTo: from - 1) }
        // After a full row: its last character is drawn again, so that the terminal itself wraps there or, before a newline, doesn't.
        let isAppended = old.cursorWraps && from == old.cells.count && from < new.cells.count && !new.cells[from].isNewline
        if from > 0, !isAppended {
            let previous = new.cells[from - 1]
            if !previous.isNewline, previous.position.column + previous.width >= new.columns { from = new.drawnCell(upTo: from - 1) }
        }
        // A change in the prompt draws all anew, with its colours.
        return from < new.promptCells ? 0 : from
    }

    private mutating func drawTail(of new: LineLayout, from: Int, to output: inout [UInt8]) {
        let start = from == 0 ? 0 : from < new.cells.count ? new.cells[from].start : new.bytes.count
        output += new.bytes[start...]
        cursor = new.end
        if new.cursorWraps {
            // A space makes the terminal wrap, and marks the row as wrapped, which CR LF would not.
            output += " \r".utf8
            cursor = Position(row: new.end.row + 1, column: 0)
        }
    }

    /// Where to stand to draw cell `index`: right after the one before it, so that a character that doesn't fit makes the terminal wrap.
    private func position(before index: Int, in layout: LineLayout) -> Position {
        guard index > 0 else { return Position() }
        let previous = layout.cells[index - 1]
        if previous.isNewline { return Position(row: previous.position.row + 1, column: 0) }
        let column = previous.position.column + previous.width
        return column < layout.columns
            ? Position(row: previous.position.row, column: column) : Position(row: previous.position.row + 1, column: 0)
    }

    private mutating func move(to target: Position, in output: inout [UInt8]) {
        guard target != cursor else { return }
        if target.row < cursor.row { output += "\u{1b}[\(cursor.row - target.row)A".utf8 }
        if target.row > cursor.row { output += "\u{1b}[\(target.row - cursor.row)B".utf8 }
        output.append(0x0d)
        if target.column > 0 { output += "\u{1b}[\(target.column)C".utf8 }
        cursor = target
    }

    /// One row: the cells from `rowFirst` on that fit, newlines shown as `^J`.
    private mutating func updateOneRow(_ layout: LineLayout) -> [UInt8] {
        let width = max(columns - 1, 1)
        if layout.cursorCell < rowFirst { rowFirst = layout.cursorCell }
        func drawnWidth(_ cell: LineLayout.Cell) -> Int { cell.isNewline ? 2 : cell.width }
        var needed = layout.cells[min(rowFirst, layout.cursorCell)..<layout.cursorCell].reduce(1) { $0 + drawnWidth($1) }
        while needed > width, rowFirst < layout.cursorCell {
            needed -= drawnWidth(layout.cells[rowFirst])
            rowFirst += 1
        }
        var row: [UInt8] = []
        var rowWidth = 0
        var cursorBytes = 0
        for index in rowFirst..<max(layout.cells.count, rowFirst) {
            if index == layout.cursorCell { cursorBytes = row.count }
            let cell = layout.cells[index]
            guard rowWidth + drawnWidth(cell) <= width else { break }
            let end = index + 1 < layout.cells.count ? layout.cells[index + 1].start : layout.bytes.count
            row += cell.isNewline ? Array("^J".utf8) : Array(layout.bytes[cell.start..<end])
            rowWidth += drawnWidth(cell)
        }
        if layout.cursorCell >= layout.cells.count { cursorBytes = row.count }
        var output: [UInt8] = [0x0d] + row
        if shownWidth > rowWidth { output += Array(repeating: 0x20, count: shownWidth - rowWidth) }
        output += [0x0d] + row[..<cursorBytes]
        shown = layout
        shownWidth = rowWidth
        return output
    }
}
